import asyncio

import pytest

from gateway.listeners.turns import Turns


class Work:
    """Links whose news take as long as they are told; by a clock that only they move."""

    def __init__(self, share_us):
        self.now_us = 0
        self.done = []
        self.passes = 0
        self.turns = Turns(lambda: self.now_us, share_us=share_us, share_us_max=20)

    def link(self, name, took_us):
        return Link(self, name, took_us)

    def bring(self, link):
        (self.turns.take if self.turns.is_free() else self.turns.wait)(link)


class Link:
    def __init__(self, work, name, took_us):
        self.work, self.name, self.took_us = work, name, took_us

    def take_turn(self):
        self.work.now_us += self.took_us
        self.work.done.append(self.name)


def test_news_are_taken_at_once_until_the_share_is_used_up_and_then_in_order():
    async def work():
        desk = Work(share_us=5)
        for name in range(7):
            desk.bring(desk.link(name, 2))
        assert (desk.done, len(desk.turns)) == ([0, 1, 2], 4)
        passes = []
        while len(desk.turns):
            await asyncio.sleep(0)
            passes.append(len(desk.done))
        assert desk.done == list(range(7))
        assert passes[-1] == 7
        assert set(passes) == {6, 7}

    asyncio.run(asyncio.wait_for(work(), 10))


def test_nobody_overtakes_those_who_wait():
    async def work():
        desk = Work(share_us=5)
        for name in range(4):
            desk.bring(desk.link(name, 5))
        await asyncio.sleep(0)
        desk.bring(desk.link("late", 0))
        assert desk.done == [0, 1]
        while len(desk.turns):
            await asyncio.sleep(0)
        assert desk.done == [0, 1, 2, 3, "late"]

    asyncio.run(asyncio.wait_for(work(), 10))


def test_what_takes_long_takes_its_turn_all_the_same():
    async def work():
        desk = Work(share_us=5)
        for name in range(3):
            desk.bring(desk.link(name, 1_000))
        while len(desk.turns):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (desk.done, desk.turns.is_free()) == ([0, 1, 2], True)

    asyncio.run(asyncio.wait_for(work(), 10))


@pytest.mark.parametrize(("others_us", "taken"), [(0, 3), (9, 5), (1_000, 10)], ids=["idle", "busy", "overloaded"])
def test_news_get_as_much_of_a_pass_as_all_others_took_within_bounds(others_us, taken):
    async def work():
        desk = Work(share_us=5)
        for name in range(30):
            desk.bring(desk.link(name, 2))
        await asyncio.sleep(0)
        before = len(desk.done)
        desk.now_us += others_us
        await asyncio.sleep(0)
        assert len(desk.done) - before == taken
        while len(desk.turns):
            await asyncio.sleep(0)
        assert desk.done == list(range(30))

    asyncio.run(asyncio.wait_for(work(), 10))

"""Firmware sent in chunks to piles of the AA F5 family, by HTTP and over sockets, whatever happens on the way."""

import asyncio
import dataclasses
import random

import httpx
import pytest

from gateway.simulator.fleet import Fleet
from gateway.simulator.plan import UpdateFate
from gateway.simulator.scripts import card_uid, cast_fleet, pile_id
from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import write_config

SPEED = 10
CHUNKS = 20
IMAGE = random.Random(5).randbytes(CHUNKS * 512 - 100)
FATES = {  # by number of the pile: sh26, sh52, sh40, op30, sh16, sh52, sh26
    1: UpdateFate.GOOD,
    2: UpdateFate.REFUSED,
    3: UpdateFate.CHUNK_LOST,
    4: UpdateFate.ANSWER_LOST,
    5: UpdateFate.LINK_CUT,
    6: UpdateFate.GOOD,
    8: UpdateFate.ANSWER_LOST,
}
SL, CHARGING, COUNT = 7, 9, 9
NEW = "5.12"  # as its login tells it after the restart


def shown(pile):
    return pile.get("connectors", [])


class Desk:
    """The HTTP interface of one daemon, and the piles at its other end."""

    def __init__(self, client, piles):
        self.client = client
        self.piles = piles

    async def until(self, path, holds):
        async with asyncio.timeout(30):
            while not holds(found := (await self.client.get(path)).json()):
                await asyncio.sleep(0.02)
        return found

    async def send(self, number, file="new.bin"):
        return await self.client.post(f"/piles/{pile_id(number, 'aaf5')}/firmware", json={"file": file})

    async def outcome(self, answer):
        """The order when it has come to its end, and every percentage that was told before."""
        assert answer.status_code == 202, answer.text
        told = set()

        def is_over(order):
            told.add((order["result"] or {}).get("percent"))
            return order["state"] not in ("queued", "sent")

        order = await self.until(f"/orders/{answer.json()['order_id']}", is_over)
        return order, told - {None}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What became of one update per pile, and of what was asked besides."""
    directory = tmp_path_factory.mktemp("update")
    (directory / "firmware").mkdir()
    (directory / "firmware" / "new.bin").write_bytes(IMAGE)
    clock = FastClock(START_MS, SPEED)
    more = f'[firmware]\ndirectory = "{directory}/firmware"\nanswer_ms = 2500\n'
    daemon = Daemon(write_config(directory, COUNT, more=more, protocol="aaf5"), clock)
    token = list_accounts(directory, cards=[card_uid(n) for n in range(1, COUNT + 1)])
    cast = []
    for number, each in enumerate(cast_fleet(COUNT, seed=3, charge_ms=(900_000, 900_001), protocol="aaf5"), 1):
        start = "card" if number == CHARGING else "app"
        visit = dataclasses.replace(each.plan.visits[0][0], start=start, wait_ms=1_000)
        fate = FATES.get(number, UpdateFate.GOOD)
        plan = dataclasses.replace(each.plan, visits=((visit,),), update=fate, reconnect_ms=1_000)
        cast.append(dataclasses.replace(each, plan=plan))
    told = {}

    async def ask(desk):
        for number in range(1, COUNT + 1):
            pile = f"/piles/{pile_id(number, 'aaf5')}"
            wanted = "charging" if number == CHARGING else "idle"
            await desk.until(pile, lambda f, w=wanted: any(c["status"] == w and c["is_plugged"] for c in shown(f)))
        answers = {number: await desk.send(number) for number in FATES}
        slow = f"/piles/{pile_id(3, 'aaf5')}"
        told["meanwhile"] = await desk.client.post(f"{slow}/connectors/1/start", json={"balance": "9.00"})
        told["twice"] = await desk.send(3)
        outcomes = await asyncio.gather(*(desk.outcome(answer) for answer in answers.values()))
        told["orders"] = dict(zip(answers, outcomes, strict=True))
        await desk.until(f"/piles/{pile_id(5, 'aaf5')}", lambda found: found["is_online"])
        told["again"] = await desk.outcome(await desk.send(5))
        for number in (1, 6):
            await desk.until(f"/piles/{pile_id(number, 'aaf5')}", lambda found: found["firmware_version"] == NEW)
        told["none"], told["charging"] = await desk.send(SL), await desk.send(CHARGING)
        told["missing"], told["outside"] = await desk.send(1, "other.bin"), await desk.send(1, "../gateway.toml")

    async def live():
        daemon.start()
        fleet = Fleet(cast, host="127.0.0.1", port=daemon.port, seed=3, now_ms=clock.now_ms, speed=SPEED, lingers=True)
        running = asyncio.create_task(fleet.run())
        base = f"http://127.0.0.1:{daemon.api_port}/api/v1"
        async with httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=40) as client:
            await ask(Desk(client, fleet.piles))
        fleet.stop()
        await running
        return fleet.piles

    try:
        told["piles"] = asyncio.run(live())
        assert daemon.stop() == 0
        yield told
    finally:
        daemon.close()


def taken(told, number):
    """The order for a pile that took its update, and what the pile wrote."""
    order, _ = told["orders"][number]
    assert order["state"] == "accepted", order
    assert order["result"] == {"reason_code": 0, "chunks": CHUNKS, "bytes": len(IMAGE)}
    flash = told["piles"][number - 1].flash
    assert (flash.data, flash.name, flash.is_applied) == (IMAGE, "new.bin", True)
    return flash


@pytest.mark.parametrize(("number", "repeats"), [(1, 0), (6, 0), (3, 0), (4, 1), (8, 1)])
def test_an_update_arrives_whole_whatever_is_lost_on_the_way(told, number, repeats):
    assert taken(told, number).repeats == repeats


def test_progress_is_told_while_it_goes_on(told):
    percents = set().union(*(percents for _, percents in told["orders"].values()))
    assert {percent % 5 for percent in percents} == {0}
    assert percents


def test_a_pile_that_refuses_is_believed(told):
    order, _ = told["orders"][2]
    assert (order["state"], order["result"]) == ("refused", {"reason_code": 1, "detail": "the pile refused the size"})
    assert told["piles"][1].flash.data == b""


def test_a_link_that_breaks_ends_the_order_and_the_next_one_begins_anew(told):
    order, _ = told["orders"][5]
    assert (order["state"], order["result"]["detail"]) == ("failed", "the link closed before the pile answered")
    order, _ = told["again"]
    assert order["state"] == "accepted"
    assert told["piles"][4].flash.data == IMAGE


@pytest.mark.parametrize(
    ("what", "status", "code", "words"),
    [
        ("meanwhile", 409, "order_pending", "SendFirmware"),
        ("twice", 409, "order_pending", "SendFirmware"),
        ("none", 422, "not_supported", "takes no firmware in chunks"),
        ("charging", 409, "pile_charging", "only while it is idle"),
        ("missing", 404, "firmware_missing", "other.bin"),
        ("outside", 404, "firmware_missing", "gateway.toml"),
    ],
)
def test_what_cannot_be_is_refused_in_words(told, what, status, code, words):
    problem = told[what].json()
    assert (told[what].status_code, problem["type"].rpartition(":")[2]) == (status, code), problem
    assert words in problem["detail"]

"""Firmware in chunks: one step at a time, said again until it is answered, and never another chunk's answer."""

import asyncio
import dataclasses

import pytest

from gateway.orders import OrderError
from gateway.transfer import FirmwareConfig, Transfers
from protocol import events as e
from protocol.dialect import Traits
from tests.support.switchboard import PILE, T0_MS, StubSwitchboard, orders_on

IMAGE = bytes(range(250))
ZERO = {"size": 0, "erase": 100, "name": 0, "chunk": 0, "end": 0, "restart": 0}


class Pile(StubSwitchboard):
    """Answers steps as it is told to.

    Attributes:
        codes: step → what it answers, a list for one after the other.
        silent: how often it says nothing to (step, number).
        is_numbered: its answers to chunks name them.
    """

    def __init__(self, **codes):
        super().__init__()
        self.codes = {**ZERO, **codes}
        self.silent = {}
        self.is_numbered = True
        self.transfers = None
        self.traits = Traits(chunk_bytes_max=100)

    def send(self, command):
        if not super().send(command):
            return False
        if self.silent.get((command.step, command.number), 0) > 0:
            self.silent[(command.step, command.number)] -= 1
            return True
        code = self.codes[command.step]
        self.answer(command.step, code.pop(0) if isinstance(code, list) else code, command.number)
        return True

    def answer(self, step, code, number=0):
        detail = {"step": step} | ({"seq": number & 0xFF if self.is_numbered else 0} if step == "chunk" else {})
        is_accepted = step in ("erase", "name") or code == 0
        self.transfers.on_event(e.OrderAnswered(T0_MS, PILE, 0, "UpdateStep", None, is_accepted, code, detail))

    @property
    def steps(self):
        return [(command.step, command.number, command.data) for command in self.sent]

    @property
    def chunks(self):
        return [command.data for command in self.sent if command.step == "chunk"]


def send(directory, pile, *, name="f.bin", config=None, meanwhile=lambda pile: None):
    """Send the image; returns the states that the order went through."""
    (directory / "f.bin").write_bytes(IMAGE)

    async def whole():
        orders = orders_on(pile)
        told = config or FirmwareConfig(str(directory), answer_ms=20, tries=3)
        pile.transfers = Transfers(pile, orders, told)
        saved = await pile.transfers.send_file(PILE, name, actor="me")
        meanwhile(pile)
        async with asyncio.timeout(20):
            while not pile.notices:
                await asyncio.sleep(0.001)
        assert saved.request["file"] == "f.bin"
        assert pile.transfers._under_way == {}

    asyncio.run(whole())
    return [(row.state, row.result) for row in pile.lazy]


def test_all_steps_in_turn(tmp_path):
    pile = Pile(erase=[0, 50, 100], name=80)
    states = send(tmp_path, pile)
    names = [step for step, _, _ in pile.steps]
    assert names == ["size", "erase", "erase", "erase", "name", "chunk", "chunk", "chunk", "chunk", "end", "restart"]
    assert pile.steps[0] == ("size", 250, b"")
    assert pile.steps[4] == ("name", 0, b"f.bin")
    assert pile.chunks == [IMAGE[:80], IMAGE[80:160], IMAGE[160:240], IMAGE[240:]]
    percents = [result["percent"] for state, result in states if result and "percent" in result]
    assert percents == [25, 50, 75, 100]
    assert states[-1] == ("accepted", {"reason_code": 0, "chunks": 4, "bytes": 250})


def test_a_chunk_is_no_longer_than_a_frame_can_carry(tmp_path):
    pile = Pile(name=5_000)
    send(tmp_path, pile)
    assert [len(chunk) for chunk in pile.chunks] == [100, 100, 50]


def test_a_step_without_an_answer_is_said_again_the_same(tmp_path):
    pile = Pile()
    pile.silent = {("size", 250): 2, ("chunk", 1): 1}
    assert send(tmp_path, pile)[-1][0] == "accepted"
    assert [step for step, _, _ in pile.steps][:3] == ["size"] * 3
    assert pile.chunks[1] == pile.chunks[2]


@pytest.mark.parametrize(
    ("codes", "silent", "state", "detail"),
    [
        ({"size": 1}, {}, "refused", "the pile refused the size"),
        ({"end": 1}, {}, "refused", "the pile refused the end"),
        ({"chunk": [0, 1, 1, 1]}, {}, "refused", "the pile refused chunk 2 of 3"),
        ({}, {("chunk", 2): 9}, "timed_out", "no answer to chunk 3 of 3"),
        ({}, {("end", 0): 9}, "timed_out", "no answer to the step 'end'"),
        ({"erase": 3}, {}, "timed_out", "does not finish erasing"),
    ],
)
def test_what_does_not_come_about_says_at_which_step(tmp_path, monkeypatch, codes, silent, state, detail):
    monkeypatch.setattr("gateway.transfer._ERASE_TRIES", 5)
    pile = Pile(**codes)
    pile.silent = silent
    ended, result = send(tmp_path, pile)[-1]
    assert (ended, detail in result["detail"]) == (state, True), result


def test_a_chunk_that_came_wrong_is_sent_again(tmp_path):
    pile = Pile(chunk=[0, 1, 0, 0])
    assert send(tmp_path, pile)[-1][0] == "accepted"
    assert len(pile.chunks) == 4


def test_a_second_answer_to_a_repeat_does_not_pass_for_the_next_chunk(tmp_path):
    pile = Pile()
    pile.is_numbered = False
    pile.silent = {("chunk", 0): 1, ("chunk", 1): 1}
    plain, late = pile.answer, []

    def answer(step, code, number=0):
        plain(step, code, number)
        if step == "chunk" and number == 0:
            late.append(asyncio.get_running_loop().call_later(0.005, plain, "chunk", 0, 0))

    pile.answer = answer
    assert send(tmp_path, pile)[-1][0] == "accepted"
    assert len(late) == 1
    assert pile.chunks == [IMAGE[:100], IMAGE[:100], IMAGE[100:200], IMAGE[100:200], IMAGE[200:]]


def test_a_link_that_closes_ends_it(tmp_path):
    pile = Pile()
    pile.silent = {("chunk", 1): 1}
    states = send(tmp_path, pile, meanwhile=lambda pile: pile.connected.clear())
    assert states[-1] == ("failed", {"detail": "the link closed on the way"})


@pytest.mark.parametrize(
    ("name", "keys", "traits", "code"),
    [
        ("g.bin", {}, {}, "firmware_missing"),
        ("../f.bin", {}, {}, "firmware_missing"),
        ("f.bin", {"directory": ""}, {}, "firmware_missing"),
        ("f.bin", {"file_bytes_max": 249}, {}, "firmware_missing"),
        ("f.bin", {}, {"chunk_bytes_max": 0}, "not_supported"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(tmp_path, name, keys, traits, code):
    pile = Pile()
    pile.traits = dataclasses.replace(pile.traits, **traits)
    with pytest.raises(OrderError) as refused:
        send(tmp_path, pile, name=name, config=FirmwareConfig(**{"directory": str(tmp_path), **keys}))
    assert refused.value.code == code
    assert pile.sent == pile.saved == []


def test_facts_that_nobody_waits_for_are_not_for_this_room(tmp_path):
    pile = Pile()
    pile.transfers = Transfers(pile, None, FirmwareConfig(str(tmp_path)))
    pile.answer("chunk", 0)
    pile.transfers.on_event(e.OrderAnswered(T0_MS, PILE, 0, "Reboot", None, True, 0, {}))

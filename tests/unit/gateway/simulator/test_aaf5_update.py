"""A simulated pile's memory: written in turn, whatever is lost."""

import pytest

from gateway.simulator.aaf5_editions import Body
from gateway.simulator.aaf5_update import CHUNK, END, ERASE, NAME, RESTART, SIZE, Flash
from gateway.simulator.plan import UpdateFate
from protocol.dialects.aaf5_frames import CHUNK_ANSWER

PARTS = [bytes([number]) * 4 for number in range(6)]


def flash_of(fate=UpdateFate.GOOD, *, is_numbered=True):
    flash = Flash(fate, Body(1008, CHUNK_ANSWER), is_numbered=is_numbered)
    flash.hear(SIZE, {"number": 24}, 0, is_idle=True)
    return flash


def chunk(flash, number, data=None):
    told = flash.hear(CHUNK, {"data": (data or PARTS[number]).hex()}, number, is_idle=True)
    return None if told is None else (told[1]["seq"], told[1]["result"])


def end(flash):
    return flash.hear(END, {"number": 0}, 0, is_idle=True)[1]["number"]


def test_it_is_erased_named_written_and_started():
    flash = flash_of()
    percents = [flash.hear(ERASE, {"number": 0xAA55}, 0, is_idle=True)[1]["percent"] for _ in range(3)]
    assert percents == [50, 100, 100]
    assert flash.hear(NAME, {"data": b"f.bin".hex()}, 0, is_idle=True)[1]["number"] == 512
    assert [chunk(flash, number) for number in range(6)] == [(number, 0) for number in range(6)]
    assert end(flash) == 0
    assert (flash.data, flash.name, flash.is_applied) == (b"".join(PARTS), "f.bin", False)
    flash.hear(RESTART, {"number": 0}, 0, is_idle=True)
    assert flash.is_applied
    assert flash.hear(101, {}, 0, is_idle=True) is None


def test_a_repeat_is_taken_once_and_a_gap_refused():
    flash = flash_of()
    assert [chunk(flash, 0), chunk(flash, 0), chunk(flash, 2)] == [(0, 0), (0, 0), (2, 1)]
    assert chunk(flash, 0, b"others") == (0, 1), "a repeat must be the same bytes"
    assert (flash.repeats, end(flash)) == (1, 1)


@pytest.mark.parametrize(
    ("fate", "answers", "has_cut"),
    [
        (UpdateFate.CHUNK_LOST, [None, (3, 0), (4, 0)], False),
        (UpdateFate.ANSWER_LOST, [None, (3, 0), (4, 0)], False),
        (UpdateFate.LINK_CUT, [None, (3, 0), (4, 0)], True),
    ],
)
def test_something_happens_to_the_fourth_once(fate, answers, has_cut):
    flash = flash_of(fate)
    for number in range(3):
        chunk(flash, number)
    assert [chunk(flash, 3), chunk(flash, 3), chunk(flash, 4)] == answers
    assert flash.wants_cut is has_cut


def test_one_firmware_numbers_no_answer():
    assert chunk(flash_of(is_numbered=False), 0) == (0, 0)
    flash = flash_of(is_numbered=False)
    chunk(flash, 0)
    assert chunk(flash, 1) == (0, 0)


@pytest.mark.parametrize(("fate", "is_idle"), [(UpdateFate.REFUSED, True), (UpdateFate.GOOD, False)])
def test_it_may_refuse_from_the_start(fate, is_idle):
    flash = Flash(fate, Body(1008, CHUNK_ANSWER), is_numbered=True)
    assert flash.hear(SIZE, {"number": 24}, 0, is_idle=is_idle)[1]["number"] == 1

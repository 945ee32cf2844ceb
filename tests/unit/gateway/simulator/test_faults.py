"""What the profiles do to frames and plans."""

import random

import pytest

from gateway.simulator.faults import NONE, PROFILES, FaultProfile, FaultyWire, afflict, profile_for
from gateway.simulator.plan import ClockFault, RecordFate
from gateway.simulator.scripts import cast_fleet

FRAMES = [bytes([0x68, 9, 0, 0, 0, 3]) + bytes([n] * 7) for n in range(50)]


def wire(seed=1, **faults):
    return FaultyWire(FaultProfile("test", "", **faults), random.Random(seed))


def joined(chunks):
    return b"".join(chunk.data for chunk in chunks)


def test_nothing_goes_wrong_without_faults():
    chunks = FaultyWire(NONE, random.Random(1)).chunks(FRAMES)
    assert [chunk.data for chunk in chunks] == FRAMES
    assert not any(chunk.is_cut or chunk.pause_ms for chunk in chunks)


def test_halves_keep_every_byte():
    chunks = wire(half_permille=1_000).chunks(FRAMES)
    assert len(chunks) == 100
    assert joined(chunks) == b"".join(FRAMES)


def test_held_frames_leave_in_one_piece():
    assert [chunk.data for chunk in wire(hold_ms=5).chunks(FRAMES)] == [b"".join(FRAMES)]
    assert wire(hold_ms=5).chunks([]) == []


def test_nothing_follows_a_cut():
    chunks = wire(cut_permille=200).chunks(FRAMES)
    assert [chunk.is_cut for chunk in chunks].count(True) == 1
    assert chunks[-1].is_cut


def test_garbage_stands_before_whole_frames():
    chunks = wire(garbage_permille=1_000).chunks(FRAMES)
    assert [chunk.data for chunk in chunks[1::2]] == FRAMES


def test_flood_comes_once():
    one = wire(flood_frames=100)
    assert len(joined(one.chunks(FRAMES))) == len(FRAMES[0]) * (100 + 49)
    assert joined(one.chunks(FRAMES)) == b"".join(FRAMES)


def test_equal_seeds_break_equal_frames():
    faults = {"cut_permille": 50, "half_permille": 300}
    assert wire(3, **faults).chunks(FRAMES) == wire(3, **faults).chunks(FRAMES)


def test_mixed_draws_other_profiles():
    rng = random.Random(5)
    names = {profile_for("mixed", rng).name for _ in range(200)}
    assert names == set(PROFILES) - {"mixed"}
    with pytest.raises(KeyError):
        profile_for("no such", rng)


def test_afflicted_plans():
    plan = cast_fleet(1, seed=1, sessions_per_connector=2)[0].plan
    rng = random.Random(1)
    assert afflict(plan, PROFILES["clock-1999"], rng).clock is ClockFault.ZERO_DATE
    assert afflict(plan, PROFILES["no-record"], rng).visits[0][0].record is RecordFate.NONE
    assert afflict(plan, PROFILES["register-reset"], rng).visits[0][1].is_meter_reset
    assert afflict(plan, PROFILES["power-loss"], rng).power_losses

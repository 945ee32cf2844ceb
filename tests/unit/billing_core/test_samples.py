import dataclasses
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core import samples as core
from billing_core.samples import Sample
from billing_core.session import ChargingSession
from billing_core.timers import Timers

INT64 = st.integers(-(2**63), 2**63 - 1)
SMALL = st.integers(-3, 12)


def rows(numbers, most=30):
    """Live states of such numbers."""
    states = st.builds(
        Sample, numbers, numbers, numbers, numbers, numbers, numbers, st.booleans(), st.none() | st.booleans()
    )
    return st.lists(states, max_size=most).map(tuple)


def sample(at_ms=0, energy=0, *, volts=0, amperes=0, soc=0, is_charging=True, is_plugged=None):
    return Sample(at_ms, energy, 0, volts, amperes, soc, is_charging, is_plugged)


def test_a_sample_is_a_frozen_value():
    one = Sample(1, 2, 3, 4, 5, 6, True, None)
    assert one == Sample(1, 2, 3, 4, 5, 6, is_charging=True, is_plugged=None) != sample()
    assert dataclasses.replace(one, soc_percent=7) == Sample(1, 2, 3, 4, 5, 7, True, None)
    assert "soc_percent=6" in repr(one)
    with pytest.raises(AttributeError):
        one.at_ms = 3


def test_a_session_hands_out_what_it_took():
    session = ChargingSession("1", "2", 1, 0, Timers())
    session.take_sample(1, 2, 3, 4, 5, 6, True)
    session.take_rest(7, 2, 3, 0, 0, 6, False)
    session.take_rest(8, 2, 3, 0, 0, 6)
    assert session.samples() == tuple(Sample(*row) for row in session.rows())
    assert [each.is_plugged for each in session.samples()] == [True, False, None]


@given(rows(SMALL), SMALL)
def test_charging_and_rest_are_told_apart(states, at_ms):
    assert core.charging_of(states) == tuple(each for each in states if each.is_charging)
    behind = [each.at_ms for each in states if not each.is_charging and each.at_ms > at_ms]
    assert core.rests_behind(states, at_ms) == behind


@given(rows(SMALL), st.integers(0, 3))
def test_what_stood_before_each_fall_is_added(states, half):
    anchors, has_reset = core.stitched(states, half)
    assert core.anchors_of(states) == [(each.at_ms, each.energy_e4kwh) for each in states]
    pairs = [(0, 0), *core.anchors_of(states)]
    falls = [before[1] if after[1] < before[1] - half else 0 for before, after in itertools.pairwise(pairs)]
    carried = itertools.accumulate(falls)
    assert anchors == [(at, energy + more) for (at, energy), more in zip(pairs[1:], carried, strict=True)]
    was_fall = any(after[1] < before[1] - half for before, after in itertools.pairwise(pairs))
    assert has_reset == was_fall


@given(rows(st.integers(0, 3)), st.integers(2, 4), SMALL)
def test_a_run_that_stands_still_under_power_is_found(states, least, centiwatts):
    begin, has_frozen = 0, False
    for index, each in enumerate(states):
        weakest = min(one.voltage_dv * one.current_da for one in (states[begin], each))
        if each.energy_e4kwh != states[begin].energy_e4kwh or weakest <= centiwatts:
            begin = index
        elif index - begin + 1 >= least:
            has_frozen = True
    at_the_end = begin if has_frozen and len(states) - begin >= least else None
    assert core.frozen_run(states, least, centiwatts) == (at_the_end, has_frozen)


@given(rows(INT64) | rows(st.integers(0, 2**16 - 1)) | rows(st.integers(0, 2**29)) | rows(SMALL))
def test_the_area_is_exact_however_large(states):
    powers = [each.voltage_dv * each.current_da for each in states]
    steps = [after.at_ms - before.at_ms for before, after in itertools.pairwise(states)]
    doubled = sum((a + b) * step for (a, b), step in zip(itertools.pairwise(powers), steps, strict=True))
    assert core.doubled_area(states) == doubled


def test_the_area_of_many_long_steps_is_exact():
    states = tuple(sample(each * (2**28 - 1), volts=2**16 - 1, amperes=2**16 - 1) for each in range(64))
    assert core.doubled_area(states) == 63 * 2 * (2**16 - 1) ** 2 * (2**28 - 1)


@given(rows(SMALL), st.integers(0, 4))
def test_the_battery_is_followed_where_it_was_told(states, percent):
    known = [each for each in states if each.soc_percent]
    told = (known[0].soc_percent, known[-1].soc_percent, len(known)) if known else (0, 0, 0)
    assert core.soc_ends(states) == told
    fallen = [
        (before.soc_percent, after.soc_percent)
        for before, after in itertools.pairwise(known)
        if after.energy_e4kwh > before.energy_e4kwh and before.soc_percent - after.soc_percent > percent
    ]
    assert core.soc_fall(states, percent) == next(iter(fallen), None)
    risen = []
    for _, run in itertools.groupby(known, key=lambda each: each.energy_e4kwh):
        first, *others = run
        pairs = [(first.soc_percent, each.soc_percent) for each in others]
        risen += [pair for pair in pairs if pair[1] - pair[0] > percent]
    assert core.soc_rise(states, percent) == next(iter(risen), None)


@pytest.mark.parametrize(
    ("told", "expected"), [("cc", False), ("crc", False), ("crrc", True), ("rrc", False), ("crr", False), ("", False)]
)
def test_two_states_of_rest_between_samples_are_found(told, expected):
    states = tuple(sample(is_charging=letter == "c") for letter in told)
    assert core.has_rest_within(states, 2) is expected


@pytest.mark.parametrize(
    ("told", "expected"), [("coc", True), ("cic", False), ("c?c", False), ("oc", False), ("co", False), ("", False)]
)
def test_a_cable_seen_out_between_samples_is_found(told, expected):
    plugged = {"c": True, "i": True, "o": False, "?": None}
    states = tuple(sample(is_charging=letter == "c", is_plugged=plugged[letter]) for letter in told)
    assert core.was_replugged(states) is expected


@given(rows(INT64) | rows(SMALL))
def test_the_text_of_samples_is_that_of_json(states):
    told = [
        [s.at_ms, s.energy_e4kwh, s.amount_e4yuan, s.voltage_dv, s.current_da, s.soc_percent, s.is_charging]
        for s in states
    ]
    assert core.canonical(states) == json.dumps(told, separators=(",", ":")).encode()


def test_only_samples_are_looked_at():
    with pytest.raises(TypeError):
        core.canonical((sample(), "no sample"))

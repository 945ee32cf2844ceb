"""Energy inside a pile: nothing is lost at a border, whatever the steps."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.charge import Charge, Story
from gateway.simulator.rates import SLOT_MS, Rates

RATES = Rates("0100", ((130_000, 80_000), (110_000, 80_000)), (0, 1) * 24)


def charge(power_w, at_ms=0):
    story = Story("S", "P", 1, "card", at_ms)
    return Charge(story, power_w, RATES, at_ms, 0, soc_percent=20, balance_fen=0, register_e4kwh=5_000)


@given(st.integers(1, 400_000), st.lists(st.integers(1, SLOT_MS), min_size=1, max_size=30))
def test_tiers_sum_to_the_whole_whatever_the_steps(power_w, steps):
    by_steps, at_once = charge(power_w), charge(power_w)
    at_ms = 0
    for step in steps:
        at_ms += step
        by_steps.advance(at_ms)
    at_once.advance(at_ms)
    assert by_steps.tiers_e4kwh == at_once.tiers_e4kwh
    assert sum(by_steps.tiers_e4kwh) == by_steps.energy_e4kwh == power_w * at_ms // 360_000


def test_border_belongs_to_the_later_slot():
    one = charge(360_000)
    one.advance(SLOT_MS + 1_000)
    assert one.tiers_e4kwh == [SLOT_MS, 1_000]


def test_close_writes_the_story():
    one = charge(60_000)
    one.advance(600_000)
    story = one.close(0x41)
    assert (story.energy_e4kwh, story.meter_start_e4kwh, story.meter_stop_e4kwh) == (100_000, 5_000, 105_000)
    assert story.expected_fen == 2_100
    assert story.has_ended
    assert one.amount_e4yuan == 210_000

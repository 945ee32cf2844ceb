import pytest

from billing_core.evidence import BmsEnd
from billing_core.seen import energy_at, is_live, see
from tests.support.evidence import (
    ARRIVED,
    END,
    HOUR,
    LAST,
    MINUTE,
    START,
    TEN,
    before,
    charging,
    evidence,
    record,
    rest,
    sample,
)

HALF = 100
SILENT = {"record": None, "samples": charging()}


def seen(**changes):
    return see(evidence(**changes), HALF)


def end(**changes):
    found = seen(**changes)
    return found.t_end_ms, found.is_end_observed


def test_what_the_gateway_saw_of_the_clean_charge():
    found = seen()
    assert (found.t_start_ms, found.t_end_ms, found.is_end_observed, found.t_idle_ms) == (START, END, True, END)
    assert (found.last_ms, found.last_e4kwh, found.duration_ms) == (LAST, 195_000, END - START)
    assert (found.has_reset, found.is_stitched, found.frozen_from, found.has_frozen) == (False, False, None, False)
    assert found.integral_e4kwh == 195_000
    assert len(found.anchors) == 40


def test_without_samples_nothing_was_seen():
    found = seen(samples=())
    assert (found.t_start_ms, found.t_end_ms, found.t_idle_ms, found.duration_ms) == (START, None, None, None)
    assert (found.last_ms, found.last_e4kwh, found.integral_e4kwh) == (None, 0, 0)
    assert found.window(60_000, HALF) is None
    assert seen(samples=(), start_accepted_at_ms=None).t_start_ms is None
    assert seen(start_accepted_at_ms=None).t_start_ms == TEN


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, (LAST, False)),
        ({"samples": (*charging(), rest(40))}, (LAST + MINUTE, True)),
        ({"samples": (*charging(), rest(40, at_ms=LAST + MINUTE + 1))}, (LAST, False)),
        ({"bms_end": BmsEnd(LAST + 1, 60, 0)}, (LAST + 1, True)),
        ({"bms_end": BmsEnd(LAST, 60, 0)}, (LAST, False)),
        ({"bms_end": BmsEnd(LAST + MINUTE + 1, 60, 0)}, (LAST, False)),
        ({"record": {"rx_ms": LAST + 1}}, (LAST + 1, True)),
        ({"record": {"rx_ms": LAST + MINUTE}}, (LAST + MINUTE, True)),
        ({"record": {"rx_ms": LAST + MINUTE + 1}}, (LAST, False)),
        ({"record": {"rx_ms": LAST}}, (LAST, False)),
        ({"bms_end": BmsEnd(LAST + 5, 60, 0), "record": {"rx_ms": LAST + 4}}, (LAST + 4, True)),
        ({"login_at_ms": LAST + 5}, (LAST, False)),
    ],
)
def test_the_end_is_the_earliest_live_proof_else_the_last_sample(changes, wanted):
    assert end(**{**SILENT, **changes}) == wanted


@pytest.mark.parametrize(
    ("changes", "idle_ms"),
    [
        ({}, ARRIVED),
        ({"at_ms": LAST + 9 * HOUR}, LAST + 9 * HOUR),
        ({"login_at_ms": LAST + 5}, LAST + 5),
        ({"login_at_ms": LAST}, ARRIVED),
        ({"next_start_at_ms": LAST + 7, "login_at_ms": LAST + 8}, LAST + 7),
        ({"samples": (*charging(), rest(50)), "at_ms": LAST + HOUR}, TEN + 50 * MINUTE),
        ({"bms_end": BmsEnd(LAST + 10 * MINUTE, 60, 0), "at_ms": LAST + HOUR}, LAST + 10 * MINUTE),
        ({"record": {"rx_ms": LAST + MINUTE}, "at_ms": LAST + HOUR}, LAST + MINUTE),
        ({"record": {"rx_ms": LAST + MINUTE + 1}, "at_ms": LAST + HOUR}, LAST + HOUR),
    ],
)
def test_idle_is_the_earliest_proof_of_any_kind_else_the_present(changes, idle_ms):
    assert seen(**{**SILENT, **changes}).t_idle_ms == idle_ms


def test_rest_before_the_last_sample_proves_nothing():
    assert end(record=None, samples=(*charging(last=20), rest(21), *charging(first=22))) == (LAST, False)


def test_the_window_is_what_rated_power_can_add():
    found = seen()
    assert found.window(60_000, HALF) == (194_900, 205_100)
    assert found.window(7_000, 2) == (194_998, 196_168)
    assert found.window(None, HALF) == (194_900, None)
    assert found.window(60_000, HALF, arrival_ms=6_000) == (194_900, 206_100)  # 6 s more at 60 kW


# -- a counter that restarts -----------------------------------------------------------------------------

RESTARTED = (sample(0, 0), sample(10, 50_000), sample(11, 0), sample(39, 145_000), rest(40))


@pytest.mark.parametrize(
    ("changes", "is_stitched"),
    [
        ({}, True),  # the pair joins the former charge: 20 kWh in 19.5 … 20.5
        ({"record": {"energy": 194_900}}, True),
        ({"record": {"energy": 194_899}}, False),
        ({"record": {"energy": 205_100}}, True),
        ({"record": {"energy": 205_101}}, False),
        ({"record": {"energy": 205_101}, "pile": {"rated_w": None}}, True),
        ({"previous": before(meter_stop_e4kwh=10_000_000 - HALF - 1)}, False),
        ({"previous": None}, False),
        ({"previous": None, "meter_start_next_e4kwh": 10_200_100}, True),
        ({"previous": None, "meter_start_next_e4kwh": 10_200_101}, False),
        ({"record": None}, False),
        ({"record": None, "meter_start_next_e4kwh": 10_200_000}, True),
        ({"record": None, "meter_start_next_e4kwh": 10_194_899}, False),
    ],
)
def test_a_restarted_counter_is_stitched_where_a_register_bears_it_out(changes, is_stitched):
    found = seen(samples=RESTARTED, **changes)
    assert (found.has_reset, found.is_stitched) == (True, is_stitched)
    assert [energy for _, energy in found.anchors] == [0, 50_000, *((50_000, 195_000) if is_stitched else (0, 145_000))]


def test_two_restarts_add_up():
    twice = (
        sample(0, 0),
        sample(1, 90_000),
        sample(2, 0),
        sample(3, 90_000),
        sample(4, 0),
        sample(39, 15_000),
        rest(40),
    )
    assert seen(samples=twice).last_e4kwh == 195_000


def test_a_counter_that_trembles_has_not_restarted():
    steady = (sample(0, 0), sample(1, 5_000), sample(2, 4_900), sample(39), rest(40))
    assert not seen(samples=steady).has_reset


# -- a counter that stands still --------------------------------------------------------------------------


def frozen(first, count, **changes):
    return [sample(first + index, 5_000 * first, **changes) for index in range(count)]


@pytest.mark.parametrize(
    ("samples", "frozen_from", "has_frozen"),
    [
        ([*charging(last=9), *frozen(10, 5)], 10, True),
        ([*charging(last=9), *frozen(10, 4)], None, False),
        ([*charging(last=9), *frozen(10, 5), sample(20)], None, True),
        ([*charging(last=9), *frozen(10, 5, current_da=4)], None, False),
        (frozen(10, 5), 0, True),
        (frozen(10, 4), None, False),
    ],
)
def test_five_equal_readings_under_power_are_frozen(samples, frozen_from, has_frozen):
    found = seen(samples=tuple(samples))
    assert (found.frozen_from, found.has_frozen) == (frozen_from, has_frozen)


def test_a_pause_within_still_readings_is_no_freeze():
    samples = [
        *frozen(10, 3),
        *(sample(13 + index, 50_000, current_da=0) for index in range(3)),
        *[sample(16, 50_000)] * 3,
    ]
    assert not seen(samples=tuple(samples)).has_frozen


def test_a_frozen_end_opens_the_window_at_its_first_reading():
    # frozen from 10:10 at 5 kWh on, rest at 10:15: five minutes at 60 kW
    found = seen(samples=(*charging(last=9), *frozen(10, 5), rest(15)), record=None)
    assert found.window(60_000, HALF) == (49_900, 100_100)


def test_the_integral_is_made_of_trapezoids():
    ramp = (sample(0, current_da=0), sample(6, current_da=600), sample(12, current_da=600), rest(13))
    assert seen(samples=ramp).integral_e4kwh == 45_000  # 0.1 h at 15 kW on average, 0.1 h at 30 kW
    assert seen(samples=(sample(0), rest(1))).integral_e4kwh == 0


# -- looking ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at_ms", "energy"), [(9, 0), (10, 5), (19, 5), (20, 7), (99, 7)])
def test_energy_at_a_moment_is_that_of_the_newest_sample(at_ms, energy):
    assert energy_at(((10, 5), (20, 7)), at_ms) == energy


@pytest.mark.parametrize(("behind_ms", "holds"), [(0, False), (1, True), (60_000, True), (60_001, False)])
def test_a_live_record_comes_within_a_minute_of_the_last_sample(behind_ms, holds):
    assert is_live(evidence(), record(rx_ms=LAST + behind_ms)) is holds
    assert not is_live(evidence(samples=()), record())

import dataclasses

import pytest

from billing_core.evidence import BmsEnd, Tier
from billing_core.kinds import energy
from tests.support.evidence import (
    END,
    LAST,
    MINUTE,
    TEN,
    before,
    book,
    charging,
    found,
    rest,
    sample,
    tariff,
    tiers,
)

HALF = 100  # 0.01 kWh: what a register of two decimals hides on either side


def held(predicate, **changes):
    return found(predicate, **changes) is not None


@pytest.mark.parametrize(("told", "holds"), [(HALF, True), (HALF + 1, False)])
def test_energy_is_lost_where_the_record_has_none(told, holds):
    assert held(energy.energy_lost, record={"energy": told}) is holds


@pytest.mark.parametrize(("last", "holds"), [(HALF, False), (HALF + 1, True)])
def test_energy_is_lost_where_the_samples_had_some(last, holds):
    samples = (sample(0, 0), sample(39, last), rest(40))
    assert held(energy.energy_lost, record={"energy": 0}, samples=samples) is holds


def test_a_fine_register_hides_less():
    fine = {"register_decimals": 4}
    assert held(energy.energy_lost, record={"energy": 2}, pile=fine)
    assert not held(energy.energy_lost, record={"energy": 3}, pile=fine)
    assert held(energy.energy_lost, record={"energy": 3}, pile={"register_decimals": 3})


STILL = (sample(0, 0), sample(39, 0), rest(40))


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({"record": {"energy": 0}, "samples": STILL}, True),
        ({"record": {"energy": HALF}, "samples": STILL}, True),
        ({"record": {"energy": HALF + 1}, "samples": STILL}, False),
        ({"record": {"energy": 0}, "samples": (sample(0, 0), sample(39, HALF), rest(40))}, True),
        ({"record": {"energy": 0}, "samples": (sample(0, 0), sample(39, HALF + 1), rest(40))}, False),
        ({"record": {"energy": 0, "meter_stop_e4kwh": 10_000_000 + HALF}, "samples": STILL}, True),
        ({"record": {"energy": 0, "meter_stop_e4kwh": 10_000_000 + HALF + 1}, "samples": STILL}, False),
        ({"record": {"energy": 0, "ended_ms": TEN + MINUTE}, "samples": ()}, True),
        ({"record": {"energy": 0, "ended_ms": TEN + MINUTE - 1}, "samples": ()}, False),
    ],
)
def test_connected_for_a_minute_without_drawing_anything(changes, holds):
    assert held(energy.zero_energy_with_time, **changes) is holds


def test_the_longer_of_both_durations_is_told():
    changes = {"record": {"energy": 0, "ended_ms": TEN + 50 * MINUTE, "rx_ms": TEN + 51 * MINUTE}, "samples": STILL}
    assert (
        found(energy.zero_energy_with_time, **changes)[0]
        == "The vehicle was connected for 50 minutes but drew no energy."
    )


@pytest.mark.parametrize(
    ("told", "holds"),
    [
        (195_000 - HALF - 1, True),
        (195_000 - HALF, False),
        (205_000 + HALF, False),  # a minute at 60 kW is 1 kWh
        (205_000 + HALF + 1, True),
    ],
)
def test_the_samples_admit_what_lies_between_the_last_one_and_rated_power(told, holds):
    assert held(energy.energy_mismatch_platform, record={"energy": told}) is holds


def test_a_reading_that_may_have_come_late_admits_what_flowed_meanwhile():
    late = {"tolerances": {"arrival_ms": 6_000}}  # 0.1 kWh at 60 kW
    assert held(energy.energy_mismatch_platform, record={"energy": 205_000 + HALF + 1})
    assert not held(energy.energy_mismatch_platform, record={"energy": 206_000 + HALF}, **late)
    assert held(energy.energy_mismatch_platform, record={"energy": 206_000 + HALF + 1}, **late)
    assert not held(energy.energy_exceeds_rated, record={"energy": 421_925 + HALF}, **late)
    assert held(energy.energy_exceeds_rated, record={"energy": 421_925 + HALF + 1}, **late)


def test_without_rated_power_there_is_no_upper_bound():
    assert not held(energy.energy_mismatch_platform, record={"energy": 10**9}, pile={"rated_w": None})
    assert not held(energy.energy_mismatch_platform, record={"energy": 10**9}, samples=())


@pytest.mark.parametrize(("stop", "holds"), [(10_000_000 - HALF, False), (10_000_000 - HALF - 1, True)])
def test_a_register_runs_back_by_more_than_it_hides(stop, holds):
    assert held(energy.meter_rollback, record={"meter_stop_e4kwh": stop}) is holds


FULL = 10**9  # 100,000 kWh in 0.1 Wh


@pytest.mark.parametrize(
    ("start", "stop", "holds"),
    [
        (FULL - 100_000, 100_000, True),
        (FULL - 100_000, 105_001, True),
        (FULL - 100_000, 105_000 + HALF + 1, False),  # 20.5 kWh and a bit: more than the samples admit
        (FULL * 99 // 100, 200_000 - FULL // 100, False),
    ],
)
def test_a_register_passes_its_full_scale_within_what_the_samples_admit(start, stop, holds):
    changes = {"meter_start_e4kwh": start, "meter_stop_e4kwh": stop}
    link = before(meter_stop_e4kwh=start)
    assert held(energy.meter_rollover, record=changes, previous=link) is holds


def test_a_register_is_near_its_full_scale_above_99_hundredths():
    at_edge = FULL * 99 // 100
    changes = {
        "samples": (sample(0, 0), sample(39, FULL // 100), rest(40)),
        "pile": {"rated_w": None},
        "previous": None,
    }
    ran = {"energy": FULL // 100, "meter_stop_e4kwh": 0}
    assert not held(energy.meter_rollover, record={**ran, "meter_start_e4kwh": at_edge}, **changes)
    changes["samples"] = (sample(0, 0), sample(39, FULL // 100 - 1), rest(40))
    assert held(energy.meter_rollover, record={**ran, "meter_start_e4kwh": at_edge + 1}, **changes)


@pytest.mark.parametrize("full", [10**9, 10**10, 10**11, 2**32, 2**40])
def test_every_usual_full_scale_is_tried(full):
    changes = {"meter_start_e4kwh": full - 150_000, "meter_stop_e4kwh": 50_000}
    link = before(meter_stop_e4kwh=full - 150_000)
    assert held(energy.meter_rollover, record=changes, previous=link)
    assert not held(energy.meter_rollback, record=changes, previous=link)
    assert not held(energy.meter_total_mismatch, record=changes, previous=link)


# one hour at 60 kW since the former charge: 60 kWh
@pytest.mark.parametrize(
    ("gap", "is_replaced", "is_gap"),
    [
        (HALF, False, False),
        (HALF + 1, False, True),
        (599_000, False, True),
        (600_000 + 60_000, True, False),
        (-HALF - 1, False, False),
        (-700_000, True, False),
    ],
)
def test_a_register_moves_between_charges_or_jumps(gap, is_replaced, is_gap):
    changes = {"previous": before(meter_stop_e4kwh=10_000_000 - gap)}
    assert held(energy.meter_replaced, **changes) is is_replaced
    assert held(energy.meter_gap_between_sessions, **changes) is is_gap


@pytest.mark.parametrize(("gap", "is_replaced"), [(599_166, False), (599_167, True)])
def test_the_most_that_can_flow_ends_where_the_charge_begins(gap, is_replaced):
    # 09:00:00 to 09:59:55 at 60 kW: 59.9166 kWh
    changes = {"previous": before(meter_stop_e4kwh=10_000_000 - gap)}
    assert held(energy.meter_replaced, **changes) is is_replaced
    assert held(energy.meter_gap_between_sessions, **changes) is not is_replaced


@pytest.mark.parametrize(("gap", "is_replaced"), [(10_000, False), (10_001, True)])
def test_at_least_a_kwh_may_flow_between_charges(gap, is_replaced):
    changes = {"previous": before(meter_stop_e4kwh=10_000_000 - gap, stopped_ms=TEN)}
    assert held(energy.meter_replaced, **changes) is is_replaced


def test_energy_that_has_its_own_order_is_no_gap():
    link = before(meter_stop_e4kwh=10_000_000 - 50_000, has_orders_since=True)
    assert not held(energy.meter_gap_between_sessions, previous=link)
    assert not held(energy.meter_gap_between_sessions, previous=None)


@pytest.mark.parametrize(
    ("changes", "former", "holds"),
    [
        ({"meter_start_e4kwh": 0, "meter_stop_e4kwh": 10_200_000}, 10_000_000, True),
        ({"meter_start_e4kwh": HALF, "meter_stop_e4kwh": 10_200_000}, 10_000_000, True),
        ({"meter_start_e4kwh": HALF + 1, "meter_stop_e4kwh": 10_200_000}, 10_000_000, False),
        ({"meter_start_e4kwh": 0, "meter_stop_e4kwh": 10_200_000}, 10_000, False),
        ({"meter_start_e4kwh": 0, "meter_stop_e4kwh": 210_001}, 10_001, True),
        ({"meter_start_e4kwh": 0, "meter_stop_e4kwh": 10_000_000 - HALF}, 10_000_000, True),
        ({"meter_start_e4kwh": 0, "meter_stop_e4kwh": 10_000_000 - HALF - 1}, 10_000_000, False),
    ],
)
def test_a_zero_start_stands_for_the_former_reading(changes, former, holds):
    assert held(energy.meter_placeholder_zero, record=changes, previous=before(meter_stop_e4kwh=former)) is holds


@pytest.mark.parametrize(("off", "holds"), [(HALF, False), (HALF + 1, True), (-HALF, False), (-HALF - 1, True)])
def test_register_and_total_agree_within_what_a_register_hides(off, holds):
    assert held(energy.meter_total_mismatch, record={"meter_stop_e4kwh": 10_200_000 + off}) is holds


def test_registers_that_are_both_zero_are_none():
    none = {"meter_start_e4kwh": 0, "meter_stop_e4kwh": 0}
    assert not held(energy.meter_total_mismatch, record=none)
    assert not held(energy.meter_placeholder_zero, record=none)
    assert not held(energy.meter_replaced, record=none)


@pytest.mark.parametrize(("off", "holds"), [(4, False), (5, True), (-4, False), (-5, True)])
def test_the_tiers_sum_to_the_total_within_four_units(off, holds):
    assert held(energy.period_sum_mismatch, record={"tiers": tiers(peak=200_000 + off)}) is holds


@pytest.mark.parametrize(("told", "holds"), [(420_875 + HALF, False), (420_875 + HALF + 1, True)])
def test_five_percent_above_rated_power_is_the_most(told, holds):
    # 40 minutes and 5 s at 60 kW: 40.0833… kWh, and five percent more
    assert held(energy.energy_exceeds_rated, record={"energy": told}) is holds


def test_nothing_exceeds_an_unknown_power():
    assert not held(energy.energy_exceeds_rated, record={"energy": 10**9}, pile={"rated_w": None})
    assert not held(energy.energy_exceeds_rated, record={"energy": 10**9}, start_accepted_at_ms=None, samples=())


def test_without_samples_the_present_bounds_what_flowed():
    changes = {"samples": (), "at_ms": END}
    assert not held(energy.energy_exceeds_rated, record={"energy": 420_875 + HALF}, **changes)
    assert held(energy.energy_exceeds_rated, record={"energy": 420_875 + HALF + 1}, **changes)


@pytest.mark.parametrize(("nominal", "holds"), [(160_000, False), (159_999, True), (0, False), (None, False)])
def test_a_quarter_above_the_battery_is_the_most(nominal, holds):
    assert held(energy.energy_exceeds_battery, nominal_e4kwh=nominal) is holds


@pytest.mark.parametrize(("counted", "holds"), [(194_000, False), (193_999, True), (206_000, False), (206_001, True)])
def test_the_battery_s_count_is_three_percent_off_at_most(counted, holds):
    assert held(energy.bms_energy_mismatch, bms_end=BmsEnd(END, 60, counted)) is holds


@pytest.mark.parametrize(("counted", "holds"), [(8_500, False), (8_499, True)])
def test_a_small_count_may_be_off_by_150_wh(counted, holds):
    samples = (sample(0, 0), sample(39, 9_900), rest(40))
    changes = {"record": {"energy": 10_000}, "samples": samples, "bms_end": BmsEnd(END, 60, counted)}
    assert held(energy.bms_energy_mismatch, **changes) is holds


# 30 kW over 39 minutes is 19.5 kWh
@pytest.mark.parametrize(
    ("told", "holds"),
    [(205_263, False), (205_264, True), (185_714, False), (185_713, True)],
)
def test_voltage_and_current_make_the_energy_within_five_percent(told, holds):
    assert held(energy.vi_integral_mismatch, record={"energy": told}) is holds


def test_the_samples_must_cover_nine_tenths_for_an_integral():
    # the gateway saw 2405 s; nine tenths are 2164.5 s
    covered = {"record": {"energy": 10_000}}
    late = sample(3, at_ms=LAST - 2_164_500)
    assert not held(energy.vi_integral_mismatch, samples=(late, sample(39), rest(40)), **covered)
    earlier = sample(3, at_ms=LAST - 2_164_501)
    assert held(energy.vi_integral_mismatch, samples=(earlier, sample(39), rest(40)), **covered)
    assert not held(energy.vi_integral_mismatch, samples=(sample(39), rest(40)), **covered)


@pytest.mark.parametrize(("after", "holds"), [(45, False), (44, True)])
def test_a_battery_does_not_fall_by_more_than_five_while_it_fills(after, holds):
    samples = (sample(0, 0, soc_percent=50), sample(1, 5_000, soc_percent=after), rest(40))
    assert held(energy.soc_inconsistent, samples=samples) is holds
    if holds:
        said = found(energy.soc_inconsistent, samples=samples)
        assert said == ("The battery fell from 50 % to 44 % while energy flowed.", "电量增长时SOC由50%降至44%。")


@pytest.mark.parametrize(("after", "holds"), [(60, False), (61, True)])
def test_a_battery_does_not_rise_by_more_than_ten_on_nothing(after, holds):
    still = [sample(minute, 5_000, soc_percent=percent) for minute, percent in ((0, 50), (1, 55), (2, after))]
    assert held(energy.soc_inconsistent, samples=(*still, rest(40))) is holds


def test_a_state_of_zero_is_not_told():
    samples = (
        sample(0, 0, soc_percent=50),
        sample(1, 5_000, soc_percent=0),
        sample(2, 10_000, soc_percent=51),
        rest(40),
    )
    assert not held(energy.soc_inconsistent, samples=samples)


@pytest.mark.parametrize(
    ("times", "over", "said"), [(1, 10, "10"), (1, 100, "100"), (10, 1, "1/10"), (1000, 1, "1/1000")]
)
def test_a_decimal_error_names_its_factor(times, over, said):
    by = lambda value: value * times // over  # noqa: E731
    one = {
        "energy_e4kwh": by(200_000),
        "meter_start_e4kwh": by(10_000_000),
        "meter_stop_e4kwh": by(10_200_000),
        "tiers": tuple(dataclasses.replace(each, energy_e4kwh=by(each.energy_e4kwh)) for each in tiers(peak=200_000)),
    }
    assert found(energy.unit_scale_error, record=one)[0].endswith(f"multiplied by {said}.")


def test_a_right_decimal_is_no_error():
    assert not held(energy.unit_scale_error)


@pytest.mark.parametrize(("fallen", "holds"), [(50_000 - HALF, False), (50_000 - HALF - 1, True)])
def test_a_live_counter_that_falls_has_restarted(fallen, holds):
    samples = (sample(0, 0), sample(10, 50_000), sample(11, fallen), rest(40))
    assert held(energy.samples_reset, samples=samples) is holds


@pytest.mark.parametrize(
    ("count", "current_da", "holds"), [(4, 600, False), (5, 600, True), (5, 4, False), (5, 5, True)]
)
def test_five_equal_readings_while_power_flows_are_frozen(count, current_da, holds):
    # 500.0 V × 0.4 A is 200 W exactly: no power yet
    frozen = [sample(10 + index, 50_000, current_da=current_da) for index in range(count)]
    samples = (*charging(last=9), *frozen, rest(40))
    assert held(energy.samples_frozen, samples=samples) is holds


@pytest.mark.parametrize(
    ("samples", "holds"),
    [
        ((*charging(last=10), rest(11), rest(12), sample(13), rest(40)), True),
        ((*charging(last=10), rest(11), sample(12), rest(40)), False),
        ((*charging(last=10), rest(11), sample(12), rest(13), sample(14), rest(40)), False),
        ((rest(0), rest(1), *charging(first=2), rest(40)), False),
        ((*charging(last=10), rest(11), rest(12), rest(40)), False),
    ],
)
def test_two_states_of_rest_in_the_middle_are_odd(samples, holds):
    assert held(energy.idle_while_charging, samples=samples) is holds


def with_losses(loss):
    tier = Tier(155_250, 200_000, loss, 310_500)
    return {"tiers": (tiers()[0], tier, *tiers()[2:])}


@pytest.mark.parametrize(
    ("ratio_e4", "loss", "holds"),
    [
        (300, 206_002, False),
        (300, 206_003, True),
        (300, 205_998, False),
        (300, 205_997, True),
        (300, 0, False),  # the pile fills none at all
        (0, 200_000, False),
        (0, 200_001, True),
    ],
)
def test_loss_adjusted_energy_is_that_of_the_tariff(ratio_e4, loss, holds):
    changes = {"record": with_losses(loss), "tariffs": book(tariff(loss_ratio_e4=ratio_e4))}
    assert held(energy.loss_ratio_mismatch, **changes) is holds


def test_no_record_has_no_energy_to_be_wrong():
    names = [name for name, each in vars(energy).items() if getattr(each, "__module__", "") == energy.__name__]
    assert len(names) == 20
    assert [name for name in names if held(getattr(energy, name), record=None)] == []

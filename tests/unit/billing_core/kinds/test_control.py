import pytest

from billing_core.evidence import BmsEnd
from billing_core.kinds import control
from tests.support.evidence import END, LAST, MINUTE, TEN, charging, found, rest, sample


def held(predicate, **changes):
    return found(predicate, **changes) is not None


def ending(soc_percent):
    return (*charging(last=38), sample(39, soc_percent=soc_percent), rest(40))


@pytest.mark.parametrize(("soc_percent", "holds"), [(94, True), (95, False), (100, False), (0, False)])
def test_a_full_battery_stands_at_95_or_more(soc_percent, holds):
    samples = (sample(0, soc_percent=soc_percent), sample(39, soc_percent=soc_percent), rest(40))
    assert held(control.stop_reason_inconsistent, record={"stop_kind": "soc_full"}, samples=samples) is holds


def test_the_battery_s_own_report_counts_before_the_last_sample():
    changes = {"record": {"stop_kind": "soc_full"}, "samples": ending(94)}
    assert held(control.stop_reason_inconsistent, **changes, bms_end=BmsEnd(END, 0, 200_000))
    assert not held(control.stop_reason_inconsistent, **changes, bms_end=BmsEnd(END, 95, 200_000))
    said = found(control.stop_reason_inconsistent, **changes)
    assert said[0] == "Stop reason 0x45 is not confirmed: the battery stood at 94 %."


@pytest.mark.parametrize(("balance_fen", "holds"), [(3_205, False), (3_206, True)])
def test_a_used_up_balance_leaves_at_most_a_yuan(balance_fen, holds):
    # the record says 31.05 yuan
    changes = {"record": {"stop_kind": "balance"}, "authorisation": {"balance_fen": balance_fen}}
    assert held(control.stop_reason_inconsistent, **changes) is holds


def test_without_an_authorisation_nobody_knows_the_balance():
    assert not held(control.stop_reason_inconsistent, record={"stop_kind": "balance"}, authorisation=None)


@pytest.mark.parametrize(("energy", "holds"), [(100, False), (101, True)])
def test_a_failed_start_has_no_energy(energy, holds):
    changes = {"stop_kind": "start_failed", "energy": energy, "stop_label": "17"}
    assert held(control.stop_reason_inconsistent, record=changes) is holds


def test_a_code_that_nobody_knows_is_not_confirmed():
    said = found(control.stop_reason_inconsistent, record={"stop_kind": "unclear", "stop_label": "17"})
    assert said == (
        "Stop reason 17 is not confirmed: the code is reserved or unknown.",
        "停止原因17未确认:代码为预留或未知。",
    )
    assert not held(control.stop_reason_inconsistent)
    assert not held(control.stop_reason_inconsistent, record=None)


@pytest.mark.parametrize(("grown", "holds"), [(10_000, False), (10_001, True)])
def test_after_a_stop_a_minute_at_rated_power_may_flow(grown, holds):
    # 60 kW for a minute is 1 kWh; the stop came with the sample of 10:30, 15 kWh
    samples = (*charging(last=30), sample(39, 150_000 + grown), rest(40))
    assert held(control.stop_ignored, samples=samples, stop_accepted_at_ms=TEN + 30 * MINUTE) is holds


@pytest.mark.parametrize(("grown", "holds"), [(5_000, False), (5_001, True)])
@pytest.mark.parametrize("rated_w", [None, 7_000])
def test_after_a_stop_half_a_kwh_may_flow_through_a_slow_pile(grown, holds, rated_w):
    samples = (*charging(last=30), sample(39, 150_000 + grown), rest(40))
    changes = {"pile": {"rated_w": rated_w}, "samples": samples, "stop_accepted_at_ms": TEN + 30 * MINUTE}
    assert held(control.stop_ignored, **changes) is holds


def test_a_stop_that_nobody_confirmed_was_not_ignored():
    assert not held(control.stop_ignored)
    assert not held(control.stop_ignored, stop_ordered_at_ms=TEN)
    assert not held(control.stop_ignored, samples=(), stop_accepted_at_ms=TEN)
    said = found(control.stop_ignored, stop_accepted_at_ms=TEN + 30 * MINUTE)
    assert said[0] == "The charger confirmed a remote stop and delivered 4.5000 kWh more."
    assert not held(control.stop_ignored, stop_accepted_at_ms=LAST)


def test_an_order_was_closed_early_only_if_it_charged():
    assert held(control.order_closed_early, was_closed_early=True)
    assert not held(control.order_closed_early)
    nothing = {"samples": (), "record": None, "was_closed_early": True}
    assert not held(control.order_closed_early, **nothing)
    assert held(control.order_closed_early, samples=(), was_closed_early=True), "a record's energy counts as well"

import re
from pathlib import Path

import pytest

from billing_core import anomalies
from billing_core.anomalies import BY_CODE, CATALOGUE, CRITICAL, FAMILIES, INFO, MAJOR, MINOR, Anomaly
from tests.support.evidence import END, HOUR, START, TEN, before, codes, evidence, reckoned, tiers

ROOT = Path(__file__).parents[3]


def some(*names):
    return tuple(Anomaly(name, BY_CODE[name].severity, "", "") for name in names)


def primary(*names):
    found = anomalies.primary(some(*names))
    return found and found.code


def test_every_entry_is_whole():
    for entry in CATALOGUE:
        assert entry.severity in (INFO, MINOR, MAJOR, CRITICAL)
        assert entry.family in FAMILIES
        assert set(entry.explains) <= set(BY_CODE)
        assert entry.code not in entry.explains
        assert entry.predicate.__name__ == entry.code
        assert entry.predicate.__doc__
        assert not entry.is_expected or entry.severity == INFO


def test_what_is_for_a_person_is_grave():
    assert {entry.code for entry in CATALOGUE if entry.needs_person} == {
        "serial_reused",
        "record_orphan_serial",
        "serial_zero",
        "charge_without_order",
        "overlap_sessions",
        "merged_sessions",
        "tariff_missing",
    }


@pytest.mark.parametrize(
    ("held", "main"),
    [
        ((), None),
        (("late_upload",), "late_upload"),
        (("late_upload", "duration_mismatch"), "duration_mismatch"),
        (("duration_mismatch", "record_missing"), "record_missing"),
        (("record_missing", "energy_lost"), "energy_lost"),
        # equal severity: presence, energy, amount, time, occupancy, stop
        (("energy_lost", "price_not_in_tariff"), "energy_lost"),
        (("record_duplicate_conflict", "energy_lost"), "record_duplicate_conflict"),
        (("price_not_in_tariff", "occupancy_false_end", "stop_ignored"), "price_not_in_tariff"),
        (("occupancy_false_end", "stop_ignored"), "occupancy_false_end"),
        # equal family: the order of the catalogue
        (("record_missing", "pile_power_cut"), "record_missing"),
        (("time_clock_skew", "duration_mismatch"), "time_clock_skew"),
        # what another one explains is not the main one
        (("meter_placeholder_zero", "energy_exceeds_rated", "energy_mismatch_platform"), "meter_placeholder_zero"),
        (("occupancy_duration_mismatch", "occupancy_day_rollover"), "occupancy_day_rollover"),
        (("time_epoch_reset", "tou_split_mismatch"), "time_epoch_reset"),
        (("start_failed_billed", "amount_without_energy", "authorised_never_started"), "start_failed_billed"),
        (("authorised_never_started", "time_zero_date"), "authorised_never_started"),
        (("price_not_in_tariff", "amount_recompute_mismatch"), "price_not_in_tariff"),
    ],
)
def test_the_gravest_that_no_other_explains_is_the_main_one(held, main):
    assert primary(*held) == main


def test_grave_is_major_or_critical():
    assert not anomalies.is_grave(some("late_upload", "duration_mismatch"))
    assert anomalies.is_grave(some("late_upload", "record_missing"))
    assert anomalies.is_grave(some("energy_lost"))


def test_what_holds_stands_in_the_order_of_the_catalogue():
    order = [entry.code for entry in CATALOGUE]
    one = {"started_ms": TEN - HOUR, "energy_e4kwh": 300_000, "tiers": tiers(peak=200_000), "stop_kind": "unclear"}
    held = [each.code for each in reckoned(record=one, previous=before(stopped_ms=END)).held]
    assert len(held) >= 5
    assert held == sorted(held, key=order.index)


def test_a_drift_and_lateness_give_way():
    late = {"rx_ms": END + 2 * HOUR}
    assert codes(record=late) == {"late_upload"}
    drifted = {"amount_e4yuan": 310_550}
    assert codes(record={**late, **drifted}) == {"late_upload", "rounding_drift"}
    minor = {"started_ms": START - 180_001}
    assert codes(record={**drifted, **minor}) == {"rounding_drift", "time_step_mid_session", "duration_mismatch"}


def test_what_is_expected_stands_apart():
    one = evidence()
    found = anomalies.expected(one, reckoned().findings)
    assert [each.code for each in found] == ["service_split_missing", "cross_period"]
    assert codes() == set()


def test_the_page_on_bills_names_no_code_that_is_not_there():
    text = (ROOT / "docs" / "billing.md").read_text(encoding="utf-8")
    section = text.split("## Anomalies")[1].split("## Decision")[0]
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", section))
    others = {"record_duplicate_identical", "price_decimals"}
    assert named - set(BY_CODE) == others

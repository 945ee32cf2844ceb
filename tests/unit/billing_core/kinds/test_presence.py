import dataclasses

import pytest

from billing_core.evidence import Former
from billing_core.kinds import presence
from tests.support.evidence import (
    END,
    HOUR,
    LAST,
    PILE,
    SERIAL,
    START,
    TEN,
    before,
    charging,
    evidence,
    found,
    other_content,
    reckoned,
    record,
    rest,
    sample,
)


def held(predicate, **changes):
    return found(predicate, **changes) is not None


SILENT = {"record": None, "samples": charging()}


def test_a_record_is_missing_where_samples_have_none():
    said = found(presence.record_missing, record=None)
    assert said[0] == "No record arrived; the last live reading is 19.5000 kWh."
    assert not held(presence.record_missing)
    assert not held(presence.record_missing, record=None, samples=())


@pytest.mark.parametrize(("since_ms", "holds"), [(599_999, False), (600_000, True)])
def test_a_power_cut_leaves_the_record_ten_minutes(since_ms, holds):
    login_ms = LAST + HOUR
    assert held(presence.pile_power_cut, **SILENT, login_at_ms=login_ms, at_ms=login_ms + since_ms) is holds


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"login_at_ms": None}, False),
        ({"login_at_ms": LAST}, False),
        ({"login_at_ms": LAST + 1}, True),
        ({"samples": (*charging(), rest(40))}, False),
        ({"record": {}}, False),
    ],
)
def test_a_power_cut_is_silence_a_login_and_no_record(changes, holds):
    assert (
        held(presence.pile_power_cut, **{**SILENT, "login_at_ms": LAST + HOUR, "at_ms": LAST + 2 * HOUR, **changes})
        is holds
    )


@pytest.mark.parametrize(("since_ms", "holds"), [(12 * HOUR - 1, False), (12 * HOUR, True)])
def test_half_a_day_of_silence_is_stuck(since_ms, holds):
    assert held(presence.stuck_charging, **SILENT, at_ms=LAST + since_ms) is holds


def test_any_proof_of_rest_frees_what_was_stuck():
    late = {**SILENT, "at_ms": LAST + 13 * HOUR}
    assert held(presence.stuck_charging, **late)
    assert not held(presence.stuck_charging, **late, next_start_at_ms=LAST + HOUR)
    assert not held(presence.stuck_charging, **{**late, "samples": (*charging(), rest(40))})
    assert not held(presence.stuck_charging, **{**late, "samples": (*charging(), rest(50))})
    assert not held(presence.stuck_charging, **{**late, "record": {}})


@pytest.mark.parametrize(
    ("behind_ms", "holds"), [(30_000, False), (30_001, True), (1_800_000, True), (1_800_001, False)]
)
def test_a_record_is_due_late_up_to_half_an_hour(behind_ms, holds):
    assert held(presence.record_due_late, record={"rx_ms": END + behind_ms}) is holds


def test_a_record_behind_a_substitute_bill_is_told():
    substitute = Former(2_800, is_substitute=True)
    assert held(presence.record_after_platform_settlement, former=substitute)
    assert not held(presence.record_after_platform_settlement)
    assert not held(presence.record_after_platform_settlement, former=Former(2_800, is_substitute=False))
    assert not held(presence.record_after_platform_settlement, former=substitute, record=None)
    assert not held(presence.record_after_platform_settlement, former=substitute, samples=())
    assert not held(presence.record_after_platform_settlement, former=substitute, was_closed_early=True)


def test_two_contents_of_one_number_conflict():
    both = (record(), other_content(record(energy=300_000)))
    assert found(presence.record_duplicate_conflict, records=both)[0] == (
        "The charger sent two different records, 20.0000 kWh and 30.0000 kWh."
    )
    assert not held(presence.record_duplicate_conflict)


def test_a_used_number_is_told_instead_of_an_orphan():
    assert held(presence.serial_reused, is_serial_reused=True)
    assert not held(presence.serial_reused)
    nobody = {"authorisation": None, "samples": ()}
    assert held(presence.record_orphan_serial, **nobody)
    assert not held(presence.record_orphan_serial, **nobody, is_serial_reused=True)
    assert not held(presence.record_orphan_serial, **nobody, is_offline_card_known=True)
    assert not held(presence.record_orphan_serial, **nobody, record=None)
    assert not held(presence.record_orphan_serial, samples=())


def test_a_number_of_zeros_is_none():
    zeros = {"serial": "0" * 32}
    assert held(presence.serial_zero, record=zeros)
    assert not held(presence.serial_zero, record={"serial": "0" * 31 + "1"})
    assert not held(presence.serial_mismatch_stream, record=zeros)


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, False),
        ({"stream_serial": "1" * 32}, True),
        ({"record": {"serial": "1" * 32}}, True),
        ({"record": {"serial": "1" * 32}, "samples": ()}, False),
        ({"stream_serial": "1" * 32, "is_serial_reused": True}, False),
        ({"stream_serial": "1" * 32, "record": None}, False),
    ],
)
def test_samples_and_record_carry_one_number(changes, holds):
    assert held(presence.serial_mismatch_stream, **changes) is holds


MOVED = {"record": {"connector": 2}, "sample_connector": 2}


@pytest.mark.parametrize(
    ("changes", "is_rebound"),
    [
        (MOVED, True),
        ({**MOVED, "sample_connector": None}, False),
        ({**MOVED, "sample_connector": 1}, False),
        ({**MOVED, "samples": ()}, False),
        ({**MOVED, "record": {"connector": 2, "pile_id": "55031412782306"}}, False),
        ({**MOVED, "previous": None}, True),
        ({**MOVED, "previous": before(meter_stop_e4kwh=10_000_000 - 100)}, True),
        ({**MOVED, "previous": before(meter_stop_e4kwh=10_000_000 - 101)}, False),
        ({**MOVED, "meter_start_next_e4kwh": 10_200_100}, True),
        ({**MOVED, "meter_start_next_e4kwh": 10_200_101}, False),
        ({**MOVED, "record": {"connector": 2, "energy": 205_101}}, False),
        ({}, False),
    ],
)
def test_a_record_is_rebound_with_every_proof_or_not(changes, is_rebound):
    changed = evidence(**changes)
    findings = reckoned(**changes).findings
    assert presence.is_rebound(changed, findings) is is_rebound
    assert held(presence.record_wrong_connector, **changes) is bool(changes)


def test_another_connector_is_named():
    assert found(presence.record_wrong_connector, **MOVED)[0] == (
        f"The record names connector 2 of {PILE}, the start was on connector 1 of {PILE}."
    )


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({"samples": (), "record": None}, True),
        ({"samples": (), "record": {"energy": 0}}, True),
        ({"samples": (), "record": {"energy": 1}}, False),
        ({"record": None}, False),
        ({"samples": (), "record": None, "authorisation": None}, False),
    ],
)
def test_authorised_and_never_started(changes, holds):
    assert held(presence.authorised_never_started, **changes) is holds


EMPTY = {"energy": 0, "amount_e4yuan": 100}


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({"samples": (), "record": EMPTY, "refusal_code": 1}, True),
        ({"samples": (), "record": {**EMPTY, "stop_kind": "start_failed"}}, True),
        ({"samples": (), "record": EMPTY}, False),
        ({"samples": (), "record": {**EMPTY, "amount_e4yuan": 0}, "refusal_code": 1}, False),
        ({"refusal_code": 1}, False),
    ],
)
def test_a_failed_start_costs_nothing(changes, holds):
    assert held(presence.start_failed_billed, **changes) is holds


def test_samples_without_a_start_are_nobody_s():
    assert held(presence.charge_without_order, authorisation=None)
    assert not held(presence.charge_without_order)
    assert not held(presence.charge_without_order, authorisation=None, is_offline_card_known=True)
    assert not held(presence.charge_without_order, authorisation=None, samples=())


@pytest.mark.parametrize(
    ("link", "holds"),
    [
        ({"stopped_ms": START + 60_000}, False),
        ({"stopped_ms": START + 60_001}, True),
        ({"started_ms": END - 60_000, "stopped_ms": END + HOUR}, False),
        ({"started_ms": END - 60_001, "stopped_ms": END + HOUR}, True),
        ({"meter_stop_e4kwh": 10_000_100}, False),
        ({"meter_stop_e4kwh": 10_000_101}, True),
        ({"meter_start_e4kwh": 0, "meter_stop_e4kwh": 0}, False),
        ({"stopped_ms": END, "transaction_id": SERIAL}, False),
    ],
)
def test_two_charges_share_neither_time_nor_register(link, holds):
    assert held(presence.overlap_sessions, previous=before(**link)) is holds


def test_without_samples_a_trusted_record_s_own_times_overlap():
    changes = {"samples": (), "previous": before(stopped_ms=TEN + 60_001)}
    assert held(presence.overlap_sessions, **changes, clock_offset_ms=0)
    assert not held(presence.overlap_sessions, **changes)


def test_a_register_that_restarted_shares_nothing():
    former = before(meter_start_e4kwh=0)
    assert not held(
        presence.overlap_sessions, previous=former, record={"meter_start_e4kwh": 0, "meter_stop_e4kwh": 10_200_000}
    )
    assert not held(presence.overlap_sessions, previous=None)


@pytest.mark.parametrize(
    ("states", "holds"),
    [
        ((*charging(last=19), rest(20, is_plugged=False), *charging(first=21), rest(40)), True),
        ((*charging(last=19), rest(20, is_plugged=None), *charging(first=21), rest(40)), False),
        ((*charging(last=19), rest(20), *charging(first=21), rest(40)), False),
        ((*charging(), rest(40, is_plugged=False)), False),
        ((rest(0, is_plugged=False), *charging(first=1), rest(40)), False),
    ],
)
def test_a_cable_pulled_and_plugged_again_merges_two_charges(states, holds):
    assert held(presence.merged_sessions, samples=states) is holds
    assert not held(presence.merged_sessions, samples=states, record=None)


def test_two_cars_or_a_falling_battery_merge_two_charges():
    assert held(presence.merged_sessions, vins=("A", "B"))
    assert not held(presence.merged_sessions, vins=("A",), record={"vin": "B"})
    fallen = (sample(0, 0, soc_percent=60), sample(1, 5_000, soc_percent=54), rest(40))
    assert found(presence.merged_sessions, samples=fallen)[0].startswith("The battery fell from 60 % to 54 %")
    at_edge = (sample(0, 0, soc_percent=60), sample(1, 5_000, soc_percent=55), rest(40))
    assert not held(presence.merged_sessions, samples=at_edge)


NEXT = {"account": "somebody", "was_unplugged": False, "stopped_ms": START - 119_999}


@pytest.mark.parametrize(
    ("link", "holds"),
    [
        (NEXT, True),
        ({**NEXT, "stopped_ms": START - 120_000}, False),
        ({**NEXT, "stopped_ms": START}, True),
        ({**NEXT, "stopped_ms": START + 1}, False),
        ({**NEXT, "was_unplugged": True}, False),
        ({**NEXT, "account": "somebody else"}, False),
        ({**NEXT, "account": None}, False),
        ({**NEXT, "meter_stop_e4kwh": 10_000_000 - 100}, True),
        ({**NEXT, "meter_stop_e4kwh": 10_000_000 - 101}, False),
    ],
)
def test_one_connection_in_two_orders_is_told(link, holds):
    assert held(presence.split_session, previous=before(**link)) is holds


def test_what_others_told_is_passed_on():
    assert held(presence.parallel_guns, has_parallel=True)
    assert held(presence.concurrent_account, has_concurrent=True)
    assert not held(presence.parallel_guns)
    assert not held(presence.concurrent_account)


@pytest.mark.parametrize(
    ("ended_ms", "minutes"), [(TEN + 2 * HOUR, 120), (TEN - HOUR, 40), (None, 40), (TEN + 60_000, 40)]
)
def test_the_longer_wait_counts(ended_ms, minutes):
    findings = reckoned(record={"ended_ms": ended_ms}).findings
    assert presence.waited_minutes(findings) == minutes
    assert presence.waited_minutes(dataclasses.replace(findings, record=None)) == 40

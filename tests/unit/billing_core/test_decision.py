from dataclasses import replace

import pytest

from billing_core.decision import Gate, Verdict, status_of
from billing_core.evidence import BmsEnd, Former
from tests.oracle.adapter import bill_of
from tests.oracle.test_referee import SAMPLES, STORY
from tests.support.evidence import (
    DAY,
    END,
    HOUR,
    LAST,
    START,
    before,
    book,
    charging,
    evidence,
    other_content,
    reckoned,
    record,
    rest,
    sample,
    tariff,
)


def verdict(**changes):
    return reckoned(**changes).verdict


def told(**changes):
    found = verdict(**changes)
    return found.decision, found.reasons, found.confidence_percent


def test_the_clean_charge_is_settled_by_rule():
    found = verdict()
    assert (found.decision, found.reasons) == ("auto", ())
    percents = (found.energy_percent, found.time_percent, found.tariff_percent, found.identity_percent)
    assert percents == (99, 99, 99, 99)
    assert (found.gate.shown_e4yuan, found.gate.is_passed) == (302_737, False)


# -- the gate ----------------------------------------------------------------------------------------------


def shown(amount, **changes):
    """A silent charge, so that something grave held; 19.5 kWh at 1.55250 is 30.27375, that is 30.27 yuan."""
    samples = (*charging(last=38), sample(39, amount_e4yuan=amount), rest(40))
    return {"record": None, "samples": samples, **changes}


@pytest.mark.parametrize(
    ("amount", "limit", "is_passed"),
    [
        (296_765, 302_700, True),  # two percent above 29.6765 is 30.27003
        (296_764, 302_699, False),
        (302_737, 308_791, True),
        (0, 5_000, False),
    ],
)
def test_the_gate_lets_two_percent_pass(amount, limit, is_passed):
    gate = verdict(**shown(amount)).gate
    assert gate == Gate(amount, limit, is_passed)
    assert ("gate" in verdict(**shown(amount)).reasons) is not is_passed


@pytest.mark.parametrize(("amount", "is_passed"), [(10_500, True), (10_499, False)])
def test_the_gate_lets_half_a_yuan_pass(amount, is_passed):
    # 1 kWh is 1.5525 yuan: 1.55
    samples = (sample(0, 0), sample(39, 10_000, amount_e4yuan=amount), rest(40))
    assert verdict(record=None, samples=samples).gate.is_passed is is_passed


def test_a_clean_record_is_not_held_against_an_old_sample():
    clean = {"samples": (*charging(last=38), sample(39, amount_e4yuan=1), rest(40))}
    found = verdict(**clean)
    assert (found.gate.is_passed, found.decision) == (False, "auto")


def test_what_nobody_was_shown_passes_only_when_nothing_is_owed():
    nothing = {"samples": (), "record": None}
    assert verdict(**nothing).gate == Gate(None, 0, True)
    assert verdict(**nothing, meter_start_next_e4kwh=10_200_000).gate == Gate(None, 0, False)
    assert verdict(samples=()).gate.shown_e4yuan == 310_500, "a record without samples shows its own amount"


def test_a_posted_bill_is_what_was_shown():
    posted = verdict(former=Former(2_800, is_substitute=True))
    assert (posted.gate, posted.reasons) == (Gate(280_000, 285_600, False), ("gate",))
    assert verdict(former=Former(3_105, is_substitute=False)).reasons == ()
    assert verdict(former=Former(None, is_substitute=False)).gate.shown_e4yuan == 302_737


@pytest.mark.parametrize(("posted", "holds"), [(23_105, False), (23_106, True)])
def test_a_fall_of_more_than_two_hundred_yuan_is_for_a_person(posted, holds):
    assert ("downward" in verdict(former=Former(posted, is_substitute=False)).reasons) is holds


def test_what_a_person_decided_is_only_proposed_against():
    assert told(former=Former(3_105, is_substitute=False, is_decided=True))[:2] == ("human", ("decided_before",))


@pytest.mark.parametrize(("age_ms", "holds"), [(90 * DAY, False), (90 * DAY + 1, True)])
def test_a_mended_charge_is_ninety_days_old_at_most(age_ms, holds):
    assert ("age" in verdict(record=None, at_ms=END + age_ms).reasons) is holds
    assert "age" not in verdict(at_ms=END + age_ms).reasons, "a clean one may be of any age"


def test_without_samples_age_counts_from_the_opening():
    changes = {"samples": (), "record": {"energy": 0, "amount_e4yuan": 1}}
    opened = evidence().opened_at_ms
    assert "age" not in verdict(**changes, at_ms=opened + 90 * DAY).reasons
    assert "age" in verdict(**changes, at_ms=opened + 90 * DAY + 1).reasons


# -- reasons ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_serial_reused": True}, "serial_reused"),
        ({"authorisation": None, "samples": ()}, "record_orphan_serial"),
        ({"record": {"serial": "0" * 32}}, "serial_zero"),
        ({"authorisation": None}, "charge_without_order"),
        ({"previous": before(stopped_ms=END)}, "overlap_sessions"),
        ({"vins": ("A", "B")}, "merged_sessions"),
        ({"tariffs": book(tariff(valid_from_ms=END))}, "tariff_missing"),
        ({"records": (record(), other_content(record(energy=200_300)))}, "record_duplicate_conflict"),
        ({"samples": (), "record": {"meter_start_e4kwh": 0, "meter_stop_e4kwh": 0}}, "energy_unproven"),
        ({"record": {"connector": 2}}, "record_wrong_connector"),
        ({"record": {"serial": "1" * 32}}, "serial_mismatch_stream"),
        ({"authorisation": {"balance_fen": 2_000}}, "balance_exceeded"),
    ],
)
def test_what_only_a_person_may_settle(changes, reason):
    decision, reasons, _ = told(**changes)
    assert decision == "human"
    assert reason in reasons


def test_what_is_proven_needs_no_person():
    up_to_date = {"samples": (*charging(last=38), sample(39, amount_e4yuan=310_500), rest(40))}
    moved = {"record": {"connector": 2}, "sample_connector": 2}
    assert told(**moved, **up_to_date) == ("auto", (), 97)
    assert told(stream_serial="1" * 32, **up_to_date) == ("auto", (), 97)


# -- how sure ----------------------------------------------------------------------------------------------

SILENT = {"record": None, "samples": charging()}


@pytest.mark.parametrize(
    ("changes", "percent"),
    [
        ({}, 99),
        ({"record": {"started_ms": START - 180_000}}, 99),
        ({"record": {"started_ms": START - 180_001}}, 97),
        ({"record": {"started_ms": START - HOUR, "ended_ms": END - HOUR}}, 97),
        ({"record": {"started_ms": None, "started_fault": "zero_date"}}, 97),
        ({"record": None}, 97),
        (SILENT, 90),
        ({**SILENT, "bms_end": BmsEnd(LAST + 1, 60, 195_000)}, 97),
        ({**SILENT, "meter_start_next_e4kwh": 10_195_000}, 97),
        ({"samples": ()}, 70),
        ({"samples": (), "clock_offset_ms": 0}, 85),
        ({"samples": (), "clock_offset_ms": 180_001}, 70),
        ({"samples": (), "clock_offset_ms": 0, "record": {"ended_ms": None, "ended_fault": "zero_date"}}, 50),
        ({"samples": (), "record": None, "meter_start_next_e4kwh": 10_200_000}, 50),
        ({"samples": (), "record": None}, 97),
    ],
)
def test_how_sure_the_times_are(changes, percent):
    assert verdict(**changes).time_percent == percent


@pytest.mark.parametrize(
    ("changes", "percent"),
    [
        ({}, 99),
        ({"authorisation": None}, 90),
        ({"tariffs": book(tariff(valid_from_ms=END))}, 50),
        ({"samples": (), "record": None, "authorisation": None}, 99),
    ],
)
def test_how_sure_the_tariff_is(changes, percent):
    assert verdict(**changes).tariff_percent == percent


@pytest.mark.parametrize(
    ("changes", "percent"),
    [
        ({}, 99),
        ({"authorisation": None, "is_offline_card_known": True}, 97),
        ({"stream_serial": "1" * 32}, 97),
        ({"authorisation": None}, 30),
        ({"record": {"serial": "0" * 32}}, 30),
        ({"is_serial_reused": True}, 30),
        ({"record": {"connector": 2}}, 30),
        ({"record": {"connector": 2}, "sample_connector": 2}, 97),
    ],
)
def test_how_sure_it_is_whose_charge_it_was(changes, percent):
    assert verdict(**changes).identity_percent == percent


@pytest.mark.parametrize(
    ("percent", "decision"), [(99, "auto"), (97, "auto"), (90, "favour"), (85, "favour"), (70, "human")]
)
def test_the_least_certain_decides(percent, decision):
    changes = {
        99: {},
        97: {"record": None, "meter_start_next_e4kwh": 10_195_000},
        90: {"record": None},
        85: {"samples": (), "clock_offset_ms": 0},
        70: {"samples": ()},
    }[percent]
    found = verdict(**changes)
    assert (found.confidence_percent, found.decision) == (percent, decision)
    assert ("confidence_low" in found.reasons) is (percent < 85)


GATE = Gate(None, 0, True)


@pytest.mark.parametrize(
    ("decision", "changes", "is_nothing_owed", "is_final", "status"),
    [
        ("auto", {}, False, False, "normal"),
        ("auto", {"record": {"rx_ms": END + 60_000}}, False, False, "normal"),
        ("auto", {"record": {"started_ms": START - HOUR}}, False, False, "normal"),
        ("auto", {"record": None}, False, False, "repaired"),
        ("favour", {"record": None}, False, False, "provisional"),
        ("favour", {"record": None}, False, True, "repaired"),
        ("favour", {}, True, False, "void"),
        ("auto", {}, True, False, "void"),
        ("human", {}, True, True, "review"),
        ("human", {"record": None}, False, True, "review"),
    ],
)
def test_the_status_of_a_bill(decision, changes, is_nothing_owed, is_final, status):
    held = reckoned(**changes).held
    one = Verdict(decision, 99, 99, 99, 99, GATE, ())
    assert status_of(one, held, is_nothing_owed=is_nothing_owed, is_final=is_final) == status


def test_age_and_gate_are_told_beside_each_other():
    late = verdict(record=None, at_ms=END + 91 * DAY, former=Former(1_000, is_substitute=True))
    assert late.reasons == ("gate", "age")


@pytest.mark.parametrize("shown_e4yuan", [608_824, 608_823, 0], ids=["2 % below", "a hair more", "nothing"])
def test_a_clean_record_is_not_held_against_the_last_sample(shown_e4yuan):
    """The gate stands at 62.10 yuan for 60.8824 shown; nothing is wrong with this record, so it settles anyway."""
    last = replace(SAMPLES[-1], amount_e4yuan=shown_e4yuan)
    bill = bill_of(replace(STORY, samples=(*SAMPLES[:-1], last)))
    assert (bill.amount_fen, bill.anomalies, bill.status) == (6210, (), "normal")
    assert bill.computation["gate"]["is_passed"] is (shown_e4yuan == 608_824)

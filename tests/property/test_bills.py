"""What holds of every bill, whatever the session went through."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_core.anomalies import is_grave
from billing_core.pricing import undiscounted_fen
from tests.oracle import faults, mishaps
from tests.oracle.adapter import bill_of
from tests.oracle.story import Chain
from tests.oracle.strategies import clean_stories, stories

steady = settings(
    derandomize=True, deadline=None, database=None, max_examples=300, suppress_health_check=list(HealthCheck)
)
METER_KNOWS = (
    faults.clock_off,
    faults.dates_missing,
    faults.link_lost,
    faults.record_never_comes,
    mishaps.energy_zero,
    mishaps.split_wrong,
    mishaps.price_wrong,
    mishaps.counter_reset,
)


@steady
@given(stories())
def test_the_numbers_of_a_bill_close(story):
    bill = bill_of(story)
    total = bill.total
    assert total.energy_fee_fen + total.service_fee_fen == bill.amount_fen >= 0
    assert total.energy_fee_fen >= 0 <= total.service_fee_fen
    assert bill.discount_fen == undiscounted_fen(bill.lines) - bill.amount_fen >= 0
    assert all(line.energy_e4kwh > 0 for line in bill.lines)
    has_losses = any(tariff.loss_ratio for tariff in story.tariffs)
    if bill.lines and not has_losses:
        assert sum(line.energy_e4kwh for line in bill.lines) == bill.energy_e4kwh
    exact_e9 = sum(
        line.energy_e4kwh
        * (line.energy_price_e5 * line.energy_factor_e4 + line.service_price_e5 * line.service_factor_e4)
        for line in bill.lines
    )  # 1e-13 yuan
    bound_e13 = 10**13 * 5 // 1000 + 10**9 * len(bill.lines)  # half a fen, and half of 0.0001 yuan twice a line
    assert abs(bill.amount_fen * 10**11 - exact_e9) <= bound_e13


@steady
@given(stories())
def test_the_same_evidence_makes_the_same_bill(story):
    first, second = bill_of(story), bill_of(story)
    assert first.to_json_dict() == second.to_json_dict()
    assert first.computation == second.computation


@steady
@given(stories())
def test_a_record_sent_again_changes_nothing(story):
    again = tuple(replace(record, rx_ms=record.rx_ms + 30_000) for record in story.records)
    twice = bill_of(replace(story, records=story.records + again))
    assert twice.to_json_dict() == bill_of(story).to_json_dict()


@steady
@given(stories())
def test_status_and_decision_say_the_same(story):
    bill = bill_of(story)
    decision = bill.computation["decision"]
    assert (bill.status == "review") == (decision == "human")
    assert bill.status != "provisional" or decision == "favour"
    assert bill.status != "normal" or not is_grave(bill.anomalies)
    assert bill.status != "void" or (bill.energy_e4kwh == 0 and bill.payable_fen == 0)
    if bill.status in ("normal", "repaired"):
        assert bill.confidence_percent >= 95


@steady
@given(stories())
def test_every_grave_finding_is_told(story):
    bill = bill_of(story)
    assert len(bill.explanation_en) == len(bill.explanation_zh) <= 2
    assert bill.explanation_en
    for anomaly in bill.anomalies:
        assert anomaly.detail_en.strip(), anomaly.code
        assert anomaly.detail_zh.strip(), anomaly.code
    if bill.anomalies:
        assert bill.primary_anomaly in {anomaly.code for anomaly in bill.anomalies}


@st.composite
def days_of_one_connector(draw):
    """Sessions one behind the other on one register, whose neighbours are all known."""
    register, found = draw(st.integers(20_000, 900_000_000)), []
    for _ in range(draw(st.integers(1, 4))):
        story = draw(clean_stories())
        record = story.records[0]
        stop = register + record.energy_e4kwh
        record = replace(record, meter_start_e4kwh=register, meter_stop_e4kwh=stop)
        started_ms = story.authorisation.at_ms
        chain = Chain(register, started_ms - 3_600_000, stop, started_ms + 86_400_000)
        story = replace(story, records=(record,), chain=chain, pile=replace(story.pile, register_decimals=4))
        if draw(st.booleans()):
            story = draw(st.sampled_from(METER_KNOWS))(draw, story)
        found.append(story)
        register = stop
    return found


@steady
@given(days_of_one_connector())
def test_what_the_meter_counted_is_billed_or_borne(day):
    """Energy billed plus energy borne by the operator is the register's movement, within a step per session."""
    moved = day[-1].chain.next_start_e4kwh - day[0].chain.previous_stop_e4kwh
    bills = [bill_of(story) for story in day]
    told = sum(bill.energy_e4kwh + sum(each.energy_e4kwh for each in bill.adjustments) for bill in bills)
    # what the record calls zero and the counter hardly began to show may be void: less than 0.01 kWh each
    voided = sum(bill.status == "void" for bill in bills)
    assert abs(told - moved) <= 2 * len(day) + 100 * voided

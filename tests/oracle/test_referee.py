"""The referee on stories whose end was reckoned by hand: 40 kW from 10:30 to 11:30, all of it peak, 62.10 yuan."""

from dataclasses import replace
from fractions import Fraction as F

import pytest

from tests.oracle.rating import text
from tests.oracle.referee import judge
from tests.oracle.story import (
    Authorisation,
    BmsEnd,
    Chain,
    Neighbour,
    OtherConnector,
    Pile,
    PileTime,
    Posted,
    Proof,
    Record,
    Sample,
    StartReply,
    Station,
    Story,
    Tier,
)
from tests.oracle.test_examples import SZ_1, SZ_2, at

SERIAL = "55031412782305012603031029300001"
MINUTE = 60_000
AUTH, START, END = (at(f"2026-03-03 {moment}") for moment in ("10:29:30", "10:30:00", "11:30:00"))


def sample(at_ms: int) -> Sample:
    """40 kW: the counter grows by 400000 in an hour, the price is 1.5525 yuan."""
    energy = (at_ms - START) * 400_000 // 3_600_000
    return Sample(at_ms, energy, energy * 155_250 // 100_000, 4000, 1000, 20 + energy // 10_000)


SAMPLES = (*(sample(START + i * MINUTE) for i in range(1, 60)), sample(END - 5000))  # the last one says 39.9444
RECORD = Record(
    rx_ms=END + 10_000,
    serial=SERIAL,
    started=PileTime(START),
    ended=PileTime(END),
    tiers={"peak": Tier(155_250, 400_000, 400_000, 621_000)},
    meter_start_e4kwh=12_000_000,
    meter_stop_e4kwh=12_400_000,
    energy_e4kwh=400_000,
    loss_energy_e4kwh=400_000,
    amount_e4yuan=621_000,
)
STORY = Story(
    judged_at_ms=RECORD.rx_ms,
    serial=SERIAL,
    tariffs=(SZ_1,),
    authorisation=Authorisation(AUTH, SERIAL),
    pile=Pile(register_decimals=4, commissioned_ms=at("2024-06-01 00:00:00")),
    start_replies=(StartReply(START, True),),
    samples=SAMPLES,
    proofs=(Proof(END + 2000, "idle"),),
    records=(RECORD,),
    chain=Chain(12_000_000, AUTH - 60 * MINUTE),
)


def with_record(story: Story = STORY, **changes) -> Story:
    return replace(story, records=(replace(story.records[0], **changes),))


def tier(energy, amount=621_000, price=155_250):
    return {"tiers": {"peak": Tier(price, energy, energy, amount)}}


def verdict(story: Story):
    found = judge(story)
    return found.status, found.source, text(found.energy, 4), text(found.amount, 2), found.percent, set(found.codes)


def test_a_clean_session():
    assert verdict(STORY) == ("normal", "register_pair", "40.0000", "62.10", 99, set())
    found = judge(STORY)
    assert (found.primary, found.decision, found.split_basis) == (None, "auto", "record")
    assert (found.times.start_ms, found.times.end_ms, found.times.basis) == (START, END, "record")


def test_scanned_and_never_started_with_an_empty_date():
    empty = PileTime(None, "zero_date", 0)
    story = replace(with_record(started=empty, ended=empty, **tier(0, 0)), samples=(), proofs=(), start_replies=())
    story = with_record(story, meter_stop_e4kwh=12_000_000, energy_e4kwh=0, loss_energy_e4kwh=0, amount_e4yuan=0)
    assert verdict(story) == ("void", "zero", "0.0000", "0.00", 97, {"authorised_never_started", "time_zero_date"})
    found = judge(story)
    assert (found.primary, found.times.start_ms, found.times.end_ms) == ("authorised_never_started", AUTH, AUTH)


def test_no_record_and_no_chain_bills_the_last_sample():
    story = replace(STORY, records=(), judged_at_ms=END + 31 * MINUTE)
    assert verdict(story) == ("provisional", "last_sample", "39.9444", "62.01", 90, {"record_missing"})


def test_no_record_but_the_next_start_closes_the_chain():
    chain = Chain(12_000_000, AUTH - 60 * MINUTE, 12_400_000, END + 40 * MINUTE)
    story = replace(STORY, records=(), judged_at_ms=END + 40 * MINUTE, chain=chain)
    assert verdict(story) == ("repaired", "register_chain", "40.0000", "62.10", 97, {"record_missing"})


def test_energy_was_lost():
    story = with_record(energy_e4kwh=0, meter_stop_e4kwh=12_000_000, amount_e4yuan=0, **tier(0, 0))
    codes = {"energy_lost", "energy_mismatch_platform", "tou_split_mismatch", "vi_integral_mismatch"}
    assert verdict(story) == ("provisional", "last_sample", "39.9444", "62.01", 90, codes)
    assert judge(story).primary == "energy_lost"


@pytest.mark.parametrize(
    ("offset_s", "codes", "basis", "percent"),
    [
        (150, set(), "record", 99),
        (-600, {"time_clock_skew"}, "shifted", 97),
        (600, {"time_future"}, "gateway", 97),
        (-900_000_000, {"time_epoch_reset"}, "gateway", 97),
    ],
    ids=["within tolerance", "behind", "ahead", "reset"],
)
def test_clocks(offset_s, codes, basis, percent):
    offset = offset_s * 1000
    found = judge(with_record(started=PileTime(START + offset), ended=PileTime(END + offset)))
    assert (set(found.codes), found.times.basis, found.percent) == (codes, basis, percent)
    assert text(found.amount, 2) == "62.10"
    if basis != "record":
        assert abs(found.times.start_ms - START) <= 2000 >= abs(found.times.end_ms - END)


def test_the_clock_stepped_back_an_hour_while_charging():
    found = judge(with_record(ended=PileTime(END - 60 * MINUTE - 1000)))
    assert set(found.codes) == {"time_reversed", "time_step_mid_session", "duration_mismatch"}
    assert (found.primary, found.status, found.times.end_ms) == ("time_reversed", "repaired", END + 2000)


def test_a_decimal_too_far():
    story = with_record(
        energy_e4kwh=4_000_000,
        loss_energy_e4kwh=4_000_000,
        amount_e4yuan=6_210_000,
        meter_start_e4kwh=120_000_000,
        meter_stop_e4kwh=124_000_000,
        **tier(4_000_000, 6_210_000),
    )
    assert verdict(story) == ("repaired", "register_pair", "40.0000", "62.10", 97, {"unit_scale_error"})


def test_a_zero_in_place_of_the_start_register():
    story = with_record(meter_start_e4kwh=0, energy_e4kwh=12_400_000, amount_e4yuan=621_000)
    codes = {
        "meter_placeholder_zero",
        "meter_replaced",
        "energy_mismatch_platform",
        "energy_exceeds_rated",
        "vi_integral_mismatch",
        "period_sum_mismatch",
        "tou_split_mismatch",
    }
    assert verdict(story)[:5] == ("repaired", "register_pair", "40.0000", "62.10", 97)
    assert judge(story).codes - {"tou_split_mismatch"} == codes - {"tou_split_mismatch"}
    assert judge(story).primary == "meter_placeholder_zero"


def test_two_records_one_of_which_fits():
    second = replace(RECORD, rx_ms=END + 40_000, energy_e4kwh=900_000, meter_stop_e4kwh=12_900_000)
    story = replace(STORY, records=(second, RECORD), judged_at_ms=END + 40_000)
    found = judge(story)
    assert set(found.codes) == {"record_duplicate_conflict"}
    assert (found.decision, text(found.amount, 2)) == ("auto", "62.10")


def test_two_records_that_both_fit_go_to_a_person():
    second = replace(RECORD, rx_ms=END + 40_000, energy_e4kwh=400_100, meter_stop_e4kwh=12_400_100)
    found = judge(replace(STORY, records=(RECORD, second), judged_at_ms=END + 40_000))
    assert (set(found.codes), found.status) == ({"record_duplicate_conflict"}, "review")


def test_the_same_serial_for_the_next_car():
    second = replace(
        RECORD, rx_ms=END + 3_600_000, meter_start_e4kwh=12_400_000, meter_stop_e4kwh=12_500_000, energy_e4kwh=100_000
    )
    found = judge(replace(STORY, records=(RECORD, second), judged_at_ms=second.rx_ms))
    assert (set(found.codes), found.status, found.energy, found.apart) == (set(), "normal", F(40), (second,))


def test_a_record_sent_twice_changes_nothing():
    twice = replace(STORY, records=(RECORD, replace(RECORD, rx_ms=END + 40_000)))
    assert verdict(twice)[:5] == verdict(STORY)[:5]
    assert set(judge(twice).codes) == {"record_duplicate_identical"}


def test_a_mended_bill_above_what_was_shown_goes_to_a_person():
    dark = tuple(replace(one, amount_e4yuan=0) for one in SAMPLES)
    found = judge(replace(STORY, samples=dark))
    assert (found.is_gate_passed, found.status, text(found.amount, 2)) == (False, "normal", "62.10")
    mended = judge(replace(with_record(amount_e4yuan=648_000, **tier(400_000, 648_000, 162_000)), samples=dark))
    assert (mended.is_gate_passed, mended.status, text(mended.amount, 2)) == (False, "review", "62.10")


def test_the_gate_at_its_edge():
    for shown, passes in (("604000", True), ("603900", False)):  # 60.40 + 2 % = 61.608; 62.10 - 61.60 = 0.50
        last = replace(SAMPLES[-1], amount_e4yuan=int(shown))
        found = judge(replace(STORY, samples=(*SAMPLES[:-1], last)))
        assert found.is_gate_passed is (F(shown) / 10_000 * F("1.02") >= F("62.10")), passes
    last = replace(SAMPLES[-1], amount_e4yuan=608_824)  # 60.8824 x 1.02 = 62.100048
    assert judge(replace(STORY, samples=(*SAMPLES[:-1], last))).is_gate_passed
    last = replace(SAMPLES[-1], amount_e4yuan=608_823)  # 62.099946
    assert not judge(replace(STORY, samples=(*SAMPLES[:-1], last))).is_gate_passed


def test_another_price_in_the_record():
    found = judge(with_record(amount_e4yuan=648_000, **tier(400_000, 648_000, 162_000)))
    assert (set(found.codes), found.status, text(found.amount, 2)) == ({"price_not_in_tariff"}, "repaired", "62.10")


def test_one_fen_of_drift_is_no_fault():
    found = judge(with_record(amount_e4yuan=620_900))
    assert (set(found.codes), found.primary, found.status) == ({"rounding_drift"}, "rounding_drift", "normal")


def test_the_balance_cut_the_amount():
    story = replace(STORY, authorisation=Authorisation(AUTH, SERIAL, balance_fen=6180))
    found = judge(with_record(story, stop_code=0x6E, amount_e4yuan=618_000))
    assert set(found.codes) == {"amount_clamped_at_balance"}
    assert (found.borne_by_operator, found.status) == (F("0.30"), "normal")
    found = judge(with_record(replace(story, authorisation=Authorisation(AUTH, SERIAL, balance_fen=6000))))
    assert (found.borne_by_operator, found.status) == (F("2.10"), "review")


def test_lost_link_prices_the_tail_at_the_cheapest_rate_touched():
    """Last sample 11:59:40 peak; within 30 s lies 12:00, where flat begins."""
    last = Sample(at("2026-03-03 11:59:40"), 390_000, 605_475, 4000, 1000, 50)
    story = replace(STORY, samples=(*SAMPLES[:30], last), proofs=(Proof(last.rx_ms + 600_000, "login"),))
    story = replace(story, bms_end=None, judged_at_ms=last.rx_ms + 40 * MINUTE, records=())
    chain = Chain(12_000_000, AUTH - 60 * MINUTE, 12_394_000, last.rx_ms + 40 * MINUTE)
    found = judge(replace(story, chain=chain))
    assert {line.terms.rate: line.kwh for line in found.charge.lines} == {"peak": F("39"), "flat": F("0.4")}
    assert (found.status, found.source, found.percent) == ("repaired", "register_chain", 97)


def test_the_other_connector_charged():
    other = OtherConnector(2, SAMPLES, STORY.proofs, STORY.chain)
    story = with_record(replace(STORY, samples=(), proofs=(), chain=Chain(), other=other), connector=2)
    assert verdict(story) == ("repaired", "register_pair", "40.0000", "62.10", 97, {"record_wrong_connector"})
    assert judge(replace(story, other=None)).status == "review"


def test_a_serial_nobody_gave_out():
    story = replace(STORY, authorisation=None, samples=(), start_replies=(), proofs=())
    found = judge(story)
    assert (found.primary, found.status, found.confidence["identity"]) == ("record_orphan_serial", "review", 30)


def test_an_order_that_overlaps_the_one_before():
    before = Neighbour(started_ms=START - 60 * MINUTE, ended_ms=START + 2 * MINUTE)
    found = judge(replace(STORY, previous=before))
    assert (set(found.codes), found.status) == ({"overlap_sessions"}, "review")


def test_a_pile_that_does_not_stop():
    """Acknowledged at 11:00:00 with 20 kWh: billed to 11:01:00, 20.6666 by the sample of that minute."""
    found = judge(replace(STORY, stop_acknowledged_ms=at("2026-03-03 11:00:00")))
    assert (set(found.codes), found.status) == ({"stop_ignored"}, "repaired")
    assert (found.energy, found.billed) == (F(40), F("20.6666"))
    assert text(found.amount, 2) == "32.08"  # 22.7849 + 9.3000


def test_by_time_prices_each_part_by_its_version():
    half = replace(SZ_2, valid_from_ms=at("2026-03-03 11:00:00"))
    found = judge(replace(STORY, tariffs=(SZ_1, half), station=Station(binding="by_time")))
    assert [(line.terms.version, line.kwh) for line in found.charge.lines] == [("SZ-1", F(20)), ("SZ-2", F(20))]
    assert "tariff_changed_mid_session" in found.codes
    assert text(found.amount, 2) == "63.45"  # 22.05 + 9.00 + 23.00 + 9.40
    assert text(judge(replace(STORY, tariffs=(SZ_1, half))).amount, 2) == "62.10"


def test_a_posted_bill_is_corrected_downwards():
    late = with_record(rx_ms=END + 45 * MINUTE)
    posted = Posted(total_fen=6300, energy_e4kwh=405_000, is_substitute=True)
    found = judge(replace(late, judged_at_ms=END + 45 * MINUTE, posted=posted))
    assert set(found.codes) == {"record_after_platform_settlement"}
    assert (found.status, text(found.amount, 2)) == ("repaired", "62.10")
    found = judge(replace(late, judged_at_ms=END + 45 * MINUTE, posted=replace(posted, total_fen=6000)))
    assert found.status == "review"


def test_late_and_else_clean():
    late = replace(with_record(rx_ms=END + 10 * MINUTE), judged_at_ms=END + 10 * MINUTE)
    assert verdict(late)[5] == {"late_upload", "record_due_late"}
    assert judge(late).status == "normal"


def test_frozen_counter_widens_the_window():
    """From 11:20 the counter stands at 33.3333; the register says 40, the window reaches to it."""
    stuck = tuple(replace(one, energy_e4kwh=min(one.energy_e4kwh, 333_333)) for one in SAMPLES)
    found = judge(replace(STORY, samples=stuck))
    assert "samples_frozen" in found.codes
    assert (found.source, found.energy) == ("register_pair", F(40))


def test_a_battery_that_says_less():
    found = judge(replace(STORY, bms_end=BmsEnd(END + 1000, 380, 60)))
    assert set(found.codes) == {"bms_energy_mismatch"}

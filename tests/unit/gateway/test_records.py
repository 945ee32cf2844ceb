"""Records: first, again, with other content, under a used number, of nobody; always acknowledged."""

import dataclasses

import pytest

from gateway.outcome import BillIssued, RecordStored
from gateway.records import record_key
from protocol.commands import AcknowledgeRecord
from protocol.events import PileTime
from tests.support.yard import (
    BEGIN,
    DAY_MS,
    END,
    FORMER,
    HOUR,
    MINUTE,
    OTHER,
    PILE,
    SECOND,
    SERIAL,
    SITE,
    Yard,
    clock,
    record,
    resting,
    sample,
    time_of,
    told,
)

LATER = END + HOUR
ACK = AcknowledgeRecord(PILE, 7, SERIAL, True)
ZEROS = "0" * 32
CARD = "00000000D14B0A54"


@pytest.fixture
def yard():
    yard = Yard()
    yard.former()
    return yard


def stored(yard):
    return [row for row in yard.rows if isinstance(row, RecordStored) and row.transaction_id.startswith(SERIAL)]


def test_a_record_is_kept_billed_and_acknowledged_after_the_commit(yard):
    outcome = yard.usual()
    assert (outcome.is_durable, outcome.replies) == (True, [ACK])
    (row,) = stored(yard)
    assert (row.serial, row.rx_ms, row.body) == (SERIAL, DAY_MS + END + 8_000, record().body)
    assert (row.layout, row.frame_type, len(row.content_hash)) == ("standard", 0x3B, 64)
    assert told(yard.bill()) == (1, "normal", 400_000, 4_800)


@pytest.mark.parametrize("times", [1, 3])
def test_a_record_sent_again_is_acknowledged_again_and_changes_nothing(yard, times):
    yard.usual()
    before = list(yard.rows)
    for number in range(times):
        outcome = yard.tell(record(LATER + number * SECOND))
        assert (outcome.replies, outcome.rows, outcome.is_durable) == ([ACK], [], True)
    assert [row for row in yard.rows[len(before) :] if isinstance(row, BillIssued | RecordStored)] == []


def test_a_record_of_other_content_is_further_evidence_and_never_overwrites(yard):
    yard.usual()
    yard.tell(record(LATER, kwh=41))
    assert [told(bill) for bill in yard.bills()] == [(1, "normal", 400_000, 4_800), (2, "repaired", 400_000, 4_800)]
    assert (yard.bill().reason, yard.bill().primary_anomaly) == ("conflicting_record", "record_duplicate_conflict")
    assert len({row.content_hash for row in stored(yard)}) == 2
    yard.tell(record(LATER + MINUTE, kwh=41), record(LATER + 2 * MINUTE))
    assert len(yard.bills()) == 2


def test_the_better_of_two_records_wins_though_it_came_second(yard):
    yard.unrecorded()
    yard.tell(record(kwh=55))
    assert told(yard.bill()) == (1, "provisional", 398_000, 4_776)
    yard.tell(record(LATER))
    assert told(yard.bill()) == (2, "repaired", 400_000, 4_800)
    assert yard.bill().anomalies == ("record_duplicate_conflict",)


def test_a_record_after_the_substitute_bill_makes_the_next_revision(yard):
    yard.unrecorded()
    yard.tell(record(END + 3 * HOUR))
    assert [told(bill) for bill in yard.bills()] == [
        (1, "provisional", 398_000, 4_776),
        (2, "repaired", 400_000, 4_800),
    ]
    assert (yard.bill().reason, yard.bill().anomalies) == ("record_after_bill", ("record_after_platform_settlement",))


def test_a_record_under_a_used_number_is_a_charge_of_its_own(yard):
    yard.usual()
    again = record(END + 2 * HOUR, begin=END + HOUR, end=END + HOUR + 5 * MINUTE, kwh=4, m0=1_042)
    outcome = yard.tell(again)
    key = next(row.transaction_id for row in outcome.rows if isinstance(row, RecordStored))
    assert key == f"{SERIAL}-{stored(yard)[-1].content_hash[:8]}"
    assert told(yard.bill()) == (1, "normal", 400_000, 4_800)
    assert (yard.bill(key).status, yard.bill(key).energy_e4kwh) == ("review", 40_000)
    assert "serial_reused" in yard.bill(key).anomalies
    assert outcome.replies == [ACK]
    assert yard.sessions.find(key).is_serial_reused
    rows = len(yard.rows)
    yard.tell(dataclasses.replace(again, at_ms=again.at_ms + HOUR))
    assert yard.rows[rows:] == []


@pytest.mark.parametrize(("m0", "is_other"), [(1_041.9998, True), (1_041.9997, False), (1_002.0002, False)])
def test_where_the_first_record_ended_within_the_last_digit(yard, m0, is_other):
    yard.usual()
    outcome = yard.tell(record(LATER, m0=m0, kwh=4))
    keys = {row.transaction_id for row in outcome.rows if isinstance(row, RecordStored)}
    assert (keys != {SERIAL}) is is_other


def test_a_record_that_nobody_ordered_waits_for_a_person():
    yard = Yard()
    outcome = yard.tell(record())
    assert told(yard.bill()) == (1, "review", 400_000, 4_800)
    assert yard.bill().anomalies == ("record_orphan_serial",)
    assert outcome.replies == [ACK]
    assert yard.sessions.find(SERIAL).begins_at_ms == DAY_MS + BEGIN


@pytest.mark.parametrize(
    "started", [PileTime(None, None, b"", None), clock(END + 24 * HOUR), clock(-20 * 365 * 24 * HOUR)]
)
def test_a_start_that_cannot_be_orders_no_chain(started):
    yard = Yard()
    yard.tell(record(started=started))
    assert yard.sessions.find(SERIAL).begins_at_ms == DAY_MS + END + 8_000


def test_a_number_of_zeros_is_told_apart_by_place_and_start():
    first = record(serial=ZEROS)
    assert record_key(first) == f"{ZEROS}-{PILE}-01-{first.started.raw.hex()}"
    assert record_key(record(serial=ZEROS, connector=2)) != record_key(first)
    assert record_key(record()) == SERIAL
    yard = Yard()
    yard.tell(first, record(LATER, serial=ZEROS, begin=BEGIN + MINUTE, m0=1_042))
    bills = [row for row in yard.rows if isinstance(row, BillIssued)]
    assert len({bill.transaction_id for bill in bills}) == 2
    assert {reply.serial for reply in yard.replies if isinstance(reply, AcknowledgeRecord)} == {ZEROS}


def test_a_record_under_the_number_of_the_samples_belongs_to_the_order(yard):
    yard.start()
    yard.answer()
    yard.charge(transaction_id=OTHER)
    yard.tell(record(serial=OTHER))
    assert yard.bills(OTHER) == []
    assert told(yard.bill())[0] == 1
    assert "serial_mismatch_stream" in yard.bill().anomalies
    assert (yard.bill().energy_e4kwh, yard.bill().amount_fen) == (400_000, 4_800)
    assert yard.sessions.find(SERIAL).stream_serial == OTHER


@pytest.mark.parametrize("is_restarted", [False, True])
def test_so_it_does_long_after_and_over_a_restart(yard, is_restarted):
    yard.start()
    yard.answer()
    yard.charge(transaction_id=OTHER)
    yard.wait(END + 100 * HOUR)  # billed without it, and final
    if is_restarted:
        yard.restart()
        assert yard.sessions.held(SERIAL) is None
    yard.tell(record(END + 101 * HOUR, serial=OTHER))
    assert yard.bills(OTHER) == []
    assert "record_after_platform_settlement" in yard.bill().anomalies
    assert yard.bill().energy_e4kwh == 400_000


def test_a_record_of_another_connector_than_the_samples_needs_a_person(yard):
    yard.unrecorded()
    yard.tell(record(connector=2))
    assert told(yard.bill()) == (1, "review", 400_000, 4_800)
    assert (yard.bill().anomalies, yard.bill().connector) == (("record_wrong_connector",), 1)


def test_a_record_of_the_connector_that_the_samples_name_is_bound_to_it(yard):
    yard.start()
    yard.answer()
    yard.charge(connector=2)
    yard.tell(resting(END + 5 * SECOND, connector=2), record(connector=2))
    assert told(yard.bill()) == (1, "repaired", 400_000, 4_800)
    assert (yard.bill().anomalies, yard.bill().connector) == (("record_wrong_connector",), 2)
    assert yard.sessions.find(SERIAL).place == (PILE, 2)


@pytest.mark.parametrize(("behind_ms", "is_observed"), [(60_000, True), (60_001, False)])
def test_a_live_record_is_the_end_when_nothing_told_it_before(yard, behind_ms, is_observed):
    yard.start()
    yard.answer()
    yard.charge()
    last = END - 15 * SECOND
    yard.tell(record(last + behind_ms))
    core = yard.sessions.find(SERIAL).core
    assert core.is_end_observed is is_observed
    assert core.ended_at_ms == DAY_MS + last + (behind_ms if is_observed else 0)


def test_a_charge_that_counted_as_never_begun_was_closed_early(yard):
    yard.start()
    yard.answer()
    yard.wait(BEGIN + 5 * MINUTE)
    yard.tell(record())
    assert yard.sessions.find(SERIAL).was_closed_early
    assert "order_closed_early" in yard.bill().anomalies


def test_a_refused_start_with_an_empty_record_is_void(yard):
    yard.start()
    yard.answer(is_accepted=False, reason_code=1)
    yard.tell(record(BEGIN + 20 * SECOND, kwh=0, end=BEGIN, stop_code=0x4A))
    assert told(yard.bill()) == (1, "void", 0, 0)
    assert not yard.sessions.find(SERIAL).was_closed_early


@pytest.mark.parametrize("is_listed", [True, False])
def test_an_offline_card_counts_when_it_is_known(is_listed):
    yard = Yard(SITE + (f'[[card]]\nuid = "{CARD}"\n' if is_listed else ""))
    yard.former()
    yard.sessions.pile_clocks[PILE] = (DAY_MS + BEGIN, 0)
    yard.tell(record(start_channel="offline_card", card_uid=CARD))
    session = yard.sessions.find(SERIAL)
    assert (session.is_card_known, session.channel) == (is_listed, "offline_card")
    assert (yard.bill().status == "review") is not is_listed


def test_a_card_that_the_pile_confirmed_to_hold_is_known_too():
    yard = Yard()
    yard.sessions.offline_cards[PILE] = {CARD}
    yard.tell(record(start_channel="offline_card", card_uid=CARD))
    assert yard.sessions.find(SERIAL).is_card_known


def test_an_order_by_app_stays_one_whatever_the_record_says(yard):
    yard.usual(start_channel="card")
    assert yard.sessions.find(SERIAL).channel == "app"


def test_samples_behind_the_record_are_nobodys(yard):
    yard.usual()
    count = yard.sessions.find(SERIAL).core.sample_count
    yard.tell(sample(LATER, 40), resting(LATER + MINUTE))
    assert yard.sessions.find(SERIAL).core.sample_count == count
    assert len(yard.bills()) == 1


def test_a_former_charge_has_one_bill_however_the_next_went(yard):
    yard.usual()
    yard.tell(record(LATER, serial=FORMER, begin=time_of(7, 10), end=time_of(7, 12, 30), kwh=2, m0=1_000))
    assert [told(bill) for bill in yard.bills(FORMER)] == [(1, "normal", 20_000, 240)]

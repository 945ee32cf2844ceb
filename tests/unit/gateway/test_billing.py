"""Evidence gathered, revisions issued, neighbours judged anew, upstream told what it may know."""

import json

import pytest

from billing_core.tariff import Rate
from gateway.billing import bill_event, told_bill
from gateway.outcome import ChainKept, Outcome, TariffPriced
from protocol.commands import PileTariff, SendTariff
from tests.support.yard import (
    BEGIN,
    DAY_MS,
    END,
    FORMER,
    HOUR,
    MINUTE,
    NEXT,
    OCCUPANCY,
    PILE,
    SECOND,
    SERIAL,
    SITE,
    Yard,
    record,
    told,
)

MONEY = ("lines", "segments", "energy_fee", "service_fee", "amount", "discount")


@pytest.fixture
def yard():
    yard = Yard()
    yard.former()
    return yard


def test_the_evidence_of_a_charge_is_all_that_is_known_of_it(yard):
    yard.usual()
    session = yard.sessions.find(SERIAL)
    found = yard.sessions.evidence(session, DAY_MS + END + HOUR)
    assert (found.transaction_id, found.order_no) == (SERIAL, session.order_no)
    assert (found.pile.rated_w, found.pile.register_decimals, found.pile.station) == (60_000, 4, "demo")
    assert (found.authorisation.balance_fen, found.authorisation.channel, found.start_channel) == (20_000, "app", "app")
    assert (found.opened_at_ms, found.start_accepted_at_ms) == (DAY_MS + BEGIN - 4_000, DAY_MS + BEGIN - 2_000)
    assert [len(found.samples), len(found.charging), len(found.records)] == [12, 11, 1]
    assert (found.previous.transaction_id, found.previous.meter_stop_e4kwh) == (FORMER, 10_020_000)
    assert (found.meter_start_next_e4kwh, found.is_final, found.tariff_binding) == (None, False, "session_start")
    assert found.former is not None
    assert (found.former.posted_fen, found.at_ms) == (4_800, DAY_MS + END + HOUR)


def test_a_person_who_says_that_the_meter_is_new_takes_the_former_charge_out(yard):
    yard.usual()
    session = yard.sessions.find(SERIAL)
    session.is_meter_new = True
    assert yard.sessions.evidence(session, DAY_MS + END).previous is None


def test_a_bill_is_a_row_an_event_and_a_link_of_the_chain(yard):
    outcome = yard.usual()
    bill, event = yard.bill(), yard.events("bill.created")[-1]
    assert told(bill) == (1, "normal", 400_000, 4_800)
    assert (bill.reason, bill.actor, bill.payable_fen, bill.anomalies) == ("record", "engine", 4_800, ())
    assert (bill.started_at_ms, bill.ended_at_ms) == (DAY_MS + BEGIN, DAY_MS + END)
    assert json.loads(bill.computation)
    assert (event.event_id, event.partition, event.subject) == (f"bill-{SERIAL}-r1", SERIAL, SERIAL)
    assert event.data == json.loads(bill.body)
    kept = [row for row in outcome.rows if isinstance(row, ChainKept)]
    assert [(row.meter_start_e4kwh, row.meter_stop_e4kwh, row.order_ms) for row in kept] == [
        (10_020_000, 10_420_000, DAY_MS + BEGIN - 4_000)
    ]


def test_a_revision_that_would_say_the_same_is_none(yard):
    yard.usual()
    session, outcome = yard.sessions.find(SERIAL), Outcome()
    assert yard.sessions.billing.issue(session, DAY_MS + END + HOUR, "again", outcome) is None
    assert (outcome.rows, session.revision) == ([], 1)


def test_a_bill_under_review_tells_the_fact_and_no_money():
    yard = Yard()
    yard.tell(record())
    assert told(yard.bill()) == (1, "review", 400_000, 4_800)
    (event,) = yard.events("bill.created")
    assert (event.data["status"], event.data["primary_anomaly"]) == ("review", "record_orphan_serial")
    assert [event.data[name] for name in MONEY] == [None] * 6
    assert event.data["explanation"]["en"] == [
        "The record belongs to no start known here.",
        "A person decides on this bill; nothing has been charged.",
    ]
    assert "48" not in str(event.data["explanation"])
    assert "48.00" in str(yard.document()["explanation"])
    assert yard.document()["amount"] == "48.00"
    assert yard.sessions.find(SERIAL).posted_fen is None


def test_adjustments_of_a_bill_under_review_are_not_told_either():
    document = dict.fromkeys(MONEY, "1.00") | {
        "status": "review",
        "adjustments": [1],
        "payable": "2.00",
        "explanation": {},
    }
    assert told_bill(document) == dict.fromkeys(MONEY) | {"status": "review", "explanation": {}}
    assert document["payable"] == "2.00"
    assert told_bill(document | {"status": "provisional"})["payable"] == "2.00"


@pytest.mark.parametrize(("revision", "kind"), [(1, "created"), (2, "revised"), (3, "revised")])
def test_the_first_revision_creates_and_every_other_revises(revision, kind):
    event = bill_event("t1", revision, {"status": "normal"}, 5)
    assert (event.type, event.event_id, event.at_ms) == (f"pilegate.bill.{kind}", f"bill-t1-r{revision}", 5)
    assert not event.is_perishable


def test_a_tariff_is_written_down_once_as_having_priced_a_bill(yard):
    yard.usual()
    yard.following()
    priced = [row for row in yard.rows if isinstance(row, TariffPriced)]
    assert [(row.model_no, row.scope) for row in priced] == [("0100", "*")]


def test_a_neighbour_that_is_settled_is_not_judged_anew(yard):
    yard.usual()
    yard.following()
    assert [len(yard.bills(serial)) for serial in (FORMER, SERIAL, NEXT)] == [1, 1, 1]


def test_the_next_register_settles_a_bill_at_its_lower_bound(yard):
    yard.unrecorded()
    yard.wait(END + 2 * HOUR)
    assert told(yard.bill()) == (1, "provisional", 398_000, 4_776)
    yard.following(END + 3 * HOUR)
    assert [told(bill) for bill in yard.bills()[1:]] == [(2, "repaired", 400_000, 4_800)]
    assert (yard.bill().reason, yard.sessions.find(SERIAL).final_at_ms) == ("register_known", None)
    yard.wait(END + 100 * HOUR)
    assert len(yard.bills()) == 2


def test_a_person_has_decided_and_the_next_register_changes_nothing(yard):
    yard.unrecorded()
    yard.wait(END + 2 * HOUR)
    yard.sessions.find(SERIAL).is_decided = True
    yard.following(END + 3 * HOUR)
    assert len(yard.bills()) == 1


def test_two_charges_without_records_share_a_difference_that_nobody_can_part(yard):
    yard.unrecorded()
    begin, end = END + 10 * MINUTE, END + 15 * MINUTE
    yard.start(begin - 4 * SECOND, f"{SERIAL[:-1]}5")
    yard.answer(begin - 2 * SECOND, f"{SERIAL[:-1]}5")
    yard.charge(begin, end, transaction_id=f"{SERIAL[:-1]}5")
    yard.wait(END + 2 * HOUR)
    yard.following(END + 3 * HOUR, m0=1_046)
    assert [told(bill)[:3] for bill in yard.bills()] == [(1, "provisional", 398_000)]
    assert [bill.reason for bill in yard.bills(f"{SERIAL[:-1]}5")] == ["record_lost"]


def test_the_tariffs_of_the_site_come_before_those_that_a_log_taught():
    slots, prices = (0,) * 48, ((200_000, 0),) * 4
    at_ms = DAY_MS + BEGIN
    yard = Yard(is_replay=True)
    yard.order(BEGIN, SendTariff(PILE, None, PileTariff("0200", prices, slots)))
    assert yard.sessions.billing.tariff_at(PILE, at_ms).model_no == "0100"
    bare = Yard('[site]\ntimezone = "Asia/Shanghai"\n', is_replay=True)
    assert bare.sessions.billing.tariff_at(PILE, at_ms) is None
    bare.order(BEGIN, SendTariff(PILE, None, PileTariff("0200", prices, slots)))
    learned = bare.sessions.billing.tariff_at(PILE, at_ms)
    assert (learned.model_no, learned.prices_e5[Rate.SHARP]) == ("0200", (200_000, 0))


def test_an_unplugging_is_noted_on_the_chain_once(yard):
    yard.usual()
    session, outcome = yard.sessions.find(SERIAL), Outcome()
    for _ in range(2):
        yard.sessions.billing.note_unplugged(session, outcome)
    assert [(row.transaction_id, row.was_unplugged) for row in outcome.rows] == [(SERIAL, True)]
    yard.sessions.billing.note_unplugged(yard.sessions.find(FORMER), outcome)
    assert len(outcome.rows) == 1


def test_tolerances_widen_where_a_protocol_rounds_more_coarsely():
    yard = Yard(SITE + "[[tolerance]]\nclock_ms = 90000\n")
    yard.usual()
    session = yard.sessions.find(SERIAL)
    found = yard.sessions.evidence(session, 0).tolerances
    assert (found.amount_total_e4yuan, found.clock_ms) == (100, 90_000)
    session.protocol = "aaf5-sh52"
    found = yard.sessions.evidence(session, 0).tolerances
    assert (found.amount_total_e4yuan, found.clock_ms) == (500, 90_000)


def test_occupancy_is_charged_where_the_site_says_so():
    yard = Yard(SITE + OCCUPANCY)
    yard.usual()
    assert yard.sessions.evidence(yard.sessions.find(SERIAL), 0).occupancy.price_per_min_e5 == 50_000

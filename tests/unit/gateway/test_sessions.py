"""What piles tell becomes sessions, their ends, and the bills that no record made."""

import itertools

import pytest

from billing_core.transitions import State
from gateway.lanes import Lane, Presence, Traffic
from gateway.outcome import BillIssued
from gateway.records import plausible_start_ms
from protocol.commands import AuthoriseStart, StopCharging, UpdateBalance
from protocol.events import BmsEnded, BmsReported, ConnectorStatus, OrderAnswered, PileLoggedIn, StartRequested
from tests.support.yard import (
    BEGIN,
    DAY_MS,
    END,
    FORMER,
    HOUR,
    MINUTE,
    NEXT,
    OCCUPANCY,
    OTHER,
    PILE,
    SECOND,
    SERIAL,
    SITE,
    Yard,
    record,
    resting,
    sample,
    told,
)

LAST = END - 15 * SECOND


@pytest.fixture
def yard():
    yard = Yard()
    yard.former()
    return yard


def session(yard, serial=SERIAL):
    return yard.sessions.find(serial)


def login(of_day_ms):
    return PileLoggedIn(DAY_MS + of_day_ms, PILE, 0, "ykc-1.6", "DC", 2, "V4.1.50", 0, "0" * 20, 4)


# -- opening ------------------------------------------------------------------------------------------


def test_an_order_opens_a_session_with_its_authorisation(yard):
    outcome = yard.start(card_uid="CARD", parallel_no="7")
    found = session(yard)
    assert (found.core.state, found.channel, found.balance_fen, found.parallel_no) == (State.OPENED, "app", 20_000, "7")
    assert (found.authorisation.at_ms, found.authorisation.card_uid) == (DAY_MS + BEGIN - 4_000, "CARD")
    assert found.order_no == "20260303082900000001"
    assert outcome.rows[-1] == found.saved()
    assert yard.sessions.active_on(PILE, 1) is found


def test_an_order_sent_again_opens_nothing(yard):
    yard.start()
    assert yard.start(BEGIN, balance_fen=1).rows == []
    assert session(yard).balance_fen == 20_000


def test_a_card_start_takes_its_channel_from_what_the_pile_asked(yard):
    yard.tell(StartRequested(DAY_MS + BEGIN - 5_000, PILE, 0, 1, "card", "C1", None, "V1"))
    yard.order(BEGIN - 4_000, AuthoriseStart(PILE, 0, SERIAL, 1, "0" * 16, 5_000, True, 0))
    found = session(yard)
    assert (found.channel, found.account, found.authorisation.vin) == ("card", "C1", "V1")
    assert yard.sessions.requests == {}


def test_a_card_that_is_refused_opens_nothing(yard):
    yard.order(BEGIN, AuthoriseStart(PILE, 0, SERIAL, 1, "0" * 16, 0, False, 2))
    assert session(yard) is None


def test_two_cars_of_one_account_and_two_connectors_of_one_car_know_of_each_other(yard):
    yard.start(card_uid="C1")
    yard.start(BEGIN, OTHER, connector=2, card_uid="C1")
    assert session(yard).has_concurrent
    assert session(yard, OTHER).has_concurrent
    yard.start(BEGIN + 1, "third", connector=3, parallel_no="9")
    yard.start(BEGIN + 2, "fourth", connector=4, parallel_no="9")
    assert session(yard, "third").has_parallel
    assert session(yard, "fourth").has_parallel
    assert not session(yard).has_parallel


@pytest.mark.parametrize(("age_ms", "offset_ms"), [(24 * HOUR, 500), (24 * HOUR + 1, None)])
def test_a_clock_counts_as_checked_for_a_day(age_ms, offset_ms):
    yard = Yard()
    yard.sessions.pile_clocks[PILE] = (DAY_MS + BEGIN - age_ms, 500)
    yard.start(BEGIN)
    assert session(yard).clock_offset_ms == offset_ms


# -- starting -----------------------------------------------------------------------------------------


def test_a_positive_answer_starts_and_upstream_learns_it_once(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0))
    assert session(yard).core.start_accepted_at_ms == DAY_MS + BEGIN - 2_000
    (told_start,) = [event for event in yard.events("session.started") if event.subject == SERIAL]
    assert (told_start.at_ms, told_start.data["order_no"]) == (DAY_MS + BEGIN - 2_000, "20260303082900000001")


def test_a_refusal_ends_the_session_and_frees_the_connector(yard):
    yard.start()
    yard.answer(is_accepted=False, reason_code=3)
    assert (session(yard).core.state, session(yard).refusal_code) == (State.NOT_STARTED, 3)
    assert yard.sessions.active_on(PILE, 1) is None
    assert [event.subject for event in yard.events("session.ended")][-1] == SERIAL


def test_a_missing_plug_is_no_refusal_yet(yard):
    yard.start()
    yard.answer(is_accepted=False, reason_code=5, may_still_start=True)
    assert (session(yard).core.state, session(yard).refusal_code) == (State.OPENED, None)


def test_a_refusal_while_it_charges_is_noted_and_stops_nothing(yard):
    yard.start()
    yard.tell(sample(BEGIN, 0))
    yard.answer(BEGIN + SECOND, is_accepted=False, reason_code=3)
    assert (session(yard).core.state, session(yard).refusal_code) == (State.CHARGING, 3)


def test_a_start_without_a_sample_ends_at_its_deadline_and_owes_nothing(yard):
    yard.start()
    yard.wait(BEGIN - 4_000 + 90_000 - 1)
    assert session(yard).core.state is State.OPENED
    yard.wait(BEGIN - 4_000 + 90_000)
    assert session(yard).core.state is State.NOT_STARTED
    yard.wait(BEGIN + HOUR)
    assert told(yard.bill()) == (1, "void", 0, 0)
    assert yard.bill().anomalies == ("authorised_never_started",)
    assert yard.bill().created_at_ms == DAY_MS + BEGIN - 4_000 + 90_000 + 30_000


# -- whose sample -------------------------------------------------------------------------------------


def test_samples_under_another_number_feed_the_charge_that_waits_for_its_first(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0, transaction_id=OTHER), sample(BEGIN + MINUTE, 0.8, transaction_id=OTHER))
    assert (session(yard).stream_serial, session(yard).core.sample_count) == (OTHER, 2)
    assert session(yard, OTHER) is None


def test_an_old_number_in_the_live_data_is_known_by_its_counter_that_began_anew(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0, transaction_id=FORMER))
    assert (session(yard).stream_serial, session(yard).core.sample_count) == (FORMER, 1)
    assert session(yard, FORMER).core.sample_count == 2


def test_a_late_sample_of_a_recorded_charge_feeds_nobody(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 2, transaction_id=FORMER))
    assert (session(yard).stream_serial, session(yard).core.sample_count) == (None, 0)


def test_samples_that_nobody_authorised_open_a_session_of_their_own():
    yard = Yard()
    yard.charge(transaction_id=OTHER)
    assert (session(yard, OTHER).authorisation, session(yard, OTHER).channel) == (None, None)
    assert session(yard, OTHER).core.sample_count == 11


def test_samples_on_another_connector_move_the_charge_there(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0, connector=2))
    assert session(yard).place == (PILE, 2)
    assert yard.sessions.active_on(PILE, 1) is None
    assert yard.sessions.active_on(PILE, 2) is session(yard)


def test_a_charge_that_moved_to_another_connector_is_waited_for_there_alone(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0), sample(BEGIN + MINUTE, 0.8, connector=2))
    chains = yard.sessions.chains
    assert SERIAL in chains.recent((PILE, 2))
    assert SERIAL not in chains.recent((PILE, 1))


def test_stored_states_and_preparing_connectors_prove_nothing(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 3, status=ConnectorStatus.OFFLINE), sample(BEGIN, 3, transaction_id=None))
    assert session(yard).core.sample_count == 0


def test_samples_after_the_deadline_show_that_the_order_was_closed_early(yard):
    yard.start()
    yard.wait(BEGIN + 5 * MINUTE)
    assert (session(yard).core.state, yard.bill().status) == (State.BILLED, "void")
    yard.tell(sample(BEGIN + 6 * MINUTE, 1))
    assert (session(yard).was_closed_early, session(yard).core.state) == (True, State.CHARGING)


def test_another_start_on_the_connector_ends_the_former_charge_at_its_last_sample(yard):
    yard.start()
    yard.answer()
    yard.charge()
    yard.start(END + MINUTE, NEXT)
    assert session(yard).core.state is State.CHARGING
    yard.answer(END + MINUTE + SECOND, NEXT)
    former = session(yard)
    assert (former.core.state, former.core.ended_at_ms) == (State.ENDED, DAY_MS + LAST)
    assert (former.next_start_at_ms, former.core.is_end_observed) == (DAY_MS + END + 61_000, False)
    assert yard.sessions.active_on(PILE, 1) is session(yard, NEXT)


# -- ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after_ms", "state"), [(119_999, State.CHARGING), (120_000, State.ENDED)])
def test_a_state_of_rest_ends_a_charge_once_it_lasts(yard, after_ms, state):
    yard.unrecorded()
    yard.wait(END + 5_000 + after_ms)
    assert session(yard).core.state is state
    if state is State.ENDED:
        assert session(yard).core.ended_at_ms == DAY_MS + END + 5_000


def test_a_pause_is_no_end(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0), resting(BEGIN + MINUTE), sample(BEGIN + 2 * MINUTE, 0.8))
    yard.wait(BEGIN + 10 * MINUTE)
    assert (session(yard).core.state, session(yard).core.ended_at_ms) == (State.CHARGING, None)


@pytest.mark.parametrize(("behind_ms", "is_observed"), [(60_000, True), (60_001, False)])
def test_the_end_report_of_the_battery_ends_a_charge(yard, behind_ms, is_observed):
    yard.start()
    yard.answer()
    yard.charge()
    yard.tell(BmsEnded(DAY_MS + LAST + behind_ms, PILE, 0, 1, SERIAL, 70, 50, 400))
    core = session(yard).core
    assert (core.state, core.is_end_observed) == (State.ENDED, is_observed)
    assert core.ended_at_ms == DAY_MS + LAST + (behind_ms if is_observed else 0)
    assert (session(yard).bms_end.energy_e4kwh, session(yard).bms_end.soc_percent) == (400_000, 70)
    assert [event.subject for event in yard.events("session.ended")].count(SERIAL) == 1


def test_the_battery_says_who_it_is_and_what_it_holds(yard):
    yard.start()
    yard.tell(sample(BEGIN, 0))
    for detail in ({"vin": "V1"}, {"vin": "V1"}, {"vin": "0" * 17}, {"nominal_energy_kwh": "60.5"}):
        yard.tell(BmsReported(DAY_MS + BEGIN + 1, PILE, 0, 1, SERIAL, "handshake", detail))
    yard.tell(BmsReported(DAY_MS + BEGIN + 1, PILE, 0, 1, SERIAL, "config", {"nominal_energy_kwh": "99.0"}))
    assert (session(yard).vins, session(yard).nominal_e4kwh) == (["V1"], 605_000)


def test_a_battery_that_tells_no_number_is_not_asked_again(yard):
    yard.start()
    outcome = yard.tell(BmsReported(DAY_MS + BEGIN, PILE, 0, 1, SERIAL, "config", {"nominal_energy_kwh": "?"}))
    assert (session(yard).nominal_e4kwh, outcome.lazy_rows) == (None, [])


# -- bills that no record made ------------------------------------------------------------------------


def test_half_an_hour_after_the_end_there_is_a_substitute_bill(yard):
    yard.unrecorded()
    yard.wait(END + 5_000 + 30 * MINUTE - 1)
    assert yard.bills() == []
    assert [notice.subject for notice in yard.noticed("session.record_overdue")] == [SERIAL]
    yard.wait(END + 5_000 + 30 * MINUTE)
    assert told(yard.bill()) == (1, "provisional", 398_000, 4_776)
    assert (yard.bill().reason, yard.bill().anomalies) == ("record_lost", ("record_missing",))
    assert session(yard).timer_at_ms == DAY_MS + END + 5_000 + 30 * MINUTE + 72 * HOUR


def test_a_silent_charge_is_billed_after_half_an_hour_and_stuck_after_twelve(yard):
    yard.start()
    yard.answer()
    yard.charge()
    yard.wait(LAST + 30 * MINUTE)
    yard.wait(LAST + 12 * HOUR)
    assert [(bill.reason, bill.created_at_ms - DAY_MS - LAST) for bill in yard.bills()] == [
        ("record_lost", 30 * MINUTE),
        ("silence", 12 * HOUR),
    ]
    assert yard.bill().anomalies == ("record_missing", "stuck_charging")
    assert told(yard.bill()) == (2, "provisional", 398_000, 4_776)


def test_samples_after_the_substitute_bill_take_the_session_up_again(yard):
    yard.start()
    yard.answer()
    yard.charge()
    yard.wait(LAST + 30 * MINUTE)
    assert session(yard).core.state is State.BILLED
    yard.tell(sample(LAST + 40 * MINUTE, 41))
    assert session(yard).core.state is State.CHARGING
    assert yard.sessions.running() == [session(yard)]
    yard.wait(LAST + 71 * MINUTE)
    assert [told(bill)[0::2] for bill in yard.bills()] == [(1, 398_000), (2, 410_000)]


@pytest.mark.parametrize(("late_ms", "revisions"), [(-1, 1), (0, 2)])
def test_a_provisional_bill_is_final_after_three_days(yard, late_ms, revisions):
    yard.unrecorded()
    first_ms = END + 5_000 + 30 * MINUTE
    yard.wait(first_ms + 72 * HOUR + late_ms)
    assert len(yard.bills()) == revisions
    if revisions == 2:
        assert told(yard.bill()) == (2, "repaired", 398_000, 4_776)
        assert (yard.bill().reason, session(yard).final_at_ms) == ("time_over", None)


def test_a_deadline_fires_at_its_own_time_however_late_somebody_looks(yard):
    yard.unrecorded()
    yard.wait(END + 1_000 * HOUR)
    first_ms = DAY_MS + END + 5_000 + 30 * MINUTE
    assert [bill.created_at_ms for bill in yard.bills()] == [first_ms, first_ms + 72 * HOUR]


# -- the cable ----------------------------------------------------------------------------------------


def test_the_cable_that_stays_is_paid_for_once_it_is_out():
    yard = Yard(SITE + OCCUPANCY)
    yard.former()
    yard.usual()
    yard.tell(resting(END + 30 * MINUTE), resting(END + HOUR, plugged=False))
    assert session(yard).unplugged_at_ms == DAY_MS + END + HOUR
    assert [(bill.reason, bill.amount_fen, bill.payable_fen) for bill in yard.bills()] == [
        ("record", 4_800, 4_800),
        ("unplugged", 4_800, 7_000),  # 59 minutes, 15 of them free, at 0.50 yuan
    ]
    yard.tell(resting(END + 2 * HOUR, plugged=False))
    assert len(yard.bills()) == 2


def test_the_cable_that_is_out_as_the_charge_ends_costs_nothing():
    yard = Yard(SITE + OCCUPANCY)
    yard.former()
    yard.start()
    yard.answer()
    yard.charge()
    yard.tell(resting(END + 5 * SECOND, plugged=False), record(), resting(END + 30 * MINUTE, plugged=False))
    assert session(yard).unplugged_at_ms == DAY_MS + END + 5_000
    assert [(bill.reason, bill.payable_fen) for bill in yard.bills()] == [("record", 4_800)]
    assert yard.sessions.chains.newest((PILE, 1)).was_unplugged


def test_a_cable_that_seemed_out_while_it_charges_on_was_not():
    yard = Yard(SITE + OCCUPANCY)
    yard.former()
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0), resting(BEGIN + MINUTE, plugged=False), sample(BEGIN + MINUTE + SECOND, 0.8))
    assert session(yard).unplugged_at_ms is None
    for moment in (*range(BEGIN + 5 * MINUTE, END, 5 * MINUTE), LAST):
        yard.tell(sample(moment, 48 * (moment - BEGIN) / HOUR))
    yard.tell(resting(END + 5 * SECOND), record(), resting(END + HOUR, plugged=False))
    assert [bill.reason for bill in yard.bills()] == ["record", "unplugged"]
    assert yard.bill().payable_fen == 7_000


def test_a_car_that_nobody_saw_leave_pays_nothing():
    yard = Yard(SITE + OCCUPANCY)
    yard.former()
    yard.usual()
    yard.following(END + 2 * HOUR)
    assert (yard.bill().reason, yard.bill().anomalies) == ("left_unseen", ("occupancy_unobserved",))
    assert (yard.bill().status, yard.bill().payable_fen) == ("repaired", 4_800)
    yard.tell(resting(END + 5 * HOUR, plugged=False))
    assert session(yard).unplugged_at_ms is None
    assert session(yard, NEXT).unplugged_at_ms == DAY_MS + END + 5 * HOUR


def test_without_a_price_for_it_the_cable_only_marks_the_chain(yard):
    yard.usual()
    yard.tell(resting(END + HOUR, plugged=False))
    assert len(yard.bills()) == 1
    assert yard.sessions.chains.newest((PILE, 1)).was_unplugged


# -- links, stops, money ------------------------------------------------------------------------------


def test_a_lost_link_ends_no_charge(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0))
    yard.lose_link(BEGIN + MINUTE)
    assert (session(yard).link_lost_at_ms, session(yard).core.state) == (DAY_MS + BEGIN + MINUTE, State.CHARGING)


def test_a_login_says_that_the_charge_is_over_and_waits_for_what_the_pile_kept(yard):
    yard.start()
    yard.answer()
    yard.charge()
    yard.tell(login(END + MINUTE))
    assert session(yard).core.login_at_ms == DAY_MS + END + MINUTE
    yard.tell(record(END + 3 * MINUTE))
    assert told(yard.bill())[2:] == (400_000, 4_800)


def test_a_stop_that_the_pile_ignores_is_noticed_once(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0), sample(BEGIN + 5 * MINUTE, 4))
    yard.order(BEGIN + 5 * MINUTE + 1, StopCharging(PILE, None, 1))
    yard.tell(OrderAnswered(DAY_MS + BEGIN + 5 * MINUTE + 2, PILE, 0, "StopCharging", 1, True, 0, {}))
    assert session(yard).stop_accepted_at_ms == DAY_MS + BEGIN + 5 * MINUTE + 2
    yard.tell(sample(BEGIN + 6 * MINUTE, 4.5))
    assert yard.noticed("session.stop_ignored") == []
    yard.tell(sample(BEGIN + 6 * MINUTE + 1, 4.5001), sample(BEGIN + 7 * MINUTE, 6))
    assert len(yard.noticed("session.stop_ignored")) == 1


@pytest.mark.parametrize(("is_ordered", "is_accepted"), [(False, True), (True, False)])
def test_a_stop_counts_when_it_was_ordered_and_accepted(yard, is_ordered, is_accepted):
    yard.start()
    yard.tell(sample(BEGIN, 0))
    if is_ordered:
        yard.order(BEGIN + 1, StopCharging(PILE, None, 1))
    yard.tell(OrderAnswered(DAY_MS + BEGIN + 2, PILE, 0, "StopCharging", 1, is_accepted, 0, {}))
    assert session(yard).stop_accepted_at_ms is None


def test_the_charge_is_to_stop_before_its_money_ends(yard):
    yard.start(balance_fen=1_200)  # 10 kWh; 0.25 kWh flow in a sample period at rated power, 0.30 yuan
    yard.answer()
    yard.tell(sample(BEGIN, 0), sample(BEGIN + 12 * MINUTE, 9.7))
    assert yard.noticed("session.balance_reached") == []
    yard.tell(sample(BEGIN + 12 * MINUTE + 15 * SECOND, 9.75), sample(BEGIN + 13 * MINUTE, 9.9))
    (notice,) = yard.noticed("session.balance_reached")
    assert (notice.subject, notice.at_ms) == (SERIAL, DAY_MS + BEGIN + 12 * MINUTE + 15 * SECOND)
    assert (notice.data["balance_fen"], notice.data["connector"]) == (1_200, 1)


def test_more_money_moves_the_stop_and_it_is_told_again(yard):
    yard.start(balance_fen=1_200)
    yard.answer()
    yard.tell(sample(BEGIN, 0), sample(BEGIN + 12 * MINUTE + 15 * SECOND, 9.75))
    yard.order(BEGIN + 13 * MINUTE, UpdateBalance(PILE, None, 1, "0" * 16, 2_400))
    assert (session(yard).balance_fen, session(yard).is_stop_due_told) == (2_400, False)
    yard.tell(sample(BEGIN + 14 * MINUTE, 10.5))
    assert len(yard.noticed("session.balance_reached")) == 1
    yard.tell(sample(BEGIN + 25 * MINUTE, 19.8))
    assert [notice.data["balance_fen"] for notice in yard.noticed("session.balance_reached")] == [1_200, 2_400]


@pytest.mark.parametrize("site", [SITE + "[billing]\nstops_prepaid = false\n", SITE])
def test_without_a_balance_or_where_the_site_says_so_nothing_stops(site):
    yard = Yard(site)
    yard.start(balance_fen=0 if site == SITE else 1_200)
    yard.answer()
    yard.charge()
    assert yard.noticed("session.balance_reached") == []


# -- the short way ------------------------------------------------------------------------------------


def lane():
    return Lane(Presence(PILE, 1), Traffic())


def test_a_charge_that_nobody_must_watch_may_go_the_short_way(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0))
    kept = lane()
    assert yard.sessions.follow(sample(BEGIN + SECOND, 0), kept)
    assert kept.session is session(yard).core
    session(yard).saved()
    assert (kept.session, session(yard).lane) == (None, None)


@pytest.mark.parametrize(
    "event",
    [
        sample(BEGIN, 0, transaction_id=OTHER),
        sample(BEGIN, 0, connector=2),
        sample(BEGIN, 0, status=ConnectorStatus.OFFLINE),
        resting(BEGIN),
    ],
    ids=["number", "connector", "stored", "rest"],
)
def test_what_may_change_something_is_seen_by_every_rule(yard, event):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0))
    assert not yard.sessions.follow(event, lane())


def test_an_idle_connector_goes_the_short_way_until_somebody_begins(yard):
    assert yard.sessions.follow(resting(BEGIN), lane())
    yard.usual()
    assert not yard.sessions.follow(resting(END + HOUR), lane())  # the car may still be there
    yard.tell(resting(END + HOUR, plugged=False))
    assert yard.sessions.follow(resting(END + HOUR + SECOND), lane())


# -- memory -------------------------------------------------------------------------------------------


def test_billed_sessions_leave_memory_and_are_recalled_when_their_record_comes_again(yard):
    yard.usual()
    yard.sessions._billed_kept_max = 1
    yard.tell(record(END + HOUR, serial=OTHER, connector=2))
    assert yard.sessions.held(SERIAL) is None
    outcome = yard.tell(record(END + 5 * HOUR))
    assert ([row for row in outcome.rows if isinstance(row, BillIssued)], len(outcome.replies)) == ([], 1)
    assert session(yard).records[0].energy_e4kwh == 400_000


def test_what_changed_is_told_once(yard):
    yard.start()
    assert yard.sessions.take_touched() == []
    yard.sessions.keep(session(yard))
    assert (yard.sessions.take_touched(), yard.sessions.take_touched()) == ([SERIAL], [])
    assert yard.sessions.timer_at_ms(SERIAL) == DAY_MS + BEGIN - 4_000 + 90_000
    assert yard.sessions.timer_at_ms("nobody") is None


@pytest.mark.parametrize(
    ("started_ms", "found_ms"),
    [
        (None, None),
        (DAY_MS, DAY_MS),
        (DAY_MS + 1, None),
        (1_451_577_600_000, 1_451_577_600_000),
        (1_451_577_599_999, None),
    ],
)
def test_a_start_orders_a_chain_when_it_can_have_been(started_ms, found_ms):
    assert plausible_start_ms(started_ms, DAY_MS) == found_ms


# -- restarts -----------------------------------------------------------------------------------------


def story(yard):
    """Inputs of a day: a former charge, one that goes wrong in three ways, and the next one."""
    yield from (yard.former, yard.start, yard.answer)
    for moment in range(BEGIN, END, 10 * MINUTE):
        yield lambda at_ms=moment: yard.tell(sample(at_ms, 48 * (at_ms - BEGIN) / HOUR))
    yield lambda: yard.lose_link(END - 5 * MINUTE)
    yield lambda: yard.tell(login(END + 3 * MINUTE))
    yield lambda: yard.tell(resting(END + 4 * MINUTE))
    yield lambda: yard.wait(END + 2 * HOUR)
    yield lambda: yard.following(END + 3 * HOUR)
    yield lambda: yard.tell(record(END + 5 * HOUR))
    yield lambda: yard.tell(record(END + 6 * HOUR, kwh=41))
    yield lambda: yard.wait(END + 200 * HOUR)


def bills_of_the_story(restart_before, site):
    yard = Yard(site)
    for number, step in enumerate(story(yard)):
        if number in restart_before:
            yard.restart()
        step()
    return [(row.transaction_id, row.reason, row.body) for row in yard.rows if isinstance(row, BillIssued)]


STEPS = sum(1 for _ in story(Yard()))


@pytest.mark.parametrize("site", [SITE, SITE + OCCUPANCY], ids=["plain", "occupancy"])
@pytest.mark.parametrize("restarts", [*((number,) for number in range(1, STEPS)), tuple(range(STEPS))], ids=str)
def test_a_restart_at_any_point_leads_to_the_same_bills(restarts, site):
    expected = bills_of_the_story((), site)
    assert len(expected) >= 5
    assert {key for key, _, _ in expected} == {FORMER, SERIAL, NEXT}
    for mine, other in itertools.zip_longest(bills_of_the_story(restarts, site), expected):
        assert mine == other

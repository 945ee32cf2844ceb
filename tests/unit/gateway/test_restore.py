"""A fresh engine takes up what a former run left in its database."""

import pytest

from billing_core.transitions import State
from gateway.outcome import BillIssued, OfflineCardsKnown, OrderSaved, Outcome
from gateway.restore import restore_engine
from gateway.store import Store, StoreConfig
from protocol.commands import StopCharging
from protocol.events import OrderAnswered, PileLoggedIn
from tests.support.yard import (
    BEGIN,
    DAY_MS,
    END,
    FORMER,
    HOUR,
    MINUTE,
    NEXT,
    PILE,
    SECOND,
    SERIAL,
    Yard,
    clock,
    record,
    resting,
    sample,
)

WAIT_S = 30
T0 = DAY_MS + BEGIN


class StoredYard(Yard):
    """A yard whose rows lie in a real database, and whose restarts read it.

    Args:
        path: of the database.
    """

    def __init__(self, path, **given):
        self.database = Store(StoreConfig(path=str(path)))
        super().__init__(**given)

    def take(self, outcome):
        self.database.writer.submit_telemetry(outcome.lazy_rows)
        self.database.writer.submit(outcome.rows)
        return super().take(outcome)

    def restart(self):
        self.save()
        self.engine = self._engine()
        self.engine.sessions._recall = self.database.reader.recall
        return self.take(restore_engine(self.engine, self.database))

    def save(self, *rows):
        self.database.writer.submit(list(rows)).result(WAIT_S)


@pytest.fixture
def yard(tmp_path):
    yard = StoredYard(tmp_path / "p.db")
    yield yard
    yard.database.close()


def login(of_day_ms, offset_ms=0):
    return PileLoggedIn(
        DAY_MS + of_day_ms, PILE, 0, "ykc-1.6", "DC", 2, "V4.1.50", 0, "0" * 20, 4, clock(of_day_ms + offset_ms)
    )


def order(kind="StartCharging", state="sent", **request):
    values = {
        "pile_id": PILE,
        "transaction_id": SERIAL,
        "connector": 1,
        "logic_card": "0" * 16,
        "card_uid": "C1",
        "balance_fen": 20_000,
        "parallel_no": None,
        "vin": None,
        **request,
    }
    return OrderSaved("o1", PILE, 1, kind, SERIAL, T0 - 4_000, T0 + 60_000, state, "card", values)


def test_an_empty_database_leaves_nothing_to_take_up(yard):
    assert yard.restart() == Outcome()
    assert yard.sessions.running() == []


def test_a_running_charge_goes_on_where_it_was(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0), sample(BEGIN + 5 * MINUTE, 4))
    rows = yard.sessions.find(SERIAL).core.rows()
    yard.restart()
    session = yard.sessions.active_on(PILE, 1)
    assert (session.transaction_id, session.core.state, session.core.rows()) == (SERIAL, State.CHARGING, rows)
    assert session.authorisation.balance_fen == 20_000
    assert yard.engine.timer_at_ms == session.timer_at_ms


def test_a_deadline_that_passed_meanwhile_fires_at_its_own_time(yard):
    yard.unrecorded()
    yard.restart()
    yard.wait(END + 4 * HOUR)
    assert [(bill.reason, bill.created_at_ms) for bill in yard.bills()] == [
        ("record_lost", DAY_MS + END + 5_000 + 30 * MINUTE)
    ]


def test_a_provisional_bill_is_still_to_become_final(yard):
    yard.unrecorded()
    yard.wait(END + HOUR)
    yard.restart()
    assert yard.engine.timer_at_ms == DAY_MS + END + 5_000 + 30 * MINUTE + 72 * HOUR
    yard.wait(END + 100 * HOUR)
    assert [(bill.revision, bill.reason) for bill in yard.bills()] == [(1, "record_lost"), (2, "time_over")]


def test_registers_clocks_cards_and_piles_are_known_again(yard):
    yard.tell(login(BEGIN - HOUR, 700))
    yard.former()
    yard.save(OfflineCardsKnown(PILE, T0, (("C1", ""), ("C2", "")), True))
    yard.restart()
    sessions, state = yard.sessions, yard.engine.piles.state(PILE)
    assert sessions.chains.newest((PILE, 1)).transaction_id == FORMER
    assert sessions.pile_clocks == {PILE: (T0 - HOUR, 700)}
    assert sessions.offline_cards == {PILE: {"C1", "C2"}}
    assert (sessions.protocols, sessions.firmware) == ({PILE: "ykc-1.6"}, {PILE: "V4.1.50"})
    assert (state.protocol, state.firmware_version, state.current, state.connector_count) == (
        "ykc-1.6",
        "V4.1.50",
        "DC",
        2,
    )
    assert (state.clock_offset_ms, state.clock_checked_at_ms, state.is_online) == (700, T0 - HOUR, False)


def test_a_start_that_was_written_down_and_perhaps_sent_is_a_session(yard):
    yard.save(order())
    outcome = yard.restart()
    session = yard.sessions.find(SERIAL)
    assert (session.core.state, session.core.opened_at_ms, session.channel) == (State.OPENED, T0 - 4_000, "app")
    assert (session.balance_fen, session.authorisation.card_uid) == (20_000, "C1")
    assert outcome.rows[-1] == session.saved()
    assert yard.restart() == Outcome()


def test_so_is_an_authorisation_with_what_the_pile_had_asked(yard):
    yard.save(order("AuthoriseStart", vin="LHB12345678901234"))
    yard.restart()
    session = yard.sessions.find(SERIAL)
    assert (session.channel, session.account, session.authorisation.vin) == ("card", "C1", "LHB12345678901234")


@pytest.mark.parametrize("state", ["failed", "refused"])
def test_an_order_that_came_to_nothing_is_none(yard, state):
    yard.save(order(state=state))
    assert yard.restart() == Outcome()
    assert yard.sessions.find(SERIAL) is None


def test_a_stop_that_was_ordered_before_counts_after(yard):
    yard.start()
    yard.answer()
    yard.tell(sample(BEGIN, 0))
    yard.order(BEGIN + SECOND, StopCharging(PILE, None, 1))
    yard.restart()
    yard.tell(OrderAnswered(T0 + 2 * SECOND, PILE, 0, "StopCharging", 1, True, 0, {}))
    assert yard.sessions.find(SERIAL).stop_accepted_at_ms == T0 + 2 * SECOND


def steps(yard):
    """A clean charge, one whose link is lost and whose record comes late and twice, and the next one between."""
    yield lambda: yard.tell(login(0))
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
    yield lambda: yard.tell(resting(END + 7 * HOUR, plugged=False))
    yield lambda: yard.wait(END + 200 * HOUR)


def test_a_restart_before_every_single_input_leads_to_the_same_bills(yard):
    never = Yard()
    for step in steps(never):
        step()
    for step in steps(yard):
        yard.restart()
        step()
    yard.save()
    expected = [row for row in never.rows if isinstance(row, BillIssued)]
    assert {row.transaction_id for row in expected} == {FORMER, SERIAL, NEXT}
    assert len(expected) > 4
    assert [row for row in yard.rows if isinstance(row, BillIssued)] == expected
    kept = yard.database.reader.all("SELECT transaction_id, revision, body FROM bill ORDER BY rowid")
    assert [(row["transaction_id"], row["revision"], row["body"]) for row in kept] == [
        (row.transaction_id, row.revision, row.body) for row in expected
    ]

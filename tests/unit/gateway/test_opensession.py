"""What is frozen thaws to the same, whatever happened before."""

import dataclasses
import json

import pytest

from billing_core.evidence import Authorisation, BmsEnd
from billing_core.session import pack_states
from gateway.lanes import Lane, Presence, Traffic
from gateway.opensession import OpenSession
from protocol.events import BmsEnded, BmsReported
from tests.support.yard import (
    BEGIN,
    DAY_MS,
    END,
    HOUR,
    MINUTE,
    OTHER,
    PILE,
    SERIAL,
    Yard,
    record,
    resting,
    sample,
)


def states_of(core):
    return pack_states(core.rows())[2] if core.rows() else b""


def again(session):
    return OpenSession.thaw(json.loads(json.dumps(session.saved().frozen)), states_of(session.core))


def values(session):
    """All fields; the core by what it would freeze, and its rows."""
    found = {field.name: getattr(session, field.name) for field in dataclasses.fields(session)}
    return found | {"core": (session.core.freeze(), session.core.rows())}


def opened(yard):
    yard.start(card_uid="C1", parallel_no="7")


def charging(yard):
    opened(yard)
    yard.answer()
    yard.tell(sample(BEGIN, 0, transaction_id=OTHER, connector=1), resting(BEGIN + MINUTE))
    yard.tell(BmsReported(DAY_MS + BEGIN, PILE, 0, 1, SERIAL, "handshake", {"vin": "V1"}))
    yard.lose_link(BEGIN + 2 * MINUTE)


def refused(yard):
    yard.start()
    yard.answer(is_accepted=False, reason_code=2)


def ended(yard):
    yard.start()
    yard.charge()
    yard.tell(BmsEnded(DAY_MS + END, PILE, 0, 1, SERIAL, 70, 50, 400))


def provisional(yard):
    yard.unrecorded()
    yard.wait(END + HOUR)


def billed(yard):
    yard.usual()
    yard.tell(record(END + HOUR, kwh=41), resting(END + 2 * HOUR, plugged=False))


def orphaned(yard):
    yard.tell(record())


STATES = (opened, charging, refused, ended, provisional, billed, orphaned)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_freeze_json_and_thaw_are_identity(state):
    yard = Yard()
    state(yard)
    session = yard.sessions.find(SERIAL)
    thawed = again(session)
    assert values(thawed) == values(session)
    assert thawed.saved() == session.saved()
    assert thawed.timer_at_ms == session.timer_at_ms


def test_the_row_says_what_others_ask_for():
    yard = Yard()
    provisional(yard)
    session = yard.sessions.find(SERIAL)
    row = session.saved()
    assert (row.transaction_id, row.pile_id, row.connector, row.state) == (SERIAL, PILE, 1, "billed")
    assert (row.energy_e4kwh, row.opened_at_ms, row.ended_at_ms) == (
        398_000,
        DAY_MS + BEGIN - 4_000,
        DAY_MS + END + 5_000,
    )
    assert row.due_at_ms == session.final_at_ms == DAY_MS + END + 5_000 + 30 * MINUTE + 72 * HOUR


def test_a_session_without_a_bill_has_no_date_of_its_own_in_the_row():
    yard = Yard()
    yard.start()
    assert yard.sessions.find(SERIAL).timer_at_ms is not None
    assert yard.sessions.find(SERIAL).saved().due_at_ms is None


def test_the_earlier_of_two_deadlines_counts():
    yard = Yard()
    yard.start()
    session = yard.sessions.find(SERIAL)
    core_ms = session.core.timer_at_ms
    for final_ms, due_ms in ((core_ms - 1, core_ms - 1), (core_ms + 1, core_ms), (None, core_ms)):
        session.final_at_ms = final_ms
        assert session.timer_at_ms == due_ms


def test_what_is_saved_has_changed_and_its_lane_rests():
    yard = Yard()
    yard.start()
    yard.tell(sample(BEGIN, 0))
    session = yard.sessions.find(SERIAL)
    lane = Lane(Presence(PILE, 1), Traffic())
    lane.follow(session.core, True)
    session.lane = lane
    assert "lane" not in session.saved().frozen
    assert (session.lane, lane.session) == (None, None)


@pytest.mark.parametrize(
    ("account", "card", "vin", "found"),
    [("a", "c", "v", "a"), (None, "c", "v", "c"), (None, None, "v", "v"), (None, None, None, None)],
)
def test_who_charges_is_known_by_account_card_or_car(account, card, vin, found):
    yard = Yard()
    yard.start()
    session = yard.sessions.find(SERIAL)
    session.authorisation = Authorisation(0, "app", 1, card_uid=card, vin=vin, account_id=account)
    assert session.account == found
    session.authorisation = None
    assert session.account is None


def test_where_and_when_it_stands_in_the_chain():
    yard = Yard()
    yard.start()
    session = yard.sessions.find(SERIAL)
    assert (session.place, session.begins_at_ms) == ((PILE, 1), DAY_MS + BEGIN - 4_000)
    session.sample_connector, session.order_ms = 2, 0
    assert (session.place, session.begins_at_ms) == ((PILE, 2), 0)


def test_the_end_told_by_the_battery_thaws_as_what_it_was():
    yard = Yard()
    ended(yard)
    assert again(yard.sessions.find(SERIAL)).bms_end == BmsEnd(DAY_MS + END, 70, 400_000)

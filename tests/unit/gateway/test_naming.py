"""Sessions that go by the card they run on, because their pile could not be given a number."""

import dataclasses

import pytest

from billing_core.timers import Timers
from gateway.engine import Engine
from gateway.site import PileEntry, Site
from protocol import commands as c
from protocol import events as e

AT_MS = 1_772_509_216_000
PILE, CARD = "F5A1", "00000000CA000001"


def asked(connector=1, at_ms=AT_MS, card=CARD):
    return e.StartRequested(at_ms, PILE, 1, connector, "card", card, None, None)


def answer(connector=1, *, is_accepted=True):
    return c.AuthoriseStart(PILE, 1, "", connector, "0" * 16, 5_000, is_accepted, 0)


def sample(number, connector=1, at_ms=AT_MS + 20_000, card=CARD):
    blank = {field.name: 0 for field in dataclasses.fields(e.SampleReceived)}
    given = {
        "at_ms": at_ms,
        "pile_id": PILE,
        "connector": connector,
        "transaction_id": number,
        "status": e.ConnectorStatus.CHARGING,
        "energy_e4kwh": 1_000,
        "card_uid": card,
        "is_plugged": True,
    }
    return e.SampleReceived(**blank | given)


@pytest.fixture
def engine():
    site = Site(piles={PILE: PileEntry(id=PILE)})
    return Engine(site, Timers(), silence_ms_max=90_000, recall=lambda key: None, is_replay=False)


def test_a_session_on_an_allowed_card_is_authorised(engine):
    engine.on_event(asked())
    engine.on_command(answer(), AT_MS + 1_000)
    assert engine.sessions.running() == []
    engine.on_event(sample("F5A1-01-20260303114036"))
    session = engine.sessions.find("F5A1-01-20260303114036")
    assert session.authorisation.card_uid == CARD
    assert session.authorisation.balance_fen == 5_000
    assert session.core.opened_at_ms == AT_MS + 1_000


def test_a_refused_card_authorises_nothing(engine):
    engine.on_event(asked())
    engine.on_command(answer(is_accepted=False), AT_MS + 1_000)
    engine.on_event(sample("F5A1-01-20260303114036"))
    assert engine.sessions.find("F5A1-01-20260303114036").authorisation is None


def test_two_cars_may_ask_on_one_card_before_the_first_is_answered(engine):
    engine.on_event(asked())
    engine.on_event(asked())
    engine.on_command(answer(), AT_MS + 1_000)
    engine.on_command(answer(), AT_MS + 1_000)
    for connector in (1, 2):
        engine.on_event(sample(f"F5A1-{connector:02d}-20260303114036", connector))
        assert engine.sessions.find(f"F5A1-{connector:02d}-20260303114036").authorisation is not None


@pytest.mark.parametrize("late_ms", [600_001, 40_000_000])
def test_a_car_that_comes_too_late_is_not_authorised(engine, late_ms):
    engine.on_event(asked())
    engine.on_command(answer(), AT_MS + 1_000)
    engine.on_event(sample("late", at_ms=AT_MS + 1_000 + late_ms))
    assert engine.sessions.find("late").authorisation is None


def test_another_card_is_another_matter(engine):
    engine.on_event(asked())
    engine.on_command(answer(), AT_MS + 1_000)
    engine.on_event(sample("other", card="00000000CA000002"))
    assert engine.sessions.find("other").authorisation is None


def test_a_sample_that_names_only_its_card_follows_the_session_of_that_card(engine):
    engine.on_event(asked())
    numbered = dataclasses.replace(answer(), transaction_id="N" * 31)
    engine.on_command(numbered, AT_MS + 1_000)
    engine.on_event(sample("F5A1-01-20260303114036"))
    assert engine.sessions.find("F5A1-01-20260303114036") is None
    assert engine.sessions.find("N" * 31).core.sample_count == 1

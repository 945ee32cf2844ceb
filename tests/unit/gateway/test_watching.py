import dataclasses

import pytest

from gateway.outcome import Outcome
from gateway.watching import unwatched_e4kwh, watch
from tests.support.yard import BEGIN, DAY_MS, MINUTE, PILE, SERIAL, SITE, Yard, sample, site_of


def begun(*facts, site=SITE, **start):
    """A charge with some samples; nobody watched it yet."""
    yard = Yard(site.replace("[[pile]]", "[billing]\nstops_prepaid = false\n[[pile]]", 1))
    yard.start(**start)
    yard.tell(sample(BEGIN, 0), *facts)
    yard.sessions.site = site_of(site)
    return yard, yard.sessions.find(SERIAL)


@pytest.mark.parametrize(
    ("balance_fen", "unwatched"),
    [
        (20_000, 833_333),  # 83.3333 kWh at 1.20 yuan are 100.00 yuan, half of it
        (1_001, 41_708),
        (1_000, -1),  # of a small balance every sample is looked at
        (0, None),
    ],
)
def test_up_to_half_of_the_money_nobody_reckons(balance_fen, unwatched):
    yard, session = begun(balance_fen=balance_fen)
    assert unwatched_e4kwh(session, PILE, yard.sessions.site) == unwatched


@pytest.mark.parametrize(
    "site",
    [
        SITE.replace("[[pile]]", "[billing]\nstops_prepaid = false\n[[pile]]", 1),
        SITE.replace('"0.70000"', '"0"').replace('"0.50000"', '"0"'),
        '[site]\nname = "bare"\n',
    ],
    ids=["told not to", "free", "no tariff"],
)
def test_where_nothing_is_to_be_spent_nothing_is_watched(site):
    _, session = begun()
    assert unwatched_e4kwh(session, PILE, site_of(site)) is None


def test_what_was_told_or_was_never_authorised_is_not_watched():
    yard, session = begun()
    session.is_stop_due_told = True
    assert unwatched_e4kwh(session, PILE, yard.sessions.site) is None
    session.is_stop_due_told, session.authorisation = False, None
    assert unwatched_e4kwh(session, PILE, yard.sessions.site) is None


def test_the_dearest_rate_in_force_at_the_authorisation_counts():
    yard, session = begun()
    later = session.authorisation
    session.authorisation = dataclasses.replace(later, at_ms=0)  # before the first tariff
    assert unwatched_e4kwh(session, PILE, yard.sessions.site) is None
    session.authorisation = later
    assert unwatched_e4kwh(session, PILE, yard.sessions.site) == 833_333


def watched(yard, session, event):
    outcome = Outcome()
    watch(session, event, yard.sessions.billing, outcome)
    return [notice.type.rsplit(".", 1)[1] for notice in outcome.notices]


def test_the_end_of_the_money_is_told_once():
    near, end = sample(BEGIN + 12 * MINUTE, 9.7), sample(BEGIN + 13 * MINUTE, 9.8)
    yard, session = begun(near, balance_fen=1_200)
    assert watched(yard, session, near) == []
    yard, session = begun(near, end, balance_fen=1_200)
    assert watched(yard, session, end) == ["balance_reached"]
    assert session.is_stop_due_told
    assert watched(yard, session, end) == []


@pytest.mark.parametrize(("kwh", "told"), [(4.5, []), (4.5001, ["stop_ignored"])])
def test_half_a_kilowatt_hour_behind_an_accepted_stop_is_too_much(kwh, told):
    event = sample(BEGIN + 6 * MINUTE, kwh)
    yard, session = begun(sample(BEGIN + 5 * MINUTE, 4), event)
    session.stop_accepted_at_ms = DAY_MS + BEGIN + 5 * MINUTE
    assert watched(yard, session, event) == told
    assert watched(yard, session, event) == []

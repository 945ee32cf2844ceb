import pytest

from gateway.cables import Cables
from gateway.chain import RegisterChains
from gateway.outcome import ChainKept
from tests.support.yard import BEGIN, DAY_MS, PILE, SERIAL, Yard, sample

PLACE = (PILE, 1)


@pytest.fixture
def chains():
    return RegisterChains()


@pytest.fixture
def cables(chains):
    return Cables(chains)


@pytest.fixture
def session():
    yard = Yard()
    yard.start()
    yard.tell(sample(BEGIN, 0))
    return yard.sessions.find(SERIAL)


def kept(transaction_id, order_ms, **changes):
    return ChainKept(PILE, 1, transaction_id, order_ms, 0, 1, order_ms, order_ms, None, **changes)


def test_a_charge_that_is_over_stays_until_its_cable_is_out_or_somebody_begins(cables, session):
    assert cables.find(PLACE) is None
    cables.stay(session)
    assert cables.find(PLACE) == SERIAL
    cables.leave(PLACE)
    assert cables.find(PLACE) is None
    cables.stay(session)
    assert (cables.take(PLACE), cables.take(PLACE)) == (SERIAL, None)


def test_without_samples_or_with_its_cable_out_nobody_stays(cables, session):
    session.unplugged_at_ms = 5
    cables.stay(session)
    assert cables.find(PLACE) is None
    yard = Yard()
    yard.start()
    cables.stay(yard.sessions.find(SERIAL))
    assert cables.find(PLACE) is None


def test_an_older_charge_displaces_no_newer_one(cables, session):
    cables.stay(session)
    cables.rename(PLACE, SERIAL, "newer")
    cables.rename(PLACE, SERIAL, "nobody")
    cables.stay(session, is_newest=False)
    assert cables.find(PLACE) == "newer"
    cables.stay(session)
    assert cables.find(PLACE) == SERIAL


@pytest.mark.parametrize(("was_unplugged", "found"), [(False, "a"), (True, None)])
def test_after_a_restart_the_chain_remembers_and_tells_it_once(chains, cables, was_unplugged, found):
    chains.put(kept("a", 100, was_unplugged=was_unplugged))
    assert cables.find(PLACE) == found
    assert (cables.take(PLACE), cables.take(PLACE)) == (found, None)


@pytest.mark.parametrize(("order_ms", "found"), [(DAY_MS + BEGIN - 4_001, SERIAL), (DAY_MS + BEGIN, "a")])
def test_of_what_a_former_run_left_the_newest_counts(chains, cables, session, order_ms, found):
    chains.put(kept("a", order_ms))
    cables.take(PLACE)
    cables.restore(session)
    other = Cables(chains)
    other.stay(session)
    other.rename(PLACE, SERIAL, "a")
    other.restore(session)
    assert other.find(PLACE) == found

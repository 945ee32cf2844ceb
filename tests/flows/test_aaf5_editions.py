"""A day of every edition of the AA F5 family over sockets: billed to the truth of the piles, and replayed to the same.

Each has its own bodies, units and queue: docs/protocols/aaf5.md, "Profiles".
"""

import random

import pytest

from gateway.simulator.aaf5_editions import EDITIONS
from gateway.simulator.scripts import cast_fleet
from tests.support.familyday import check_all, check_replay, expected_fen, live_through

SPEED = 20  # at sixty a tenth of a second of a busy machine is six seconds, and energy is rightly doubted
FAMILY = [profile for profile in EDITIONS if profile != "lv34"]
_OF = {**dict.fromkeys(FAMILY, "aaf5"), "lv34": "aaf5-lv34"}  # lv34 is started by orders alone


def day_of(directory, protocol, piles, *, seed, faults="none", sessions=1, charge_ms=(40_000, 90_000), **keys):
    cast = cast_fleet(
        piles, seed=seed, faults=faults, sessions_per_connector=sessions, charge_ms=charge_ms, protocol=protocol
    )
    is_ordered = protocol == "aaf5-lv34"
    return live_through(directory, cast, protocol, speed=SPEED, seed=seed, is_ordered=is_ordered, **keys)


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """One day of the family, one of those that only take orders."""
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    return {
        protocol: day_of(tmp_path_factory.mktemp(protocol), protocol, piles, seed=seed)
        for protocol, piles in (("aaf5", 14), ("aaf5-lv34", 3))
    }


def check_amounts(day, profile):
    """Every session of an edition is billed as its pile booked it."""
    piles = [pile for pile in day.piles if pile.edition.profile == profile]
    stories = [(pile, story) for pile in piles for story in pile.stories]
    assert len(stories) == sum(len(pile.connectors) for pile in piles), "every car was charged"
    for pile, story in stories:
        bill = day.bills[story.transaction_id]
        assert bill["status"] == "normal", (pile.plan.pile_id, story, bill["document"]["anomalies"])
        assert bill["energy_e4kwh"] == story.energy_e4kwh > 0
        assert bill["amount_fen"] == expected_fen(pile, story)
        assert bill["document"]["protocol"] == f"aaf5-{profile}"


@pytest.mark.parametrize("profile", EDITIONS)
def test_an_edition_is_billed_to_the_truth_of_its_piles(days, profile):
    check_amounts(days[_OF[profile]], profile)


@pytest.mark.parametrize("protocol", ["aaf5", "aaf5-lv34"])
def test_every_session_has_one_bill_and_no_record_was_destroyed(days, protocol):
    check_all(days[protocol])


@pytest.mark.parametrize("protocol", ["aaf5", "aaf5-lv34"])
def test_a_replay_of_the_day_finds_the_same_bills(days, protocol):
    check_replay(days[protocol])


@pytest.mark.soak
@pytest.mark.parametrize("faults", ["cut-link", "garbage", "power-loss", "half-frames"])
@pytest.mark.parametrize("protocol", ["aaf5", "aaf5-lv34"])
def test_long_days_with_faults_bill_every_session_once(tmp_path, protocol, faults):
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    day = day_of(tmp_path, protocol, 14 if protocol == "aaf5" else 4, seed=seed, faults=faults, sessions=3)
    check_all(day)
    for pile in day.piles:
        for story in pile.stories:
            bill = day.bills[story.transaction_id]
            if bill["status"] == "normal":
                told = (bill["energy_e4kwh"], bill["amount_fen"])
                assert told == (story.energy_e4kwh, expected_fen(pile, story)), bill["document"]["anomalies"]
    check_replay(day)

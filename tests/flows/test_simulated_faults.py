"""One simulated pile of every fault profile against the real daemon: what was clean is billed to the fen."""

import asyncio
import dataclasses

import pytest

from gateway.billschema import fault_of
from gateway.simulator.faults import PROFILES
from gateway.simulator.fleet import Fleet
from gateway.simulator.scripts import card_uid, cast_fleet, vin
from tests.flows.conftest import SPEED
from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import stalls, write_config

NAMES = [name for name in PROFILES if name != "mixed"]
SEED = 20260303


def cast_of_all():
    """The n-th pile of the site has the n-th profile, and two cars at each connector."""
    cast = []
    for number, name in enumerate(NAMES, 1):
        one = cast_fleet(number, seed=SEED, faults=name, sessions_per_connector=2, charge_ms=(40_000, 90_000))[-1]
        cast.append(dataclasses.replace(one, plan=dataclasses.replace(one.plan, reconnect_ms=1_000)))
    return cast


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """(stories by profile, newest bills, refusals in the log) of one day."""
    directory = tmp_path_factory.mktemp("faults")
    count = len(NAMES)
    more = "[session]\nrecord_lost_ms = 360000\n" + stalls(SPEED)
    clock = FastClock(START_MS, SPEED)
    daemon = Daemon(write_config(directory, count, more=more), clock)
    list_accounts(
        directory, cards=[card_uid(n) for n in range(1, count + 1)], vins=[vin(n) for n in range(1, count + 1)]
    )

    async def live():
        daemon.start()
        fleet = Fleet(cast_of_all(), host="127.0.0.1", port=daemon.port, seed=SEED, now_ms=clock.now_ms, speed=SPEED)
        async with asyncio.timeout(60):
            await fleet.run()
        stories = {}
        for name, pile in zip(NAMES, fleet.piles, strict=True):
            stories[name] = pile.stories
            assert pile.stories, f"{name}: nobody charged"
            assert not len(pile.records), f"{name}: a record was never acknowledged"
        keys = {story.transaction_id for told in stories.values() for story in told}
        async with asyncio.timeout(30):
            while not keys <= set(daemon.bills()):
                await asyncio.sleep(0.1)
        return stories

    try:
        stories = asyncio.run(live())
        return stories, daemon.bills(), daemon.log_lines("frame_refused"), daemon.log_lines("link_closed")
    finally:
        daemon.close()


@pytest.mark.parametrize("name", NAMES)
def test_every_session_has_one_bill_and_clean_ones_are_exact(day, name):
    stories, bills, *_ = day
    for story in stories[name]:
        bill = bills[story.transaction_id]
        assert fault_of(bill["document"]) is None
        if story.is_clean:
            assert bill["reason"] == "record"  # made of the record alone; a line that is cut may have it come late
            assert bill["status"] == "normal", (story, bill["anomalies"])
            assert bill["amount_fen"] == story.expected_fen
            assert bill["energy_e4kwh"] == story.energy_e4kwh


SHOWS = {  # what a fault must leave in a bill's anomalies
    "no-record": "record_missing",
    "clock-1999": "time_",
    "clock-2000": "time_",
    "clock-ahead": "time_",
    "register-reset": "meter_",
    "conflicting-record": "record_",
}


@pytest.mark.parametrize("name", SHOWS)
def test_a_fault_of_the_pile_is_named(day, name):
    stories, bills, *_ = day
    named = [code for story in stories[name] for code in bills[story.transaction_id]["document"]["anomalies"]]
    assert any(code["code"].startswith(SHOWS[name]) for code in named), named


def test_a_power_loss_is_the_reason_of_the_stop(day):
    stories, bills, *_ = day
    stops = {bills[story.transaction_id]["document"]["stop_reason"]["code"] for story in stories["power-loss"]}
    assert "0x83" in stops


def test_faults_of_the_line_were_really_there(day):
    _, _, refused, closed = day
    piles = {name: f"99{number:012d}" for number, name in enumerate(NAMES, 1)}
    assert any(line.get("pile_id") == piles["garbage"] for line in refused)
    assert any(line.get("pile_id") == piles["flood"] and "more frames" in line["reason"] for line in closed), (
        "the flood was closed"
    )

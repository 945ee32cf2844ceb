"""A site of two families of piles: every session has its bill, to the fen, and a replay of the day finds the same."""

import asyncio
import dataclasses
import json

import pytest

from gateway.billschema import fault_of
from gateway.simulator.aaf5 import Aaf5Pile
from gateway.simulator.fleet import Fleet
from gateway.simulator.scripts import card_uid, cast_fleet, vin
from tests.flows.conftest import SPEED
from tests.support.commandline import pilegate
from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import write_config

SEED = 20261124
PRICES = {"flat": (70_000, 80_000), "peak": (110_000, 80_000), "valley": (30_000, 80_000)}
FAULTS = ("none", "half-frames", "garbage", "cut-link", "duplicate-records")
HOLDS_BACK = ("half-frames",)  # what came late leaves less time for the energy that it tells: rightly doubted
COUNT = 10


def rate_of(slot: int) -> str:
    return "valley" if slot < 16 else "peak" if 20 <= slot < 24 else "flat"


def reckoned_fen(booked: dict[int, int]) -> int:
    """Rule B-1 over energies by half hour, reckoned here."""
    energies: dict[str, int] = {}
    for slot, energy_e4kwh in booked.items():
        energies[rate_of(slot)] = energies.get(rate_of(slot), 0) + energy_e4kwh
    total_e4yuan = sum(
        (energy * price_e5 + 50_000) // 100_000 for rate, energy in energies.items() for price_e5 in PRICES[rate]
    )
    return (total_e4yuan + 50) // 100


def cast_of(count):
    """Piles of both families, one fault after the other."""
    cast = []
    for number in range(1, count + 1):
        faults = FAULTS[number % len(FAULTS)]
        one = cast_fleet(
            number, seed=SEED, faults=faults, sessions_per_connector=2, charge_ms=(40_000, 90_000), protocol="mixed"
        )[-1]
        cast.append(dataclasses.replace(one, plan=dataclasses.replace(one.plan, reconnect_ms=1_000)))
    return cast


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """(piles, newest bills, the daemon) of one day."""
    directory = tmp_path_factory.mktemp("mixed")
    clock = FastClock(START_MS, SPEED)
    more = "[session]\nrecord_lost_ms = 600000\n"
    daemon = Daemon(write_config(directory, COUNT, more=more, protocol="mixed"), clock)
    numbers = range(1, COUNT + 1)
    list_accounts(directory, cards=[card_uid(n) for n in numbers], vins=[vin(n) for n in numbers])

    async def live():
        daemon.start()
        fleet = Fleet(cast_of(COUNT), host="127.0.0.1", port=daemon.port, seed=SEED, now_ms=clock.now_ms, speed=SPEED)
        async with asyncio.timeout(60):
            await fleet.run()
        return fleet.piles

    try:
        piles = asyncio.run(live())
        assert daemon.stop() == 0
        yield piles, daemon.bills(), daemon
    finally:
        daemon.close()


def test_every_session_of_either_family_has_one_bill(day):
    piles, bills, _daemon = day
    stories = [story for pile in piles for story in pile.stories]
    assert len(stories) >= COUNT
    assert {story.transaction_id for story in stories} == set(bills)
    assert {pile.plan.protocol for pile in piles} == {"ykc", "aaf5-sh52", "aaf5-sh26"}
    for bill in bills.values():
        assert fault_of(bill["document"]) is None


def test_sessions_are_billed_to_the_fen(day):
    piles, bills, _daemon = day
    for number, pile in enumerate(piles, 1):
        for story in pile.stories:
            bill = bills[story.transaction_id]
            is_clean = FAULTS[number % len(FAULTS)] not in HOLDS_BACK
            assert bill["status"] == "normal" or not is_clean, (
                pile.plan.protocol,
                story,
                bill["document"]["anomalies"],
            )
            if bill["status"] == "normal":
                booked = pile.booked.get(story.transaction_id) if isinstance(pile, Aaf5Pile) else None
                assert bill["energy_e4kwh"] == story.energy_e4kwh
                assert bill["amount_fen"] == (story.expected_fen if booked is None else reckoned_fen(booked))


def test_no_acknowledgement_ever_cost_a_record(day):
    piles, _, _ = day
    for pile in piles:
        if isinstance(pile, Aaf5Pile):
            assert (pile.queue.destroyed, pile.queue.unasked, len(pile.queue)) == (0, 0, 0)


def test_a_replay_of_the_day_finds_the_same_bills(day):
    _, bills, daemon = day
    logs = sorted(str(path) for path in (daemon.directory / "capture").glob("*.pcap"))
    done = pilegate("replay", *logs, "--site", str(daemon.config), "--json")
    replayed = {bill["transaction_id"]: bill for bill in map(json.loads, done.out.splitlines())}
    assert replayed == {key: bill["document"] for key, bill in bills.items()}

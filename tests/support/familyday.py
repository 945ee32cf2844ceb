"""A day of simulated piles of one or more families against a real daemon, and what must hold in the end."""

import asyncio
import contextlib
import dataclasses
import json

import httpx

from gateway.billschema import fault_of
from gateway.simulator.aaf5 import Aaf5Pile
from gateway.simulator.fleet import Fleet
from gateway.simulator.lines import TcpLine
from gateway.simulator.scripts import card_uid, vin
from tests.support.commandline import pilegate
from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import stalls, write_config

SEED = 20261124
PRICES = {"flat": (70_000, 80_000), "peak": (110_000, 80_000), "valley": (30_000, 80_000)}
_PATIENT = "[limits]\nidle_timeout_ms = 36000000\n[session]\nrecord_lost_ms = 600000\n"


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


def expected_fen(pile, story) -> int:
    """What the bill of a session must come to."""
    booked = pile.booked.get(story.transaction_id) if isinstance(pile, Aaf5Pile) else None
    return story.expected_fen if booked is None else reckoned_fen(booked)


@dataclasses.dataclass
class Day:
    """What became of one day: the piles, their newest bills, the daemon that made them."""

    piles: list
    bills: dict
    daemon: Daemon


def live_through(
    directory, cast, protocol, *, speed, count=None, seed=SEED, more="", dial=None, meanwhile=None, is_ordered=False
):
    """One day of a site.

    Args:
        count: piles that the site lists, where not all of them charge.
        protocol: as ``pilegate simulate`` takes it; the site's tables follow from it.
        more: further lines of the configuration.
        dial: (daemon, pile id) → a line; TCP when not given.
        meanwhile: (daemon) → a coroutine that runs beside the piles.
        is_ordered: cars that wait for an order get one by the HTTP interface.
    """
    clock = FastClock(START_MS, speed)
    count = count or len(cast)
    daemon = Daemon(write_config(directory, count, more=_PATIENT + stalls(speed) + more, protocol=protocol), clock)
    numbers = range(1, count + 1)
    token = list_accounts(directory, cards=[card_uid(n) for n in numbers], vins=[vin(n) for n in numbers])

    async def by_tcp(daemon, pile_id):
        return TcpLine(*await asyncio.open_connection("127.0.0.1", daemon.port))

    async def live():
        await asyncio.to_thread(daemon.start)
        fleet = Fleet(
            cast, seed=seed, now_ms=clock.now_ms, speed=speed, dial=lambda pile_id: (dial or by_tcp)(daemon, pile_id)
        )
        async with asyncio.timeout(110):
            ordering = asyncio.create_task(order_starts(daemon, token, fleet) if is_ordered else asyncio.sleep(0))
            running = asyncio.create_task(fleet.run())
            if meanwhile is not None:
                await meanwhile(daemon)
            await running
            ordering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ordering
        return fleet.piles

    try:
        piles = asyncio.run(live())
        assert daemon.stop() == 0
        return Day(piles, daemon.bills(), daemon)
    finally:
        daemon.close()


async def order_starts(daemon, token, fleet):
    """Order a start wherever a car waits for one, until cancelled."""
    base = f"http://127.0.0.1:{daemon.api_port}/api/v1"
    async with httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=40) as client:
        while True:
            for pile in fleet.piles:
                for connector in pile.connectors:
                    if pile.is_ready and connector.visit is not None and connector.phase == "plugged":
                        path = f"/piles/{pile.plan.pile_id}/connectors/{connector.no}/start"
                        await client.post(path, json={"balance": "500.00"})
            await asyncio.sleep(0.05)


def check_all(day, *, is_killed=False):
    """Every session of every family has one bill that holds, and no acknowledgement cost a record."""
    stories = {story.transaction_id for pile in day.piles for story in pile.stories}
    assert stories <= set(day.bills)
    unheard = [day.bills[key] for key in set(day.bills) - stories]  # allowed, and killed before the pile heard of it
    assert is_killed or not unheard
    assert {(bill["status"], bill["amount_fen"]) for bill in unheard} <= {("void", 0)}
    for bill in day.bills.values():
        assert fault_of(bill["document"]) is None
    for pile in day.piles:
        if isinstance(pile, Aaf5Pile):
            assert (pile.queue.destroyed, len(pile.queue)) == (0, 0)


def check_replay(day):
    """The capture replays to the bills that were made live."""
    logs = sorted(str(path) for path in (day.daemon.directory / "capture").glob("*.pcap"))
    done = pilegate("replay", *logs, "--site", str(day.daemon.config), "--json")
    assert "answer_differs" not in done.err, done.err[:2_000]
    replayed = {bill["transaction_id"]: bill for bill in map(json.loads, done.out.splitlines())}
    assert replayed == {key: bill["document"] for key, bill in day.bills.items()}

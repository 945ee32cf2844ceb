"""A record that did not come by itself is asked for before a bill has to do without it."""

import asyncio
import dataclasses

import pytest

from gateway.simulator.fleet import Fleet
from gateway.simulator.scripts import card_uid, cast_fleet, vin
from tests.flows.conftest import SPEED
from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import stalls, write_config

SEED = 7
COUNT = 2  # one of each generation: 421 by number, 401 by place


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """(piles, bills, lines of the log about orders) where no pile sends a record of its own accord."""
    directory = tmp_path_factory.mktemp("asked")
    clock = FastClock(START_MS, SPEED)
    daemon = Daemon(write_config(directory, COUNT, protocol="aaf5", more=stalls(SPEED)), clock)
    numbers = range(1, COUNT + 1)
    list_accounts(directory, cards=[card_uid(n) for n in numbers], vins=[vin(n) for n in numbers])
    cast = [
        dataclasses.replace(each, plan=dataclasses.replace(each.plan, visits=each.plan.visits[:1]))
        for each in cast_fleet(COUNT, seed=SEED, charge_ms=(40_000, 60_000), protocol="aaf5")
    ]

    async def live():
        daemon.start()
        fleet = Fleet(
            cast, host="127.0.0.1", port=daemon.port, seed=SEED, now_ms=clock.now_ms, speed=SPEED, lingers=True
        )
        for pile in fleet.piles:
            pile.loses_uploads = True
        running = asyncio.create_task(fleet.run())
        async with asyncio.timeout(30):
            while len(daemon.bills()) < COUNT:
                await asyncio.sleep(0.1)
        fleet.stop()
        await running
        return fleet.piles

    try:
        piles = asyncio.run(live())
        assert daemon.stop() == 0
        yield piles, daemon.bills(), daemon.log_lines("order_finished")
    finally:
        daemon.close()


def test_the_bill_rests_on_the_record_that_was_asked_for(day):
    piles, bills, orders = day
    for pile in piles:
        (story,) = pile.stories
        bill = bills[story.transaction_id]
        assert bill["status"] == "normal", bill["document"]["anomalies"]
        assert bill["document"]["basis"]["energy"] in ("register_pair", "record_total")
        assert bill["energy_e4kwh"] == story.energy_e4kwh
    asked = [line for line in orders if line["kind"] == "AskRecord"]
    assert {line["pile_id"] for line in asked} == {pile.plan.pile_id for pile in piles}
    assert {line["state"] for line in asked} == {"accepted"}


def test_what_was_asked_for_is_not_acknowledged(day):
    piles, _, _ = day
    for pile in piles:
        assert (pile.queue.destroyed, pile.queue.unasked) == (0, 0)

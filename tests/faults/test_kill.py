"""``kill -9`` of the real daemon at random moments under load.

Nothing acknowledged is missing, nothing doubled, and in the end every session is billed once.
"""

import asyncio
import dataclasses
import os
import random
from collections import Counter

import pytest

from gateway.simulator.fleet import Fleet
from gateway.simulator.scripts import card_uid, cast_fleet, vin
from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import write_config

SPEED = 20
PILES = 12


class Siege:
    """A daemon that is killed again and again while piles charge."""

    def __init__(self, directory, seed):
        self.rng = random.Random(seed)
        self.seed = seed
        self.clock = FastClock(START_MS, SPEED)
        self.daemon = Daemon(write_config(directory, PILES), self.clock)
        list_accounts(directory, cards=[card_uid(n + 1) for n in range(PILES)], vins=[vin(n + 1) for n in range(PILES)])
        self.stories = []
        self.registers = {}
        self.kills = 0

    async def run(self, kills):
        await asyncio.to_thread(self.daemon.start)
        turn = 0
        while self.kills < kills:
            turn += 1
            await self.one_fleet(self.seed * 1_000 + turn, kills)

    async def one_fleet(self, seed, kills):
        """A fleet from its first car to its last acknowledgement, with kills in between."""
        cast = cast_fleet(
            PILES, seed=seed, sessions_per_connector=2, charge_ms=(20_000, 90_000), registers=self.registers
        )
        cast = [dataclasses.replace(one, plan=dataclasses.replace(one.plan, reconnect_ms=1_000)) for one in cast]
        fleet = Fleet(cast, host="127.0.0.1", port=self.daemon.port, seed=seed, now_ms=self.clock.now_ms, speed=SPEED)
        running = asyncio.create_task(fleet.run())
        while not running.done():
            await asyncio.wait({running}, timeout=self.rng.uniform(0.05, 1.5))
            if self.kills < kills and not running.done():
                await asyncio.to_thread(self.kill_and_restart, fleet)
        await running
        self.stories += fleet.oracle()
        self.registers = fleet.registers
        assert fleet.report().records_unacknowledged == 0

    def kill_and_restart(self, fleet):
        self.daemon.kill()
        self.kills += 1
        promised = {story.transaction_id for story in fleet.oracle() if story.is_acknowledged}
        held = {row["transaction_id"] for row in self.daemon.rows("SELECT transaction_id FROM bill")}
        kept = {row["transaction_id"] for row in self.daemon.rows("SELECT transaction_id FROM record")}
        assert promised <= kept, f"acknowledged, but no record: {promised - kept}"
        assert promised <= held, f"acknowledged, but no bill: {promised - held}"
        self.daemon.start()
        fleet.port = self.daemon.port

    def check_the_end(self):
        """Every session of a pile has one record and one bill, over its energy; revisions count up from 1.

        With samples lost in a kill a record may look doubtful: then the bill says so, and asks for no more.
        """
        bills = self.daemon.bills()
        told = {story.transaction_id: story for story in self.stories}
        assert len(told) == len(self.stories), "two sessions with one number"
        assert set(told) <= set(bills), f"never billed: {set(told) - set(bills)}"
        for transaction_id, bill in bills.items():
            if transaction_id not in told:  # authorised, and the pile never heard of it
                assert (bill["status"], bill["energy_e4kwh"], bill["amount_fen"]) == ("void", 0, 0), bill
        wrong = {
            serial: (bills[serial]["status"], bills[serial]["anomalies"], story.energy_e4kwh, bills[serial]["body"])
            for serial, story in told.items()
            if not fits(bills[serial], story.energy_e4kwh)
        }
        assert not wrong
        numbers = self.daemon.rows("SELECT count(*) AS n, max(revision) AS newest FROM bill GROUP BY transaction_id")
        assert all(row["n"] == row["newest"] for row in numbers)
        records = Counter(row["transaction_id"] for row in self.daemon.rows("SELECT transaction_id FROM record"))
        assert set(records.values()) == {1}
        return Counter(bills[transaction_id]["status"] for transaction_id in told)


def fits(bill, energy_e4kwh):
    """Whether a bill is over the true energy, or doubted by name and in favour of the driver."""
    is_doubted = bill["status"] in ("provisional", "review") and bill["primary_anomaly"]
    return bill["energy_e4kwh"] == energy_e4kwh or (is_doubted and bill["energy_e4kwh"] < energy_e4kwh)


def besiege(directory, kills, seed):
    print(f"seed {seed}: set PILEGATE_SEED to repeat it")
    siege = Siege(directory, seed)
    try:
        asyncio.run(siege.run(kills))
        statuses = siege.check_the_end()
        print(f"{siege.kills} kills, {len(siege.stories)} sessions, bills {dict(statuses)}")
        assert siege.daemon.stop() == 0
    finally:
        siege.daemon.close()
    assert statuses["review"] < len(siege.stories) // 4


def seed_of_the_day():
    return int(os.environ.get("PILEGATE_SEED") or random.SystemRandom().randrange(1_000_000))


def test_ten_kills_lose_nothing(tmp_path):
    besiege(tmp_path, 10, seed_of_the_day())


@pytest.mark.soak
def test_two_hundred_kills_lose_nothing(tmp_path):
    besiege(tmp_path, int(os.environ.get("PILEGATE_KILLS") or 200), seed_of_the_day())

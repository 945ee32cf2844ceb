"""A site behind a broker: the real broker, real daemons, simulated piles, and what must hold in the end."""

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

from gateway.simulator.fleet import Fleet
from gateway.simulator.lines import MqttDialler
from gateway.simulator.scripts import card_uid, cast_fleet, vin
from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import stalls, write_config

SPEED = 20
JITTER_E4KWH = 667  # 120 kW for two seconds


class MqttSite:
    """One broker, piles, and the daemons that share them.

    Args:
        broker: not started yet.
        nodes: how many daemons, each with a database of its own.
        keys: further lines of every daemon's ``[[mqtt]]``.
    """

    def __init__(self, directory, broker, *, piles=8, nodes=1, version="5", keys="", speed=SPEED):
        self.seed = int(os.environ.get("PILEGATE_SEED", random.SystemRandom().randrange(1_000_000)))
        print(f"seed {self.seed}: set PILEGATE_SEED to repeat it")
        self.rng = random.Random(self.seed)
        self.broker, self.piles, self.version, self.speed = broker, piles, version, speed
        self.clock = FastClock(START_MS, speed)
        self.daemons = [self._daemon(directory / f"node-{no}", no, nodes, keys) for no in range(nodes)]
        self.stories = []

    def _daemon(self, directory, no, nodes, keys):
        directory.mkdir()
        table = (
            f'[[mqtt]]\nurl = "{self.broker.url}"\nclient_id = "gateway-{no}"\nprotocol_version = "{self.version}"\n'
        )
        table += f"node_count = {nodes}\nnode_no = {no}\nreconnect_first_ms = 50\nreconnect_max_ms = 300\n{keys}\n"
        numbers = range(1, self.piles + 1)
        list_accounts(directory, cards=[card_uid(n) for n in numbers], vins=[vin(n) for n in numbers])
        return Daemon(write_config(directory, self.piles, more=table + stalls(self.speed)), self.clock)

    def start(self):
        self.broker.start()
        for daemon in self.daemons:
            daemon.start()

    def close(self):
        for daemon in self.daemons:
            daemon.close()
        self.broker.close()

    async def charge(self, meanwhile=None, *, faults="none", charge_ms=(20_000, 90_000)):
        """A fleet from its first car to its last acknowledgement; ``meanwhile(fleet)`` runs beside it."""
        cast = cast_fleet(self.piles, seed=self.seed, faults=faults, charge_ms=charge_ms)
        dial = MqttDialler("127.0.0.1", self.broker.port, version=self.version)
        fleet = Fleet(cast, seed=self.seed, now_ms=self.clock.now_ms, speed=self.speed, dial=dial)
        running = asyncio.create_task(fleet.run())
        try:
            if meanwhile is not None:
                await meanwhile(fleet)
            await asyncio.wait_for(running, 90)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        self.stories += fleet.oracle()
        assert fleet.report().records_unacknowledged == 0
        return fleet.report()

    def bills(self):
        """Transaction → bill, from all daemons; nobody may have billed what another did."""
        found = {}
        for daemon in self.daemons:
            bills = daemon.bills()
            assert not found.keys() & bills.keys(), "billed by two daemons"
            found |= bills
        return found

    def check_the_end(self):
        """One right bill for every session, and none for anything else; returns how many of which status."""
        bills = self.bills()
        records = [row for daemon in self.daemons for row in daemon.rows("SELECT transaction_id, serial FROM record")]
        assert len({row["transaction_id"] for row in records}) == len(records), "two records of one session"
        # a pile whose authorisation was lost starts by itself, and its record joins the session that was ordered
        session_of = {row["serial"]: row["transaction_id"] for row in records}
        told = {session_of.get(story.transaction_id, story.transaction_id): story for story in self.stories}
        assert len(told) == len(self.stories), "two sessions in one bill"
        assert set(told) <= set(bills), f"never billed: {set(told) - set(bills)}"
        for transaction_id, bill in bills.items():
            if transaction_id not in told:  # authorised, and the pile never heard of it
                assert (bill["status"], bill["energy_e4kwh"], bill["amount_fen"]) == ("void", 0, 0), bill
        for transaction_id, story in told.items():
            bill = bills[transaction_id]
            assert bill["revision"] == 1, bill["body"]
            assert bill["energy_e4kwh"] == story.energy_e4kwh or is_jitter(bill, story), bill["body"]
            if story.is_clean and bill["status"] == "normal":
                assert bill["amount_fen"] == story.expected_fen, bill["body"]
        return Counter(bills[transaction_id]["status"] for transaction_id in told)

    def logged(self, event):
        """Log lines of one event, of all daemons."""
        return [line for daemon in self.daemons for line in daemon.log_lines(event)]

    async def until(self, is_so, seconds=30):
        """Wait until something is so."""
        async with asyncio.timeout(seconds):
            while not is_so():
                await asyncio.sleep(0.02)


def is_jitter(bill, story):
    """Whether a bill doubts what the last sample admits for no more than two seconds of the piles' fast clock.

    A tenth of a second on a busy machine, between a sample and the proof of idleness behind it, is that much.
    """
    doubts = "energy_mismatch_platform" in bill["anomalies"]
    return doubts and abs(bill["energy_e4kwh"] - story.energy_e4kwh) <= JITTER_E4KWH


def node_capture(daemon: Daemon) -> list[Path]:
    """The files of a daemon's own capture, oldest first."""
    return sorted((daemon.directory / "capture").iterdir())

"""A simulated day, live with capture, then replayed: the bills must be the same bit for bit (G4)."""

import asyncio
import random
from collections import Counter

import pytest

from gateway.config import load
from gateway.framelog import read_log
from gateway.framelog.merging import merged
from gateway.replay import Replay
from gateway.simulator.faults import PROFILES
from gateway.simulator.fleet import Fleet
from gateway.simulator.scripts import card_uid, cast_fleet, vin
from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import stalls, write_config

SPEED = 60
PILES = 15


class Day:
    """A daemon on a fast clock, and fleets that charge there."""

    def __init__(self, directory, seed):
        self.clock = FastClock(START_MS, SPEED)
        self.config = write_config(directory, PILES, more=stalls(SPEED))
        self.daemon = Daemon(self.config, self.clock)
        self.seed = seed
        self.stories = []
        self.registers = {}
        numbers = range(1, PILES + 1)
        list_accounts(directory, cards=[card_uid(n) for n in numbers], vins=[vin(n) for n in numbers])

    def charge(self, faults, sessions=1):
        """A fleet under one fault profile, from its first car to its last record."""
        self.seed += 1
        cast = cast_fleet(
            PILES, seed=self.seed, faults=faults, sessions_per_connector=sessions, registers=self.registers
        )
        fleet = Fleet(
            cast, host="127.0.0.1", port=self.daemon.port, seed=self.seed, now_ms=self.clock.now_ms, speed=SPEED
        )
        asyncio.run(asyncio.wait_for(fleet.run(), 60))
        self.stories += fleet.oracle()
        self.registers = fleet.registers
        return fleet.report()

    def replayed(self):
        """(transaction, revision) → the bill's text, from the captures alone; and the findings."""
        told = load(self.config)
        findings = Counter()
        replay = Replay(
            told.site,
            told.session,
            silence_ms_max=told.presence.silence_ms_max,
            on_finding=lambda finding: findings.update([finding.code]),
        )
        captures = sorted((self.config.parent / "capture").iterdir())
        replay.run(merged(captures, replay.short), until_ms=self.last_bill_ms())
        return {(bill.transaction_id, bill.revision): bill.body for bill in replay.bills(all_revisions=True)}, findings

    def last_bill_ms(self):
        return self.daemon.rows("SELECT max(created_at_ms) AS at_ms FROM bill")[0]["at_ms"]

    def live(self):
        rows = self.daemon.rows("SELECT transaction_id, revision, body FROM bill")
        return {(row["transaction_id"], row["revision"]): row["body"] for row in rows}

    def check_clean_stories(self):
        """Where nothing went wrong the bill is over the true energy, to the fen; offline ones may stay provisional."""
        bills = self.daemon.bills()
        for story in self.stories:
            if not story.is_clean or not story.is_acknowledged:
                continue
            bill = bills[story.transaction_id]
            told = (bill["status"], bill["energy_e4kwh"], bill["amount_fen"])
            status = told[0] if told[0] == "provisional" and bill["body"].count('"offline_card"') else "normal"
            assert told == (status, story.energy_e4kwh, story.expected_fen), bill["body"]


@pytest.fixture
def day(tmp_path):
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    day = Day(tmp_path, seed)
    try:
        day.daemon.start()
        yield day
    finally:
        day.daemon.close()


def test_a_day_with_every_fault_replays_bit_for_bit(day):
    day.charge("none")
    day.charge("mixed", sessions=2)
    assert day.daemon.stop() == 0
    day.check_clean_stories()
    live = day.live()
    replayed, findings = day.replayed()
    assert replayed == live
    assert set(findings) <= {"frame_refused"}
    waiting = {story.transaction_id for story in day.stories} - {transaction_id for transaction_id, _ in live}
    assert waiting <= {story.transaction_id for story in day.stories if not story.is_acknowledged}
    assert len(day.stories) > 3 * PILES


def test_a_day_goes_on_over_a_kill(day):
    day.charge("none")
    day.daemon.kill()
    day.daemon.start()
    day.charge("duplicate-records")
    assert day.daemon.stop() == 0
    day.check_clean_stories()
    replayed, _ = day.replayed()
    assert replayed == day.live()


def test_captures_hold_both_directions_of_every_link(day):
    report = day.charge("none")
    assert day.daemon.stop() == 0
    lines = [line for path in (day.config.parent / "capture").iterdir() for line in read_log(path)]
    kinds = Counter(line.kind for line in lines)
    assert kinds["open"] == kinds["close"] == report.links_opened
    assert sum(len(line.data) for line in lines if line.kind == "up") > 10_000
    assert sum(len(line.data) for line in lines if line.kind == "down") > 1_000


def test_every_profile_of_faults_has_a_name_and_words():
    assert all(profile.text and profile.name == name for name, profile in PROFILES.items())
    wanted = "cut-link half-frames coalesced garbage duplicate-records no-record clock-1999 clock-2000 clock-ahead"
    assert set(f"{wanted} power-loss register-reset slow-reader flood".split()) <= set(PROFILES)

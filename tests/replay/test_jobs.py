"""A log replayed by one process and by several: the same bills, findings and last words, bit for bit."""

import asyncio
import dataclasses
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.config import load
from gateway.replaying import run_replay
from gateway.simulator.fleet import Fleet
from gateway.simulator.scripts import card_uid, cast_fleet, vin
from tests.replay.test_simulated_day import PILES, SPEED, Day
from tests.support.yard import HOUR, SITE, site_of
from tests.support.yarn import DAY_MS, MISCHIEF, Yarn

DRIVERS = 4  # who charge at all the piles


@pytest.fixture
def replayed(capsys):
    """Replays; gives the status, what was printed, and what was said beside."""

    def run(paths, jobs, *, site, until_ms=None):
        status = run_replay(
            paths, site=site, until_ms=until_ms, as_json=True, all_revisions=True, db_path=None, jobs=jobs
        )
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


class SharedDay(Day):
    """A day on which a few drivers, each with one account, charge at all piles at the same time."""

    def charge(self, faults, sessions=1):
        self.seed += 1
        rng = random.Random(self.seed)

        def driven(visit):
            who = rng.randrange(DRIVERS) + 1
            return dataclasses.replace(visit, card_uid=card_uid(who), vin=vin(who))

        cast = [
            dataclasses.replace(
                each,
                plan=dataclasses.replace(each.plan, visits=tuple(tuple(map(driven, row)) for row in each.plan.visits)),
            )
            for each in cast_fleet(PILES, seed=self.seed, faults=faults, sessions_per_connector=sessions)
        ]
        fleet = Fleet(
            cast, host="127.0.0.1", port=self.daemon.port, seed=self.seed, now_ms=self.clock.now_ms, speed=SPEED
        )
        asyncio.run(asyncio.wait_for(fleet.run(), 60))


def test_a_day_of_drivers_who_charge_everywhere(tmp_path, replayed):
    seed = random.SystemRandom().randrange(1_000_000)
    day = SharedDay(tmp_path, seed)
    try:
        day.daemon.start()
        day.charge("mixed", sessions=2)
        assert day.daemon.stop() == 0
    finally:
        day.daemon.close()
    paths, site = sorted((tmp_path / "capture").iterdir()), load(day.config).site
    one = replayed(paths, 1, site=site)
    assert len(set(re.findall(r'"transaction_id": ?"(\w+)"[^\n]*"concurrent_account"', one[1]))) > PILES
    for jobs in (2, 3):
        assert replayed(paths, jobs, site=site) == one, f"seed {seed}"


@pytest.mark.parametrize("rounds", [6, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(400)])])
def test_piles_that_have_to_do_with_each_other_in_every_way(tmp_path, replayed, rounds):
    first = random.SystemRandom().randrange(1_000_000)
    for seed in range(first, first + rounds):
        rng = random.Random(seed)
        share = rng.choice((0.1, 0.3, 0.6))
        mischief = [each for each in MISCHIEF if rng.random() < share]
        yarn = Yarn(rng, mischief)
        paths = yarn.write(tmp_path, is_text=rng.random() < 0.5, files=rng.choice((1, 1, 2)))
        until_ms = rng.choice((None, DAY_MS + rng.randrange(HOUR), DAY_MS + 24 * HOUR))
        one = replayed(paths, 1, site=site_of(SITE), until_ms=until_ms)
        for jobs in (2, 3):
            assert replayed(paths, jobs, site=site_of(SITE), until_ms=until_ms) == one, f"seed {seed}: {mischief}"


def children_of(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in found.read_text().split()] if found.exists() else []


def is_settled(pid):
    """Whether a process has come so far as to leave interrupts to the one who began it."""
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(re.search(r"SigIgn:\t(\w+)", status)[1], 16) & 1 << (signal.SIGINT - 1))


def wait_until(is_so):
    deadline_s = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def hear_interrupts():
    """What a shell starts in the background ignores them, tests included, and hands that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def waiting(tmp_path):
    """The command with two processes, which wait for a log that never comes; its process and theirs."""
    log = tmp_path / "never.log"
    os.mkfifo(log)
    command = [sys.executable, "-m", "gateway", "replay", str(log), "--jobs", "2"]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    ) as replay:
        try:
            wait_until(lambda: len(children_of(replay.pid)) == 2 and all(map(is_settled, children_of(replay.pid))))
            yield replay, children_of(replay.pid)
        finally:
            replay.kill()


def is_gone(pid):
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def test_an_interrupt_leaves_no_process_behind(waiting):
    replay, children = waiting
    os.killpg(replay.pid, signal.SIGINT)
    out, err = replay.communicate(timeout=30)
    assert (replay.returncode, out, err.strip()) == (3, "", "pilegate: interrupted")
    wait_until(lambda: all(map(is_gone, children)))


def test_a_process_that_dies_ends_the_replay_with_a_word(waiting):
    replay, children = waiting
    os.kill(children[1], signal.SIGKILL)
    out, err = replay.communicate(timeout=30)
    assert (replay.returncode, out) == (3, "")
    assert err == "pilegate: a process of the replay ended by signal 9; try again with fewer --jobs\n"
    wait_until(lambda: all(map(is_gone, children)))

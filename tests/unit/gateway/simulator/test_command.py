"""``pilegate simulate`` as a program: profiles, seeds, the capture, exit statuses."""

import asyncio
import json
import socket
import subprocess
import sys

import pytest

from gateway.simulator.faults import PROFILES, FaultyWire
from gateway.simulator.pile import SimulatedPile
from gateway.simulator.scripts import cast_fleet
from tests.support.commandline import ROOT
from tests.support.deskgateway import START_MS, DeskGateway
from tests.support.peer import peer


class Overheard(SimulatedPile):
    """A pile whose writes to the socket are kept, as its faulty line makes them."""

    def __init__(self, cast, seed):
        super().__init__(cast.plan, seed, START_MS)
        import random

        self.wire = FaultyWire(cast.profile, random.Random(f"{seed}:wire:{cast.plan.pile_id}"))
        self.written = []

    def take_outgoing(self):
        frames = super().take_outgoing()
        self.written += self.wire.chunks(frames)
        return frames


def day_of(faults, seed):
    """Everything that two piles would write to their sockets in seven minutes."""
    written = []
    for cast in cast_fleet(2, seed=seed, faults=faults):
        pile = Overheard(cast, seed)
        DeskGateway(pile).run(400_000)
        written.append(pile.written)
    return written


@pytest.mark.parametrize("faults", PROFILES)
def test_equal_seeds_write_equal_bytes(faults):
    assert day_of(faults, 11) == day_of(faults, 11)
    assert day_of(faults, 11) != day_of(faults, 12)


@pytest.mark.parametrize("faults", [name for name in PROFILES if name not in ("none", "mixed")])
def test_a_fault_changes_what_is_written(faults):
    clean = [chunk for pile in day_of("none", 11) for chunk in pile]
    wrong = [chunk for pile in day_of(faults, 11) for chunk in pile]
    if PROFILES[faults].read_bytes:  # it is wrong with reading alone
        assert wrong == clean
    else:
        assert wrong != clean


def simulate(*arguments):
    command = [sys.executable, "-m", "gateway", "simulate", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_a_run_against_a_gateway_and_its_capture(tmp_path):
    async def story():
        from gateway.clock import Clock

        async with peer(Clock().now_ms) as gate:
            capture = tmp_path / "day.jsonl"
            done = await asyncio.to_thread(
                simulate, "--piles", 2, "--connect", f"127.0.0.1:{gate.port}", "--speed", 100, "--capture", capture
            )
            assert done.returncode == 0, done
            assert "records acknowledged" in done.stdout
            lines = [json.loads(line) for line in capture.read_text().splitlines()]
            assert {line.get("dir") for line in lines} >= {"up", "down"}
            assert {line.get("event") for line in lines} >= {"open", "close"}
            assert len([event for event in gate.events if type(event).__name__ == "RecordReceived"]) == 4

    asyncio.run(story())


def test_piles_that_are_refused_are_a_finding():
    async def story():
        from gateway.clock import Clock

        async with peer(Clock().now_ms) as gate:
            gate.accepts_login = False
            done = await asyncio.to_thread(simulate, "--piles", 1, "--connect", f"127.0.0.1:{gate.port}")
            assert done.returncode == 1
            assert "--print-site" in done.stderr

    asyncio.run(story())


def test_an_unknown_profile_is_wrong_usage():
    done = simulate("--faults", "rain")
    assert done.returncode == 2
    assert "half-frames" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("way", ["--connect", "--mqtt"])
def test_an_address_where_nobody_listens_is_said_soon(way):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = [sys.executable, "-m", "gateway", "simulate", "--piles", "1", way, f"127.0.0.1:{port}"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        try:
            told = running.stderr.readline()
        finally:
            running.kill()
    assert f"127.0.0.1:{port} says" in told
    assert "refused" in told


def test_a_protocol_that_no_pile_speaks_is_answered_with_those_that_are_spoken():
    done = simulate("--protocol", "aaf6")
    assert done.returncode == 2
    assert "aaf5-op30" in done.stderr

"""``pilegate simulate``: a fleet against a gateway, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.clock import ScaledClock
from gateway.framelog import Kind, TextLogWriter
from gateway.show import print_table, say
from gateway.simulator.faults import PROFILES
from gateway.simulator.fleet import Fleet, Tap
from gateway.simulator.lines import Dialler, Line, MqttDialler
from gateway.simulator.scripts import Cast, card_uid, cast_fleet, site_tables, vin

DONE, WITH_FINDINGS, WRONG_USAGE, FAILED = 0, 1, 2, 3
_PROGRESS_S = 10
_FIRST_S = 2


def list_profiles() -> None:
    """Print the fault profiles."""
    print_table(("profile", "what goes wrong"), [(each.name, each.text) for each in PROFILES.values()])


def print_site(piles: int, protocol: str = "ykc") -> None:
    """Print the pile tables a gateway needs for such a fleet."""
    say(site_tables(piles, protocol), sys.stdout)


def print_accounts(piles: int) -> None:
    """Print the commands that give the fleet's cars an account, cards and VINs."""
    say('pilegate account set simulated --name "simulated cars" --balance 100000.00', sys.stdout)
    for number in range(1, piles + 1):
        say(f"pilegate account card {card_uid(number)} simulated", sys.stdout)
        say(f"pilegate account vin {vin(number)} simulated", sys.stdout)


async def run_simulation(
    *,
    host: str,
    port: int,
    piles: int,
    seed: int,
    faults: str,
    sessions_per_connector: int,
    speed: int,
    capture_path: Path | None,
    is_mqtt: bool = False,
    protocol: str = "ykc",
) -> int:
    """Let a fleet live against a gateway; returns the exit status.

    Args:
        host, port: the gateway, or with ``is_mqtt`` the broker between it and the piles.

    0: every record was acknowledged. 1: some were not, or no pile was taken. 2: no such profile.
    """
    if faults not in PROFILES:
        say(f"no fault profile {faults!r}; there are: {', '.join(PROFILES)}")
        return WRONG_USAGE
    cast = cast_fleet(piles, seed=seed, faults=faults, sessions_per_connector=sessions_per_connector, protocol=protocol)
    clock = ScaledClock(_wall_ms(), speed)
    dial = _by_broker(host, port, cast) if is_mqtt else None
    with _tap(capture_path, None if protocol == "mixed" else protocol) as tap:
        fleet = Fleet(cast, host=host, port=port, seed=seed, now_ms=clock.now_ms, speed=speed, tap=tap, dial=dial)
        telling = asyncio.create_task(_tell(fleet, f"{host}:{port}"))
        try:
            await fleet.run()
        finally:
            telling.cancel()
    return _conclude(fleet)


def _by_broker(host: str, port: int, cast: Sequence[Cast]) -> Dialler:
    """Lines to one broker; the topics of a pile name its own protocol."""
    spoken = {each.plan.pile_id: each.plan.protocol.partition("-")[0] for each in cast}
    diallers = {protocol: MqttDialler(host, port, protocol=protocol) for protocol in set(spoken.values())}

    async def dial(pile_id: str) -> Line:
        return await diallers[spoken[pile_id]](pile_id)

    return dial


def _wall_ms() -> int:
    from gateway.clock import Clock

    return Clock().now_ms()


@contextlib.contextmanager
def _tap(path: Path | None, protocol: str | None) -> Iterator[Tap | None]:
    """Where ``--capture`` writes; ``None`` without it."""
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8") as stream:
        writer = TextLogWriter(stream)

        def keep(at_ms: int, link: str, kind: Kind, data: bytes) -> None:
            writer.append(at_ms, link, kind, data, protocol)

        yield keep


async def _tell(fleet: Fleet, target: str) -> None:
    """Say now and then how far the fleet is, and soon when nobody answers."""
    await asyncio.sleep(_FIRST_S)
    if not fleet.links_opened and fleet.trouble:
        say(f"no pile has a link yet, they try again: {target} says {fleet.trouble}")
    while True:
        await asyncio.sleep(_PROGRESS_S)
        report = fleet.report()
        say(f"{report.sessions} sessions, {report.records_acknowledged} records acknowledged")


def _conclude(fleet: Fleet) -> int:
    report = fleet.report()
    rows = [
        ("piles", report.piles),
        ("piles refused at login", report.refused_piles),
        ("links opened", report.links_opened),
        ("sessions", report.sessions),
        ("starts refused", report.refused_starts),
        ("records sent, repeats included", report.records_sent),
        ("records acknowledged", report.records_acknowledged),
        ("records unacknowledged", report.records_unacknowledged),
    ]
    print_table(("what", "how many"), rows)
    if any(visit.start == "app" for pile in fleet.piles for row in pile.plan.visits for visit in row):
        say("some cars wait for an order, ten minutes at most: POST /api/v1/piles/ID/connectors/N/start")
    elif report.refused_starts:
        say("refused starts need cards at the gateway: pilegate simulate --print-accounts prints the commands")
    if report.refused_piles:
        say("refused piles are not listed at the gateway: pilegate simulate --print-site prints their tables")
    is_good = not report.records_unacknowledged and report.refused_piles < report.piles
    return DONE if is_good else WITH_FINDINGS

"""A small fleet over real TCP against a gateway in miniature."""

import asyncio
import time

import pytest

from gateway.simulator.faults import PROFILES
from gateway.simulator.fleet import Fleet
from gateway.simulator.scripts import cast_fleet
from protocol import events as e
from tests.support.deskgateway import START_MS
from tests.support.peer import peer

SPEED = 200


def scaled_clock():
    origin_ns = time.monotonic_ns()
    return lambda: START_MS + (time.monotonic_ns() - origin_ns) * SPEED // 1_000_000


async def live(faults, *, piles=3, taps=None):
    now_ms = scaled_clock()
    async with peer(now_ms) as gateway:
        cast = cast_fleet(piles, seed=11, faults=faults)
        tap = None if taps is None else lambda *line: taps.append(line)
        fleet = Fleet(cast, host="127.0.0.1", port=gateway.port, seed=11, now_ms=now_ms, speed=SPEED, tap=tap)
        await asyncio.wait_for(fleet.run(), 60)
    return fleet, gateway


@pytest.mark.parametrize("faults", sorted(PROFILES))
def test_every_profile_ends_with_every_record_acknowledged(faults):
    fleet, gateway = asyncio.run(live(faults))
    report = fleet.report()
    assert report.sessions == 5
    assert report.records_unacknowledged == 0
    records = [event for event in gateway.events if isinstance(event, e.RecordReceived)]
    billed = {record.serial for record in records}
    owed = {story.transaction_id for story in fleet.oracle() if story.record != "none"}
    assert billed == owed


def test_tap_sees_both_directions_of_every_link():
    taps = []
    fleet, gateway = asyncio.run(live("none", piles=1, taps=taps))
    assert [line[2] for line in taps][:2] == ["open", "up"]
    assert taps[-1][2] == "close"
    assert {line[2] for line in taps} == {"open", "up", "down", "close"}
    assert fleet.links_opened == gateway.links == 1


def test_oracle_tells_the_energy_of_every_record():
    fleet, gateway = asyncio.run(live("none"))
    told = {record.serial: record.energy_e4kwh for record in gateway.events if isinstance(record, e.RecordReceived)}
    assert told == {story.transaction_id: story.energy_e4kwh for story in fleet.oracle()}


def test_no_gateway_then_a_stop():
    async def alone():
        fleet = Fleet(cast_fleet(1, seed=1), host="127.0.0.1", port=1, seed=1, now_ms=scaled_clock(), speed=SPEED)
        running = asyncio.create_task(fleet.run())
        await asyncio.sleep(0.05)
        fleet.stop()
        await asyncio.wait_for(running, 5)
        assert fleet.links_opened == 0

    asyncio.run(alone())

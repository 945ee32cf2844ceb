"""``kill -9`` of the real daemon in the middle of a charge: the evidence is there, and leads to the same bill."""

import asyncio
import os
import random
import time

import pytest

from gateway.bundle.making import make_bundle
from gateway.bundle.verifying import verify_bundle
from gateway.frameblock import unpack_frames
from gateway.outcome import FramesKept
from gateway.simulator.fleet import Fleet
from gateway.simulator.scripts import card_uid, cast_fleet, vin
from gateway.site import zone_of
from gateway.store import Reader
from tests.support import wire
from tests.support.daemon import Daemon, FastClock
from tests.support.desk import desk_of
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import write_config

SAMPLES = 5
LAST_SECOND_S = 1.0
NOW = "%Y-%m-%dT%H:%M:%S"


def kept_frames(daemon):
    rows = daemon.rows("SELECT pile_id, link, from_ms, about, data FROM frame_block ORDER BY id")
    return [frame for row in rows for frame in unpack_frames(FramesKept(**row))]


def sample_frames(daemon):
    return sum(frame.about.count("SampleReceived") for frame in kept_frames(daemon) if frame.kind == "up")


def record_of(serial, pile, started_s, ended_s):
    local = [time.strftime(NOW, time.gmtime(at + 8 * 3600)) for at in (started_s, ended_s)]
    tiers = [(210_000, 0, 0), (190_000, 0, 0), (150_000, 60_000, 90_000), (110_000, 0, 0)]
    return wire.record(serial, pile.pile_id, start=local[0], end=local[1], tiers=tiers, meter=(1_000_000, 1_060_000))


async def charge_and_be_killed(daemon, token):
    async with desk_of(daemon, token) as desk:
        pile = await desk.pile(1)
        serial = await desk.start(pile)
        started_s = time.time()
        for number in range(1, SAMPLES + 1):
            pile.send(wire.sample(serial, pile.pile_id, energy=number * 10_000, amount=number * 15_000))
            pile.send(wire.heartbeat(pile.pile_id))
            await asyncio.sleep(0.02)
        await asyncio.sleep(LAST_SECOND_S)
        await asyncio.to_thread(daemon.kill)
    assert sample_frames(daemon) == SAMPLES, "what is older than a second must have survived"
    return serial, started_s


async def record_and_be_killed(daemon, token, serial, started_s):
    async with desk_of(daemon, token) as desk:
        pile = await desk.pile(1)
        pile.send(wire.sample(serial, pile.pile_id, energy=60_000, amount=90_000))
        await asyncio.sleep(0.1)
        pile.send(record_of(serial, pile, started_s, time.time()))
        await pile.expect(0x40)
        await asyncio.to_thread(daemon.kill)


def test_a_killed_daemon_leaves_evidence_up_to_the_last_second(tmp_path):
    token = list_accounts(tmp_path)
    daemon = Daemon(write_config(tmp_path, 1))
    try:
        daemon.start()
        serial, started_s = asyncio.run(charge_and_be_killed(daemon, token))
        daemon.start()
        asyncio.run(record_and_be_killed(daemon, token, serial, started_s))
    finally:
        daemon.close()
    frames = [frame for frame in kept_frames(daemon) if "RecordReceived" in frame.about]
    assert len(frames) == 1, "an acknowledged record must have its frame"
    for capture in (tmp_path / "capture").glob("*.pcap"):
        capture.unlink()
    reader = Reader(tmp_path / "pilegate.db")
    made = make_bundle(reader, serial, zone=zone_of("Asia/Shanghai"), now_ms=0, site_text="", computation="")
    reader.close()
    verdict = verify_bundle(made.data)
    assert verdict.differences == ()
    assert verdict.revisions == 1
    assert made.broken_at is None


FLEET, SPEED, RECORD_LOST_S = 30, 60, 34


async def faulty_day(daemon, clock, seed):
    await asyncio.to_thread(daemon.start)
    cast = cast_fleet(FLEET, seed=seed, faults="mixed", sessions_per_connector=2, charge_ms=(120_000, 400_000))
    fleet = Fleet(cast, host="127.0.0.1", port=daemon.port, seed=seed, now_ms=clock.now_ms, speed=SPEED)
    await fleet.run()
    await asyncio.sleep(RECORD_LOST_S)  # more than half an hour of theirs: what did not come is billed without


@pytest.mark.soak
def test_every_bill_of_a_faulty_fleet_is_recomputed_from_its_bundle(tmp_path):
    seed = int(os.environ.get("PILEGATE_SEED", random.SystemRandom().randrange(1_000_000)))
    print(f"seed {seed}: set PILEGATE_SEED to repeat it")
    numbers = range(1, FLEET + 1)
    clock = FastClock(START_MS, SPEED)
    daemon = Daemon(write_config(tmp_path, FLEET), clock)
    list_accounts(tmp_path, cards=[card_uid(n) for n in numbers], vins=[vin(n) for n in numbers])
    try:
        asyncio.run(faulty_day(daemon, clock, seed))
        assert daemon.stop() == 0
    finally:
        daemon.close()
    reader = Reader(tmp_path / "pilegate.db")
    keys = [row["transaction_id"] for row in reader.all("SELECT transaction_id FROM bill_newest")]
    differing = {}
    for key in keys:
        made = make_bundle(reader, key, zone=zone_of("Asia/Shanghai"), now_ms=0, site_text="", computation="")
        verdict = verify_bundle(made.data)
        if not verdict.is_equal or made.broken_at is not None:
            differing[key] = verdict.differences[:3]
    reader.close()
    assert len(keys) > FLEET
    assert differing == {}

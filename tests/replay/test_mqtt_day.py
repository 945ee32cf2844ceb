"""A day behind a broker, live with capture, then replayed: the same bills bit for bit (G4); links are topics."""

import asyncio
from collections import Counter

import aiomqtt

from gateway.config import load
from gateway.framelog.merging import merged
from gateway.replay import Replay
from gateway.simulator.scripts import pile_id
from tests.support.brokers import Mosquitto, needs_mosquitto
from tests.support.mqttsite import MqttSite, node_capture
from tests.support.wire import login


def replayed(config, lines, until_ms):
    findings = Counter()
    replay = Replay(
        config.site,
        config.session,
        silence_ms_max=config.presence.silence_ms_max,
        on_finding=lambda finding: findings.update([finding.code]),
    )
    replay.run(lines, until_ms=until_ms)
    return {(bill.transaction_id, bill.revision): bill.body for bill in replay.bills(all_revisions=True)}, findings


@needs_mosquitto
def test_a_day_with_the_broker_killed_replays_to_the_same_bills(tmp_path):
    site = MqttSite(tmp_path, Mosquitto(tmp_path), piles=6)

    async def meanwhile(fleet):
        await asyncio.sleep(site.rng.uniform(0.5, 2))
        await asyncio.to_thread(site.broker.kill)
        await asyncio.to_thread(site.broker.start)
        await site.until(lambda: len(site.logged("pile_logged_in")) >= 2 * site.piles)
        async with aiomqtt.Client("127.0.0.1", site.broker.port) as rogue:  # on the topic of another
            for number in range(2, site.piles + 1):
                await rogue.publish(f"pile/v1/ykc/{pile_id(1)}/up", login(pile_id(number), version=10), qos=1)

    (daemon,) = site.daemons
    try:
        site.start()
        asyncio.run(site.charge(meanwhile, faults="half-frames"))
        assert daemon.stop() == 0
    finally:
        site.close()
    rows = daemon.rows("SELECT transaction_id, revision, body, created_at_ms FROM bill")
    live = {(row["transaction_id"], row["revision"]): row["body"] for row in rows}
    until_ms = max(row["created_at_ms"] for row in rows)
    config = load(daemon.config)
    assert len(live) == len(site.stories)
    lines = list(merged(node_capture(daemon)))
    assert {line.link for line in lines} == {f"pile/v1/ykc/{pile_id(n + 1)}/up" for n in range(site.piles)}
    bills, findings = replayed(config, lines, until_ms)
    assert bills == live
    assert set(findings) == {"frame_refused"}  # what the faults made noise of, and the other pile

"""The broker between piles and gateway: killed, restarted, taken over, shared, misused.

In the end every session has exactly one right bill.
"""

import asyncio

import aiomqtt
import pytest

from gateway.simulator.scripts import pile_id
from tests.support.brokers import Amqtt, Mosquitto, needs_mosquitto
from tests.support.mqttsite import MqttSite
from tests.support.wire import heartbeat, login

STRANGER = "55031412782305"


@pytest.fixture
def site_of():
    made = []

    def make(*args, **keys):
        made.append(MqttSite(*args, **keys))
        made[-1].start()
        return made[-1]

    yield make
    for site in made:
        site.close()


def charge_under(site, meanwhile, **keys):
    asyncio.run(site.charge(meanwhile, **keys))
    statuses = site.check_the_end()
    print(f"{len(site.stories)} sessions, bills {dict(statuses)}, {len(site.logged('broker_lost'))} times broker lost")
    for daemon in site.daemons:
        assert daemon.stop() == 0
    assert statuses["void"] == 0  # there is energy in every story


def killing(site, kills):
    """Kill and restart the broker so many times, at moments of chance while piles charge."""

    async def meanwhile(fleet):
        for _ in range(kills):
            await asyncio.sleep(site.rng.uniform(0.2, 1.5))
            await asyncio.to_thread(site.broker.kill)
            await asyncio.sleep(site.rng.uniform(0, 1.5))
            await asyncio.to_thread(site.broker.start)

    return meanwhile


@needs_mosquitto
@pytest.mark.parametrize(
    ("is_forgetful", "version"), [(False, "5"), (True, "3.1.1")], ids=["sessions-kept", "sessions-forgotten"]
)
def test_a_broker_killed_again_and_again_costs_no_bill(tmp_path, site_of, is_forgetful, version):
    site = site_of(tmp_path, Mosquitto(tmp_path, is_forgetful=is_forgetful), version=version)
    charge_under(site, killing(site, 3))
    assert len(site.logged("broker_lost")) >= 3


def test_another_broker_killed_costs_no_bill(tmp_path, site_of):
    site = site_of(tmp_path, Amqtt(tmp_path), version="3.1.1")
    charge_under(site, killing(site, 2))
    assert len(site.logged("broker_lost")) >= 2


@needs_mosquitto
def test_a_broker_gone_for_minutes_is_not_a_site_full_of_lost_sessions(tmp_path, site_of):
    site = site_of(tmp_path, Mosquitto(tmp_path), piles=4)

    async def meanwhile(fleet):
        sampled = "SELECT count(DISTINCT transaction_id) AS sessions FROM sample_block"
        await site.until(lambda: site.daemons[0].rows(sampled)[0]["sessions"] == 7)
        await asyncio.to_thread(site.broker.kill)
        await asyncio.sleep(7)  # more than two minutes of the piles' time
        await asyncio.to_thread(site.broker.start)

    charge_under(site, meanwhile, charge_ms=(100_000, 200_000))


@needs_mosquitto
def test_a_gateway_killed_under_load_finds_its_backlog_and_its_sessions(tmp_path, site_of):
    site = site_of(tmp_path, Mosquitto(tmp_path))

    async def meanwhile(fleet):
        for _ in range(3):
            await asyncio.sleep(site.rng.uniform(0.3, 1.5))
            await asyncio.to_thread(site.daemons[0].kill)
            await asyncio.to_thread(site.daemons[0].start)

    charge_under(site, meanwhile)
    assert any(line["has_session"] for line in site.logged("broker_connected"))


@needs_mosquitto
def test_a_session_taken_over_is_named_and_taken_back(tmp_path, site_of):
    site = site_of(tmp_path, Mosquitto(tmp_path), piles=4)

    async def meanwhile(fleet):
        for count in range(3):
            await site.until(lambda: len(site.logged("broker_subscribed")) > count)  # noqa: B023
            thief = aiomqtt.Client("127.0.0.1", site.broker.port, identifier="gateway-0", clean_session=False)
            async with thief:
                await site.until(lambda: len(site.logged("broker_lost")) > count)  # noqa: B023

    charge_under(site, meanwhile)
    assert "Session taken over" in site.logged("broker_lost")[2]["reason"]


@needs_mosquitto
@pytest.mark.parametrize("keys", ["", 'share_group = "pilegate"'], ids=["plain", "shared"])
def test_several_daemons_share_a_broker_and_bill_each_pile_once(tmp_path, site_of, keys):
    site = site_of(tmp_path, Mosquitto(tmp_path), nodes=3, keys=keys)
    charge_under(site, None)
    served = [{line["pile_id"] for line in daemon.log_lines("pile_logged_in")} for daemon in site.daemons]
    assert set().union(*served) == {pile_id(n + 1) for n in range(site.piles)}
    assert sum(map(len, served)) == site.piles


@needs_mosquitto
def test_bad_neighbours_on_a_broker_harm_nobody(tmp_path, site_of):
    site = site_of(tmp_path, Mosquitto(tmp_path), piles=4)
    victim = f"pile/v1/ykc/{pile_id(1)}/up"

    async def meanwhile(fleet):
        async with aiomqtt.Client("127.0.0.1", site.broker.port) as rogue:
            await rogue.publish(victim, heartbeat(pile_id(1)), qos=1, retain=True)
            await site.until(lambda: fleet.oracle())
            for _ in range(20):
                await rogue.publish(victim, login(pile_id(2), version=10), qos=1)
                await rogue.publish(victim, bytes(9_000), qos=1)
                await rogue.publish(victim, site.rng.randbytes(200), qos=1)
                await rogue.publish(f"pile/v1/ykc/{STRANGER}/up", login(STRANGER), qos=1)
                await rogue.publish("pile/v1/ykc/号/up", b"x", qos=1)
                await rogue.publish("pile/v1/ykc/x/state", b"\xff", qos=1)

    charge_under(site, meanwhile)
    codes = {line["code"] for line in site.logged("message_refused")} | {
        line["code"] for line in site.logged("frame_refused")
    }
    assert codes >= {"other_pile", "oversized", "noise", "link_resting", "topic_invalid", "presence_unreadable"}
    assert STRANGER in {line["said"] for line in site.logged("pile_refused")}


@needs_mosquitto
def test_faults_of_piles_are_the_same_behind_a_broker(tmp_path, site_of):
    site = site_of(tmp_path, Mosquitto(tmp_path), piles=16)
    asyncio.run(site.charge(faults="mixed"))
    bills = site.bills()
    for story in site.stories:
        if story.is_clean and story.is_acknowledged:
            bill = bills[story.transaction_id]
            told = (bill["status"], bill["energy_e4kwh"], bill["amount_fen"])
            assert told == ("normal", story.energy_e4kwh, story.expected_fen), bill["body"]

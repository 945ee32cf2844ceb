"""Many piles on one client of a broker: doubled, swapped, cut, taken over, talked over, and still billed once each."""

import asyncio
import random

import aiomqtt
import pytest

from gateway.simulator.scripts import cast_fleet, pile_id
from tests.support.brokers import Amqtt, Mosquitto, needs_mosquitto
from tests.support.familyday import check_all, check_replay, expected_fen, live_through
from tests.support.hub import Hub
from tests.support.wire import heartbeat, login

SPEED = 20
COUNT = 6


async def until(is_so, seconds=30):
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.02)


def day_behind(directory, broker, *, version, protocol, meanwhile=None, doubles=150, swaps=0):
    """A day of piles of which each protocol's are behind one concentrator."""
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    rng = random.Random(seed)
    table = (
        f'[[mqtt]]\nurl = "{broker.url}"\nclient_id = "gateway-0"\nprotocol_version = "{version}"\n'
        "reconnect_first_ms = 50\nreconnect_max_ms = 300\n"
    )
    keys = {"version": version, "rng": rng, "doubles_permille": doubles, "swaps_permille": swaps}
    hubs = {each: Hub("h1", broker.port, protocol=each, **keys) for each in ("ykc", "aaf5")}

    async def dial(daemon, pile):
        return await hubs["aaf5" if pile.startswith("SIM") else "ykc"](pile)

    async def beside(daemon):
        await until(lambda: daemon.log_lines("broker_subscribed"))
        if meanwhile is not None:
            await meanwhile(daemon, hubs, rng)

    cast = cast_fleet(COUNT, seed=seed, charge_ms=(60_000, 120_000), protocol=protocol)
    broker.start()
    try:
        day = live_through(directory, cast, protocol, speed=SPEED, seed=seed, more=table, dial=dial, meanwhile=beside)
    finally:
        broker.close()
    return day, hubs


def check(day):
    """One bill for each session, over what was delivered; money to the fen where nobody has to look."""
    check_all(day, is_killed=True)
    for pile in day.piles:
        assert len(pile.stories) == len(pile.connectors)
        for story in pile.stories:
            bill = day.bills[story.transaction_id]
            if bill["status"] == "normal":
                told = (bill["energy_e4kwh"], bill["amount_fen"])
                assert told == (story.energy_e4kwh, expected_fen(pile, story)), bill["document"]["anomalies"]
    check_replay(day)


def bystander(broker):
    """Somebody else with an account, who does what no access list forbids here."""

    async def meanwhile(daemon, hubs, rng):
        one, two = pile_id(1, "mixed"), pile_id(2, "mixed")  # AA F5, YKC
        up = f"pile/v1/ykc/hub/h1/{two}/up"
        await until(lambda: len(daemon.log_lines("pile_logged_in")) >= COUNT)
        async with aiomqtt.Client("127.0.0.1", broker.port) as rogue:
            await rogue.publish(up, heartbeat(two), qos=1, retain=True)
            for _ in range(5):
                await rogue.publish(up, login(pile_id(4, "mixed"), version=10), qos=1)
                await rogue.publish(up, bytes(9_000), qos=1)
                await rogue.publish(f"pile/v1/ykc/hub/h2/{two}/up", heartbeat(two), qos=1)
                await rogue.publish(f"pile/v1/aaf5/hub/h1/{one}/up", rng.randbytes(100), qos=1)
        for _ in range(2):
            lost = len(daemon.log_lines("broker_lost"))
            async with aiomqtt.Client("127.0.0.1", broker.port, identifier="gateway-0", clean_session=False):
                await until(lambda lost=lost: len(daemon.log_lines("broker_lost")) > lost)
            count = len(daemon.log_lines("broker_subscribed"))
            await until(lambda count=count: len(daemon.log_lines("broker_subscribed")) > count or count > 1)
        hubs["ykc"].cut()

    return meanwhile


@needs_mosquitto
@pytest.mark.parametrize("version", ["5", pytest.param("3.1.1", marks=pytest.mark.soak)])
def test_whatever_happens_on_the_way_each_pile_is_billed_once(tmp_path, version):
    broker = Mosquitto(tmp_path)
    day, hubs = day_behind(tmp_path, broker, version=version, protocol="mixed", meanwhile=bystander(broker), swaps=30)
    check(day)
    assert sum(hub.doubled for hub in hubs.values()) > 0
    refused = {line["code"] for line in day.daemon.log_lines("message_refused")}
    refused |= {line["code"] for line in day.daemon.log_lines("frame_refused")}
    assert refused >= {"other_pile", "oversized", "noise", "before_login"}, refused
    closed = [line["reason"] for line in day.daemon.log_lines("link_closed")]
    assert closed.count("its presence says offline") >= 3, "the will of a concentrator is that of all its piles"


def test_another_broker_serves_concentrators_too(tmp_path):
    async def cutting(daemon, hubs, rng):
        await until(lambda: len(daemon.log_lines("pile_logged_in")) >= COUNT)
        hubs["aaf5"].cut()

    day, _ = day_behind(tmp_path, Amqtt(tmp_path), version="3.1.1", protocol="mixed", meanwhile=cutting)
    check(day)

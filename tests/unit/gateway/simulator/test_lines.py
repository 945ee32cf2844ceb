"""A pile's line through a real broker."""

import asyncio
import json

import aiomqtt
import pytest

from gateway.simulator.lines import MqttDialler
from tests.support.brokers import Mosquitto, free_port, needs_mosquitto

PILE = "55031412782305"
TOPIC = f"pile/v1/ykc/{PILE}"


@pytest.fixture
def broker(tmp_path):
    one = Mosquitto(tmp_path, is_forgetful=True)
    one.start()
    yield one
    one.close()


async def take(client, count):
    """The next messages: topic and payload."""
    found = []
    async for message in client.messages:
        found.append((str(message.topic), bytes(message.payload)))
        if len(found) == count:
            break
    return found


def presence(payload):
    told = json.loads(payload)
    return told["online"], told.get("reason")


@needs_mosquitto
@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize(("is_cut", "reason"), [(False, "bye"), (True, "will")])
def test_a_line_tells_its_presence_and_carries_frames_both_ways(broker, version, is_cut, reason):
    async def talk():
        async with aiomqtt.Client("127.0.0.1", broker.port) as gateway:
            await gateway.subscribe(f"{TOPIC}/#", qos=1)
            line = await MqttDialler("127.0.0.1", broker.port, version=version)(PILE)
            assert line.name == f"{TOPIC}/up"
            await line.write(b"up")
            assert await take(gateway, 2) == [(f"{TOPIC}/state", b'{"online":true}'), (f"{TOPIC}/up", b"up")]
            await gateway.publish(f"{TOPIC}/down", b"an answer", qos=1)
            assert [await line.read(5), await line.read(50)] == [b"an an", b"swer"]
            await line.close(is_cut=is_cut)
            (_, _), (topic, payload) = await take(gateway, 2)
            assert topic == f"{TOPIC}/state"
            assert presence(payload) == (False, reason)

    asyncio.run(asyncio.wait_for(talk(), 30))


@needs_mosquitto
def test_a_broker_that_dies_ends_the_line(broker):
    async def talk():
        line = await MqttDialler("127.0.0.1", broker.port)(PILE)
        broker.kill()
        assert await line.read(10) == b""
        with pytest.raises(OSError, match="broker"):
            await line.write(b"x")
        await line.close(is_cut=True)

    asyncio.run(asyncio.wait_for(talk(), 30))


def test_no_broker_is_an_os_error():
    async def talk():
        with pytest.raises(OSError, match="refused"):
            await MqttDialler("127.0.0.1", free_port())(PILE)

    asyncio.run(asyncio.wait_for(talk(), 30))

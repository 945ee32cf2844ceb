"""Events through a real broker to a subscriber that keeps its session."""

import asyncio
import json
import random
from contextlib import asynccontextmanager

import aiomqtt
import pytest

from billing_core.civil import Zone
from gateway.clock import Clock
from gateway.errors import ConfigError
from gateway.forwarders.base import Drain, DrainConfig
from gateway.forwarders.cloudevents import CloudEvents
from gateway.forwarders.mqtt import MqttSender, MqttUpstreamConfig
from gateway.metrics import Metrics
from gateway.outcome import EventRaised
from gateway.store import Store, StoreConfig
from tests.support.brokers import Amqtt, Mosquitto, free_port, needs_mosquitto

QUICK = DrainConfig(schedule_s=(0,), breaker_failures=1_000)
BODY = json.dumps({"id": "e1", "type": "pilegate.bill.created", "subject": "t/1", "partitionkey": "t/1"}).encode()


def config(broker_url, **more):
    return MqttUpstreamConfig(
        "upstream-1", broker_url, name="erp", reconnect_first_ms=50, reconnect_max_ms=200, drain=QUICK, **more
    )


def run(work, seconds=60):
    return asyncio.run(asyncio.wait_for(work, seconds))


@pytest.fixture
def broker(tmp_path):
    one = Mosquitto(tmp_path)
    one.start()
    yield one
    one.close()


@asynccontextmanager
async def sender(*args, **keys):
    one = MqttSender(*args, **keys)
    try:
        yield one
    finally:
        await one.close()


def receiver(port, **more):
    """A subscriber whose session the broker keeps."""
    return aiomqtt.Client("127.0.0.1", port, identifier="erp", clean_session=False, **more)


@needs_mosquitto
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_an_event_is_delivered_to_its_topic_as_it_was_stored(broker, version):
    async def work():
        async with receiver(broker.port) as erp:
            await erp.subscribe("bills/#", qos=1)
            async with sender(config(broker.url, topic="bills/{type}/{subject}", protocol_version=version)) as one:
                assert (await one.send("e1", BODY)).is_done
            message = await anext(aiter(erp.messages))
            assert str(message.topic) == "bills/pilegate.bill.created/t_1"
            assert (message.payload, message.qos, message.retain) == (BODY, 1, False)

    run(work())


@needs_mosquitto
def test_the_content_type_tells_that_it_is_a_structured_cloud_event(broker):
    async def work():
        erp = aiomqtt.Client("127.0.0.1", broker.port, protocol=aiomqtt.ProtocolVersion.V5)
        async with erp, sender(config(broker.url)) as one:
            await erp.subscribe("pilegate/events/#", qos=1)
            assert (await one.send("e1", BODY)).is_done
            message = await anext(aiter(erp.messages))
            assert message.properties.ContentType == "application/cloudevents+json; charset=utf-8"

    run(work())


@needs_mosquitto
def test_what_nobody_receives_is_not_delivered(broker):
    async def work():
        async with sender(config(broker.url)) as one:
            delivery = await one.send("e1", BODY)
            assert (delivery.is_done, delivery.blames_endpoint) == (False, True)
            assert delivery.error == "No matching subscribers"

    run(work())


@needs_mosquitto
def test_a_broker_that_refuses_the_topic_has_not_taken_the_event(tmp_path):
    (tmp_path / "acl").write_text("user nobody\n")
    broker = Mosquitto(tmp_path, more=f"acl_file {tmp_path}/acl\n")
    broker.start()

    async def work():
        async with sender(config(broker.url)) as one:
            delivery = await one.send("e1", BODY)
            assert (delivery.status, delivery.is_done, delivery.error) == (403, False, "Not authorized")

    try:
        run(work())
    finally:
        broker.close()


def test_no_broker_is_a_failure_of_the_endpoint_in_time():
    async def work():
        async with sender(config(f"mqtt://127.0.0.1:{free_port()}", timeout_ms=300)) as one:
            delivery = await one.send("e1", BODY)
            assert delivery.status is None
            assert "no connection" in delivery.error
            assert "refused" in delivery.error

    run(work())


def test_a_secret_that_is_not_there_is_a_configuration_error():
    async def work():
        with pytest.raises(ConfigError, match="MQTT_PASSWORD"):
            MqttSender(config("mqtt://127.0.0.1", password_env="MQTT_PASSWORD"), environment={})

    run(work())


@pytest.mark.parametrize("more", [{"topic": "a/{pile}"}, {"topic": "a/#"}])
def test_topics_that_no_event_can_fill_are_refused(more):
    with pytest.raises(ValueError, match="topic"):
        config("mqtt://127.0.0.1", **more)


TRANSACTIONS, EVENTS = 5, 40


async def drained_through(broker, store, cut, version):
    """Let an outbox drain while ``cut`` happens to the broker; returns what a lasting subscriber got.

    Its session stands before the first event: MQTT 3.1.1 has no word for "nobody is subscribed".
    """
    got = []
    subscribed = asyncio.Event()

    async def listen():
        while True:
            try:
                async with receiver(broker.port) as erp:
                    await erp.subscribe("pilegate/events/#", qos=1)
                    subscribed.set()
                    async for message in erp.messages:
                        got.append(json.loads(message.payload))
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)

    async def is_over():
        while len({event["id"] for event in got}) < EVENTS:
            await asyncio.sleep(0.02)

    listening = asyncio.create_task(listen())
    await asyncio.wait_for(subscribed.wait(), 30)
    drain = Drain("erp", MqttSender(config(broker.url, protocol_version=version)), QUICK, store, Clock(), Metrics())
    draining = asyncio.create_task(drain.run())
    try:
        cutting = asyncio.create_task(cut(got))
        await asyncio.wait_for(is_over(), 60)
        await cutting
    finally:
        await drain.stop()
        await draining
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    return got


def filled_store(directory, seed):
    rng = random.Random(seed)
    events = CloudEvents([config("mqtt://127.0.0.1")], source="/pilegate/test", zone=Zone(((0, 0),)))
    store = Store(StoreConfig(path=str(directory / "pilegate.db")), endpoints=("erp",), envelope=events)
    now_ms = Clock().now_ms()
    for number in range(EVENTS):
        transaction = f"t{rng.randrange(TRANSACTIONS)}"
        row = EventRaised(f"e{number}", "pilegate.bill.created", transaction, transaction, now_ms, {"n": number})
        store.writer.submit([row]).result(10)
    return store


def check_order(got):
    """First deliveries are in order per transaction."""
    seen, newest = set(), {}
    for event in got:
        if event["id"] not in seen:
            seen.add(event["id"])
            assert event["data"]["n"] > newest.get(event["subject"], -1)
            newest[event["subject"]] = event["data"]["n"]
    assert len(seen) == EVENTS


def drain_and_check(directory, broker, cut, version="5"):
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    store = filled_store(directory, seed)
    broker.start()
    try:
        got = run(drained_through(broker, store, cut, version), 90)
        rows = store.reader.outbox(state="delivered", endpoint="erp", after=0, limit=EVENTS + 1)
        assert len(rows) == EVENTS
    finally:
        broker.close()
        store.close()
    check_order(got)


@needs_mosquitto
def test_a_broker_restarted_midway_gets_every_event_in_order(tmp_path):
    broker = Mosquitto(tmp_path)

    async def cut(got):
        while len(got) < EVENTS // 4:
            await asyncio.sleep(0.005)
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(broker.start)

    drain_and_check(tmp_path, broker, cut)


def test_another_broker_does_as_well(tmp_path):
    async def cut(got):
        pass

    drain_and_check(tmp_path, Amqtt(tmp_path), cut, "3.1.1")

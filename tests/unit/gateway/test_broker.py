"""A connection to a real broker: credentials, TLS, pauses, windows, losses, and goodbyes."""

import asyncio
import socket
import subprocess
from contextlib import asynccontextmanager

import aiomqtt
import pytest
import trustme

from gateway.broker import Broker, BrokerConfig, Message, Owner
from gateway.errors import ConfigError
from tests.support.brokers import MOSQUITTO, Mosquitto, free_port, needs_mosquitto

PASSWORD = {"U": "gateway", "P": "correct horse"}


class Ear(Owner):
    """Keeps what it is told."""

    def __init__(self):
        self.sessions, self.agreed, self.heard, self.lost = [], [], [], []
        self.broker = None
        self.topics = ["t/#"]
        self.refuses = None

    def on_connected(self, *, has_session):
        self.sessions.append(has_session)
        self.broker.subscribe(self.topics, self.agreed.append)

    def on_message(self, topic, payload, *, is_retained):
        self.heard.append(payload)
        if payload == self.refuses:
            self.refuses = None
            raise ZeroDivisionError("as a defect of ours would")

    def on_lost(self, reason):
        self.lost.append(reason)

    async def until(self, is_so):
        async with asyncio.timeout(20):
            while not is_so():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(config, *, waits=True, **keys):
    ear = Ear()
    ear.broker = Broker(config, ear, **keys)
    running = asyncio.create_task(ear.broker.run())
    try:
        if waits:
            await ear.until(lambda: ear.agreed)
        yield ear
    finally:
        await ear.broker.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def config(broker, **more):
    return BrokerConfig("gw", more.pop("url", "") or broker.url, reconnect_first_ms=20, reconnect_max_ms=100, **more)


def run(work):
    asyncio.run(asyncio.wait_for(work, 60))


@pytest.fixture
def mosquitto(tmp_path):
    made = []

    def start(**keys):
        made.append(Mosquitto(tmp_path, **keys))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.close()


@needs_mosquitto
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_credentials_let_in_and_wrong_ones_are_named(tmp_path, mosquitto, version):
    passwords = tmp_path / "passwords"
    passwords.write_text("gateway:correct horse\n")
    tool = str(MOSQUITTO).replace("sbin", "bin") + "_passwd"
    subprocess.run([tool, "-U", str(passwords)], check=True, timeout=20)
    broker = mosquitto(more=f"allow_anonymous false\npassword_file {passwords}\n")
    right = config(broker, user_env="U", password_env="P", protocol_version=version)

    async def work():
        async with connected(right, environment=PASSWORD) as ear:
            assert ear.lost == []
        async with connected(right, environment=PASSWORD | {"P": "wrong"}, waits=False) as ear:
            await ear.until(lambda: ear.lost)
            assert ear.lost[0] == "refused: Not authorized"
            assert not ear.broker.is_connected

    run(work())


@needs_mosquitto
def test_tls_is_held_to_the_authority_that_was_named(tmp_path, mosquitto):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key", "other")}
    authority.cert_pem.write_to_path(files["ca"])
    trustme.CA().cert_pem.write_to_path(files["other"])
    certificate.private_key_pem.write_to_path(files["key"])
    certificate.cert_chain_pems[0].write_to_path(files["cert"])
    port = free_port()
    mosquitto(more=f"listener {port} 127.0.0.1\ncertfile {files['cert']}\nkeyfile {files['key']}\n")
    url = f"mqtts://127.0.0.1:{port}"

    async def work():
        async with connected(config(None, url=url, ca_file=str(files["ca"]))) as ear:
            for number in range(50):
                ear.broker.publish(Message("t/x", b"%d" % number))
            await ear.until(lambda: len(ear.heard) == 50)
            assert ear.heard == [b"%d" % number for number in range(50)]
        async with connected(config(None, url=url, ca_file=str(files["other"])), waits=False) as ear:
            await ear.until(lambda: ear.lost)
            assert "CERTIFICATE_VERIFY_FAILED" in ear.lost[0]

    run(work())


@needs_mosquitto
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_pause_leaves_messages_with_the_broker_and_a_flood_comes_in_order(mosquitto, version):
    broker = mosquitto()

    async def work():
        pile = aiomqtt.Client("127.0.0.1", broker.port)
        async with connected(config(broker, protocol_version=version)) as ear, pile:
            ear.broker.pause(is_paused=True)
            for number in range(500):
                await pile.publish("t/x", b"%d" % number, qos=1)
            assert ear.heard == []
            ear.broker.pause(is_paused=False)
            await ear.until(lambda: len(ear.heard) >= 500)
            assert ear.heard == [b"%d" % number for number in range(500)]

    run(work())


@needs_mosquitto
def test_a_session_keeps_what_came_while_we_were_away(mosquitto):
    broker = mosquitto()

    async def work():
        async with connected(config(broker)) as ear:
            assert ear.sessions == [False]
        async with aiomqtt.Client("127.0.0.1", broker.port) as pile:
            await pile.publish("t/x", b"meanwhile", qos=1)
        async with connected(config(broker)) as ear:
            await ear.until(lambda: ear.heard)
            assert (ear.sessions, ear.heard) == ([True], [b"meanwhile"])

    run(work())


@needs_mosquitto
def test_nothing_is_sent_late_and_nobody_waits_for_ever(mosquitto):
    broker = mosquitto()
    told = []

    async def work():
        async with connected(config(broker)) as ear:
            broker.kill()
            while ear.broker.publish(Message("t/order", b"start"), told.append):
                await asyncio.sleep(0)  # until the loss is noticed
            await ear.until(lambda: ear.lost)
            assert set(told) == {"the connection broke"}
            assert ear.broker.dropped_messages >= 1
            broker.start()
            await ear.until(lambda: len(ear.agreed) == 2)
            ear.broker.publish(Message("t/order", b"now"))
            await ear.until(lambda: ear.heard)
            assert ear.heard == [b"now"]

    run(work())


@needs_mosquitto
def test_more_than_the_window_waits_its_turn_and_what_expires_there_is_dropped(mosquitto):
    broker = mosquitto(more="max_inflight_messages 2\n")
    told = []

    async def work():
        async with connected(config(broker, send_queue_max=50)) as ear:
            taken = [ear.broker.publish(Message("t/x", b"%d" % n), told.append) for n in range(60)]
            assert taken == [True] * 52 + [False] * 8
            ear.broker.publish(Message("t/x", b"stale", expires_s=-1), told.append)
            await ear.until(lambda: len(told) == 52)
            assert told == [""] * 52
            assert ear.broker.dropped_messages == 9

    run(work())


@needs_mosquitto
def test_a_defect_in_handling_costs_a_connection_not_a_loop(mosquitto):
    broker = mosquitto()

    async def work():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        async with connected(config(broker)) as ear:
            ear.refuses = b"poison"
            async with aiomqtt.Client("127.0.0.1", broker.port) as pile:
                await pile.publish("t/x", b"poison", qos=1)
                await ear.until(lambda: len(ear.agreed) == 2)
                await pile.publish("t/x", b"good", qos=1)
            await ear.until(lambda: b"good" in ear.heard)
            assert ear.heard.count(b"good") == 1
            assert "an error while reading" in ear.lost

    run(work())


def test_a_broker_that_never_answers_is_given_up():
    async def work():
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"mqtt://127.0.0.1:{silent.getsockname()[1]}"
            async with connected(config(None, url=url, connect_timeout_ms=100), waits=False) as ear:
                await ear.until(lambda: ear.lost)
                assert ear.lost[0] == "no answer"

    run(work())


@pytest.mark.parametrize(
    ("keys", "text"), [({"user_env": "NOBODY_SET_THIS"}, "NOBODY_SET_THIS"), ({"ca_file": "/nowhere.pem"}, "TLS")]
)
def test_what_is_not_there_is_a_configuration_error(keys, text):
    async def work():
        with pytest.raises(ConfigError, match=text):
            Broker(BrokerConfig("gw", "mqtts://127.0.0.1", **keys), Ear(), environment={})

    run(work())

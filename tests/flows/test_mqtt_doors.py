"""Both doors of one daemon on one broker, with TLS and an account: piles come in, bills go out, presence is told."""

import asyncio
import json
import subprocess

import aiomqtt
import pytest
import trustme

from gateway.simulator.fleet import Fleet
from gateway.simulator.lines import MqttDialler
from gateway.simulator.scripts import card_uid, cast_fleet, vin
from tests.support.brokers import MOSQUITTO, Mosquitto, free_port, needs_mosquitto
from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import write_config

SPEED = 20
COUNT = 3
STATE = "pile/v1/gateway/gateway-0/state"


class Doors:
    """A broker with a door for piles and a locked one for the gateway, and who listens there."""

    def __init__(self, directory):
        self.broker = Mosquitto(directory)
        self.tls_port = free_port()
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(directory / "ca.pem")
        certificate.private_key_pem.write_to_path(directory / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(directory / "cert.pem")
        (directory / "passwords").write_text("gateway:correct horse\n")
        tool = str(MOSQUITTO).replace("sbin", "bin") + "_passwd"
        subprocess.run([tool, "-U", str(directory / "passwords")], check=True, timeout=20)
        plain = self.broker.config.read_text()
        self.broker.config.write_text(
            f"per_listener_settings true\n{plain}listener {self.tls_port} 127.0.0.1\nallow_anonymous false\n"
            f"password_file {directory}/passwords\nkeyfile {directory}/key.pem\ncertfile {directory}/cert.pem\n"
        )
        self.events = []
        self.presence = []

    def table(self, directory, version):
        common = (
            f'url = "mqtts://127.0.0.1:{self.tls_port}"\nuser_env = "MQTT_USER"\npassword_env = "MQTT_PASSWORD"\n'
            f'ca_file = "{directory}/ca.pem"\nprotocol_version = "{version}"\nreconnect_first_ms = 50\n'
            "reconnect_max_ms = 300\n"
        )
        up = f'[[mqtt_upstream]]\nname = "erp"\nclient_id = "gateway-0-erp"\n{common}'
        return f'[[mqtt]]\nclient_id = "gateway-0"\n{common}{up}'

    async def listen(self, ready):
        """A receiver whose session the broker keeps, over restarts."""
        while True:
            try:
                async with aiomqtt.Client(
                    "127.0.0.1", self.broker.port, identifier="erp", clean_session=False
                ) as client:
                    await client.subscribe([("pilegate/events/#", 1), (STATE, 1)])
                    ready.set()
                    async for message in client.messages:
                        if message.topic.value == STATE:
                            self.presence.append(json.loads(message.payload))
                        else:
                            self.events.append((message.topic.value, json.loads(message.payload)))
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)

    def bills_told(self):
        """Transactions whose bill came, by the newest revision that was told."""
        told = [(topic, event) for topic, event in self.events if event["type"].startswith("pilegate.bill.")]
        assert all(topic == f"pilegate/events/{event['type']}" for topic, event in told)
        return {event["data"]["transaction_id"] for _, event in told}


async def until(is_so, seconds=30):
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.02)


@needs_mosquitto
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_piles_come_in_and_bills_go_out_by_one_locked_broker_that_restarts(tmp_path, monkeypatch, version):
    monkeypatch.setenv("MQTT_USER", "gateway")
    monkeypatch.setenv("MQTT_PASSWORD", "correct horse")
    doors = Doors(tmp_path)
    clock = FastClock(START_MS, SPEED)
    daemon = Daemon(write_config(tmp_path, COUNT, more=doors.table(tmp_path, version)), clock)
    numbers = range(1, COUNT + 1)
    list_accounts(tmp_path, cards=[card_uid(n) for n in numbers], vins=[vin(n) for n in numbers])

    async def story():
        ready = asyncio.Event()
        listening = asyncio.create_task(doors.listen(ready))
        await asyncio.wait_for(ready.wait(), 20)
        await asyncio.to_thread(daemon.start)
        await until(lambda: daemon.log_lines("broker_subscribed"))
        await until(lambda: doors.presence and doors.presence[-1]["online"])
        cast = cast_fleet(COUNT, seed=4, charge_ms=(40_000, 60_000))
        dial = MqttDialler("127.0.0.1", doors.broker.port, version=version)
        fleet = Fleet(cast, seed=4, now_ms=clock.now_ms, speed=SPEED, dial=dial)
        running = asyncio.create_task(fleet.run())
        await until(fleet.oracle)
        await asyncio.to_thread(doors.broker.stop)
        await asyncio.to_thread(doors.broker.start)
        await asyncio.wait_for(running, 60)
        wanted = {story.transaction_id for story in fleet.oracle()}
        await until(lambda: doors.bills_told() >= wanted)
        await until(lambda: doors.presence[-1]["online"])
        await asyncio.to_thread(daemon.kill)
        await until(lambda: not doors.presence[-1]["online"])
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        return wanted

    doors.broker.start()
    try:
        wanted = asyncio.run(asyncio.wait_for(story(), 110))
    finally:
        daemon.close()
        doors.broker.close()
    assert len(wanted) >= COUNT
    assert doors.presence[-1] == {"online": False, "reason": "will"}
    assert wanted <= set(daemon.bills())
    shapes = {(event["specversion"], event["datacontenttype"], bool(event["id"])) for _, event in doors.events}
    assert shapes == {("1.0", "application/json", True)}

"""The yardstick: a bare aiomqtt consumer that keeps nothing, and answers logins and heartbeats so that it can be timed.

``python -m bench.mqttbare PORT``; with ``own`` behind it, the same with the client that the gateway uses.
"""

from __future__ import annotations

import sys

import aiomqtt
import uvloop

from bench.piles import blank_frame
from gateway.broker import Broker, BrokerConfig, Message, Owner

_ANSWERS = {0x01: 0x02, 0x03: 0x04}
_UP = "pile/v1/+/+/up"


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


async def consume(port: int) -> None:
    """Take messages until ended."""
    async with aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe(_UP, qos=1)
        _ready()
        async for message in client.messages:
            answer = _ANSWERS.get(message.payload[5])
            if answer is not None:
                topic = message.topic.value.removesuffix("up") + "down"
                await client.publish(topic, blank_frame(answer, 0), qos=0)


class _Consumer(Owner):
    """The same, told by callbacks."""

    broker: Broker

    def on_connected(self, *, has_session: bool) -> None:
        self.broker.subscribe([_UP], lambda agreed: _ready())

    def on_message(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        answer = _ANSWERS.get(payload[5])
        if answer is not None:
            self.broker.publish(Message(topic.removesuffix("up") + "down", blank_frame(answer, 0), qos=0))


async def consume_by_callbacks(port: int) -> None:
    """Take messages until ended."""
    owner = _Consumer()
    owner.broker = Broker(BrokerConfig("bare", f"mqtt://127.0.0.1:{port}"), owner, is_lasting=False)
    await owner.broker.run()


if __name__ == "__main__":
    consumer = consume_by_callbacks if sys.argv[2:] == ["own"] else consume
    uvloop.run(consumer(int(sys.argv[1])))

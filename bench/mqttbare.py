"""The yardstick: a bare aiomqtt consumer that keeps nothing, and answers logins and heartbeats so that it can be timed.

``python -m bench.mqttbare PORT``
"""

from __future__ import annotations

import sys

import aiomqtt
import uvloop

from bench.piles import blank_frame

_ANSWERS = {0x01: 0x02, 0x03: 0x04}


async def consume(port: int) -> None:
    """Take messages until ended."""
    async with aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe("pile/v1/+/+/up", qos=1)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        async for message in client.messages:
            answer = _ANSWERS.get(message.payload[5])
            if answer is not None:
                topic = message.topic.value.removesuffix("up") + "down"
                await client.publish(topic, blank_frame(answer, 0), qos=0)


if __name__ == "__main__":
    uvloop.run(consume(int(sys.argv[1])))

"""Events as MQTT messages: CloudEvents as structured JSON, QoS 1, done when the broker says that somebody gets them.

Source: CloudEvents 1.0.2, MQTT protocol binding, structured mode; docs/upstream.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from gateway.broker import Broker, BrokerConfig, Message, Owner
from gateway.forwarders.base import Delivery, DrainConfig
from gateway.forwarders.cloudevents import refuse_omissions
from gateway.listeners.topics import Template

log = structlog.get_logger()

_PARTS = frozenset({"type", "subject", "partitionkey"})
_ODD = re.compile(r"[^0-9A-Za-z._:-]")
_CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_NOT_THIS_EVENT = {  # what a broker has against one message, in the words of HTTP that the schedule knows
    "Not authorized": 403,
    "Topic name invalid": 400,
    "Payload format invalid": 400,
    "Packet too large": 413,
    "Quota exceeded": 429,
}


@dataclass(frozen=True, slots=True)
class MqttUpstreamConfig(BrokerConfig):
    """One broker that events go to.

    Attributes:
        name: what the outbox calls it; changing it makes it a new receiver.
        topic: with ``{type}``, ``{subject}`` and ``{partitionkey}`` of the event where they stand.
        types: event types it wants, such as ``pilegate.bill.*``; all when empty.
        omit: fields of a bill that it must not learn, and gets as null: those of ``OMITTABLE``.
        timeout_ms: for connecting and for the broker's acknowledgement, together.
    """

    name: str = ""
    topic: str = "pilegate/events/{type}"
    types: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    session_expiry_s: int = 0
    timeout_ms: int = 15_000
    drain: DrainConfig = field(default_factory=DrainConfig)

    def __post_init__(self) -> None:
        BrokerConfig.__post_init__(self)
        refuse_omissions(self.omit)
        strangers = Template(self.topic).parts - _PARTS
        if not self.name or strangers:
            raise ValueError(f"an upstream needs a name, and its topic no parts but {', '.join(sorted(_PARTS))}")


class MqttSender(Owner):
    """Delivers to one broker. Raises ``ConfigError`` when a variable or file it was told of is not there."""

    def __init__(self, config: MqttUpstreamConfig, environment: Mapping[str, str] | None = None) -> None:
        self._config = config
        self._topic = Template(config.topic)
        self._broker = Broker(config, self, environment=environment)
        self._connected = asyncio.Event()
        self._lost_because = "not connected yet"
        self._task: asyncio.Task[None] | None = None

    def on_connected(self, *, has_session: bool) -> None:
        """Deliveries may go."""
        self._connected.set()
        log.info("upstream_connected", upstream=self._config.name)

    def on_lost(self, reason: str) -> None:
        """Deliveries wait, or fail."""
        self._connected.clear()
        self._lost_because = reason
        log.warning("upstream_lost", upstream=self._config.name, reason=reason)

    async def send(self, event_id: str, body: bytes) -> Delivery:
        """One attempt: published, and acknowledged as taken by somebody."""
        if self._task is None:
            self._task = asyncio.create_task(self._broker.run())
        message = Message(self._place(body), body, content_type=_CONTENT_TYPE)
        try:
            async with asyncio.timeout(self._config.timeout_ms / 1_000):
                await self._connected.wait()
                return await self._publish(message)
        except TimeoutError:
            where = "no acknowledgement" if self._connected.is_set() else f"no connection ({self._lost_because})"
            return Delivery(None, f"{where} within {self._config.timeout_ms} ms")

    def _place(self, body: bytes) -> str:
        event = json.loads(body)
        return self._topic.fill({part: _ODD.sub("_", str(event.get(part, ""))) for part in _PARTS})

    async def _publish(self, message: Message) -> Delivery:
        said: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def tell(answer: str) -> None:
            if not said.done():  # nobody waits any more after the timeout
                said.set_result(answer)

        if not self._broker.publish(message, tell):
            return Delivery(None, "the broker takes no more")
        answer = await said
        if not answer:
            return Delivery(200)
        return Delivery(_NOT_THIS_EVENT.get(answer), answer, answer=answer)

    async def close(self) -> None:
        """Leave the broker."""
        await self._broker.stop()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

"""MQTT in: one pipeline per topic, the broker between us and the piles.

A link here is an uplink topic. It opens with the first message and closes when its presence topic says offline,
when it is silent for too long, or when the pipeline will have no more of it; the broker being away closes nothing.
See docs/mqtt.md for the convention.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from gateway.broker import Broker, BrokerConfig, Message, Owner
from gateway.clock import Clock
from gateway.listeners.topics import ROUTES, PayloadError, Place, RouteConfig, Routes, decode, encode, tells_offline
from gateway.metrics import Metrics
from gateway.pipeline import LimitsConfig, Pipeline
from protocol.detect import NAMES, dialect_named
from protocol.events import PileLoggedIn, RecordReceived
from protocol.link import Link

log = structlog.get_logger()

_ENCODINGS = ("raw", "hex", "json")
_SHOWN_BYTES = 256
_PLACES_MAX = 50_000
_CATCH_UP_MS_MAX = 30_000
_STILL_COUNTS = (PileLoggedIn, RecordReceived)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MqttListenConfig(BrokerConfig):
    """One broker that piles are behind.

    Attributes:
        route: families of topics.
        protocol: what the piles here speak, such as ``aaf5-op30``; empty: their bytes tell.
        share_group: ``$share`` group for brokers that keep a topic with one member; plain subscriptions when empty.
        node_count, node_no: so many processes share the piles, and this is the n-th, from 0.
        relay: where a member of a share group hands on what another serves.
        gateway_state: where our own presence is told; empty for nowhere.
        encoding: ``raw``, ``hex`` or ``json``.
        json_member: the text member that holds the frame, hex or base64.
        payload_bytes_max: larger messages are dropped.
        down_expiry_s: the broker drops what a pile did not take within this; MQTT 5.
        has_clean_piles: piles connect with clean sessions, so that QoS 1 towards them is safe on MQTT 3.1.1 too.
        rest_ms: a topic whose link was closed for what it sent is not heard for this long.
    """

    route: tuple[RouteConfig, ...] = ROUTES
    protocol: str = ""
    share_group: str = ""
    node_count: int = 1
    node_no: int = 0
    relay: str = "pile/v1/gateway/relay"
    gateway_state: str = "pile/v1/gateway/{client_id}/state"
    encoding: str = "raw"
    json_member: str = "frame"
    payload_bytes_max: int = 8_192
    down_expiry_s: int = 10
    has_clean_piles: bool = False
    rest_ms: int = 5_000

    def __post_init__(self) -> None:
        BrokerConfig.__post_init__(self)
        Routes(self.route)
        if self.protocol and dialect_named(self.protocol) is None:
            raise ValueError(f"protocol {self.protocol!r} is not known; there are: {', '.join(NAMES)}")
        if self.encoding not in _ENCODINGS:
            raise ValueError(f"encoding is one of {', '.join(_ENCODINGS)}")
        if not self.route or self.payload_bytes_max < 1 or self.down_expiry_s < 1:
            raise ValueError("one route at least; payload_bytes_max and down_expiry_s are 1 or more")
        if not 0 <= self.node_no < self.node_count:
            raise ValueError("node_no is 0 to node_count - 1")
        if set(self.share_group) & set("/+#"):
            raise ValueError("share_group holds none of / + #")

    @property
    def down_qos(self) -> int:
        """QoS towards piles: 1, but 0 where a late order could wait for a pile that is away."""
        return 1 if self.is_v5 or self.has_clean_piles else 0


MakePipeline = Callable[
    [int, str, Callable[[bytes], None], Callable[[], None], str | None, str | None],
    Pipeline,
]


class MqttListener(Owner):
    """Serves the piles behind one broker.

    Args:
        make_pipeline: (link number, address, write, hang_up, the only pile, protocol) → the pipeline of a new link.
        next_link_no: gives each link a number that is unique in the daemon.
    """

    def __init__(
        self,
        config: MqttListenConfig,
        limits: LimitsConfig,
        clock: Clock,
        make_pipeline: MakePipeline,
        next_link_no: Callable[[], int],
        metrics: Metrics,
    ) -> None:
        self.config = config
        self.limits = limits
        self.clock = clock
        self.links: dict[str, MqttLink] = {}
        self.make_pipeline = make_pipeline
        self.next_link_no = next_link_no
        self._metrics = metrics
        self._routes = Routes(config.route)
        self._places: dict[str, Place | None] = {}
        self._resting: dict[str, int] = {}  # topic -> until when, Unix ms
        self._by_state: dict[str, set[str]] = {}  # presence topic -> links
        self._state_topic = config.gateway_state.replace("{client_id}", config.client_id)
        self._relay_prefix = f"{config.relay}/{config.node_no}/"
        self._was_lost = False
        self._late_until_ms = 0  # what comes before may have waited at the broker while we were away
        self._mark = b""  # our own presence, which comes back to us behind everything that waited
        self._patient_until_ms = 0
        self._log = log.bind(broker=config.url, client_id=config.client_id)
        self._task: asyncio.Task[None] | None = None

    # -- what the daemon asks -------------------------------------------------------------------------

    async def start(self) -> int:
        """Begin to connect; returns the broker's port. A broker that is away is waited for, not an error."""
        self.broker = Broker(self.config, self, will=self._presence(online=False, reason="will"))
        self._task = asyncio.create_task(self.broker.run())
        return self.config.address[1]

    def check(self, at_ms: int) -> Iterator[None]:
        """Close links that are silent or never logged in, unless it is the broker that was silent."""
        self._resting = {topic: until for topic, until in self._resting.items() if until > at_ms}
        if self.broker.is_connected and at_ms >= self._patient_until_ms:
            for link in list(self.links.values()):
                link.pipeline.check(at_ms)
        yield

    def pause(self, *, is_paused: bool) -> None:
        """Stop or resume reading: the store cannot follow. The broker keeps what comes meanwhile."""
        self.broker.pause(is_paused=is_paused)

    async def stop_accepting(self) -> None:
        """Leave the share group, so that other members are given what comes now."""
        if self.config.share_group:
            self.broker.unsubscribe(self._up_filters())

    async def close_all(self, reason: str) -> None:
        """Close every link, say goodbye to the broker and leave; our session stays there."""
        for link in list(self.links.values()):
            link.pipeline.close(reason)
        farewell = self._presence(online=False, reason="bye")
        await self.broker.stop([farewell] if farewell else [])
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    # -- the broker -----------------------------------------------------------------------------------

    def on_connected(self, *, has_session: bool) -> None:
        """Subscribe first, and only then tell that we are here."""
        now_ms = self.clock.now_ms()
        if self._was_lost:
            self._patient_until_ms = now_ms + self.limits.idle_timeout_ms
        self._late_until_ms = now_ms + _CATCH_UP_MS_MAX if has_session and self._state_topic else 0
        self._log.info("broker_connected", has_session=has_session)
        filters = self._up_filters() + self._routes.state_filters
        if self._state_topic:
            filters.append(self._state_topic)
        if self.config.share_group and self.config.node_count > 1:
            filters.append(self._relay_prefix + "#")
        self.broker.subscribe(filters, lambda agreed: self._subscribed(filters, agreed))

    def _up_filters(self) -> list[str]:
        group = self.config.share_group
        return [f"$share/{group}/{each}" if group else each for each in self._routes.up_filters]

    def _subscribed(self, filters: Sequence[str], agreed: Sequence[bool]) -> None:
        refused = [each for each, is_agreed in zip(filters, agreed, strict=False) if not is_agreed]
        if refused:
            self._log.error("subscription_refused", topics=refused, hint="the broker's access list must allow them")
            self.broker.drop(f"the broker refused {refused[0]}")
            return
        self._log.info("broker_subscribed", topics=list(filters))
        presence = self._presence(online=True)
        if presence is not None:
            self._mark = presence.payload
            self.broker.publish(presence)

    def _presence(self, *, online: bool, reason: str = "") -> Message | None:
        if not self._state_topic:
            return None
        told: dict[str, object] = {"online": online}
        if online:
            told["at"] = (_EPOCH + timedelta(milliseconds=self.clock.now_ms())).isoformat(timespec="milliseconds")
        else:
            told["reason"] = reason
        return Message(self._state_topic, json.dumps(told).encode(), is_retained=True)

    def on_lost(self, reason: str) -> None:
        """The broker is away: links and sessions stay as they are, their deadlines run."""
        self._was_lost = True
        self._metrics.broker_losses[reason] += 1
        self._log.warning("broker_lost", reason=reason, links=len(self.links))

    # -- messages -------------------------------------------------------------------------------------

    def on_message(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """Frames, or presence."""
        if topic == self._state_topic:
            if payload == self._mark and not is_retained:
                self._late_until_ms = 0
            return
        is_relayed = topic.startswith(self._relay_prefix)
        if is_relayed:
            topic = topic.removeprefix(self._relay_prefix)
        link = self.links.get(topic)
        if link is not None and not is_retained:
            self._frames(link.place, payload)
            return
        place = self._place(topic)
        if place is None:
            if self._routes.is_state(topic):
                self._state(topic, payload)
            else:
                self._drop("topic_invalid", topic, payload)
        elif is_retained:  # it may be days old, and every new subscriber gets it again
            self._drop("retained", topic, payload)
        elif self._is_mine(place):
            self._frames(place, payload)
        elif is_relayed:  # the processes disagree on who serves it: it must not go in circles
            self._drop("relayed_astray", topic, payload)
        elif self.config.share_group:
            owner = place.share_no(self.config.node_count)
            self.broker.publish(Message(f"{self.config.relay}/{owner}/{topic}", payload))

    def _place(self, topic: str) -> Place | None:
        if topic not in self._places:
            if len(self._places) >= _PLACES_MAX:
                self._places.clear()
            self._places[topic] = self._routes.place(topic)
        return self._places[topic]

    def _is_mine(self, place: Place) -> bool:
        """Whether this process serves the pile. Otherwise another does, and is handed it where the broker did not."""
        return place.share_no(self.config.node_count) == self.config.node_no

    def _frames(self, place: Place, payload: bytes) -> None:
        """One uplink message."""
        config = self.config
        if len(payload) > config.payload_bytes_max:
            self._drop("oversized", place.up, payload)
            return
        try:
            data = decode(payload, config.encoding, config.json_member)
        except PayloadError as error:
            self._drop("encoding", place.up, payload, str(error))
            return
        at_ms = self.clock.now_ms()
        if at_ms < self._late_until_ms and not self._still_counts(data, at_ms):
            self._drop("late", place.up, payload)
            return
        link = self.links.get(place.up) or self._open(place, at_ms, payload)
        if link is not None and data:
            link.receive(data, at_ms)

    def _still_counts(self, data: bytes, at_ms: int) -> bool:
        """Whether frames that waited mean now what they meant then.

        A login and a record do. A sample stamped now would place its energy at the wrong moment, and a start asked
        for minutes ago must not be granted to a driver who has left.
        """
        link = Link(protocol=self.config.protocol or None)
        return any(isinstance(fact, _STILL_COUNTS) for fact in link.receive(data, at_ms))

    def _open(self, place: Place, at_ms: int, payload: bytes) -> MqttLink | None:
        if self._resting.get(place.up, 0) > at_ms:
            self._drop("link_resting", place.up, payload)
            return None
        if len(self.links) >= self.limits.links_max:
            self._drop("too_many_links", place.up, payload)
            return None
        link = self.links[place.up] = MqttLink(self, place)
        if place.state:
            self._by_state.setdefault(place.state, set()).add(place.up)
        return link

    def _state(self, topic: str, payload: bytes) -> None:
        """A pile, or a concentrator, says that it is here, or the broker that it is gone."""
        is_offline = tells_offline(payload)
        if is_offline is None:
            self._drop("presence_unreadable", topic, payload)
        elif is_offline:
            for up in sorted(self._by_state.get(topic, ())):
                self.links[up].pipeline.close("its presence says offline")

    def _drop(self, code: str, topic: str, payload: bytes, detail: str = "") -> None:
        self._metrics.count_refused(code)
        self._log.warning(
            "message_refused",
            code=code,
            link=topic,
            detail=detail,
            bytes=len(payload),
            hex=payload[:_SHOWN_BYTES].hex(),
        )

    # -- the way back ---------------------------------------------------------------------------------

    def send(self, place: Place, frame: bytes) -> None:
        """Publish one frame for a pile; what cannot leave now never does."""
        config = self.config
        payload = encode(frame, config.encoding, config.json_member)
        message = Message(place.down, payload, config.down_qos, expires_s=config.down_expiry_s)
        if not self.broker.publish(message):
            self._log.warning("message_unsent", link=place.up, hex=frame[:_SHOWN_BYTES].hex())
            self._metrics.count_refused("unsent")

    def forget(self, link: MqttLink, *, is_at_fault: bool) -> None:
        """A link is closed; one that sent rubbish is not heard for a while."""
        place = link.place
        self.links.pop(place.up, None)
        if place.state in self._by_state:
            self._by_state[place.state].discard(place.up)
            if not self._by_state[place.state]:
                del self._by_state[place.state]
        at_ms = self.clock.now_ms()
        if is_at_fault:
            self._resting[place.up] = at_ms + self.config.rest_ms
        link.pipeline.closed(at_ms)


class MqttLink:
    """One topic: messages to the pipeline, and nothing else."""

    __slots__ = ("_is_hung_up", "_is_receiving", "_listener", "pipeline", "place")

    def __init__(self, listener: MqttListener, place: Place) -> None:
        self.place = place
        self._listener = listener
        self._is_receiving = False
        self._is_hung_up = False
        self.pipeline = listener.make_pipeline(
            listener.next_link_no(),
            place.up,
            self._write,
            self._hang_up,
            place.pile_id,
            listener.config.protocol or None,
        )

    def receive(self, data: bytes, at_ms: int) -> None:
        """Bytes of the pile; a closing that they lead to takes effect behind them."""
        self._is_receiving = True
        try:
            self.pipeline.received(data, at_ms)
        finally:
            self._is_receiving = False
        if self._is_hung_up:
            self._listener.forget(self, is_at_fault=True)

    def _write(self, data: bytes) -> None:
        self._listener.send(self.place, data)

    def _hang_up(self) -> None:
        """There is nobody to hang up on: the topic is let go of, and its next message opens a new link."""
        self._is_hung_up = True
        if not self._is_receiving:
            self._listener.forget(self, is_at_fault=False)

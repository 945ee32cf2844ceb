"""One connection to an MQTT broker on the event loop: paho speaks MQTT, the loop does the waiting.

A connection that breaks is made again, each time by a fresh client, so that nothing which waited in the old one
is sent late. What the broker holds for us waits in its session, not here: a message is acknowledged after it was
handed on, and a paused connection reads nothing. See docs/adr/0040.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import select
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.errors import ConfigError

log = structlog.get_logger()

_VERSIONS = {"5": paho.MQTTv5, "3.1.1": paho.MQTTv311}
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_TAKEN_OVER = "Session taken over"
_UNEXPLAINED = "Unspecified error"  # paho's words for a connection that just ended
_CONTESTED_AFTER = 3
_WINDOW_MAX = 1_000
_FLUSHES = 50
_READS_MAX = 32
_WILL_DELAY_S = 10  # a short reconnect is no absence


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """How to reach a broker, and as whom.

    Attributes:
        client_id: stable over restarts and used by one process only; a second one throws the first out.
        url: ``mqtt://host:port`` or, for TLS, ``mqtts://host:port``.
        protocol_version: ``5`` or ``3.1.1``.
        user_env, password_env: names of environment variables that hold the credentials.
        ca_file: PEM of a private authority; the system's authorities when empty.
        cert_file, key_file: PEM files of a client certificate.
        keep_alive_s: silence after which either side asks whether the other is there.
        session_expiry_s: how long the broker keeps our session and its backlog while we are away.
        receive_max: messages that the broker may send before the first of them is acknowledged.
        connect_timeout_ms: for the connection and for the broker's answer, each.
        reconnect_first_ms, reconnect_max_ms: waits before a new attempt, doubling.
        send_queue_max: messages that may wait for a slow broker; more are dropped and counted.
    """

    client_id: str
    url: str = "mqtt://127.0.0.1:1883"
    protocol_version: str = "5"
    user_env: str = ""
    password_env: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keep_alive_s: int = 30
    session_expiry_s: int = 300
    receive_max: int = 256
    connect_timeout_ms: int = 5_000
    reconnect_first_ms: int = 500
    reconnect_max_ms: int = 30_000
    send_queue_max: int = 10_000

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("url is mqtt://host:port, or mqtts://host:port for TLS")
        if parts.username or parts.password:
            raise ValueError("no credentials in the URL: use user_env and password_env")
        if self.protocol_version not in _VERSIONS:
            raise ValueError('protocol_version is "5" or "3.1.1"')
        if not self.client_id or not 1 <= self.receive_max <= 65_535 or self.keep_alive_s < 1:
            raise ValueError("client_id must not be empty, receive_max is 1 to 65535, keep_alive_s 1 or more")

    @property
    def is_v5(self) -> bool:
        """Whether the connection speaks MQTT 5."""
        return self.protocol_version == "5"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the broker."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or _PORTS[parts.scheme]

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.url.startswith("mqtts:")


@dataclass(frozen=True, slots=True)
class Message:
    """Something to publish; also a last will.

    Attributes:
        expires_s: the broker drops it after this; only MQTT 5 knows that.
        content_type: told to receivers; only MQTT 5 knows that.
    """

    topic: str
    payload: bytes
    qos: int = 1
    is_retained: bool = False
    expires_s: int | None = None
    content_type: str = ""


class Owner:
    """Who a connection serves; does nothing until overridden."""

    def on_connected(self, *, has_session: bool) -> None:
        """The broker took us; ``has_session`` when it still held our session."""

    def on_message(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """A message came; it is acknowledged when this returns, whatever happens in it."""

    def on_lost(self, reason: str) -> None:
        """The connection broke, or could not be made."""


Done = Callable[[str], None]


class Broker:
    """A connection that is kept up.

    Args:
        owner: told what happens.
        will: what the broker says when we vanish.
        is_lasting: the broker keeps our session and ``run`` connects again; otherwise one clean connection is all.
        environment: where credentials stand. Raises ``ConfigError`` for a missing variable or file.

    Attributes:
        is_connected: whether the broker took us and has not been lost.
        dropped_messages: that could not be sent, since the start.
    """

    def __init__(
        self,
        config: BrokerConfig,
        owner: Owner,
        *,
        will: Message | None = None,
        is_lasting: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        environment = os.environ if environment is None else environment
        self.config = config
        self.is_connected = False
        self.dropped_messages = 0
        self._owner = owner
        self._will = will
        self._is_lasting = is_lasting
        self._user, self._password = (_secret(name, environment) for name in (config.user_env, config.password_env))
        self._tls = _tls(config)
        self._loop = asyncio.get_running_loop()
        self._client: paho.Client | None = None
        self._ended: asyncio.Future[str] | None = None
        self._is_stopping = False
        self._is_paused = False
        self._unexplained = 0
        self._handed_on = 0
        self._window = _WINDOW_MAX
        self._waiting: deque[tuple[Message, Done | None, float]] = deque()
        self._flying: dict[int, Done | None] = {}
        self._subscribing: dict[int, Callable[[Sequence[bool]], None]] = {}
        self._woken = asyncio.Event()

    # -- the life of the connection -------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, and connect again, until ``stop``; once only when the connection is not lasting."""
        waits_ms = self._waits_ms()
        while not self._is_stopping:
            reason, lived_s = await self._one_life()
            if self._is_stopping:
                return
            reason = self._explained(reason)
            self._owner.on_lost(reason)
            if not self._is_lasting:
                return
            if lived_s * 1_000 > self.config.reconnect_max_ms:
                waits_ms = self._waits_ms()
            wait_ms = next(waits_ms)
            if _TAKEN_OVER in reason:  # coming back at once would throw the other one out again, and so on
                wait_ms = self.config.reconnect_max_ms
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait_ms / 1_000)

    def _explained(self, reason: str) -> str:
        """A broker that takes us at once and drops us again, without a word, does so for a second client."""
        self._unexplained = self._unexplained + 1 if reason == _UNEXPLAINED else 0
        if self._unexplained >= _CONTESTED_AFTER:
            return f"{_TAKEN_OVER}, it seems: does a second client use our client_id?"
        return reason if reason != _UNEXPLAINED else "closed without a reason"

    def _waits_ms(self) -> Any:
        first, most = self.config.reconnect_first_ms, self.config.reconnect_max_ms
        return (min(most, first << min(n, 16)) * random.randint(75, 125) // 100 for n in itertools.count())

    async def _one_life(self) -> tuple[str, float]:
        """One connection from its making to its end; returns why it ended and how many seconds it lived."""
        ended = self._ended = self._loop.create_future()
        client = self._client = self._make_client()
        began_s = self._loop.time()
        try:
            await self._loop.run_in_executor(None, self._connect, client)
        except (OSError, ValueError) as error:
            self._end(client, str(error) or type(error).__name__)
        patience = self._loop.call_later(self.config.connect_timeout_ms / 1_000, self._end_unanswered, client)
        tending = self._loop.create_task(self._tend(client))
        try:
            return await ended, self._loop.time() - began_s
        finally:
            patience.cancel()
            tending.cancel()
            self._cut(client)

    async def _tend(self, client: paho.Client) -> None:
        """Keep-alive; a paused connection reads no answers and must not miss them.

        uvloop lets go of a socket that was reset without a word, so it is looked after here.
        """
        while True:
            await asyncio.sleep(min(1.0, self.config.keep_alive_s / 4))
            if _is_broken(client.socket()):
                self._end(client, _UNEXPLAINED)
            elif not self._is_paused:
                client.loop_misc()

    def _end_unanswered(self, client: paho.Client) -> None:
        if not self.is_connected:
            self._end(client, "no answer")

    def _end(self, client: paho.Client, reason: str) -> None:
        if client is self._client and self._ended is not None and not self._ended.done():
            self._ended.set_result(reason)
            self.is_connected = False

    def _cut(self, client: paho.Client) -> None:
        """Forget a connection and everything that waited in it."""
        sock: Any = client.socket()
        if sock is not None:
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())
            client.on_socket_close = None  # the loop has let go of it
            client.on_disconnect = None
            client.on_socket_unregister_write = None
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self.is_connected = False
        self._client = None
        self._subscribing.clear()
        owed = [done for done in self._flying.values() if done is not None]
        owed += [done for _, done, _ in self._waiting if done is not None]
        self.dropped_messages += len(self._waiting)
        self._flying.clear()
        self._waiting.clear()
        for done in owed:
            done("the connection broke")

    async def stop(self, farewell: Sequence[Message] = ()) -> None:
        """Say goodbye and leave; the session stays with the broker. ``run`` ends."""
        self._is_stopping = True
        client = self._client
        if client is not None and self.is_connected:
            for message in farewell:
                self._publish(client, message, None)
            for _ in range(_FLUSHES):
                if not client.want_write():
                    break
                await asyncio.sleep(0.02)
            client.disconnect()
            client.loop_write()
            self._end(client, "stopped")
        elif client is not None:
            self._end(client, "stopped")
        self._woken.set()

    # -- making a client ------------------------------------------------------------------------------

    def _make_client(self) -> paho.Client:
        config = self.config
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=config.client_id,
            clean_session=None if config.is_v5 else not self._is_lasting,
            protocol=_VERSIONS[config.protocol_version],
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = config.connect_timeout_ms / 1_000
        client.max_inflight_messages_set(0)
        if self._user:
            client.username_pw_set(self._user, self._password or None)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        if self._will is not None:
            will = self._will
            properties = None
            if config.is_v5 and self._is_lasting:
                properties = _properties(PacketTypes.WILLMESSAGE, WillDelayInterval=_WILL_DELAY_S)
            client.will_set(will.topic, will.payload, will.qos, will.is_retained, properties)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_socket_register_write
        client.on_socket_unregister_write = self._on_socket_unregister_write
        return client

    def _connect(self, client: paho.Client) -> None:
        """Runs in a thread of the pool: looking up a name, connecting and the TLS handshake block."""
        host, port = self.config.address
        if not self.config.is_v5:
            client.connect(host, port, self.config.keep_alive_s)
            return
        properties = _properties(
            PacketTypes.CONNECT,
            SessionExpiryInterval=self.config.session_expiry_s if self._is_lasting else 0,
            ReceiveMaximum=self.config.receive_max,
        )
        client.connect(host, port, self.config.keep_alive_s, clean_start=not self._is_lasting, properties=properties)

    # -- what paho tells ------------------------------------------------------------------------------

    def _on_connect(self, client: paho.Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        if client is not self._client:
            return
        if reason.is_failure:
            self._end(client, f"refused: {reason}")
            return
        self._window = min(_WINDOW_MAX, getattr(properties, "ReceiveMaximum", _WINDOW_MAX))
        self.is_connected = True
        self._owner.on_connected(has_session=flags.session_present)

    def _on_disconnect(self, client: paho.Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._end(client, str(reason))

    def _on_message(self, client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        try:
            try:
                topic = message.topic
            except UnicodeDecodeError:
                topic = "?"  # matches nothing
            self._owner.on_message(topic, bytes(message.payload), is_retained=message.retain)
        finally:
            self._handed_on += 1
            client.ack(message.mid, message.qos)

    def _on_publish(self, client: paho.Client, _: Any, mid: int, reason: Any, properties: Any) -> None:
        done = self._flying.pop(mid, None)
        if done is not None:
            done("" if reason.value == 0 else str(reason))
        self._send_waiting(client)

    def _on_subscribe(self, client: paho.Client, _: Any, mid: int, reasons: Any, properties: Any) -> None:
        done = self._subscribing.pop(mid, None)
        if done is not None:
            done([not reason.is_failure for reason in reasons])

    # -- the socket on the loop -----------------------------------------------------------------------

    def _on_socket_open(self, client: paho.Client, _: Any, sock: Any) -> None:
        with contextlib.suppress(OSError, AttributeError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.call_soon_threadsafe(self._watch, client, sock)

    def _watch(self, client: paho.Client, sock: Any) -> None:
        if self._holds(client, sock) and not self._is_paused:
            self._loop.add_reader(sock.fileno(), self._readable, client)

    def _holds(self, client: paho.Client, sock: object) -> bool:
        """Whether this is still the connection that counts."""
        return client is self._client and client.socket() is sock

    def _readable(self, client: paho.Client) -> None:
        is_well = False
        try:
            for _ in range(_READS_MAX):  # a batch, so that its acknowledgements leave in one piece
                handed_on = self._handed_on
                client.loop_read()
                if self._handed_on == handed_on or self._is_paused:
                    break
            sock = client.socket()
            while sock is not None and getattr(sock, "pending", int)() > 0 and not self._is_paused:
                client.loop_read()  # bytes that TLS has decrypted already wake no selector
                sock = client.socket()
            is_well = True
        finally:
            if not is_well:  # what was half read is lost with the connection, and sent again
                self._end(client, "an error while reading")

    def _on_socket_close(self, client: paho.Client, _: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock.fileno())

    def _on_socket_register_write(self, client: paho.Client, _: Any, sock: Any) -> None:
        self._loop.call_soon_threadsafe(self._watch_write, client, sock)

    def _watch_write(self, client: paho.Client, sock: Any) -> None:
        if self._holds(client, sock):
            try:
                self._loop.add_writer(sock.fileno(), self._writable, client, sock)
            except RuntimeError:  # uvloop has closed what watched it
                self._end(client, _UNEXPLAINED)

    def _writable(self, client: paho.Client, sock: Any) -> None:
        """Write what waits. paho sends packet by packet; corked, they leave in whole segments."""
        with contextlib.suppress(OSError, AttributeError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        client.loop_write()
        with contextlib.suppress(OSError, AttributeError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def _on_socket_unregister_write(self, client: paho.Client, _: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_writer(sock.fileno())

    # -- what the owner asks --------------------------------------------------------------------------

    def pause(self, *, is_paused: bool) -> None:
        """Stop or resume reading: the broker keeps what comes meanwhile."""
        if is_paused == self._is_paused:
            return
        self._is_paused = is_paused
        sock = self._client.socket() if self._client is not None else None
        if self._client is None or sock is None:
            return
        if is_paused:
            self._loop.remove_reader(sock.fileno())
        else:
            self._loop.add_reader(sock.fileno(), self._readable, self._client)

    def subscribe(self, filters: Sequence[str], done: Callable[[Sequence[bool]], None]) -> None:
        """Ask for topics at QoS 1; ``done`` is told for each whether the broker agreed."""
        if self._client is not None:
            _, mid = self._client.subscribe([(each, 1) for each in filters])
            if mid is not None:
                self._subscribing[mid] = done

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Ask for no more of these topics."""
        if self._client is not None and self.is_connected and filters:
            self._client.unsubscribe(list(filters))

    def drop(self, reason: str) -> None:
        """Break the connection; a new one is made."""
        if self._client is not None:
            self._end(self._client, reason)

    def publish(self, message: Message, done: Done | None = None) -> bool:
        """Send now, or never: False, and a count, when there is no connection or too much waits already.

        Args:
            done: told an empty text once the broker has it, else what it or the line said. Not told when this
                returns False. At QoS 0 told at once.
        """
        client = self._client
        if client is None or not self.is_connected or len(self._waiting) >= self.config.send_queue_max:
            self.dropped_messages += 1
            return False
        if message.qos and len(self._flying) >= self._window:
            self._waiting.append((message, done, self._loop.time()))
        else:
            self._publish(client, message, done)
        return True

    def _publish(self, client: paho.Client, message: Message, done: Done | None) -> None:
        told: dict[str, int | str] = {}
        if message.expires_s is not None:
            told["MessageExpiryInterval"] = message.expires_s
        if message.content_type:
            told["ContentType"] = message.content_type
        properties = _properties(PacketTypes.PUBLISH, **told) if told and self.config.is_v5 else None
        info = client.publish(message.topic, message.payload, message.qos, message.is_retained, properties)
        if message.qos:
            self._flying[info.mid] = done
        elif done is not None:
            done("")

    def _send_waiting(self, client: paho.Client) -> None:
        """Fill the window from what waits; what has expired meanwhile is dropped."""
        now_s = self._loop.time()
        while self._waiting and len(self._flying) < self._window:
            message, done, since_s = self._waiting.popleft()
            if message.expires_s is not None and now_s - since_s > message.expires_s:
                self.dropped_messages += 1
                if done is not None:
                    done("expired before it could be sent")
            else:
                self._publish(client, message, done)


def _is_broken(sock: Any) -> bool:
    """Whether a connection was reset or closed on both sides."""
    if sock is None or sock.fileno() < 0:
        return True
    poller = select.poll()
    poller.register(sock.fileno(), 0)
    return any(state & (select.POLLERR | select.POLLHUP) for _, state in poller.poll(0))


def _properties(packet_type: int, **values: int | str) -> Properties:
    made: Properties = Properties(packet_type)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(made, name, value)
    return made


def _secret(name: str, environment: Mapping[str, str]) -> str:
    if name and name not in environment:
        raise ConfigError("secret_missing", f"the environment variable {name} is not set", path="mqtt")
    return environment[name] if name else ""


class _TlsSocket(ssl.SSLSocket):
    """Closes itself when the other side cannot be trusted; paho forgets it then."""

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands, or leave nothing behind."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _tls(config: BrokerConfig) -> ssl.SSLContext | None:
    if not config.is_tls:
        return None
    try:
        context = ssl.create_default_context(cafile=config.ca_file or None)
        context.sslsocket_class = _TlsSocket
        if config.cert_file:
            context.load_cert_chain(config.cert_file, config.key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError("tls_unusable", f"TLS certificate or key cannot be used: {error}", path="mqtt") from error
    return context

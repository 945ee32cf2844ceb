"""How a simulated pile reaches its gateway: a TCP connection, or topics of an MQTT broker."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from gateway.broker import Broker, BrokerConfig, Message, Owner
from gateway.listeners.topics import ROUTES, Template

_NOBODY = "No matching subscribers"  # the gateway is away: as good as a frame lost on the way
_HERE = b'{"online":true}'
_BYE = b'{"online":false,"reason":"bye"}'
_GONE = b'{"online":false,"reason":"will"}'


class Line(Protocol):
    """An open line. Reading and writing raise ``OSError`` when it breaks; reading ends in empty bytes when it ends.

    Attributes:
        name: of the link in frame logs.
    """

    name: str

    async def read(self, bytes_max: int) -> bytes:
        """What came, at most so many bytes."""

    async def write(self, data: bytes) -> None:
        """Send bytes as one piece."""

    async def close(self, *, is_cut: bool) -> None:
        """Hang up; without a goodbye when the line is cut."""


class Dialler(Protocol):
    """Opens lines."""

    async def __call__(self, pile_id: str) -> Line:
        """A new line for a pile. Raises ``OSError``."""


class TcpLine:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.name = "{}:{}".format(*writer.get_extra_info("sockname")[:2])
        self._reader = reader
        self._writer = writer

    async def read(self, bytes_max: int) -> bytes:
        """What came, at most so many bytes."""
        return await self._reader.read(bytes_max)

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)
        await self._writer.drain()

    async def close(self, *, is_cut: bool) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class MqttDialler:
    """Opens lines to one broker, by the default topics.

    Args:
        protocol: the pile's, as it stands in the topics.
        version: ``5`` or ``3.1.1``.
    """

    def __init__(self, host: str, port: int, *, protocol: str = "ykc", version: str = "5") -> None:
        self.host = host
        self.port = port
        self._protocol = protocol
        self._version = version

    async def __call__(self, pile_id: str) -> MqttLine:
        """A new line for a pile."""
        config = BrokerConfig(
            f"{self._protocol}-{pile_id}", f"mqtt://{self.host}:{self.port}", protocol_version=self._version
        )
        line = MqttLine(config, {"proto": self._protocol, "id": pile_id})
        await line.open()
        return line


class MqttLine(Owner):
    """One client of a broker, with a clean session, a will and its presence."""

    def __init__(self, config: BrokerConfig, parts: dict[str, str]) -> None:
        route = ROUTES[0]
        self.name, self._down, self._state = (Template(t).fill(parts) for t in (route.up, route.down, route.state))
        self._broker = Broker(config, self, will=Message(self._state, _GONE, is_retained=True), is_lasting=False)
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._came = asyncio.Event()
        self._unread = bytearray()
        self._is_lost = False

    async def open(self) -> None:
        """Connect, subscribe, tell that we are here. Raises ``OSError``."""
        self._task = asyncio.create_task(self._broker.run())
        await self._opened
        self._publish(Message(self._state, _HERE, is_retained=True))

    def on_connected(self, *, has_session: bool) -> None:
        """Ask for our own topic."""
        self._broker.subscribe([self._down], self._subscribed)

    def _subscribed(self, agreed: object) -> None:
        if not self._opened.done():
            self._opened.set_result(None)

    def on_message(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """A frame of the gateway."""
        self._unread += payload
        self._came.set()

    def on_lost(self, reason: str) -> None:
        """The broker is gone."""
        self._is_lost = True
        self._came.set()
        if not self._opened.done():
            self._opened.set_exception(ConnectionError(reason))

    async def read(self, bytes_max: int) -> bytes:
        """What came, at most so many bytes."""
        while not self._unread and not self._is_lost:
            self._came.clear()
            await self._came.wait()
        data = bytes(self._unread[:bytes_max])
        del self._unread[:bytes_max]
        return data

    async def write(self, data: bytes) -> None:
        """Publish bytes as one message; a broker that will not have them ends the line."""
        self._publish(Message(self.name, data))

    def _publish(self, message: Message) -> None:
        if not self._broker.publish(message, self._acknowledged):
            raise ConnectionError("no broker")

    def _acknowledged(self, answer: str) -> None:
        if answer and answer != _NOBODY:
            self._broker.drop(answer)

    async def close(self, *, is_cut: bool) -> None:
        """Leave; a cut line says nothing, and the broker tells of it."""
        if is_cut:
            self._broker.drop("cut")
        else:
            await self._broker.stop([Message(self._state, _BYE, is_retained=True)])
        await self._task

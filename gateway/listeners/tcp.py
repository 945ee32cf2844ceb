"""TCP in: one link per connection, one pipeline behind it.

Plain TCP is carried by the lines of ``lines.pyx``, TLS by transports of asyncio; a link does not see which.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import structlog

from gateway.clock import Clock
from gateway.errors import ListenerError
from gateway.listeners.lines import Line, Lines
from gateway.listeners.turns import Turns
from gateway.metrics import Metrics
from gateway.pipeline import LimitsConfig, Pipeline
from gateway.tomlfile import bounded
from protocol.detect import NAMES, dialect_named

log = structlog.get_logger()

_ACCEPTS = 64  # in one go; whoever waits behind them is next
_ACCEPT_AGAIN_S = 1.0
_CHECKED_AT_ONCE = 500  # links: a part of a millisecond


@dataclass(frozen=True, slots=True)
class TcpListenConfig:
    """One port for piles.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        tls_cert_file, tls_key_file: PEM files; TLS is used when both are set.
        keepalive_s: TCP keepalive probes start after this silence.
        backlog: connections that may wait to be accepted.
        protocol: what the piles on this port speak, such as ``aaf5-op30``; empty: their bytes tell.
    """

    host: str = "0.0.0.0"
    port: int = bounded(8767, 0, 65_535)
    tls_cert_file: str = ""
    tls_key_file: str = ""
    keepalive_s: int = bounded(60, 1, 32_767)
    backlog: int = bounded(4096, 1)
    protocol: str = ""

    def __post_init__(self) -> None:
        if self.protocol and dialect_named(self.protocol) is None:
            raise ValueError(f"protocol {self.protocol!r} is not known; there are: {', '.join(NAMES)}")
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ValueError("tls_cert_file and tls_key_file belong together")


MakePipeline = Callable[[int, str, Callable[[bytes], None], Callable[[], None], str | None, str | None], Pipeline]


class TcpListener:
    """Accepts links on one port.

    Args:
        make_pipeline: (link number, address, write, hang_up, the only pile, protocol) → the pipeline of a new link.
        next_link_no: gives each link a number that is unique in the daemon.
        metrics: where links that were not let in are counted.
    """

    def __init__(
        self,
        config: TcpListenConfig,
        limits: LimitsConfig,
        clock: Clock,
        make_pipeline: MakePipeline,
        next_link_no: Callable[[], int],
        metrics: Metrics,
    ) -> None:
        self.config = config
        self._limits = limits
        self.clock = clock
        self.links: set[TcpLink] = set()
        self.per_address: Counter[str] = Counter()
        self.metrics = metrics
        self.make_pipeline = make_pipeline
        self.next_link_no = next_link_no
        self.turns = Turns(clock.steady_us)
        self._server: asyncio.Server | None = None
        self._doors: Sequence[socket.socket] = ()
        self.is_paused = False

    async def start(self) -> int:
        """Listen; returns the port. Raises ``ListenerError`` when the address cannot be had."""
        loop = asyncio.get_running_loop()
        config = self.config
        context = _tls(config)
        try:
            if context is None:
                self._doors = await _doors(config)
            else:
                self._server = await loop.create_server(
                    lambda: TcpLink(self), config.host, config.port, backlog=config.backlog, ssl=context
                )
                self._doors = self._server.sockets
        except OSError as error:
            raise ListenerError("listen_failed", f"cannot listen on {config.host}:{config.port}: {error}") from error
        self._set_options()
        port = cast(int, self._doors[0].getsockname()[1])
        if context is None:
            self._lines = Lines(loop, self.clock.now_ms)
            self._accept_from_now()
        log.info("listener_started", host=config.host, port=port, has_tls=context is not None)
        return port

    def _accept_from_now(self) -> None:
        for door in self._doors:
            asyncio.get_running_loop().add_reader(door, self._accept, door)

    def _accept_no_more(self) -> None:
        for door in self._doors:
            asyncio.get_running_loop().remove_reader(door)

    def _accept(self, door: socket.socket) -> None:
        """Somebody waits at a door of plain TCP."""
        for _ in range(_ACCEPTS):
            try:
                fresh, peer = door.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptor, no memory: those who wait stay in the backlog
                log.error("accepting_paused", reason=str(error), seconds=_ACCEPT_AGAIN_S)
                self._accept_no_more()
                asyncio.get_running_loop().call_later(_ACCEPT_AGAIN_S, self._accept_from_now)
                return
            fresh.setblocking(False)
            link = TcpLink(self)
            link.begin(Line(self._lines, fresh.detach(), link), peer)

    @property
    def limits(self) -> LimitsConfig:
        """What one link and one address may use; new ones hold for links that open from now on."""
        return self._limits

    @limits.setter
    def limits(self, limits: LimitsConfig) -> None:
        self._limits = limits
        self._set_options()

    def _set_options(self) -> None:
        """What every link inherits from the socket that listens: no link needs an object for its own."""
        for sock in self._doors:
            # What a slow reader leaves waiting in the kernel is bounded too, not only what waits here.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.write_buffer_bytes_max)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, self.config.keepalive_s)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def waiting_reads(self) -> int:
        """Reads with news that wait for their turn."""
        return len(self.turns)

    def has_room(self, host: str) -> bool:
        """Whether one more link, from this address, is within the limits."""
        return len(self.links) < self.limits.links_max and self.per_address[host] < self.limits.links_per_address_max

    def check(self, at_ms: int) -> Iterator[None]:
        """Close links that are silent or never logged in; pauses between some hundreds, that others may go on."""
        for number, link in enumerate(list(self.links), 1):
            if number % _CHECKED_AT_ONCE == 0:
                yield
            if link.pipeline is not None and not link.is_waiting:
                link.pipeline.check(at_ms)

    def pause(self, *, is_paused: bool) -> None:
        """Stop or resume reading on every link: the store cannot follow."""
        if is_paused != self.is_paused:
            self.is_paused = is_paused
            log.warning("reading_paused" if is_paused else "reading_resumed", links=len(self.links))
            for link in self.links:
                link.pause(is_paused=is_paused)

    async def stop_accepting(self) -> None:
        """Take no new links; those that are open stay."""
        doors, self._doors = self._doors, ()
        if self._server is not None:
            self._server.close()
            return
        for door in doors:
            asyncio.get_running_loop().remove_reader(door)
            door.close()

    async def close_all(self, reason: str) -> None:
        """Close every link."""
        for link in list(self.links):
            if link.pipeline is not None:
                link.pipeline.close(reason)


class TcpLink(asyncio.Protocol):
    """One connection: bytes to the pipeline, and nothing else."""

    __slots__ = ("_host", "_is_held", "_listener", "_news", "_paced", "_transport", "pipeline")

    def __init__(self, listener: TcpListener) -> None:
        self.pipeline: Pipeline | None = None
        self._listener = listener
        self._transport: asyncio.Transport | Line | None = None
        self._paced: deque[bytes] | None = None  # the first was written, and its pause is not over
        self._news = b""  # waits for its turn
        self._is_held = False  # too many of them: nothing is read until then
        self._host = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer connected by TLS."""
        self.begin(cast(asyncio.Transport, transport), transport.get_extra_info("peername") or ("?", 0))

    def begin(self, transport: asyncio.Transport | Line, peer: tuple[Any, ...]) -> None:
        """A peer connected: let it in, or not."""
        self._transport = transport
        listener = self._listener
        self._host = sys.intern(str(peer[0]))  # one for all links of an address
        if not listener.has_room(self._host):
            listener.metrics.count_closed("too many links")
            log.warning("link_refused", address=self._host, reason="too many links")
            transport.abort()
            return
        transport.set_write_buffer_limits(high=listener.limits.write_buffer_bytes_max)
        listener.links.add(self)
        listener.per_address[self._host] += 1
        address = f"{self._host}:{peer[1]}"
        protocol = listener.config.protocol or None
        self.pipeline = listener.make_pipeline(
            listener.next_link_no(), address, self._write, self._hang_up, None, protocol
        )
        if isinstance(transport, Line):
            transport.follow(self.pipeline)
        if listener.is_paused:  # asyncio begins to read behind this call, so pause after it
            asyncio.get_running_loop().call_soon(self._follow_pause)

    def _follow_pause(self) -> None:
        if self._listener.is_paused:
            self.pause(is_paused=True)

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer: what only repeats is taken at once, news when it is their turn."""
        if self.pipeline is None:
            return
        at_ms = self._listener.clock.now_ms()
        news = self.pipeline.take_repeats(data, at_ms)
        if news:
            self._bring(news, at_ms)

    def _bring(self, news: bytes, at_ms: int) -> None:
        assert self.pipeline is not None
        turns = self._listener.turns
        if not self._news and turns.is_free():
            self._news = news
            turns.take(self)
            return
        if not self._news:
            turns.wait(self)
        self.pipeline.has_news = True
        self._news += self.pipeline.take_beats(news, at_ms)
        self._is_held = len(self._news) > self._listener.limits.buffer_bytes_max
        if self._is_held:
            self.pause(is_paused=True)

    def take_turn(self) -> None:
        """Take the news that wait, and read on."""
        news, self._news = self._news, b""
        was_held, self._is_held = self._is_held, False
        if news and self.pipeline is not None:
            self.pipeline.has_news = False
            self.pipeline.received(news, self._listener.clock.now_ms())
            if was_held:
                self.pause(is_paused=self._listener.is_paused)

    @property
    def is_waiting(self) -> bool:
        """Whether it brought news whose turn has not come."""
        return bool(self._news)

    def pause_writing(self) -> None:
        """The peer does not read what it is owed."""
        if self.pipeline is not None:
            self.pipeline.close("a slow reader")
        if self._transport is not None:
            self._transport.abort()

    def pause(self, *, is_paused: bool) -> None:
        """Stop or resume reading."""
        if self._transport is not None and not self._transport.is_closing():
            if is_paused or self._is_held:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self.pipeline is not None:
            self.take_turn()  # what came before the end counts
            self._listener.links.discard(self)
            self._listener.per_address[self._host] -= 1
            if not self._listener.per_address[self._host]:
                del self._listener.per_address[self._host]
            self.pipeline.closed(self._listener.clock.now_ms())
            self.pipeline = self._transport = None  # no circle is left for the collector

    def _write(self, data: bytes) -> None:
        pace_ms = self.pipeline.pace_ms if self.pipeline is not None else 0
        if not pace_ms:
            self._write_now(data)
            return
        if self._paced:
            if sum(map(len, self._paced)) + len(data) > self._listener.limits.write_buffer_bytes_max:
                self.pause_writing()
                return
            self._paced.append(data)
        else:
            self._paced = deque((data,))
            self._write_next(pace_ms)

    def _write_next(self, pace_ms: int) -> None:
        """The first that waits, and the others one by one behind it."""
        assert self._paced
        self._write_now(self._paced[0])
        asyncio.get_running_loop().call_later(pace_ms / 1000, self._paced_out, pace_ms)

    def _paced_out(self, pace_ms: int) -> None:
        assert self._paced
        self._paced.popleft()
        if self._paced:
            self._write_next(pace_ms)

    def _write_now(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def _doors(config: TcpListenConfig) -> list[socket.socket]:
    """Sockets that listen on every address of the host, as ``create_server`` of asyncio would open them."""
    found = await asyncio.get_running_loop().getaddrinfo(
        config.host or None, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    doors: list[socket.socket] = []
    try:
        for family, *_, address in dict.fromkeys(found):
            doors.append(socket.create_server(address, family=family, backlog=config.backlog))
            doors[-1].setblocking(False)
    except OSError:
        for door in doors:
            door.close()
        raise
    return doors


def _tls(config: TcpListenConfig) -> ssl.SSLContext | None:
    if not config.tls_cert_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(config.tls_cert_file, config.tls_key_file)
    except (OSError, ssl.SSLError) as error:
        raise ListenerError("tls_unusable", f"TLS certificate or key cannot be used: {error}") from error
    return context

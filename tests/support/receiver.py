"""A real HTTP receiver that behaves as it is told, byte by byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple


class Request(NamedTuple):
    """One delivery as it arrived."""

    headers: dict[str, str]
    body: bytes
    at_s: float

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def reply(status: int, *headers: str, body: bytes = b"", version: str = "1.1") -> Behaviour:
    """A plain answer."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/{version} {status} so", f"Content-Length: {len(body)}", "Connection: close", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return behave


async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
    """No answer, and no end."""
    await asyncio.sleep(3_600)


async def drop(request: Request, writer: asyncio.StreamWriter) -> None:
    """Close without a word: it may have been processed."""


async def break_off(request: Request, writer: asyncio.StreamWriter) -> None:
    """Close behind the headers of an answer that has a body."""
    writer.write(b"HTTP/1.1 200 so\r\nContent-Length: 1000\r\n\r\nhalf")
    await writer.drain()


async def babble(request: Request, writer: asyncio.StreamWriter) -> None:
    """Something that is not HTTP."""
    writer.write(b"\x00\xffnot http at all\r\n\r\n")
    await writer.drain()


async def drip(request: Request, writer: asyncio.StreamWriter) -> None:
    """One byte now and then, for ever."""
    writer.write(b"HTTP/1.1 200 so\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.05)


async def twice(request: Request, writer: asyncio.StreamWriter) -> None:
    """Two answers to one request."""
    writer.write(b"HTTP/1.1 204 so\r\n\r\nHTTP/1.1 500 so\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def flood(request: Request, writer: asyncio.StreamWriter) -> None:
    """Ten megabytes of answer."""
    writer.write(b"HTTP/1.1 200 so\r\nContent-Length: 10000000\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        for _ in range(1_000):
            writer.write(b"x" * 10_000)
            await writer.drain()


class Receiver:
    """Takes deliveries.

    Attributes:
        script: behaviours for the next requests, in order; then ``usual``.
        requests: everything that came, whatever was answered.
        busy_max: most requests at work at once.
    """

    def __init__(self) -> None:
        self.port = 0
        self.script: list[Behaviour] = []
        self.usual: Behaviour = reply(204)
        self.requests: list[Request] = []
        self.busy = self.busy_max = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Out of order until started again, on the same port."""
        if self._server is not None:
            self._server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.busy += 1
        self.busy_max = max(self.busy_max, self.busy)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            request = Request(headers, body, asyncio.get_running_loop().time())
            self.requests.append(request)
            behave = self.script.pop(0) if self.script else self.usual
            await behave(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.busy -= 1
            writer.close()

    def ids(self) -> list[str]:
        """The ids that came, in order."""
        return [request.event_id for request in self.requests]


@contextlib.asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A running receiver on a free port of the loopback interface."""
    one = Receiver()
    await one.start()
    try:
        yield one
    finally:
        await one.stop()

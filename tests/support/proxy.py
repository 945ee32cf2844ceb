"""A bad line between piles and a gateway: splits, delays, drops, repeats, corrupts, cuts. Seeded."""

import asyncio
import contextlib
import dataclasses
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@dataclasses.dataclass(frozen=True)
class Faults:
    """Chances per thousand reads."""

    split: int = 0
    delay: int = 0
    drop: int = 0
    repeat: int = 0
    corrupt: int = 0
    cut: int = 0
    delay_s: float = 0.01


class FaultProxy:
    """Forwards one port to another, badly.

    Attributes:
        port: where piles connect.
        target: (host, port) of the gateway; may change between connections.
        done: how often each fault was done.
    """

    def __init__(self, target: tuple[str, int], faults: Faults, seed: int) -> None:
        self.port = 0
        self.target = target
        self.done: Counter[str] = Counter()
        self._faults = faults
        self._rng = random.Random(seed)
        self._writers: set[asyncio.StreamWriter] = set()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.close()
            return
        both = {writer, far_writer}
        self._writers |= both
        one = asyncio.create_task(self._carry(reader, far_writer))
        two = asyncio.create_task(self._carry(far_reader, writer))
        await asyncio.wait({one, two}, return_when=asyncio.FIRST_COMPLETED)
        for each in both:
            each.close()
        for task in (one, two):
            task.cancel()
        await asyncio.gather(one, two, return_exceptions=True)
        self._writers -= both

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                for piece in await self._spoiled(data):
                    writer.write(piece)
                    await writer.drain()
                if self._hits("cut"):
                    return

    async def _spoiled(self, data: bytes) -> list[bytes]:
        if self._hits("drop"):
            return []
        if self._hits("corrupt"):
            at = self._rng.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ (1 << self._rng.randrange(8))]) + data[at + 1 :]
        if self._hits("delay"):
            await asyncio.sleep(self._faults.delay_s)
        pieces = [data]
        if len(data) > 1 and self._hits("split"):
            at = self._rng.randrange(1, len(data))
            pieces = [data[:at], data[at:]]
            await asyncio.sleep(0)
        return pieces * 2 if self._hits("repeat") else pieces

    def _hits(self, name: str) -> bool:
        is_hit = self._rng.randrange(1000) < getattr(self._faults, name)
        self.done[name] += is_hit
        return is_hit

    def cut_all(self) -> None:
        """Break every connection now."""
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def fault_proxy(target: tuple[str, int], faults: Faults, seed: int) -> AsyncIterator[FaultProxy]:
    """A running proxy on a free port of the loopback interface."""
    proxy = FaultProxy(target, faults, seed)
    server = await asyncio.start_server(proxy._talk, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut_all()
        await asyncio.sleep(0.05)

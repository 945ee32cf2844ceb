"""A pile played by hand over real TCP: frames made with ``struct``, answers read byte by byte."""

import asyncio
import contextlib
import struct
from typing import NamedTuple

from tests.support import wire


class Heard(NamedTuple):
    """One frame of the gateway."""

    kind: int
    sequence: int
    body: bytes


class HandPile:
    """One pile and its link; every wait has an end.

    Args:
        pile_id: 14 digits.
        guns: how many connectors it says it has.
    """

    def __init__(self, pile_id: str, *, guns: int = 2) -> None:
        self.pile_id = pile_id
        self.guns = guns
        self.heard: list[Heard] = []
        self._inbox: asyncio.Queue[Heard | None] = asyncio.Queue()
        self._put_back: list[Heard] = []
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def connect(self, port: int) -> None:
        await self.close()
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self._inbox = asyncio.Queue()
        self._reading = asyncio.create_task(self._read(self._reader, self._inbox))

    async def _read(self, reader: asyncio.StreamReader, inbox: "asyncio.Queue[Heard | None]") -> None:
        try:
            while True:
                head = await reader.readexactly(2)
                assert head[0] == 0x68, head
                rest = await reader.readexactly(head[1] + 2)
                covered, check = rest[:-2], rest[-2:]
                assert struct.pack("<H", wire.crc16(covered)) == check
                heard = Heard(covered[3], struct.unpack_from("<H", covered)[0], covered[4:])
                self.heard.append(heard)
                inbox.put_nowait(heard)
        except (asyncio.IncompleteReadError, ConnectionError):
            inbox.put_nowait(None)

    def send(self, *frames: bytes) -> None:
        assert self._writer is not None
        self._writer.write(b"".join(frames))

    async def expect(self, kind: int, *, within_s: float = 10) -> Heard:
        """The next frame of a type; others in between are left for later."""
        for heard in self._put_back:
            if heard.kind == kind:
                self._put_back.remove(heard)
                return heard
        async with asyncio.timeout(within_s):
            while True:
                heard = await self._inbox.get()
                assert heard is not None, f"the gateway hung up; waited for 0x{kind:02X}"
                if heard.kind == kind:
                    return heard
                self._put_back.append(heard)

    async def expect_end(self, *, within_s: float = 10) -> None:
        """The gateway hangs up."""
        async with asyncio.timeout(within_s):
            while await self._inbox.get() is not None:
                pass

    async def quiet(self, kind: int, for_s: float) -> bool:
        """Whether no frame of a type comes for so long."""
        try:
            await self.expect(kind, within_s=for_s)
        except TimeoutError:
            return True
        return False

    def answer(self, kind: int, order: Heard, tail: bytes) -> None:
        """Answer an order with the order's own sequence; the body is the pile's number and ``tail``."""
        self.send(wire.frame(kind, wire.bcd(self.pile_id) + tail, sequence=order.sequence))

    async def log_in(self, port: int, model_no: str = "0100") -> None:
        """Connect and go through the power-up of a pile that holds a tariff already."""
        await self.connect(port)
        self.send(wire.login(self.pile_id, guns=self.guns))
        reply = await self.expect(0x02)
        assert reply.body == wire.bcd(self.pile_id) + b"\0", "the login was refused"
        clock = await self.expect(0x56)
        self.answer(0x55, clock, clock.body[7:])
        self.send(wire.tariff_check(self.pile_id, model_no))
        await self.expect(0x06)

    def charge(self, serial: str, energy: int, *, gun: int = 1, amount: int = 0) -> None:
        """A charging sample, energy in 0.1 Wh."""
        self.send(wire.sample(serial, self.pile_id, gun=gun, energy=energy, amount=amount))

    async def close(self) -> None:
        if self._writer is not None and self._reading is not None:
            self._writer.close()
            await asyncio.wait({self._reading}, timeout=5)
            self._reading.cancel()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
            self._writer = None

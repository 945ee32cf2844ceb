"""Publishes frames of many piles through a broker and waits until the other side answers the last of each.

``python -m bench.mqttload HOST PORT PILES FRAMES WINDOW``, or ``tcp`` for HOST to write the same frames to a TCP port
of the daemon. Prints the seconds from the first frame to the last answer. MQTT 3.1.1 by hand: no library is measured.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import time

from bench.piles import blank_frame, pile_no, sample_frame

_LOGIN, _HEARTBEAT, _ANSWER = 0x01, 0x03, 0x04
_BATCH = 64
_PATIENCE_S = 90


def _packet(kind: int, body: bytes) -> bytes:
    size, head = len(body), bytearray([kind])
    while True:
        size, low = size >> 7, size & 0x7F
        head.append(low | (0x80 if size else 0))
        if not size:
            return bytes(head) + body


def _text(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


class Publisher:
    """One connection for all piles: publishes at QoS 1, at most ``window`` unacknowledged; counts answers of piles."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._sent = self._acked = 0
        self._moved = asyncio.Event()
        self.answers: dict[int, int] = {}  # frame type → how many came

    async def connect(self, host: str, port: int) -> None:
        """Connect and subscribe to what piles are told."""
        self._reader, self._writer = await asyncio.open_connection(host, port)
        self._writer.write(_packet(0x10, _text(b"MQTT") + b"\x04\x02\x00\x00" + _text(b"bench-load")))
        await self._reader.readexactly(4)
        self._writer.write(_packet(0x82, b"\x00\x01" + _text(b"pile/v1/+/+/down") + b"\x00"))
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while True:
            kind = (await self._reader.readexactly(1))[0]
            size = shift = 0
            while True:
                byte = (await self._reader.readexactly(1))[0]
                size |= (byte & 0x7F) << shift
                shift += 7
                if not byte & 0x80:
                    break
            body = await self._reader.readexactly(size)
            if kind & 0xF0 == 0x40:
                self._acked += 1
            elif kind & 0xF0 == 0x30:
                frame = body[2 + struct.unpack_from(">H", body)[0] :]
                self.answers[frame[5]] = self.answers.get(frame[5], 0) + 1
            self._moved.set()

    async def publish(self, pile: int, frame: bytes) -> None:
        """One frame of one pile."""
        while self._sent - self._acked >= self._window:
            await self._changed()
        self._sent += 1
        topic = f"pile/v1/ykc/{pile_no(pile)}/up".encode()
        self._writer.write(_packet(0x32, _text(topic) + struct.pack(">H", self._sent % 65_535 + 1) + frame))
        if self._sent % _BATCH == 0:
            await self._writer.drain()

    async def _changed(self) -> None:
        self._moved.clear()
        await asyncio.wait_for(self._moved.wait(), _PATIENCE_S)

    async def heard(self, kind: int, count: int) -> None:
        """Until so many answers of a type came."""
        while self.answers.get(kind, 0) < count:
            await self._changed()


def _samples(piles: int, frames: int) -> list[list[bytes]]:
    """One realtime frame of every pile, so often, made before the clock runs."""
    return [[sample_frame(pile, energy_e4kwh=number) for pile in range(piles)] for number in range(frames // piles)]


async def _through_broker(host: str, port: int, piles: int, frames: int, window: int) -> float:
    load = Publisher(window)
    await load.connect(host, port)
    for pile in range(piles):
        await load.publish(pile, blank_frame(_LOGIN, pile))
    await load.heard(0x02, piles)
    rounds = _samples(piles, frames)
    began_s = time.perf_counter()
    for samples in rounds:
        for pile, sample in enumerate(samples):
            await load.publish(pile, sample)
    for pile in range(piles):
        await load.publish(pile, blank_frame(_HEARTBEAT, pile))
    await load.heard(_ANSWER, piles)
    return time.perf_counter() - began_s


async def _over_tcp(port: int, piles: int, frames: int) -> float:
    links = [await asyncio.open_connection("127.0.0.1", port) for _ in range(piles)]

    async def until(reader: asyncio.StreamReader, kind: int) -> None:
        while True:
            head = await asyncio.wait_for(reader.readexactly(2), _PATIENCE_S)
            body = await reader.readexactly(head[1] + 2)
            if body[3] == kind:
                return

    for pile, (reader, writer) in enumerate(links):
        writer.write(blank_frame(_LOGIN, pile))
        await until(reader, 0x02)
    rounds = _samples(piles, frames)
    began_s = time.perf_counter()
    for samples in rounds:
        for sample, (_, writer) in zip(samples, links, strict=True):
            writer.write(sample)
        await links[0][1].drain()
    for pile, (_, writer) in enumerate(links):
        writer.write(blank_frame(_HEARTBEAT, pile))
    await asyncio.gather(*(until(reader, _ANSWER) for reader, _ in links))
    took_s = time.perf_counter() - began_s
    for _, writer in links:
        writer.close()
    return took_s


def main() -> None:
    """Do what the command line says."""
    host, port, piles, frames, window = sys.argv[1], *map(int, sys.argv[2:6])
    work = _over_tcp(port, piles, frames) if host == "tcp" else _through_broker(host, port, piles, frames, window)
    sys.stdout.write(f"{asyncio.run(work)}\n")


if __name__ == "__main__":
    main()

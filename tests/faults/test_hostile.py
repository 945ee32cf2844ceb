"""Bad input over real sockets against the real daemon: it serves its good piles meanwhile, and says what it closed."""

import asyncio
import contextlib
import random
import socket
import time
from collections import Counter

import httpx
import pytest

from gateway.simulator.scripts import pile_id
from tests.support import wire
from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.goodpile import served
from tests.support.operator import list_accounts
from tests.support.site import write_config

GROWTH_KB_MAX = 40_000
BAD = pile_id(2)


class Besieged:
    """A daemon, its token, and what it closed."""

    def __init__(self, directory, *, speed=1, more=""):
        self.token = list_accounts(directory)
        self.clock = FastClock(START_MS, speed) if speed > 1 else None
        self.daemon = Daemon(write_config(directory, 3, more=more), self.clock)
        self.daemon.start()

    def metrics(self):
        url = f"http://127.0.0.1:{self.daemon.api_port}/metrics"
        return httpx.get(url, headers={"Authorization": f"Bearer {self.token}"}, trust_env=False, timeout=20).text

    def closed(self):
        """Reason → links, as the metrics tell."""
        found = {}
        for line in self.metrics().splitlines():
            if line.startswith("pilegate_closed_links_total{"):
                label, _, value = line.partition("} ")
                found[label.partition('reason="')[2].rstrip('"')] = int(float(value))
        return found

    def logged(self):
        """Reason → links, as the log tells."""
        lines = self.daemon.log_lines("link_closed") + self.daemon.log_lines("link_refused")
        return Counter(line["reason"] for line in lines)


@pytest.fixture
def besiege(tmp_path):
    made = []

    def _besiege(**keys):
        made.append(Besieged(tmp_path, **keys))
        return made[-1]

    yield _besiege
    for each in made:
        each.daemon.close()


def under_siege(besieged, attack, *, reasons):
    """Run an attack beside a good pile; check memory, closings, and that the daemon leaves in order."""

    async def run():
        async with served(pile_id(1), besieged.daemon.port) as good:
            before_kb = besieged.daemon.memory_kb()
            served_before, began_at = len(good.waits_s), time.monotonic()
            await asyncio.wait_for(attack(besieged.daemon.port), 90)
            took_s = time.monotonic() - began_at
            assert took_s < 1 or len(good.waits_s) > served_before
            now_ms = besieged.clock.now_ms() if besieged.clock else time.time_ns() // 1_000_000
            await good.bill(1, now_ms)
            return besieged.daemon.memory_kb() - before_kb

    growth_kb = asyncio.run(run())
    assert growth_kb < GROWTH_KB_MAX, growth_kb
    closed = besieged.closed()
    assert closed == besieged.logged()
    assert reasons(closed) if callable(reasons) else closed == reasons, closed
    assert len(besieged.daemon.bills()) == 1
    assert besieged.daemon.stop() == 0


async def pour(port, pieces, *, until_closed=True):
    """Send pieces until they are over or the gateway hangs up; returns what it answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if until_closed:
            async with asyncio.timeout(30):
                heard = await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return heard


def noise(size):
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    rng = random.Random(seed)
    return [rng.randbytes(65_536) for _ in range(size // 65_536)]


def test_ten_megabytes_of_random_bytes(besiege):
    async def attack(port):
        pieces = noise(10_000_000)
        for _ in range(5):
            await pour(port, pieces)

    def reasons(closed):
        return set(closed) <= {"no protocol known here", "nothing but unusable frames"} and sum(closed.values()) == 5

    under_siege(besiege(), attack, reasons=reasons)


def test_ten_megabytes_of_random_bytes_behind_a_login(besiege):
    async def attack(port):
        await pour(port, [wire.login(BAD), *noise(10_000_000)])

    under_siege(besiege(), attack, reasons={"nothing but unusable frames": 1})


def test_a_byte_a_second_may_not_take_for_ever_to_log_in(besiege):
    besieged = besiege(speed=20)

    async def attack(port):
        async def drip(data):
            for byte in data:
                await asyncio.sleep(1 / 20)
                yield bytes([byte])

        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            async for byte in drip(wire.login(BAD)):
                writer.write(byte)
                await writer.drain()
            assert await reader.read() == b""
        writer.close()

    under_siege(besieged, attack, reasons={"no login in time": 1})


def test_a_byte_a_second_is_slow_but_no_crime(besiege):
    besieged = besiege(speed=20)

    async def attack(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(wire.login(BAD))
        assert (await reader.readexactly(6))[5] == 0x02
        for byte in wire.heartbeat(BAD):
            await asyncio.sleep(1 / 20)
            writer.write(bytes([byte]))
        async with asyncio.timeout(10):
            while not (await reader.read(4096)).count(b"\x00\x04" + wire.bcd(BAD)):
                pass
        writer.close()

    under_siege(besieged, attack, reasons={})


def test_five_thousand_connects_without_login(besiege):
    # Some 300 links must be open at once before the first was silent for too long: 1.5 s by the wall, busy or not.
    besieged = besiege(speed=20, more="[limits]\nlinks_per_address_max = 300\n")

    async def attack(port):
        for _ in range(4):
            links = [await asyncio.open_connection("127.0.0.1", port) for _ in range(1_250)]
            async with asyncio.timeout(60):
                for reader, writer in links:
                    with contextlib.suppress(ConnectionError):
                        assert await reader.read() == b""
                    writer.close()

    def reasons(closed):
        return set(closed) == {"no login in time", "too many links"} and sum(closed.values()) == 5_000

    under_siege(besieged, attack, reasons=reasons)


def spoilt(pile):
    """Frames with wrong lengths, and what stands behind them must be heard all the same."""
    good = wire.heartbeat(pile)
    long = wire.frame(0x03, wire.bcd(pile) + bytes(200))
    return [
        good[:7],
        bytes([0x68, 0x00]),
        bytes([0x68, 0x03]) + bytes(3),
        bytes([0x68, 0xFF]) + good[2:],
        bytes([0x68, good[1] - 1]) + good[2:],
        bytes([0x68, good[1] + 1]) + good[2:],
        long[:-1],
        long,
        b"\x68" * 40,
    ]


def test_wrong_lengths_cost_nothing_but_themselves(besiege):
    async def attack(port):
        pieces = [each + wire.heartbeat(BAD) * 2 for each in spoilt(BAD)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(wire.login(BAD))
        heard = b""
        for number, piece in enumerate(pieces, 1):
            writer.write(piece)
            async with asyncio.timeout(10):
                while heard.count(b"\x00\x04" + wire.bcd(BAD)) < 2 * number - 1:
                    heard += await reader.read(4096)
        writer.close()

    under_siege(besiege(), attack, reasons={})


def test_a_flood_is_closed(besiege):
    besieged = besiege(more="[limits]\nframes_per_s_max = 100\n")

    async def attack(port):
        heard = await pour(port, [wire.login(BAD), *[wire.heartbeat(BAD) * 100] * 15])
        assert heard.count(b"\x00\x04" + wire.bcd(BAD)) <= 1_000

    under_siege(besieged, attack, reasons={"more frames than a pile may send": 1})


def test_a_reader_that_never_reads_is_closed(besiege):
    besieged = besiege(more="[limits]\nframes_per_s_max = 1000000\nwrite_buffer_bytes_max = 4096\n")

    async def attack(port):
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(link, ("127.0.0.1", port))
        await loop.sock_sendall(link, wire.login(BAD))
        with contextlib.suppress(ConnectionError), link:
            while True:
                await loop.sock_sendall(link, wire.heartbeat(BAD) * 50)

    under_siege(besieged, attack, reasons={"a slow reader": 1})


def test_half_a_frame_and_silence_is_closed(besiege):
    besieged = besiege(speed=60, more="[limits]\nidle_timeout_ms = 60000\n")

    async def attack(port):
        heard = await pour(port, [wire.login(BAD), wire.heartbeat(BAD)[:9]])
        assert heard.count(b"\x00\x02" + wire.bcd(BAD)) == 1

    under_siege(besieged, attack, reasons={"silent for too long": 1})

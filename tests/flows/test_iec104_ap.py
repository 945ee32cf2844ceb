"""The experimental 104-style dialect against the real daemon: one frame a segment, and a bill at the end."""

import asyncio
import itertools
import time

import httpx

from protocol.dialects.ap_frames import (
    DOWN,
    LIVE,
    RECORD,
    REGISTER,
    TESTFR,
    UP,
    ApFramer,
    Kind,
    read_frame,
    write_frame,
)
from protocol.dialects.ap_talk import turned
from protocol.dialects.ykc_times import raw_time
from protocol.fields import Op
from tests.support.daemon import Daemon
from tests.support.operator import list_accounts
from tests.support.site import write_config

PILE = "4403000000012345"
ID = turned(PILE)
LISTED = f"""
[[listen]]
host = "127.0.0.1"
port = 0
protocol = "iec104-ap"
[[pile]]
id = "{PILE}"
station = "demo"
[[pile.connector]]
no = 1
rated_kw = "120"
"""


def up(kind, layout, **given):
    empty = {Op.HEX: lambda width: "00" * width, Op.BYTES: lambda width: b""}
    values = {name: empty.get(field.op, lambda width: 0)(field.width) for name, field in layout.fields}
    return write_frame(kind, values | {"id": ID} | given, UP)


class Pile:
    """A pile that takes one frame per segment, as the firmware does, and remembers when each came."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.heard = []

    async def hear(self):
        while data := await self.reader.read(4096):
            frames = [cut.data for cut in ApFramer(DOWN).feed(data)]
            assert frames == [data], "one frame a segment, whole"
            self.heard.append((time.monotonic(), read_frame(data, DOWN)))

    async def until(self, name, **values):
        async with asyncio.timeout(10):
            while True:
                for _, wire in self.heard:
                    if wire.layout.name == name and all(wire.raw.get(key) == value for key, value in values.items()):
                        return wire.raw
                await asyncio.sleep(0.02)


async def conversation(daemon, token):
    port = daemon.log_lines("daemon_started")[0]["ports"][1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    pile = Pile(reader, writer)
    hearing = asyncio.create_task(pile.hear())
    writer.write(write_frame(Kind(REGISTER), {"id": ID, "address": 0}))
    await pile.until("registration")
    clock = await pile.until("clock")
    writer.write(up(Kind(0x67, 7), read_frame(write_frame(Kind(0x67, 6), clock)).layout, **clock))
    await pile.until("tariff")
    writer.write(write_frame(Kind(TESTFR), {}) + up(Kind(0x86, 6), LIVE, state=2, plugged=1))
    base = f"http://127.0.0.1:{daemon.api_port}/api/v1"
    async with httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
        async with asyncio.timeout(10):
            while (shown := (await client.get(f"/piles/{PILE}")).json()).get("connectors", []) == []:
                await asyncio.sleep(0.05)
        assert shown["protocol"] == "iec104-ap"
        started = await client.post(f"/piles/{PILE}/connectors/1/start", json={"balance": "50.00"})
        number = started.json()["transaction_id"]
        order = await pile.until("order", order=1)
        assert turned(order["order_no"]) == number
        layout = read_frame(bytes.fromhex("6831" + "00" * 4 + "85000700" + "00" * 4 + "15" + "00" * 36), UP).layout
        now = raw_time(int(time.time() * 1000) + 8 * 3_600_000)
        writer.write(up(Kind(0x85, 7, 0x15), layout, order=1, time=now, order_no=order["order_no"]))
        writer.write(up(Kind(0x86, 6), LIVE, state=3, plugged=1, energy_total=500, order_no=order["order_no"]))
        async with asyncio.timeout(10):
            while (await client.get(f"/sessions/{number}")).json().get("state") != "charging":
                await asyncio.sleep(0.05)
        half = order["order_no"][:16] + "0" * 16
        told = {"start": now, "end": now, "total": 50, "meter_start": 100, "meter_end": 150}
        hour = time.gmtime(time.time() + 8 * 3_600).tm_hour
        rate = "valley" if hour < 8 else "peak" if 10 <= hour < 12 else "flat"
        writer.write(
            up(Kind(0x82, 6, 2), RECORD, order_no=half, stop_reason=3, electricity_fee=1, **told, **{rate: 50})
        )
        assert (await pile.until("record_answer"))["order_no"] == half
        bill = (await client.get(f"/bills/{number}")).json()
    writer.close()
    hearing.cancel()
    return pile, bill


def test_a_pile_that_reassembles_nothing_is_spoken_to_frame_by_frame(tmp_path):
    daemon = Daemon(write_config(tmp_path, 1, more=LISTED))
    token = list_accounts(tmp_path)
    daemon.start()
    try:
        pile, bill = asyncio.run(conversation(daemon, token))
        times = [at for at, _ in pile.heard]
        assert len(times) >= 5
        assert min(later - sooner for sooner, later in itertools.pairwise(times)) > 0.15
        assert (bill["protocol"], bill["energy_kwh"]) == ("iec104-ap", "0.5000")
        assert bill["stop_reason"] == {"code": "3", "text": "stopped by the platform"}
        assert daemon.stop() == 0
    finally:
        daemon.close()

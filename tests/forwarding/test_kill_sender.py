"""The daemon is killed while a delivery is under way: it is repeated with equal id and bytes, and nothing is lost."""

import asyncio
import json

from standardwebhooks.webhooks import Webhook

from gateway.billschema import fault_of
from tests.support import receiver as r
from tests.support import wire
from tests.support.daemon import Daemon
from tests.support.desk import desk_of
from tests.support.operator import list_accounts
from tests.support.site import write_config

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
UPSTREAM = """
[[upstream]]
name = "books"
url = "{url}"
secret_envs = ["PILEGATE_TEST_SECRET"]
types = ["pilegate.bill.*"]
omit = ["vin"]
"""


def test_a_kill_between_sending_and_noting_repeats_the_delivery(tmp_path, monkeypatch):
    monkeypatch.setenv("PILEGATE_TEST_SECRET", SECRET)

    async def story():
        async with r.receiver() as taker:
            arrived = asyncio.Event()

            async def keep_waiting(request, writer):
                arrived.set()
                await r.hang(request, writer)

            taker.script = [keep_waiting]
            daemon = Daemon(write_config(tmp_path, 1, more=UPSTREAM.format(url=taker.url)))
            token = list_accounts(tmp_path)
            try:
                await asyncio.to_thread(daemon.start)
                async with desk_of(daemon, token) as desk:
                    pile = await desk.pile(1)
                    serial = await desk.start(pile)
                    pile.charge(serial, 10_000)
                    pile.send(
                        wire.record(
                            serial, pile.pile_id, start="2026-03-03T12:00:00", end="2026-03-03T12:30:00",
                            tiers=[(0, 0, 0), (0, 0, 0), (150_000, 10_000, 15_000), (0, 0, 0)], meter=(0, 10_000),
                            vin="LSIM0000000000001",
                        )
                    )  # fmt: skip
                    await pile.expect(0x40)
                    async with asyncio.timeout(10):
                        await arrived.wait()
                await asyncio.to_thread(daemon.kill)
                await asyncio.to_thread(daemon.start)
                async with asyncio.timeout(20):
                    while len(taker.requests) < 2 or not daemon.rows("SELECT 1 FROM outbox WHERE state = 'delivered'"):
                        await asyncio.sleep(0.02)
                assert await asyncio.to_thread(daemon.stop) == 0
            finally:
                daemon.close()
            first, second = taker.requests
            assert first.event_id == second.event_id == f"bill-{serial}-r1"
            assert first.body == second.body
            for request in (first, second):
                Webhook(SECRET).verify(request.body, request.headers)
            bill = json.loads(second.body)["data"]
            assert fault_of(bill) is None
            assert bill["vin"] is None
            assert bill["transaction_id"] == serial

    asyncio.run(story())

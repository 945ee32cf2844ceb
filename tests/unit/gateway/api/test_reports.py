"""The report of abnormal bills and the evidence of one bill, over HTTP."""

import asyncio
import io

from openpyxl import load_workbook

from gateway.bundle.archive import opened
from gateway.bundle.verifying import verify_bundle
from tests.support import wire
from tests.support.bills import Books, bad
from tests.support.desk import in_process


def test_the_report_and_its_workbook(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, app):
            books = Books(app.store)
            await asyncio.to_thread(books.session, bad())
            period = {"since": "2026-03-03T00:00:00+08:00", "until": "2026-03-04T00:00:00+08:00"}
            report = await desk.get("/reports/abnormal", by="code", **period)
            assert [(group["key"], group["abnormal"]) for group in report["groups"]] == [("energy_lost", 1)]
            reply = await desk.client.get("/reports/abnormal.xlsx", params=period)
            assert len(load_workbook(io.BytesIO(reply.content)).sheetnames) == 4
            assert reply.headers["content-disposition"] == 'attachment; filename="abnormal.xlsx"'
            for wrong in (
                {"since": "yesterday"},
                {**period, "until": period["since"]},
                {**period, "by": "colour"},
                {},
            ):
                reply = await desk.client.get("/reports/abnormal", params=wrong)
                assert reply.status_code in (400, 422), wrong

    asyncio.run(story())


def test_the_evidence_of_a_bill_made_by_this_daemon_verifies(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, _):
            pile = await desk.pile(1)
            serial = await desk.start(pile)
            for energy in range(2_000, 22_000, 2_000):
                for frame in (
                    wire.sample(serial, pile.pile_id, energy=energy, amount=energy // 10),
                    wire.heartbeat(pile.pile_id),
                    wire.heartbeat(pile.pile_id, 2),
                ):
                    pile.send(frame)
                    await asyncio.sleep(0.002)  # a read of its own, as from a real pile
            pile.send(
                wire.record(
                    serial,
                    pile.pile_id,
                    start="2026-03-03T11:40:16",
                    end="2026-03-03T11:50:16",
                    tiers=[(210_000, 0, 0), (190_000, 20_000, 38_000), (150_000, 0, 0), (110_000, 0, 0)],
                    meter=(1_000_000, 1_020_000),
                )
            )
            await desk.until(f"/bills/{serial}", lambda bill: bill["revision"] >= 1)
            reply = await desk.client.get(f"/bills/{serial}/evidence")
            assert reply.status_code == 200
            verdict = verify_bundle(reply.content)
            assert verdict.differences == ()
            assert verdict.transaction_id == serial
            decoded = opened(reply.content)[0]["frames.decoded.jsonl"].decode()
            assert decoded.count('"type": "0x13"') == 10, "every charging sample is evidence"
            assert (await desk.client.get("/bills/nobody/evidence")).status_code == 404

    asyncio.run(story())

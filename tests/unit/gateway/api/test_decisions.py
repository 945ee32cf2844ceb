"""Decisions over HTTP: the token's name is who decides, and two tokens are two people."""

import asyncio
import contextlib

import httpx

from gateway import manage
from tests.support.billed import replayed
from tests.support.desk import in_process

REASON = {"reason": "the driver was right"}


SMALL = "55031412782305022603032345000001"  # 14.19 yuan
LARGE = "55031412782305012603031030000001"  # 57.65 yuan, without a record


@contextlib.asynccontextmanager
async def daemon(directory):
    """A daemon that finds two bills in its database."""
    replayed(directory / "pilegate.db", "card-start-across-midnight", "record-never-comes")
    async with in_process(directory) as (desk, app):
        yield desk, app


async def second_client(desk, app):
    token, stored = manage.create_token(app.store.writer.call, "wang", at_ms=0)
    await asyncio.wrap_future(stored)
    return httpx.AsyncClient(
        base_url=f"{desk.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=20, trust_env=False
    )


def test_a_small_bill_is_waived_by_one_person_once(tmp_path):
    async def story():
        async with daemon(tmp_path) as (desk, app):
            serial, bill = SMALL, await desk.get(f"/bills/{SMALL}")
            path = f"/bills/{serial}/decisions"
            key = {"Idempotency-Key": "once"}
            made = await desk.post(path, {"kind": "waive", **REASON}, 201, **key)
            again = await desk.post(path, {"kind": "waive", **REASON}, 201, **key)
            assert made == again
            assert (made["state"], made["proposer"], made["revision"]) == ("effective", "tests", bill["revision"] + 1)
            waived = await desk.get(f"/bills/{serial}")
            assert (waived["status"], waived["payable"], waived["revision"]) == ("void", "0.00", bill["revision"] + 1)
            rows = (await desk.get(f"/bills/{serial}/revisions"))["items"]
            assert (rows[-1]["actor"], rows[-1]["reason"]) == ("tests", "decision:waive")
            assert rows[0]["bill"] == bill
            assert (await desk.get(path))["items"] == [made]
            events = app.store.reader.all("SELECT * FROM bill WHERE transaction_id = ?", (serial,))
            assert len(events) == made["revision"]

    asyncio.run(story())


def test_above_fifty_yuan_another_person_must_agree(tmp_path):
    async def story():
        async with daemon(tmp_path) as (desk, app):
            serial, bill = LARGE, await desk.get(f"/bills/{LARGE}")
            told = {"en": "We bill what you saw. Sorry for the trouble.", "zh": "按您看到的金额结算。抱歉。"}
            body = {"kind": "amount", "amount": "1.00", "explanation": told, "evidence": ["a" * 64], **REASON}
            made = await desk.post(f"/bills/{serial}/decisions", body, 201)
            assert (made["state"], made["revision"]) == ("proposed", None)
            assert (await desk.post(f"/bills/{serial}/decisions", body, 201))["decision_id"] == made["decision_id"]
            assert (await desk.get("/decisions"))["items"] == [made]
            assert await desk.get(f"/bills/{serial}") == bill
            path = f"/decisions/{made['decision_id']}"
            await desk.post(f"{path}/confirm", None, 403)
            wang = await second_client(desk, app)
            reply = await wang.post(f"{path}/confirm", json={"evidence": ["b" * 64]})
            await wang.aclose()
            assert (reply.status_code, reply.json()["approver"]) == (200, "wang")
            decided = await desk.get(f"/bills/{serial}")
            assert (decided["payable"], decided["status"]) == ("1.00", "repaired")
            assert decided["explanation"]["en"] == ["We bill what you saw.", "Sorry for the trouble."]
            assert (await desk.get("/decisions"))["items"] == []
            await desk.post(f"{path}/reject", None, 409)

    asyncio.run(story())


def test_a_proposal_may_be_put_aside(tmp_path):
    async def story():
        async with daemon(tmp_path) as (desk, _):
            serial, bill = LARGE, await desk.get(f"/bills/{LARGE}")
            made = await desk.post(f"/bills/{serial}/decisions", {"kind": "waive", **REASON}, 201)
            gone = await desk.post(f"/decisions/{made['decision_id']}/reject")
            assert (gone["state"], gone["approver"]) == ("rejected", "tests")
            assert await desk.get(f"/bills/{serial}") == bill

    asyncio.run(story())


def test_what_cannot_be_decided_says_why(tmp_path):
    async def story():
        async with daemon(tmp_path) as (desk, _):
            serial = SMALL
            sources = (await desk.get(f"/bills/{serial}/sources"))["items"]
            assert "record_total" in [each["name"] for each in sources]
            for body, status in (
                ({"kind": "approve", **REASON}, 409),
                ({"kind": "source", "source": "moon", **REASON}, 422),
                ({"kind": "amount", "amount": "1.00", **REASON}, 422),
                ({"kind": "waive", "amount": "1.00", **REASON}, 422),
                ({"kind": "forget", **REASON}, 422),
                ({"kind": "waive"}, 422),
                ({"kind": "waive", "evidence": ["x"], **REASON}, 422),
                ({"kind": "waive", "explanation": {"en": "A. B. C.", "zh": "一。"}, **REASON}, 422),
            ):
                await desk.post(f"/bills/{serial}/decisions", body, status)
            await desk.post("/bills/nobody/decisions", {"kind": "waive", **REASON}, 404)
            await desk.post("/decisions/nobody/confirm", None, 404)
            assert (await desk.get(f"/bills/{serial}"))["revision"] == 1

    asyncio.run(story())

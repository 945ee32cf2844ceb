"""Cases over HTTP: whoever holds the token is the author."""

import asyncio
import hashlib

from tests.support.bills import bill_row
from tests.support.desk import in_process


def test_a_case_from_its_opening_to_its_solution(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, app):
            await asyncio.wrap_future(app.store.writer.submit([bill_row("t1"), bill_row("t2")]))
            made = await desk.post("/cases", {"problem": "有时长无金额", "bills": ["t1"]}, 201)
            path = f"/cases/{made['case_no']}"
            await desk.post(f"{path}/notes", {"text": "asked the driver"}, 201)
            await desk.post(f"{path}/bills", {"transaction_id": "t2"})
            moved = await desk.post(f"{path}/state", {"state": "solved", "text": "told him"})
            assert moved["state"] == "solved"
            found = await desk.get(path)
            assert found["bills"] == ["t1", "t2"]
            assert [(each["author"], each["kind"]) for each in found["entries"]] == [
                ("tests", "opened"),
                ("tests", "linked"),
                ("tests", "note"),
                ("tests", "linked"),
                ("tests", "state"),
            ]
            listed = await desk.get("/cases", bill="t2", state="solved")
            assert [each["case_no"] for each in listed["items"]] == [made["case_no"]]
            assert (await desk.get("/cases", state="open"))["items"] == []

    asyncio.run(story())


def test_an_attachment_comes_back_byte_for_byte(tmp_path):
    photo = bytes(range(256)) * 6_000  # above what another body may have

    async def story():
        async with in_process(tmp_path) as (desk, _):
            case_no = (await desk.post("/cases", {"problem": "x"}, 201))["case_no"]
            path = f"/cases/{case_no}/attachments"
            reply = await desk.client.post(path, params={"name": "桩屏.jpg"}, content=photo)
            assert reply.status_code == 201, reply.text
            sha256 = reply.json()["sha256"]
            assert sha256 == hashlib.sha256(photo).hexdigest()
            got = await desk.client.get(f"{path}/{sha256}")
            assert got.content == photo
            assert got.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E6%A1%A9")
            assert (await desk.client.get(f"{path}/{'0' * 64}")).status_code == 404
            found = await desk.get(f"/cases/{case_no}")
            assert [(each["name"], each["size_bytes"]) for each in found["attachments"]] == [("桩屏.jpg", len(photo))]
            assert (await desk.client.post(path, params={"name": "a"}, content=b"")).status_code == 422

    asyncio.run(story())


def test_what_is_not_there_is_told(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, _):
            assert (await desk.client.get("/cases/C2026-0001")).status_code == 404
            for path, body in (("notes", {"text": "x"}), ("state", {"state": "solved"})):
                reply = await desk.client.post(f"/cases/C2026-0001/{path}", json=body)
                assert (reply.status_code, "does not exist" in reply.json()["detail"]) == (404, True)
            await desk.post("/cases", {"problem": "x", "bills": ["nobody"]}, 404)
            assert (await desk.get("/cases"))["items"] == []
            await desk.post("/cases", {"problem": ""}, 422)

    asyncio.run(story())


def test_cases_are_paged(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, _):
            made = [(await desk.post("/cases", {"problem": str(n)}, 201))["case_no"] for n in range(5)]
            seen, cursor = [], None
            while True:
                page = await desk.get("/cases", limit=2, **({"cursor": cursor} if cursor else {}))
                seen += [each["case_no"] for each in page["items"]]
                cursor = page["next_cursor"]
                if cursor is None:
                    break
            assert seen == made[::-1]

    asyncio.run(story())

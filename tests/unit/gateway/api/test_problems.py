"""Every error is a problem, defects included."""

import asyncio
import sqlite3
from types import SimpleNamespace

from gateway.api import problems
from gateway.api.problems import answer
from tests.support.desk import in_process


def test_a_refused_token_is_told_how_to_ask():
    assert answer(401, "token_missing", "x").headers["www-authenticate"] == "Bearer"


def test_a_method_that_is_not_there_names_those_that_are(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, _):
            reply = await desk.client.delete("/piles")
            assert (reply.status_code, reply.headers["allow"]) == (405, "GET")
            assert reply.json()["type"] == "urn:pilegate:problem:method_not_allowed"

    asyncio.run(story())


def test_a_body_that_is_no_json_says_where(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, _):
            path = f"/piles/{'9' * 14}/connectors/1/start"
            for content in (b"", b"{", b"[]", b"\xff\xfe", b"null"):
                reply = await desk.client.post(path, content=content, headers={"Content-Type": "application/json"})
                assert reply.status_code == 422, content
                assert reply.json()["errors"][0]["where"].startswith("body")

    asyncio.run(story())


def test_a_database_that_cannot_be_read_and_a_defect(tmp_path, monkeypatch):
    told = []
    log = SimpleNamespace(error=lambda event, **more: told.append(event))
    monkeypatch.setattr(problems, "log", log)

    async def story():
        async with in_process(tmp_path) as (desk, app):
            await desk.get("/piles")
            reader = app.store.reader

            def locked():
                raise sqlite3.OperationalError("database is locked")

            reader.accounts = locked
            reply = await desk.client.get("/accounts")
            assert (reply.status_code, reply.json()["title"]) == (503, "store unreadable")

            def broken():
                raise RuntimeError("secret inside")

            reader.accounts = broken
            reply = await desk.client.get("/accounts")
            assert (reply.status_code, reply.json()["title"]) == (500, "defect")
            assert "secret" not in reply.text
            assert told == ["database_unreadable", "request_failed"]
            assert (await desk.client.get("/piles")).status_code == 200

    asyncio.run(story())

"""Every call but ``/healthz`` needs a token."""

import asyncio

from gateway import manage
from tests.support.desk import in_process

PATHS = (
    "/api/v1/piles",
    "/api/v1/bills",
    "/api/v1/events",
    "/metrics",
    "/openapi.json",
    "/no/such/path",
    "/api/v1/healthz/",
)


def test_without_a_token_only_healthz_answers(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, _):
            for path in PATHS:
                reply = await desk.stranger.get(path)
                assert reply.status_code == 401, path
                assert reply.headers["content-type"] == "application/problem+json"
                assert reply.headers["www-authenticate"] == "Bearer"
                assert reply.json()["type"] == "urn:pilegate:problem:token_missing"
            for path in ("/healthz", "/api/v1/healthz"):
                reply = await desk.stranger.get(path)
                assert (reply.status_code, reply.json()["status"]) == (200, "ok")

    asyncio.run(story())


def test_a_wrong_token_is_refused(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, _):
            for header in ("Bearer pg_wrong", "Basic eDp5", "Bearer", "bearer  x", "Bearer ü"):
                reply = await desk.stranger.get("/api/v1/piles", headers={"Authorization": header.encode()})
                assert reply.status_code == 401, header

    asyncio.run(story())


def test_a_token_is_stored_hashed_and_revoked_at_once(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, app):
            assert (await desk.client.get("/piles")).status_code == 200  # and reads the document, while it may
            stored = app.store.reader.all("SELECT * FROM token")
            assert all(desk.token not in str(row) for row in stored)
            await asyncio.wrap_future(manage.revoke_token(app.store.writer.call, "tests", at_ms=1))
            assert (await desk.client.get("/piles")).json()["type"] == "urn:pilegate:problem:token_refused"

    asyncio.run(story())


def test_a_body_has_a_known_and_bounded_length(tmp_path):
    async def chunks():
        yield b"{}"

    async def story():
        async with in_process(tmp_path) as (desk, _):
            path = f"/piles/{'9' * 14}/cards"
            assert (await desk.client.post(path, content=chunks())).status_code == 411
            assert (await desk.client.post(path, content=b"x" * 1_048_577)).status_code == 413
            reply = await desk.client.post(path, content=b"x" * 100)
            assert (reply.status_code, reply.json()["title"]) == (422, "invalid request")

    asyncio.run(story())

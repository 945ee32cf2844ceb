"""The same request twice is done once."""

import asyncio
import secrets

import pytest


@pytest.fixture
def key():
    """A key of this test alone."""
    return {"Idempotency-Key": secrets.token_hex(4)}


def test_an_answer_is_given_again_and_nothing_is_ordered_twice(shared, key):
    async def story(desk, app, pile):
        path = f"/piles/{pile.pile_id}/work"
        call = asyncio.create_task(desk.post(path, {"max_power_percent": 50}, **key))
        pile.answer(0x51, await pile.expect(0x52), b"\1")
        first = await call
        assert await desk.post(path, {"max_power_percent": 50}, **key) == first
        assert await pile.quiet(0x52, 0.1)
        assert (await desk.post(path, {"max_power_percent": 60}, 422, **key))["title"] == "key reused"
        assert (await desk.post(f"/piles/{pile.pile_id}/qr", {"prefix": "x"}, 422, **key))["title"] == "key reused"

    shared.tell(story)


def test_silence_is_remembered_too_because_the_order_was_sent(shared, key):
    async def story(desk, app, pile):
        path = f"/piles/{pile.pile_id}/reboot"
        call = asyncio.create_task(desk.post(path, {}, 502, **key))
        await pile.expect(0x92)
        await pile.close()
        first = await call
        assert await desk.post(path, {}, 502, **key) == first

    shared.tell(story)


def test_what_did_nothing_is_forgotten(shared, key):
    async def story(desk, app, pile):
        await pile.close()
        await desk.until(f"/piles/{pile.pile_id}", lambda one: not one["has_link"])
        path = f"/piles/{pile.pile_id}/reboot"
        await desk.post(path, {}, 409, **key)
        await pile.log_in(desk.port)
        call = asyncio.create_task(desk.post(path, {}, 200, **key))
        pile.answer(0x91, await pile.expect(0x92), b"\1")
        await call

    shared.tell(story)


def test_a_key_at_work_is_a_conflict(shared, key):
    async def story(desk, app, pile):
        path = f"/piles/{pile.pile_id}/reboot"
        call = asyncio.create_task(desk.post(path, {}, 200, **key))
        order = await pile.expect(0x92)
        assert (await desk.post(path, {}, 409, **key))["title"] == "request running"
        pile.answer(0x91, order, b"\1")
        await call

    shared.tell(story)


def test_keys_belong_to_their_callers(shared, key):
    async def story(desk, app, pile):
        from gateway import manage

        other, stored = manage.create_token(app.store.writer.call, "other", at_ms=1)
        stored.result(10)
        path = f"/piles/{pile.pile_id}/connectors/1/start"
        mine = await desk.post(path, {"balance": "5.00"}, 202, **key)
        headers = {"Authorization": f"Bearer {other}", **key}
        theirs = await desk.client.post(path, json={"balance": "5.00"}, headers=headers)
        assert theirs.status_code == 409, "their request is a second start"
        assert await desk.post(path, {"balance": "5.00"}, 202, **key) == mine

    shared.tell(story)


def test_the_answer_to_a_start_is_kept_with_the_start(shared, key):
    async def story(desk, app, pile):
        path = f"/piles/{pile.pile_id}/connectors/1/start"
        commits = []
        submit = app.store.writer.submit
        app.store.writer.submit = lambda rows, work=None: (commits.append((rows, work)), submit(rows, work))[1]
        await desk.post(path, {"balance": "5.00"}, 202, **key)
        ((rows, _),) = [each for each in commits if each[1] is not None]
        assert [type(row).__name__ for row in rows] == ["OrderSaved"]

    shared.tell(story)


def test_a_key_has_bounds(shared, key):
    async def story(desk, app, pile):
        path = f"/piles/{pile.pile_id}/reboot"
        for text in ('""', "x" * 256):
            problem = await desk.post(path, {}, 400, **{"Idempotency-Key": text})
            assert problem["type"] == "urn:pilegate:problem:key_invalid"

    shared.tell(story)

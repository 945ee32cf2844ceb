"""Looking: pages, filters, and what does not exist."""

import asyncio

import pytest

from gateway.outcome import EventRaised, OrderSaved, UnknownPileSeen
from tests.support import wire
from tests.support.desk import in_process

UPSTREAM = '[[upstream]]\nname = "u"\nurl = "http://127.0.0.1:9/"\n'


async def walk(desk, path, limit, **params):
    """Every item of a list, page by page."""
    items, cursor, pages = [], None, 0
    while True:
        page = await desk.get(path, limit=limit, **({"cursor": cursor} if cursor else {}), **params)
        assert len(page["items"]) <= limit
        items += page["items"]
        pages += 1
        cursor = page["next_cursor"]
        if cursor is None:
            return items, pages


def test_piles_are_paged_in_order(tmp_path):
    async def story():
        async with in_process(tmp_path, 7) as (desk, _):
            items, pages = await walk(desk, "/piles", 3)
            ids = [item["pile_id"] for item in items]
            assert (ids, pages) == (sorted(ids), 3)
            assert len(set(ids)) == 7
            _, pages = await walk(desk, "/piles", 7)
            assert pages == 1, "a page that ends the list says so"

    asyncio.run(story())


def test_refused_piles_are_paged(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, app):
            rows = [UnknownPileSeen(f"{n:014d}", n, "a", "ykc", "v", 1) for n in range(1, 6)]
            app.store.writer.submit(rows).result(10)
            items, pages = await walk(desk, "/piles/unknown", 2)
            assert ([item["pile_id"] for item in items], pages) == ([f"{n:014d}" for n in range(1, 6)], 3)

    asyncio.run(story())


def test_sessions_bills_and_samples_are_paged_newest_first(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, _):
            pile = await desk.pile(1)
            serials = [f"{pile.pile_id}01260303114016{n:04d}" for n in range(5)]
            for serial in serials:
                for energy in (1_000, 2_000, 3_000):
                    pile.charge(serial, energy)
                pile.send(
                    wire.record(serial, pile.pile_id, start="2026-03-03T11:40:16", end="2026-03-03T11:50:16",
                                tiers=[(0, 0, 0), (0, 0, 0), (150_000, 3_000, 4_500), (0, 0, 0)], meter=(0, 3_000))
                )  # fmt: skip
                await pile.expect(0x40)
            await desk.until(f"/sessions/{serials[-1]}/samples", lambda page: len(page["items"]) == 3)
            items, pages = await walk(desk, "/sessions", 2)
            assert ({item["transaction_id"] for item in items}, len(items), pages) == (set(serials), 5, 3)
            opened = [item["opened_at"] for item in items]
            assert opened == sorted(opened, reverse=True)
            items, pages = await walk(desk, "/bills", 2, pile=pile.pile_id)
            assert ({item["transaction_id"] for item in items}, len(items)) == (set(serials), 5)
            items, pages = await walk(desk, f"/sessions/{serials[0]}/samples", 2)
            assert ([item["energy_kwh"] for item in items], pages) == (["0.1000", "0.2000", "0.3000"], 2)
            assert (await desk.get("/sessions", state="charging"))["items"] == []
            assert len((await desk.get("/sessions", state="billed"))["items"]) == 5
            assert (await desk.get("/bills", until="2000-01-01T00:00:00+08:00"))["items"] == []
            assert len((await desk.get("/bills", since="2000-01-01T00:00:00+08:00"))["items"]) == 5
            assert (await desk.get("/bills", status="void"))["items"] == []
            revisions = await desk.get(f"/bills/{serials[0]}/revisions")
            assert [each["revision"] for each in revisions["items"]] == [1]
            assert len(revisions["records"]) == 1

    asyncio.run(story())


def test_orders_are_paged(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, app):
            rows = [
                OrderSaved(f"o{n}", "p", None, "Reboot", None, n, n + 1, "accepted", "me", {}, {"reason_code": 0})
                for n in range(5)
            ]
            app.store.writer.submit(rows).result(10)
            items, pages = await walk(desk, "/orders", 2, pile="p")
            assert ([item["order_id"] for item in items], pages) == ([f"o{n}" for n in (4, 3, 2, 1, 0)], 3)

    asyncio.run(story())


def test_the_outbox_is_paged_summed_and_sent_again(tmp_path):
    async def story():
        async with in_process(tmp_path, more=UPSTREAM) as (desk, app):
            rows = [EventRaised(f"e{n}", "pilegate.test", "s", "s", app.clock.now_ms(), {}) for n in range(5)]
            app.store.writer.submit(rows).result(10)
            items, pages = await walk(desk, "/outbox", 2, upstream="u")
            assert ([item["event_id"] for item in items], pages) == ([f"e{n}" for n in range(5)], 3)
            (upstream,) = (await desk.get("/outbox"))["upstreams"]
            assert (upstream["upstream"], upstream["state"], upstream["entries"]) == ("u", "pending", 5)
            assert upstream["breaker"] in ("closed", "open")
            again = await desk.post(f"/outbox/{items[0]['id']}/retry", None, 202)
            assert again == {"id": items[0]["id"], "state": "pending"}
            assert (await desk.post("/outbox/999/retry", None, 404))["title"] == "not found"
            made = await desk.post("/outbox/test", None, 202)
            ids = [item["event_id"] for item in (await desk.get("/outbox"))["items"]]
            assert made["event_id"] in ids

    asyncio.run(story())


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/piles/00000000000000", 404, "not_found"),
        ("/sessions/none", 404, "not_found"),
        ("/sessions/none/samples", 404, "not_found"),
        ("/bills/none", 404, "not_found"),
        ("/bills/none/revisions", 404, "not_found"),
        ("/orders/none", 404, "not_found"),
        ("/nothing", 404, "not_found"),
        ("/bills?limit=0", 422, "invalid_request"),
        ("/bills?limit=1001", 422, "invalid_request"),
        ("/bills?cursor=nonsense", 400, "cursor_invalid"),
        ("/bills?cursor=W10", 400, "cursor_invalid"),
        ("/sessions?cursor=%C3%A9", 400, "cursor_invalid"),
        ("/bills?since=yesterday", 400, "time_invalid"),
        ("/bills?since=2026-03-03T00:00:00", 400, "time_invalid"),
        ("/bills?status=odd", 422, "invalid_request"),
        ("/outbox?state=odd", 422, "invalid_request"),
    ],
)
def test_what_cannot_be_looked_at_says_why(desk_for_looking, path, status, code):
    desk, loop = desk_for_looking

    async def story():
        reply = await desk.client.get(path)
        assert reply.status_code == status, reply.text
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["type"] == f"urn:pilegate:problem:{code}"

    loop.run(story())


@pytest.fixture(scope="module")
def desk_for_looking(tmp_path_factory):
    """One daemon for all that only looks."""
    with asyncio.Runner() as loop:
        around = in_process(tmp_path_factory.mktemp("looking"))
        desk, _ = loop.run(around.__aenter__())
        yield desk, loop
        loop.run(around.__aexit__(None, None, None))

"""Routes that only look: piles, sessions, bills, orders, outbox."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from gateway import manage
from gateway.api import answers, running, shapes
from gateway.api.answers import shown
from gateway.api.auth import caller, context
from gateway.api.context import ApiContext
from gateway.api.problems import not_found
from gateway.outcome import EventRaised, OrderSaved

router = APIRouter(dependencies=[Depends(caller)])
Context = Annotated[ApiContext, Depends(context)]
Caller = Annotated[str, Depends(caller)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query()]


# -- piles ----------------------------------------------------------------------------------------------


@router.get("/piles", **shown(answers.PilePage))
async def piles(ctx: Context, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Piles that are listed, with their links, connectors and live state."""
    states = ctx.switchboard.engine.piles
    items = (_pile(ctx, pile_id) for pile_id in {*ctx.site.piles, *states.states})
    return shapes.keyed_page((item for item in items if item), "pile_id", limit, cursor, dict)


def _pile(ctx: ApiContext, pile_id: str) -> dict[str, Any] | None:
    piles_of = ctx.switchboard.engine.piles
    if not piles_of.is_listed(pile_id):
        return None
    state = piles_of.state(pile_id)
    station = ctx.site.station_of(pile_id)
    return shapes.pile(state, station, ctx.site.zone, has_link=ctx.switchboard.is_connected(pile_id))


@router.get("/piles/unknown", **shown(answers.UnknownPilePage))
async def unknown_piles(ctx: Context, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Piles that were refused and may be adopted."""
    rows = await asyncio.to_thread(ctx.store.reader.unknown_piles)
    return shapes.keyed_page(rows, "pile_id", limit, cursor, lambda row: shapes.unknown_pile(row, ctx.site.zone))


@router.get("/piles/{pile_id}", **shown(answers.Pile))
async def pile(ctx: Context, pile_id: str) -> dict[str, Any]:
    """One pile."""
    found = _pile(ctx, pile_id)
    if found is None:
        raise not_found(f"pile {pile_id}")
    return found


# -- sessions -------------------------------------------------------------------------------------------


@router.get("/sessions", **shown(answers.SessionPage))
async def sessions(
    ctx: Context,
    limit: Limit = 100,
    cursor: Cursor = None,
    pile: str | None = None,
    state: Literal["opened", "charging", "ended", "not_started", "billed"] | None = None,
) -> dict[str, Any]:
    """Running and past sessions, newest first."""
    before = shapes.read_cursor(cursor)
    rows = await asyncio.to_thread(ctx.store.reader.sessions, pile_id=pile, state=state, before=before, limit=limit + 1)
    return shapes.page(
        rows,
        limit,
        lambda row: shapes.cursor_of(row["opened_at_ms"], row["transaction_id"]),
        lambda row: shapes.session(row, ctx.site.zone),
    )


@router.get("/sessions/{transaction_id}", **shown(answers.SessionDetail))
async def session(ctx: Context, transaction_id: str) -> dict[str, Any]:
    """One session: state, energy, time and fee so far, and the order it came of."""
    order = await _order_of(ctx, transaction_id)
    shown_order = shapes.order(order, ctx.site.zone) if order else None
    held = running.session(ctx, transaction_id)
    if held is not None:
        return {**held, "order": shown_order}
    row = await asyncio.to_thread(ctx.store.reader.session, transaction_id)
    if row is None and order is None:
        raise not_found(f"session {transaction_id}")
    if row is None:
        return {"transaction_id": transaction_id, "state": "not_opened", "live": None, "order": shown_order}
    return {**shapes.session(row, ctx.site.zone), "live": None, "order": shown_order}


async def _order_of(ctx: ApiContext, transaction_id: str) -> dict[str, Any] | None:
    """The order of a transaction: from those that wait for their answer, else from the database."""
    pending = ctx.orders.pending_of(transaction_id)
    if pending is not None:
        return {name: getattr(pending, name) for name in OrderSaved.__slots__}
    return await asyncio.to_thread(ctx.store.reader.order_of, transaction_id)


@router.get("/sessions/{transaction_id}/samples", **shown(answers.SamplePage))
async def samples(ctx: Context, transaction_id: str, limit: Limit = 1000, cursor: Cursor = None) -> dict[str, Any]:
    """The curve of a session."""
    after = shapes.read_cursor(cursor)
    reader = ctx.store.reader
    rows = await asyncio.to_thread(reader.samples, transaction_id, after_row=after[0] if after else 0, limit=limit + 1)
    if not rows and await asyncio.to_thread(reader.session, transaction_id) is None:
        raise not_found(f"session {transaction_id}")
    return shapes.page(
        rows,
        limit,
        lambda row: shapes.cursor_of(row["row"], ""),
        lambda row: shapes.sample(row, ctx.site.zone),
    )


# -- bills ----------------------------------------------------------------------------------------------


@router.get("/bills", **shown(answers.BillPage))
async def bills(
    ctx: Context,
    limit: Limit = 100,
    cursor: Cursor = None,
    status: Literal["normal", "repaired", "provisional", "review", "void"] | None = None,
    since: str | None = None,
    until: str | None = None,
    pile: str | None = None,
    anomaly: str | None = None,
) -> dict[str, Any]:
    """The newest revision of each bill, newest first; ``since`` and ``until`` bound when it was made."""
    before = shapes.read_cursor(cursor)
    rows = await asyncio.to_thread(
        ctx.store.reader.bills,
        status=status,
        pile_id=pile,
        anomaly=anomaly,
        since_ms=shapes.read_instant(since, "since"),
        until_ms=shapes.read_instant(until, "until"),
        before=before,
        limit=limit + 1,
    )
    return shapes.page(
        rows,
        limit,
        lambda row: shapes.cursor_of(row["created_at_ms"], row["transaction_id"]),
        lambda row: json.loads(row["body"]),
    )


@router.get("/bills/{transaction_id}", **shown(answers.Bill))
async def bill(ctx: Context, transaction_id: str) -> Response:
    """The newest revision of one bill, byte for byte as it was made."""
    row = await asyncio.to_thread(ctx.store.reader.bill, transaction_id)
    if row is None:
        raise not_found(f"bill {transaction_id}")
    return Response(row["body"], media_type="application/json")


@router.get("/bills/{transaction_id}/revisions", **shown(answers.RevisionPage))
async def revisions(ctx: Context, transaction_id: str, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Every revision of one bill, oldest first, each with its reason, actor and time; and the records."""
    after = shapes.read_cursor(cursor)
    rows = await asyncio.to_thread(ctx.store.reader.revisions, transaction_id)
    if not rows:
        raise not_found(f"bill {transaction_id}")
    records = await asyncio.to_thread(ctx.store.reader.records, transaction_id)
    page = shapes.page(
        [row for row in rows if after is None or row["revision"] > after[0]],
        limit,
        lambda row: shapes.cursor_of(row["revision"], ""),
        lambda row: shapes.revision(row, ctx.site.zone),
    )
    return {**page, "records": [shapes.record(row, ctx.site.zone) for row in records]}


# -- orders and outbox ----------------------------------------------------------------------------------


@router.get("/orders", **shown(answers.OrderPage))
async def orders(ctx: Context, limit: Limit = 100, cursor: Cursor = None, pile: str | None = None) -> dict[str, Any]:
    """Orders to piles, newest first."""
    before = shapes.read_cursor(cursor)
    rows = await asyncio.to_thread(ctx.store.reader.orders, pile_id=pile, before=before, limit=limit + 1)
    return shapes.page(
        rows,
        limit,
        lambda row: shapes.cursor_of(row["created_at_ms"], row["order_id"]),
        lambda row: shapes.order(row, ctx.site.zone),
    )


@router.get("/orders/{order_id}", **shown(answers.Order))
async def order(ctx: Context, order_id: str) -> dict[str, Any]:
    """One order."""
    row = await asyncio.to_thread(ctx.store.reader.order, order_id)
    if row is None:
        raise not_found(f"order {order_id}")
    return shapes.order(row, ctx.site.zone)


@router.get("/outbox", **shown(answers.OutboxPage))
async def outbox(
    ctx: Context,
    limit: Limit = 100,
    cursor: Cursor = None,
    state: Literal["pending", "delivered", "dead"] | None = None,
    upstream: str | None = None,
) -> dict[str, Any]:
    """What still has to go upstream, what went, what was set aside."""
    after = shapes.read_cursor(cursor)
    rows = await asyncio.to_thread(
        ctx.store.reader.outbox, state=state, endpoint=upstream, after=after[0] if after else 0, limit=limit + 1
    )
    summary = await asyncio.to_thread(ctx.store.reader.outbox_summary)
    breakers = ctx.forwarder.states(ctx.clock.now_ms())
    page = shapes.page(
        rows, limit, lambda row: shapes.cursor_of(row["id"], ""), lambda row: shapes.outbox_entry(row, ctx.site.zone)
    )
    return {**page, "upstreams": [shapes.upstream(row, breakers, ctx.site.zone) for row in summary]}


@router.post("/outbox/{outbox_id}/retry", **shown(answers.Retried, 202))
async def retry(ctx: Context, outbox_id: int) -> dict[str, Any]:
    """Send an entry again, with the same id and bytes."""
    now_ms = ctx.clock.now_ms()
    expires_ms = now_ms + 604_800_000
    await asyncio.wrap_future(
        manage.retry_delivery(ctx.store.writer.call, outbox_id, at_ms=now_ms, expires_at_ms=expires_ms)
    )
    ctx.forwarder.wake()
    return {"id": outbox_id, "state": "pending"}


@router.post("/outbox/test", **shown(answers.EventPut, 202))
async def test_event(ctx: Context, actor: Caller) -> dict[str, Any]:
    """Put a ``pilegate.test`` event into the queue of every upstream."""
    now_ms = ctx.clock.now_ms()
    event_id = f"test-{now_ms}"
    event = EventRaised(event_id, "pilegate.test", "test", "test", now_ms, {"by": actor}, is_perishable=True)
    await ctx.switchboard.save([event])
    ctx.forwarder.wake()
    return {"event_id": event_id}

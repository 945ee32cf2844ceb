"""Routes that only look: piles, sessions, bills, orders, outbox."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from billing_core.fixed import format_e4, format_fen
from billing_core.live import live_fee
from gateway import manage
from gateway.api import shapes
from gateway.api.auth import caller, context
from gateway.api.context import ApiContext
from gateway.api.problems import not_found
from gateway.outcome import EventRaised

router = APIRouter(dependencies=[Depends(caller)])
Context = Annotated[ApiContext, Depends(context)]
Caller = Annotated[str, Depends(caller)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query()]


def _page(items: list[Any], limit: int, cursor: str | None) -> dict[str, Any]:
    return {"items": items, "next_cursor": cursor if len(items) == limit else None}


# -- piles ----------------------------------------------------------------------------------------------


@router.get("/piles")
async def piles(ctx: Context) -> dict[str, Any]:
    """Piles that are listed, with their links, connectors and live state."""
    states = ctx.switchboard.engine.piles
    items = [_pile(ctx, pile_id) for pile_id in sorted({*ctx.site.piles, *states.states})]
    return {"items": [item for item in items if item is not None], "next_cursor": None}


def _pile(ctx: ApiContext, pile_id: str) -> dict[str, Any] | None:
    piles_of = ctx.switchboard.engine.piles
    if not piles_of.is_listed(pile_id):
        return None
    state = piles_of.state(pile_id)
    station = ctx.site.station_of(pile_id)
    return shapes.pile(state, station, ctx.site.zone, has_link=ctx.switchboard.is_connected(pile_id))


@router.get("/piles/unknown")
async def unknown_piles(ctx: Context) -> dict[str, Any]:
    """Piles that were refused and may be adopted."""
    rows = await asyncio.to_thread(ctx.store.reader.unknown_piles)
    zone = ctx.site.zone
    items = [
        {
            "pile_id": row["pile_id"],
            "address": row["address"],
            "protocol": row["protocol"],
            "firmware_version": row["firmware_version"],
            "connector_count": row["connector_count"],
            "attempts": row["attempts"],
            "first_seen_at": shapes.at(row["first_seen_at_ms"], zone),
            "last_seen_at": shapes.at(row["last_seen_at_ms"], zone),
        }
        for row in rows
    ]
    return {"items": items, "next_cursor": None}


@router.get("/piles/{pile_id}")
async def pile(ctx: Context, pile_id: str) -> dict[str, Any]:
    """One pile."""
    found = _pile(ctx, pile_id)
    if found is None:
        raise not_found(f"pile {pile_id}")
    return found


# -- sessions -------------------------------------------------------------------------------------------


@router.get("/sessions")
async def sessions(
    ctx: Context, limit: Limit = 100, cursor: Cursor = None, pile: str | None = None, state: str | None = None
) -> dict[str, Any]:
    """Running and past sessions, newest first."""
    before = shapes.read_cursor(cursor)
    rows = await asyncio.to_thread(ctx.store.reader.sessions, pile_id=pile, state=state, before=before, limit=limit)
    items = [shapes.session(row, ctx.site.zone) for row in rows]
    following = shapes.cursor_of(rows[-1]["opened_at_ms"], rows[-1]["transaction_id"]) if rows else None
    return _page(items, limit, following)


@router.get("/sessions/{transaction_id}")
async def session(ctx: Context, transaction_id: str) -> dict[str, Any]:
    """One session: state, energy, time and fee so far, and the order it came of."""
    order = await asyncio.to_thread(ctx.store.reader.order_of, transaction_id)
    shown_order = shapes.order(order, ctx.site.zone) if order else None
    live = _live(ctx, transaction_id)
    if live is not None:
        return {**live, "order": shown_order}
    row = await asyncio.to_thread(ctx.store.reader.session, transaction_id)
    if row is None and order is None:
        raise not_found(f"session {transaction_id}")
    if row is None:
        return {"transaction_id": transaction_id, "state": "not_opened", "live": None, "order": shown_order}
    return {**shapes.session(row, ctx.site.zone), "live": None, "order": shown_order}


def _live(ctx: ApiContext, transaction_id: str) -> dict[str, Any] | None:
    """A session that the engine holds, with what it has come to."""
    engine = ctx.switchboard.engine
    found = next((s for s in engine.sessions.running() if s.transaction_id == transaction_id), None)
    if found is None:
        return None
    saved = found.saved()
    fee = live_fee(engine.sessions.evidence(found, ctx.clock.now_ms()))
    row = {
        "transaction_id": saved.transaction_id,
        "order_no": saved.order_no,
        "pile_id": saved.pile_id,
        "connector": saved.connector,
        "state": saved.state,
        "start_channel": saved.start_channel,
        "opened_at_ms": saved.opened_at_ms,
        "ended_at_ms": saved.ended_at_ms,
        "energy_e4kwh": saved.energy_e4kwh,
    }
    return {
        **shapes.session(row, ctx.site.zone),
        "live": {
            "duration_s": fee.duration_s,
            "energy_kwh": format_e4(fee.energy_e4kwh),
            "energy_fee": None if fee.energy_fee_fen is None else format_fen(fee.energy_fee_fen),
            "service_fee": None if fee.service_fee_fen is None else format_fen(fee.service_fee_fen),
            "amount": None if fee.amount_fen is None else format_fen(fee.amount_fen),
        },
    }


@router.get("/sessions/{transaction_id}/samples")
async def samples(ctx: Context, transaction_id: str, limit: Limit = 1000, cursor: Cursor = None) -> dict[str, Any]:
    """The curve of a session."""
    after = shapes.read_cursor(cursor)
    rows = await asyncio.to_thread(
        ctx.store.reader.samples, transaction_id, after_row=after[0] if after else 0, limit=limit
    )
    items = [shapes.sample(row, ctx.site.zone) for row in rows]
    return _page(items, limit, shapes.cursor_of(rows[-1]["row"], "") if rows else None)


# -- bills ----------------------------------------------------------------------------------------------


@router.get("/bills")
async def bills(
    ctx: Context,
    limit: Limit = 100,
    cursor: Cursor = None,
    status: str | None = None,
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
        limit=limit,
    )
    items = [json.loads(row["body"]) for row in rows]
    following = shapes.cursor_of(rows[-1]["created_at_ms"], rows[-1]["transaction_id"]) if rows else None
    return _page(items, limit, following)


@router.get("/bills/{transaction_id}")
async def bill(ctx: Context, transaction_id: str) -> Response:
    """The newest revision of one bill, byte for byte as it was made."""
    row = await asyncio.to_thread(ctx.store.reader.bill, transaction_id)
    if row is None:
        raise not_found(f"bill {transaction_id}")
    return Response(row["body"], media_type="application/json")


@router.get("/bills/{transaction_id}/revisions")
async def revisions(ctx: Context, transaction_id: str) -> dict[str, Any]:
    """Every revision of one bill, each with its reason, actor, evidence and time."""
    rows = await asyncio.to_thread(ctx.store.reader.revisions, transaction_id)
    if not rows:
        raise not_found(f"bill {transaction_id}")
    records = await asyncio.to_thread(ctx.store.reader.records, transaction_id)
    evidence = [
        {"content_hash": r["content_hash"], "received_at": shapes.at(r["rx_ms"], ctx.site.zone)} for r in records
    ]
    items = [
        {
            "revision": row["revision"],
            "reason": row["reason"],
            "actor": row["actor"],
            "created_at": shapes.at(row["created_at_ms"], ctx.site.zone),
            "bill": json.loads(row["body"]),
        }
        for row in rows
    ]
    return {"items": items, "records": evidence, "next_cursor": None}


# -- orders and outbox ----------------------------------------------------------------------------------


@router.get("/orders")
async def orders(ctx: Context, limit: Limit = 100, cursor: Cursor = None, pile: str | None = None) -> dict[str, Any]:
    """Orders to piles, newest first."""
    before = shapes.read_cursor(cursor)
    rows = await asyncio.to_thread(ctx.store.reader.orders, pile_id=pile, before=before, limit=limit)
    following = shapes.cursor_of(rows[-1]["created_at_ms"], rows[-1]["order_id"]) if rows else None
    return _page([shapes.order(row, ctx.site.zone) for row in rows], limit, following)


@router.get("/orders/{order_id}")
async def order(ctx: Context, order_id: str) -> dict[str, Any]:
    """One order."""
    row = await asyncio.to_thread(ctx.store.reader.order, order_id)
    if row is None:
        raise not_found(f"order {order_id}")
    return shapes.order(row, ctx.site.zone)


@router.get("/outbox")
async def outbox(
    ctx: Context, limit: Limit = 100, cursor: Cursor = None, state: str | None = None, upstream: str | None = None
) -> dict[str, Any]:
    """What still has to go upstream, what went, what was set aside."""
    after = shapes.read_cursor(cursor)
    rows = await asyncio.to_thread(
        ctx.store.reader.outbox, state=state, endpoint=upstream, after=after[0] if after else 0, limit=limit
    )
    summary = await asyncio.to_thread(ctx.store.reader.outbox_summary)
    breakers = ctx.forwarder.states(ctx.clock.now_ms())
    page = _page(
        [shapes.outbox_entry(row, ctx.site.zone) for row in rows],
        limit,
        shapes.cursor_of(rows[-1]["id"], "") if rows else None,
    )
    page["upstreams"] = [
        {
            "upstream": row["endpoint"],
            "state": row["state"],
            "entries": row["entries"],
            "oldest_at": shapes.at(row["oldest_at_ms"], ctx.site.zone),
            "breaker": breakers.get(row["endpoint"]),
        }
        for row in summary
    ]
    return page


@router.post("/outbox/{outbox_id}/retry", status_code=202)
async def retry(ctx: Context, outbox_id: int) -> dict[str, Any]:
    """Send an entry again, with the same id and bytes."""
    now_ms = ctx.clock.now_ms()
    expires_ms = now_ms + 604_800_000
    await asyncio.wrap_future(
        manage.retry_delivery(ctx.store.writer.call, outbox_id, at_ms=now_ms, expires_at_ms=expires_ms)
    )
    ctx.forwarder.wake()
    return {"id": outbox_id, "state": "pending"}


@router.post("/outbox/test", status_code=202)
async def test_event(ctx: Context, actor: Caller) -> dict[str, Any]:
    """Put a ``pilegate.test`` event into the queue of every upstream."""
    now_ms = ctx.clock.now_ms()
    event_id = f"test-{now_ms}"
    event = EventRaised(event_id, "pilegate.test", "test", "test", now_ms, {"by": actor}, is_perishable=True)
    await ctx.switchboard.save([event])
    ctx.forwarder.wake()
    return {"event_id": event_id}

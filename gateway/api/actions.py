"""Routes that order something of a pile: one answer each, or a 504 that says the pile was silent.

Each takes an Idempotency-Key; what was answered once is answered again, silence of the pile included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from gateway.api import answers, shapes
from gateway.api.answers import shown
from gateway.api.auth import caller
from gateway.api.idempotency import Remembered
from gateway.api.lookups import Caller, Context
from gateway.api.problems import Problem, body_of
from gateway.api.requests import (
    BalanceBody,
    Body,
    CardsBody,
    ConnectorNo,
    FirmwareBody,
    LockBody,
    QrBody,
    RebootBody,
    StartBody,
    UidsBody,
    UpdateBody,
    WorkBody,
)
from gateway.outcome import OrderSaved
from protocol import commands as c

router = APIRouter(dependencies=[Depends(caller)])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ANSWER_MS = 30_000
_UPDATE_GRACE_MS = 60_000
_BALANCE_FEN_MAX = 0xFFFF_FFFF  # what the field of a frame can hold
_SYNC_MAX, _CLEAR_MAX, _QUERY_MAX = 15, 24, 26  # cards a frame


def _uid(text: str) -> str:
    return text.upper().rjust(16, "0")


def _fen(text: str) -> int:
    fen = shapes.read_fen(text, "balance")
    if fen > _BALANCE_FEN_MAX:
        raise Problem(422, "amount_invalid", "balance: more than a pile can be told")
    return fen


def _shown(ctx: Context, saved: OrderSaved) -> dict[str, Any]:
    row = {name: getattr(saved, name) for name in OrderSaved.__slots__}
    return shapes.order(row, ctx.site.zone)


def _silence(saved: OrderSaved, **extra: Any) -> tuple[int, dict[str, Any]] | None:
    """The problem of an order that the pile gave no answer to."""
    if saved.state == "timed_out":
        text = "the pile did not answer in time"
        return 504, body_of(504, "pile_silent", text, order_id=saved.order_id, **extra)
    if saved.state == "failed":
        text = str((saved.result or {}).get("detail"))
        return 502, body_of(502, "order_failed", text, order_id=saved.order_id, **extra)
    return None


async def _order(
    ctx: Context,
    actor: str,
    request: Request,
    command: c.PileCommand,
    body: Body | None = None,
    *,
    timeout_ms: int = _ANSWER_MS,
) -> Response:
    """Place one order and tell the pile's answer, or its silence."""
    async with Remembered(ctx, request, body.model_dump_json() if body else "") as remembered:
        if remembered.answer is None:
            saved = await ctx.orders.place(command, actor=actor, timeout_ms=timeout_ms)
            await remembered.keep(*(_silence(saved) or (200, _shown(ctx, saved))))
        return remembered.response()


async def _orders(ctx: Context, actor: str, request: Request, parts: Sequence[c.PileCommand], body: Body) -> Response:
    """Place the parts of what no single frame can carry, one after the other, until one gets no answer."""
    async with Remembered(ctx, request, body.model_dump_json()) as remembered:
        if remembered.answer is None:
            done: list[dict[str, Any]] = []
            problem = None
            for part in parts:
                saved = await ctx.orders.place(part, actor=actor, timeout_ms=_ANSWER_MS)
                problem = _silence(saved, orders=done, orders_not_sent=len(parts) - len(done) - 1)
                if problem is not None:
                    break
                done.append(_shown(ctx, saved))
            cards = _held(done) if isinstance(parts[0], c.QueryCards) else None
            await remembered.keep(*(problem or (200, {"orders": done, "cards": cards})))
        return remembered.response()


def _held(orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Which cards a pile says it holds."""
    told = [card for order in orders for card in order["result"].get("cards", ())]
    return [{"card_uid": card["card"], "is_present": card["present"] == 1} for card in told]


# -- charging -------------------------------------------------------------------------------------------


async def _balance_fen(ctx: Context, body: StartBody) -> int:
    balance_fen = _fen(body.balance) if body.balance is not None else 0
    if body.account_id is not None:
        account = await asyncio.to_thread(ctx.store.reader.find_account, body.account_id)
        if account is None:
            raise Problem(404, "account_unknown", f"account {body.account_id} does not exist")
        if account["is_frozen"]:
            raise Problem(409, "account_frozen", f"account {body.account_id} is frozen")
        balance_fen = balance_fen or min(account["balance_fen"], _BALANCE_FEN_MAX)
    if balance_fen <= 0:
        raise Problem(422, "balance_missing", "tell a balance above 0, or an account that has one")
    return balance_fen


@router.post("/piles/{pile_id}/connectors/{connector}/start", **shown(answers.Started, 202))
async def start(
    ctx: Context, actor: Caller, request: Request, pile_id: str, connector: ConnectorNo, body: StartBody
) -> Response:
    """Start remotely; the transaction_id comes at once, the pile's answer by event and ``GET /sessions/{tx}``."""
    async with Remembered(ctx, request, body.model_dump_json()) as remembered:
        if remembered.answer is None:
            connectors = list(dict.fromkeys((connector, *body.parallel_with)))
            local = _EPOCH + timedelta(milliseconds=ctx.site.zone.civil_ms(ctx.clock.now_ms()))
            parallel_no = f"{local:%y%m%d%H%M%S}" if len(connectors) > 1 else None

            def told(orders: Sequence[OrderSaved]) -> dict[str, Any]:
                items = [_shown(ctx, saved) for saved in orders]
                return {"transaction_id": items[0]["transaction_id"], "parallel_no": parallel_no, "orders": items}

            await ctx.orders.start(
                pile_id,
                connectors,
                actor=actor,
                balance_fen=await _balance_fen(ctx, body),
                card_uid=_uid(body.card_uid) if body.card_uid else None,
                parallel_no=parallel_no,
                account_id=body.account_id,
                also=lambda orders: remembered.work(202, told(orders)),
            )
        return remembered.response()


@router.post("/piles/{pile_id}/connectors/{connector}/stop", **shown(answers.Order))
async def stop(ctx: Context, actor: Caller, request: Request, pile_id: str, connector: ConnectorNo) -> Response:
    """Stop remotely; the pile's answer."""
    return await _order(ctx, actor, request, c.StopCharging(pile_id, None, connector))


@router.post("/piles/{pile_id}/connectors/{connector}/balance", **shown(answers.Order))
async def balance(
    ctx: Context, actor: Caller, request: Request, pile_id: str, connector: ConnectorNo, body: BalanceBody
) -> Response:
    """Tell a pile the new balance of whoever charges."""
    card_uid = _uid(body.card_uid) if body.card_uid else None
    command = c.UpdateBalance(pile_id, None, connector, card_uid, _fen(body.balance))
    return await _order(ctx, actor, request, command, body)


@router.post("/piles/{pile_id}/connectors/{connector}/sample", **shown(answers.Order))
async def read_sample(ctx: Context, actor: Caller, request: Request, pile_id: str, connector: ConnectorNo) -> Response:
    """Have a pile report a connector's live state now."""
    return await _order(ctx, actor, request, c.ReadSample(pile_id, None, connector))


@router.post("/piles/{pile_id}/connectors/{connector}/lock", **shown(answers.Order))
async def lock(
    ctx: Context, actor: Caller, request: Request, pile_id: str, connector: ConnectorNo, body: LockBody
) -> Response:
    """Raise or lower a parking lock."""
    command = c.ControlParkingLock(pile_id, None, connector, body.action == "raise")
    return await _order(ctx, actor, request, command, body)


# -- the pile itself ------------------------------------------------------------------------------------


@router.post("/piles/{pile_id}/tariff", **shown(answers.Order))
async def push_tariff(ctx: Context, actor: Caller, request: Request, pile_id: str) -> Response:
    """Send the tariff in force to a pile; only while nothing charges there."""
    tariff = ctx.switchboard.engine.piles.tariff_for(pile_id, ctx.clock.now_ms())
    if tariff is None:
        raise Problem(409, "tariff_missing", f"no tariff that pile {pile_id} can carry is in force")
    if not ctx.routine.is_idle(pile_id):
        raise Problem(409, "pile_charging", f"pile {pile_id} charges: prices may change only while it is idle")
    return await _order(ctx, actor, request, c.SetTariff(pile_id, None, tariff))


@router.post("/piles/{pile_id}/time", **shown(answers.Order))
async def set_time(ctx: Context, actor: Caller, request: Request, pile_id: str) -> Response:
    """Set a pile's clock."""
    civil_ms = ctx.site.zone.civil_ms(ctx.clock.now_ms())
    return await _order(ctx, actor, request, c.SyncTime(pile_id, None, civil_ms))


@router.post("/piles/{pile_id}/reboot", **shown(answers.Order))
async def reboot(
    ctx: Context, actor: Caller, request: Request, pile_id: str, body: RebootBody | None = None
) -> Response:
    """Reboot a pile, now or when idle."""
    is_immediate = body.is_immediate if body else False
    return await _order(ctx, actor, request, c.Reboot(pile_id, None, is_immediate), body)


@router.post("/piles/{pile_id}/update", **shown(answers.Order))
async def update(ctx: Context, actor: Caller, request: Request, pile_id: str, body: UpdateBody) -> Response:
    """Have a pile fetch new firmware; it answers after the attempt."""
    command = c.UpdateFirmware(pile_id, None, **body.model_dump())
    timeout_ms = body.timeout_min * 60_000 + _UPDATE_GRACE_MS
    return await _order(ctx, actor, request, command, body, timeout_ms=timeout_ms)


@router.post("/piles/{pile_id}/firmware", **shown(answers.Order, 202))
async def firmware(ctx: Context, actor: Caller, request: Request, pile_id: str, body: FirmwareBody) -> Response:
    """Send a pile new firmware in chunks; the order comes at once, its end by ``GET /orders/{order_id}``."""
    if not ctx.routine.is_idle(pile_id):
        raise Problem(409, "pile_charging", f"pile {pile_id} charges: it takes firmware only while it is idle")
    async with Remembered(ctx, request, body.model_dump_json()) as remembered:
        if remembered.answer is None:
            saved = await ctx.transfers.send_file(pile_id, body.file, actor=actor)
            await remembered.keep(202, _shown(ctx, saved))
        return remembered.response()


@router.post("/piles/{pile_id}/work", **shown(answers.Order))
async def work(ctx: Context, actor: Caller, request: Request, pile_id: str, body: WorkBody) -> Response:
    """Allow or forbid a pile to work, and limit its power."""
    command = c.SetWorkParams(pile_id, None, body.is_disabled, body.max_power_percent)
    return await _order(ctx, actor, request, command, body)


@router.post("/piles/{pile_id}/qr", **shown(answers.Order))
async def qr(ctx: Context, actor: Caller, request: Request, pile_id: str, body: QrBody) -> Response:
    """Set the prefix of a pile's QR code."""
    command = c.SetQrPrefix(pile_id, None, body.prefix, body.has_connector)
    return await _order(ctx, actor, request, command, body)


# -- the pile's own list of cards -----------------------------------------------------------------------


def _chunks(items: list[Any], size: int) -> list[tuple[Any, ...]]:
    return [tuple(items[i : i + size]) for i in range(0, len(items), size)]


@router.post("/piles/{pile_id}/cards", **shown(answers.Orders))
async def sync_cards(ctx: Context, actor: Caller, request: Request, pile_id: str, body: CardsBody) -> Response:
    """Write cards into a pile's own list, 15 a frame."""
    cards = [c.OfflineCard(card.logic_card.rjust(16, "0"), _uid(card.card_uid)) for card in body.cards]
    parts = [c.SyncCards(pile_id, None, part) for part in _chunks(cards, _SYNC_MAX)]
    return await _orders(ctx, actor, request, parts, body)


@router.post("/piles/{pile_id}/cards/clear", **shown(answers.Orders))
async def clear_cards(ctx: Context, actor: Caller, request: Request, pile_id: str, body: UidsBody) -> Response:
    """Delete cards from a pile's own list, 24 a frame."""
    uids = [_uid(uid) for uid in body.card_uids]
    parts = [c.ClearCards(pile_id, None, part) for part in _chunks(uids, _CLEAR_MAX)]
    return await _orders(ctx, actor, request, parts, body)


@router.post("/piles/{pile_id}/cards/query", **shown(answers.Orders))
async def query_cards(ctx: Context, actor: Caller, request: Request, pile_id: str, body: UidsBody) -> Response:
    """Ask which cards a pile holds, 26 a frame."""
    uids = [_uid(uid) for uid in body.card_uids]
    parts = [c.QueryCards(pile_id, None, part) for part in _chunks(uids, _QUERY_MAX)]
    return await _orders(ctx, actor, request, parts, body)

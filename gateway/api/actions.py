"""Routes that order something of a pile: one answer each, or a 504 that says the pile was silent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api import shapes
from gateway.api.auth import caller
from gateway.api.idempotency import Remembered
from gateway.api.lookups import Caller, Context
from gateway.api.problems import Problem
from gateway.outcome import OrderSaved
from protocol import commands as c

router = APIRouter(dependencies=[Depends(caller)])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UPDATE_GRACE_MS = 60_000
CardUid = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{1,16}$")]
Yuan = Annotated[str, Field(pattern=r"^[0-9]{1,8}(\.[0-9]{1,2})?$", examples=["50.00"])]


class Body(BaseModel):
    """A request body; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class StartBody(Body):
    """A remote start: an account's balance, or one that is told; further connectors for parallel charging."""

    account_id: str | None = None
    balance: Yuan | None = None
    card_uid: CardUid | None = None
    parallel_with: list[int] = Field(default_factory=list, max_length=3)


class BalanceBody(Body):
    """The new balance of whoever charges, or of one card."""

    balance: Yuan
    card_uid: CardUid | None = None


class CardBody(Body):
    """A card that may start offline."""

    card_uid: CardUid
    logic_card: Annotated[str, Field(pattern=r"^[0-9]{1,16}$")] = "0"


class CardsBody(Body):
    """Cards to write to a pile."""

    cards: list[CardBody] = Field(min_length=1, max_length=1000)


class UidsBody(Body):
    """Cards to clear or to ask for."""

    card_uids: list[CardUid] = Field(min_length=1, max_length=1000)


class WorkBody(Body):
    """Whether the pile may work, and how hard."""

    is_disabled: bool = False
    max_power_percent: int = Field(100, ge=30, le=100)


class LockBody(Body):
    """What the parking lock shall do."""

    action: Literal["raise", "lower"]


class RebootBody(Body):
    """Now, or when idle."""

    is_immediate: bool = False


class UpdateBody(Body):
    """Where a pile gets its firmware."""

    current: Literal["DC", "AC"]
    power_kw: int = Field(ge=0, le=65_535)
    host: str = Field(max_length=16)
    port: int = Field(21, ge=1, le=65_535)
    user: str = Field("", max_length=16)
    password: str = Field("", max_length=16)
    path: str = Field(max_length=32)
    is_immediate: bool = False
    timeout_min: int = Field(10, ge=1, le=255)


class QrBody(Body):
    """The prefix of the code on the pile's screen."""

    prefix: str = Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")
    has_connector: bool = True


def _uid(text: str) -> str:
    return text.upper().rjust(16, "0")


async def _ordered(
    ctx: Context, actor: str, command: c.PileCommand, *, timeout_ms: int = 30_000
) -> tuple[int, dict[str, Any]]:
    """Place an order and tell the pile's answer. Raises ``Problem`` 504 when there is none."""
    saved = await ctx.orders.place(command, actor=actor, timeout_ms=timeout_ms)
    if saved.state == "timed_out":
        raise Problem(504, "pile_silent", "the pile did not answer in time", order_id=saved.order_id)
    if saved.state == "failed":
        raise Problem(502, "order_failed", str((saved.result or {}).get("detail")), order_id=saved.order_id)
    return 200, _shown(ctx, saved)


def _shown(ctx: Context, saved: OrderSaved) -> dict[str, Any]:
    row = {name: getattr(saved, name) for name in OrderSaved.__slots__}
    return shapes.order(row, ctx.site.zone)


async def _start(ctx: Context, actor: str, pile_id: str, connectors: list[int], body: StartBody) -> dict[str, Any]:
    balance_fen = shapes.read_fen(body.balance, "balance") if body.balance is not None else 0
    if body.account_id is not None:
        account = ctx.store.reader.find_account(body.account_id)
        if account is None:
            raise Problem(404, "account_unknown", f"account {body.account_id} does not exist")
        if account["is_frozen"]:
            raise Problem(409, "account_frozen", f"account {body.account_id} is frozen")
        balance_fen = balance_fen or account["balance_fen"]
    if balance_fen <= 0:
        raise Problem(422, "balance_missing", "tell a balance above 0, or an account that has one")
    now_ms = ctx.clock.now_ms()
    local = _EPOCH + timedelta(milliseconds=ctx.site.zone.civil_ms(now_ms))
    parallel_no = f"{local:%y%m%d%H%M%S}" if len(connectors) > 1 else None
    started = [
        await ctx.orders.start(
            pile_id,
            connector,
            actor=actor,
            balance_fen=balance_fen,
            card_uid=_uid(body.card_uid) if body.card_uid else None,
            parallel_no=parallel_no,
            account_id=body.account_id,
        )
        for connector in connectors
    ]
    orders = [_shown(ctx, saved) for saved in started]
    return {"transaction_id": orders[0]["transaction_id"], "parallel_no": parallel_no, "orders": orders}


@router.post("/piles/{pile_id}/connectors/{connector}/start", status_code=202)
async def start(
    ctx: Context, actor: Caller, request: Request, pile_id: str, connector: int, body: StartBody
) -> Response:
    """Start remotely; the transaction_id comes at once, the pile's answer by event and ``GET /sessions/{tx}``."""
    async with Remembered(ctx, request, body.model_dump_json()) as remembered:
        if remembered.answer is None:
            connectors = [connector, *(no for no in body.parallel_with if no != connector)]
            await remembered.keep(202, await _start(ctx, actor, pile_id, connectors, body))
        return remembered.response()


@router.post("/piles/{pile_id}/connectors/{connector}/stop")
async def stop(ctx: Context, actor: Caller, request: Request, pile_id: str, connector: int) -> Response:
    """Stop remotely; the pile's answer."""
    async with Remembered(ctx, request, "") as remembered:
        if remembered.answer is None:
            await remembered.keep(*await _ordered(ctx, actor, c.StopCharging(pile_id, None, connector)))
        return remembered.response()


@router.post("/piles/{pile_id}/tariff")
async def push_tariff(ctx: Context, actor: Caller, pile_id: str) -> dict[str, Any]:
    """Send the tariff in force to a pile."""
    tariff = ctx.switchboard.engine.piles.tariff_for(pile_id, ctx.clock.now_ms())
    if tariff is None:
        raise Problem(409, "tariff_missing", f"no tariff that pile {pile_id} can carry is in force")
    return (await _ordered(ctx, actor, c.SetTariff(pile_id, None, tariff)))[1]


@router.post("/piles/{pile_id}/time")
async def set_time(ctx: Context, actor: Caller, pile_id: str) -> dict[str, Any]:
    """Set a pile's clock."""
    civil_ms = ctx.site.zone.civil_ms(ctx.clock.now_ms())
    return (await _ordered(ctx, actor, c.SyncTime(pile_id, None, civil_ms)))[1]


@router.post("/piles/{pile_id}/reboot")
async def reboot(ctx: Context, actor: Caller, pile_id: str, body: RebootBody | None = None) -> dict[str, Any]:
    """Reboot a pile, now or when idle."""
    is_immediate = body.is_immediate if body else False
    return (await _ordered(ctx, actor, c.Reboot(pile_id, None, is_immediate)))[1]


@router.post("/piles/{pile_id}/update")
async def update(ctx: Context, actor: Caller, pile_id: str, body: UpdateBody) -> dict[str, Any]:
    """Have a pile fetch new firmware; it answers after the attempt."""
    command = c.UpdateFirmware(pile_id, None, **body.model_dump())
    timeout_ms = body.timeout_min * 60_000 + _UPDATE_GRACE_MS
    return (await _ordered(ctx, actor, command, timeout_ms=timeout_ms))[1]


@router.post("/piles/{pile_id}/work")
async def work(ctx: Context, actor: Caller, pile_id: str, body: WorkBody) -> dict[str, Any]:
    """Allow or forbid a pile to work, and limit its power."""
    command = c.SetWorkParams(pile_id, None, body.is_disabled, body.max_power_percent)
    return (await _ordered(ctx, actor, command))[1]


@router.post("/piles/{pile_id}/qr")
async def qr(ctx: Context, actor: Caller, pile_id: str, body: QrBody) -> dict[str, Any]:
    """Set the prefix of a pile's QR code."""
    return (await _ordered(ctx, actor, c.SetQrPrefix(pile_id, None, body.prefix, body.has_connector)))[1]


@router.post("/piles/{pile_id}/connectors/{connector}/sample")
async def read_sample(ctx: Context, actor: Caller, pile_id: str, connector: int) -> dict[str, Any]:
    """Have a pile report a connector's live state now."""
    return (await _ordered(ctx, actor, c.ReadSample(pile_id, None, connector)))[1]


@router.post("/piles/{pile_id}/connectors/{connector}/balance")
async def balance(ctx: Context, actor: Caller, pile_id: str, connector: int, body: BalanceBody) -> dict[str, Any]:
    """Tell a pile the new balance of whoever charges."""
    fen = shapes.read_fen(body.balance, "balance")
    card_uid = _uid(body.card_uid) if body.card_uid else None
    return (await _ordered(ctx, actor, c.UpdateBalance(pile_id, None, connector, card_uid, fen)))[1]


@router.post("/piles/{pile_id}/connectors/{connector}/lock")
async def lock(ctx: Context, actor: Caller, pile_id: str, connector: int, body: LockBody) -> dict[str, Any]:
    """Raise or lower a parking lock."""
    command = c.ControlParkingLock(pile_id, None, connector, body.action == "raise")
    return (await _ordered(ctx, actor, command))[1]


def _chunks(items: list[Any], size: int) -> list[list[Any]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


@router.post("/piles/{pile_id}/cards")
async def sync_cards(ctx: Context, actor: Caller, pile_id: str, body: CardsBody) -> dict[str, Any]:
    """Write cards into a pile's own list, 15 a frame."""
    cards = [c.OfflineCard(card.logic_card.rjust(16, "0"), _uid(card.card_uid)) for card in body.cards]
    parts = [c.SyncCards(pile_id, None, tuple(part)) for part in _chunks(cards, 15)]
    return {"orders": [(await _ordered(ctx, actor, part))[1] for part in parts]}


@router.post("/piles/{pile_id}/cards/clear")
async def clear_cards(ctx: Context, actor: Caller, pile_id: str, body: UidsBody) -> dict[str, Any]:
    """Delete cards from a pile's own list, 24 a frame."""
    uids = [_uid(uid) for uid in body.card_uids]
    parts = [c.ClearCards(pile_id, None, tuple(part)) for part in _chunks(uids, 24)]
    return {"orders": [(await _ordered(ctx, actor, part))[1] for part in parts]}


@router.post("/piles/{pile_id}/cards/query")
async def query_cards(ctx: Context, actor: Caller, pile_id: str, body: UidsBody) -> dict[str, Any]:
    """Ask which cards a pile holds, 26 a frame."""
    uids = [_uid(uid) for uid in body.card_uids]
    parts = [c.QueryCards(pile_id, None, tuple(part)) for part in _chunks(uids, 26)]
    return {"orders": [(await _ordered(ctx, actor, part))[1] for part in parts]}

"""Routes that change what the site knows: adopted piles, accounts, cards, VINs; and show its tariffs."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

from fastapi import APIRouter, Depends

from billing_core.fixed import format_e5, format_factor
from billing_core.tariff import RATE_NAMES
from gateway import manage
from gateway.api import answers, shapes
from gateway.api.answers import shown
from gateway.api.auth import caller
from gateway.api.lookups import Context, Cursor, Limit
from gateway.api.requests import AccountBody, AdoptBody, CardEntryBody, CardUid, Vin, VinEntryBody

router = APIRouter(dependencies=[Depends(caller)])


async def _done(work: Future[Any]) -> None:
    await asyncio.wrap_future(work)


@router.post("/piles/{pile_id}/adopt", **shown(answers.Adopted))
async def adopt(ctx: Context, pile_id: str, body: AdoptBody | None = None) -> dict[str, Any]:
    """Let a refused pile in; it is taken at its next login."""
    station = body.station if body else ""
    await _done(manage.adopt_pile(ctx.store.writer.call, pile_id, station=station, at_ms=ctx.clock.now_ms()))
    ctx.reload_site()
    return {"pile_id": pile_id, "station": station}


@router.get("/tariffs", **shown(answers.Page))
async def tariffs(ctx: Context, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Every tariff of the site."""
    items = [
        {
            "model_no": tariff.model_no,
            "valid_from": shapes.at(tariff.valid_from_ms, ctx.site.zone),
            "scope": list(tariff.scope),
            "loss_ratio_percent": tariff.loss_ratio_e4 // 100,
            "rates": {
                RATE_NAMES[rate]: {"energy": format_e5(energy), "service": format_e5(service)}
                for rate, (energy, service) in sorted(tariff.prices_e5.items())
            },
            "slots": [
                {"from": _clock(start), "to": _clock(stop), "rate": RATE_NAMES[rate]}
                for start, stop, rate in tariff.slots
            ],
        }
        for tariff in ctx.site.book.tariffs
    ]
    return shapes.listed_page(items, limit, cursor)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@router.get("/campaigns", **shown(answers.Page))
async def campaigns(ctx: Context, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Every campaign of the site."""
    items = [
        {
            "id": campaign.id,
            "component": campaign.component,
            "factor": format_factor(campaign.factor_e4),
            "valid_from": shapes.at(campaign.valid_from_ms, ctx.site.zone),
            "valid_to": shapes.at(campaign.valid_to_ms, ctx.site.zone),
            "scope": list(campaign.scope),
        }
        for campaign in ctx.site.book.campaigns
    ]
    return shapes.listed_page(items, limit, cursor)


@router.get("/accounts", **shown(answers.AccountPage))
async def accounts(ctx: Context, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Accounts with their balances."""
    rows = await asyncio.to_thread(ctx.store.reader.accounts)
    return shapes.keyed_page(rows, "account_id", limit, cursor, shapes.account)


@router.put("/accounts/{account_id}", **shown(answers.Account))
async def save_account(ctx: Context, account_id: str, body: AccountBody) -> dict[str, Any]:
    """Make or replace an account."""
    fen = shapes.read_fen(body.balance, "balance")
    call = ctx.store.writer.call
    await _done(manage.save_account(call, account_id, name=body.name, balance_fen=fen, is_frozen=body.is_frozen))
    row = {"account_id": account_id, "name": body.name, "balance_fen": fen, "is_frozen": body.is_frozen}
    return shapes.account(row)


@router.delete("/accounts/{account_id}", status_code=204)
async def remove_account(ctx: Context, account_id: str) -> None:
    """Delete an account that no card or VIN names."""
    await _done(manage.remove(ctx.store.writer.call, "account", account_id))


@router.get("/cards", **shown(answers.CardPage))
async def cards(ctx: Context, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Cards of the authorisation list."""
    rows = await asyncio.to_thread(ctx.store.reader.cards)
    return shapes.keyed_page(rows, "card_uid", limit, cursor, shapes.unfrozen)


@router.put("/cards/{card_uid}", **shown(answers.Card))
async def save_card(ctx: Context, card_uid: CardUid, body: CardEntryBody) -> dict[str, Any]:
    """Make or replace a card."""
    await _done(manage.save_card(ctx.store.writer.call, card_uid, **body.model_dump()))
    logic_card = body.logic_card.rjust(16, "0")
    return {**body.model_dump(), "card_uid": card_uid.upper().rjust(16, "0"), "logic_card": logic_card}


@router.delete("/cards/{card_uid}", status_code=204)
async def remove_card(ctx: Context, card_uid: CardUid) -> None:
    """Delete a card."""
    await _done(manage.remove(ctx.store.writer.call, "card", card_uid.upper().rjust(16, "0")))


@router.get("/vins", **shown(answers.VinPage))
async def vins(ctx: Context, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Cars of the authorisation list."""
    rows = await asyncio.to_thread(ctx.store.reader.vins)
    return shapes.keyed_page(rows, "vin", limit, cursor, shapes.unfrozen)


@router.put("/vins/{vin}", **shown(answers.Vin))
async def save_vin(ctx: Context, vin: Vin, body: VinEntryBody) -> dict[str, Any]:
    """Make or replace a car."""
    await _done(manage.save_vin(ctx.store.writer.call, vin, **body.model_dump()))
    return {"vin": vin.upper(), **body.model_dump()}


@router.delete("/vins/{vin}", status_code=204)
async def remove_vin(ctx: Context, vin: Vin) -> None:
    """Delete a car."""
    await _done(manage.remove(ctx.store.writer.call, "vin", vin.upper()))

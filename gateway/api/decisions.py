"""Routes by which people decide about bills; whoever decides is named by the token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from billing_core.fixed import format_e4, format_fen
from gateway import deciding
from gateway.api import answers, shapes
from gateway.api.answers import shown
from gateway.api.auth import caller
from gateway.api.context import ApiContext
from gateway.api.idempotency import Remembered
from gateway.api.lookups import Caller, Context, Cursor, Limit
from gateway.api.problems import not_found
from gateway.api.requests import AgreementBody, DecisionBody
from gateway.decisions import Decision, Decisions, sentences
from gateway.outcome import BillIssued, DecisionSaved, Outcome

router = APIRouter(dependencies=[Depends(caller)])


@router.get("/decisions", **shown(answers.DecisionPage))
async def waiting(ctx: Context, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Decisions that wait for a second person, oldest first."""
    rows = await asyncio.to_thread(deciding.decisions_waiting, ctx.store.reader)
    return shapes.listed_page([_shown(ctx, row) for row in rows], limit, cursor)


@router.get("/bills/{transaction_id}/decisions", **shown(answers.DecisionPage))
async def of_bill(ctx: Context, transaction_id: str, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Every decision on a bill, oldest first."""
    rows = await asyncio.to_thread(deciding.decisions_on, ctx.store.reader, transaction_id)
    return shapes.listed_page([_shown(ctx, row) for row in rows], limit, cursor)


@router.get("/bills/{transaction_id}/sources", **shown(answers.EnergySources))
async def sources(ctx: Context, transaction_id: str) -> dict[str, Any]:
    """Where the energy of a charge may be taken from, the better sources first."""
    found = (await _decisions(ctx, transaction_id)).sources(transaction_id, ctx.clock.now_ms())
    return {"items": [{"name": name, "energy_kwh": format_e4(energy)} for name, energy in found.items()]}


@router.post("/bills/{transaction_id}/decisions", **shown(answers.DecisionAnswer, 201))
async def decided(ctx: Context, actor: Caller, request: Request, transaction_id: str, body: DecisionBody) -> Response:
    """Decide about a bill; above 50 yuan it is a proposal until a second person agrees."""
    async with Remembered(ctx, request, body.model_dump_json()) as remembered, _one_at_a_time(request):
        if remembered.answer is None:
            await remembered.keep(201, await _decided(ctx, actor, transaction_id, body))
        return remembered.response()


async def _decided(ctx: ApiContext, actor: str, transaction_id: str, body: DecisionBody) -> dict[str, Any]:
    told = body.explanation
    decision = Decision(
        transaction_id=transaction_id,
        kind=body.kind,
        actor=actor,
        reason=body.reason,
        source=body.source,
        amount_fen=None if body.amount is None else shapes.read_fen(body.amount, "amount"),
        split_at_ms=shapes.read_instant(body.at, "at"),
        target=body.target,
        explanation_en=sentences(told.en) if told else (),
        explanation_zh=sentences(told.zh) if told else (),
    )
    former = await asyncio.to_thread(deciding.decisions_on, ctx.store.reader, transaction_id)
    decisions = await _decisions(ctx, transaction_id, body.target)
    at_ms = ctx.clock.now_ms()
    ctx.switchboard.advance(at_ms)
    saved, outcome = deciding.propose(decisions, decision, evidence=body.evidence, at_ms=at_ms)
    known = next((each for each in former if each.decision_id == saved.decision_id), None)
    if known is not None and saved.state == deciding.PROPOSED:
        return _shown(ctx, known)
    await _carry_out(ctx, outcome)
    return _shown(ctx, saved)


@router.post("/decisions/{decision_id}/confirm", **shown(answers.DecisionAnswer))
async def confirmed(
    ctx: Context, actor: Caller, request: Request, decision_id: str, body: AgreementBody | None = None
) -> dict[str, Any]:
    """Agree to what another person proposed; refused to the proposer."""
    evidence = body.evidence if body else []

    def settle(decisions: Decisions, saved: DecisionSaved, at_ms: int) -> tuple[DecisionSaved, Outcome]:
        return deciding.confirm(decisions, saved, actor, evidence=evidence, at_ms=at_ms)

    return await _settle(ctx, request, decision_id, settle)


@router.post("/decisions/{decision_id}/reject", **shown(answers.DecisionAnswer))
async def rejected(ctx: Context, actor: Caller, request: Request, decision_id: str) -> dict[str, Any]:
    """Put a proposal aside."""

    def settle(decisions: Decisions, saved: DecisionSaved, at_ms: int) -> tuple[DecisionSaved, Outcome]:
        return deciding.reject(saved, actor, at_ms=at_ms)

    return await _settle(ctx, request, decision_id, settle)


def _one_at_a_time(request: Request) -> asyncio.Lock:
    """Decisions are taken one behind the other: each looks at the bill as the former left it."""
    lock: asyncio.Lock = request.app.state.deciding
    return lock


Settle = Callable[[Decisions, DecisionSaved, int], tuple[DecisionSaved, Outcome]]


async def _settle(ctx: ApiContext, request: Request, decision_id: str, settle: Settle) -> dict[str, Any]:
    async with _one_at_a_time(request):
        saved = await asyncio.to_thread(deciding.find_decision, ctx.store.reader, decision_id)
        if saved is None:
            raise not_found(f"decision {decision_id}")
        target = saved.terms.get("target")
        decisions = await _decisions(ctx, saved.transaction_id, str(target) if target else None)
        at_ms = ctx.clock.now_ms()
        ctx.switchboard.advance(at_ms)
        saved, outcome = settle(decisions, saved, at_ms)
        await _carry_out(ctx, outcome)
    return _shown(ctx, saved)


async def _decisions(ctx: ApiContext, *transaction_ids: str | None) -> Decisions:
    """Decisions on bills as they are stored, once all that was written before is."""
    await ctx.switchboard.save([])

    def read() -> dict[str, BillIssued | None]:
        return {each: deciding.newest_bill(ctx.store.reader, each) for each in transaction_ids if each}

    newest = await asyncio.to_thread(read)
    return Decisions(ctx.switchboard.engine.sessions, newest.get)


async def _carry_out(ctx: ApiContext, outcome: Outcome) -> None:
    engine = ctx.switchboard.engine
    for touched in engine.sessions.take_touched():
        engine.arm_session(touched)
    ctx.switchboard.carry_out(outcome)
    await ctx.switchboard.save([])
    ctx.forwarder.wake()


def _shown(ctx: ApiContext, saved: DecisionSaved) -> dict[str, Any]:
    zone = ctx.site.zone
    return {
        "decision_id": saved.decision_id,
        "transaction_id": saved.transaction_id,
        "kind": saved.kind,
        "terms": dict(saved.terms),
        "reason": saved.reason,
        "evidence": list(saved.evidence),
        "proposer": saved.proposer,
        "proposed_at": shapes.at(saved.proposed_at_ms, zone),
        "base_revision": saved.base_revision,
        "stake": format_fen(saved.stake_fen),
        "state": saved.state,
        "approver": saved.approver,
        "decided_at": shapes.at(saved.decided_at_ms, zone),
        "revision": saved.revision,
    }

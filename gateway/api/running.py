"""Energy, time and fee of a session that still runs."""

from __future__ import annotations

import dataclasses
from typing import Any

from billing_core.fixed import format_e4, format_fen
from billing_core.live import live_fee
from gateway.api import shapes
from gateway.api.context import ApiContext
from gateway.opensession import OpenSession


def live(ctx: ApiContext, found: OpenSession) -> dict[str, Any]:
    """What a session has come to."""
    fee = live_fee(ctx.switchboard.engine.sessions.evidence(found, ctx.clock.now_ms()))
    return {
        "duration_s": fee.duration_s,
        "energy_kwh": format_e4(fee.energy_e4kwh),
        "energy_fee": _yuan(fee.energy_fee_fen),
        "service_fee": _yuan(fee.service_fee_fen),
        "amount": _yuan(fee.amount_fen),
        "is_record_overdue": found.is_overdue,
    }


def session(ctx: ApiContext, transaction_id: str) -> dict[str, Any] | None:
    """A session without a bill, with what it has come to; ``None`` when there is none such."""
    sessions = ctx.switchboard.engine.sessions
    found = next((each for each in sessions.running() if each.transaction_id == transaction_id), None)
    if found is None:
        return None
    saved = found.saved()
    row = {field.name: getattr(saved, field.name) for field in dataclasses.fields(saved)}
    return {**shapes.session(row, ctx.site.zone), "live": live(ctx, found)}


def _yuan(fen: int | None) -> str | None:
    return None if fen is None else format_fen(fen)

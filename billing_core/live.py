"""Energy, time and fee of a session that still runs, and when its money ends."""

from __future__ import annotations

from dataclasses import dataclass

from billing_core.evidence import Evidence
from billing_core.findings import bound_tariff, segments_along, timeline_of
from billing_core.pricing import billed, lines_of, stop_margin_fen
from billing_core.seen import see
from billing_core.tariff import Tariff
from billing_core.tolerances import register_half_width


@dataclass(frozen=True, slots=True)
class LiveFee:
    """What a session has come to so far. Fees are ``None`` without a tariff."""

    energy_e4kwh: int
    duration_s: int
    energy_fee_fen: int | None
    service_fee_fen: int | None
    amount_fen: int | None


def live_fee(evidence: Evidence) -> LiveFee:
    """Energy by the newest sample, fee by rule B-1 on the split the samples show."""
    seen = see(evidence, register_half_width(evidence.pile.register_decimals))
    if not seen.anchors or seen.t_start_ms is None or seen.t_end_ms is None:
        return LiveFee(0, 0, 0, 0, 0)
    energy_e4kwh = seen.last_e4kwh
    duration_s = max(seen.t_end_ms - seen.t_start_ms, 0) // 1000
    tariff = bound_tariff(evidence, None)
    if tariff is None:
        return LiveFee(energy_e4kwh, duration_s, None, None, None)
    laid = segments_along(evidence, tariff, timeline_of(seen, energy_e4kwh))
    total = billed(lines_of([each.with_energy(max(each.energy_e4kwh, 0)) for each in laid]))
    return LiveFee(energy_e4kwh, duration_s, total.energy_fee_fen, total.service_fee_fen, total.amount_fen)


def stop_margin(evidence: Evidence, tariff: Tariff) -> int:
    """What the connector can deliver until the next sample, at the highest price, fen, rounded up."""
    if evidence.pile.rated_w is None:
        return 0
    dearest_e5 = max(sum(pair) for pair in tariff.prices_e5.values())
    period_s = evidence.tolerances.sample_period_ms // 1000
    return stop_margin_fen(rated_w=evidence.pile.rated_w, interval_s=period_s, price_e5=dearest_e5)


def must_stop(evidence: Evidence, balance_fen: int) -> bool:
    """Whether the charge must stop now, so that its fee stays within the balance.

    Args:
        balance_fen: what is available; a session without a balance is never stopped.
    """
    tariff = bound_tariff(evidence, None)
    charging = evidence.charging
    if tariff is None or not charging or balance_fen <= 0:
        return False
    margin_fen = stop_margin(evidence, tariff)
    dearest_e5 = max(sum(pair) for pair in tariff.prices_e5.values())
    most_fen = charging[-1].energy_e4kwh * dearest_e5 // 10_000_000 + 1
    if most_fen + margin_fen < balance_fen:
        return False
    amount_fen = live_fee(evidence).amount_fen
    return amount_fen is not None and amount_fen + margin_fen >= balance_fen

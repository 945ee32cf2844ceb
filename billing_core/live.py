"""Energy, time and fee of a session that still runs."""

from __future__ import annotations

from dataclasses import dataclass

from billing_core.evidence import Evidence
from billing_core.findings import bound_tariff, segments_along
from billing_core.pricing import billed, lines_of


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
    anchors = evidence.anchors
    if not anchors:
        return LiveFee(0, 0, 0, 0, 0)
    start_ms = min(evidence.start_accepted_at_ms or anchors[0][0], anchors[0][0])
    last_ms, energy_e4kwh = anchors[-1]
    duration_s = ((evidence.ended_at_ms or last_ms) - start_ms) // 1000
    tariff = bound_tariff(evidence)
    if tariff is None:
        return LiveFee(energy_e4kwh, duration_s, None, None, None)
    timeline = [(start_ms, 0)]
    for at_ms, energy in anchors:
        if at_ms > timeline[-1][0]:
            timeline.append((at_ms, energy))
    if len(timeline) < 2:
        timeline.append((start_ms + 1, energy_e4kwh))
    laid = segments_along(evidence, tariff, timeline)
    total = billed(lines_of([each.with_energy(max(each.energy_e4kwh, 0)) for each in laid]))
    return LiveFee(energy_e4kwh, duration_s, total.energy_fee_fen, total.service_fee_fen, total.amount_fen)

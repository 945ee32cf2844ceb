"""How a bill was reached, as plain data: kept beside the bill, told step by step by ``steps``.

Nothing here decides anything; everything here was decided before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from billing_core.anomalies import Anomaly
from billing_core.civil import iso_local
from billing_core.decision import Verdict
from billing_core.evidence import Evidence, fingerprints
from billing_core.findings import Findings
from billing_core.fixed import format_e4, format_fen
from billing_core.tolerances import Tolerances

ENGINE = "pilegate-billing/2"


def computation_of(
    evidence: Evidence, findings: Findings, verdict: Verdict, expected: Sequence[Anomaly], amount_fen: int
) -> dict[str, Any]:
    """Everything that a reader needs to reckon the bill again: moments, sources, tolerances, sureness, hashes.

    Args:
        amount_fen: the charging total.
    """
    seen = findings.seen

    def at(at_ms: int | None) -> str | None:
        return None if at_ms is None else iso_local(at_ms, evidence.zone)

    window = findings.window
    return {
        "engine": ENGINE,
        "seen": {
            "start": at(seen.t_start_ms),
            "end": at(seen.t_end_ms),
            "is_end_observed": seen.is_end_observed,
            "idle": at(seen.t_idle_ms),
            "samples": len(seen.anchors),
            "last_kwh": format_e4(seen.last_e4kwh) if seen.anchors else None,
        },
        "registers": {
            "before": _e4(evidence.previous.meter_stop_e4kwh if evidence.previous else None),
            "after": _e4(evidence.meter_start_next_e4kwh),
            "half_width_kwh": format_e4(findings.half_e4kwh),
        },
        "window_kwh": None if window is None else [format_e4(max(window[0], 0)), _e4(window[1])],
        "sources": [
            {"rank": each.rank, "name": each.name, "kwh": format_e4(each.energy_e4kwh), "percent": each.percent}
            for each in findings.sources
        ],
        "energy_kwh": format_e4(findings.energy_e4kwh),
        "has_trusted_clock": findings.has_clock,
        "confidence_percent": {
            "energy": verdict.energy_percent,
            "time": verdict.time_percent,
            "tariff": verdict.tariff_percent,
            "identity": verdict.identity_percent,
        },
        "gate": {
            "shown": _e4(verdict.gate.shown_e4yuan),
            "limit": format_e4(verdict.gate.limit_e4yuan),
            "total": format_fen(amount_fen),
            "is_passed": verdict.gate.is_passed,
        },
        "decision": verdict.decision,
        "reasons": list(verdict.reasons),
        "expected": [{"code": each.code, "detail": {"en": each.detail_en, "zh": each.detail_zh}} for each in expected],
        "tolerances": _told(evidence.tolerances),
        "evidence": fingerprints(evidence),
        "judged_at": at(evidence.at_ms),
    }


_told_last: list[tuple[Tolerances, dict[str, int | None]]] = []


def _told(tolerances: Tolerances) -> dict[str, int | None]:
    """Every tolerance by name; bill after bill is judged by the same ones."""
    if not _told_last or _told_last[0][0] is not tolerances:
        _told_last[:] = [(tolerances, tolerances.as_dict())]
    return _told_last[0][1]


def _e4(value: int | None) -> str | None:
    return None if value is None else format_e4(value)

"""Anomalies of a car that stays; none holds where the operator charges no occupancy fee."""

from __future__ import annotations

from billing_core.evidence import Evidence
from billing_core.findings import Findings
from billing_core.kinds.words import Found, both, local_time, minutes

_DAY_MS = 86_400_000
_STAY_MS = 120_000  # rest of this length starts the stay


def _held_ms(evidence: Evidence, findings: Findings) -> tuple[int, int] | None:
    """(claimed, observed) stay behind the end of charging; ``None`` unless both are known."""
    claimed_ms, seen_ms, end_ms = evidence.claimed_leave_ms, evidence.unplugged_at_ms, findings.seen.t_end_ms
    if claimed_ms is None or seen_ms is None or end_ms is None or evidence.occupancy is None:
        return None
    return claimed_ms - end_ms, seen_ms - end_ms


def occupancy_duration_mismatch(evidence: Evidence, findings: Findings) -> Found | None:
    """The claimed leaving is more than a clock's tolerance away from the observed one."""
    held = _held_ms(evidence, findings)
    if held is None or abs(held[0] - held[1]) <= evidence.tolerances.clock_ms:
        return None
    return both(
        "The claimed stay of {a} minutes was seen to be {b}.",
        "占位时长上报{a}分钟,实际观测{b}分钟。",
        a=minutes(held[0]),
        b=minutes(held[1]),
    )


def occupancy_day_rollover(evidence: Evidence, findings: Findings) -> Found | None:
    """The claimed stay is whole days too long."""
    held = _held_ms(evidence, findings)
    if held is None:
        return None
    over_ms = held[0] - held[1]
    days = (over_ms + _DAY_MS // 2) // _DAY_MS
    if days < 1 or abs(over_ms - days * _DAY_MS) > evidence.tolerances.clock_ms:
        return None
    return both("The claimed stay counts {d} day(s) too many.", "占位时长多计{d}天。", d=days)


def occupancy_false_end(evidence: Evidence, findings: Findings) -> Found | None:
    """It seemed to be over, and then the same charge went on with growing energy."""
    if evidence.occupancy is None:
        return None
    last, pause_ms = None, None
    for sample in evidence.samples:
        if not sample.is_charging:
            pause_ms = sample.at_ms if pause_ms is None and last is not None else pause_ms
        else:
            is_stay = pause_ms is not None and sample.at_ms - pause_ms >= _STAY_MS
            if is_stay and pause_ms is not None and last is not None and sample.energy_e4kwh > last:
                return both(
                    "The charge seemed over at {at} but went on; the stay counts from its true end.",
                    "{at}误判结束后继续充电,占位从实际结束时间起算。",
                    at=local_time(evidence, pause_ms),
                )
            last, pause_ms = sample.energy_e4kwh, None
    return None


def occupancy_unobserved(evidence: Evidence, findings: Findings) -> Found | None:
    """Nobody saw the cable being pulled, and now it is too late to."""
    if evidence.occupancy is None or not findings.seen.anchors or not evidence.is_occupancy_over:
        return None
    if evidence.unplugged_at_ms is not None:
        return None
    return "Nobody saw the car leave; no occupancy fee is charged.", "未观测到拔枪,不收取占位费。"

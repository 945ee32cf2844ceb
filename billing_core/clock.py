"""When a charge began and ended, as its bill says: never a date that did not happen.

Source: rule E-1 and the repairs of the time anomalies, docs/billing.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from billing_core.evidence import Evidence, Record
from billing_core.findings import Findings
from billing_core.kinds.times import offsets_ms
from billing_core.units import DAY_MS

UNUSABLE = frozenset({"time_epoch_reset", "time_invalid_field", "time_future", "zero_duration_with_energy"})
REPLACED = UNUSABLE | {
    "time_zero_date",
    "time_reversed",
    "time_clock_skew",
    "time_step_mid_session",
    "duration_mismatch",
}


@dataclass(frozen=True)
class Times:
    """Start and end, Unix ms, and where they are from: record, shifted, mixed, swapped, gateway, authorisation."""

    started_ms: int | None
    ended_ms: int | None
    basis: str


def times_of(evidence: Evidence, findings: Findings, codes: set[str]) -> Times:
    """The times of the bill."""
    if "authorised_never_started" in codes:
        assert evidence.authorisation is not None
        return Times(evidence.authorisation.at_ms, evidence.authorisation.at_ms, "authorisation")
    if not findings.seen.anchors:
        return _without_samples(evidence, findings)
    gateway = Times(findings.seen.t_start_ms, findings.seen.t_end_ms, "gateway")
    record = findings.record
    if record is None:
        return gateway
    if "time_zero_date" in codes:
        return _with_time_of_day(evidence, record, gateway)
    if "time_reversed" in codes:
        return _swapped(evidence, findings, record) or gateway
    if codes & UNUSABLE or not findings.times_hold:
        return gateway
    offsets = offsets_ms(evidence, findings)
    if "time_clock_skew" in codes and offsets is not None:
        assert record.ended_ms is not None
        return Times(gateway.started_ms, record.ended_ms - offsets[0], "shifted")
    if "time_step_mid_session" in codes and offsets is not None:
        if abs(offsets[0]) > evidence.tolerances.clock_ms:
            return Times(gateway.started_ms, record.ended_ms, "mixed")
        return Times(record.started_ms, gateway.ended_ms, "mixed")
    if not findings.has_clock or "duration_mismatch" in codes:
        return gateway
    return Times(record.started_ms, record.ended_ms, "record")


def _without_samples(evidence: Evidence, findings: Findings) -> Times:
    record = findings.record
    if record is not None and findings.times_hold:
        return Times(record.started_ms, record.ended_ms, "record")
    start_ms = findings.seen.t_start_ms
    if start_ms is None and evidence.authorisation is not None:
        start_ms = evidence.authorisation.at_ms
    return Times(start_ms, record.rx_ms if record is not None else start_ms, "gateway")


def _with_time_of_day(evidence: Evidence, record: Record, gateway: Times) -> Times:
    """Where only the date is empty, the pile's time of day on the gateway's date, if the two are close."""
    start_ms = _near(evidence, gateway.started_ms, record.started_fault, record.started_time_of_day_ms)
    end_ms = _near(evidence, gateway.ended_ms, record.ended_fault, record.ended_time_of_day_ms)
    kept = (start_ms, end_ms) != (gateway.started_ms, gateway.ended_ms)
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        return gateway
    return Times(start_ms, end_ms, "mixed" if kept else "gateway")


def _near(evidence: Evidence, at_ms: int | None, fault: str | None, time_of_day_ms: int | None) -> int | None:
    if at_ms is None or fault != "zero_date" or time_of_day_ms is None:
        return at_ms
    apart_ms = (time_of_day_ms - evidence.zone.civil_ms(at_ms) + DAY_MS // 2) % DAY_MS - DAY_MS // 2
    return at_ms + apart_ms if abs(apart_ms) <= evidence.tolerances.clock_ms else at_ms


def _swapped(evidence: Evidence, findings: Findings, record: Record) -> Times | None:
    """Start and end fields exchanged, if they then agree with the gateway's."""
    seen, slack_ms = findings.seen, evidence.tolerances.clock_ms
    assert record.started_ms is not None
    assert record.ended_ms is not None
    assert seen.t_start_ms is not None
    assert seen.t_end_ms is not None
    assert seen.duration_ms is not None
    apart_ms = abs(record.started_ms - record.ended_ms - seen.duration_ms)
    if apart_ms > evidence.tolerances.longest_duration_ms:
        return None
    if abs(record.ended_ms - seen.t_start_ms) > slack_ms or abs(record.started_ms - seen.t_end_ms) > slack_ms:
        return None
    return Times(record.ended_ms, record.started_ms, "swapped")

"""The catalogue of anomalies: each code once, with its severity, its words and its one predicate.

The order of the catalogue is the order in which anomalies stand on a bill. A predicate looks at the evidence and
returns what it found in numbers, or ``None``. Odd facts are never exceptions.

Source: docs/billing.md, which names each rule and tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from billing_core import predicates as p
from billing_core.evidence import Evidence
from billing_core.findings import Findings

INFO, MINOR, MAJOR, CRITICAL = "info", "minor", "major", "critical"
_RANK = {INFO: 0, MINOR: 1, MAJOR: 2, CRITICAL: 3}

Found = tuple[str, str]  # what was found, in English and in Chinese
Predicate = Callable[[Evidence, Findings], Found | None]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One finding on one bill."""

    code: str
    severity: str
    detail_en: str
    detail_zh: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One code of the catalogue.

    Attributes:
        family: decides between equal severities: presence, energy, amount, time, stop.
        explains: codes that are consequences of this one.
    """

    code: str
    severity: str
    family: str
    predicate: Predicate
    explains: tuple[str, ...] = ()


_FAMILIES = ("presence", "energy", "amount", "time", "occupancy", "stop")

CATALOGUE: tuple[Entry, ...] = (
    # time
    Entry("time_zero_date", MAJOR, "time", p.time_zero_date),
    Entry("time_epoch_reset", MAJOR, "time", p.time_epoch_reset, ("tou_split_mismatch", "duration_mismatch")),
    Entry("time_invalid_field", MAJOR, "time", p.time_invalid_field),
    Entry("time_future", MAJOR, "time", p.time_future),
    Entry("time_reversed", MAJOR, "time", p.time_reversed),
    Entry("time_clock_skew", MINOR, "time", p.time_clock_skew, ("tou_split_mismatch", "duration_mismatch")),
    Entry("time_step_mid_session", MINOR, "time", p.time_step_mid_session, ("tou_split_mismatch", "duration_mismatch")),
    Entry("duration_mismatch", MINOR, "time", p.duration_mismatch),
    Entry("zero_duration_with_energy", MINOR, "time", p.zero_duration_with_energy),
    Entry("late_upload", INFO, "time", p.late_upload),
    # record presence and identity
    Entry("record_missing", MAJOR, "presence", p.record_missing),
    Entry("record_due_late", INFO, "presence", p.record_due_late),
    Entry("record_duplicate_conflict", CRITICAL, "presence", p.record_duplicate_conflict),
    Entry("record_orphan_serial", CRITICAL, "presence", p.record_orphan_serial),
    Entry("serial_zero", CRITICAL, "presence", p.serial_zero),
    Entry("record_wrong_connector", CRITICAL, "presence", p.record_wrong_connector),
    Entry(
        "authorised_never_started",
        INFO,
        "presence",
        p.authorised_never_started,
        ("time_zero_date", "zero_energy_with_time"),
    ),
    Entry(
        "start_failed_billed",
        CRITICAL,
        "presence",
        p.start_failed_billed,
        ("amount_without_energy", "amount_recompute_mismatch", "authorised_never_started", "zero_energy_with_time"),
    ),
    Entry("charge_without_order", CRITICAL, "presence", p.charge_without_order),
    # energy
    Entry("energy_lost", CRITICAL, "energy", p.energy_lost),
    Entry("zero_energy_with_time", INFO, "energy", p.zero_energy_with_time),
    Entry("energy_mismatch_platform", CRITICAL, "energy", p.energy_mismatch_platform),
    Entry("meter_rollback", CRITICAL, "energy", p.meter_rollback),
    Entry("meter_total_mismatch", MAJOR, "energy", p.meter_total_mismatch),
    Entry("period_sum_mismatch", MINOR, "energy", p.period_sum_mismatch),
    Entry("loss_ratio_mismatch", MINOR, "energy", p.loss_ratio_mismatch),
    # price and amount
    Entry("tariff_missing", MAJOR, "amount", p.tariff_missing),
    Entry("amount_zero_with_energy", CRITICAL, "amount", p.amount_zero_with_energy),
    Entry("amount_without_energy", CRITICAL, "amount", p.amount_without_energy),
    Entry("amount_recompute_mismatch", MINOR, "amount", p.amount_recompute_mismatch),
    Entry("rounding_drift", INFO, "amount", p.rounding_drift),
    Entry("price_not_in_tariff", CRITICAL, "amount", p.price_not_in_tariff),
    Entry("tou_split_mismatch", CRITICAL, "amount", p.tou_split_mismatch),
    # control
    Entry("order_closed_early", CRITICAL, "stop", p.order_closed_early),
)

_BY_CODE = {entry.code: entry for entry in CATALOGUE}
assert len(_BY_CODE) == len(CATALOGUE), "each code once"
_AMOUNT_KINDS = tuple(entry.code for entry in CATALOGUE if entry.family == "amount")


def detect(evidence: Evidence, findings: Findings) -> tuple[Anomaly, ...]:
    """Every anomaly that holds, in the order of the catalogue."""
    held = []
    for entry in CATALOGUE:
        found = entry.predicate(evidence, findings)
        if found is not None:
            held.append(Anomaly(entry.code, entry.severity, *found))
    codes = {anomaly.code for anomaly in held}
    if codes & set(_AMOUNT_KINDS) - {"rounding_drift"}:
        held = [anomaly for anomaly in held if anomaly.code != "rounding_drift"]
    if any(_RANK[anomaly.severity] > 0 for anomaly in held):
        held = [anomaly for anomaly in held if anomaly.code != "late_upload"]
    return tuple(held)


def unexplained(held: tuple[Anomaly, ...]) -> tuple[Anomaly, ...]:
    """Those that no other one explains."""
    explained = {code for anomaly in held for code in _BY_CODE[anomaly.code].explains}
    return tuple(anomaly for anomaly in held if anomaly.code not in explained)


def primary(held: tuple[Anomaly, ...]) -> Anomaly | None:
    """The gravest unexplained one; families, then the catalogue, decide between equals."""
    left = unexplained(held)
    if not left:
        return None
    return min(left, key=lambda each: (-_RANK[each.severity], _FAMILIES.index(_BY_CODE[each.code].family)))


def must_be_reviewed(held: tuple[Anomaly, ...]) -> bool:
    """Whether something does not reconcile: anything above mere information that nothing else explains."""
    return any(_RANK[anomaly.severity] > 0 for anomaly in unexplained(held))

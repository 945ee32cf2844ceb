"""The catalogue of anomalies: each code once, with severity, family, decision and its one predicate.

The order of the catalogue is the order in which anomalies stand on a bill. Odd facts are never exceptions.

Source: docs/billing.md, which names each rule and tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass

from billing_core.evidence import Evidence
from billing_core.findings import Findings
from billing_core.kinds import amounts as a
from billing_core.kinds import control as c
from billing_core.kinds import energy as e
from billing_core.kinds import occupancy as o
from billing_core.kinds import presence as p
from billing_core.kinds import times as t
from billing_core.kinds.words import Predicate

INFO, MINOR, MAJOR, CRITICAL = "info", "minor", "major", "critical"
RANK = {INFO: 0, MINOR: 1, MAJOR: 2, CRITICAL: 3}


@dataclass(frozen=True)
class Anomaly:
    """One finding on one bill."""

    code: str
    severity: str
    detail_en: str
    detail_zh: str


@dataclass(frozen=True)
class Entry:
    """One code of the catalogue.

    Attributes:
        family: decides between equal severities, in the order of ``FAMILIES``.
        explains: codes that are consequences of this one.
        needs_person: no rule may settle it.
        is_expected: a normal situation; told in the steps of a bill, not among its anomalies.
    """

    code: str
    severity: str
    family: str
    predicate: Predicate
    explains: tuple[str, ...] = ()
    needs_person: bool = False
    is_expected: bool = False


FAMILIES = ("presence", "energy", "amount", "time", "occupancy", "stop", "account")

_BY_CLOCK = ("tou_split_mismatch", "duration_mismatch", "serial_time_conflict")
_BY_BASELINE = (
    "energy_exceeds_rated",
    "energy_mismatch_platform",
    "meter_replaced",
    "vi_integral_mismatch",
    "tou_split_mismatch",
)
_BY_FAILED_START = (
    "amount_without_energy",
    "amount_recompute_mismatch",
    "authorised_never_started",
    "zero_energy_with_time",
)

CATALOGUE: tuple[Entry, ...] = (
    # time
    Entry("time_zero_date", MAJOR, "time", t.time_zero_date),
    Entry("time_epoch_reset", MAJOR, "time", t.time_epoch_reset, _BY_CLOCK),
    Entry("time_invalid_field", MAJOR, "time", t.time_invalid_field),
    Entry("time_future", MAJOR, "time", t.time_future),
    Entry("time_reversed", MAJOR, "time", t.time_reversed),
    Entry("time_clock_skew", MINOR, "time", t.time_clock_skew, _BY_CLOCK),
    Entry("time_step_mid_session", MINOR, "time", t.time_step_mid_session, _BY_CLOCK),
    Entry("duration_mismatch", MINOR, "time", t.duration_mismatch),
    Entry("zero_duration_with_energy", MINOR, "time", t.zero_duration_with_energy),
    Entry("late_upload", INFO, "time", t.late_upload),
    Entry("serial_time_conflict", INFO, "time", t.serial_time_conflict),
    # record presence and identity
    Entry("record_missing", MAJOR, "presence", p.record_missing),
    Entry("pile_power_cut", MAJOR, "presence", p.pile_power_cut),
    Entry("stuck_charging", MAJOR, "presence", p.stuck_charging),
    Entry("record_due_late", INFO, "presence", p.record_due_late),
    Entry("record_after_platform_settlement", CRITICAL, "presence", p.record_after_platform_settlement),
    Entry("record_duplicate_conflict", CRITICAL, "presence", p.record_duplicate_conflict),
    Entry("serial_reused", CRITICAL, "presence", p.serial_reused, needs_person=True),
    Entry("record_orphan_serial", CRITICAL, "presence", p.record_orphan_serial, needs_person=True),
    Entry("serial_zero", CRITICAL, "presence", p.serial_zero, needs_person=True),
    Entry("serial_mismatch_stream", MAJOR, "presence", p.serial_mismatch_stream),
    Entry("record_wrong_connector", CRITICAL, "presence", p.record_wrong_connector),
    Entry(
        "authorised_never_started",
        INFO,
        "presence",
        p.authorised_never_started,
        ("time_zero_date", "zero_energy_with_time"),
    ),
    Entry("start_failed_billed", CRITICAL, "presence", p.start_failed_billed, _BY_FAILED_START),
    Entry("charge_without_order", CRITICAL, "presence", p.charge_without_order, needs_person=True),
    Entry("overlap_sessions", CRITICAL, "presence", p.overlap_sessions, needs_person=True),
    Entry("merged_sessions", CRITICAL, "presence", p.merged_sessions, needs_person=True),
    Entry("split_session", INFO, "presence", p.split_session),
    Entry("parallel_guns", INFO, "presence", p.parallel_guns),
    Entry("concurrent_account", INFO, "presence", p.concurrent_account),
    # energy
    Entry("energy_lost", CRITICAL, "energy", e.energy_lost),
    Entry("zero_energy_with_time", INFO, "energy", e.zero_energy_with_time),
    Entry("energy_mismatch_platform", CRITICAL, "energy", e.energy_mismatch_platform),
    Entry("meter_rollback", CRITICAL, "energy", e.meter_rollback),
    Entry("meter_rollover", MINOR, "energy", e.meter_rollover),
    Entry("meter_replaced", MAJOR, "energy", e.meter_replaced),
    Entry("meter_placeholder_zero", CRITICAL, "energy", e.meter_placeholder_zero, _BY_BASELINE),
    Entry("meter_gap_between_sessions", MAJOR, "energy", e.meter_gap_between_sessions),
    Entry("meter_total_mismatch", MAJOR, "energy", e.meter_total_mismatch),
    Entry("period_sum_mismatch", MINOR, "energy", e.period_sum_mismatch),
    Entry("energy_exceeds_rated", CRITICAL, "energy", e.energy_exceeds_rated),
    Entry("energy_exceeds_battery", MINOR, "energy", e.energy_exceeds_battery),
    Entry("bms_energy_mismatch", INFO, "energy", e.bms_energy_mismatch),
    Entry("vi_integral_mismatch", MINOR, "energy", e.vi_integral_mismatch),
    Entry("soc_inconsistent", MINOR, "energy", e.soc_inconsistent),
    Entry("unit_scale_error", CRITICAL, "energy", e.unit_scale_error),
    Entry("samples_reset", MINOR, "energy", e.samples_reset),
    Entry("samples_frozen", MINOR, "energy", e.samples_frozen),
    Entry("idle_while_charging", MINOR, "energy", e.idle_while_charging),
    Entry("loss_ratio_mismatch", MINOR, "energy", e.loss_ratio_mismatch),
    # price and amount
    Entry("tariff_missing", MAJOR, "amount", a.tariff_missing, needs_person=True),
    Entry("amount_zero_with_energy", CRITICAL, "amount", a.amount_zero_with_energy),
    Entry("amount_without_energy", CRITICAL, "amount", a.amount_without_energy),
    Entry("negative_amount", CRITICAL, "amount", a.negative_amount),
    Entry("amount_recompute_mismatch", MINOR, "amount", a.amount_recompute_mismatch),
    Entry("rounding_drift", INFO, "amount", a.rounding_drift),
    Entry("price_not_in_tariff", CRITICAL, "amount", a.price_not_in_tariff, ("amount_recompute_mismatch",)),
    Entry("tou_split_mismatch", CRITICAL, "amount", a.tou_split_mismatch),
    Entry("tariff_changed_mid_session", INFO, "amount", a.tariff_changed_mid_session),
    Entry("amount_clamped_at_balance", INFO, "amount", a.amount_clamped_at_balance),
    Entry("service_split_missing", INFO, "amount", a.service_split_missing, is_expected=True),
    Entry("discount_misapplied", CRITICAL, "amount", a.discount_misapplied),
    Entry("cross_period", INFO, "amount", a.cross_period, is_expected=True),
    Entry("cross_midnight", INFO, "amount", a.cross_midnight, is_expected=True),
    # occupancy
    Entry("occupancy_duration_mismatch", MAJOR, "occupancy", o.occupancy_duration_mismatch),
    Entry("occupancy_day_rollover", CRITICAL, "occupancy", o.occupancy_day_rollover, ("occupancy_duration_mismatch",)),
    Entry("occupancy_false_end", CRITICAL, "occupancy", o.occupancy_false_end),
    Entry("occupancy_unobserved", MAJOR, "occupancy", o.occupancy_unobserved),
    # stop and control
    Entry("stop_reason_inconsistent", MINOR, "stop", c.stop_reason_inconsistent),
    Entry("stop_ignored", CRITICAL, "stop", c.stop_ignored),
    Entry("order_closed_early", CRITICAL, "stop", c.order_closed_early),
    # account and ledger: the codes of family "account" follow here, once there is a ledger to look at
)

BY_CODE = {entry.code: entry for entry in CATALOGUE}
assert len(BY_CODE) == len(CATALOGUE), "each code once"
_WEIGHTS = {  # the gravest first, then by family
    entry.code: FAMILIES.index(entry.family) - len(FAMILIES) * RANK[entry.severity] for entry in CATALOGUE
}
_FAULTY_AMOUNTS = {entry.code for entry in CATALOGUE if entry.family == "amount" and RANK[entry.severity] > 0}
_FAULTY_AMOUNTS.add("amount_clamped_at_balance")
_FAULTS = tuple(entry for entry in CATALOGUE if not entry.is_expected)
_EXPECTED = tuple(entry for entry in CATALOGUE if entry.is_expected)


def detect(evidence: Evidence, findings: Findings) -> tuple[Anomaly, ...]:
    """Every anomaly that holds, in the order of the catalogue."""
    held = _held(evidence, findings, _FAULTS)
    codes = {anomaly.code for anomaly in held}
    if codes & _FAULTY_AMOUNTS:
        held = [anomaly for anomaly in held if anomaly.code != "rounding_drift"]
    if any(RANK[anomaly.severity] > 0 for anomaly in held):
        held = [anomaly for anomaly in held if anomaly.code != "late_upload"]
    return tuple(held)


def expected(evidence: Evidence, findings: Findings) -> tuple[Anomaly, ...]:
    """Normal situations that a reader may take for faults."""
    return tuple(_held(evidence, findings, _EXPECTED))


def _held(evidence: Evidence, findings: Findings, entries: tuple[Entry, ...]) -> list[Anomaly]:
    held = []
    for entry in entries:
        found = entry.predicate(evidence, findings)
        if found is not None:
            held.append(Anomaly(entry.code, entry.severity, found[0], found[1]))
    return held


def unexplained(held: tuple[Anomaly, ...]) -> tuple[Anomaly, ...]:
    """Those that no other one explains."""
    explained = {code for anomaly in held for code in BY_CODE[anomaly.code].explains}
    return tuple(anomaly for anomaly in held if anomaly.code not in explained)


def primary(held: tuple[Anomaly, ...]) -> Anomaly | None:
    """The gravest unexplained one; families, then the catalogue, decide between equals."""
    left = unexplained(held)
    if not left:
        return None
    return min(left, key=_weight)


def _weight(anomaly: Anomaly) -> int:
    return _WEIGHTS[anomaly.code]


def is_grave(held: tuple[Anomaly, ...]) -> bool:
    """Whether anything of severity major or critical held."""
    return any(RANK[anomaly.severity] >= RANK[MAJOR] for anomaly in held)

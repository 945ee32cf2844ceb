"""Who decides: a rule, a rule in the customer's favour, or a person.

Source: rules E-8 and E-9, docs/billing.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing_core.anomalies import BY_CODE, Anomaly, is_grave
from billing_core.clock import REPLACED
from billing_core.evidence import Evidence
from billing_core.findings import Findings, agrees_at_both_ends, has_synced_clock
from billing_core.kinds.presence import has_other_connector, is_rebound

AUTO_PERCENT = 95
FAVOUR_PERCENT = 85
_ORPHANED = {"record_orphan_serial", "serial_zero", "charge_without_order", "serial_reused"}


@dataclass(frozen=True)
class Gate:
    """Whether a total may be posted without a person: not much above what the customer was shown.

    ``shown_e4yuan`` is ``None`` when nothing was ever shown; ``limit_e4yuan`` is the highest total that passes.
    """

    shown_e4yuan: int | None
    limit_e4yuan: int
    is_passed: bool


@dataclass(frozen=True)
class Verdict:
    """The decision, how sure each dimension is in percent, and why a person is needed, if so."""

    decision: str
    energy_percent: int
    time_percent: int
    tariff_percent: int
    identity_percent: int
    gate: Gate
    reasons: tuple[str, ...]

    @property
    def confidence_percent(self) -> int:
        """The least certain dimension."""
        return min(self.energy_percent, self.time_percent, self.tariff_percent, self.identity_percent)


def gate_of(evidence: Evidence, findings: Findings, total_fen: int) -> Gate:
    """The fairness gate for a total."""
    shown = _shown_e4yuan(evidence, findings)
    if shown is None:
        return Gate(None, 0, total_fen == 0)
    tolerances = evidence.tolerances
    limit_hundredths = 100 * shown + max(100 * tolerances.gate_e4yuan, tolerances.gate_percent * shown)
    return Gate(shown, limit_hundredths // 100, 10_000 * total_fen <= limit_hundredths)


def _shown_e4yuan(evidence: Evidence, findings: Findings) -> int | None:
    """The last live amount, else the record's; for a bill that replaces a posted one, what was posted."""
    if evidence.former is not None and evidence.former.posted_fen is not None:
        return 100 * evidence.former.posted_fen
    charging = findings.seen.charging
    if charging:
        return charging[-1].amount_e4yuan
    return findings.record.amount_e4yuan if findings.record is not None else None


def decide(
    evidence: Evidence, findings: Findings, held: tuple[Anomaly, ...], *, total_fen: int, more: Sequence[str] = ()
) -> Verdict:
    """Weigh what was found.

    Args:
        total_fen: what would be posted.
        more: further reasons for a person.
    """
    codes = {anomaly.code for anomaly in held}
    gate = gate_of(evidence, findings, total_fen)
    reasons = _reasons(evidence, findings, held, gate, total_fen)
    reasons += more
    verdict = Verdict(
        decision="",
        energy_percent=findings.energy_percent,
        time_percent=_time_percent(evidence, findings, codes),
        tariff_percent=_tariff_percent(evidence, findings),
        identity_percent=_identity_percent(evidence, findings, codes),
        gate=gate,
        reasons=tuple(reasons),
    )
    if verdict.confidence_percent < FAVOUR_PERCENT:
        reasons.append("confidence_low")
    decision = "human" if reasons else "auto" if verdict.confidence_percent >= AUTO_PERCENT else "favour"
    return Verdict(
        decision,
        verdict.energy_percent,
        verdict.time_percent,
        verdict.tariff_percent,
        verdict.identity_percent,
        gate,
        tuple(reasons),
    )


def _reasons(
    evidence: Evidence, findings: Findings, held: tuple[Anomaly, ...], gate: Gate, total_fen: int
) -> list[str]:
    """Why a person is needed whatever the confidence."""
    codes = {anomaly.code for anomaly in held}
    reasons = [anomaly.code for anomaly in held if BY_CODE[anomaly.code].needs_person]
    if findings.must_choose:
        reasons.append("record_duplicate_conflict")
    if findings.must_weigh:
        reasons.append("energy_unproven")
    if "record_wrong_connector" in codes and not is_rebound(evidence, findings):
        reasons.append("record_wrong_connector")
    record = findings.record
    if "serial_mismatch_stream" in codes and record is not None and record.serial != evidence.transaction_id:
        reasons.append("serial_mismatch_stream")
    former = evidence.former
    was_posted = former is not None and former.posted_fen is not None
    if former is not None and former.is_decided:
        reasons.append("decided_before")
    if not gate.is_passed and (is_grave(held) or was_posted):
        reasons.append("gate")
    posted_fen = former.posted_fen if former is not None else None
    if posted_fen is not None and posted_fen - total_fen > evidence.tolerances.downward_fen:
        reasons.append("downward")
    end_ms = findings.seen.t_end_ms if findings.seen.t_end_ms is not None else evidence.opened_at_ms
    if is_grave(held) and evidence.at_ms - end_ms > evidence.tolerances.age_ms:
        reasons.append("age")
    return reasons


def _time_percent(evidence: Evidence, findings: Findings, codes: set[str]) -> int:
    record, seen = findings.record, findings.seen
    is_replaced = bool(codes & REPLACED - {"duration_mismatch"})
    if record is not None and not is_replaced and agrees_at_both_ends(evidence, record, seen):
        return 99
    if findings.energy_e4kwh == 0 and findings.energy_percent == 99:
        return 97
    if not seen.anchors:
        if record is None or is_replaced:
            return 50
        return 85 if has_synced_clock(evidence) else 70
    if findings.energy_basis == "register_chain" or seen.is_end_observed or "time_clock_skew" in codes:
        return 97
    return 90


def _tariff_percent(evidence: Evidence, findings: Findings) -> int:
    if findings.energy_e4kwh == 0:
        return 99
    if findings.tariff is None:
        return 50
    return 99 if evidence.authorisation is not None else 90


def _identity_percent(evidence: Evidence, findings: Findings, codes: set[str]) -> int:
    if codes & _ORPHANED:
        return 30
    if has_other_connector(evidence, findings):
        return 97 if is_rebound(evidence, findings) else 30
    if "serial_mismatch_stream" in codes or evidence.authorisation is None:
        return 97
    return 99


def status_of(verdict: Verdict, held: tuple[Anomaly, ...], *, is_nothing_owed: bool, is_final: bool) -> str:
    """The bill's status; once the time for better evidence is over, a provisional bill stands as mended."""
    if verdict.decision == "human":
        return "review"
    if is_nothing_owed:
        return "void"
    if verdict.decision == "favour":
        return "repaired" if is_final else "provisional"
    return "repaired" if is_grave(held) else "normal"

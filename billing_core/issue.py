"""Evidence to bill: a pure function, so that the same evidence makes the same bill wherever it runs."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

from billing_core import anomalies as catalogue
from billing_core.adjust import (
    Adjustment,
    adjustments_of,
    billed_energy,
    excess_fen,
    is_stay_too_long,
    occupied,
)
from billing_core.bill import Bill
from billing_core.civil import Zone, civil_of
from billing_core.clock import times_of
from billing_core.computation import computation_of
from billing_core.decision import Verdict, decide, status_of
from billing_core.evidence import Evidence, Record
from billing_core.explain import Matter, explain
from billing_core.findings import Findings, derive, with_gross
from billing_core.kinds.presence import is_rebound
from billing_core.pricing import Total, billed, undiscounted, undiscounted_fen
from billing_core.split import Split, split

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def order_no(transaction_id: str, opened_at_ms: int, zone: Zone) -> str:
    """The number a customer sees: yyyyMMddHHmmss + 6 digits.

    Taken from the transaction where its layout is our own, else from the opening and a checksum of it.
    """
    stamp, counter = transaction_id[16:28], transaction_id[28:32]
    if len(transaction_id) == 32 and (stamp + counter).isdecimal() and civil_of(stamp) is not None:
        return f"20{stamp}{counter:0>6}"
    local = _EPOCH + timedelta(milliseconds=zone.civil_ms(opened_at_ms))
    return f"{local:%Y%m%d%H%M%S}{crc32(transaction_id.encode()) % 1_000_000:06d}"


@dataclasses.dataclass(frozen=True)
class Reckoning:
    """Everything between the evidence and the bill; ``gross_fen`` is the total without campaigns."""

    findings: Findings
    held: tuple[catalogue.Anomaly, ...]
    split: Split
    total: Total
    gross_fen: int
    adjustments: tuple[Adjustment, ...]
    verdict: Verdict


def reckon(evidence: Evidence) -> Reckoning:
    """Derive, price, classify, decide."""
    findings = derive(evidence)
    whole = split(evidence, findings, billed_e4kwh=findings.energy_e4kwh)
    gross = undiscounted(whole.lines)
    gross_fen = billed(gross).amount_fen
    if findings.tariff is not None:
        findings = with_gross(findings, gross_fen, len(gross))
    held = catalogue.detect(evidence, findings)
    codes = {anomaly.code for anomaly in held}
    billed_e4kwh = billed_energy(evidence, findings, codes)
    if billed_e4kwh != findings.energy_e4kwh:
        whole = split(evidence, findings, billed_e4kwh=billed_e4kwh)
        gross_fen = undiscounted_fen(whole.lines)
    total = billed(whole.lines)
    excess, excess_is_high = excess_fen(evidence, whole.lines, total.amount_fen)
    fee = occupied(evidence, findings)
    adjustments = adjustments_of(findings.energy_e4kwh - billed_e4kwh, excess, fee)
    more = []
    if excess_is_high:
        more.append("balance_exceeded")
    if is_stay_too_long(evidence, fee):
        more.append("stay_too_long")
    verdict = decide(evidence, findings, held, total_fen=total.amount_fen, more=more)
    return Reckoning(findings, held, whole, total, gross_fen, adjustments, verdict)


def issue_bill(evidence: Evidence, *, revision: int) -> Bill:
    """The bill that the evidence supports, and how it was reached.

    Clean evidence is billed by rule B-1. What does not reconcile is named and mended by rule where the rules are sure
    enough; else the bill is a proposal under review. Nothing owed makes a void bill.
    """
    bill, reckoning = judge(evidence, revision=revision)
    return dataclasses.replace(bill, computation=computation(evidence, reckoning))


def computation(evidence: Evidence, reckoning: Reckoning) -> dict[str, Any]:
    """How a bill was reached."""
    findings = reckoning.findings
    expected = catalogue.expected(evidence, findings)
    return computation_of(evidence, findings, reckoning.verdict, expected, reckoning.total.amount_fen)


def judge(evidence: Evidence, *, revision: int) -> tuple[Bill, Reckoning]:
    """The bill alone, and what its computation is told from: a judgement that changes nothing needs none."""
    assert revision >= 1
    reckoning = reckon(evidence)
    findings, held, verdict, total = reckoning.findings, reckoning.held, reckoning.verdict, reckoning.total
    payable_fen, energy_e4kwh = total.amount_fen, findings.energy_e4kwh
    for each in reckoning.adjustments:
        payable_fen += each.amount_fen
        energy_e4kwh -= each.energy_e4kwh
    is_nothing_owed = findings.energy_e4kwh == 0 and payable_fen == 0
    status = status_of(verdict, held, is_nothing_owed=is_nothing_owed, is_final=evidence.is_final)
    times = times_of(evidence, findings, {anomaly.code for anomaly in held})
    record, main = findings.record, catalogue.primary(held)
    matter = Matter(
        status=status,
        main=main,
        anomalies=held,
        started_at_ms=times.started_ms,
        ended_at_ms=times.ended_ms,
        energy_e4kwh=energy_e4kwh,
        total=total,
        payable_fen=payable_fen,
        adjustments=reckoning.adjustments,
        tariff=findings.tariff,
        zone=evidence.zone,
    )
    said_en, said_zh = explain(evidence, findings, matter)
    bill = Bill(
        transaction_id=evidence.transaction_id,
        order_no=evidence.order_no,
        pile_id=evidence.pile.pile_id,
        connector=record.connector if record and is_rebound(evidence, findings) else evidence.pile.connector,
        protocol=evidence.pile.protocol,
        revision=revision,
        status=status,
        started_at_ms=times.started_ms,
        ended_at_ms=times.ended_ms,
        energy_e4kwh=energy_e4kwh,
        meter_start_e4kwh=_register(record, is_start=True),
        meter_stop_e4kwh=_register(record, is_start=False),
        lines=reckoning.split.lines,
        segments=reckoning.split.segments,
        total=total,
        discount_fen=reckoning.gross_fen - total.amount_fen,
        pile_amount_e4yuan=record.amount_e4yuan if record else None,
        tariff=findings.tariff,
        campaigns=reckoning.split.campaigns,
        start_channel=evidence.start_channel,
        stop_name=record.stop_name if record else None,
        stop_text_en=record.stop_text_en if record else None,
        vin=(record.vin if record else None) or (evidence.authorisation.vin if evidence.authorisation else None),
        card_uid=_card(evidence, record),
        anomalies=held,
        primary_anomaly=None if main is None else main.code,
        explanation_en=said_en,
        explanation_zh=said_zh,
        energy_basis=findings.energy_basis,
        time_basis=times.basis,
        split_basis=reckoning.split.basis,
        confidence_percent=verdict.confidence_percent,
        zone=evidence.zone,
        adjustments=reckoning.adjustments,
        has_occupancy=evidence.occupancy is not None,
    )
    return bill, reckoning


def _register(record: Record | None, *, is_start: bool) -> int | None:
    if record is None or not record.has_registers:
        return None
    return record.meter_start_e4kwh if is_start else record.meter_stop_e4kwh


def _card(evidence: Evidence, record: Record | None) -> str | None:
    if record is not None and record.card_uid is not None:
        return record.card_uid
    return evidence.authorisation.card_uid if evidence.authorisation else None

"""Evidence to bill: a pure function, so that the same evidence makes the same bill wherever it runs."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
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
from billing_core.civil import Zone
from billing_core.clock import times_of
from billing_core.computation import computation_of
from billing_core.decision import Verdict, decide, status_of
from billing_core.evidence import Evidence, Record
from billing_core.explain import explain
from billing_core.findings import Findings, derive
from billing_core.kinds.presence import is_rebound
from billing_core.pricing import billed, undiscounted, undiscounted_fen
from billing_core.split import Split, split

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def order_no(transaction_id: str, opened_at_ms: int, zone: Zone) -> str:
    """The number a customer sees: yyyyMMddHHmmss + 6 digits.

    Taken from the transaction where its layout is our own, else from the opening and a checksum of it.
    """
    stamp, counter = transaction_id[16:28], transaction_id[28:32]
    if len(transaction_id) == 32 and (stamp + counter).isdecimal() and _is_stamp(stamp):
        return f"20{stamp}{counter:0>6}"
    local = _EPOCH + timedelta(milliseconds=zone.civil_ms(opened_at_ms))
    return f"{local:%Y%m%d%H%M%S}{crc32(transaction_id.encode()) % 1_000_000:06d}"


def _is_stamp(text: str) -> bool:
    year, month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(0, 12, 2))
    try:
        datetime(
            2000 + year, month, day, hour, minute, second, tzinfo=UTC
        )  # ten times as fast as strptime, and every bill asks
    except ValueError:
        return False
    return True


@dataclasses.dataclass(frozen=True)
class Reckoning:
    """Everything between the evidence and the bill."""

    findings: Findings
    held: tuple[catalogue.Anomaly, ...]
    split: Split
    adjustments: tuple[Adjustment, ...]
    verdict: Verdict


def reckon(evidence: Evidence) -> Reckoning:
    """Derive, price, classify, decide."""
    findings = derive(evidence)
    whole = split(evidence, findings, billed_e4kwh=findings.energy_e4kwh)
    if findings.tariff is not None:
        gross = undiscounted(whole.lines)
        findings = dataclasses.replace(findings, gross_fen=billed(gross).amount_fen, gross_lines=len(gross))
    held = catalogue.detect(evidence, findings)
    codes = {anomaly.code for anomaly in held}
    billed_e4kwh = billed_energy(evidence, findings, codes)
    if billed_e4kwh != findings.energy_e4kwh:
        whole = split(evidence, findings, billed_e4kwh=billed_e4kwh)
    total = billed(whole.lines)
    excess, excess_is_high = excess_fen(evidence, whole.lines, total.amount_fen)
    fee = occupied(evidence, findings)
    adjustments = adjustments_of(findings.energy_e4kwh - billed_e4kwh, excess, fee)
    verdict = decide(
        evidence,
        findings,
        held,
        total_fen=total.amount_fen,
        more=[
            name
            for name, holds in (
                ("balance_exceeded", excess_is_high),
                ("stay_too_long", is_stay_too_long(evidence, fee)),
            )
            if holds
        ],
    )
    return Reckoning(findings, held, whole, adjustments, verdict)


def issue_bill(evidence: Evidence, *, revision: int) -> Bill:
    """The bill that the evidence supports.

    Clean evidence is billed by rule B-1. What does not reconcile is named and mended by rule where the rules are sure
    enough; else the bill is a proposal under review. Nothing owed makes a void bill.
    """
    assert revision >= 1
    reckoning = reckon(evidence)
    findings, held, verdict = reckoning.findings, reckoning.held, reckoning.verdict
    codes = {anomaly.code for anomaly in held}
    total = billed(reckoning.split.lines)
    payable_fen = total.amount_fen + sum(each.amount_fen for each in reckoning.adjustments)
    is_nothing_owed = findings.energy_e4kwh == 0 and payable_fen == 0
    status = status_of(verdict, held, is_nothing_owed=is_nothing_owed, is_final=evidence.is_final)
    times = times_of(evidence, findings, codes)
    record = findings.record
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
        energy_e4kwh=findings.energy_e4kwh - sum(each.energy_e4kwh for each in reckoning.adjustments),
        meter_start_e4kwh=_register(record, is_start=True),
        meter_stop_e4kwh=_register(record, is_start=False),
        lines=reckoning.split.lines,
        segments=reckoning.split.segments,
        total=total,
        discount_fen=undiscounted_fen(reckoning.split.lines) - total.amount_fen,
        pile_amount_e4yuan=record.amount_e4yuan if record else None,
        tariff=findings.tariff,
        campaigns=reckoning.split.campaigns,
        start_channel=evidence.start_channel,
        stop_name=record.stop_name if record else None,
        stop_text_en=record.stop_text_en if record else None,
        vin=(record.vin if record else None) or (evidence.authorisation.vin if evidence.authorisation else None),
        card_uid=_card(evidence, record),
        anomalies=held,
        primary_anomaly=_code(catalogue.primary(held)),
        explanation_en=(),
        explanation_zh=(),
        energy_basis=findings.energy_basis,
        time_basis=times.basis,
        split_basis=reckoning.split.basis,
        confidence_percent=verdict.confidence_percent,
        zone=evidence.zone,
        adjustments=reckoning.adjustments,
        has_occupancy=evidence.occupancy is not None,
    )
    sentences = explain(evidence, findings, bill)
    computation = computation_of(evidence, findings, verdict, catalogue.expected(evidence, findings), bill)
    return dataclasses.replace(bill, explanation_en=sentences[0], explanation_zh=sentences[1], computation=computation)


def _code(anomaly: catalogue.Anomaly | None) -> str | None:
    return None if anomaly is None else anomaly.code


def _register(record: Record | None, *, is_start: bool) -> int | None:
    if record is None or not record.has_registers:
        return None
    return record.meter_start_e4kwh if is_start else record.meter_stop_e4kwh


def _card(evidence: Evidence, record: Record | None) -> str | None:
    if record is not None and record.card_uid is not None:
        return record.card_uid
    return evidence.authorisation.card_uid if evidence.authorisation else None

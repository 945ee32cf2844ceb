"""Evidence to bill: a pure function, so that the same evidence makes the same bill wherever it runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zlib import crc32

from billing_core import anomalies as catalogue
from billing_core.anomalies import Anomaly
from billing_core.apportion import Segment, by_rate, spread
from billing_core.bill import Bill
from billing_core.civil import Zone
from billing_core.evidence import Evidence, Record
from billing_core.explain import explain
from billing_core.findings import (
    LOSS_E4KWH,
    SUM_E4KWH,
    Findings,
    derive,
    filled_losses,
    has_registers,
    segments_along,
)
from billing_core.fixed import loss_adjusted_e4kwh_half_up
from billing_core.pricing import Line, Total, billed, lines_of, undiscounted_fen
from billing_core.tariff import Rate

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REPLACED_TIMES = {
    "time_zero_date",
    "time_epoch_reset",
    "time_invalid_field",
    "time_future",
    "time_reversed",
    "time_clock_skew",
    "time_step_mid_session",
}
_CLOCK_CONFIDENCE = 180_000


@dataclass(frozen=True, slots=True)
class _Split:
    """Billed energy as lines, and over time where samples support it."""

    lines: list[Line]
    segments: list[Segment] | None
    basis: str | None
    campaigns: tuple[str, ...]


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
    try:
        datetime.strptime(text, "%y%m%d%H%M%S")
    except ValueError:
        return False
    return True


def issue_bill(evidence: Evidence, *, revision: int) -> Bill:
    """The bill that the evidence supports.

    A record that reconciles is billed by rule B-1. Whatever does not reconcile makes a bill under review that names
    it; its lines are a proposal. Nothing owed makes a void bill.
    """
    assert revision >= 1
    findings = derive(evidence)
    held = catalogue.detect(evidence, findings)
    split = _split(evidence, findings, held)
    total = billed(split.lines)
    started_ms, ended_ms, time_basis = _times(evidence, findings, held)
    status = _status(findings, held, total)
    main = catalogue.primary(held)
    record = evidence.record
    sentences = explain(
        evidence, findings, status=status, total=total, main=main, started_ms=started_ms, ended_ms=ended_ms
    )
    return Bill(
        transaction_id=evidence.transaction_id,
        order_no=evidence.order_no,
        pile_id=evidence.pile.pile_id,
        connector=evidence.pile.connector,
        protocol=evidence.pile.protocol,
        revision=revision,
        status=status,
        started_at_ms=started_ms,
        ended_at_ms=ended_ms,
        energy_e4kwh=findings.energy_e4kwh,
        meter_start_e4kwh=_register(record, is_start=True),
        meter_stop_e4kwh=_register(record, is_start=False),
        lines=tuple(split.lines),
        segments=None if split.segments is None else tuple(split.segments),
        total=total,
        discount_fen=undiscounted_fen(split.lines) - total.amount_fen,
        pile_amount_e4yuan=record.amount_e4yuan if record else None,
        tariff=findings.tariff,
        campaigns=split.campaigns,
        start_channel=evidence.start_channel,
        stop_code=record.stop_code if record else None,
        stop_text_en=record.stop_text_en if record else None,
        vin=(record.vin if record else None) or (evidence.authorisation.vin if evidence.authorisation else None),
        card_uid=_card(evidence),
        anomalies=held,
        primary_anomaly=main.code if main else None,
        explanation_en=sentences[0],
        explanation_zh=sentences[1],
        energy_basis=findings.energy_basis,
        time_basis=time_basis,
        split_basis=split.basis,
        confidence_percent=_confidence(evidence, findings, held),
        zone=evidence.zone,
    )


def _register(record: Record | None, *, is_start: bool) -> int | None:
    if record is None or not has_registers(record):
        return None
    return record.meter_start_e4kwh if is_start else record.meter_stop_e4kwh


def _card(evidence: Evidence) -> str | None:
    record = evidence.record
    if record is not None and record.card_uid is not None:
        return record.card_uid
    return evidence.authorisation.card_uid if evidence.authorisation else None


def _status(findings: Findings, held: tuple[Anomaly, ...], total: Total) -> str:
    if catalogue.must_be_reviewed(held):
        return "review"
    return "void" if findings.energy_e4kwh == 0 and total.amount_fen == 0 else "normal"


def _times(evidence: Evidence, findings: Findings, held: tuple[Anomaly, ...]) -> tuple[int | None, int | None, str]:
    """(start, end, basis); never a date that did not happen."""
    record = evidence.record
    is_replaced = bool(_REPLACED_TIMES & {anomaly.code for anomaly in held})
    if record is not None and findings.times_hold and not is_replaced:
        return record.started_ms, record.ended_ms, "record"
    if evidence.anchors:
        return findings.t_start_ms, findings.t_end_ms or evidence.anchors[-1][0], "gateway"
    if evidence.authorisation is not None:
        return evidence.authorisation.at_ms, evidence.authorisation.at_ms, "gateway"
    return None, record.rx_ms if record else None, "gateway"


# -- energy to lines ------------------------------------------------------------------------------------


def _split(evidence: Evidence, findings: Findings, held: tuple[Anomaly, ...]) -> _Split:
    energy = findings.energy_e4kwh
    if energy == 0:
        return _Split([], _no_energy(findings), "samples" if findings.sampled else None, ())
    if findings.tariff is None:
        return _Split(_lines_at_record_prices(evidence), None, "record", ())
    if _is_record_split_usable(evidence, findings, held):
        by_record = _split_by_record(evidence, findings)
        if by_record is not None:
            return by_record
    return _split_by_samples(evidence, findings)


def _no_energy(findings: Findings) -> list[Segment] | None:
    return [each.with_energy(0) for each in findings.sampled] if findings.sampled else None


def _lines_at_record_prices(evidence: Evidence) -> list[Line]:
    """Without a tariff the record's own summed price is all there is; a proposal, nothing more."""
    record = evidence.record
    if record is None:
        return []
    return [
        Line(Rate(index), tier.energy_e4kwh, tier.price_e5, 0)
        for index, tier in enumerate(record.tiers)
        if tier.energy_e4kwh
    ]


def _is_record_split_usable(evidence: Evidence, findings: Findings, held: tuple[Anomaly, ...]) -> bool:
    """Whether the record's energies per rate can be billed as they stand."""
    record = evidence.record
    if record is None or findings.tariff is None or record.energy_e4kwh != findings.energy_e4kwh:
        return False
    total = sum(tier.energy_e4kwh for tier in record.tiers)
    if abs(total - record.energy_e4kwh) > SUM_E4KWH:
        return False
    if any(t.energy_e4kwh and Rate(i) not in findings.tariff.prices_e5 for i, t in enumerate(record.tiers)):
        return False
    codes = {anomaly.code for anomaly in held}
    has_clock = not codes & (_REPLACED_TIMES | {"tou_split_mismatch"})
    return has_clock or not findings.sampled


def _split_by_record(evidence: Evidence, findings: Findings) -> _Split | None:
    """The record's energies per rate, laid over the session's timeline for campaigns and segments."""
    record, tariff = evidence.record, findings.tariff
    assert record is not None
    assert tariff is not None
    metered = {Rate(i): tier.energy_e4kwh for i, tier in enumerate(record.tiers) if tier.energy_e4kwh}
    timeline = list(findings.sampled) or _even_timeline(evidence, findings)
    laid = spread(timeline, metered) if timeline else None
    if laid is None and (timeline or evidence.tariffs.campaigns):
        laid = _nearest(timeline, metered) if timeline else None
    if laid is None:
        lines = [
            Line(rate, loss_adjusted_e4kwh_half_up(kwh, tariff.loss_ratio_e4), *tariff.prices_e5[rate])
            for rate, kwh in sorted(metered.items())
        ]
        return _Split(_with_recorded_losses(lines, evidence, findings), None, "record", ())
    laid = [each for each in laid if each.energy_e4kwh or findings.sampled]
    lines = _with_recorded_losses(lines_of(laid), evidence, findings)
    supported = findings.sampled and spread(timeline, metered) is not None
    segments = _billed_segments(laid, lines) if supported else None
    return _Split(lines, segments, "record", _campaigns(laid))


def _nearest(timeline: list[Segment], metered: dict[Rate, int]) -> list[Segment]:
    """Energy of rates that the timeline does not touch, set at its begin: only campaigns look at it."""
    first = timeline[0]
    untouched = [
        Segment(first.from_ms, first.from_ms, first.tariff, rate, first.service_factor_e4, first.energy_factor_e4,
                first.campaigns, 0)
        for rate in metered
        if all(segment.rate != rate for segment in timeline)
    ]  # fmt: skip
    laid = spread([*untouched, *timeline], metered)
    assert laid is not None
    return laid


def _even_timeline(evidence: Evidence, findings: Findings) -> list[Segment]:
    """Without samples: the record's own times, energy flowing evenly."""
    record, tariff = evidence.record, findings.tariff
    if record is None or tariff is None or not findings.times_hold:
        return []
    assert record.started_ms is not None
    assert record.ended_ms is not None
    if record.ended_ms <= record.started_ms:
        return []
    return segments_along(evidence, tariff, [(record.started_ms, 0), (record.ended_ms, findings.energy_e4kwh)])


def _split_by_samples(evidence: Evidence, findings: Findings) -> _Split:
    """Energies per rate as the gateway saw them, or evenly over the record's time, or at the begin's rate."""
    tariff = findings.tariff
    assert tariff is not None
    laid = list(findings.sampled)
    basis = "samples"
    if not laid:
        laid = _even_timeline(evidence, findings)
        basis = "even"
    if not laid:
        at_ms = evidence.authorisation.at_ms if evidence.authorisation else evidence.opened_at_ms
        laid = segments_along(evidence, tariff, [(at_ms, 0), (at_ms + 1, findings.energy_e4kwh)])
    short = findings.energy_e4kwh - sum(each.energy_e4kwh for each in laid)
    if short:
        laid = _with_tail(evidence, findings, laid, short)
    laid = [each.with_energy(max(each.energy_e4kwh, 0)) for each in laid]
    lines = lines_of(laid)
    segments = _billed_segments(laid, lines) if findings.sampled else None
    return _Split(lines, segments, basis, _campaigns(laid))


def _with_tail(evidence: Evidence, findings: Findings, laid: list[Segment], short: int) -> list[Segment]:
    """Energy behind the last sample whose hour nobody saw: the cheapest rate of the next 30 s."""
    assert findings.tariff is not None
    last_ms = laid[-1].to_ms
    touched = segments_along(evidence, findings.tariff, [(last_ms, 0), (last_ms + 30_000, 0)])
    cheapest = min(touched, key=lambda each: sum(each.tariff.prices_e5[each.rate]))
    if laid[-1].key() == cheapest.key() or short < 0:
        return [*laid[:-1], laid[-1].with_energy(laid[-1].energy_e4kwh + short)]
    return [*laid, cheapest.with_energy(short)]


def _with_recorded_losses(lines: list[Line], evidence: Evidence, findings: Findings) -> list[Line]:
    """The record's own loss-adjusted energy stands where it agrees with the tariff's ratio within 0.0002 kWh."""
    record, tariff = evidence.record, findings.tariff
    assert record is not None
    assert tariff is not None
    if not tariff.loss_ratio_e4 or not filled_losses(record):
        return lines
    rates = [line.rate for line in lines]
    kept = []
    for line in lines:
        told = record.tiers[int(line.rate)].loss_energy_e4kwh  # type: ignore[call-overload]
        if rates.count(line.rate) == 1 and abs(told - line.energy_e4kwh) <= LOSS_E4KWH:
            line = Line(
                line.rate,
                told,
                line.energy_price_e5,
                line.service_price_e5,
                line.service_factor_e4,
                line.energy_factor_e4,
            )
        kept.append(line)
    return kept


def _billed_segments(laid: list[Segment], lines: list[Line]) -> list[Segment]:
    """Segments whose energies sum, rate by rate, to the lines: the same unless a loss ratio was added."""
    totals: dict[Rate, int] = {}
    for line in lines:
        rate = Rate(line.rate)  # type: ignore[arg-type]
        totals[rate] = totals.get(rate, 0) + line.energy_e4kwh
    if by_rate([each for each in laid if each.energy_e4kwh]) == totals:
        return laid
    scaled = spread(laid, {**dict.fromkeys((each.rate for each in laid), 0), **totals})
    assert scaled is not None
    return scaled


def _campaigns(laid: list[Segment]) -> tuple[str, ...]:
    return tuple(sorted({name for each in laid if each.energy_e4kwh for name in each.campaigns}))


# -- confidence -----------------------------------------------------------------------------------------


def _confidence(evidence: Evidence, findings: Findings, held: tuple[Anomaly, ...]) -> int:
    """The least certain of energy, time, tariff and identity, percent."""
    codes = {anomaly.code for anomaly in held}
    tariff_percent = 99 if findings.tariff is not None or not findings.energy_e4kwh else 50
    if codes & {"record_orphan_serial", "serial_zero", "charge_without_order"}:
        identity_percent = 30
    else:
        identity_percent = 99
    return min(findings.energy_percent, _time_percent(evidence, findings, codes), tariff_percent, identity_percent)


def _time_percent(evidence: Evidence, findings: Findings, codes: set[str]) -> int:
    if evidence.record is None or codes & _REPLACED_TIMES:
        if findings.energy_e4kwh == 0:
            return 97
        return 97 if evidence.is_end_observed else 90
    if evidence.anchors:
        return 99 if evidence.is_end_observed else 90
    if not findings.is_late:
        return 99
    offset_ms = evidence.clock_offset_ms
    return 85 if offset_ms is not None and abs(offset_ms) <= _CLOCK_CONFIDENCE else 70

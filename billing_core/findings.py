"""What the evidence of one transaction says once it is put side by side: the ground that anomalies stand on.

Source: docs/billing.md, derived values and reconstruction.
"""

from __future__ import annotations

from dataclasses import dataclass

from billing_core.apportion import Segment, by_rate, cumulative_e4kwh, risen, segments_of
from billing_core.evidence import Evidence, Record
from billing_core.seen import Seen, see
from billing_core.sources import (
    Registers,
    Source,
    Window,
    all_sources,
    chain_of,
    choose_record,
    is_inside,
    proves_zero,
    registers_of,
    scale_of,
    scaled,
)
from billing_core.tariff import Rate, Tariff
from billing_core.tolerances import register_half_width

RECORD_DUE_MS = 30_000
RECORD_LOST_MS = 1_800_000
EPOCH_2016_MS = 1_451_577_600_000  # 2016-01-01T00:00:00+08:00: no pile of these protocols is older
SUM_E4KWH = 4
LOSS_E4KWH = 2
_TAIL_MS = 30_000


@dataclass(frozen=True)
class Findings:
    """Derived values, named as in docs/billing.md.

    Attributes:
        seen: what the gateway saw.
        record: the accepted record, rescaled where ``scale`` says so; predicates look at this one.
        scale: (times, over) by which the record was off, ``None`` when it was not.
        half_e4kwh: half of what the register's last digit hides.
        window: energies that the samples admit.
        registers: the accepted record's.
        sources: every source of energy, in order of rank.
        energy_e4kwh: the accepted energy; ``energy_basis`` says from where, ``energy_percent`` how sure.
        must_choose: a person must choose between records; ``must_weigh``: between sources of energy.
        tariff: bound to the session, ``None`` when none is known.
        sampled: segments from the samples, closing to the accepted energy; empty without samples.
        has_clock: whether the pile's clock can be trusted.
        times_hold: both of the record's times decode and are plausible.
        behind_end_ms: how long after the end the record came.
        gross_fen, gross_lines: what the accepted energy costs without campaigns, and in how many lines.
    """

    seen: Seen
    record: Record | None
    scale: tuple[int, int] | None
    half_e4kwh: int
    window: Window | None
    registers: Registers
    sources: tuple[Source, ...]
    energy_e4kwh: int
    energy_basis: str
    energy_percent: int
    must_choose: bool
    must_weigh: bool
    tariff: Tariff | None
    sampled: tuple[Segment, ...]
    has_clock: bool
    times_hold: bool
    behind_end_ms: int | None
    gross_fen: int | None = None
    gross_lines: int = 0


def derive(evidence: Evidence) -> Findings:
    """Put the evidence side by side."""
    half = register_half_width(evidence.pile.register_decimals)
    seen = see(evidence, half)
    window = seen.window(evidence.pile.rated_w, half, evidence.tolerances.arrival_ms)
    scales = [scale_of(evidence, record, window, half) for record in evidence.records]
    records = [
        record if scale is None else scaled(record, scale)
        for record, scale in zip(evidence.records, scales, strict=True)
    ]
    index, must_choose = choose_record(evidence, records, window, half)
    record, scale = (None, None) if index is None else (records[index], scales[index])
    sources = all_sources(evidence, record, seen, window, half)
    accepted, must_weigh = _accept(evidence, record, seen, window, half, sources, is_scaled=scale is not None)
    tariff = bound_tariff(evidence, record)
    return Findings(
        seen=seen,
        record=record,
        scale=scale,
        half_e4kwh=half,
        window=window,
        registers=registers_of(evidence, record, window, half) if record else Registers(None),
        sources=tuple(sources),
        energy_e4kwh=accepted.energy_e4kwh,
        energy_basis=accepted.name,
        energy_percent=accepted.percent,
        must_choose=must_choose,
        must_weigh=must_weigh,
        tariff=tariff,
        sampled=tuple(sampled_segments(evidence, seen, tariff, accepted.energy_e4kwh)),
        has_clock=has_trusted_clock(evidence, record, seen),
        times_hold=record is not None and are_times_plausible(evidence, record),
        behind_end_ms=_behind_end_ms(evidence, record, seen),
    )


def with_gross(findings: Findings, gross_fen: int, gross_lines: int) -> Findings:
    """The same, once it is known what the accepted energy costs without campaigns."""
    return Findings(
        findings.seen,
        findings.record,
        findings.scale,
        findings.half_e4kwh,
        findings.window,
        findings.registers,
        findings.sources,
        findings.energy_e4kwh,
        findings.energy_basis,
        findings.energy_percent,
        findings.must_choose,
        findings.must_weigh,
        findings.tariff,
        findings.sampled,
        findings.has_clock,
        findings.times_hold,
        findings.behind_end_ms,
        gross_fen,
        gross_lines,
    )


def _accept(
    evidence: Evidence,
    record: Record | None,
    seen: Seen,
    window: Window | None,
    half: int,
    sources: list[Source],
    *,
    is_scaled: bool,
) -> tuple[Source, bool]:
    """(the accepted source, whether a person must weigh it): the first that the samples admit."""
    if proves_zero(evidence, record, seen, half):
        return Source(0, "never_started", 0, 99), False
    if record is not None and stands_still(record, seen, half):
        return Source(0, "record_total", 0, 99), False
    fitting = [source for source in sources if is_inside(source.energy_e4kwh, window)]
    if not fitting:
        return Source(9, "none", 0, 0), True
    accepted = fitting[0]
    chain = chain_of(evidence)
    beyond_chain = accepted.rank == 1 and chain is not None and accepted.energy_e4kwh > chain + 2 * half
    must_weigh = beyond_chain or (window is None and accepted.rank >= 4) or accepted.rank >= 8
    if window is None and record is not None:
        must_weigh = must_weigh or registers_of(evidence, record, window, half).is_placeholder
    if record is not None and record.amount_e4yuan and accepted.energy_e4kwh <= half:
        return Source(accepted.rank, accepted.name, 0, 99), must_weigh
    if is_scaled and accepted.percent > 97:
        accepted = Source(accepted.rank, accepted.name, accepted.energy_e4kwh, 97)
    return accepted, must_weigh


def stands_still(record: Record, seen: Seen, half: int) -> bool:
    """Whether nothing was drawn over a minute or more: record, samples and register all stand still."""
    if record.energy_e4kwh > half or any(energy > half for _, energy in seen.anchors):
        return False
    if abs(record.meter_stop_e4kwh - record.meter_start_e4kwh) > half:
        return False
    told_ms = 0
    if record.started_ms is not None and record.ended_ms is not None:
        told_ms = record.ended_ms - record.started_ms
    return max(told_ms, seen.duration_ms or 0) >= 60_000


def _behind_end_ms(evidence: Evidence, record: Record | None, seen: Seen) -> int | None:
    """How long after the end a record came; without samples its own end counts, if it makes sense."""
    if record is None:
        return None
    if seen.t_end_ms is not None:
        return record.rx_ms - seen.t_end_ms
    if not are_times_plausible(evidence, record) or record.started_ms == record.ended_ms:
        return None
    assert record.ended_ms is not None
    return record.rx_ms - record.ended_ms


def bound_tariff(evidence: Evidence, record: Record | None) -> Tariff | None:
    """The tariff in force at the authorisation, else at the first sample, else at the record's start."""
    charging = evidence.charging
    if evidence.authorisation is not None:
        at_ms = evidence.authorisation.at_ms
    elif charging:
        at_ms = charging[0].at_ms
    elif record is not None and record.started_ms is not None and are_times_plausible(evidence, record):
        at_ms = record.started_ms
    else:
        at_ms = evidence.opened_at_ms
    return evidence.tariffs.in_force(pile_id=evidence.pile.pile_id, station=evidence.pile.station, at_ms=at_ms)


# -- the pile's clock -----------------------------------------------------------------------------------


def are_times_plausible(evidence: Evidence, record: Record) -> bool:
    """Both times decodable, in order, neither before the pile existed nor in the future."""
    start_ms, end_ms = record.started_ms, record.ended_ms
    if start_ms is None or end_ms is None or end_ms < start_ms:
        return False
    return not (
        is_before_life(evidence, start_ms)
        or is_before_life(evidence, end_ms)
        or max(start_ms, end_ms) > record.rx_ms + evidence.tolerances.clock_ms
    )


def is_before_life(evidence: Evidence, at_ms: int) -> bool:
    """Whether a pile's time lies before its commissioning, or before any such pile."""
    commissioned_ms = evidence.pile.commissioned_ms
    return at_ms < EPOCH_2016_MS or (commissioned_ms is not None and at_ms < commissioned_ms)


def agrees_at_both_ends(evidence: Evidence, record: Record, seen: Seen) -> bool:
    """Whether the record's times and the gateway's are within the tolerance of a clock."""
    start_ms, end_ms, tolerance_ms = seen.t_start_ms, seen.t_end_ms, evidence.tolerances.clock_ms
    if record.started_ms is None or record.ended_ms is None or start_ms is None or end_ms is None:
        return False
    return abs(record.ended_ms - end_ms) <= tolerance_ms and abs(record.started_ms - start_ms) <= tolerance_ms


def has_synced_clock(evidence: Evidence) -> bool:
    """Whether a time sync within the day before the order found the clock right."""
    offset_ms = evidence.clock_offset_ms
    return offset_ms is not None and abs(offset_ms) <= evidence.tolerances.clock_ms


def has_trusted_clock(evidence: Evidence, record: Record | None, seen: Seen) -> bool:
    """Whether its times agree with the gateway's, or a time sync vouches for times that are not off by themselves."""
    if record is None:
        return has_synced_clock(evidence)
    if not are_times_plausible(evidence, record):
        return False
    if agrees_at_both_ends(evidence, record, seen):
        return True
    return has_synced_clock(evidence) and not _is_skewed(evidence, record, seen)


def _is_skewed(evidence: Evidence, record: Record, seen: Seen) -> bool:
    """Whether the start, which the gateway saw, is off although a sync found the clock right."""
    if not seen.anchors or seen.t_start_ms is None:
        return False
    assert record.started_ms is not None
    return abs(record.started_ms - seen.t_start_ms) > evidence.tolerances.clock_ms


# -- energy over time -----------------------------------------------------------------------------------


def timeline_of(seen: Seen, energy_e4kwh: int) -> list[tuple[int, int]]:
    """The anchors of rule E-4: the start at zero, every sample, and the end at the accepted energy."""
    if not seen.anchors or seen.t_start_ms is None:
        return []
    assert seen.t_end_ms is not None
    return risen(seen.anchors, min(seen.t_start_ms, seen.anchors[0][0] - 1), seen.t_end_ms, energy_e4kwh)


def sampled_segments(evidence: Evidence, seen: Seen, tariff: Tariff | None, energy_e4kwh: int) -> list[Segment]:
    """Segments from the samples; the last closes to the accepted energy, an unseen tail costs the least."""
    timeline = timeline_of(seen, energy_e4kwh)
    if tariff is None or not timeline:
        return []
    laid = segments_along(evidence, tariff, timeline)
    short = energy_e4kwh - sum(segment.energy_e4kwh for segment in laid)
    if short > 0:
        return _with_tail(evidence, tariff, laid, short, timeline[-1][0])
    return _lowered(laid, -short)


def _with_tail(evidence: Evidence, tariff: Tariff, laid: list[Segment], short: int, last_ms: int) -> list[Segment]:
    """Energy behind the last sample whose hour nobody saw: the cheapest rate that the next 30 s touch."""
    touched = segments_along(evidence, tariff, [(last_ms, 0), (last_ms + _TAIL_MS + 1, 0)])
    cheapest = min(touched, key=lambda each: sum(each.tariff.prices_e5[each.rate]))
    if laid[-1].key() == cheapest.key():
        return [*laid[:-1], laid[-1].with_energy(laid[-1].energy_e4kwh + short)]
    return [*laid, cheapest.with_energy(short)]


def _lowered(laid: list[Segment], over: int) -> list[Segment]:
    """Take what is too much from the end, no segment below zero."""
    lowered = list(laid)
    for index in range(len(lowered) - 1, -1, -1):
        taken = min(over, max(lowered[index].energy_e4kwh, 0))
        if lowered[index].energy_e4kwh < 0:
            taken = lowered[index].energy_e4kwh  # gives back: it ran below zero
        lowered[index] = lowered[index].with_energy(lowered[index].energy_e4kwh - taken)
        over -= taken
    return lowered


def segments_along(evidence: Evidence, tariff: Tariff, timeline: list[tuple[int, int]]) -> list[Segment]:
    """The segments of a timeline under the site's tariffs and campaigns."""
    return segments_of(
        timeline,
        tariff=tariff,
        book=evidence.tariffs,
        zone=evidence.zone,
        pile_id=evidence.pile.pile_id,
        station=evidence.pile.station,
        is_instant=evidence.tariff_binding == "instant",
    )


def energy_until(seen: Seen, energy_e4kwh: int, at_ms: int) -> int:
    """Cumulative energy at a moment, by the timeline."""
    timeline = timeline_of(seen, energy_e4kwh)
    return min(cumulative_e4kwh(timeline, at_ms), energy_e4kwh) if timeline else energy_e4kwh


def sampled_by_rate(findings: Findings) -> dict[Rate, int]:
    """Energy per rate by the samples."""
    return by_rate(findings.sampled)


def agrees_with_losses(told_e4kwh: int, energy_e4kwh: int, ratio_e4: int) -> bool:
    """Whether a loss-adjusted energy is the plain one times 1 + ratio, unrounded, within 0.0002 kWh."""
    return abs(10_000 * told_e4kwh - energy_e4kwh * (10_000 + ratio_e4)) <= 10_000 * LOSS_E4KWH


def filled_losses(record: Record) -> bool:
    """Whether the pile fills the loss-adjusted energies at all; many leave them zero."""
    return any(tier.loss_energy_e4kwh for tier in record.tiers)


def stop_limit_ms(evidence: Evidence) -> int | None:
    """Until when energy is the customer's after a remote stop that the pile accepted."""
    return None if evidence.stop_accepted_at_ms is None else evidence.stop_accepted_at_ms + 60_000

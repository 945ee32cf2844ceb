"""What the evidence of one transaction says once it is put side by side: the ground that anomalies stand on."""

from __future__ import annotations

from dataclasses import dataclass

from billing_core.apportion import Segment, by_rate, segments_of
from billing_core.evidence import Evidence, Record
from billing_core.tariff import Rate, Tariff

CLOCK_MS = 180_000
DURATION_MS = 120_000
RECORD_DUE_MS = 30_000
RECORD_LOST_MS = 1_800_000
EPOCH_2016_MS = 1_451_577_600_000  # 2016-01-01T00:00:00+08:00: no pile of this protocol is older
SUM_E4KWH = 4
LOSS_E4KWH = 2
_COARSE_E4KWH = 100
_FINE_E4KWH = 2


@dataclass(frozen=True, slots=True)
class Findings:
    """Derived values, named as in docs/billing.md.

    Attributes:
        tariff: bound to the session, ``None`` when none is known.
        t_start_ms, t_end_ms: as the gateway saw them.
        half_width_e4kwh: half of what the register's last digit hides.
        least_e4kwh, most_e4kwh: energies that the samples admit; ``None`` where unbounded.
        energy_e4kwh: the accepted energy; ``energy_basis`` says from where, ``energy_percent`` how sure.
        sampled: segments computed from the samples, empty without any.
        times_hold: whether the record's own times can be used.
    """

    tariff: Tariff | None
    t_start_ms: int | None
    t_end_ms: int | None
    half_width_e4kwh: int
    least_e4kwh: int | None
    most_e4kwh: int | None
    energy_e4kwh: int
    energy_basis: str
    energy_percent: int
    sampled: tuple[Segment, ...]
    times_hold: bool
    is_late: bool


def derive(evidence: Evidence) -> Findings:
    """Put the evidence side by side."""
    record = evidence.record
    anchors = evidence.anchors
    t_start_ms = evidence.start_accepted_at_ms
    if t_start_ms is None or (anchors and anchors[0][0] < t_start_ms):
        t_start_ms = anchors[0][0] if anchors else t_start_ms
    t_end_ms = evidence.ended_at_ms if anchors else None
    half = half_width(evidence.pile.register_decimals)
    least, most = _window(evidence, half)
    energy, basis, percent = _accept_energy(evidence, half, least, most)
    tariff = bound_tariff(evidence)
    sampled = _sampled(evidence, tariff, t_start_ms, t_end_ms, energy)
    return Findings(
        tariff=tariff,
        t_start_ms=t_start_ms,
        t_end_ms=t_end_ms,
        half_width_e4kwh=half,
        least_e4kwh=least,
        most_e4kwh=most,
        energy_e4kwh=energy,
        energy_basis=basis,
        energy_percent=percent,
        sampled=tuple(sampled),
        times_hold=record is not None and are_times_plausible(evidence, record),
        is_late=record is not None and is_late(evidence, record, t_end_ms),
    )


def is_late(evidence: Evidence, record: Record, t_end_ms: int | None) -> bool:
    """Whether the record came later than 30 s after the end; an offline record counts from its own end."""
    end_ms = t_end_ms if t_end_ms is not None else record.ended_ms
    return end_ms is not None and record.rx_ms - end_ms > RECORD_DUE_MS


def half_width(register_decimals: int | None) -> int:
    """What the register's last digit hides, 0.1 Wh: 0.01 kWh for two decimals or unknown, 0.0002 for four."""
    if register_decimals is None or register_decimals <= 2:
        return _COARSE_E4KWH
    return 10 if register_decimals == 3 else _FINE_E4KWH


def bound_tariff(evidence: Evidence) -> Tariff | None:
    """The tariff in force at the start: of the authorisation, else of the first sign of the session."""
    record = evidence.record
    if evidence.authorisation is not None:
        at_ms = evidence.authorisation.at_ms
    elif evidence.anchors:
        at_ms = evidence.anchors[0][0]
    elif record is not None and record.started_ms is not None and are_times_plausible(evidence, record):
        at_ms = record.started_ms
    else:
        at_ms = evidence.opened_at_ms
    return evidence.tariffs.in_force(pile_id=evidence.pile.pile_id, station=evidence.pile.station, at_ms=at_ms)


def are_times_plausible(evidence: Evidence, record: Record) -> bool:
    """Both times decodable, in order, neither before the pile existed nor in the future."""
    start_ms, end_ms = record.started_ms, record.ended_ms
    if start_ms is None or end_ms is None or end_ms < start_ms:
        return False
    return not (
        is_before_life(evidence, start_ms)
        or is_before_life(evidence, end_ms)
        or max(start_ms, end_ms) > record.rx_ms + CLOCK_MS
    )


def is_before_life(evidence: Evidence, at_ms: int) -> bool:
    """Whether a pile's time lies before its commissioning, or before any such pile."""
    commissioned_ms = evidence.pile.commissioned_ms
    return at_ms < EPOCH_2016_MS or (commissioned_ms is not None and at_ms < commissioned_ms)


def has_registers(record: Record) -> bool:
    """All-zero registers are common and mean that there are none, unless nothing was charged."""
    return bool(record.meter_start_e4kwh or record.meter_stop_e4kwh)


def register_difference(record: Record) -> int | None:
    """Stop minus start register, 0.1 Wh; ``None`` without registers."""
    return record.meter_stop_e4kwh - record.meter_start_e4kwh if has_registers(record) else None


def _window(evidence: Evidence, half: int) -> tuple[int | None, int | None]:
    """Energies that the samples admit: at least the last one, at most rated power until the proof of idleness."""
    if not evidence.anchors:
        return None, None
    last_ms, last_e4kwh = evidence.anchors[-1]
    if evidence.pile.rated_w is None:
        return last_e4kwh - half, None
    idle_ms = evidence.idle_proof_at_ms or evidence.at_ms
    more_e4kwh = evidence.pile.rated_w * max(idle_ms - last_ms, 0) // 360_000  # W × ms → 0.1 Wh
    return last_e4kwh - half, last_e4kwh + more_e4kwh + half


def _is_inside(value: int, least: int | None, most: int | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _accept_energy(evidence: Evidence, half: int, least: int | None, most: int | None) -> tuple[int, str, int]:
    """(accepted energy, its source, certainty in percent): the first source that the samples admit."""
    record = evidence.record
    sources: list[tuple[int, str, int]] = []
    if record is not None:
        difference = register_difference(record)
        is_pair = difference is not None and abs(difference - record.energy_e4kwh) <= half
        previous = evidence.meter_stop_previous_e4kwh
        if is_pair and previous is not None and abs(record.meter_start_e4kwh - previous) <= half:
            sources.append((difference or 0, "register_pair", 99))
        elif is_pair:
            sources.append((record.energy_e4kwh, "record_total", 97))
        else:
            sources.append((record.energy_e4kwh, "record_alone", 90))
    for value, basis, percent in sources:
        if value >= 0 and _is_inside(value, least, most):
            return value, basis, 99 if value == 0 and basis != "record_alone" else percent
    if evidence.anchors:
        return evidence.anchors[-1][1], "last_sample", 90
    return 0, "never_started", 99 if record is None else 90


def _sampled(
    evidence: Evidence, tariff: Tariff | None, t_start_ms: int | None, t_end_ms: int | None, energy: int
) -> list[Segment]:
    """Segments from the samples, the last closing to the accepted energy."""
    if tariff is None or not evidence.anchors or t_start_ms is None:
        return []
    timeline = [(t_start_ms, 0)]
    for at_ms, energy_e4kwh in evidence.anchors:
        if at_ms > timeline[-1][0]:
            timeline.append((at_ms, energy_e4kwh))
        elif len(timeline) > 1:
            timeline[-1] = (at_ms, energy_e4kwh)
    if t_end_ms is not None and t_end_ms > timeline[-1][0]:
        timeline.append((t_end_ms, energy))
    if len(timeline) < 2:
        timeline.append((timeline[0][0] + 1, energy))
    return segments_along(evidence, tariff, timeline)


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


def sampled_by_rate(findings: Findings) -> dict[Rate, int]:
    """Energy per rate by the samples."""
    return by_rate(findings.sampled)


def filled_losses(record: Record) -> bool:
    """Whether the pile fills the loss-adjusted energies at all; many leave them zero."""
    return any(tier.loss_energy_e4kwh for tier in record.tiers)

"""Accepted energy to lines: over the rates, over time, over campaigns.

Source: rules E-4 and B-1, docs/billing.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing_core.apportion import Segment, by_rate, spread
from billing_core.evidence import Evidence, Record
from billing_core.findings import (
    SUM_E4KWH,
    Findings,
    agrees_with_losses,
    filled_losses,
    sampled_by_rate,
    sampled_segments,
    segments_along,
)
from billing_core.fixed import loss_adjusted_e4kwh_half_up, share_half_up
from billing_core.pricing import Line, lines_of
from billing_core.tariff import RATES, Rate, Tariff


@dataclass(frozen=True)
class Split:
    """Billed energy as lines, and over time where samples support it; ``basis`` is record, samples or even."""

    lines: tuple[Line, ...]
    segments: tuple[Segment, ...] | None
    basis: str | None
    campaigns: tuple[str, ...]


def split(evidence: Evidence, findings: Findings, *, billed_e4kwh: int) -> Split:
    """The lines of ``billed_e4kwh``, which is the accepted energy unless some of it is not the customer's."""
    tariff = findings.tariff
    if billed_e4kwh == 0:
        return Split((), _no_energy(findings), "samples" if findings.sampled else None, ())
    if tariff is None:
        return Split(tuple(_lines_at_record_prices(findings.record)), None, "record", ())
    if billed_e4kwh != findings.energy_e4kwh:
        return _by_samples(tuple(sampled_segments(evidence, findings.seen, tariff, billed_e4kwh)), "samples")
    metered = _record_split(findings, evidence)
    if metered is not None:
        return _by_record(evidence, findings, tariff, metered)
    if findings.sampled:
        return _by_samples(findings.sampled, "samples", findings)
    even = _even_timeline(evidence, findings, tariff)
    if not even:
        at_ms = evidence.authorisation.at_ms if evidence.authorisation else evidence.opened_at_ms
        even = segments_along(evidence, tariff, [(at_ms, 0), (at_ms + 1, billed_e4kwh)])
    return _by_samples(tuple(even), "even", findings)


def _no_energy(findings: Findings) -> tuple[Segment, ...] | None:
    return tuple(each.with_energy(0) for each in findings.sampled) if findings.sampled else None


def _lines_at_record_prices(record: Record | None) -> list[Line]:
    """Without a tariff the record's own summed price is all there is; a proposal, nothing more."""
    tiers = record.tiers if record is not None else ()
    return [
        Line(RATES[index], tier.energy_e4kwh, tier.price_e5 or 0, 0)
        for index, tier in enumerate(tiers)
        if tier.energy_e4kwh
    ]


def _record_split(findings: Findings, evidence: Evidence) -> dict[Rate, int] | None:
    """The record's energies per rate where they may be billed; ``None`` where the samples decide.

    With samples they must sum to the accepted energy, be what the samples show, and come from a trusted clock.
    Without samples there is nothing else: they are scaled to the accepted energy.
    """
    record, tariff = findings.record, findings.tariff
    if record is None or tariff is None:
        return None
    tiers = {RATES[i]: tier.energy_e4kwh for i, tier in enumerate(record.tiers) if tier.energy_e4kwh}
    total = sum(tiers.values())
    if any(rate not in tariff.prices_e5 for rate in tiers) or not total:
        return None
    if not findings.sampled:
        return _scaled_to(tiers, findings.energy_e4kwh)
    if not findings.has_clock or record.energy_e4kwh != findings.energy_e4kwh:
        return None
    if abs(total - record.energy_e4kwh) > SUM_E4KWH:
        return None
    seen, tolerance = sampled_by_rate(findings), evidence.tolerances.period(record.energy_e4kwh)
    if any(abs(tiers.get(rate, 0) - seen.get(rate, 0)) > tolerance for rate in {*tiers, *seen}):
        return None
    largest = max(tiers, key=lambda rate: tiers[rate])
    tiers[largest] += findings.energy_e4kwh - total
    return tiers


def _scaled_to(tiers: dict[Rate, int], energy_e4kwh: int) -> dict[Rate, int]:
    """Energies in proportion, rounded on their running sum so that they add up to the whole."""
    total, before, done, placed = sum(tiers.values()), 0, 0, {}
    for rate, energy in tiers.items():
        before += energy
        upto = share_half_up(energy_e4kwh, before, total)
        placed[rate], done = upto - done, upto
    return placed


def _by_record(evidence: Evidence, findings: Findings, tariff: Tariff, metered: dict[Rate, int]) -> Split:
    """Energies per rate of the record, laid over the session's timeline for campaigns and segments."""
    record = findings.record
    assert record is not None
    timeline = list(findings.sampled) or _even_timeline(evidence, findings, tariff)
    laid = spread(timeline, metered) if timeline else None
    is_supported = laid is not None and bool(findings.sampled)
    if laid is None and timeline:
        laid = _nearest(timeline, metered)
    if laid is None:
        lines = [
            Line(rate, loss_adjusted_e4kwh_half_up(kwh, tariff.loss_ratio_e4), *tariff.prices_e5[rate])
            for rate, kwh in sorted(metered.items())
            if kwh
        ]
        plain = {rate: (kwh, tariff.loss_ratio_e4) for rate, kwh in metered.items()}
        return Split(tuple(_with_recorded_losses(lines, record, plain)), None, "record", ())
    laid = [each for each in laid if each.energy_e4kwh or findings.sampled]
    lines = _with_recorded_losses(lines_of(laid), record, _plain(laid))
    segments = _billed_segments(laid, lines) if is_supported else None
    return Split(tuple(lines), None if segments is None else tuple(segments), "record", _campaigns(laid))


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


def _even_timeline(evidence: Evidence, findings: Findings, tariff: Tariff) -> list[Segment]:
    """Without samples: the record's own times, energy flowing evenly."""
    record = findings.record
    if record is None or not findings.times_hold:
        return []
    assert record.started_ms is not None
    assert record.ended_ms is not None
    if record.ended_ms <= record.started_ms:
        return []
    return segments_along(evidence, tariff, [(record.started_ms, 0), (record.ended_ms, findings.energy_e4kwh)])


def _by_samples(laid: tuple[Segment, ...], basis: str, findings: Findings | None = None) -> Split:
    lines = lines_of(list(laid))
    if findings is not None and findings.record is not None and findings.tariff is not None:
        lines = _with_recorded_losses(lines, findings.record, _plain(laid))
    segments = tuple(_billed_segments(list(laid), lines)) if basis == "samples" else None
    return Split(tuple(lines), segments, basis, _campaigns(list(laid)))


def _plain(laid: Sequence[Segment]) -> dict[Rate, tuple[int, int]]:
    """(energy before losses, loss ratio) of each rate."""
    found: dict[Rate, tuple[int, int]] = {}
    for each in laid:
        found[each.rate] = found.get(each.rate, (0, 0))[0] + each.energy_e4kwh, each.tariff.loss_ratio_e4
    return found


def _with_recorded_losses(lines: list[Line], record: Record, plain: dict[Rate, tuple[int, int]]) -> list[Line]:
    """The record's own loss-adjusted energy stands where it agrees with the tariff's ratio within 0.0002 kWh."""
    if not filled_losses(record):
        return lines
    rates = [line.rate for line in lines]
    kept = []
    for line in lines:
        rate = Rate(line.rate)  # type: ignore[arg-type]
        told, (energy, ratio_e4) = record.tiers[rate].loss_energy_e4kwh, plain[rate]
        if ratio_e4 and rates.count(line.rate) == 1 and agrees_with_losses(told, energy, ratio_e4):
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

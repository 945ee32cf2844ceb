"""What somebody who walks to a pile must know: where, when, what to read, and what each reading would come to."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from billing_core.decided import Undecidable, by_source
from billing_core.evidence import Evidence
from billing_core.findings import derive

_DAY_MS = 86_400_000
_AROUND_MS = 10 * 60_000  # the pile's screen pages by its own clock, which may be off


@dataclasses.dataclass(frozen=True, slots=True)
class Alternative:
    """A source of energy, and the bill that it would make."""

    source: str
    energy_e4kwh: int
    sure_percent: int
    amount_fen: int


@dataclasses.dataclass(frozen=True, slots=True)
class Errand:
    """An errand sheet.

    Attributes:
        from_ms, to_ms: when the charge took place by the gateway, else by its records of that day, ten minutes more on
            either side, Unix ms.
        meter_before_e4kwh, meter_after_e4kwh: where the register stood after the charge before and before the next.
        window_e4kwh: energies that the live data admit; ``None`` where nothing tells.
        deciding_e4kwh: halfway between the two best alternatives that differ: what the screen shows decides.
        records: serials of records that came for this charge.
    """

    transaction_id: str
    pile_id: str
    connector: int
    station: str
    from_ms: int
    to_ms: int
    meter_before_e4kwh: int | None
    meter_after_e4kwh: int | None
    window_e4kwh: tuple[int, int | None] | None
    alternatives: tuple[Alternative, ...]
    deciding_e4kwh: int | None
    records: tuple[str, ...]


def errand_for(evidence: Evidence) -> Errand:
    """The errand sheet of a charge."""
    findings = derive(evidence)
    seen = findings.seen
    from_ms = seen.t_start_ms if seen.t_start_ms is not None else evidence.opened_at_ms
    to_ms = seen.t_idle_ms or seen.t_end_ms or max((each.rx_ms for each in evidence.records), default=from_ms)
    if not seen.anchors:  # the records' own times are all there is to look by
        told = [each.started_ms for each in evidence.records if each.started_ms is not None]
        from_ms = min((at_ms for at_ms in told if 0 <= from_ms - at_ms <= _DAY_MS), default=from_ms)
    alternatives = []
    for source in findings.sources:
        try:
            amount_fen = by_source(evidence, source.name, revision=1).amount_fen
        except (Undecidable, ValueError):
            continue
        alternatives.append(Alternative(source.name, source.energy_e4kwh, source.percent, amount_fen))
    previous = evidence.previous
    return Errand(
        transaction_id=evidence.transaction_id,
        pile_id=evidence.pile.pile_id,
        connector=evidence.pile.connector,
        station=evidence.pile.station,
        from_ms=from_ms - _AROUND_MS,
        to_ms=max(to_ms, from_ms) + _AROUND_MS,
        meter_before_e4kwh=previous.meter_stop_e4kwh if previous is not None else None,
        meter_after_e4kwh=evidence.meter_start_next_e4kwh,
        window_e4kwh=findings.window,
        alternatives=tuple(alternatives),
        deciding_e4kwh=_deciding(alternatives),
        records=tuple(dict.fromkeys(each.serial for each in evidence.records)),
    )


def _deciding(alternatives: Sequence[Alternative]) -> int | None:
    """Halfway between the best alternative and the best one that says something else."""
    if not alternatives:
        return None
    first = alternatives[0].energy_e4kwh
    other = next((each.energy_e4kwh for each in alternatives if each.energy_e4kwh != first), None)
    return None if other is None else (first + other) // 2

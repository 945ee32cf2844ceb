"""What the gateway itself saw of a session: its ends, its energy over time, and the energies that this admits.

Source: docs/billing.md, derived values.
"""

from __future__ import annotations

from dataclasses import dataclass

from billing_core.evidence import Evidence, Record
from billing_core.fixed import share_half_up
from billing_core.samples import Sample, anchors_of, doubled_area, frozen_run, rests_behind, stitched

FROZEN_SAMPLES = 5
_FROZEN_CENTIWATT = 20_000  # 0.2 kW; 0.1 V × 0.1 A = 0.01 W
_CENTIWATT_MS = 36_000_000  # 0.01 W × ms in one unit of 0.1 Wh
_WATT_MS = 360_000  # W × ms in one unit of 0.1 Wh


@dataclass(frozen=True)
class Seen:
    """Derived from samples and proofs alone.

    Attributes:
        t_start_ms: the positive start answer, else the first sample; ``None`` without either.
        t_end_ms: when charging ended, ``None`` without samples; a lower bound unless ``is_end_observed``.
        t_idle_ms: the first proof behind the last sample that nothing charges; the present when there is none.
        anchors: (moment, cumulative energy) of the charging samples, stitched over a counter that restarted.
        has_reset: whether the counter ran back.
        is_stitched: whether the register bears out the stitching.
        frozen_from: index of the first sample of a run that stood still at the end while power flowed, or ``None``.
        has_frozen: whether any such run was seen.
        integral_e4kwh: voltage × current over time between the first and the last sample.
        charging: the charging samples, in order of arrival.
    """

    t_start_ms: int | None
    t_end_ms: int | None
    is_end_observed: bool
    t_idle_ms: int | None
    anchors: tuple[tuple[int, int], ...]
    has_reset: bool
    is_stitched: bool
    frozen_from: int | None
    has_frozen: bool
    integral_e4kwh: int
    charging: tuple[Sample, ...] = ()

    @property
    def last_ms(self) -> int | None:
        """The last charging sample's moment."""
        return self.anchors[-1][0] if self.anchors else None

    @property
    def last_e4kwh(self) -> int:
        """The last charging sample's energy; 0 without samples."""
        return self.anchors[-1][1] if self.anchors else 0

    @property
    def duration_ms(self) -> int | None:
        """From start to end, ``None`` without samples."""
        if self.t_start_ms is None or self.t_end_ms is None:
            return None
        return self.t_end_ms - self.t_start_ms

    def window(self, rated_w: int | None, half_e4kwh: int, arrival_ms: int = 0) -> tuple[int, int | None] | None:
        """(least, most) energy that the samples admit; ``None`` without samples, no upper bound without rated power."""
        if not self.anchors:
            return None
        at_ms, energy_e4kwh = self.anchors[-1 if self.frozen_from is None else self.frozen_from]
        if rated_w is None:
            return energy_e4kwh - half_e4kwh, None
        assert self.t_idle_ms is not None
        more_e4kwh = rated_w * (max(self.t_idle_ms - at_ms, 0) + arrival_ms) // _WATT_MS
        return energy_e4kwh - half_e4kwh, energy_e4kwh + more_e4kwh + half_e4kwh


def see(evidence: Evidence, half_e4kwh: int) -> Seen:
    """Put samples and proofs in order."""
    charging = evidence.charging
    last_ms = charging[-1].at_ms if charging else None
    behind = [] if last_ms is None else _proofs(evidence, last_ms)
    t_start_ms = _start(evidence, charging)
    t_end_ms, is_observed = _end(evidence, last_ms, behind)
    t_idle_ms = None if last_ms is None else _idle(evidence, last_ms, behind)
    anchors, has_reset = stitched(charging, half_e4kwh)
    is_stitched = has_reset and _register_agrees(evidence, anchors[-1], t_idle_ms, half_e4kwh)
    if has_reset and not is_stitched:
        anchors = anchors_of(charging)
    frozen_from, has_frozen = frozen_run(charging, FROZEN_SAMPLES, _FROZEN_CENTIWATT)
    return Seen(
        t_start_ms=t_start_ms,
        t_end_ms=t_end_ms,
        is_end_observed=is_observed,
        t_idle_ms=t_idle_ms,
        anchors=tuple(anchors),
        has_reset=has_reset,
        is_stitched=is_stitched,
        frozen_from=frozen_from,
        has_frozen=has_frozen,
        integral_e4kwh=share_half_up(doubled_area(charging), 1, 2 * _CENTIWATT_MS),
        charging=charging,
    )


def _start(evidence: Evidence, charging: tuple[Sample, ...]) -> int | None:
    """The first positive answer, else the first sample."""
    if evidence.start_accepted_at_ms is not None:
        return evidence.start_accepted_at_ms
    return charging[0].at_ms if charging else None


def _proofs(evidence: Evidence, last_ms: int) -> list[int]:
    """Moments behind the last sample at which the session was seen to be over, by itself or by a live record."""
    moments = rests_behind(evidence.samples, last_ms)
    if evidence.bms_end is not None and evidence.bms_end.at_ms > last_ms:
        moments.append(evidence.bms_end.at_ms)
    live_ms = last_ms + evidence.tolerances.live_ms
    return moments + [record.rx_ms for record in evidence.records if last_ms < record.rx_ms <= live_ms]


def _end(evidence: Evidence, last_ms: int | None, behind: list[int]) -> tuple[int | None, bool]:
    """(end, whether it was seen as it happened)."""
    if last_ms is None:
        return None, False
    live = [at_ms for at_ms in behind if at_ms <= last_ms + evidence.tolerances.live_ms]
    return (min(live), True) if live else (last_ms, False)


def _idle(evidence: Evidence, last_ms: int, behind: list[int]) -> int:
    """The earliest proof of any kind; without one, the present."""
    others = (evidence.login_at_ms, evidence.next_start_at_ms)
    moments = [at_ms for at_ms in others if at_ms is not None and at_ms > last_ms]
    return min([*behind, *moments], default=evidence.at_ms)


def _register_agrees(evidence: Evidence, last: tuple[int, int], t_idle_ms: int | None, half_e4kwh: int) -> bool:
    """Whether the chain, or a register pair that joins it, lies where the stitched readings say that it must."""
    former = evidence.previous.meter_stop_e4kwh if evidence.previous is not None else None
    following = evidence.meter_start_next_e4kwh
    differences = [
        record.meter_stop_e4kwh - record.meter_start_e4kwh
        for record in evidence.records
        if (former is not None and abs(record.meter_start_e4kwh - former) <= half_e4kwh)
        or (following is not None and abs(record.meter_stop_e4kwh - following) <= half_e4kwh)
    ]
    if former is not None and following is not None:
        differences.append(following - former)
    assert t_idle_ms is not None
    least = last[1] - half_e4kwh
    rated_w = evidence.pile.rated_w
    more_ms = max(t_idle_ms - last[0], 0) + evidence.tolerances.arrival_ms
    most = None if rated_w is None else last[1] + rated_w * more_ms // _WATT_MS + half_e4kwh
    return any(least <= difference and (most is None or difference <= most) for difference in differences)


def energy_at(anchors: tuple[tuple[int, int], ...], at_ms: int) -> int:
    """Energy of the newest sample at or before a moment; 0 before the first."""
    return max((energy for moment, energy in anchors if moment <= at_ms), default=0)


def is_live(evidence: Evidence, record: Record) -> bool:
    """Whether a record came within a minute of the last sample."""
    last_ms = evidence.charging[-1].at_ms if evidence.charging else None
    return last_ms is not None and last_ms < record.rx_ms <= last_ms + evidence.tolerances.live_ms

"""Where a session's energy may be taken from, in order of rank, and which source is accepted.

Source: rules E-3, E-5 and E-10, docs/billing.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from billing_core.evidence import Evidence, Record, Tier
from billing_core.fixed import share_half_up
from billing_core.samples import soc_ends
from billing_core.seen import Seen

_SCALES = ((1, 1000), (1, 100), (1, 10), (10, 1), (100, 1), (1000, 1))  # the smallest first
_PLACEHOLDER_E4KWH = 10_000  # a former register above 1 kWh tells a true zero from a written one
_FULL_SCALES_E4KWH = (10**9, 10**10, 10**11, 2**32, 2**40)  # 10^5, 10^6, 10^7 kWh, and counters of 32 and 40 bits

Window = tuple[int, "int | None"]


@dataclass(frozen=True)
class Source:
    """One value that the energy may be taken from, 0.1 Wh; ``percent`` says how sure it is."""

    rank: int
    name: str
    energy_e4kwh: int
    percent: int


@dataclass(frozen=True)
class Registers:
    """A record's registers as they are to be used.

    ``difference_e4kwh`` is ``None`` where they are missing or unusable.
    """

    difference_e4kwh: int | None
    is_rollover: bool = False
    is_rollback: bool = False
    is_placeholder: bool = False


def is_inside(energy_e4kwh: int, window: Window | None) -> bool:
    """Whether the samples admit an energy; they admit everything when there are none."""
    if window is None:
        return True
    least, most = window
    return energy_e4kwh >= least and (most is None or energy_e4kwh <= most)


# -- scale ----------------------------------------------------------------------------------------------


def scale_of(evidence: Evidence, record: Record, window: Window | None, half_e4kwh: int) -> tuple[int, int] | None:
    """The factor, as a fraction, by which a record is off; ``None`` when it is not.

    The samples must admit the energy after and not before, and the registers must bear it out: the former reading, or
    the record's own difference where rated power bounds the window, since any factor fits one without an upper bound.
    A record whose register begins where the former one ended has the right scale, whatever the samples say.
    """
    if window is None or is_inside(record.energy_e4kwh, window) or not record.has_registers:
        return None
    difference, previous = record.meter_stop_e4kwh - record.meter_start_e4kwh, evidence.previous
    if previous is not None and abs(record.meter_start_e4kwh - previous.meter_stop_e4kwh) <= half_e4kwh:
        return None
    for times, over in _SCALES:
        if not is_inside(share_half_up(record.energy_e4kwh, times, over), window):
            continue
        chains = previous is not None and (
            abs(times * record.meter_start_e4kwh - over * previous.meter_stop_e4kwh) <= half_e4kwh * over
        )
        moves = window[1] is not None and abs(times * (difference - record.energy_e4kwh)) <= half_e4kwh * over
        if chains or moves:
            return times, over
    return None


def scaled(record: Record, factor: tuple[int, int]) -> Record:
    """The record with energies, registers and amounts times a factor, half up."""

    def by(value: int) -> int:
        return share_half_up(value, *factor)

    tiers = tuple(
        Tier(tier.price_e5, by(tier.energy_e4kwh), by(tier.loss_energy_e4kwh), by(tier.amount_e4yuan))
        for tier in record.tiers
    )
    return dataclasses.replace(
        record,
        tiers=tiers,
        meter_start_e4kwh=by(record.meter_start_e4kwh),
        meter_stop_e4kwh=by(record.meter_stop_e4kwh),
        energy_e4kwh=by(record.energy_e4kwh),
        loss_energy_e4kwh=by(record.loss_energy_e4kwh),
        amount_e4yuan=by(record.amount_e4yuan),
    )


# -- registers ------------------------------------------------------------------------------------------


def registers_of(evidence: Evidence, record: Record, window: Window | None, half_e4kwh: int) -> Registers:
    """How far the register moved, over a full scale or from a zero that stands for the former reading."""
    if not record.has_registers:
        return Registers(None)
    start, stop = record.meter_start_e4kwh, record.meter_stop_e4kwh
    former = evidence.previous.meter_stop_e4kwh if evidence.previous is not None else None
    if start <= half_e4kwh and former is not None and former > _PLACEHOLDER_E4KWH and stop >= former - half_e4kwh:
        return Registers(stop - former, is_placeholder=True)
    if stop < start:
        for full in _FULL_SCALES_E4KWH:
            moved = stop + full - start
            if 100 * start > 99 * full and start < full and window is not None and is_inside(moved, window):
                return Registers(moved, is_rollover=True)
        if stop < start - half_e4kwh:
            return Registers(None, is_rollback=True)
    return Registers(stop - start)


def gap_of(evidence: Evidence, record: Record | None, start_ms: int | None) -> tuple[int, int] | None:
    """(start register minus the former stop, the most that use in between can explain), 0.1 Wh.

    ``None`` unless both registers are known.
    """
    former = evidence.previous
    if record is None or former is None or not record.has_registers:
        return None
    if start_ms is None:
        start_ms = record.started_ms if record.started_ms is not None else evidence.opened_at_ms
    between_ms = max(start_ms - former.stopped_ms, 0)
    most = max(_PLACEHOLDER_E4KWH, (evidence.pile.rated_w or 0) * between_ms // 360_000)
    return record.meter_start_e4kwh - former.meter_stop_e4kwh, most


def is_replaced(evidence: Evidence, record: Record | None, start_ms: int | None) -> bool:
    """Whether the register jumped between the former charge and this one, so that the chain is broken."""
    gap = gap_of(evidence, record, start_ms)
    return gap is not None and abs(gap[0]) > gap[1]


def chain_of(evidence: Evidence) -> int | None:
    """Next start minus former stop register, 0.1 Wh; ``None`` unless both are known."""
    if evidence.previous is None or evidence.meter_start_next_e4kwh is None:
        return None
    return evidence.meter_start_next_e4kwh - evidence.previous.meter_stop_e4kwh


def _is_chained(evidence: Evidence, record: Record, registers: Registers, half_e4kwh: int) -> bool:
    """Whether the record's registers join those of its neighbours on either side."""
    if registers.is_placeholder:
        return True
    previous, following = evidence.previous, evidence.meter_start_next_e4kwh
    joins_former = previous is not None and (abs(record.meter_start_e4kwh - previous.meter_stop_e4kwh) <= half_e4kwh)
    joins_next = following is not None and abs(record.meter_stop_e4kwh - following) <= half_e4kwh
    return joins_former or joins_next


# -- ranking --------------------------------------------------------------------------------------------


def record_sources(evidence: Evidence, record: Record, window: Window | None, half_e4kwh: int) -> list[Source]:
    """The sources in one record: ranks 1, 2 and 4."""
    registers = registers_of(evidence, record, window, half_e4kwh)
    energy, moved = record.energy_e4kwh, registers.difference_e4kwh
    found = []
    is_pair = moved is not None and abs(moved - energy) <= half_e4kwh
    if moved is not None and is_pair and _is_chained(evidence, record, registers, half_e4kwh):
        found.append(Source(1, "register_pair", moved, 97 if registers.is_placeholder else 99))
    elif is_pair:
        found.append(Source(2, "record_total", energy, 97))
    elif moved is not None and registers.is_placeholder and window is not None:
        found.append(Source(1, "register_pair", moved, 97))
    found.append(_alone(energy, moved, window, is_pair=is_pair, has_lost=_has_lost(evidence, record, half_e4kwh)))
    return [source for source in found if source.energy_e4kwh >= 0]


def _has_lost(evidence: Evidence, record: Record, half_e4kwh: int) -> bool:
    """Whether the record lost its energy although the samples had some."""
    return record.energy_e4kwh <= half_e4kwh and any(s.energy_e4kwh > half_e4kwh for s in evidence.charging)


def _alone(energy: int, moved: int | None, window: Window | None, *, is_pair: bool, has_lost: bool) -> Source:
    """The record's own value; where register and total disagree, the one that the samples admit, else the smaller."""
    alone = Source(4, "record_alone", energy, 90)
    is_choice = moved is not None and moved >= 0 and not is_pair and not has_lost
    if is_choice and moved is not None and is_inside(moved, window):
        return Source(4, "register_pair", moved, 90) if moved < energy or not is_inside(energy, window) else alone
    return alone


def all_sources(
    evidence: Evidence, record: Record | None, seen: Seen, window: Window | None, half: int
) -> list[Source]:
    """Every source there is, in order of rank."""
    found = record_sources(evidence, record, window, half) if record is not None else []
    chain = chain_of(evidence)
    if chain is not None and chain >= 0 and not _is_chain_broken(evidence, record, seen, window, half):
        found.append(Source(3, "register_chain", chain, 97))
    if seen.anchors:
        found.append(Source(5, "last_sample", seen.last_e4kwh, 90))
    if evidence.bms_end is not None:
        found.append(Source(6, "bms_total", max(evidence.bms_end.energy_e4kwh - 1_000, 0), 75))
    if seen.integral_e4kwh:
        found.append(Source(7, "vi_integral", share_half_up(seen.integral_e4kwh, 95, 100), 60))
    estimate = _by_soc(evidence)
    if estimate is not None:
        found.append(Source(8, "soc_estimate", estimate, 40))
    return sorted(found, key=lambda source: source.rank)


def _is_chain_broken(evidence: Evidence, record: Record | None, seen: Seen, window: Window | None, half: int) -> bool:
    """Whether the record shows that the registers on either side are not of one meter running forward."""
    if record is None:
        return False
    registers = registers_of(evidence, record, window, half)
    if registers.is_rollback or registers.is_rollover:
        return True
    return not registers.is_placeholder and is_replaced(evidence, record, seen.t_start_ms)


def _by_soc(evidence: Evidence) -> int | None:
    if evidence.nominal_e4kwh is None:
        return None
    first, last, count = soc_ends(evidence.charging)
    return share_half_up(evidence.nominal_e4kwh, last - first, 100) if count >= 2 and last >= first else None


def proves_zero(evidence: Evidence, record: Record | None, seen: Seen, half_e4kwh: int) -> bool:
    """Whether nothing was charged: no sample, and the register stood, or the record says so, or there is none."""
    if seen.anchors:
        return False
    chain = chain_of(evidence)
    if chain is not None and abs(chain) <= half_e4kwh:
        return True
    if record is None:
        return evidence.authorisation is not None and evidence.bms_end is None and not chain
    if record.energy_e4kwh == 0:
        return True
    return record.has_registers and abs(record.meter_stop_e4kwh - record.meter_start_e4kwh) <= half_e4kwh


# -- several records ------------------------------------------------------------------------------------


def choose_record(
    evidence: Evidence, records: Sequence[Record], window: Window | None, half_e4kwh: int
) -> tuple[int | None, bool]:
    """(which of the records is accepted, whether a person must choose).

    Of several different ones, that whose best source has the highest rank; a tie, or none that fits, is for a person.
    """
    if len(records) < 2:
        return (0 if records else None), False
    ranks = [_best_rank(evidence, record, window, half_e4kwh) for record in records]
    best = min((rank for rank in ranks if rank is not None), default=None)
    if best is None:
        return 0, True
    return ranks.index(best), ranks.count(best) > 1


def _best_rank(evidence: Evidence, record: Record, window: Window | None, half_e4kwh: int) -> int | None:
    fitting = [
        s.rank for s in record_sources(evidence, record, window, half_e4kwh) if is_inside(s.energy_e4kwh, window)
    ]
    return min(fitting, default=None)

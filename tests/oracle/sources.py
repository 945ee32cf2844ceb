"""E-3 and E-5: which energy is believed, and which record."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tests.oracle.case import Case
from tests.oracle.story import Record, Story, kwh

RECORD_RANKS = (1, 2, 4)


@dataclass(frozen=True)
class Source:
    rank: int
    name: str
    kwh: Fraction
    percent: int


@dataclass(frozen=True)
class Energy:
    """The accepted energy, where it comes from, and why a person must look, if so."""

    source: Source
    doubts: tuple[str, ...] = ()

    @property
    def kwh(self) -> Fraction:
        return self.source.kwh


def is_energy_lost(case: Case) -> bool:
    return case.rec is not None and case.n > 0 and case.rec.kwh <= case.r and case.energies[-1] > case.r


def is_rolled_back(case: Case) -> bool:
    return case.rec is not None and case.rec.stop < case.rec.start - case.r  # never so without registers


def chain_move(case: Case) -> Fraction | None:
    """Rank 3, where the chain holds."""
    if case.before is None or case.after is None or (case.is_replaced and not case.is_placeholder):
        return None
    return case.after - case.before


def from_registers(case: Case) -> list[Source]:
    """Ranks 1 and 2, or the mended placeholder."""
    rec = case.rec
    if is_rolled_back(case) or not rec.has_registers:
        return []
    if case.is_placeholder:
        return [Source(1, "register_pair", max(Fraction(0), rec.stop - case.before), 97)]
    if abs(rec.moved - rec.kwh) > case.r:
        return []
    is_anchored = (not case.is_replaced and case.before is not None and abs(rec.start - case.before) <= case.r) or (
        case.after is not None and abs(rec.stop - case.after) <= case.r
    )
    if is_anchored:
        return [Source(1, "register_pair", max(Fraction(0), rec.moved), 99)]
    return [Source(2, "record_total", rec.kwh, 97)]


def from_record_alone(case: Case) -> list[Source]:
    """Rank 4: registers say something else than the total."""
    rec = case.rec
    values = [rec.kwh]
    if is_rolled_back(case) or not rec.has_registers:
        return [Source(4, "record_alone", rec.kwh, 90)]
    if case.is_placeholder:
        is_consistent = abs(rec.stop - case.before - rec.kwh) <= case.r
    else:
        is_consistent = abs(rec.moved - rec.kwh) <= case.r
        values.append(max(Fraction(0), rec.moved))
    if is_consistent:
        return []
    fitting = [value for value in values if case.is_inside(value)]
    return [Source(4, "record_alone", min(fitting or values[:1]), 90)]


def candidates(case: Case) -> list[Source]:
    """Everything that states an energy, best first, whether it fits or not."""
    found: list[Source] = []
    is_lost = is_energy_lost(case)
    if case.rec is not None and not is_lost:
        found += from_registers(case)
    moved = chain_move(case)
    if moved is not None and moved >= 0 and not is_rolled_back(case):
        found.append(Source(3, "register_chain", moved, 97))
    if case.rec is not None and not is_lost:
        found += from_record_alone(case)
    if case.n:
        found.append(Source(5, "last_sample", case.energies[-1], 90))
    if case.story.bms_end is not None:
        lower = max(Fraction(0), Fraction(case.story.bms_end.energy_e1kwh, 10) - Fraction(1, 10))
        found.append(Source(6, "bms_total", lower, 75))
    return found


def is_proven_zero(case: Case) -> bool:
    """Never charged: no sample, and registers, chain or record say that nothing flowed."""
    if case.n:
        return False
    if case.rec is not None and case.rec.kwh == 0:
        return True
    if case.rec is not None and case.rec.has_registers and abs(case.rec.moved) <= case.r:
        return True
    moved = chain_move(case)
    return moved is not None and abs(moved) <= case.r


def is_idle_charge(case: Case) -> bool:
    """``zero_energy_with_time``: connected, but nothing flowed by any account."""
    if case.rec is None or case.rec.kwh > case.r or abs(case.rec.moved) > case.r:
        return False
    durations = [span for span in (case.d_gw, case.d_rec) if span is not None]
    return any(span >= 60_000 for span in durations) and all(value <= case.r for value in case.energies)


def accept(case: Case) -> Energy:
    """E-3 in full."""
    if is_proven_zero(case) or is_idle_charge(case):
        return Energy(Source(0, "zero", Fraction(0), 99))
    found = candidates(case)
    if not found and case.record is None:
        return Energy(Source(0, "zero", Fraction(0), 99))
    fitting = [source for source in found if case.is_inside(source.kwh)]
    if not fitting:
        return Energy(Source(9, "none", Fraction(0), 0), ("no source fits",))
    source, doubts = fitting[0], []
    if case.window is None and source.rank >= 4:
        doubts.append("no window, and no register to believe")
    if case.window is None and case.is_placeholder:
        doubts.append("no window for the mended start register")
    pair = next((source for source in found if source.rank == 1), None)
    moved = chain_move(case)
    if pair is not None and moved is not None and pair.kwh - moved > 2 * case.r:
        doubts.append("the pair exceeds the chain")
    if is_rolled_back(case) and case.rec is not None and source.rank > 5:
        doubts.append("registers ran back and nothing else fits")
    if case.factor is not None and source.percent > 97:
        source = Source(source.rank, source.name, source.kwh, 97)
    return Energy(source, tuple(doubts))


# --- several records ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chosen:
    """``apart`` are records that reuse the serial: another session, for a person, with a bill of its own."""

    record: Record | None
    codes: frozenset[str]
    doubts: tuple[str, ...] = ()
    apart: tuple[Record, ...] = ()


def choose(story: Story) -> Chosen:
    """E-5: retransmissions, reused serials, conflicting variants."""
    codes: set[str] = set()
    variants: list[Record] = []
    for record in sorted(story.records, key=lambda record: record.rx_ms):
        if any(record.payload == known.payload for known in variants):
            codes.add("record_duplicate_identical")
        else:
            variants.append(record)
    if len(variants) < 2:
        return Chosen(variants[0] if variants else None, frozenset(codes))
    first, r = variants[0], Case(story, variants[0]).r
    apart = tuple(other for other in variants[1:] if is_reuse(first, other, r))
    mine = [record for record in variants if record not in apart]
    if len(mine) == 1:
        return Chosen(first, frozenset(codes), (), apart)
    codes.add("record_duplicate_conflict")
    ranked = [(best_rank(story, record), record) for record in mine]
    admissible = [rank for rank, _ in ranked if rank is not None]
    if not admissible:
        return Chosen(first, frozenset(codes), ("no variant fits",), apart)
    best = [record for rank, record in ranked if rank == min(admissible)]
    return Chosen(best[0], frozenset(codes), ("several variants fit",) if len(best) > 1 else (), apart)


def is_reuse(first: Record, other: Record, r: Fraction) -> bool:
    start, stop = kwh(other.meter_start_e4kwh), kwh(first.meter_stop_e4kwh)
    if not (start or other.meter_stop_e4kwh) or not (stop or first.meter_start_e4kwh):
        return False
    if other.meter_stop_e4kwh < other.meter_start_e4kwh:
        return False  # no interval to lie apart
    return start >= stop - r and abs(start - kwh(first.meter_start_e4kwh)) > r


def best_rank(story: Story, record: Record) -> int | None:
    case = Case(story, record)
    ranks = [source.rank for source in candidates(case) if source.rank in RECORD_RANKS and case.is_inside(source.kwh)]
    return min(ranks, default=None)

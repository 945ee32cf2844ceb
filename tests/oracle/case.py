"""What follows from one story and one of its records before anything is judged: times, window, registers, scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from tests.oracle.rating import half_up
from tests.oracle.story import DAY_MS, HOUR_MS, Record, Sample, Story, kwh, yuan

TOL_CLOCK_MS = 180_000
LIVE_MS = 60_000
FACTORS = tuple(Fraction(*pair) for pair in ((1, 1000), (1, 100), (1, 10), (10, 1), (100, 1), (1000, 1)))
SCALE = Fraction(1)


@dataclass(frozen=True)
class Tier:
    """``lossy_kwh`` is the plain energy where the pile leaves all of them at zero."""

    price_e5: int
    kwh: Fraction
    lossy_kwh: Fraction
    amount: Fraction


@dataclass(frozen=True)
class Numbers:
    """The record's numbers after E-10, in kWh and yuan."""

    kwh: Fraction
    lossy_kwh: Fraction
    amount: Fraction
    start: Fraction
    stop: Fraction
    tiers: dict[str, Tier]
    has_losses: bool  # the pile fills the loss-adjusted energies

    @property
    def has_registers(self) -> bool:
        """Two zeros are the pile's way to have none."""
        return bool(self.start or self.stop)

    @property
    def moved(self) -> Fraction:
        return self.stop - self.start


def numbers(record: Record, factor: Fraction = SCALE) -> Numbers:
    def scaled(value: Fraction) -> Fraction:
        return half_up(value * factor, 4)

    is_filled = any(tier.loss_energy_e4kwh for tier in record.tiers.values())
    tiers = {
        rate: Tier(
            tier.price_e5,
            scaled(kwh(tier.energy_e4kwh)),
            scaled(kwh(tier.loss_energy_e4kwh if is_filled else tier.energy_e4kwh)),
            scaled(yuan(tier.amount_e4yuan)),
        )
        for rate, tier in record.tiers.items()
    }
    return Numbers(
        scaled(kwh(record.energy_e4kwh)),
        scaled(kwh(record.loss_energy_e4kwh)),
        scaled(yuan(record.amount_e4yuan)),
        scaled(kwh(record.meter_start_e4kwh)),
        scaled(kwh(record.meter_stop_e4kwh)),
        tiers,
        is_filled,
    )


def power_w(sample: Sample) -> Fraction:
    return Fraction(sample.voltage_dv * sample.current_da, 100)


class Case:
    """Every value of section 2, as a property of its own name."""

    def __init__(self, story: Story, record: Record | None) -> None:
        self.story = story
        self.record = record

    # --- registers and energies as measured ---

    @cached_property
    def r(self) -> Fraction:
        return Fraction(2, 10_000) if self.story.pile.register_decimals == 4 else Fraction(1, 100)

    @cached_property
    def rated_kw(self) -> Fraction:
        return Fraction(self.story.pile.rated_w, 1000)

    def rated_kwh(self, span_ms: int) -> Fraction:
        return self.rated_kw * Fraction(span_ms, HOUR_MS)

    @cached_property
    def before(self) -> Fraction | None:
        """The register at which the previous record of the connector stopped."""
        value = self.story.chain.previous_stop_e4kwh
        return None if value is None else kwh(value)

    @cached_property
    def after(self) -> Fraction | None:
        value = self.story.chain.next_start_e4kwh
        return None if value is None or not self.story.chain.is_unbroken else kwh(value)

    # --- samples ---

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        return tuple(sorted(self.story.samples, key=lambda sample: sample.rx_ms))

    @property
    def n(self) -> int:
        return len(self.samples)

    @cached_property
    def drops(self) -> list[int]:
        """Indices of samples at which the counter fell."""
        values = [kwh(sample.energy_e4kwh) for sample in self.samples]
        return [i for i in range(1, self.n) if values[i] < values[i - 1] - self.r]

    @cached_property
    def energies(self) -> list[Fraction]:
        """Cumulative energy of each sample, stitched over resets when the chain agrees."""
        plain = [kwh(sample.energy_e4kwh) for sample in self.samples]
        if not self.drops:
            return plain
        stitched, lost = [], Fraction(0)
        for i, value in enumerate(plain):
            if i in self.drops:
                lost += plain[i - 1]
            stitched.append(value + lost)
        window = self._window(stitched)
        return stitched if any(window[0] <= moved <= window[1] for moved in self._chain_moves()) else plain

    def _chain_moves(self) -> list[Fraction]:
        moves = []
        if self.before is not None and self.after is not None:
            moves.append(self.after - self.before)
        if self.record is not None:
            raw = numbers(self.record)
            if raw.has_registers and self.is_anchored(raw.start, raw.stop):
                moves.append(raw.moved)
        return moves

    def is_anchored(self, start: Fraction, stop: Fraction) -> bool:
        return (self.before is not None and abs(start - self.before) <= self.r) or (
            self.after is not None and abs(stop - self.after) <= self.r
        )

    @cached_property
    def frozen(self) -> list[tuple[int, int]]:
        """Runs (first, last) of at least five equal samples that drew more than 0.2 kW."""
        runs, first = [], 0
        for i in range(1, self.n + 1):
            is_same = i < self.n and all(
                power_w(sample) > 200 and sample.energy_e4kwh == self.samples[first].energy_e4kwh
                for sample in (self.samples[i], self.samples[i - 1])
            )
            if not is_same:
                if i - first >= 5:
                    runs.append((first, i - 1))
                first = i
        return runs

    # --- instants ---

    @cached_property
    def accepted_reply_ms(self) -> int | None:
        return min((reply.rx_ms for reply in self.story.start_replies if reply.is_accepted), default=None)

    @cached_property
    def t_start(self) -> int | None:
        if self.accepted_reply_ms is not None:
            return self.accepted_reply_ms
        return self.samples[0].rx_ms if self.n else None

    @cached_property
    def t_last(self) -> int | None:
        return self.samples[-1].rx_ms if self.n else None

    @cached_property
    def _ends(self) -> list[int]:
        """Live receipts of what may mark the end: BMS end frame, first non-charging sample, record."""
        rx = [proof.rx_ms for proof in self.story.proofs if proof.is_sample]
        rx += [record.rx_ms for record in self.story.records]
        rx += [self.story.bms_end.rx_ms] if self.story.bms_end else []
        return [at_ms for at_ms in rx if self.t_last < at_ms <= self.t_last + LIVE_MS]

    @cached_property
    def is_end_observed(self) -> bool:
        return bool(self.n and self._ends)

    @cached_property
    def t_end(self) -> int | None:
        return min(self._ends, default=self.t_last) if self.n else None

    @cached_property
    def t_idle(self) -> int:
        if not self.n:
            return self.story.judged_at_ms
        rx = [proof.rx_ms for proof in self.story.proofs]
        rx += [self.story.bms_end.rx_ms] if self.story.bms_end else []
        rx += [record.rx_ms for record in self.story.records if record.rx_ms <= self.t_last + LIVE_MS]
        rx += [self.story.chain.next_start_at_ms] if self.story.chain.next_start_at_ms is not None else []
        return min((at_ms for at_ms in rx if at_ms > self.t_last), default=self.story.judged_at_ms)

    # --- the window ---

    def _window(self, energies: list[Fraction]) -> tuple[Fraction, Fraction]:
        from_ms = self.t_last
        if self.frozen and self.frozen[-1][1] == self.n - 1:
            from_ms = self.samples[self.frozen[-1][0]].rx_ms
        return energies[-1] - self.r, energies[-1] + self.rated_kwh(self.t_idle - from_ms) + self.r

    @cached_property
    def window(self) -> tuple[Fraction, Fraction] | None:
        return self._window(self.energies) if self.n else None

    def is_inside(self, value: Fraction) -> bool:
        """Undefined windows admit everything."""
        return self.window is None or self.window[0] <= value <= self.window[1]

    # --- the record after scale and rollover ---

    @cached_property
    def factor(self) -> Fraction | None:
        """The decimal error of the record, if there is one."""
        if self.record is None or self.window is None:
            return None
        raw = numbers(self.record)
        if self.is_inside(raw.kwh):
            return None
        if raw.has_registers and self.before is not None and abs(raw.start - self.before) <= self.r:
            return None  # ruling 92
        for factor in FACTORS:
            is_chained = self.before is not None and abs(factor * raw.start - self.before) <= self.r
            is_consistent = raw.has_registers and abs(factor * raw.moved - factor * raw.kwh) <= self.r
            if self.is_inside(factor * raw.kwh) and (is_chained or is_consistent):
                return factor
        return None

    @cached_property
    def scaled(self) -> Numbers | None:
        return None if self.record is None else numbers(self.record, self.factor or SCALE)

    @cached_property
    def full_scale(self) -> Fraction | None:
        """Where the register started again during the charge, if it did."""
        if self.scaled is None or self.window is None or self.scaled.stop >= self.scaled.start:
            return None
        for full in map(kwh, self.story.pile.full_scales_e4kwh):
            is_near = Fraction(99, 100) * full < self.scaled.start <= full
            if is_near and self.is_inside(self.scaled.stop + full - self.scaled.start):
                return full
        return None

    @cached_property
    def rec(self) -> Numbers | None:
        """The record's numbers that every predicate sees."""
        if self.full_scale is None:
            return self.scaled
        return replace(self.scaled, stop=self.scaled.stop + self.full_scale)

    @cached_property
    def is_placeholder(self) -> bool:
        return (
            self.rec is not None
            and self.before is not None
            and self.rec.start <= self.r
            and self.before > 1
            and self.rec.stop >= self.before - self.r
        )

    @cached_property
    def is_replaced(self) -> bool:
        if self.rec is None or self.before is None or not self.rec.has_registers:
            return False
        return abs(self.rec.start - self.before) > self.replacement_bound

    @cached_property
    def replacement_bound(self) -> Fraction:
        since_ms = self.story.chain.previous_stop_at_ms
        hours_ms = 0 if since_ms is None else max(0, self.begun_ms - since_ms)
        return max(Fraction(1), self.rated_kwh(hours_ms))

    @cached_property
    def begun_ms(self) -> int:
        """The best known start: the gateway's, else the authorisation's, else the record's own or its arrival."""
        if self.t_start is not None:
            return self.t_start
        if self.story.authorisation is not None:
            return self.story.authorisation.at_ms
        if self.record is None:
            return self.story.judged_at_ms
        is_usable = self.has_both_times and self.ts < self.te <= self.record.rx_ms + TOL_CLOCK_MS
        return self.ts if is_usable else self.record.rx_ms

    # --- pile times ---

    @cached_property
    def ts(self) -> int | None:
        return None if self.record is None else self.record.started.at_ms

    @cached_property
    def te(self) -> int | None:
        return None if self.record is None else self.record.ended.at_ms

    @cached_property
    def has_both_times(self) -> bool:
        return self.ts is not None and self.te is not None

    @cached_property
    def start_offset(self) -> int | None:
        return None if self.ts is None or self.t_start is None or not self.n else self.ts - self.t_start

    @cached_property
    def end_offset(self) -> int | None:
        return None if self.te is None or self.t_end is None else self.te - self.t_end

    @cached_property
    def end_drift(self) -> int | None:
        """The record's end against the gateway's; an end that was not seen lies anywhere up to the proof of rest."""
        if self.end_offset is None or self.is_end_observed or self.end_offset < -TOL_CLOCK_MS:
            return self.end_offset
        beyond = self.te - self.t_idle
        return beyond if beyond > TOL_CLOCK_MS else 0

    @cached_property
    def agrees(self) -> bool:
        offsets = (self.start_offset, self.end_offset)
        return all(offset is not None and abs(offset) <= TOL_CLOCK_MS for offset in offsets)

    @cached_property
    def is_synced(self) -> bool:
        """The newest sync answer of the day before the order says that the clock is right."""
        auth = self.story.authorisation
        order_ms = self.begun_ms if auth is None else auth.at_ms
        recent = [sync for sync in self.story.syncs if order_ms - DAY_MS <= sync[0] <= order_ms]
        return bool(recent) and abs(max(recent)[1]) <= TOL_CLOCK_MS

    @cached_property
    def is_trusted(self) -> bool:
        return self.is_synced or self.agrees

    # --- durations and tolerances ---

    @cached_property
    def d_rec(self) -> int | None:
        return self.te - self.ts if self.has_both_times else None

    @cached_property
    def d_gw(self) -> int | None:
        return self.t_end - self.t_start if self.n else None

    @cached_property
    def tol_duration_ms(self) -> int:
        return max(120_000, 2 * self.story.pile.sample_period_s * 1000)

    @cached_property
    def shown(self) -> Fraction | None:
        if self.story.posted is not None:
            return Fraction(self.story.posted.total_fen, 100)
        published = self.story.published_amount_e4yuan
        if self.story.station.live_amount_source == "gateway" and published is not None:
            return yuan(published)
        if self.n:
            return yuan(self.samples[-1].amount_e4yuan)
        return None if self.rec is None else self.rec.amount

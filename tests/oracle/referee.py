"""The referee: one story in, one verdict out. The order of the rules is the order of this file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from tests.oracle import catalogue, predicates
from tests.oracle.amounts import Priced, amount_codes, is_consistent_with_own_price
from tests.oracle.case import Case
from tests.oracle.occupancy import Occupied, occupancy_fee
from tests.oracle.rating import (
    Charge,
    Payable,
    apply_order,
    borne_by_operator,
    charge,
    half_up,
    interval_cost,
    with_losses,
)
from tests.oracle.sources import Energy, Source, accept, choose
from tests.oracle.story import DAY_MS, MINUTE_MS, Record, Story
from tests.oracle.tariffs import Price, Segment, cheapest_touched, in_force, interpolate, split
from tests.oracle.times import DISTRUST, Times, bill_times

ZERO = Fraction(0)
ELSEWHERE = "the record names another connector"
SUM_TOLERANCE = Fraction(4, 10_000)


@dataclass(frozen=True)
class Verdict:
    """Everything that two implementations must agree on."""

    codes: frozenset[str]
    primary: str | None
    explained: frozenset[str]
    source: str
    energy: Fraction  # accepted
    billed: Fraction  # what the customer is charged for; less only after an ignored stop
    amount: Fraction  # the charging total: B-1, or what the pile showed where the station favours that
    times: Times
    split_basis: str  # "record" or "samples"
    charge: Charge
    payable: Payable
    occupied: Occupied | None
    borne_by_operator: Fraction
    confidence: Mapping[str, int]
    is_gate_passed: bool
    doubts: tuple[str, ...]
    apart: tuple[Record, ...]  # reused the serial; each is a proposal of its own
    decision: str
    status: str

    @property
    def percent(self) -> int:
        return min(self.confidence.values())


# --- connector ------------------------------------------------------------------------------------------------


def rebound(story: Story) -> tuple[Story, bool, tuple[str, ...]]:
    """``record_wrong_connector``: take samples and chain of the connector that really charged, if they fit."""
    auth, other = story.authorisation, story.other
    if auth is None or not story.records or story.records[0].connector == auth.connector:
        return story, False, ()
    if other is None or story.samples or not other.samples or story.records[0].connector != other.connector:
        return story, False, (ELSEWHERE,)
    moved = replace(story, samples=other.samples, proofs=other.proofs, chain=other.chain)
    record = choose(moved).record
    case = Case(moved, record)
    joins = [(case.before, case.rec.start), (case.after, case.rec.stop)]
    fits_chain = all(known is None or abs(own - known) <= case.r for known, own in joins)
    if fits_chain and case.is_inside(case.rec.kwh):
        return moved, True, ()
    return story, False, (ELSEWHERE,)


# --- price ----------------------------------------------------------------------------------------------------


def bound_price(case: Case) -> Price:
    """E-6."""
    story = case.story
    if story.station.binding == "by_time":
        return Price(story.station.zone, story.tariffs, story.campaigns)
    at_ms = story.authorisation.at_ms if story.authorisation is not None else case.begun_ms
    return Price(story.station.zone, story.tariffs, story.campaigns, in_force(story.tariffs, at_ms))


def versions_of(case: Case, price: Price) -> tuple:
    if price.locked is not None:
        return (price.locked,)
    first = price.version(case.begun_ms)
    end_ms = case.t_end if case.n else case.story.judged_at_ms
    later = [tariff for tariff in price.tariffs if case.begun_ms < tariff.valid_from_ms < end_ms]
    return (first, *later)


def is_tariff_changed(case: Case) -> bool:
    start_ms, end_ms = case.t_start, case.t_end
    if not case.n:
        if case.record is None or not predicates.is_in_order(case):
            return False
        start_ms, end_ms = case.ts, case.te
    return any(start_ms < tariff.valid_from_ms < end_ms for tariff in case.story.tariffs)


# --- E-4 ------------------------------------------------------------------------------------------------------


def anchors_of(case: Case, accepted: Fraction) -> list[tuple[int, Fraction]]:
    anchors = [(sample.rx_ms, energy) for sample, energy in zip(case.samples, case.energies, strict=True)]
    if case.t_start <= anchors[0][0]:
        anchors.insert(0, (case.t_start, ZERO))
    if case.t_end > case.t_last:
        anchors.append((case.t_end, accepted))
    return anchors


def sampled_segments(case: Case, price: Price, accepted: Fraction) -> list[Segment]:
    """Segments by the gateway's clock, the tail of a lower bound priced at the cheapest rate."""
    anchors = anchors_of(case, accepted)
    tail = accepted - case.energies[-1] if case.t_end == case.t_last else ZERO
    if tail <= 0:
        return split(price, anchors, case.t_end, accepted)
    terms = cheapest_touched(price, case.t_last, case.t_last + 30_000)
    body = split(price, anchors, case.t_end, accepted - tail)
    return [*body, Segment(case.t_end, case.t_end, terms, tail)]


def sums_by_rate(segments: list[Segment]) -> dict[str, Fraction]:
    sums: dict[str, Fraction] = {}
    for segment in segments:
        sums[segment.terms.rate] = sums.get(segment.terms.rate, ZERO) + segment.kwh
    return sums


def is_record_split_usable(case: Case, accepted: Fraction, codes: set[str], segments) -> bool:
    """The four conditions of E-4, and one rate must have one price."""
    rec = case.rec
    if rec is None or rec.kwh != accepted:
        return False
    if abs(sum((tier.kwh for tier in rec.tiers.values()), ZERO) - rec.kwh) > SUM_TOLERANCE:
        return False
    if segments is None:
        return True  # nothing else to split by
    keys = {(segment.terms.rate, segment.terms.key) for segment in segments}
    has_one_price = len(keys) == len({rate for rate, _ in keys})
    is_trusted = case.is_trusted and not codes & DISTRUST
    return is_trusted and has_one_price and "tou_split_mismatch" not in codes


def record_parts(case: Case, price: Price, accepted: Fraction, segments, times: Times) -> list:
    """(terms, kWh) by the record's rates, summing to the accepted energy."""
    energies = {rate: tier.kwh for rate, tier in case.rec.tiers.items() if tier.kwh > 0}
    if not energies:
        return []
    largest = max(energies, key=lambda rate: energies[rate])
    energies[largest] += accepted - sum(energies.values(), ZERO)
    parts = []
    for rate, energy in energies.items():
        known = next((segment.terms for segment in segments or () if segment.terms.rate == rate), None)
        if known is None and segments is None:
            parts += spread(price, rate, energy, times)
        else:
            parts.append((known or price.terms_of(rate, case.begun_ms), energy))
    return parts


def spread(price: Price, rate: str, energy: Fraction, times: Times) -> list:
    """Without samples: a rate's energy spread evenly over the time of that rate."""
    start_ms, end_ms = times.start_ms, times.end_ms
    if end_ms is None or end_ms <= start_ms:
        return [(price.terms_of(rate, start_ms), energy)]
    borders = [start_ms, *price.boundaries(start_ms, end_ms), end_ms]
    stretches = [(a, b) for a, b in pairwise(borders) if price.rate(a) == rate]
    whole = sum(b - a for a, b in stretches)
    if not whole:
        return [(price.terms_of(rate, start_ms), energy)]
    parts, done, passed = [], ZERO, 0
    for a, b in stretches:
        passed += b - a
        reached = half_up(energy * Fraction(passed, whole), 4)
        parts.append((price.terms(a), reached - done))
        done = reached
    return parts


def evenly(case: Case, price: Price, accepted: Fraction, times: Times) -> list:
    """Without samples and without a usable record: evenly over the bill's time, as a proposal."""
    start_ms = times.start_ms
    if times.end_ms is None or times.end_ms <= start_ms:
        return [(price.terms(start_ms), accepted)]
    segments = split(price, [(start_ms, ZERO), (times.end_ms, accepted)], times.end_ms, accepted)
    return [(segment.terms, segment.kwh) for segment in segments]


def to_charge(case: Case, parts: list) -> Charge:
    """Lines with losses: the record's lossy energy only where one line carries the whole rate."""
    ratios = {tariff.model_no: tariff.loss_ratio for tariff in case.story.tariffs}
    plain = charge([(terms, energy, energy) for terms, energy in parts])
    rates = [line.terms.rate for line in plain.lines]
    reported = {}
    if case.rec is not None:
        reported = {rate: case.rec.tiers[rate].lossy_kwh for rate in case.rec.tiers if rates.count(rate) == 1}
    if case.rec is not None and not case.rec.has_losses:
        reported = {}
    return charge(
        [
            (line.terms, line.kwh, with_losses(line.kwh, ratios[line.terms.version], reported.get(line.terms.rate)))
            for line in plain.lines
        ]
    )


# --- the verdict ----------------------------------------------------------------------------------------------


def judge(story: Story) -> Verdict:
    """All rules, in order."""
    story, is_rebound, rebind_doubts = rebound(story)
    chosen = choose(story)
    case = Case(story, chosen.record)
    energy = accept(case)
    is_elsewhere = is_rebound or bool(rebind_doubts)
    codes = set(chosen.codes) | predicates.time_codes(case) | predicates.record_codes(case, is_elsewhere)
    price = bound_price(case)
    loss_ratio = price.version(case.begun_ms).loss_ratio
    codes |= predicates.energy_codes(case, loss_ratio) | predicates.occupancy_codes(case)
    if case.rec is not None and energy.kwh <= case.r and case.rec.amount > 0:
        energy = Energy(Source(0, "zero", ZERO, 99), energy.doubts)  # amount_without_energy bills nothing
    accepted = energy.kwh
    codes |= predicates.stop_codes(case) | start_failure(case, accepted)
    times = bill_times(case, codes, energy)
    segments = sampled_segments(case, price, accepted) if case.n else None
    sampled = None if segments is None else sums_by_rate(segments)
    versions = versions_of(case, price)
    first = Priced(accepted, Charge(()), versions, sampled, is_tariff_changed(case))
    codes |= amount_codes(case, first) & {"tou_split_mismatch"}
    parts, basis = billed_parts(case, price, energy, codes, segments, times)
    charged = to_charge(case, parts)
    whole = to_charge(case, billed_parts(case, price, energy, codes - {"stop_ignored"}, segments, times)[0])
    codes |= amount_codes(case, replace(first, charge=whole))
    if chosen.record is not None and not material(codes) and (predicates.lateness(case) or 0) > 30_000:
        codes.add("late_upload")
    doubts = chosen.doubts + rebind_doubts
    verdict = conclude(case, energy, frozenset(codes), times, basis, charged, doubts, is_rebound)
    return replace(verdict, apart=chosen.apart)


def material(codes: set[str]) -> set[str]:
    return {code for code in codes if catalogue.SEVERITY[code] != "i"}


def start_failure(case: Case, accepted: Fraction) -> set[str]:
    story, replies = case.story, case.story.start_replies
    has_failed = bool(replies) and case.accepted_reply_ms is None
    if case.record is not None and case.record.stop_code in predicates.START_FAILURES:
        has_failed = True
    hold = story.authorisation.hold_fen if story.authorisation is not None else 0
    charged = hold > 0 or (story.posted is not None and story.posted.total_fen > 0)
    charged = charged or (case.rec is not None and case.rec.amount > 0)
    return {"start_failed_billed"} if has_failed and accepted == 0 and charged else set()


def billed_parts(case: Case, price: Price, energy: Energy, codes: set[str], segments, times: Times):
    accepted = energy.kwh
    if accepted == 0:
        return [], "record" if case.record is not None else "samples"
    if "stop_ignored" in codes:
        limit_ms = case.story.stop_acknowledged_ms + MINUTE_MS
        if limit_ms < case.t_end:
            anchors = anchors_of(case, accepted)
            reached = min(accepted, half_up(interpolate(anchors, limit_ms), 4))
            stopped = split(price, anchors, limit_ms, reached)
            return [(segment.terms, segment.kwh) for segment in stopped], "samples"
    if is_record_split_usable(case, accepted, codes, segments):
        return record_parts(case, price, accepted, segments, times), "record"
    if segments is not None:
        return [(segment.terms, segment.kwh) for segment in segments], "samples"
    return evenly(case, price, accepted, times), "samples"


def fen(value: int | None) -> Fraction | None:
    return None if value is None else Fraction(value, 100)


def conclude(case, energy, codes, times, basis, charged, doubts, is_rebound) -> Verdict:
    """Order of application, gate, confidence, decision, status."""
    story, station, auth = case.story, case.story.station, case.story.authorisation
    billed = sum((line.kwh for line in charged.lines), ZERO)
    occupied = occupancy(case)
    amount = charged.total
    if station.favour_display and "rounding_drift" in codes:
        amount = min(amount, half_up(case.rec.amount, 2))
    payable = apply_order(
        amount,
        charged.service_fee,
        kwh=billed,
        start_fee=fen(station.start_fee_fen),
        minimum=fen(station.minimum_fen),
        maximum=fen(station.maximum_fen),
        coupon=story.coupon,
        occupancy=occupied.fee if occupied is not None else ZERO,
    )
    total = payable.charging
    excess, may_bear = ZERO, True
    if auth is not None and auth.balance_fen is not None:
        highest = max((line.terms.unit_price for line in charged.lines), default=ZERO)
        one_interval = interval_cost(case.rated_kw, story.pile.sample_period_s, highest)
        excess, may_bear = borne_by_operator(total, fen(auth.balance_fen), one_interval)
    confidence = {
        "energy": energy.source.percent,
        "time": times.percent,
        "tariff": 99 if auth is not None and auth.has_snapshot else 90,
        "identity": identity(case, is_rebound, codes),
    }
    doubts = (*doubts, *energy.doubts, *human_reasons(case, codes, times, total, may_bear, occupied))
    is_passed = total == 0 if case.shown is None else total <= case.shown + max(Fraction(1, 2), case.shown / 50)
    needs_gate = story.posted is not None or is_grave(codes)
    decision = decide(codes, min(confidence.values()), is_passed or not needs_gate, doubts)
    is_consistent = case.rec is not None and is_consistent_with_own_price(case)
    hidden = catalogue.explained(set(codes), is_consistent)
    return Verdict(
        codes,
        catalogue.primary(set(codes), hidden),
        frozenset(hidden),
        energy.source.name,
        energy.kwh,
        billed,
        amount,
        times,
        basis,
        charged,
        payable,
        occupied,
        excess,
        confidence,
        is_passed,
        doubts,
        (),
        decision,
        status_of(decision, codes, payable, energy.kwh),
    )


def occupancy(case: Case) -> Occupied | None:
    rules = case.story.station.occupancy
    if rules is None or case.t_end is None:
        return None
    return occupancy_fee(rules, case.t_end, predicates.observed_unplug_ms(case), list(case.story.free_windows_ms))


def identity(case: Case, is_rebound: bool, codes: frozenset[str]) -> int:
    if case.story.authorisation is None:
        return 30
    if is_rebound or "serial_mismatch_stream" in codes:
        return 97
    if case.record is not None and case.record.connector != case.story.authorisation.connector:
        return 30
    return 99


def human_reasons(case: Case, codes, times: Times, total: Fraction, may_bear: bool, occupied) -> list[str]:
    story, reasons = case.story, []
    auth, record = story.authorisation, case.record
    if "serial_mismatch_stream" in codes and (auth is None or record.serial != auth.serial):
        reasons.append("samples and record name different orders")
    if not may_bear:
        reasons.append("far above the prepaid money")
    if occupied is not None and occupied.is_for_a_person:
        reasons.append("occupied longer than the guard")
    is_repair = story.posted is not None or is_grave(codes)
    end_ms = case.t_end if case.n else times.end_ms or times.start_ms
    if is_repair and story.judged_at_ms - end_ms > 90 * DAY_MS:
        reasons.append("older than 90 days")
    if story.posted is not None and Fraction(story.posted.total_fen, 100) - total > 200:
        reasons.append("a repair down by more than 200 yuan")
    return reasons


def decide(codes, percent: int, is_passed: bool, doubts) -> str:
    """E-9."""
    kinds = {catalogue.DECISION[code] for code in codes}
    if doubts or "H" in kinds or not is_passed or percent < 85:
        return "human"
    return "auto" if percent >= 95 and "F" not in kinds else "favour"


def status_of(decision: str, codes, payable: Payable, accepted: Fraction) -> str:
    if decision == "human":
        return "review"
    if accepted == 0 and payable.payable == 0:
        return "void"
    if decision == "favour":
        return "provisional"
    return "repaired" if is_grave(codes) else "normal"


def is_grave(codes) -> bool:
    return any(catalogue.SEVERITY[code] in "MC" for code in codes)

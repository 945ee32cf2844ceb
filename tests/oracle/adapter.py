"""A story as the engine's evidence, and the engine's bill in the oracle's words: the one file that knows both."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from billing_core import evidence as engine
from billing_core.bill import Bill
from billing_core.issue import issue_bill
from billing_core.occupancy import OccupancyTerms
from billing_core.tariff import RATE_NAMES, Campaign, Rate, Tariff, TariffBook
from billing_core.tolerances import Tolerances
from gateway.site import zone_of
from protocol.dialects.ykc_codes import stop_kind
from tests.oracle import catalogue, predicates
from tests.oracle.case import Case
from tests.oracle.rating import RATES
from tests.oracle.referee import ELSEWHERE, Verdict, judge
from tests.oracle.sources import choose
from tests.oracle.story import DAY_MS, HOUR_MS, Record, Story

BINDINGS = {"at_start": "session_start", "by_time": "instant"}
UNSEEN = {"record_duplicate_identical", "discount_misapplied"}  # the engine is not told of what shows these


def tariff_of(tariff) -> Tariff:
    return Tariff(
        tariff.model_no,
        tariff.valid_from_ms,
        ("*",),
        {Rate(RATE_NAMES.index(rate)): prices for rate, prices in tariff.prices_e5.items()},
        tuple((start, end, Rate(RATE_NAMES.index(rate))) for start, end, rate in tariff.slots),
        int(tariff.loss_ratio * 10_000),
    )


def campaign_of(campaign) -> Campaign:
    window = (campaign.valid_from_ms, campaign.valid_to_ms)
    return Campaign(campaign.id, campaign.component, int(campaign.factor * 10_000), *window, ("*",))


def record_of(record: Record) -> engine.Record:
    tiers = [record.tiers.get(rate) for rate in RATES[:4]]
    return engine.Record(
        rx_ms=record.rx_ms,
        serial=record.serial,
        pile_id="55031412782305",
        connector=record.connector,
        started_ms=record.started.at_ms,
        started_fault=record.started.fault,
        started_time_of_day_ms=record.started.time_of_day_ms,
        ended_ms=record.ended.at_ms,
        ended_fault=record.ended.fault,
        ended_time_of_day_ms=record.ended.time_of_day_ms,
        traded_ms=None,
        tiers=tuple(
            engine.Tier(0, 0, 0, 0)
            if tier is None
            else engine.Tier(tier.price_e5, tier.energy_e4kwh, tier.loss_energy_e4kwh, tier.amount_e4yuan)
            for tier in tiers
        ),
        meter_start_e4kwh=record.meter_start_e4kwh,
        meter_stop_e4kwh=record.meter_stop_e4kwh,
        energy_e4kwh=record.energy_e4kwh,
        loss_energy_e4kwh=record.loss_energy_e4kwh,
        amount_e4yuan=record.amount_e4yuan,
        vin=record.vin,
        card_uid=None,
        start_channel="app",
        stop_code=record.stop_code,
        stop_text_en="",
        stop_text_zh="",
        content_hash=hashlib.sha256(repr(record.payload).encode()).hexdigest(),
        stop_kind=stop_kind(record.stop_code),
    )


def states_of(samples, proofs) -> tuple[engine.Sample, ...]:
    states = [
        engine.Sample(
            sample.rx_ms,
            sample.energy_e4kwh,
            sample.amount_e4yuan,
            sample.voltage_dv,
            sample.current_da,
            sample.soc_percent,
            True,
            sample.is_plugged,
        )
        for sample in samples
    ]
    states += [
        engine.Sample(proof.rx_ms, 0, 0, 0, 0, 0, False, proof.is_plugged) for proof in proofs if proof.is_sample
    ]
    return tuple(sorted(states, key=lambda state: state.at_ms))


def previous_of(story: Story, chain) -> engine.ChainLink | None:
    if chain.previous_stop_e4kwh is None:
        return None
    before, at_ms = story.previous, chain.previous_stop_at_ms
    return engine.ChainLink(
        transaction_id="before",
        meter_start_e4kwh=chain.previous_stop_e4kwh if before is None else before.meter_start_e4kwh,
        meter_stop_e4kwh=chain.previous_stop_e4kwh,
        started_ms=at_ms if before is None else before.started_ms,
        stopped_ms=at_ms,
        account=None if before is None else before.account,
        was_unplugged=True if before is None else before.is_unplugged_between,
    )


def sync_of(story: Story) -> int | None:
    order_ms = story.authorisation.at_ms if story.authorisation is not None else Case(story, None).begun_ms
    recent = [sync for sync in story.syncs if order_ms - DAY_MS <= sync[0] <= order_ms]
    return max(recent)[1] if recent else None


def distinct(records) -> list[Record]:
    found: list[Record] = []
    for record in sorted(records, key=lambda record: record.rx_ms):
        if all(record.payload != known.payload for known in found):
            found.append(record)
    return found


def evidence_of(story: Story) -> engine.Evidence:
    """What the gateway would hand to the engine."""
    auth, other = story.authorisation, story.other
    moved = other is not None and any(record.connector == other.connector for record in story.records)
    source = other if moved else story
    case = Case(story, None)
    apart = choose(story).apart  # the session keeps these out of this order's evidence
    last_ms = max((sample.rx_ms for sample in source.samples), default=None)
    replies = story.start_replies
    logins = [p.rx_ms for p in source.proofs if p.kind == "login" and (last_ms is None or p.rx_ms > last_ms)]
    serials = {sample.serial for sample in source.samples if sample.serial not in (None, story.serial)}
    rules = story.station.occupancy
    connector = auth.connector if auth is not None else story.records[0].connector if story.records else 1
    return engine.Evidence(
        transaction_id=story.serial,
        order_no="20260303103000000001",
        pile=engine.PileFacts(
            "55031412782305",
            connector,
            "demo",
            "ykc-1.6",
            story.pile.rated_w,
            story.pile.commissioned_ms,
            story.pile.register_decimals,
            story.pile.price_decimals,
        ),
        authorisation=None
        if auth is None
        else engine.Authorisation(auth.at_ms, "app", auth.balance_fen or 0, None, None, auth.account),
        start_channel="app",
        opened_at_ms=case.begun_ms,
        start_accepted_at_ms=case.accepted_reply_ms,
        refusal_code=1 if replies and case.accepted_reply_ms is None else None,
        samples=states_of(source.samples, source.proofs),
        records=tuple(record_of(record) for record in distinct(story.records) if record not in apart),
        tariffs=TariffBook(tuple(map(tariff_of, story.tariffs)), tuple(map(campaign_of, story.campaigns))),
        tariff_binding=BINDINGS[story.station.binding],
        zone=zone_of(story.station.zone),
        at_ms=story.judged_at_ms,
        tolerances=Tolerances(
            sample_period_ms=story.pile.sample_period_s * 1000,
            amount_line_e4yuan=100 if story.pile.amount_decimals == 2 else 1,
        ),
        stream_serial=min(serials, default=None),
        sample_connector=other.connector if moved and other.samples else None,
        login_at_ms=min(logins, default=None),
        next_start_at_ms=source.chain.next_start_at_ms,
        link_lost_at_ms=min(story.link_lost_ms, default=None),
        bms_end=None
        if story.bms_end is None
        else engine.BmsEnd(story.bms_end.rx_ms, story.bms_end.soc_percent or 0, story.bms_end.energy_e1kwh * 1000),
        nominal_e4kwh=None if story.battery_e1kwh is None else story.battery_e1kwh * 1000,
        vins=tuple(dict.fromkeys(vin for _, vin in story.vins)),
        previous=previous_of(story, source.chain),
        meter_start_next_e4kwh=source.chain.next_start_e4kwh if source.chain.is_unbroken else None,
        clock_offset_ms=sync_of(story),
        was_closed_early="order_closed_early" in predicates.stop_codes(case),
        stop_ordered_at_ms=story.stop_acknowledged_ms,
        stop_accepted_at_ms=story.stop_acknowledged_ms,
        has_parallel=story.is_parallel,
        has_concurrent=story.has_open_order_elsewhere,
        occupancy=None
        if rules is None
        else OccupancyTerms(
            rules.grace_min,
            rules.grace_mode == "threshold",
            int(rules.price_per_min * 100_000),
            None if rules.cap is None else int(rules.cap * 100),
            (),
            rules.max_hours,
        ),
        unplugged_at_ms=unplugged(Case(replace(story, samples=source.samples, proofs=source.proofs), None)),
        is_occupancy_over=is_stay_over(Case(replace(story, samples=source.samples, proofs=source.proofs), None)),
        claimed_leave_ms=story.claimed_leave_ms,
        former=None if story.posted is None else engine.Former(story.posted.total_fen, story.posted.is_substitute),
    )


def is_stay_over(case: Case) -> bool:
    """Too late to see the cable pulled: the next car is here, or the guard hours are over."""
    rules, now_ms = case.story.station.occupancy, case.story.judged_at_ms
    if rules is None or case.t_end is None:
        return False
    next_ms = case.story.chain.next_start_at_ms
    return now_ms - case.t_end >= rules.max_hours * HOUR_MS or (next_ms is not None and next_ms <= now_ms)


def unplugged(case: Case) -> int | None:
    """The cable seen out behind the end."""
    if case.t_end is None:
        return None
    seen = [p.rx_ms for p in case.story.proofs if p.is_sample and p.is_plugged is False and p.rx_ms >= case.t_end]
    return min(seen, default=None)


# --- what is compared -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """The part of a bill on which both must agree."""

    status: str
    codes: frozenset[str]
    primary: str | None
    energy_e4kwh: int
    amount_fen: int
    energy_fee_fen: int
    lines: tuple[tuple, ...]
    started_ms: int | None
    ended_ms: int | None
    borne_fen: int
    occupancy_fen: int
    percent: int


def bill_of(story: Story) -> Bill:
    return issue_bill(evidence_of(story), revision=1)


def outcome_of_bill(bill: Bill) -> Outcome:
    lines = tuple(
        (RATE_NAMES[line.rate], line.energy_e4kwh, line.energy_price_e5, line.service_price_e5) for line in bill.lines
    )
    borne = -sum(each.amount_fen for each in bill.adjustments if each.kind == "operator_borne")
    return Outcome(
        bill.status,
        frozenset(anomaly.code for anomaly in bill.anomalies) - UNSEEN,
        bill.primary_anomaly,
        bill.energy_e4kwh,
        bill.amount_fen,
        bill.total.energy_fee_fen,
        tuple(sorted(lines)),
        bill.started_at_ms,
        bill.ended_at_ms,
        borne,
        sum(each.amount_fen for each in bill.adjustments if each.kind == "occupancy"),
        bill.confidence_percent,
    )


def outcome_of_verdict(verdict: Verdict) -> Outcome:
    lines = tuple(
        (
            line.terms.rate,
            int(line.billed_kwh * 10_000),
            int(line.terms.energy_price * 100_000),
            int(line.terms.service_price * 100_000),
        )
        for line in verdict.charge.lines
        if line.kwh
    )
    return Outcome(
        verdict.status,
        verdict.codes - UNSEEN,
        catalogue.primary(set(verdict.codes - UNSEEN), set(verdict.explained)),
        int(verdict.billed * 10_000),
        int(verdict.amount * 100),
        int(verdict.charge.energy_fee * 100),
        tuple(sorted(lines)),
        verdict.times.start_ms,
        verdict.times.end_ms,
        int(verdict.borne_by_operator * 100),
        int(verdict.payable.occupancy * 100),
        verdict.percent,
    )


def both(story: Story) -> tuple[Outcome, Outcome]:
    """(the oracle's, the engine's), each without what is only a person's proposal."""
    verdict = judge(story)
    pair = outcome_of_verdict(verdict), outcome_of_bill(bill_of(story))
    if {outcome.status for outcome in pair} != {"review"}:
        return pair
    if ELSEWHERE in verdict.doubts:  # which samples the proposal rests on is the session's choice
        return tuple(replace(NOTHING, codes=outcome.codes & {"record_wrong_connector"}) for outcome in pair)
    money = {"amount_fen": 0, "energy_fee_fen": 0, "lines": (), "started_ms": None, "ended_ms": None}
    less = {} if story.samples else money
    return tuple(replace(outcome, borne_fen=0, percent=0, **less) for outcome in pair)


NOTHING = Outcome("review", frozenset(), None, 0, 0, 0, (), None, None, 0, 0, 0)

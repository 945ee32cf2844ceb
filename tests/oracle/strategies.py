"""Hypothesis strategies: sites, honest charging sessions, and sessions with faults laid over them.

``stories()`` draws anything; ``clean_stories()`` only what a healthy pile would tell.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.oracle import mishaps
from tests.oracle.rating import half_up
from tests.oracle.story import (
    DAY_MS,
    HOUR_MS,
    Authorisation,
    BmsEnd,
    Chain,
    Pile,
    PileTime,
    Proof,
    Record,
    Sample,
    StartReply,
    Station,
    Story,
    Tier,
)
from tests.oracle.tariffs import Campaign, Price, Tariff, in_force, local, split

ZONES = ("Asia/Shanghai", "Asia/Shanghai", "Europe/Berlin")
RATES = ("sharp", "peak", "flat", "valley")
COMMISSIONED_MS = round(datetime(2024, 6, 1, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) * 1000
DAYS = tuple((2026, month, day) for month, day in ((1, 1), (3, 3), (3, 29), (6, 30), (10, 25), (12, 31)))


@st.composite
def slot_tables(draw):
    """The civil day cut at a few half hours."""
    cuts = sorted(draw(st.sets(st.integers(1, 47), min_size=1, max_size=7)))
    borders = [0, *(cut * 30 for cut in cuts), 1440]
    rates = draw(st.lists(st.sampled_from(RATES), min_size=len(borders) - 1, max_size=len(borders) - 1))
    return tuple(zip(borders, borders[1:], rates, strict=False))


@st.composite
def tariffs(draw, model_no="0100", valid_from_ms=0):
    energy = st.integers(0, 200_000)
    prices = {rate: (draw(energy), draw(st.integers(0, 100_000))) for rate in RATES}
    loss = draw(st.sampled_from((0, 0, 0, 0, 3, 8)))
    return Tariff(model_no, valid_from_ms, draw(slot_tables()), prices, Fraction(loss, 100))


@st.composite
def campaigns(draw, around_ms, number):
    offsets = st.integers(-90, 90)
    start_ms = around_ms + draw(offsets) * 60_000
    return Campaign(
        f"campaign-{number}",
        draw(st.sampled_from(("service", "service", "energy", "both"))),
        Fraction(draw(st.sampled_from((5, 5, 8, 9, 0))), 10),
        start_ms,
        start_ms + draw(st.integers(1, 180)) * 60_000,
    )


def power_steps(draw, rated_w: int, count: int) -> list[int]:
    level = st.sampled_from([rated_w * share // 100 for share in (100, 93, 85, 71, 60, 47, 33, 12, 3, 0)])
    return [draw(level) for _ in range(count)]


@st.composite
def clean_stories(draw):
    """A car comes, charges and leaves; the record is the pile's honest sum."""
    zone = draw(st.sampled_from(ZONES))
    year, month, day = draw(st.sampled_from(DAYS))
    midnight = round(datetime(year, month, day, tzinfo=ZoneInfo(zone)).timestamp()) * 1000
    t_auth = midnight + draw(st.integers(0, 24 * 3600 - 1)) * 1000 + draw(st.sampled_from((0, 0, 437)))
    pile = Pile(
        rated_w=draw(st.sampled_from((7_000, 60_000, 120_000))),
        commissioned_ms=COMMISSIONED_MS,
        register_decimals=draw(st.sampled_from((2, 4))),
    )
    versions = [draw(tariffs())]
    if draw(st.integers(0, 3)) == 0:
        begins = t_auth + draw(st.integers(-30, 60)) * 60_000
        versions.append(draw(tariffs("0200", begins)))
    binding = draw(st.sampled_from(("at_start", "at_start", "at_start", "by_time")))
    offers = tuple(draw(campaigns(t_auth, i)) for i in range(draw(st.sampled_from((0, 0, 0, 1, 2)))))
    return draw(charged(t_auth, pile, Station(zone, binding), tuple(versions), offers))


@st.composite
def charged(draw, t_auth, pile, station, versions, offers):
    """The session itself: reply, samples, end, record."""
    t_reply = t_auth + draw(st.integers(1, 20)) * 1000
    period_ms = draw(st.sampled_from((15_000, 15_000, 60_000, 300_000)))
    count = draw(st.integers(1, 14))
    tail_ms = draw(st.integers(1, 14)) * 1000
    spans = [draw(st.integers(1, 15)) * 1000] + [period_ms] * (count - 1) + [tail_ms]
    curve, total = [(t_reply, 0)], 0
    powers = power_steps(draw, pile.rated_w, len(spans))
    for span_ms, power_w in zip(spans, powers, strict=True):
        total += power_w * span_ms // 360_000
        curve.append((curve[-1][0] + span_ms, total))
    t_fin = curve[-1][0]
    locked = None if station.binding == "by_time" else in_force(versions, t_auth)
    price = Price(station.zone, versions, offers, locked)
    samples = live_samples(price, curve, powers)
    t_record = t_fin + draw(st.integers(2, 20)) * 1000
    chain, registers = draw(register_chains(t_auth, total, pile.register_decimals))
    serial = f"5503141278230501{local(t_auth, station.zone):%y%m%d%H%M%S}0001"
    record = replace(honest_record(replace(price, campaigns=()), curve, registers, t_record), serial=serial)
    bms = BmsEnd(t_fin + 1000, total // 1000, samples[-1].soc_percent) if draw(st.booleans()) else None
    proofs = (Proof(t_fin + 1500, "idle", draw(st.sampled_from((True, True, None)))),) if draw(st.booleans()) else ()
    return Story(
        judged_at_ms=t_record,
        serial=serial,
        serial_time_ms=t_auth // 1000 * 1000,
        tariffs=versions,
        authorisation=Authorisation(t_auth, serial),
        pile=pile,
        station=station,
        campaigns=offers,
        start_replies=(StartReply(t_reply, True),),
        samples=samples,
        proofs=proofs,
        bms_end=bms,
        records=(record,),
        chain=chain,
        syncs=draw(st.sampled_from(((), ((t_auth - 3 * HOUR_MS, 2000),), ((t_auth - 3 * HOUR_MS, 400_000),)))),
    )


def live_samples(price: Price, curve, powers) -> tuple[Sample, ...]:
    """What the screen showed: energy and its price so far."""
    samples, amount = [], Fraction(0)
    for i in range(1, len(curve) - 1):
        (at_ms, energy), power_w = curve[i], powers[i - 1]
        amount += Fraction(energy - curve[i - 1][1], 10_000) * price.terms(at_ms).net_price
        shown = int(half_up(amount, 4) * 10_000)
        soc = min(99, 20 + energy // 10_000)
        samples.append(Sample(at_ms, energy, shown, 4000, power_w * 100 // 4000, soc))
    return tuple(samples)


@st.composite
def register_chains(draw, t_auth, total, decimals):
    """The meter before and after, cut to the decimals the pile shows."""
    step = 10 ** (4 - decimals)
    true_start = draw(st.sampled_from((0, 1, 123_456, 98_765_432, 400_000_001))) + draw(st.integers(0, 99_999))
    start, stop = true_start // step * step, (true_start + total) // step * step
    knows_before, knows_after = draw(st.sampled_from(((True, False), (True, True), (False, False), (False, True))))
    chain = Chain(
        start if knows_before else None,
        t_auth - draw(st.integers(1, 48)) * HOUR_MS if knows_before else None,
        stop if knows_after else None,
        t_auth + 2 * DAY_MS if knows_after else None,
    )
    return chain, (start, stop)


def honest_record(price: Price, curve, registers, t_record: int) -> Record:
    """Energy per rate by the pile's clock, each amount half up to 4 decimals."""
    t_reply, t_fin, total = curve[0][0], curve[-1][0], curve[-1][1]
    anchors = [(at_ms, Fraction(energy, 10_000)) for at_ms, energy in curve]
    per_rate: dict[str, tuple[int, Fraction]] = {}
    for segment in split(price, anchors, t_fin, Fraction(total, 10_000)):
        unit_e5 = int(segment.terms.unit_price * 100_000)
        known = per_rate.get(segment.terms.rate, (unit_e5, Fraction(0)))
        per_rate[segment.terms.rate] = (known[0], known[1] + segment.kwh)
    ratio = 1 + price.version(t_reply).loss_ratio
    tiers = {}
    for rate, (unit_e5, energy) in per_rate.items():
        lossy = half_up(energy * ratio, 4)
        amount = half_up(lossy * Fraction(unit_e5, 100_000), 4)
        tiers[rate] = Tier(unit_e5, int(energy * 10_000), int(lossy * 10_000), int(amount * 10_000))
    return Record(
        rx_ms=t_record,
        serial="",
        started=PileTime(t_reply // 1000 * 1000),
        ended=PileTime(t_fin // 1000 * 1000),
        tiers=tiers,
        meter_start_e4kwh=registers[0],
        meter_stop_e4kwh=registers[1],
        energy_e4kwh=total,
        loss_energy_e4kwh=sum(tier.loss_energy_e4kwh for tier in tiers.values()),
        amount_e4yuan=sum(tier.amount_e4yuan for tier in tiers.values()),
    )


@st.composite
def stories(draw, most=3):
    """An honest session with up to so many faults."""
    story = draw(clean_stories())
    for fault in draw(st.lists(st.sampled_from(mishaps.ALL), max_size=most, unique=True)):
        story = fault(draw, story)
    return story

"""Faults: each takes a drawing hand and a story, and gives the story back with one thing wrong."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import strategies as st

from tests.oracle.rating import half_up
from tests.oracle.story import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Neighbour,
    OtherConnector,
    PileTime,
    Posted,
    Proof,
    Record,
    StartReply,
    Story,
    Tier,
)

OFFSETS_MS = tuple(
    sign * seconds * 1000 for sign in (1, -1) for seconds in (60, 170, 190, 400, 1800, 3600, 28_800, 259_200)
)
ALL = []


def fault(function):
    ALL.append(function)
    return function


def on_record(story: Story, **changes) -> Story:
    """Change the last record, if there is one."""
    if not story.records:
        return story
    return replace(story, records=(*story.records[:-1], replace(story.records[-1], **changes)))


def shifted(time: PileTime, offset_ms: int) -> PileTime:
    return time if time.at_ms is None else replace(time, at_ms=time.at_ms + offset_ms)


def with_tiers(record: Record, tiers: dict[str, Tier], **changes) -> Record:
    """A record whose totals follow its tiers."""
    sums = {
        "energy_e4kwh": sum(tier.energy_e4kwh for tier in tiers.values()),
        "loss_energy_e4kwh": sum(tier.loss_energy_e4kwh for tier in tiers.values()),
        "amount_e4yuan": sum(tier.amount_e4yuan for tier in tiers.values()),
    }
    return replace(record, tiers=tiers, **{**sums, **changes})


def scaled_tier(tier: Tier, factor: Fraction) -> Tier:
    energies = (int(tier.energy_e4kwh * factor), int(tier.loss_energy_e4kwh * factor))
    return Tier(tier.price_e5, *energies, int(tier.amount_e4yuan * factor))


# --- clocks ---


@fault
def clock_off(draw, story):
    offset, wobble = draw(st.sampled_from(OFFSETS_MS)), draw(st.sampled_from((0, 0, 30_000, 70_000, 130_000)))
    if not story.records:
        return story
    record = story.records[-1]
    return on_record(story, started=shifted(record.started, offset), ended=shifted(record.ended, offset + wobble))


@fault
def clock_stepped(draw, story):
    if not story.records:
        return story
    end = draw(st.sampled_from(("started", "ended")))
    return on_record(story, **{end: shifted(getattr(story.records[-1], end), draw(st.sampled_from(OFFSETS_MS)))})


@fault
def dates_missing(draw, story):
    if not story.records:
        return story
    record, changes = story.records[-1], {}
    for end in draw(st.sampled_from((("started",), ("ended",), ("started", "ended")))):
        at_ms = getattr(record, end).at_ms
        has_time = draw(st.booleans()) and at_ms is not None and story.station.zone == "Asia/Shanghai"
        of_day = (at_ms + 8 * HOUR_MS) % DAY_MS if has_time else 0
        fault = draw(st.sampled_from(("zero_date", "zero_date", "invalid_field")))
        changes[end] = PileTime(None, fault, of_day if fault == "zero_date" else None)
    return on_record(story, **changes)


@fault
def clock_reset(draw, story):
    if not story.records:
        return story
    base = draw(st.sampled_from((0, 946_684_800_000, 1_577_836_800_000)))
    record = story.records[-1]
    if record.started.at_ms is None or record.ended.at_ms is None:
        return story
    took = record.ended.at_ms - record.started.at_ms
    ended = record.ended if draw(st.integers(0, 3)) == 0 else PileTime(base + 60_000 + took)
    return on_record(story, started=PileTime(base + 60_000), ended=ended)


@fault
def ends_wrong(draw, story):
    if not story.records:
        return story
    record = story.records[-1]
    if draw(st.booleans()):
        return on_record(story, started=record.ended, ended=record.started)
    return on_record(story, ended=record.started)


# --- presence ---


@fault
def record_never_comes(draw, story):
    last = story.samples[-1].rx_ms if story.samples else story.authorisation.at_ms if story.authorisation else None
    if last is None:
        return story
    waited = draw(st.sampled_from((5, 29, 31, 60, 13 * 60, 3000))) * MINUTE_MS
    chain = story.chain
    if chain.next_start_at_ms is not None:
        chain = replace(chain, next_start_at_ms=last + waited)
    return replace(story, records=(), judged_at_ms=last + waited + 60_000, chain=chain)


@fault
def record_late(draw, story):
    if not story.records:
        return story
    delay = draw(st.sampled_from((40_000, 600_000, 1_900_000, 2 * DAY_MS, 95 * DAY_MS)))
    record = replace(story.records[-1], rx_ms=story.records[-1].rx_ms + delay)
    posted = story.posted
    if story.samples and delay > 1_800_000 and draw(st.booleans()):
        shown = story.samples[-1]
        posted = Posted(max(0, shown.amount_e4yuan // 100 + draw(st.integers(-60, 60))), shown.energy_e4kwh, True)
    return replace(story, records=(*story.records[:-1], record), judged_at_ms=record.rx_ms, posted=posted)


@fault
def link_lost(draw, story):
    """The last samples and what would have shown the end are gone."""
    if len(story.samples) < 2:
        return story
    kept = draw(st.integers(1, len(story.samples) - 1))
    lost_ms = story.samples[kept - 1].rx_ms + 5000
    login_ms = story.samples[-1].rx_ms + draw(st.sampled_from((5000, 90_000, 900_000)))
    return replace(
        story,
        samples=story.samples[:kept],
        proofs=(Proof(login_ms, "login"),),
        bms_end=None,
        link_lost_ms=(lost_ms,),
        judged_at_ms=max(story.judged_at_ms, login_ms),
    )


@fault
def sent_again(draw, story):
    if not story.records:
        return story
    again = replace(story.records[-1], rx_ms=story.records[-1].rx_ms + 30_000)
    kind = draw(st.sampled_from(("same", "energy", "register", "amount", "next")))
    if kind == "energy":
        more = draw(st.sampled_from((50, 5_000, 900_000)))
        again = replace(again, energy_e4kwh=again.energy_e4kwh + more, meter_stop_e4kwh=again.meter_stop_e4kwh + more)
    if kind == "register":
        again = replace(again, meter_stop_e4kwh=again.meter_stop_e4kwh + 20_000)
    if kind == "amount":
        again = replace(again, amount_e4yuan=again.amount_e4yuan + 12_345)
    if kind == "next":
        took = again.meter_stop_e4kwh - again.meter_start_e4kwh
        again = replace(again, meter_start_e4kwh=again.meter_stop_e4kwh, meter_stop_e4kwh=again.meter_stop_e4kwh + took)
    return replace(story, records=(*story.records, again), judged_at_ms=max(story.judged_at_ms, again.rx_ms))


@fault
def orphan(draw, story):
    keeps = draw(st.booleans())
    samples = story.samples if keeps else ()
    serial = "0" * 32 if draw(st.booleans()) else story.serial
    records = tuple(replace(record, serial=serial) for record in story.records)
    if not records and not samples:
        return story
    return replace(story, authorisation=None, serial=serial, start_replies=(), samples=samples, records=records)


@fault
def samples_missing(draw, story):
    """Nobody saw the charge, or there was none."""
    story = replace(story, samples=(), bms_end=None, proofs=())
    if not story.records or draw(st.booleans()):
        return story
    tiers = {rate: Tier(tier.price_e5, 0, 0, 0) for rate, tier in story.records[-1].tiers.items()}
    record = with_tiers(story.records[-1], tiers, meter_stop_e4kwh=story.records[-1].meter_start_e4kwh)
    return replace(story, records=(*story.records[:-1], record))


@fault
def start_refused(draw, story):
    if story.authorisation is None:
        return story
    replies = (StartReply(story.authorisation.at_ms + 3000, False),)
    if draw(st.booleans()):
        replies += story.start_replies
    return on_record(replace(story, start_replies=replies), stop_code=draw(st.sampled_from((0x4A, 0x57, 0x64))))


@fault
def wrong_connector(draw, story):
    if story.authorisation is None or not story.records:
        return story
    records = tuple(replace(record, connector=2) for record in story.records)
    if draw(st.integers(0, 3)) == 0:
        return replace(story, records=records)
    other = OtherConnector(2, story.samples, story.proofs, story.chain)
    return replace(story, records=records, samples=(), proofs=(), other=other)


@fault
def neighbours(draw, story):
    at_ms = story.samples[0].rx_ms if story.samples else story.judged_at_ms
    stop = story.chain.previous_stop_e4kwh
    gap = draw(st.sampled_from((30_000, 200_000, -90_000)))
    known = draw(st.sampled_from((0, 0, 300, 40_000)))
    return replace(
        story,
        previous=Neighbour(
            account=draw(st.sampled_from(("account", "somebody"))),
            started_ms=at_ms - HOUR_MS,
            ended_ms=at_ms - gap,
            meter_start_e4kwh=None if stop is None else stop - 50_000,
            meter_stop_e4kwh=None if stop is None else stop + known,
            is_unplugged_between=draw(st.booleans()),
        ),
    )


# --- registers and energy ---


@fault
def energy_zero(draw, story):
    if not story.records:
        return story
    tiers = {rate: Tier(tier.price_e5, 0, 0, 0) for rate, tier in story.records[-1].tiers.items()}
    record = with_tiers(story.records[-1], tiers)
    if draw(st.booleans()):
        record = replace(record, meter_stop_e4kwh=record.meter_start_e4kwh)
    return replace(story, records=(*story.records[:-1], record))


@fault
def totals_differ(draw, story):
    if not story.records:
        return story
    delta = draw(st.sampled_from((-30_000, -500, -3, 2, 5, 150, 30_000)))
    record = story.records[-1]
    field = draw(st.sampled_from(("energy_e4kwh", "meter_stop_e4kwh")))
    return on_record(story, **{field: max(0, getattr(record, field) + delta)})


@fault
def meter_odd(draw, story):
    if not story.records:
        return story
    record = story.records[-1]
    start, stop = record.meter_start_e4kwh, record.meter_stop_e4kwh
    kind = draw(st.sampled_from(("back", "zero", "lifetime", "moved", "gap", "rollover", "small")))
    if kind == "back":
        return on_record(story, meter_start_e4kwh=stop, meter_stop_e4kwh=start)
    if kind == "zero":
        return on_record(story, meter_start_e4kwh=0)
    if kind == "lifetime":
        return on_record(story, meter_start_e4kwh=0, energy_e4kwh=stop)
    if kind == "rollover":
        full, took = story.pile.full_scale_e4kwh, stop - start
        chain = story.chain
        if chain.previous_stop_e4kwh is not None:
            chain = replace(chain, previous_stop_e4kwh=full - took // 2)
        story = replace(story, chain=replace(chain, next_start_e4kwh=None))
        return on_record(story, meter_start_e4kwh=full - took // 2, meter_stop_e4kwh=took - took // 2)
    by = {"moved": 7_000_000, "gap": 5000, "small": -5000}[kind]
    return on_record(story, meter_start_e4kwh=max(0, start + by), meter_stop_e4kwh=max(0, stop + by))


@fault
def decimal_wrong(draw, story):
    if not story.records:
        return story
    factor = draw(
        st.sampled_from((Fraction(1, 1000), Fraction(1, 100), Fraction(1, 10), *map(Fraction, (10, 100, 1000))))
    )
    record = story.records[-1]
    tiers = {rate: scaled_tier(tier, factor) for rate, tier in record.tiers.items()}
    start, stop = record.meter_start_e4kwh, record.meter_stop_e4kwh
    if draw(st.booleans()):
        start, stop = int(start * factor), int(stop * factor)
    record = with_tiers(record, tiers, meter_start_e4kwh=start, meter_stop_e4kwh=stop)
    return replace(story, records=(*story.records[:-1], record))


@fault
def split_wrong(draw, story):
    if not story.records:
        return story
    record = story.records[-1]
    tiers = dict(record.tiers)
    rate = draw(st.sampled_from(sorted(tiers)))
    kind = draw(st.sampled_from(("drop", "move", "more")))
    tier = tiers[rate]
    if kind == "move":
        other = draw(st.sampled_from(("sharp", "peak", "flat", "valley")))
        if other not in tiers:
            tiers[other] = tier
            tiers[rate] = Tier(tier.price_e5, 0, 0, 0)
    elif kind == "drop":
        tiers[rate] = Tier(tier.price_e5, 0, 0, 0)
    else:
        tiers[rate] = replace(tier, energy_e4kwh=tier.energy_e4kwh + draw(st.sampled_from((3, 5, 900, 20_000))))
    return on_record(story, tiers=tiers)


@fault
def losses_wrong(draw, story):
    if not story.records:
        return story
    record = story.records[-1]
    rate = draw(st.sampled_from(sorted(record.tiers)))
    more = draw(st.sampled_from((1, 2, 3, 500)))
    tier = replace(record.tiers[rate], loss_energy_e4kwh=record.tiers[rate].loss_energy_e4kwh + more)
    return on_record(story, tiers={**record.tiers, rate: tier})


# --- money ---


@fault
def price_wrong(draw, story):
    if not story.records:
        return story
    record = story.records[-1]
    rate = draw(st.sampled_from(sorted(record.tiers)))
    tier = record.tiers[rate]
    price = max(0, tier.price_e5 + draw(st.sampled_from((1, -1, 5000, -80_000))))
    amount = tier.amount_e4yuan
    if draw(st.booleans()):
        amount = int(half_up(Fraction(tier.loss_energy_e4kwh * price, 10**9), 4) * 10_000)
    tiers = {**record.tiers, rate: replace(tier, price_e5=price, amount_e4yuan=amount)}
    return on_record(story, tiers=tiers, amount_e4yuan=sum(tier.amount_e4yuan for tier in tiers.values()))


@fault
def amount_wrong(draw, story):
    if not story.records:
        return story
    amount = story.records[-1].amount_e4yuan
    kinds = (0, amount + 1, amount + 70, amount + 100, amount + 150, max(0, amount - 120), amount + 5_000_000)
    return on_record(story, amount_e4yuan=draw(st.sampled_from(kinds)))


@fault
def balance_short(draw, story):
    if story.authorisation is None or not story.records:
        return story
    record = story.records[-1]
    below = draw(st.sampled_from((0, 5, 49, 51, 300)))
    balance = max(0, record.amount_e4yuan // 100 - below)
    auth = replace(story.authorisation, balance_fen=balance)
    story = replace(story, authorisation=auth)
    if draw(st.booleans()):
        return on_record(story, stop_code=0x6E, amount_e4yuan=balance * 100)
    return story


@fault
def stop_code_odd(draw, story):
    return on_record(story, stop_code=draw(st.sampled_from((0x41, 0x4B, 0x48, 0x78, 0x6E, 0x10, 0x90, 0xA0))))


# --- samples ---


@fault
def counter_reset(draw, story):
    if len(story.samples) < 3:
        return story
    at = draw(st.integers(1, len(story.samples) - 1))
    base = story.samples[at - 1].energy_e4kwh
    after = [replace(sample, energy_e4kwh=sample.energy_e4kwh - base) for sample in story.samples[at:]]
    return replace(story, samples=(*story.samples[:at], *after))


@fault
def counter_frozen(draw, story):
    if len(story.samples) < 6:
        return story
    at = draw(st.integers(0, len(story.samples) - 5))
    energy = story.samples[at].energy_e4kwh
    frozen = [
        replace(sample, energy_e4kwh=energy, current_da=max(100, sample.current_da)) for sample in story.samples[at:]
    ]
    return replace(story, samples=(*story.samples[:at], *frozen))


@fault
def pause(draw, story):
    """Idle samples between two charging ones; perhaps the plug was out."""
    if len(story.samples) < 2:
        return story
    at = draw(st.integers(1, len(story.samples) - 1))
    left, right = story.samples[at - 1], story.samples[at]
    plugged = draw(st.sampled_from((True, False, None)))
    idles = [Proof(left.rx_ms + 3000 * (i + 1), "idle", plugged) for i in range(draw(st.integers(1, 3)))]
    samples = tuple(replace(sample, is_plugged=True) for sample in story.samples)
    if right.rx_ms - left.rx_ms < 13_000:
        return story
    return replace(story, samples=samples, proofs=(*story.proofs, *idles))


@fault
def charge_level_jumps(draw, story):
    if len(story.samples) < 2:
        return story
    at = draw(st.integers(1, len(story.samples) - 1))
    by = draw(st.sampled_from((-19, -6, 11, 30)))
    after = [replace(s, soc_percent=max(0, min(100, s.soc_percent + by))) for s in story.samples[at:]]
    return replace(story, samples=(*story.samples[:at], *after))


@fault
def stop_ignored(draw, story):
    if len(story.samples) < 2:
        return story
    at = draw(st.integers(0, len(story.samples) - 1))
    return replace(story, stop_acknowledged_ms=story.samples[at].rx_ms + draw(st.sampled_from((0, 500))))


@fault
def battery_reports(draw, story):
    if story.bms_end is None:
        return replace(story, battery_e1kwh=draw(st.sampled_from((5, 100, 600))))
    more = draw(st.sampled_from((1, 2, 30)))
    return replace(story, bms_end=replace(story.bms_end, energy_e1kwh=story.bms_end.energy_e1kwh + more))

"""Faults: each takes a drawing hand and a story, and gives the story back with one thing wrong."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import strategies as st

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
from tests.oracle.tariffs import local

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
def serial_dated_wrong(draw, story):
    """The digits of the serial name another day."""
    if story.serial_time_ms is None:
        return story
    wrong_ms = story.serial_time_ms + draw(st.sampled_from((-1, 1))) * draw(st.integers(2, 300)) * DAY_MS
    serial = f"{story.serial[:16]}{local(wrong_ms, story.station.zone):%y%m%d%H%M%S}{story.serial[28:]}"
    records = tuple(replace(record, serial=serial) for record in story.records)
    auth = None if story.authorisation is None else replace(story.authorisation, serial=serial)
    return replace(story, serial=serial, serial_time_ms=wrong_ms, records=records, authorisation=auth)


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
    waited = draw(st.sampled_from((31, 60, 13 * 60, 3000))) * MINUTE_MS
    chain = story.chain
    if chain.next_start_at_ms is not None:
        chain = replace(chain, next_start_at_ms=last + waited)
    return replace(story, records=(), posted=None, judged_at_ms=last + waited + 60_000, chain=chain)


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
    login_ms = story.samples[-1].rx_ms + draw(
        st.sampled_from((20_000, 90_000, 900_000))
    )  # behind the end of the charge
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
    written_ms = story.serial_time_ms if serial == story.serial else None
    story = replace(story, serial_time_ms=written_ms, other=None)
    return replace(story, authorisation=None, serial=serial, start_replies=(), samples=samples, records=records)


@fault
def samples_missing(draw, story):
    """Nobody saw the charge, or there was none."""
    story = replace(story, samples=(), bms_end=None, proofs=(), posted=None)
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
    if story.chain.previous_stop_e4kwh is None or not story.records or story.other is not None:
        return story
    stop = story.chain.previous_stop_e4kwh + draw(st.sampled_from((0, 0, 300, 40_000)))
    gap = draw(st.sampled_from((30_000, 200_000, -90_000)))
    return replace(
        story,
        chain=replace(story.chain, previous_stop_e4kwh=stop, previous_stop_at_ms=at_ms - gap),
        previous=Neighbour(
            account=draw(st.sampled_from(("account", "somebody"))),
            started_ms=at_ms - HOUR_MS,
            ended_ms=at_ms - gap,
            meter_start_e4kwh=stop - 50_000,
            meter_stop_e4kwh=stop,
            is_unplugged_between=draw(st.booleans()),
        ),
    )

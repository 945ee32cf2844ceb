"""Further faults: registers, money, samples, and cars that stay."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import strategies as st

from tests.oracle.faults import ALL, fault, on_record, scaled_tier, with_tiers
from tests.oracle.occupancy import OccupancyRules
from tests.oracle.rating import half_up
from tests.oracle.story import DAY_MS, Proof, Tier

__all__ = ["ALL"]


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
        full, took = story.pile.full_scales_e4kwh[1], stop - start
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
    balance = max(1, record.amount_e4yuan // 100 - below)
    auth = replace(story.authorisation, balance_fen=balance)
    story = replace(story, authorisation=auth)
    if draw(st.booleans()):
        return on_record(story, stop_code=0x6E, amount_e4yuan=balance * 100)
    return story


@fault
def stop_code_odd(draw, story):
    return on_record(story, stop_code=draw(st.sampled_from((0x41, 0x4B, 0x48, 0x78, 0x6E, 0x10, 0x90, 0xA0))))


@fault
def car_stays(draw, story):
    """The operator charges for occupancy, and the car leaves later; somebody may claim another time."""
    last = story.samples[-1].rx_ms if story.samples else story.judged_at_ms
    left_ms = last + draw(st.sampled_from((20_000, 1_000_000, 5_000_000, 90_000_000))) + draw(st.integers(0, 59)) * 1000
    rules = OccupancyRules(
        Fraction(draw(st.sampled_from((20_000, 12_345))), 100_000),
        draw(st.sampled_from((0, 15))),
        draw(st.sampled_from(("deduct", "threshold"))),
        draw(st.sampled_from((None, Fraction(30)))),
    )
    claimed = draw(st.sampled_from((None, 60_000, 200_000, DAY_MS, 2 * DAY_MS + 100_000)))
    return replace(
        story,
        station=replace(story.station, occupancy=rules),
        proofs=(*story.proofs, Proof(left_ms, "idle", is_plugged=False)),
        claimed_leave_ms=None if claimed is None else left_ms + claimed,
        judged_at_ms=max(story.judged_at_ms, left_ms),
        chain=replace(story.chain, next_start_at_ms=None, next_start_e4kwh=None),
    )


# --- samples ---


@fault
def counter_reset(draw, story):
    if len(story.samples) < 3:
        return story
    at = draw(st.integers(1, len(story.samples) - 1))
    base = story.samples[at - 1].energy_e4kwh
    after = [replace(sample, energy_e4kwh=sample.energy_e4kwh - base) for sample in story.samples[at:]]
    if after[0].energy_e4kwh >= base:
        return story  # the next reading lies above the last one all the same: nobody can see the reset
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

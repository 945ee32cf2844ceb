"""Sections 4.1, 4.2, 4.3, 4.5 and 4.6: each kind one short sentence."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

from tests.oracle.case import TOL_CLOCK_MS, Case, Numbers, power_w
from tests.oracle.sources import is_energy_lost, is_idle_charge, is_rolled_back
from tests.oracle.story import DAY_MS, HOUR_MS, MINUTE_MS, Story, kwh

RECORD_LOST_MS = 30 * MINUTE_MS
RECORD_DUE_MS = 30_000
START_FAILURES = range(0x4A, 0x65)
RESERVED = {*range(0x46, 0x4A), 0x58, *range(0x65, 0x6A), 0x78, *range(0x8A, 0x90)}
KNOWN = set(range(0x40, 0x91)) - RESERVED
BALANCE_EXHAUSTED = 0x6E
FULL = 0x41


def holding(pairs) -> set[str]:
    return {code for code, holds in pairs if holds}


# --- 4.1 time ---


def epoch_ms(story: Story) -> int:
    """Before this no order can have been: commissioning, or 2016."""
    local_2016 = round(datetime(2016, 1, 1, tzinfo=ZoneInfo(story.station.zone)).timestamp()) * 1000
    return max(local_2016, story.pile.commissioned_ms or local_2016)


def implausible(case: Case, at_ms: int | None) -> bool:
    if at_ms is None:
        return True
    return at_ms < epoch_ms(case.story) or at_ms > case.record.rx_ms + TOL_CLOCK_MS


def time_codes(case: Case) -> set[str]:
    if case.record is None:
        return set()
    ends = (case.record.started, case.record.ended)
    decoded = [end.at_ms for end in ends if end.at_ms is not None]
    ts, te = case.ts, case.te
    codes = holding(
        [
            ("time_zero_date", any(end.fault == "zero_date" for end in ends)),
            ("time_invalid_field", any(end.fault == "invalid_field" for end in ends)),
            ("time_epoch_reset", any(at_ms < epoch_ms(case.story) for at_ms in decoded)),
            ("time_future", any(at_ms > case.record.rx_ms + TOL_CLOCK_MS for at_ms in decoded)),
            ("time_reversed", case.has_both_times and te < ts),
            ("zero_duration_with_energy", case.has_both_times and te == ts and case.rec.kwh > case.r),
        ]
    )
    if case.n and case.has_both_times:
        far = [abs(offset) > TOL_CLOCK_MS for offset in (case.start_offset, case.end_drift)]
        is_plausible = not (implausible(case, ts) or implausible(case, te) or te < ts)
        is_steady = abs(case.start_offset - case.end_drift) <= 60_000
        codes |= holding(
            [
                ("time_clock_skew", all(far) and is_plausible and is_steady),
                ("time_step_mid_session", far[0] != far[1]),
                ("duration_mismatch", is_duration_off(case)),
            ]
        )
    written_ms = case.story.serial_time_ms
    if written_ms is not None and not implausible(case, ts) and abs(written_ms - ts) > DAY_MS:
        codes.add("serial_time_conflict")
    return codes


def is_duration_off(case: Case) -> bool:
    """Shorter than what the gateway saw, or longer than what it left room for."""
    most = case.d_gw if case.is_end_observed else case.t_idle - case.t_start
    return not case.d_gw - case.tol_duration_ms <= case.d_rec <= most + case.tol_duration_ms


# --- 4.2 presence and identity ---


def record_codes(case: Case, is_elsewhere: bool) -> set[str]:
    """All of the section but duplicates (``sources.choose``) and what needs the accepted energy."""
    story, record, auth = case.story, case.record, case.story.authorisation
    judged, late = story.judged_at_ms, lateness(case)
    is_zero_serial = not story.serial.strip("0")
    is_open = case.n > 0 and record is None and story.posted is None and case.t_idle == judged
    return holding(
        [
            ("record_missing", case.n and record is None and judged >= case.t_end + RECORD_LOST_MS),
            ("pile_power_cut", is_power_cut(case)),
            ("stuck_charging", is_open and (story.is_gone or judged - case.t_last >= 12 * HOUR_MS)),
            ("record_due_late", late is not None and RECORD_DUE_MS < late <= RECORD_LOST_MS),
            ("record_after_platform_settlement", record and story.posted and story.posted.is_substitute),
            ("record_orphan_serial", record and auth is None),
            ("serial_zero", record and is_zero_serial),
            ("serial_mismatch_stream", has_foreign_samples(case)),
            ("record_wrong_connector", is_elsewhere),
            ("authorised_never_started", auth and not case.n and (record is None or case.rec.kwh == 0)),
            ("charge_without_order", auth is None and case.n),
            ("overlap_sessions", overlaps(case)),
            ("merged_sessions", record and is_merged(case)),
            ("split_session", is_continued(case)),
            ("parallel_guns", story.is_parallel),
            ("concurrent_account", story.has_open_order_elsewhere),
        ]
    )


def lateness(case: Case) -> int | None:
    """How long after the end the record came; without samples by the record's own end, if that can be."""
    if case.record is None:
        return None
    if case.n:
        return case.record.rx_ms - case.t_end
    return case.record.rx_ms - case.te if is_in_order(case) else None


def is_in_order(case: Case) -> bool:
    """Both times of the record can be."""
    return case.has_both_times and case.ts < case.te and not any(implausible(case, t) for t in (case.ts, case.te))


def has_foreign_samples(case: Case) -> bool:
    serials = {sample.serial for sample in case.samples if sample.serial is not None}
    return case.record is not None and bool(serials - {case.record.serial})


def is_power_cut(case: Case) -> bool:
    """Link lost while charging, a login behind it, and no record within ten minutes of the login."""
    logins = [proof.rx_ms for proof in case.story.proofs if proof.kind == "login"]
    for lost_ms in case.story.link_lost_ms:
        back_ms = min((at_ms for at_ms in logins if at_ms > lost_ms), default=None)
        if not case.n or back_ms is None or not case.samples[0].rx_ms <= lost_ms <= case.t_idle:
            continue
        due_ms = back_ms + 10 * MINUTE_MS
        if case.story.judged_at_ms >= due_ms and not case.story.records:
            return True
    return False


def overlap(one: tuple, other: tuple):
    if None in (*one, *other):
        return 0
    return min(one[1], other[1]) - max(one[0], other[0])


def overlaps(case: Case) -> bool:
    """Another order of the connector shares more than 60 s, or more than a register step."""
    mine_ms = (case.t_start, case.t_end)
    if not case.n and case.is_synced and is_in_order(case):
        mine_ms = (case.ts, case.te)
    mine = (None, None)
    has_place = case.rec is not None and case.rec.has_registers and not is_rolled_back(case)
    if has_place:
        mine = (case.before if case.is_placeholder else case.rec.start, case.rec.stop)
    for neighbour in (case.story.previous, case.story.following):
        if neighbour is None:
            continue
        registers = tuple(
            None if value is None else kwh(value) for value in (neighbour.meter_start_e4kwh, neighbour.meter_stop_e4kwh)
        )
        if overlap(mine_ms, (neighbour.started_ms, neighbour.ended_ms)) > 60_000 or overlap(mine, registers) > case.r:
            return True
    return False


def is_merged(case: Case) -> bool:
    """Two cars: the plug left and came back, the VIN changed, or the charge level fell while energy grew."""
    plugs = [(sample.rx_ms, sample.is_plugged) for sample in case.samples]
    if case.n:
        inside = range(case.samples[0].rx_ms, case.t_last + 1)
        plugs += [(proof.rx_ms, proof.is_plugged) for proof in case.story.proofs if proof.rx_ms in inside]
    told = [is_plugged for _, is_plugged in sorted(plugs, key=lambda plug: plug[0]) if is_plugged is not None]
    changes = [b for i, b in enumerate(told) if i == 0 or told[i - 1] != b]
    came_back = len(changes) - (changes[:1] == [False]) >= 3
    return came_back or len({vin for _, vin in case.story.vins}) > 1 or soc_falls(case)


def soc_falls(case: Case) -> bool:
    pairs = pairwise(case.samples)
    return any(b.soc_percent < a.soc_percent - 5 and b.energy_e4kwh > a.energy_e4kwh for a, b in pairs)


def soc_rises_alone(case: Case) -> bool:
    first = 0
    for i in range(case.n):
        if case.samples[i].energy_e4kwh != case.samples[first].energy_e4kwh:
            first = i
        if case.samples[i].soc_percent > case.samples[first].soc_percent + 10:
            return True
    return False


def is_continued(case: Case) -> bool:
    previous, auth = case.story.previous, case.story.authorisation
    if previous is None or auth is None or case.rec is None or previous.is_unplugged_between:
        return False
    if None in (previous.ended_ms, previous.meter_stop_e4kwh, case.t_start) or previous.account != auth.account:
        return False
    is_close = 0 <= case.t_start - previous.ended_ms < 120_000
    return is_close and case.rec.has_registers and abs(case.rec.start - kwh(previous.meter_stop_e4kwh)) <= case.r


# --- 4.3 energy ---


def sample_codes(case: Case) -> set[str]:
    return holding(
        [
            ("samples_reset", case.drops),
            ("samples_frozen", case.frozen),
            ("soc_inconsistent", soc_falls(case) or soc_rises_alone(case)),
            ("idle_while_charging", idles_while_charging(case)),
        ]
    )


def idles_while_charging(case: Case) -> bool:
    marks = [(sample.rx_ms, "charging") for sample in case.samples]
    marks += [(proof.rx_ms, proof.kind) for proof in case.story.proofs if proof.is_sample]
    states = [state for _, state in sorted(marks, key=lambda mark: mark[0])]
    run, has_charged = 0, False
    for state in states:
        if state == "charging":
            if has_charged and run >= 2:
                return True
            has_charged, run = True, 0
        else:
            run = run + 1 if state == "idle" else 0
    return False


def energy_codes(case: Case, loss_ratio: Fraction) -> set[str]:
    rec, r, story = case.rec, case.r, case.story
    codes = sample_codes(case)
    if rec is None:
        return codes
    tiers = rec.tiers.values()
    is_back = is_rolled_back(case)
    gap = None if case.before is None or not rec.has_registers else rec.start - case.before
    battery = story.battery_e1kwh
    bms = None if story.bms_end is None else Fraction(story.bms_end.energy_e1kwh, 10)
    limit = None
    if case.t_start is not None:
        limit = Fraction(105, 100) * case.rated_kwh(case.t_idle - case.t_start) + r
    return codes | holding(
        [
            ("energy_lost", is_energy_lost(case)),
            ("zero_energy_with_time", is_idle_charge(case)),
            ("energy_mismatch_platform", case.window is not None and not case.is_inside(rec.kwh)),
            ("meter_rollback", is_back),
            ("meter_rollover", case.full_scale is not None),
            ("meter_replaced", case.is_replaced),
            ("meter_placeholder_zero", case.is_placeholder),
            ("meter_gap_between_sessions", gap is not None and r < gap <= case.replacement_bound),
            ("meter_total_mismatch", rec.has_registers and abs(rec.moved - rec.kwh) > r),
            ("period_sum_mismatch", abs(sum((t.kwh for t in tiers), Fraction(0)) - rec.kwh) > Fraction(4, 10_000)),
            ("energy_exceeds_rated", limit is not None and rec.kwh > limit),
            ("energy_exceeds_battery", battery is not None and rec.kwh > Fraction(125, 100) * Fraction(battery, 10)),
            ("bms_energy_mismatch", bms is not None and abs(rec.kwh - bms) > at_least("0.15", 3, rec.kwh)),
            ("vi_integral_mismatch", differs_from_power(case)),
            ("unit_scale_error", case.factor is not None),
            ("loss_ratio_mismatch", rec.has_losses and is_any_loss_wrong(rec, loss_ratio)),
        ]
    )


def at_least(floor: str, percent: int, of: Fraction) -> Fraction:
    return max(Fraction(floor), of * percent / 100)


def is_any_loss_wrong(rec: Numbers, ratio: Fraction) -> bool:
    return any(is_loss_wrong(tier.kwh, tier.lossy_kwh, ratio) for tier in rec.tiers.values())


def is_loss_wrong(plain: Fraction, lossy: Fraction, ratio: Fraction) -> bool:
    if ratio == 0:
        return lossy != plain
    return abs(lossy - plain * (1 + ratio)) > Fraction(2, 10_000)


def integral_kwh(case: Case) -> Fraction:
    """Trapezoids of voltage times current."""
    pairs = pairwise(case.samples)
    joules = sum(((power_w(a) + power_w(b)) / 2 * (b.rx_ms - a.rx_ms) for a, b in pairs), Fraction(0))
    return joules / 1000 / HOUR_MS


def differs_from_power(case: Case) -> bool:
    if not case.n or (case.t_last - case.samples[0].rx_ms) <= Fraction(9, 10) * case.d_gw:
        return False
    return abs(case.rec.kwh - integral_kwh(case)) > at_least("0.5", 5, case.rec.kwh)


# --- 4.5 occupancy ---


def observed_unplug_ms(case: Case) -> int | None:
    """The first sample after the end that shows no plug."""
    if case.t_end is None:
        return None
    seen = [p.rx_ms for p in case.story.proofs if p.is_sample and p.is_plugged is False and p.rx_ms >= case.t_end]
    return min(seen, default=None)


def occupancy_codes(case: Case) -> set[str]:
    rules, claimed, seen = case.story.station.occupancy, case.story.claimed_leave_ms, observed_unplug_ms(case)
    if rules is None or case.t_end is None:
        return set()
    waited = case.story.judged_at_ms - case.t_end
    has_next = (
        case.story.chain.next_start_at_ms is not None and case.story.chain.next_start_at_ms <= case.story.judged_at_ms
    )
    codes = holding(
        [
            ("occupancy_unobserved", seen is None and (has_next or waited >= rules.max_hours * HOUR_MS)),
            ("occupancy_false_end", ends_falsely(case)),
        ]
    )
    if claimed is None or seen is None:
        return codes
    days = round(Fraction(claimed - seen, DAY_MS))
    is_day_off = days >= 1 and abs(claimed - seen - days * DAY_MS) <= TOL_CLOCK_MS
    return codes | holding(
        [
            ("occupancy_duration_mismatch", abs(claimed - seen) > TOL_CLOCK_MS),
            ("occupancy_day_rollover", is_day_off),
        ]
    )


def ends_falsely(case: Case) -> bool:
    """Two minutes without charging, then a charging sample that grew."""
    pauses = [p.rx_ms for p in case.story.proofs if p.is_sample]
    for i in range(1, case.n):
        a, b = case.samples[i - 1], case.samples[i]
        first = min((at_ms for at_ms in pauses if a.rx_ms < at_ms < b.rx_ms), default=None)
        if first is not None and b.rx_ms - first >= 2 * MINUTE_MS and case.energies[i] > case.energies[i - 1]:
            return True
    return False


# --- 4.6 stop ---


def energy_at(case: Case, at_ms: int) -> Fraction:
    """What the last sample not later than the instant had counted."""
    return max((e for s, e in zip(case.samples, case.energies, strict=True) if s.rx_ms <= at_ms), default=Fraction(0))


def stop_codes(case: Case) -> set[str]:
    ack_ms, closed_ms = case.story.stop_acknowledged_ms, case.story.closed_by_platform_ms
    grown = case.energies[-1] - energy_at(case, ack_ms) if case.n and ack_ms is not None else Fraction(0)
    return holding(
        [
            ("stop_reason_inconsistent", case.record is not None and is_stop_odd(case)),
            ("stop_ignored", grown > max(Fraction(1, 2), case.rated_kwh(60_000))),
            ("order_closed_early", closed_ms is not None and any(s.rx_ms > closed_ms for s in case.samples)),
        ]
    )


def is_stop_odd(case: Case) -> bool:
    code, auth = case.record.stop_code, case.story.authorisation
    levels = [sample.soc_percent for sample in case.samples]
    if case.story.bms_end is not None:
        levels.append(case.story.bms_end.soc_percent)
    soc = next((level for level in reversed(levels) if level), None)
    balance = None if auth is None or auth.balance_fen is None else Fraction(auth.balance_fen, 100)
    return (
        (code == FULL and soc is not None and soc < 95)
        or (code == BALANCE_EXHAUSTED and balance is not None and balance > case.rec.amount + 1)
        or (code in START_FAILURES and case.rec.kwh > case.r)
        or code not in KNOWN
    )

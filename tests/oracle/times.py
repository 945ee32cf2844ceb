"""E-1 and the time column of E-9: when the bill says that charging began and ended, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracle.case import TOL_CLOCK_MS, Case
from tests.oracle.sources import Energy
from tests.oracle.story import DAY_MS, PileTime
from tests.oracle.tariffs import local

UNUSABLE = {"time_zero_date", "time_epoch_reset", "time_invalid_field", "time_future", "time_reversed"}
DISTRUST = UNUSABLE | {"time_clock_skew"}


@dataclass(frozen=True)
class Times:
    start_ms: int
    end_ms: int | None
    basis: str  # "record", "gateway", "authorised", "shifted", "mixed"
    percent: int


def bill_times(case: Case, codes: set[str], energy: Energy) -> Times:
    times = with_samples(case, codes) if case.n else without_samples(case, codes)
    is_zero = energy.kwh == 0 and energy.source.percent == 99
    if is_zero or (case.n and energy.source.name == "register_chain"):
        return Times(times.start_ms, times.end_ms, times.basis, max(97, times.percent))
    return times


def with_samples(case: Case, codes: set[str]) -> Times:
    seen = 97 if case.is_end_observed else 90
    gateway = Times(case.t_start, case.t_end, "gateway", seen)
    if case.record is None:
        return gateway
    if codes & UNUSABLE:
        return mended(case, gateway)
    if case.agrees:
        if "zero_duration_with_energy" in codes:
            return gateway
        if "duration_mismatch" in codes:
            return Times(case.t_start, case.t_end, "gateway", 99)
        return Times(case.ts, case.te, "record", 99)
    if "zero_duration_with_energy" in codes:
        return gateway
    if "time_clock_skew" in codes:
        return Times(case.ts - case.start_offset, case.te - case.start_offset, "shifted", 97)
    if "time_step_mid_session" in codes:
        if abs(case.start_offset) > TOL_CLOCK_MS:
            return Times(case.t_start, case.te, "mixed", seen)
        return Times(case.ts, case.t_end, "mixed", seen)
    if case.is_synced and abs(case.start_offset) <= TOL_CLOCK_MS:
        return Times(case.ts, case.te, "record", seen)  # an end that nobody saw, by a clock that a sync vouches for
    return gateway


def mended(case: Case, gateway: Times) -> Times:
    """Undecodable or impossible ends."""
    if case.has_both_times and case.te < case.ts:
        is_mirrored = abs(case.ts - case.te - case.d_gw) <= case.tol_duration_ms
        is_near = abs(case.te - case.t_start) <= TOL_CLOCK_MS and abs(case.ts - case.t_end) <= TOL_CLOCK_MS
        if is_mirrored and is_near:
            return Times(case.te, case.ts, "record", gateway.percent)
    start = on_gateway_date(case, case.record.started, gateway.start_ms)
    end = on_gateway_date(case, case.record.ended, gateway.end_ms)
    return Times(start, end, "gateway", gateway.percent) if start <= end else gateway


def on_gateway_date(case: Case, pile: PileTime, gateway_ms: int) -> int:
    """The pile's time of day on the nearest date, when only its date was empty and it agrees."""
    if pile.fault != "zero_date" or pile.time_of_day_ms is None:
        return gateway_ms
    now = local(gateway_ms, case.story.station.zone)
    of_day = ((now.hour * 60 + now.minute) * 60 + now.second) * 1000 + now.microsecond // 1000
    off = (pile.time_of_day_ms - of_day + DAY_MS // 2) % DAY_MS - DAY_MS // 2
    return gateway_ms + off if abs(off) <= TOL_CLOCK_MS else gateway_ms


def without_samples(case: Case, codes: set[str]) -> Times:
    auth = case.story.authorisation
    if "authorised_never_started" in codes:
        return Times(auth.at_ms, auth.at_ms, "authorised", 50)  # 97 when the bill is zero, above
    if case.record is None or not case.has_both_times:
        begun = case.begun_ms
        return Times(begun, None if case.record is not None else begun, "gateway", 50)
    percent = 85 if case.is_synced else 70
    if codes & UNUSABLE:
        return Times(case.begun_ms, None, "gateway", 70)
    return Times(case.ts, case.te, "record", percent)

import pytest

from billing_core.clock import Times, times_of
from tests.support.evidence import (
    AUTHORISED,
    END,
    HOUR,
    LAST,
    MIDNIGHT,
    MINUTE,
    START,
    TEN,
    charging,
    evidence,
    reckoned,
    sample,
)

GATEWAY = Times(START, END, "gateway")
CLOCK = 180_000
TEN_O_CLOCK = TEN - MIDNIGHT  # as a time of day


def times(**changes):
    done = reckoned(**changes)
    return times_of(evidence(**changes), done.findings, {each.code for each in done.held})


def of_record(**changes):
    return times(record=changes)


def test_the_record_s_own_times_where_its_clock_is_trusted():
    assert times() == Times(TEN, END, "record")
    assert of_record(started_ms=START - CLOCK, ended_ms=END - CLOCK) == Times(START - CLOCK, END - CLOCK, "record")


def test_a_charge_that_never_began_shows_its_authorisation():
    assert times(samples=(), record=None) == Times(AUTHORISED, AUTHORISED, "authorisation")
    empty = {"energy": 0, "started_ms": None, "started_fault": "zero_date"}
    assert times(samples=(), record=empty) == Times(AUTHORISED, AUTHORISED, "authorisation")


def test_without_a_record_the_gateway_s_stand():
    assert times(record=None) == GATEWAY
    assert times(record=None, samples=charging()) == Times(START, LAST, "gateway")


def test_without_samples_the_record_s_stand_if_they_can_be():
    assert times(samples=()) == Times(TEN, END, "record")
    rx_ms = END + 10_000
    assert times(samples=(), record={"ended_ms": None}) == Times(START, rx_ms, "gateway")
    unanswered = {"samples": (), "start_accepted_at_ms": None, "record": {"ended_ms": None}}
    assert times(**unanswered) == Times(AUTHORISED, rx_ms, "gateway")
    assert times(**unanswered, authorisation=None) == Times(None, rx_ms, "gateway")


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        ({"started_ms": START - HOUR, "ended_ms": END - HOUR}, Times(START, END, "shifted")),
        ({"started_ms": START - HOUR, "ended_ms": END - HOUR + 5_000}, Times(START, END + 5_000, "shifted")),
        ({"started_ms": START - CLOCK - 1}, Times(START, END, "mixed")),
        ({"ended_ms": END - CLOCK - 1}, Times(TEN, END, "mixed")),
        ({"started_ms": TEN - 20 * 365 * 24 * HOUR}, GATEWAY),
        ({"ended_ms": END + 10_000 + CLOCK + 1}, GATEWAY),
        ({"ended_ms": TEN}, GATEWAY),
        ({"ended_ms": None, "ended_fault": "invalid_field"}, GATEWAY),
        ({"started_ms": START - 100_000, "ended_ms": END + 100_000}, GATEWAY),  # the durations disagree
    ],
)
def test_a_wrong_clock_is_mended_by_what_the_gateway_saw(one, wanted):
    assert of_record(**one) == wanted


@pytest.mark.parametrize(
    ("started", "ended", "wanted"),
    [
        (END, START, Times(START, END, "swapped")),
        (END - CLOCK, START - CLOCK, Times(START - CLOCK, END - CLOCK, "swapped")),
        (END - CLOCK - 1, START - CLOCK - 1, GATEWAY),
        (END + 120_000, START, Times(START, END + 120_000, "swapped")),
        (END + 120_001, START, GATEWAY),
        (END - HOUR, START - HOUR, GATEWAY),
    ],
)
def test_exchanged_ends_are_exchanged_back_if_they_then_agree(started, ended, wanted):
    assert of_record(started_ms=started, ended_ms=ended) == wanted


def empty_start(time_of_day_ms, **more):
    return {"started_ms": None, "started_fault": "zero_date", "started_time_of_day_ms": time_of_day_ms, **more}


@pytest.mark.parametrize(
    ("time_of_day_ms", "started_ms", "basis"),
    [
        (TEN_O_CLOCK, TEN, "mixed"),
        (TEN_O_CLOCK - 5_000 - CLOCK, START - CLOCK, "mixed"),
        (TEN_O_CLOCK - 5_000 - CLOCK - 1, START, "gateway"),
        (TEN_O_CLOCK - 5_000 + CLOCK, START + CLOCK, "mixed"),
        (TEN_O_CLOCK - 5_000 + CLOCK + 1, START, "gateway"),
        (None, START, "gateway"),
    ],
)
def test_an_empty_date_keeps_a_time_of_day_that_is_near(time_of_day_ms, started_ms, basis):
    assert of_record(**empty_start(time_of_day_ms)) == Times(started_ms, END, basis)


def test_both_ends_of_an_empty_date_may_keep_theirs_unless_they_then_cross():
    one = empty_start(TEN_O_CLOCK, ended_ms=None, ended_fault="zero_date")
    kept = {**one, "ended_time_of_day_ms": TEN_O_CLOCK + 41 * MINUTE}
    assert of_record(**kept) == Times(TEN, END + MINUTE, "mixed")
    short = {"samples": charging(last=0), "at_ms": TEN + 30_000}
    crossed = {**one, "started_time_of_day_ms": TEN_O_CLOCK + MINUTE, "rx_ms": TEN + 20_000}
    crossed["ended_time_of_day_ms"] = TEN_O_CLOCK
    found = times(**short, record=crossed)
    assert (found.basis, found.started_ms) == ("gateway", START)


def test_around_midnight_the_date_is_the_nearer_one():
    minute = 60_000
    moved = {
        "samples": (sample(0, at_ms=MIDNIGHT - minute), sample(1, at_ms=MIDNIGHT + 10 * minute)),
        "start_accepted_at_ms": MIDNIGHT - minute,
        "at_ms": MIDNIGHT + 11 * minute,
        "record": empty_start(minute, ended_ms=MIDNIGHT + 11 * minute, rx_ms=MIDNIGHT + 11 * minute),
    }
    assert times(**moved) == Times(MIDNIGHT + minute, MIDNIGHT + 11 * minute, "mixed")


def test_a_date_that_did_not_happen_is_never_shown():
    for one in ({"started_ms": 0}, {"ended_ms": 4_000_000_000_000}, {"started_ms": None}, {"ended_ms": 0}):
        found = of_record(**one)
        assert START <= found.started_ms <= found.ended_ms <= END, one

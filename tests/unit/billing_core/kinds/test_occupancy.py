import pytest

from billing_core.kinds import occupancy
from billing_core.occupancy import OccupancyTerms
from tests.support.evidence import DAY, END, HOUR, MINUTE, charging, codes, found, reckoned, rest, sample

TERMS = OccupancyTerms(price_per_min_e5=20_000)
CLOCK = 180_000
LEFT = END + HOUR


def held(predicate, **changes):
    return found(predicate, **{"occupancy": TERMS, **changes}) is not None


@pytest.mark.parametrize(("off_ms", "holds"), [(CLOCK, False), (CLOCK + 1, True), (-CLOCK, False), (-CLOCK - 1, True)])
def test_a_claimed_leaving_is_within_a_clock_s_tolerance(off_ms, holds):
    changes = {"unplugged_at_ms": LEFT, "claimed_leave_ms": LEFT + off_ms}
    assert held(occupancy.occupancy_duration_mismatch, **changes) is holds


def test_a_mismatch_is_told_in_whole_minutes():
    said = found(
        occupancy.occupancy_duration_mismatch, occupancy=TERMS, unplugged_at_ms=LEFT, claimed_leave_ms=LEFT + HOUR
    )
    assert said == ("The claimed stay of 120 minutes was seen to be 60.", "占位时长上报120分钟,实际观测60分钟。")


@pytest.mark.parametrize(
    ("over_ms", "holds"),
    [
        (0, False),
        (DAY - CLOCK - 1, False),
        (DAY - CLOCK, True),
        (DAY, True),
        (DAY + CLOCK, True),
        (DAY + CLOCK + 1, False),
        (3 * DAY, True),
        (-DAY, False),
    ],
)
def test_whole_days_too_long_is_a_date_that_rolled_over(over_ms, holds):
    changes = {"unplugged_at_ms": LEFT, "claimed_leave_ms": LEFT + over_ms}
    assert held(occupancy.occupancy_day_rollover, **changes) is holds


def test_days_are_counted():
    changes = {"occupancy": TERMS, "unplugged_at_ms": LEFT, "claimed_leave_ms": LEFT + 2 * DAY - MINUTE}
    assert found(occupancy.occupancy_day_rollover, **changes)[0] == "The claimed stay counts 2 day(s) too many."


def test_a_rolled_date_is_the_gravest_and_the_observed_stay_is_billed():
    done = reckoned(occupancy=TERMS, unplugged_at_ms=LEFT, claimed_leave_ms=LEFT + DAY)
    assert [each.code for each in done.held] == ["occupancy_duration_mismatch", "occupancy_day_rollover"]
    assert [(each.kind, each.minutes, each.amount_fen) for each in done.adjustments] == [("occupancy", 45, 900)]


@pytest.mark.parametrize("gone", ["occupancy", "unplugged_at_ms", "claimed_leave_ms"])
def test_without_terms_claim_or_sight_nothing_is_held_against_a_claim(gone):
    changes = {"unplugged_at_ms": LEFT, "claimed_leave_ms": LEFT + DAY, gone: None}
    assert not held(occupancy.occupancy_duration_mismatch, **changes)
    assert not held(occupancy.occupancy_day_rollover, **changes)


def pause(first, last, resumed, energy):
    """Rest from one minute to another within the charge, then another sample."""
    return (*charging(last=first - 1), rest(first), rest(last), sample(resumed, energy), rest(resumed + 1))


@pytest.mark.parametrize(
    ("samples", "holds"),
    [
        (pause(20, 21, 22, 100_001), True),
        (pause(20, 21, 22, 95_000), False),  # the energy of 10:19: nothing grew
        (pause(20, 21, 22, 95_001), True),
        ((*charging(last=19), rest(20), sample(22, 100_000, at_ms=sample(22).at_ms - 1), rest(23)), False),
        ((*charging(last=19), rest(20), rest(21), rest(30)), False),
        ((rest(0), rest(5), *charging(first=10)), False),
    ],
)
def test_an_end_was_false_when_growth_follows_two_minutes_of_rest(samples, holds):
    assert held(occupancy.occupancy_false_end, samples=samples) is holds
    assert not held(occupancy.occupancy_false_end, samples=samples, occupancy=None)


def test_a_false_end_is_told_by_its_moment():
    said = found(occupancy.occupancy_false_end, occupancy=TERMS, samples=pause(20, 21, 22, 110_000))
    assert "over at 2026-03-03 10:20:00" in said[0]


def test_a_leaving_that_nobody_saw_is_told_when_it_is_over():
    assert held(occupancy.occupancy_unobserved, is_occupancy_over=True)
    assert not held(occupancy.occupancy_unobserved)
    assert not held(occupancy.occupancy_unobserved, is_occupancy_over=True, unplugged_at_ms=LEFT)
    assert not held(occupancy.occupancy_unobserved, is_occupancy_over=True, occupancy=None)
    assert not held(occupancy.occupancy_unobserved, is_occupancy_over=True, samples=())


def test_without_terms_no_code_of_a_stay_ever_holds():
    changes = {"unplugged_at_ms": LEFT, "claimed_leave_ms": LEFT + DAY, "is_occupancy_over": True}
    assert codes(**changes) == set()

import pytest

from billing_core.occupancy import OccupancyTerms, occupancy_fee
from tests.support.evidence import CHINA, HOUR, MIDNIGHT, MINUTE, SECOND

FROM = MIDNIGHT + 18 * HOUR + 5 * MINUTE + 30 * SECOND
UNTIL = MIDNIGHT + 19 * HOUR + 2 * MINUTE + 10 * SECOND
USUAL = {"grace_min": 15, "price_per_min_e5": 20_000, "cap_fen": 3_000}


def fee(from_ms=FROM, to_ms=UNTIL, **terms):
    found = occupancy_fee(OccupancyTerms(**{**USUAL, **terms}), CHINA, from_ms, to_ms)
    assert (found.from_ms, found.to_ms) == (from_ms, to_ms)
    return found.minutes, found.fee_fen


def test_x10_the_worked_examples():
    assert fee() == (41, 820)
    assert fee(is_threshold=True) == (56, 1_120)
    assert fee(free_windows_min=((18 * 60 + 30, 18 * 60 + 45),)) == (26, 520)
    evening = MIDNIGHT + 21 * HOUR + 50 * MINUTE
    assert fee(evening, evening + 5 * HOUR) == (285, 3_000)


@pytest.mark.parametrize(
    ("length_ms", "deducted", "all_of_it"),
    [
        (0, 0, 0),
        (15 * MINUTE, 0, 0),
        (15 * MINUTE + SECOND, 0, 15),
        (16 * MINUTE - SECOND, 0, 15),
        (16 * MINUTE, 1, 16),
        (165 * MINUTE, 150, 165),
        (166 * MINUTE, 151, 166),
    ],
)
def test_grace_is_deducted_or_a_threshold(length_ms, deducted, all_of_it):
    assert fee(to_ms=FROM + length_ms) == (deducted, min(20 * deducted, 3_000))
    assert fee(to_ms=FROM + length_ms, is_threshold=True) == (all_of_it, min(20 * all_of_it, 3_000))


def test_no_cap_and_half_a_fen():
    assert fee(to_ms=FROM + 10 * HOUR, cap_fen=None) == (585, 11_700)
    assert fee(to_ms=FROM + 16 * MINUTE, price_per_min_e5=499) == (1, 0)
    assert fee(to_ms=FROM + 16 * MINUTE, price_per_min_e5=500) == (1, 1)


def test_free_windows_repeat_daily_and_wrap_midnight():
    night = ((22 * 60, 6 * 60),)
    evening = MIDNIGHT + 21 * HOUR
    assert fee(evening, evening + 10 * HOUR, grace_min=0, cap_fen=None, free_windows_min=night) == (120, 2_400)
    assert fee(evening, evening + 34 * HOUR, grace_min=0, cap_fen=None, free_windows_min=night) == (1_080, 21_600)
    whole_day = ((0, 0),)
    assert fee(evening, evening + 34 * HOUR, grace_min=0, free_windows_min=whole_day) == (0, 0)
    early = MIDNIGHT + 3 * HOUR
    assert fee(early, early + 4 * HOUR, grace_min=0, free_windows_min=night) == (60, 1_200)

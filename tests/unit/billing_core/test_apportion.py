import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.apportion import Segment, best_factors, by_rate, cumulative_e4kwh, risen, segments_of, split, spread
from billing_core.pricing import billed, lines_of
from billing_core.tariff import Campaign, Rate, TariffBook
from tests.support.evidence import CHINA, HOUR, MIDNIGHT, MINUTE, PILE, SECOND, TEN, tariff

NEXT_MIDNIGHT = MIDNIGHT + 24 * HOUR
# 23:20:00 to 00:45:00
X03 = [
    (NEXT_MIDNIGHT - 40 * MINUTE, 0),
    (NEXT_MIDNIGHT - 20 * MINUTE + 10 * SECOND, 96_800),
    (NEXT_MIDNIGHT - 20 * SECOND, 182_105),
    (NEXT_MIDNIGHT + 100 * SECOND, 190_833),
    (NEXT_MIDNIGHT + 30 * MINUTE, 314_000),
    (NEXT_MIDNIGHT + 45 * MINUTE, 372_500),
]
SZ_2 = tariff(
    model_no="0002",
    valid_from_ms=NEXT_MIDNIGHT,
    prices_e5={
        Rate.SHARP: (140_000, 55_000),
        Rate.PEAK: (115_000, 47_000),
        Rate.FLAT: (70_000, 42_000),
        Rate.VALLEY: (31_000, 40_000),
    },
)


def laid(anchors, *, tariffs=(), campaigns=(), is_instant=False):
    bound = tariff()
    book = TariffBook((bound, *tariffs), tuple(campaigns))
    where = {"pile_id": PILE, "station": "demo"}
    return segments_of(anchors, tariff=bound, book=book, zone=CHINA, is_instant=is_instant, **where)


def test_x03_energy_at_midnight_lies_between_its_neighbours():
    assert cumulative_e4kwh(X03, NEXT_MIDNIGHT) == 183_560
    found = laid(X03)
    assert by_rate(found) == {Rate.FLAT: 183_560, Rate.VALLEY: 188_940}
    total = billed(lines_of(found))
    assert (total.energy_fee_fen, total.service_fee_fen, total.amount_fen) == (1_702, 1_395, 3_097)


def test_x04_a_tariff_that_changes_at_midnight():
    assert billed(lines_of(laid(X03, tariffs=(SZ_2,)))).amount_fen == 3_097, "the start's tariff is kept"
    found = lines_of(laid(X03, tariffs=(SZ_2,), is_instant=True))
    assert [(line.energy_fee_e4yuan, line.service_fee_e4yuan) for line in found] == [
        (120_838, 73_424),
        (58_571, 75_576),
    ]
    assert billed(found).amount_fen == 3_284


def test_x06_a_campaign_that_opens_meanwhile_parts_the_energy():
    half = Campaign("half", "service", 5_000, TEN, TEN + HOUR, ("*",))
    found = laid([(TEN - HOUR, 0), (TEN, 142_000), (TEN + HOUR, 293_000)], campaigns=[half])
    assert [(each.rate, each.energy_e4kwh, each.service_factor_e4, each.campaigns) for each in found] == [
        (Rate.FLAT, 142_000, 10_000, ()),
        (Rate.PEAK, 151_000, 5_000, ("half",)),
    ]
    assert billed(lines_of(found)).amount_fen == 3_507


def test_campaigns_that_meet_and_cost_the_same_are_one_stretch():
    first = Campaign("first", "service", 5_000, TEN, TEN + HOUR, ("*",))
    second = Campaign("second", "service", 5_000, TEN + HOUR, TEN + 2 * HOUR, ("*",))
    (only,) = laid([(TEN, 0), (TEN + 2 * HOUR, 100)], campaigns=[first, second])
    assert (only.energy_e4kwh, only.campaigns, only.to_ms) == (100, ("first", "second"), TEN + 2 * HOUR)
    assert repr(only) == f"Segment({TEN}..{TEN + 2 * HOUR}, PEAK, 100)"


@pytest.mark.parametrize(("at_ms", "energy"), [(-1, 5), (0, 5), (1, 5), (4, 5), (5, 6), (10, 6), (15, 6), (99, 6)])
def test_energy_between_anchors_is_half_up_and_nowhere_beyond(at_ms, energy):
    # half a unit at 5/10 goes up: (2*1*5 + 10) // 20 = 1
    assert cumulative_e4kwh([(0, 5), (10, 6)], at_ms) == energy


def test_two_anchors_of_one_moment_take_the_later():
    assert cumulative_e4kwh([(0, 0), (10, 5), (10, 9), (20, 9)], 10) == 9
    assert split([(0, 0), (10, 5), (10, 9), (20, 9)], [10]) == [9, 0]


@given(
    st.lists(st.tuples(st.integers(1, HOUR), st.integers(0, 50_000)), min_size=1, max_size=12),
    st.integers(0, 24 * HOUR),
    st.booleans(),
)
def test_no_unit_is_lost_wherever_the_borders_fall(steps, offset_ms, is_instant):
    anchors = [(MIDNIGHT + offset_ms, 0)]
    for wait_ms, energy in steps:
        anchors.append((anchors[-1][0] + wait_ms, anchors[-1][1] + energy))
    half = Campaign("half", "both", 5_000, MIDNIGHT + 3 * HOUR, MIDNIGHT + 11 * HOUR, ("*",))
    found = laid(anchors, tariffs=(SZ_2,), campaigns=[half], is_instant=is_instant)
    assert sum(each.energy_e4kwh for each in found) == anchors[-1][1]
    assert all(each.energy_e4kwh >= 0 for each in found)
    assert (found[0].from_ms, found[-1].to_ms) == (anchors[0][0], anchors[-1][0])
    assert all(a.to_ms == b.from_ms for a, b in itertools.pairwise(found))
    assert all(a.key() != b.key() for a, b in itertools.pairwise(found)), "neighbours differ"


PRICE = (100_000, 50_000)


@pytest.mark.parametrize(
    ("campaigns", "factors"),
    [
        ([], (10_000, 10_000, ())),
        ([("a", "service", 5_000)], (5_000, 10_000, ("a",))),
        ([("a", "energy", 5_000)], (10_000, 5_000, ("a",))),
        ([("a", "both", 9_000)], (9_000, 9_000, ("a",))),
        ([("a", "service", 5_000), ("b", "energy", 7_000)], (10_000, 7_000, ("b",))),  # 0.25 against 0.30 off
        ([("a", "service", 5_000), ("b", "energy", 7_500)], (5_000, 10_000, ("a",))),  # equal: by id
        ([("a", "service", 10_000)], (10_000, 10_000, ())),
    ],
)
def test_one_campaign_wins_the_best_for_the_customer(campaigns, factors):
    made = [Campaign(name, part, factor, 0, 10, ("*",)) for name, part, factor in campaigns]
    assert best_factors(made, 5, PRICE) == factors


@pytest.mark.parametrize(("at_ms", "holds"), [(9, False), (10, True), (19, True), (20, False)])
def test_a_campaign_s_window_is_half_open(at_ms, holds):
    one = Campaign("a", "service", 0, 10, 20, ("*",))
    assert (best_factors([one], at_ms, PRICE)[2] == ("a",)) is holds


def piece(rate, energy, length_ms=10):
    return Segment(0, length_ms, tariff(), rate, 10_000, 10_000, (), energy)


def energies(segments):
    return None if segments is None else [each.energy_e4kwh for each in segments]


def test_energy_is_laid_over_segments_in_proportion():
    one = [piece(Rate.PEAK, 1), piece(Rate.FLAT, 7), piece(Rate.PEAK, 2)]
    assert energies(spread(one, {Rate.PEAK: 100, Rate.FLAT: 0})) == [33, 0, 67]
    assert energies(spread(one, {Rate.PEAK: 1})) == [0, 0, 1]
    assert energies(spread([piece(Rate.PEAK, 0, 30), piece(Rate.PEAK, 0, 10)], {Rate.PEAK: 4})) == [3, 1]
    assert energies(spread([piece(Rate.PEAK, -5), piece(Rate.PEAK, 5)], {Rate.PEAK: 4})) == [0, 4]
    assert spread(one, {Rate.VALLEY: 1}) is None
    assert energies(spread(one, {Rate.VALLEY: 0})) == [0, 0, 0]


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=6), st.integers(0, 10**6))
def test_spreading_loses_no_unit(weights, total):
    found = spread([piece(Rate.PEAK, weight) for weight in weights], {Rate.PEAK: total})
    assert sum(energies(found)) == total
    assert min(energies(found)) >= 0


def test_readings_make_a_line_that_never_falls():
    anchors = ((10, 5), (20, 3), (20, 9), (30, 9))
    assert risen(anchors, 9, 40, 11) == [(9, 0), (10, 5), (20, 9), (30, 9), (40, 11)]
    assert risen(anchors, 9, 30, 11) == [(9, 0), (10, 5), (20, 9), (30, 9)]

"""Rule B-1 on the worked examples, typed by hand from what people reckon with pen and paper."""

import pytest

from billing_core.apportion import Segment
from billing_core.pricing import (
    Line,
    adjusted_fen,
    billed,
    coupon_fen,
    lines_of,
    stop_margin_fen,
    undiscounted,
    undiscounted_fen,
)
from billing_core.tariff import Rate
from tests.support.evidence import PRICES, TEN, tariff

PEAK, FLAT, VALLEY, SHARP = Rate.PEAK, Rate.FLAT, Rate.VALLEY, Rate.SHARP
QUARTER = dict.fromkeys((SHARP, PEAK, FLAT, VALLEY), (25_000, 0))


def lines(*parts, prices=PRICES):
    return [Line(rate, energy, *prices[rate], *factor) for rate, energy, *factor in parts]


def fees(parts):
    return [(line.energy_fee_e4yuan, line.service_fee_e4yuan) for line in parts]


def total(parts):
    found = billed(parts)
    return found.energy_fee_fen, found.service_fee_fen, found.amount_fen


X02 = ((PEAK, 123_456), (FLAT, 78_901))


@pytest.mark.parametrize(
    ("parts", "each", "sums"),
    [
        pytest.param([(VALLEY, 200_000)], [(52_240, 70_000)], (522, 700, 1_222), id="X01 one rate"),
        pytest.param(X02, [(136_110, 55_555), (51_941, 31_560)], (1_881, 871, 2_752), id="X02 two rates"),
        pytest.param(
            [(FLAT, 183_560), (VALLEY, 188_940)],
            [(120_838, 73_424), (49_351, 66_129)],
            (1_702, 1_395, 3_097),
            id="X03 lines across midnight",
        ),
        pytest.param(
            [(PEAK, 123_456, 5_000), (FLAT, 78_901, 5_000)],
            [(136_110, 27_778), (51_941, 15_780)],
            (1_881, 435, 2_316),
            id="X05 half price on the service",
        ),
        pytest.param(
            [(FLAT, 142_000), (PEAK, 151_000, 5_000)],
            [(93_479, 56_800), (166_478, 33_975)],
            (2_600, 907, 3_507),
            id="X06 a campaign opens meanwhile",
        ),
        pytest.param([(PEAK, 200_000)], [(220_500, 90_000)], (2_205, 900, 3_105), id="X15 beside a real firmware"),
    ],
)
def test_a_worked_example(parts, each, sums):
    found = lines(*parts)
    assert fees(found) == each
    assert total(found) == sums


def test_x07_half_up_not_half_even():
    found = [Line(FLAT, 15_000, 67_000, 0)]
    assert (fees(found), total(found)) == ([(10_050, 0)], (101, 0, 101))


def test_x08_the_total_is_rounded_once():
    found = lines(*((rate, 5_000) for rate in QUARTER), prices=QUARTER)
    assert (fees(found), total(found)) == ([(1_250, 0)] * 4, (50, 0, 50))


def test_x09_losses_are_added_line_by_line():
    lossy = tariff(loss_ratio_e4=300)
    laid = [segment(lossy, PEAK, 100_005), segment(lossy, VALLEY, 200_010)]
    found = lines_of(laid)
    assert [line.energy_e4kwh for line in found] == [103_005, 206_010]
    assert fees(found) == [(113_563, 46_352), (53_810, 72_104)]
    assert total(found) == (1_674, 1_184, 2_858)


@pytest.mark.parametrize(
    ("face", "threshold", "charging", "service", "is_service_only", "used"),
    [
        pytest.param(500, 2_500, 2_752, 871, False, 500, id="X11a"),
        pytest.param(1_000, 0, 2_752, 871, True, 871, id="X11b no change is given"),
        pytest.param(500, 2_500, 2_316, 435, False, 0, id="X11c the threshold is missed"),
        pytest.param(500, 2_500, 2_500, 435, False, 500, id="exactly the threshold"),
        pytest.param(500, 2_500, 2_499, 435, False, 0, id="a fen below it"),
        pytest.param(5_000, 0, 2_752, 871, False, 2_752, id="never more than is owed"),
    ],
)
def test_a_coupon_takes_off_what_is_owed_at_most(face, threshold, charging, service, is_service_only, used):
    found = coupon_fen(face, threshold, charging_fen=charging, service_fen=service, is_service_only=is_service_only)
    assert found == used


def test_x11_what_is_payable_beside_occupancy():
    a = coupon_fen(500, 2_500, charging_fen=2_752, service_fen=871, is_service_only=False)
    b = coupon_fen(1_000, 0, charging_fen=2_752, service_fen=871, is_service_only=True)
    c = coupon_fen(500, 2_500, charging_fen=2_316, service_fen=435, is_service_only=False)
    assert (2_752 - a + 820, 2_752 - b + 820, 2_316 - c + 820) == (3_072, 2_701, 3_136)


def test_x12_the_margin_of_a_prepaid_stop():
    assert stop_margin_fen(rated_w=60_000, interval_s=15, price_e5=155_250) == 39
    assert total(lines((PEAK, 128_856)))[2] == 2_000
    assert total(lines((PEAK, 128_857)))[2] == 2_001
    assert total(lines((PEAK, 130_000)))[2] == 2_018


@pytest.mark.parametrize(("price_e5", "fen"), [(0, 0), (1, 1), (100_000, 25), (100_001, 26)])
def test_a_margin_is_rounded_up(price_e5, fen):
    # 60 kW over 15 s is 0.25 kWh
    assert stop_margin_fen(rated_w=60_000, interval_s=15, price_e5=price_e5) == fen


def test_x13_wire_integers_add_up():
    found = [Line(PEAK, 123_456, 155_250, 0), Line(FLAT, 78_901, 105_830, 0)]
    assert fees(found) == [(191_665, 0), (83_501, 0)]
    assert sum(line.energy_fee_e4yuan for line in found) == 275_166
    assert total(lines(*X02))[2] == 2_752


@pytest.mark.parametrize(
    ("sum_fen", "energy", "least", "most", "adjusted"),
    [
        pytest.param(61, 10_000, 500, None, 500, id="X14a"),
        pytest.param(2_752, 202_357, None, 2_500, 2_500, id="X14b"),
        pytest.param(0, 0, 500, None, 0, id="X14c"),
        pytest.param(61, 10_000, None, None, 61, id="neither"),
        pytest.param(501, 10_000, 500, 600, 501, id="between"),
        pytest.param(0, 1, 500, None, 500, id="one unit is energy"),
    ],
)
def test_minimum_and_maximum(sum_fen, energy, least, most, adjusted):
    assert total(lines((VALLEY, 10_000)))[2] == 61
    assert adjusted_fen(sum_fen, energy_e4kwh=energy, least_fen=least, most_fen=most) == adjusted


def test_x16_the_four_decimals_of_other_systems_are_the_sum_of_the_lines():
    found = lines(*X02)
    assert sum(line.energy_fee_e4yuan + line.service_fee_e4yuan for line in found) == 275_166


def segment(bound, rate, energy, service=10_000, from_ms=TEN):
    return Segment(from_ms, from_ms + 1_000, bound, rate, service, 10_000, (), energy)


def test_segments_of_one_rate_price_and_campaign_are_one_line():
    one, dearer = tariff(), tariff(prices_e5={**PRICES, PEAK: (110_251, 45_000)})
    laid = [
        segment(one, VALLEY, 5),
        segment(one, PEAK, 10),
        segment(one, PEAK, 20, from_ms=TEN + 9_000),
        segment(one, PEAK, 30, service=5_000),
        segment(dearer, PEAK, 40),
        segment(one, FLAT, 0),
    ]
    found = [(line.rate, line.energy_e4kwh, line.energy_price_e5, line.service_factor_e4) for line in lines_of(laid)]
    assert found == [
        (PEAK, 30, 110_250, 10_000),
        (PEAK, 40, 110_251, 10_000),
        (PEAK, 30, 110_250, 5_000),
        (VALLEY, 5, 26_120, 10_000),
    ]


def test_without_campaigns_the_parts_of_one_rate_are_rounded_once():
    parts = [Line(FLAT, 31_900, 21_499, 3_198, 5_000), Line(FLAT, 17_700, 21_499, 3_198)]
    assert [line.energy_e4kwh for line in undiscounted(parts)] == [49_600]
    assert undiscounted_fen(parts) == 123
    assert billed([Line(FLAT, 31_900, 21_499, 3_198), Line(FLAT, 17_700, 21_499, 3_198)]).amount_fen == 122

"""The worked examples X01 to X16, typed by hand."""

from datetime import datetime
from fractions import Fraction as F
from zoneinfo import ZoneInfo

import pytest

from tests.oracle.occupancy import OccupancyRules, occupancy_fee
from tests.oracle.rating import (
    Coupon,
    Terms,
    apply_order,
    borne_by_operator,
    charge,
    fen_per_line,
    half_up,
    interval_cost,
    must_stop,
    text,
    with_losses,
)
from tests.oracle.tariffs import Campaign, Price, Tariff, split

ZONE = "Asia/Shanghai"
DELTA_SLOTS = tuple(
    (start * 60, end * 60, rate)
    for start, end, rate in (
        (0, 8, "valley"),
        (8, 10, "flat"),
        (10, 12, "peak"),
        (12, 14, "flat"),
        (14, 19, "peak"),
        (19, 24, "flat"),
    )
)
SZ_1 = Tariff(
    "SZ-1",
    0,
    DELTA_SLOTS,
    {
        "sharp": (135_810, 50_000),
        "peak": (110_250, 45_000),
        "flat": (65_830, 40_000),
        "valley": (26_120, 35_000),
    },
)
ONE = Tariff("ONE", 0, ((0, 1440, "flat"),), {"flat": (67_000, 0)})
QUARTER = Tariff("QTR", 0, (), dict.fromkeys(("sharp", "peak", "flat", "valley"), (25_000, 0)))


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp()) * 1000


SZ_2 = Tariff(
    "SZ-2",
    at("2026-03-04 00:00:00"),
    DELTA_SLOTS,
    {
        "sharp": (140_000, 55_000),
        "peak": (115_000, 47_000),
        "flat": (70_000, 42_000),
        "valley": (31_000, 40_000),
    },
)


def bill(tariff, *parts, loss="0"):
    rows = []
    for rate, kwh, *factor in parts:
        terms = Terms(tariff.model_no, rate, *tariff.price(rate), service_factor=F(*factor) if factor else F(1))
        rows.append((terms, F(kwh), with_losses(F(kwh), F(loss))))
    return charge(rows)


def shown(bill):
    return (
        {line.terms.rate: (text(line.energy_fee, 4), text(line.service_fee, 4)) for line in bill.lines},
        text(bill.energy_fee, 2),
        text(bill.service_fee, 2),
        text(bill.total, 2),
    )


def two_rates():
    return bill(SZ_1, ("peak", "12.3456"), ("flat", "7.8901"))


def test_x01_one_rate():
    assert shown(bill(SZ_1, ("valley", "20"))) == ({"valley": ("5.2240", "7.0000")}, "5.22", "7.00", "12.22")


def test_x02_two_rates_and_x16_at_four_decimals():
    lines = {"peak": ("13.6110", "5.5555"), "flat": ("5.1941", "3.1560")}
    assert shown(two_rates()) == (lines, "18.81", "8.71", "27.52")
    assert two_rates().exact == F("27.5166")


ACROSS_MIDNIGHT = [
    ("2026-03-03 23:20:00", "0"),
    ("2026-03-03 23:40:10", "9.68"),
    ("2026-03-03 23:59:40", "18.2105"),
    ("2026-03-04 00:01:40", "19.0833"),
    ("2026-03-04 00:30:00", "31.4"),
    ("2026-03-04 00:45:00", "37.25"),
]


def across_midnight(**how):
    anchors = [(at(when), F(kwh)) for when, kwh in ACROSS_MIDNIGHT]
    segments = split(Price(ZONE, (SZ_1, SZ_2), **how), anchors, anchors[-1][0], F("37.25"))
    return segments, charge([(segment.terms, segment.kwh, segment.kwh) for segment in segments])


def test_x03_across_midnight():
    segments, bill = across_midnight(locked=SZ_1)
    assert [(segment.terms.rate, segment.kwh) for segment in segments] == [
        ("flat", F("18.3560")),
        ("valley", F("18.8940")),
    ]
    lines = {"flat": ("12.0838", "7.3424"), "valley": ("4.9351", "6.6129")}
    assert shown(bill) == (lines, "17.02", "13.95", "30.97")


def test_x04_new_tariff_at_midnight():
    lines = {"flat": ("12.0838", "7.3424"), "valley": ("5.8571", "7.5576")}
    assert shown(across_midnight()[1]) == (lines, "17.94", "14.90", "32.84")


def test_x05_half_price_on_the_service_fee():
    half = bill(SZ_1, ("peak", "12.3456", "1/2"), ("flat", "7.8901", "1/2"))
    lines = {"peak": ("13.6110", "2.7778"), "flat": ("5.1941", "1.5780")}
    assert shown(half) == (lines, "18.81", "4.35", "23.16")
    assert half.discount == F("27.52") - F("23.16")


def test_x06_campaign_opens_during_the_charge():
    lines = {"flat": ("9.3479", "5.6800"), "peak": ("16.6478", "3.3975")}
    assert shown(bill(SZ_1, ("flat", "14.2"), ("peak", "15.1", "1/2"))) == (lines, "26.00", "9.07", "35.07")
    ten = at("2026-03-03 10:00:00")
    half = Campaign("half", "service", F(1, 2), ten, ten + 86_400_000)
    anchors = [(ten - 600_000, F(0)), (ten, F("14.2")), (ten + 600_000, F("29.3"))]
    segments = split(Price(ZONE, (SZ_1,), (half,), SZ_1), anchors, ten + 600_000, F("29.3"))
    assert shown(charge([(part.terms, part.kwh, part.kwh) for part in segments]))[3] == "35.07"


def test_x07_half_up_and_no_float():
    assert shown(bill(ONE, ("flat", "1.5"))) == ({"flat": ("1.0050", "0.0000")}, "1.01", "0.00", "1.01")


def test_x08_one_rounding_on_the_total():
    quarters = bill(QUARTER, *((rate, "0.5") for rate in ("sharp", "peak", "flat", "valley")))
    assert shown(quarters)[1:] == ("0.50", "0.00", "0.50")
    assert sum(half_up(line.energy_fee, 2) for line in quarters.lines) == F("0.52")
    assert sum(fen_per_line([line.energy_fee for line in quarters.lines], quarters.total)) == F("0.50")


def test_x09_three_per_cent_losses():
    lossy = bill(SZ_1, ("peak", "10.0005"), ("valley", "20.0010"), loss="0.03")
    assert [line.billed_kwh for line in lossy.lines] == [F("10.3005"), F("20.6010")]
    lines = {"peak": ("11.3563", "4.6352"), "valley": ("5.3810", "7.2104")}
    assert shown(lossy) == (lines, "16.74", "11.84", "28.58")


@pytest.mark.parametrize(
    ("reported", "billed"),
    [("10.3007", "10.3007"), ("10.3008", "10.3005"), (None, "10.3005")],
    ids=["within 0.0002", "too far", "not told"],
)
def test_losses_of_the_record(reported, billed):
    assert with_losses(F("10.0005"), F("0.03"), None if reported is None else F(reported)) == F(billed)


@pytest.mark.parametrize(
    ("end", "unplug", "mode", "free", "minutes", "fee"),
    [
        ("2026-03-03 18:05:30", "2026-03-03 19:02:10", "deduct", (), 41, "8.20"),
        ("2026-03-03 18:05:30", "2026-03-03 19:02:10", "threshold", (), 56, "11.20"),
        ("2026-03-03 18:05:30", "2026-03-03 19:02:10", "deduct", ("18:30:00", "18:45:00"), 26, "5.20"),
        ("2026-03-03 21:50:00", "2026-03-04 02:50:00", "deduct", (), 285, "30.00"),
    ],
    ids=["X10a", "X10b", "X10c", "X10d"],
)
def test_x10_occupancy(end, unplug, mode, free, minutes, fee):
    rules = OccupancyRules(F("0.2"), grace_min=15, grace_mode=mode, cap=F(30))
    windows = [tuple(at(f"2026-03-03 {moment}") for moment in free)] if free else []
    occupied = occupancy_fee(rules, at(end), at(unplug), windows)
    assert (occupied.minutes, occupied.fee, occupied.is_for_a_person) == (minutes, F(fee), False)


def test_nobody_saw_the_plug_leave():
    assert occupancy_fee(OccupancyRules(F("0.2")), at("2026-03-03 18:05:30"), None).fee == 0


@pytest.mark.parametrize(
    ("total", "service", "coupon", "used", "payable"),
    [
        ("27.52", "8.71", ("5", "25", "charging"), "5.00", "30.72"),
        ("27.52", "8.71", ("10", "0", "service"), "8.71", "27.01"),
        ("23.16", "4.35", ("5", "25", "charging"), "0.00", "31.36"),
    ],
    ids=["X11a", "X11b", "X11c"],
)
def test_x11_coupon(total, service, coupon, used, payable):
    face, threshold, scope = coupon
    paid = apply_order(
        F(total), F(service), kwh=F(20), coupon=Coupon(F(face), F(threshold), scope), occupancy=F("8.20")
    )
    assert (paid.coupon_used, paid.payable) == (F(used), F(payable))


def test_x12_prepaid_stop():
    margin = interval_cost(F(60), 15, SZ_1.price("peak")[0] + SZ_1.price("peak")[1])
    assert margin == F("0.39")
    assert not must_stop(F("19.60"), F(20), margin)
    assert must_stop(F("19.61"), F(20), margin)
    assert bill(SZ_1, ("peak", "12.8856")).total == 20 < bill(SZ_1, ("peak", "12.8857")).total
    taken = bill(SZ_1, ("peak", "13")).total
    assert taken == F("20.18")
    assert borne_by_operator(taken, F(20), margin) == (F("0.18"), True)
    assert borne_by_operator(F("20.51"), F(20), margin) == (F("0.51"), False)


def test_x13_integers_of_the_wire():
    for price_e5, energy_e4, amount_e4 in ((155_250, 123_456, 191_665), (105_830, 78_901, 83_501)):
        assert half_up(F(energy_e4, 10_000) * F(price_e5, 100_000), 4) == F(amount_e4, 10_000)
    assert 191_665 + 83_501 == 275_166
    assert half_up(F(275_166, 10_000), 2) == two_rates().total == F("27.52")


@pytest.mark.parametrize(
    ("lines", "bounds", "total", "adjusted", "adjustment"),
    [
        ([("valley", "1")], {"minimum": F(5)}, "0.61", "5.00", "4.39"),
        ([("peak", "12.3456"), ("flat", "7.8901")], {"maximum": F(25)}, "27.52", "25.00", "-2.52"),
        ([("valley", "0")], {"minimum": F(5)}, "0.00", "0.00", "0.00"),
    ],
    ids=["X14a", "X14b", "X14c"],
)
def test_x14_minimum_and_maximum(lines, bounds, total, adjusted, adjustment):
    charged = bill(SZ_1, *lines)
    kwh = sum(F(kwh) for _, kwh in lines)
    paid = apply_order(charged.total, charged.service_fee, kwh=kwh, **bounds)
    assert (charged.total, paid.charging, paid.adjustment) == (F(total), F(adjusted), F(adjustment))


def test_x15_a_firmware_that_cuts():
    exact = bill(SZ_1, ("peak", "20"))
    assert shown(exact)[1:] == ("22.05", "9.00", "31.05")
    cut = (20 * F("1.552") + F("0.009")) // F(1, 100) * F(1, 100)
    assert cut == F("31.04")
    assert 0 < abs(cut - exact.total) <= F(1, 100) * (len(exact.lines) + 1)

import dataclasses

import pytest

from billing_core.evidence import Tier
from billing_core.issue import issue_bill
from billing_core.split import split
from billing_core.tariff import Campaign, Rate, TariffBook
from tests.support.evidence import (
    END,
    HOUR,
    MIDNIGHT,
    MINUTE,
    PRICES,
    TEN,
    book,
    evidence,
    reckoned,
    rest,
    sample,
    tariff,
    tiers,
)

NINE_FORTY = TEN - 20 * MINUTE
CROSSING = {
    # 09:40 to 10:20 at 30 kW: 10 kWh flat, 10 kWh peak
    "start_accepted_at_ms": NINE_FORTY,
    "samples": (*(sample(minute, 5_000 * (minute + 20)) for minute in range(-20, 20)), rest(20)),
    "at_ms": TEN + 21 * MINUTE,
}
AGREES = {"started_ms": NINE_FORTY, "ended_ms": TEN + 20 * MINUTE, "rx_ms": TEN + 20 * MINUTE + 10_000}


def crossing(one=None, **changes):
    """(basis, energy by rate) of a charge across ten o'clock."""
    told = {**AGREES, "tiers": tiers(flat=100_000, peak=100_000), **(one or {})}
    found = reckoned(**{**CROSSING, "record": told, **changes}).split
    return found.basis, {line.rate: line.energy_e4kwh for line in found.lines}


BOTH = {Rate.PEAK: 100_000, Rate.FLAT: 100_000}


@pytest.mark.parametrize(
    ("one", "basis", "energies"),
    [
        ({}, "record", BOTH),
        # 0.1 kWh and one percent of 20 kWh: 0.3 kWh
        ({"tiers": tiers(flat=103_000, peak=97_000)}, "record", {Rate.PEAK: 97_000, Rate.FLAT: 103_000}),
        ({"tiers": tiers(flat=103_001, peak=96_999)}, "samples", BOTH),
        # up to four units of the sum go to the largest rate
        ({"tiers": tiers(flat=100_004, peak=100_000)}, "record", BOTH),
        ({"tiers": tiers(flat=99_996, peak=100_000)}, "record", {Rate.PEAK: 100_004, Rate.FLAT: 99_996}),
        ({"tiers": tiers(flat=100_005, peak=100_000)}, "samples", BOTH),
        # the total must be the accepted energy to the last digit
        ({"energy_e4kwh": 200_001}, "samples", BOTH),
        # a clock that is not trusted splits nothing
        ({"started_ms": NINE_FORTY - 180_001}, "samples", BOTH),
        # energy of a rate that nobody saw, up to the tolerance
        (
            {"tiers": tiers(flat=100_000, peak=97_000, valley=3_000)},
            "record",
            {Rate.PEAK: 97_000, Rate.FLAT: 100_000, Rate.VALLEY: 3_000},
        ),
        ({"tiers": tiers(flat=100_000, peak=96_999, valley=3_001)}, "samples", BOTH),
        ({"tiers": tiers(flat=100_000, valley=100_000)}, "samples", BOTH),
    ],
)
def test_the_record_s_split_is_billed_where_it_can_be(one, basis, energies):
    assert crossing(one) == (basis, energies)


def test_a_rate_without_a_price_cannot_be_the_record_s():
    without = tariff(prices_e5={r: p for r, p in PRICES.items() if r is not Rate.SHARP})
    odd = {"tiers": tiers(sharp=100, flat=99_900, peak=100_000)}
    assert crossing(odd, tariffs=book(without)) == ("samples", BOTH)
    assert crossing(odd)[0] == "record"


def test_energies_of_the_record_fall_into_campaigns_as_the_samples_show():
    half = Campaign("half", "service", 5_000, TEN + 10 * MINUTE, TEN + HOUR, ("*",))
    told = {**AGREES, "tiers": tiers(flat=100_000, peak=100_000)}
    found = reckoned(**CROSSING, record=told, tariffs=book(campaigns=[half])).split
    assert [(line.rate, line.energy_e4kwh, line.service_factor_e4) for line in found.lines] == [
        (Rate.PEAK, 50_000, 10_000),
        (Rate.PEAK, 50_000, 5_000),
        (Rate.FLAT, 100_000, 10_000),
    ]
    assert found.campaigns == ("half",)
    assert [segment.energy_e4kwh for segment in found.segments] == [100_000, 50_000, 50_000]


# -- without samples -------------------------------------------------------------------------------------


def alone(one=None, **changes):
    found = reckoned(**{"samples": (), "record": {**AGREES, **(one or {})}, **changes}).split
    return found.basis, {line.rate: line.energy_e4kwh for line in found.lines}, found.segments


def test_without_samples_the_record_s_own_split_is_all_there_is():
    assert alone({"tiers": tiers(flat=120_000, peak=80_000)}) == (
        "record",
        {Rate.PEAK: 80_000, Rate.FLAT: 120_000},
        None,
    )


def test_tiers_are_scaled_to_the_accepted_energy():
    # rank 1: the pair, 20.0001 kWh
    one = {"tiers": tiers(flat=100_000, peak=100_000), "meter_stop_e4kwh": 10_200_001}
    assert alone(one)[1] == {Rate.PEAK: 100_001, Rate.FLAT: 100_000}


def test_tiers_that_say_nothing_are_split_evenly_over_the_record_s_time():
    assert alone({"tiers": tiers()}) == ("even", BOTH, None)


def test_without_times_the_moment_of_the_start_is_all_there_is():
    assert alone({"tiers": tiers(), "started_ms": None}) == ("even", {Rate.FLAT: 200_000}, None)
    assert alone({"tiers": tiers(), "ended_ms": NINE_FORTY}) == ("even", {Rate.FLAT: 200_000}, None)
    nobody = {"authorisation": None, "opened_at_ms": MIDNIGHT}
    assert alone({"tiers": tiers(), "started_ms": None}, **nobody) == ("even", {Rate.VALLEY: 200_000}, None)


def test_a_rate_that_the_record_s_time_does_not_touch_is_billed_at_its_begin():
    half = Campaign("half", "service", 5_000, MIDNIGHT, TEN, ("*",))
    one = {"tiers": tiers(valley=150_000, flat=50_000)}
    found = reckoned(samples=(), record={**AGREES, **one}, tariffs=book(campaigns=[half])).split
    assert [(line.rate, line.energy_e4kwh, line.service_factor_e4) for line in found.lines] == [
        (Rate.FLAT, 50_000, 5_000),
        (Rate.VALLEY, 150_000, 5_000),
    ]


def test_without_a_tariff_the_record_s_own_prices_are_proposed():
    bill = issue_bill(evidence(tariffs=TariffBook((), ())), revision=1)
    assert (bill.status, bill.split_basis, bill.amount_fen, bill.tariff) == ("review", "record", 3_105, None)
    assert [(line.rate, line.energy_price_e5, line.service_price_e5) for line in bill.lines] == [(1, 155_250, 0)]
    unpriced = {"tiers": (Tier(None, 200_000, 0, 0),), "amount_e4yuan": 5}
    assert issue_bill(evidence(tariffs=TariffBook((), ()), record=unpriced), revision=1).amount_fen == 0
    assert issue_bill(evidence(tariffs=TariffBook((), ()), record=None), revision=1).lines == ()


# -- losses --------------------------------------------------------------------------------------------------


def lossy(told, **changes):
    one = [dataclasses.replace(tier) for tier in tiers(peak=200_000)]
    one[1] = Tier(155_250, 200_000, told, 319_815)
    found = reckoned(record={"tiers": tuple(one)}, tariffs=book(tariff(loss_ratio_e4=300)), **changes).split
    return [line.energy_e4kwh for line in found.lines], [
        each.energy_e4kwh for each in found.segments if each.energy_e4kwh
    ]


@pytest.mark.parametrize(
    ("told", "billed"),
    [
        (206_000, 206_000),
        (206_002, 206_002),
        (206_003, 206_000),
        (205_998, 205_998),
        (205_997, 206_000),
        (0, 206_000),
    ],
)
def test_the_record_s_losses_stand_where_they_agree(told, billed):
    assert lossy(told) == ([billed], [billed])


def test_losses_of_a_rate_in_two_lines_are_the_tariff_s():
    half = Campaign("half", "service", 5_000, TEN + 20 * MINUTE, END, ("*",))
    one = list(tiers(peak=200_000))
    one[1] = Tier(155_250, 200_000, 206_001, 319_816)
    changes = {"record": {"tiers": tuple(one)}, "tariffs": book(tariff(loss_ratio_e4=300), campaigns=[half])}
    found = reckoned(**changes).split
    assert [line.energy_e4kwh for line in found.lines] == [103_000, 103_000]


# -- what is not the customer's -------------------------------------------------------------------------------


def test_energy_behind_an_ignored_stop_is_split_off_by_the_samples():
    done = reckoned(stop_accepted_at_ms=TEN + 19 * MINUTE)
    assert [line.energy_e4kwh for line in done.split.lines] == [100_000]
    assert done.split.basis == "samples"
    assert [(each.kind, each.energy_e4kwh) for each in done.adjustments] == [("operator_loss", 100_000)]


def test_nothing_is_billed_on_no_lines():
    one = evidence(record={"energy": 0}, samples=(sample(0, 0), sample(39, 0), rest(40)))
    found = reckoned(record={"energy": 0}, samples=one.samples)
    assert (found.split.lines, found.split.basis, found.split.campaigns) == ((), "samples", ())
    assert [segment.energy_e4kwh for segment in found.split.segments] == [0, 0]
    never = reckoned(samples=(), record=None).split
    assert (never.lines, never.segments, never.basis) == ((), None, None)


def test_any_energy_can_be_split():
    one = evidence()
    findings = reckoned().findings
    for energy in (1, 99_999, 200_000, 210_000):
        found = split(one, findings, billed_e4kwh=energy)
        assert sum(line.energy_e4kwh for line in found.lines) == energy

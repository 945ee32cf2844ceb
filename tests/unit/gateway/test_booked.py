"""Energy booked by time becomes energy by rate."""

import dataclasses

import pytest

from billing_core.tariff import Rate, Tariff
from gateway.booked import tiers_of
from protocol.dialect import Traits
from protocol.events import PileTime, RecordReceived

NOW = PileTime(1_772_538_000_000, None, b"", 0)
TARIFF = Tariff(
    "0100",
    0,
    ("*",),
    {Rate.PEAK: (110_000, 80_000), Rate.FLAT: (70_000, 80_000), Rate.VALLEY: (30_000, 80_000)},
    ((0, 480, Rate.VALLEY), (480, 720, Rate.PEAK), (720, 1440, Rate.FLAT)),
)
TRAITS = Traits(price_decimals=4)


def record(energy_e4kwh, slots, *, are_periods=False, step=100):
    values = [0] * 48
    for slot, energy in slots.items():
        values[slot] = energy
    empty = {field.name: 0 for field in dataclasses.fields(RecordReceived)}
    return RecordReceived(
        **empty
        | {
            "started": NOW,
            "ended": NOW,
            "traded": NOW,
            "tiers": (),
            "body": b"",
            "energy_e4kwh": energy_e4kwh,
            "slots_e4kwh": tuple(values),
            "are_slots_periods": are_periods,
            "slot_step_e4kwh": step,
        }
    )


def energies(tiers):
    return [tier.energy_e4kwh for tier in tiers]


def test_half_hours_go_to_the_rate_of_their_hour():
    tiers = tiers_of(record(60_000, {15: 10_000, 16: 20_000, 30: 30_000}), TARIFF, TRAITS)
    assert energies(tiers) == [0, 20_000, 30_000, 10_000]
    assert [tier.price_e5 for tier in tiers] == [0, 190_000, 150_000, 110_000]
    assert [tier.amount_e4yuan for tier in tiers] == [0, 38_000, 45_000, 11_000]


def test_periods_go_to_the_rate_of_their_place_in_the_day():
    tiers = tiers_of(record(60_000, {0: 10_000, 1: 20_000, 2: 30_000}, are_periods=True), TARIFF, TRAITS)
    assert energies(tiers) == [0, 20_000, 30_000, 10_000]


@pytest.mark.parametrize(("hidden", "is_closed"), [(0, True), (100, True), (300, True), (400, False), (-100, False)])
def test_what_cutting_hides_is_closed_and_nothing_else(hidden, is_closed):
    tiers = tiers_of(record(30_000 + hidden, {15: 10_000, 16: 20_000}), TARIFF, TRAITS)
    assert sum(energies(tiers)) == (30_000 + hidden if is_closed else 30_000)


def test_energy_where_the_tariff_has_no_period_is_not_guessed_at():
    assert tiers_of(record(10_000, {5: 10_000}, are_periods=True), TARIFF, TRAITS) == ()
    assert tiers_of(record(10_000, {5: 10_000}), None, TRAITS) == ()


def test_a_price_that_the_pile_does_not_show_whole_is_not_told():
    coarse = Traits(price_decimals=2, has_service_price=False)
    tiers = tiers_of(record(10_000, {16: 10_000}), TARIFF, coarse)
    assert [tier.price_e5 for tier in tiers][1] is None
    assert tiers[1].amount_e4yuan == 11_000, "what the pile reckons with: the energy price alone"

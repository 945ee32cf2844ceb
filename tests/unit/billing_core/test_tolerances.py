import dataclasses

import pytest

from billing_core.tolerances import Tolerances, register_half_width


def test_half_of_what_a_register_hides():
    assert [register_half_width(each) for each in (None, 0, 2, 3, 4, 5)] == [100, 100, 100, 100, 2, 2]


@pytest.mark.parametrize(
    ("energy", "period", "bms", "integral"),
    [
        (0, 1_000, 1_500, 5_000),
        (50_000, 1_500, 1_500, 5_000),
        (50_050, 1_501, 1_502, 5_000),
        (100_000, 2_000, 3_000, 5_000),
        (100_010, 2_000, 3_000, 5_001),
        (200_000, 3_000, 6_000, 10_000),
    ],
)
def test_tolerances_grow_with_the_energy(energy, period, bms, integral):
    tolerances = Tolerances()
    assert (tolerances.period(energy), tolerances.bms(energy), tolerances.integral(energy)) == (period, bms, integral)


@pytest.mark.parametrize(("period_ms", "longest_ms"), [(15_000, 120_000), (60_000, 120_000), (60_001, 120_002)])
def test_two_sample_periods_may_be_longer_than_two_minutes(period_ms, longest_ms):
    assert Tolerances(sample_period_ms=period_ms).longest_duration_ms == longest_ms


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Tolerances)])
def test_a_tolerance_is_zero_or_more(name):
    with pytest.raises(ValueError, match=f"{name} is 0 or more"):
        Tolerances(**{name: -1})
    assert Tolerances(**{name: 0}).as_dict()[name] == 0


def test_a_bill_keeps_every_tolerance_by_name():
    assert set(Tolerances().as_dict()) == {field.name for field in dataclasses.fields(Tolerances)}
    assert Tolerances().as_dict()["clock_ms"] == 180_000
    assert Tolerances().as_dict()["amount_line_e4yuan"] is None

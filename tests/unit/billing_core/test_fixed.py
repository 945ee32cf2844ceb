from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core import fixed


def half_up(value):
    return (value + Fraction(1, 2)).__floor__()


@given(st.integers(-(10**15), 10**15), st.integers(0, 10**12), st.integers(1, 10**12))
def test_a_share_is_rounded_half_up(total, part, whole):
    assert fixed.share_half_up(total, part, whole) == half_up(Fraction(total * part, whole))


@given(st.integers(0, 2**34), st.integers(0, 2**32), st.integers(0, 10_000))
def test_a_fee_is_energy_times_price_times_factor(energy, price, factor):
    exact = Fraction(energy, 10**4) * Fraction(price, 10**5) * Fraction(factor, 10**4)
    assert fixed.energy_fee_e4yuan(energy, price, factor) == half_up(exact * 10**4)


@pytest.mark.parametrize(
    ("e4yuan", "fen"), [(10_049, 100), (10_050, 101), (0, 0), (49, 0), (50, 1), (-50, 0), (-51, -1)]
)
def test_half_a_fen_goes_up(e4yuan, fen):
    assert fixed.e4yuan_to_fen_half_up(e4yuan) == fen


@pytest.mark.parametrize(("nano", "e4yuan"), [(49_999, 0), (50_000, 1), (150_000, 2), (149_999, 1)])
def test_half_a_ten_thousandth_goes_up(nano, e4yuan):
    assert fixed.nano_to_e4yuan_half_up(nano) == e4yuan


@pytest.mark.parametrize(
    ("energy", "ratio", "adjusted"),
    [(100_005, 300, 103_005), (200_010, 300, 206_010), (7, 0, 7), (1, 5_000, 2), (1, 4_999, 1)],
)
def test_losses_are_added_half_up(energy, ratio, adjusted):
    assert fixed.loss_adjusted_e4kwh_half_up(energy, ratio) == adjusted


def test_numbers_are_written_with_all_their_places():
    assert fixed.format_e4(1) == "0.0001"
    assert fixed.format_e5(155_250) == "1.55250"
    assert fixed.format_fen(-5) == "-0.05"
    assert fixed.format_fen(-2_710) == "-27.10"
    assert [fixed.format_factor(each) for each in (10_000, 5_000, 8_850, 0, 1)] == ["1", "0.5", "0.885", "0", "0.0001"]


@given(st.integers(-(2**70), 2**70) | st.sampled_from((2**63 - 1, -(2**63), 2**63, -1, 0)), st.integers(0, 12))
def test_a_number_of_any_size_is_written_exactly(value, decimals):
    text = fixed.format_scaled(value, decimals)
    whole, places = text.removeprefix("-").split(".")
    assert (int(whole + places), len(places), text.startswith("-")) == (abs(value), decimals, value < 0)
    assert whole == str(int(whole))


@given(st.integers(0, 10**12), st.integers(1, 5))
def test_what_is_written_is_read_back(value, decimals):
    text = fixed.format_scaled(value, decimals)
    if len(text.split(".")[0]) <= 9:
        assert fixed.parse_scaled(text, decimals) == value


@pytest.mark.parametrize("text", ["", ".5", "1.", "-1", "+1", " 1", "1e3", "١", "1_000", "1.٢", "1234567890", "1,5"])
def test_only_plain_decimals_are_read(text):
    with pytest.raises(ValueError, match="not a plain decimal"):
        fixed.parse_scaled(text, 2)


def test_too_many_places_are_refused_not_rounded():
    with pytest.raises(ValueError, match="more than 2 decimals"):
        fixed.parse_scaled("1.005", 2)
    assert fixed.parse_scaled("1.05", 2) == 105
    assert fixed.parse_scaled("123456789", 5) == 12_345_678_900_000

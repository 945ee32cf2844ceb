"""CP56Time2a, bit by bit."""

import pytest

from protocol.dialects.ykc_times import pile_time, raw_time, time_text
from protocol.events import TimeFault


def reading(hexa):
    return pile_time(int.from_bytes(bytes.fromhex(hexa), "little"))


def test_the_example_of_the_protocol():
    assert time_text(int.from_bytes(bytes.fromhex("98B70E11100314"), "little")) == "2020-03-16T17:14:47.000"


@pytest.mark.parametrize(
    ("hexa", "why"),
    [
        ("98B70E11700314", "day of week"),
        ("98B70E91100314", "summer time"),
        ("98B70E71100314", "reserved bits of the hour"),
        ("98B74E11100314", "reserved bit of the minute"),
        ("98B70E1110F314", "reserved bits of the month"),
        ("98B70E11100394", "reserved bit of the year"),
    ],
)
def test_bits_that_say_nothing_of_the_time_are_masked(hexa, why):
    assert reading(hexa).civil_ms == reading("98B70E11100314").civil_ms, why


@pytest.mark.parametrize(
    ("hexa", "fault", "of_day_ms"),
    [
        ("00000000000000", TimeFault.ZERO_DATE, 0),
        ("98B70E11000314", TimeFault.ZERO_DATE, 62_087_000),
        ("98B70E11100014", TimeFault.ZERO_DATE, 62_087_000),
        ("FFFFFFFFFFFFFF", TimeFault.INVALID_FIELD, None),
        ("98B78E11100314", TimeFault.INVALID_FIELD, 62_087_000),  # the flag "invalid"
        ("60EA0E11100314", TimeFault.INVALID_FIELD, None),  # 60000 ms
        ("98B73C11100314", TimeFault.INVALID_FIELD, None),  # minute 60
        ("98B70E18100314", TimeFault.INVALID_FIELD, None),  # hour 24
        ("98B70E11100D14", TimeFault.INVALID_FIELD, 62_087_000),  # month 13
        ("98B70E111F0414", TimeFault.INVALID_FIELD, 62_087_000),  # 31 April
        ("98B70E111D0215", TimeFault.INVALID_FIELD, 62_087_000),  # 29 February 2021
        ("98B70E11100364", TimeFault.INVALID_FIELD, 62_087_000),  # year 100
    ],
)
def test_what_no_clock_shows_has_a_reason_and_perhaps_a_time_of_day(hexa, fault, of_day_ms):
    found = reading(hexa)
    assert (found.civil_ms, found.fault, found.time_of_day_ms) == (None, fault, of_day_ms)
    assert found.raw == bytes.fromhex(hexa)
    assert time_text(int.from_bytes(bytes.fromhex(hexa), "little")) is None


@pytest.mark.parametrize(
    ("text", "hexa"),
    [
        ("2000-01-01T00:00:00.000", "00000000010100"),
        ("2020-02-29T12:34:56.789", "D5DD220C1D0214"),
        ("2099-12-31T23:59:59.999", "5FEA3B171F0C63"),
    ],
)
def test_a_time_goes_both_ways(text, hexa):
    raw = int.from_bytes(bytes.fromhex(hexa), "little")
    assert time_text(raw) == text
    assert raw_time(pile_time(raw).civil_ms) == raw


def test_years_that_seven_bits_of_century_cannot_carry_are_not_sent():
    with pytest.raises(AssertionError):
        raw_time(0)

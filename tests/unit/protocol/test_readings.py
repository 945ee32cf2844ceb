"""Clock readings against Python's calendar; what each dialect's own form means is with the dialect."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.events import TimeFault
from protocol.readings import cp56_time, digits_time

EPOCH = datetime.datetime(1970, 1, 1)


def civil_ms(moment):
    return (moment - EPOCH) // datetime.timedelta(milliseconds=1)


@given(moment=st.datetimes(datetime.datetime(1, 1, 1)))
def test_digits_of_any_date_are_that_date(moment):
    moment = moment.replace(microsecond=0)
    text = f"{moment.year:04d}{moment:%m%d%H%M%S}FF"
    assert digits_time(bytes.fromhex(text)).civil_ms == civil_ms(moment)


@given(moment=st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2099, 12, 31, 23, 59, 59)))
def test_binary_of_any_date_of_its_century_is_that_date(moment):
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    millis = moment.second * 1000 + moment.microsecond // 1000
    tail = bytes((moment.minute, moment.hour, moment.day, moment.month, moment.year - 2000))
    assert cp56_time(millis.to_bytes(2, "little") + tail).civil_ms == civil_ms(moment)


@pytest.mark.parametrize(
    ("hexa", "fault", "of_day_ms"),
    [
        ("0000000000000000", TimeFault.ZERO_DATE, None),
        ("00000000000000FF", TimeFault.ZERO_DATE, None),
        ("2026030A120000FF", TimeFault.INVALID_FIELD, None),  # no digit
        ("20260003120000FF", TimeFault.ZERO_DATE, 43_200_000),
        ("20260300250000FF", TimeFault.ZERO_DATE, None),
        ("20261301120000FF", TimeFault.INVALID_FIELD, 43_200_000),
        ("20260229120000FF", TimeFault.INVALID_FIELD, 43_200_000),
        ("21000229120000FF", TimeFault.INVALID_FIELD, 43_200_000),  # 2100 is no leap year
        ("00000301120000FF", TimeFault.INVALID_FIELD, 43_200_000),  # there is no year 0
        ("20260301240000FF", TimeFault.INVALID_FIELD, None),
        ("20260301126000FF", TimeFault.INVALID_FIELD, None),
    ],
)
def test_digits_that_no_clock_shows_have_a_reason(hexa, fault, of_day_ms):
    found = digits_time(bytes.fromhex(hexa))
    assert (found.civil_ms, found.fault, found.time_of_day_ms) == (None, fault, of_day_ms)
    assert found.raw == bytes.fromhex(hexa)


@pytest.mark.parametrize("read", [cp56_time, digits_time])
def test_a_reading_has_its_size(read):
    with pytest.raises(AssertionError):
        read(b"")

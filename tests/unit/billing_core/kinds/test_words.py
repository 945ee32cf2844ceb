from billing_core.kinds.words import RATE_ZH, both, kwh, local_time, minutes
from billing_core.tariff import RATE_NAMES
from tests.support.evidence import TEN, evidence


def test_both_languages_get_the_same_values():
    assert both("{a} of {b}", "{b}之{a}", a=1, b="x") == ("1 of x", "x之1")


def test_numbers_and_times_as_people_read_them():
    assert kwh(123_456) == "12.3456"
    assert local_time(evidence(), TEN + 999) == "2026-03-03 10:00:00"
    assert [minutes(each) for each in (0, 59_999, 60_000, 119_999)] == [0, 0, 1, 1]


def test_every_rate_has_a_name_in_both():
    assert len(RATE_ZH) == len(RATE_NAMES) == 5

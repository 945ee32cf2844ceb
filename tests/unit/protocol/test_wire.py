import pytest

from protocol.dialects.ykc_frames import CARDS_CLEAR_ANSWER, HEARTBEAT, RECORD
from protocol.wire import construct_path, decimal_text


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(0, 1, "0.0"), (5, 2, "0.05"), (-5, 1, "-0.5"), (-4000, 1, "-400.0"), (123456, 5, "1.23456"), (7, 4, "0.0007")],
)
def test_an_integer_is_shown_with_all_its_places(value, decimals, text):
    assert decimal_text(value, decimals) == text


@pytest.mark.parametrize(
    ("layout", "size", "text"),
    [
        (HEARTBEAT, 7, "at gun"),
        (RECORD, 60, "at tiers -> energy_kwh"),
        (HEARTBEAT, 9, "the body fits"),
        (CARDS_CLEAR_ANSWER, 11, "the body fits"),
    ],
)
def test_construct_tells_where_a_body_goes_wrong(layout, size, text):
    assert construct_path(layout, bytes(size)) == text

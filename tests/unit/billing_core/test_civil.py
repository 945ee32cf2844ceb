import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_core.civil import Zone, civil_of, iso_local, minute_of_day
from gateway.site import zone_of
from tests.support.evidence import CHINA, HOUR, MINUTE, TEN

BERLIN = zone_of("Europe/Berlin")


def at(text):
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_china_is_eight_hours_ahead_all_year():
    assert iso_local(TEN, CHINA) == "2026-03-03T10:00:00.000+08:00"
    assert CHINA.civil_ms(TEN) - TEN == 8 * HOUR
    assert CHINA.instants(CHINA.civil_ms(TEN)) == (TEN,)
    assert CHINA.changes(0, 4_000_000_000_000) == []


@given(
    st.integers(946_684_800, 4_000_000_000),
    st.sampled_from(("Europe/Berlin", "Asia/Shanghai", "America/St_Johns", "UTC")),
)
def test_local_time_is_that_of_the_zone_database(at_s, name):
    there = datetime.fromtimestamp(at_s, UTC).astimezone(zoneinfo.ZoneInfo(name))
    assert iso_local(1000 * at_s, zone_of(name)) == there.isoformat(timespec="milliseconds")


def test_a_repeated_hour_has_two_instants_and_a_skipped_one_that_of_before():
    twice = at("2026-10-25T02:30:00+00:00")
    assert BERLIN.instants(twice) == (at("2026-10-25T02:30:00+02:00"), at("2026-10-25T02:30:00+01:00"))
    skipped = at("2026-03-29T02:30:00+00:00")
    assert BERLIN.instants(skipped) == (at("2026-03-29T02:30:00+01:00"),)
    usual = at("2026-07-01T02:30:00+00:00")
    assert BERLIN.instants(usual) == (at("2026-07-01T02:30:00+02:00"),)


def test_changes_lie_within_both_ends():
    change = at("2026-03-29T01:00:00+00:00")
    assert BERLIN.changes(change - 1, change + 1) == [change]
    assert BERLIN.changes(change, change + 1) == []
    assert BERLIN.changes(change - 1, change) == []
    assert (BERLIN.offset_ms(change - 1), BERLIN.offset_ms(change)) == (HOUR, 2 * HOUR)


def test_west_of_greenwich_the_sign_is_minus():
    west = Zone(((0, -(3 * HOUR + 30 * MINUTE)),))
    assert iso_local(0, west) == "1969-12-31T20:30:00.000-03:30"
    assert iso_local(7, Zone(((0, 0),))) == "1970-01-01T00:00:00.007+00:00"


@pytest.mark.parametrize("transitions", [(), ((5, 0), (5, 1)), ((5, 0), (4, 1))])
def test_a_table_of_offsets_ascends(transitions):
    with pytest.raises(AssertionError):
        Zone(transitions)


def test_equal_tables_are_equal_zones():
    assert Zone(((0, 5),)) == Zone(((0, 5),))
    assert len({Zone(((0, 5),)), Zone(((0, 5),)), Zone(((0, 6),))}) == 2
    assert repr(Zone(((0, 5), (9, 6)))) == "Zone(2 offsets)"


@pytest.mark.parametrize(
    ("civil_ms", "minute"), [(0, 0), (59_999, 0), (60_000, 1), (86_399_999, 1439), (86_400_000, 0)]
)
def test_minutes_of_the_day(civil_ms, minute):
    assert minute_of_day(civil_ms) == minute


@given(st.datetimes(), st.integers(-720, 840))
def test_any_date_of_the_calendar_is_written(moment, offset_min):
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    civil_ms = (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
    text = iso_local(civil_ms - offset_min * MINUTE, Zone(((0, offset_min * MINUTE),)))
    shown = f"{'-' if offset_min < 0 else '+'}{abs(offset_min) // 60:02d}:{abs(offset_min) % 60:02d}"
    assert text == moment.isoformat(timespec="milliseconds") + shown


@pytest.mark.parametrize("at_ms", [253_402_300_800_000, -62_135_596_800_001, 2**62])
def test_what_no_calendar_shows_is_refused(at_ms):
    with pytest.raises(ValueError, match="outside the years"):
        iso_local(at_ms, Zone(((0, 0),)))


@given(st.from_regex("[0-9]{2}[01][0-9][0-3][0-9][0-2][0-9][0-6][0-9][0-6][0-9]", fullmatch=True))
def test_a_stamp_is_a_time_or_none(stamp):
    year, *rest = (int(stamp[at : at + 2]) for at in range(0, 12, 2))
    try:
        wanted = (datetime(2000 + year, *rest) - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
    except ValueError:
        wanted = None
    assert civil_of(stamp) == wanted

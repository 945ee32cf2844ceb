"""Times of the AA F5 family: eight bytes BCD, ``YYYY MM DD hh mm ss xx``, local civil time without a zone."""

from __future__ import annotations

from datetime import date

from protocol.events import PileTime, TimeFault

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000
ABSENT = "0" * 16


def pile_time(raw: str) -> PileTime:
    """The reading in a raw field of 16 hex digits; its last byte is not always FF and says nothing."""
    data = bytes.fromhex(raw)
    digits = raw[:14]
    if not digits.strip("0"):
        return PileTime(None, TimeFault.ZERO_DATE, data, None)
    if not digits.isdecimal():
        return PileTime(None, TimeFault.INVALID_FIELD, data, None)
    hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:14])
    has_clock = hour < 24 and minute < 60 and second < 60
    of_day_ms = ((hour * 60 + minute) * 60 + second) * 1000 if has_clock else None
    if digits[:8].strip("0") == "" or digits[4:6] == "00" or digits[6:8] == "00":
        return PileTime(None, TimeFault.ZERO_DATE, data, of_day_ms)
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return PileTime(None, TimeFault.INVALID_FIELD, data, of_day_ms)
    if of_day_ms is None:
        return PileTime(None, TimeFault.INVALID_FIELD, data, None)
    return PileTime((day.toordinal() - _EPOCH_ORDINAL) * _DAY_MS + of_day_ms, None, data, of_day_ms)


def raw_time(civil_ms: int) -> str:
    """The raw field of local civil time, ms since 1970 of the same calendar."""
    days, of_day_ms = divmod(civil_ms, _DAY_MS)
    day = date.fromordinal(days + _EPOCH_ORDINAL)
    seconds = of_day_ms // 1000
    return f"{day:%Y%m%d}{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}FF"

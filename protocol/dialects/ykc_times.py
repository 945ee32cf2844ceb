"""CP56Time2a as YKC uses it: seven bytes of local civil time, decoded strictly.

Source: YKC V1.6 data types; docs/protocols/ykc.md, "Times".
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date

from protocol.events import PileTime, TimeFault

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000
_INVALID = 0x80  # beside the minutes

# (years since 2000, month) -> (days from 1970 up to the one before its first, its days)
_MONTHS = {
    (year, month): (date(2000 + year, month, 1).toordinal() - _EPOCH_ORDINAL - 1, monthrange(2000 + year, month)[1])
    for year in range(100)
    for month in range(1, 13)
}


def pile_time(raw: int) -> PileTime:
    """The reading in a raw 56-bit value. Weekday, summer-time and reserved bits are masked."""
    data = raw.to_bytes(7, "little")
    millis = raw & 0xFFFF
    minute, hour, day, month, year = data[2] & 0x3F, data[3] & 0x1F, data[4] & 0x1F, data[5] & 0x0F, data[6] & 0x7F
    has_clock = millis < 60_000 and minute < 60 and hour < 24
    of_day_ms = (hour * 60 + minute) * 60_000 + millis if has_clock else None
    if day == 0 or month == 0:
        return PileTime(None, TimeFault.ZERO_DATE, data, of_day_ms)
    first, length = _MONTHS.get((year, month), (0, 0))
    if of_day_ms is None or data[2] & _INVALID or day > length:
        return PileTime(None, TimeFault.INVALID_FIELD, data, of_day_ms)
    return PileTime((first + day) * _DAY_MS + of_day_ms, None, data, of_day_ms)


def raw_time(civil_ms: int) -> int:
    """The raw 56-bit value of local civil time, ms since 1970 of the same calendar; year 2000 to 2099."""
    days, of_day_ms = divmod(civil_ms, _DAY_MS)
    day = date.fromordinal(days + _EPOCH_ORDINAL)
    assert 2000 <= day.year <= 2099
    minutes, millis = divmod(of_day_ms, 60_000)
    data = bytes((millis & 0xFF, millis >> 8, minutes % 60, minutes // 60, day.day, day.month, day.year - 2000))
    return int.from_bytes(data, "little")


def time_text(raw: int) -> str | None:
    """``YYYY-MM-DDTHH:MM:SS.mmm``, or ``None`` when the reading cannot be decoded."""
    reading = pile_time(raw)
    if reading.civil_ms is None:
        return None
    days, of_day_ms = divmod(reading.civil_ms, _DAY_MS)
    seconds, millis = divmod(of_day_ms, 1000)
    day = date.fromordinal(days + _EPOCH_ORDINAL)
    return f"{day.isoformat()}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{millis:03d}"

"""CP56Time2a as YKC uses it: seven bytes of local civil time, decoded strictly.

Source: YKC V1.6 data types; docs/protocols/ykc.md, "Times".
"""

from __future__ import annotations

from datetime import date

from protocol.events import PileTime
from protocol.readings import cp56_time

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000


def pile_time(raw: int) -> PileTime:
    """The reading in a raw 56-bit value."""
    return cp56_time(raw.to_bytes(7, "little"))


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

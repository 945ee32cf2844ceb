"""Times of the AA F5 family: eight bytes BCD, ``YYYY MM DD hh mm ss xx``, local civil time without a zone."""

from __future__ import annotations

from datetime import date

from protocol.events import PileTime
from protocol.readings import digits_time

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000
ABSENT = "0" * 16


def pile_time(raw: str) -> PileTime:
    """The reading in a raw field of 16 hex digits; its last byte is not always FF and says nothing."""
    return digits_time(bytes.fromhex(raw))


def raw_time(civil_ms: int) -> str:
    """The raw field of local civil time, ms since 1970 of the same calendar."""
    days, of_day_ms = divmod(civil_ms, _DAY_MS)
    day = date.fromordinal(days + _EPOCH_ORDINAL)
    seconds = of_day_ms // 1000
    return f"{day:%Y%m%d}{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}FF"

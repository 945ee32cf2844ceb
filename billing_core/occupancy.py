"""A car that stays plugged in after it was charged: terms, and the fee they make.

Source: docs/billing.md, occupancy.
"""

from __future__ import annotations

from dataclasses import dataclass

from billing_core.civil import Zone
from billing_core.pricing import occupancy
from billing_core.units import DAY_MS, MINUTE_MS


@dataclass(frozen=True)
class OccupancyTerms:
    """What an operator charges for.

    Attributes:
        grace_min: free minutes.
        is_threshold: all minutes are owed once the free ones are exceeded; else only those above.
        price_per_min_e5: 0.00001 yuan per minute.
        cap_fen: highest fee of a session, ``None`` for none.
        free_windows_min: (from, to) minutes of the local day that are never charged; may wrap midnight.
        max_hours: above this a person decides.
    """

    grace_min: int = 15
    is_threshold: bool = False
    price_per_min_e5: int = 0
    cap_fen: int | None = None
    free_windows_min: tuple[tuple[int, int], ...] = ()
    max_hours: int = 24


@dataclass(frozen=True)
class OccupancyFee:
    """Minutes that are owed, from when to when, and what they cost."""

    from_ms: int
    to_ms: int
    minutes: int
    fee_fen: int


def occupancy_fee(terms: OccupancyTerms, zone: Zone, from_ms: int, to_ms: int) -> OccupancyFee:
    """The fee for a connector held from the end of charging to the unplugging, Unix ms."""
    assert from_ms <= to_ms
    minutes, fee_fen = occupancy(
        [(from_ms // 1000, to_ms // 1000)],
        grace_min=terms.grace_min,
        is_threshold=terms.is_threshold,
        price_per_min_e5=terms.price_per_min_e5,
        cap_fen=terms.cap_fen,
        free_s=_free_s(terms, zone, from_ms, to_ms),
    )
    return OccupancyFee(from_ms, to_ms, minutes, fee_fen)


def _free_s(terms: OccupancyTerms, zone: Zone, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """The free windows as (from, to) seconds, day by local day, one day around the stay on either side."""
    found = []
    day = zone.civil_ms(from_ms) // DAY_MS - 1
    while day * DAY_MS <= zone.civil_ms(to_ms):
        for start_min, stop_min in terms.free_windows_min:
            length_min = (stop_min - start_min) % 1440 or 1440
            start_ms = zone.instants(day * DAY_MS + start_min * MINUTE_MS)[0]
            stop_ms = zone.instants(day * DAY_MS + (start_min + length_min) * MINUTE_MS)[0]
            found.append((start_ms // 1000, stop_ms // 1000))
        day += 1
    return found

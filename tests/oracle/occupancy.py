"""The fee for a connector that stays plugged after the charge."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tests.oracle.rating import half_up


@dataclass(frozen=True)
class OccupancyRules:
    price_per_min: Fraction
    grace_min: int = 0
    grace_mode: str = "deduct"  # or "threshold"
    cap: Fraction | None = None
    max_hours: int = 24


@dataclass(frozen=True)
class Occupied:
    minutes: int
    fee: Fraction
    is_for_a_person: bool


def minus(pieces: list[tuple[int, int]], hole: tuple[int, int]) -> list[tuple[int, int]]:
    """Cut one interval out of others."""
    left = [(start, min(end, hole[0])) for start, end in pieces]
    right = [(max(start, hole[1]), end) for start, end in pieces]
    return [piece for piece in left + right if piece[0] < piece[1]]


def occupancy_fee(
    rules: OccupancyRules, end_ms: int, unplug_ms: int | None, free: list[tuple[int, int]] = ()
) -> Occupied:
    """Busy time minus grace minus free windows (given as instants), whole minutes rounded down."""
    if unplug_ms is None or unplug_ms <= end_ms:
        return Occupied(0, Fraction(0), False)
    grace_ms = rules.grace_min * 60_000
    if rules.grace_mode == "threshold":
        pieces = [] if unplug_ms - end_ms <= grace_ms else [(end_ms, unplug_ms)]
    else:
        pieces = minus([(end_ms, unplug_ms)], (end_ms, end_ms + grace_ms))
    for window in free:
        pieces = minus(pieces, window)
    minutes = sum(end - start for start, end in pieces) // 60_000
    fee = half_up(minutes * rules.price_per_min, 2)
    if rules.cap is not None:
        fee = min(fee, rules.cap)
    return Occupied(minutes, fee, unplug_ms - end_ms > rules.max_hours * 3_600_000)

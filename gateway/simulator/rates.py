"""The tariff as a pile holds it, and the pile's own arithmetic: integers, four decimals, half up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SLOT_MS = 1_800_000
_DAY_MS = 48 * SLOT_MS
_HALF = 50_000  # of the step from nano-yuan to 0.0001 yuan


def fee_e4yuan(energy_e4kwh: int, price_e5: int) -> int:
    """Energy × price in 0.0001 yuan, half up."""
    return (energy_e4kwh * price_e5 + _HALF) // (2 * _HALF)


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices per rate and the rate of each half hour, as 0x0A and 0x58 carry them.

    Attributes:
        model_no: 4 hex digits.
        prices_e5: (energy, service), yuan per kWh × 10^5: sharp, peak, flat, valley[, deep_valley].
        slots: 48 indexes into ``prices_e5``.
    """

    model_no: str
    prices_e5: tuple[tuple[int, int], ...]
    slots: tuple[int, ...]

    @classmethod
    def from_raw(cls, raw: Mapping[str, Any]) -> Rates:
        """The tariff in the raw values of a tariff frame."""
        slots = bytes.fromhex(raw["slots"])
        prices = tuple((rate["elec"], rate["service"]) for rate in raw["rates"])
        assert len(slots) == 48
        assert max(slots) < len(prices)
        return cls(raw["model_no"], prices, tuple(slots))

    def index_at(self, civil_ms: int) -> int:
        """The rate in force at a civil time, ms since 1970 of the same calendar."""
        return self.slots[civil_ms % _DAY_MS // SLOT_MS]

    def price_e5(self, index: int) -> int:
        """Energy and service price of a rate together, as records show it."""
        return sum(self.prices_e5[index])

    def tier_amounts_e4yuan(self, energies_e4kwh: Sequence[int]) -> list[int]:
        """What a pile asks for the energy of each rate, 0.0001 yuan."""
        return [fee_e4yuan(energy, self.price_e5(index)) for index, energy in enumerate(energies_e4kwh)]

    def bill_fen(self, energies_e4kwh: Sequence[int]) -> int:
        """What a bill over these energies must come to by rule B-1, fen: the simulator's own reckoning."""
        lines = zip(energies_e4kwh, self.prices_e5, strict=True)
        total_e4 = sum(fee_e4yuan(energy, one) + fee_e4yuan(energy, two) for energy, (one, two) in lines)
        return (total_e4 + 50) // 100


def next_slot_ms(civil_ms: int) -> int:
    """The civil time at which the next half hour begins."""
    return (civil_ms // SLOT_MS + 1) * SLOT_MS

from collections.abc import Mapping, Sequence
from enum import IntEnum

from billing_core.civil import Zone

class Rate(IntEnum):
    SHARP = 0
    PEAK = 1
    FLAT = 2
    VALLEY = 3
    DEEP_VALLEY = 4

RATES: tuple[Rate, ...]
RATE_NAMES: tuple[str, ...]

class Tariff:
    model_no: str
    valid_from_ms: int
    scope: tuple[str, ...]
    prices_e5: Mapping[Rate, tuple[int, int]]
    slots: tuple[tuple[int, int, Rate], ...]
    loss_ratio_e4: int
    def __init__(
        self,
        model_no: str,
        valid_from_ms: int,
        scope: tuple[str, ...],
        prices_e5: Mapping[Rate, tuple[int, int]],
        slots: tuple[tuple[int, int, Rate], ...],
        loss_ratio_e4: int = 0,
        path: str = "tariff",
    ) -> None: ...
    @classmethod
    def from_pile(
        cls, model_no: str, valid_from_ms: int, *, prices_e5: Sequence[tuple[int, int]], slots: Sequence[int]
    ) -> Tariff: ...
    def rate_at(self, civil_ms: int) -> Rate: ...
    def boundaries_min(self) -> tuple[int, ...]: ...

class Campaign:
    id: str
    component: str
    factor_e4: int
    valid_from_ms: int
    valid_to_ms: int
    scope: tuple[str, ...]
    def __init__(
        self, id: str, component: str, factor_e4: int, valid_from_ms: int, valid_to_ms: int, scope: tuple[str, ...]
    ) -> None: ...

class TariffBook:
    tariffs: tuple[Tariff, ...]
    campaigns: tuple[Campaign, ...]
    def __init__(self, tariffs: tuple[Tariff, ...], campaigns: tuple[Campaign, ...]) -> None: ...
    def in_force(self, *, pile_id: str, station: str, at_ms: int) -> Tariff | None: ...
    def changes(self, *, pile_id: str, station: str, from_ms: int, to_ms: int) -> list[int]: ...
    def campaigns_for(self, *, pile_id: str, station: str) -> tuple[Campaign, ...]: ...

def pile_slots(tariff: Tariff) -> list[int]: ...
def rate_cuts(tariff: Tariff, zone: Zone, from_ms: int, to_ms: int) -> list[int]: ...

from collections.abc import Sequence

from billing_core.civil import Zone
from billing_core.tariff import Campaign, Rate, Tariff, TariffBook

class Segment:
    from_ms: int
    to_ms: int
    tariff: Tariff
    rate: Rate
    service_factor_e4: int
    energy_factor_e4: int
    campaigns: tuple[str, ...]
    energy_e4kwh: int
    def __init__(
        self,
        from_ms: int,
        to_ms: int,
        tariff: Tariff,
        rate: Rate,
        service_factor_e4: int,
        energy_factor_e4: int,
        campaigns: tuple[str, ...],
        energy_e4kwh: int,
    ) -> None: ...
    def with_energy(self, energy_e4kwh: int) -> Segment: ...
    def key(self) -> tuple[object, ...]: ...

def cumulative_e4kwh(anchors: Sequence[tuple[int, int]], at_ms: int) -> int: ...
def risen(
    anchors: tuple[tuple[int, int], ...], from_ms: int, to_ms: int, energy_e4kwh: int
) -> list[tuple[int, int]]: ...
def split(anchors: Sequence[tuple[int, int]], cuts: Sequence[int]) -> list[int]: ...
def segments_of(
    anchors: Sequence[tuple[int, int]],
    *,
    tariff: Tariff,
    book: TariffBook,
    zone: Zone,
    pile_id: str,
    station: str,
    is_instant: bool,
) -> list[Segment]: ...
def spread(segments: Sequence[Segment], energies_e4kwh: dict[Rate, int]) -> list[Segment] | None: ...
def best_factors(
    campaigns: Sequence[Campaign], at_ms: int, prices_e5: tuple[int, int]
) -> tuple[int, int, tuple[str, ...]]: ...
def by_rate(segments: Sequence[Segment]) -> dict[Rate, int]: ...

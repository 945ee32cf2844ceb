from collections.abc import Sequence

from billing_core.apportion import Segment

class Line:
    rate: object
    energy_e4kwh: int
    energy_price_e5: int
    service_price_e5: int
    service_factor_e4: int
    energy_factor_e4: int
    energy_fee_e4yuan: int
    service_fee_e4yuan: int
    def __init__(
        self,
        rate: object,
        energy_e4kwh: int,
        energy_price_e5: int,
        service_price_e5: int,
        service_factor_e4: int = 10_000,
        energy_factor_e4: int = 10_000,
    ) -> None: ...

class Total:
    energy_fee_fen: int
    service_fee_fen: int
    amount_fen: int

def lines_of(segments: Sequence[Segment]) -> list[Line]: ...
def billed(lines: Sequence[Line]) -> Total: ...
def undiscounted(lines: Sequence[Line]) -> list[Line]: ...
def undiscounted_fen(lines: Sequence[Line]) -> int: ...
def occupancy(
    busy_s: Sequence[tuple[int, int]],
    *,
    grace_min: int,
    is_threshold: bool,
    price_per_min_e5: int,
    cap_fen: int | None,
    free_s: Sequence[tuple[int, int]],
) -> tuple[int, int]: ...
def adjusted_fen(total_fen: int, *, energy_e4kwh: int, least_fen: int | None, most_fen: int | None) -> int: ...
def coupon_fen(
    face_fen: int, threshold_fen: int, *, charging_fen: int, service_fen: int, is_service_only: bool
) -> int: ...
def stop_margin_fen(*, rated_w: int, interval_s: int, price_e5: int) -> int: ...

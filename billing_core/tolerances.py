"""How far two pieces of evidence may differ and still agree; every bill keeps the values it was judged with."""

from __future__ import annotations

from dataclasses import dataclass, fields

from billing_core.fixed import share_half_up

COARSE_E4KWH = 100  # half of what a register's last digit hides: two decimals or unknown
FINE_E4KWH = 2  # four decimals
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Tolerances of one pile model; names and defaults as in docs/billing.md.

    Attributes:
        clock_ms: pile clock against gateway clock.
        duration_ms: the least tolerance of a duration; two sample periods when that is longer.
        sample_period_ms: how often a charging pile sends its state.
        live_ms: a proof of the end counts as its moment when it comes this soon after the last sample.
        arrival_ms: how much later than it was taken the last sample may have arrived.
        period_e4kwh, period_percent: energy of one rate against what the samples show, added up.
        amount_total_e4yuan: total amount against the sum of its parts.
        amount_line_e4yuan: amount of one rate; ``None`` for 0.0001 yuan, or 0.01 yuan for piles that send whole fen.
        bms_e4kwh, bms_percent: battery-side energy, whichever is more.
        vi_e4kwh, vi_percent: integral of voltage and current, whichever is more.
        start_deadline_ms: from the order to the first charging sample.
        power_cut_ms: how long after a login behind a lost link the record may take.
        stuck_ms: an order without a sample for this long is closed.
        gate_e4yuan, gate_percent: how much more than the amount shown may be billed without a person.
        downward_fen: a repair that lowers a posted bill by more goes to a person.
        age_ms: a repair of a charge older than this goes to a person.
        operator_fen: what the operator bears above the balance, at the least.
    """

    clock_ms: int = 180_000
    duration_ms: int = 120_000
    sample_period_ms: int = 15_000
    live_ms: int = 60_000
    arrival_ms: int = 0
    period_e4kwh: int = 1_000
    period_percent: int = 1
    amount_total_e4yuan: int = 100
    amount_line_e4yuan: int | None = None
    bms_e4kwh: int = 1_500
    bms_percent: int = 3
    vi_e4kwh: int = 5_000
    vi_percent: int = 5
    start_deadline_ms: int = 90_000
    power_cut_ms: int = 600_000
    stuck_ms: int = 43_200_000
    gate_e4yuan: int = 5_000
    gate_percent: int = 2
    downward_fen: int = 20_000
    age_ms: int = 90 * DAY_MS
    operator_fen: int = 50

    def __post_init__(self) -> None:
        for name in _NAMES:
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name} is 0 or more")

    @property
    def longest_duration_ms(self) -> int:
        """The tolerance of a duration."""
        return max(self.duration_ms, 2 * self.sample_period_ms)

    def period(self, energy_e4kwh: int) -> int:
        """The tolerance of one rate's energy, 0.1 Wh, in a session of ``energy_e4kwh``."""
        return self.period_e4kwh + share_half_up(energy_e4kwh, self.period_percent, 100)

    def bms(self, energy_e4kwh: int) -> int:
        """The tolerance of the battery-side energy, 0.1 Wh."""
        return max(self.bms_e4kwh, share_half_up(energy_e4kwh, self.bms_percent, 100))

    def integral(self, energy_e4kwh: int) -> int:
        """The tolerance of the integral of voltage and current, 0.1 Wh."""
        return max(self.vi_e4kwh, share_half_up(energy_e4kwh, self.vi_percent, 100))

    def as_dict(self) -> dict[str, int | None]:
        """Every value by name, for the computation that a bill keeps."""
        return {name: getattr(self, name) for name in _NAMES}


_NAMES = tuple(each.name for each in fields(Tolerances))


def register_half_width(register_decimals: int | None) -> int:
    """What the register's last digit hides, 0.1 Wh: 0.0002 kWh for four decimals, else 0.01 kWh."""
    return FINE_E4KWH if register_decimals is not None and register_decimals >= 4 else COARSE_E4KWH

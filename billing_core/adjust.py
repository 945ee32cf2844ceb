"""What stands beside the charging fees: energy and money that the operator bears, and occupancy.

Source: docs/billing.md, order of application.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing_core.evidence import Evidence
from billing_core.findings import Findings, energy_until, stop_limit_ms
from billing_core.occupancy import OccupancyFee, occupancy_fee
from billing_core.pricing import Line, stop_margin_fen

_HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Adjustment:
    """One line beside the charging fees.

    Attributes:
        kind: ``operator_loss`` (energy after an ignored stop), ``operator_borne`` (money above the balance) or
            ``occupancy``.
        energy_e4kwh: not billed, for ``operator_loss``.
        amount_fen: added to what is payable; negative for ``operator_borne``.
        minutes: chargeable, for ``occupancy``.
    """

    kind: str
    energy_e4kwh: int = 0
    amount_fen: int = 0
    minutes: int = 0
    from_ms: int | None = None
    to_ms: int | None = None


def billed_energy(evidence: Evidence, findings: Findings, codes: set[str]) -> int:
    """The accepted energy, less what flowed a minute after an ignored stop."""
    limit_ms = stop_limit_ms(evidence)
    if "stop_ignored" not in codes or limit_ms is None:
        return findings.energy_e4kwh
    return energy_until(findings.seen, findings.energy_e4kwh, limit_ms)


def excess_fen(evidence: Evidence, lines: Sequence[Line], total_fen: int) -> tuple[int, bool]:
    """(what goes beyond the balance and the operator bears, whether it is more than that), fen."""
    authorisation = evidence.authorisation
    if authorisation is None or not authorisation.balance_fen:
        return 0, False
    excess = total_fen - authorisation.balance_fen
    if excess <= 0:
        return 0, False
    limit = evidence.tolerances.operator_fen
    if evidence.pile.rated_w is not None and lines:
        dearest_e5 = max(line.energy_price_e5 + line.service_price_e5 for line in lines)
        period_s = evidence.tolerances.sample_period_ms // 1000
        limit = max(limit, stop_margin_fen(rated_w=evidence.pile.rated_w, interval_s=period_s, price_e5=dearest_e5))
    return (0, True) if excess > limit else (excess, False)


def occupied(evidence: Evidence, findings: Findings) -> OccupancyFee | None:
    """The occupancy fee, ``None`` when none can be charged: not configured, or nobody saw the car leave."""
    end_ms = findings.seen.t_end_ms
    if evidence.occupancy is None or evidence.unplugged_at_ms is None or end_ms is None:
        return None
    if evidence.unplugged_at_ms <= end_ms:
        return None
    return occupancy_fee(evidence.occupancy, evidence.zone, end_ms, evidence.unplugged_at_ms)


def is_stay_too_long(evidence: Evidence, fee: OccupancyFee | None) -> bool:
    """Whether a person must look at the stay."""
    return (
        fee is not None
        and evidence.occupancy is not None
        and fee.to_ms - fee.from_ms > evidence.occupancy.max_hours * _HOUR_MS
    )


def adjustments_of(loss_e4kwh: int, excess: int, fee: OccupancyFee | None) -> tuple[Adjustment, ...]:
    """The lines, in the order in which they apply."""
    found = []
    if loss_e4kwh:
        found.append(Adjustment("operator_loss", energy_e4kwh=loss_e4kwh))
    if excess:
        found.append(Adjustment("operator_borne", amount_fen=-excess))
    if fee is not None and fee.fee_fen:
        found.append(
            Adjustment("occupancy", amount_fen=fee.fee_fen, minutes=fee.minutes, from_ms=fee.from_ms, to_ms=fee.to_ms)
        )
    return tuple(found)

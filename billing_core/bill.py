"""A revision of a bill, its sums, and its JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from billing_core.adjust import Adjustment
from billing_core.anomalies import Anomaly
from billing_core.apportion import Segment
from billing_core.civil import Zone, iso_local
from billing_core.fixed import format_e4, format_e5, format_factor, format_fen
from billing_core.pricing import Line, Total
from billing_core.tariff import RATE_NAMES, Tariff

STATUSES = ("normal", "repaired", "provisional", "review", "void")


@dataclass(frozen=True)
class Bill:
    """One revision. Units as everywhere; ``segments`` is ``None`` where no sample supports a split in time.

    ``computation`` says how it was reached, for the steps of an explanation; it is no part of the bill itself.
    """

    transaction_id: str
    order_no: str
    pile_id: str
    connector: int
    protocol: str
    revision: int
    status: str
    started_at_ms: int | None
    ended_at_ms: int | None
    energy_e4kwh: int
    meter_start_e4kwh: int | None
    meter_stop_e4kwh: int | None
    lines: tuple[Line, ...]
    segments: tuple[Segment, ...] | None
    total: Total
    discount_fen: int
    pile_amount_e4yuan: int | None
    tariff: Tariff | None
    campaigns: tuple[str, ...]
    start_channel: str | None
    stop_name: str | None
    stop_text_en: str | None
    vin: str | None
    card_uid: str | None
    anomalies: tuple[Anomaly, ...]
    primary_anomaly: str | None
    explanation_en: tuple[str, ...]
    explanation_zh: tuple[str, ...]
    energy_basis: str
    time_basis: str
    split_basis: str | None
    confidence_percent: int
    zone: Zone
    adjustments: tuple[Adjustment, ...] = ()
    has_occupancy: bool = False
    computation: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        assert self.status in STATUSES
        assert self.sums_hold(), "a bill whose sums do not hold is never made"
        assert 0 <= self.confidence_percent <= 100
        assert len(self.explanation_en) <= 2
        assert len(self.explanation_zh) <= 2

    @property
    def amount_fen(self) -> int:
        """The charging total, fen."""
        return self.total.amount_fen

    @property
    def payable_fen(self) -> int:
        """What is owed: the charging total, less what the operator bears, and the occupancy fee."""
        return self.total.amount_fen + sum(each.amount_fen for each in self.adjustments)

    def sums_hold(self) -> bool:
        """Fees add up to the amount; segments add up to the lines, rate by rate."""
        total = self.total
        if total.energy_fee_fen + total.service_fee_fen != total.amount_fen or self.discount_fen < 0:
            return False
        if self.segments is None:
            return True
        by_lines: dict[object, int] = {}
        for line in self.lines:
            by_lines[line.rate] = by_lines.get(line.rate, 0) + line.energy_e4kwh
        by_segments: dict[object, int] = {}
        for segment in self.segments:
            by_segments[segment.rate] = by_segments.get(segment.rate, 0) + segment.energy_e4kwh
        return {rate: kwh for rate, kwh in by_segments.items() if kwh} == by_lines

    def to_json_dict(self) -> dict[str, Any]:
        """The bill as it leaves the program: keys in the contract's order, absent values ``null``."""
        return {
            "transaction_id": self.transaction_id,
            "order_no": self.order_no,
            "pile_id": self.pile_id,
            "connector": self.connector,
            "protocol": self.protocol,
            "revision": self.revision,
            "status": self.status,
            "started_at": self._at(self.started_at_ms),
            "ended_at": self._at(self.ended_at_ms),
            "duration_s": self._duration_s(),
            "energy_kwh": format_e4(self.energy_e4kwh),
            "meter_start_kwh": _e4(self.meter_start_e4kwh),
            "meter_stop_kwh": _e4(self.meter_stop_e4kwh),
            "lines": [_line(line) for line in self.lines],
            "segments": None if self.segments is None else [self._segment(each) for each in self.segments],
            "energy_fee": format_fen(self.total.energy_fee_fen),
            "service_fee": format_fen(self.total.service_fee_fen),
            "amount": format_fen(self.total.amount_fen),
            "discount": format_fen(self.discount_fen),
            "pile_amount": _e4(self.pile_amount_e4yuan),
            "tariff_model_no": self.tariff.model_no if self.tariff else None,
            "campaigns": list(self.campaigns),
            "start_channel": self.start_channel,
            "stop_reason": self._stop_reason(),
            "vin": self.vin,
            "card_uid": self.card_uid,
            "anomalies": [_anomaly(each) for each in self.anomalies],
            "primary_anomaly": self.primary_anomaly,
            "explanation": {"en": list(self.explanation_en), "zh": list(self.explanation_zh)},
            "basis": {"energy": self.energy_basis, "time": self.time_basis, "split": self.split_basis},
            "confidence_percent": self.confidence_percent,
            **self._beside(),
        }

    def _beside(self) -> dict[str, Any]:
        """Lines beside the charging fees, only where there are any or the site charges for occupancy."""
        if not self.adjustments and not self.has_occupancy:
            return {}
        return {
            "adjustments": [self._adjustment(each) for each in self.adjustments],
            "payable": format_fen(self.payable_fen),
        }

    def _adjustment(self, each: Adjustment) -> dict[str, Any]:
        return {
            "kind": each.kind,
            "energy_kwh": format_e4(each.energy_e4kwh) if each.energy_e4kwh else None,
            "amount": format_fen(each.amount_fen),
            "minutes": each.minutes if each.kind == "occupancy" else None,
            "from": self._at(each.from_ms),
            "to": self._at(each.to_ms),
        }

    def _at(self, at_ms: int | None) -> str | None:
        return None if at_ms is None else iso_local(at_ms, self.zone)

    def _duration_s(self) -> int | None:
        if self.started_at_ms is None or self.ended_at_ms is None:
            return None
        return (self.ended_at_ms - self.started_at_ms) // 1000

    def _segment(self, segment: Segment) -> dict[str, Any]:
        return {
            "from": self._at(segment.from_ms),
            "to": self._at(segment.to_ms),
            "rate": RATE_NAMES[segment.rate],
            "energy_kwh": format_e4(segment.energy_e4kwh),
        }

    def _stop_reason(self) -> dict[str, str] | None:
        if self.stop_name is None or self.stop_text_en is None:
            return None
        return {"code": self.stop_name, "text": self.stop_text_en}


def _e4(value: int | None) -> str | None:
    return None if value is None else format_e4(value)


def _line(line: Line) -> dict[str, Any]:
    shown = {
        "rate": RATE_NAMES[int(line.rate)],  # type: ignore[call-overload]
        "energy_kwh": format_e4(line.energy_e4kwh),
        "energy_price": format_e5(line.energy_price_e5),
        "service_price": format_e5(line.service_price_e5),
        "service_factor": format_factor(line.service_factor_e4),
        "energy_fee": format_e4(line.energy_fee_e4yuan),
        "service_fee": format_e4(line.service_fee_e4yuan),
    }
    if line.energy_factor_e4 != 10_000:
        shown["energy_factor"] = format_factor(line.energy_factor_e4)
    return shown


def _anomaly(anomaly: Anomaly) -> dict[str, Any]:
    return {
        "code": anomaly.code,
        "severity": anomaly.severity,
        "detail": {"en": anomaly.detail_en, "zh": anomaly.detail_zh},
    }

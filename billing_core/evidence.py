"""What is known of one transaction: immutable, each item with its source and moment.

Moments are Unix ms UTC; ``None`` always means "not known", never zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from billing_core.civil import Zone
from billing_core.tariff import TariffBook


@dataclass(frozen=True, slots=True)
class PileFacts:
    """Master data of one connector."""

    pile_id: str
    connector: int
    station: str
    protocol: str
    rated_w: int | None
    commissioned_ms: int | None
    register_decimals: int | None


@dataclass(frozen=True, slots=True)
class Authorisation:
    """That this gateway, or the one that took the log, allowed the start. ``channel``: app, card, vin."""

    at_ms: int
    channel: str | None
    balance_fen: int
    card_uid: str | None
    vin: str | None
    account_id: str | None


@dataclass(frozen=True, slots=True)
class Tier:
    """Energy and money of one rate in a record; the price is energy + service price."""

    price_e5: int
    energy_e4kwh: int
    loss_energy_e4kwh: int
    amount_e4yuan: int


@dataclass(frozen=True, slots=True)
class Record:
    """A transaction record as it came. Faults are ``zero_date`` or ``invalid_field``."""

    rx_ms: int
    serial: str
    pile_id: str
    connector: int
    started_ms: int | None
    started_fault: str | None
    started_time_of_day_ms: int | None
    ended_ms: int | None
    ended_fault: str | None
    ended_time_of_day_ms: int | None
    traded_ms: int | None
    tiers: tuple[Tier, ...]
    meter_start_e4kwh: int
    meter_stop_e4kwh: int
    energy_e4kwh: int
    loss_energy_e4kwh: int
    amount_e4yuan: int
    vin: str | None
    card_uid: str | None
    start_channel: str | None
    stop_code: int
    stop_text_en: str
    stop_text_zh: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known of one transaction when its bill is made.

    Attributes:
        anchors: (moment, cumulative energy 0.1 Wh) of every charging sample.
        ended_at_ms: when charging ended as the gateway saw it; a lower bound unless ``is_end_observed``.
        idle_proof_at_ms: first proof behind the last sample that the connector no longer charges.
        records: every different content received, in order of arrival; the first is the accepted one.
        meter_stop_previous_e4kwh: where the register of this connector stood after the former record.
        clock_offset_ms: pile clock minus gateway clock at a time sync within 24 h before the order.
        refusal_code: why the pile refused to start.
        was_closed_unstarted: whether an earlier revision said that charging never began.
        at_ms: the moment the bill is made.
    """

    transaction_id: str
    order_no: str
    pile: PileFacts
    authorisation: Authorisation | None
    start_channel: str | None
    opened_at_ms: int
    start_accepted_at_ms: int | None
    refusal_code: int | None
    anchors: tuple[tuple[int, int], ...]
    shown_amount_e4yuan: int | None
    ended_at_ms: int | None
    is_end_observed: bool
    idle_proof_at_ms: int | None
    records: tuple[Record, ...]
    meter_stop_previous_e4kwh: int | None
    clock_offset_ms: int | None
    is_offline_card_known: bool
    was_closed_unstarted: bool
    tariffs: TariffBook
    tariff_binding: str
    zone: Zone
    at_ms: int

    @property
    def record(self) -> Record | None:
        """The accepted record."""
        return self.records[0] if self.records else None

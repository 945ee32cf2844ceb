"""What is known of one transaction: immutable, each item with its source and moment.

Moments are Unix ms UTC; ``None`` always means "not known", never zero. Energy is 0.1 Wh, money of piles 0.0001
yuan, money of ours fen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from json.encoder import encode_basestring_ascii

from billing_core.civil import Zone
from billing_core.occupancy import OccupancyTerms
from billing_core.samples import Sample, canonical, charging_of
from billing_core.tariff import TariffBook
from billing_core.tolerances import Tolerances


@dataclass(frozen=True)
class PileFacts:
    """Master data of one connector, as it was when the session began."""

    pile_id: str
    connector: int
    station: str
    protocol: str
    rated_w: int | None
    commissioned_ms: int | None
    register_decimals: int | None
    price_decimals: int | None = None
    model: str | None = None
    firmware_version: str | None = None


@dataclass(frozen=True)
class Authorisation:
    """That this gateway, or the one that took the log, allowed the start. ``channel``: app, card, vin."""

    at_ms: int
    channel: str | None
    balance_fen: int
    card_uid: str | None
    vin: str | None
    account_id: str | None


@dataclass(frozen=True)
class BmsEnd:
    """What the battery side said at the end; its energy comes in steps of 0.1 kWh."""

    at_ms: int
    soc_percent: int
    energy_e4kwh: int


@dataclass(frozen=True)
class Tier:
    """Energy and money of one rate in a record; the price is energy + service price, ``None`` when not told."""

    price_e5: int | None
    energy_e4kwh: int
    loss_energy_e4kwh: int
    amount_e4yuan: int


@dataclass(frozen=True)
class Record:
    """A transaction record as it came. Faults are ``zero_date`` or ``invalid_field``.

    ``stop_kind`` is soc_full, balance, start_failed, unclear or other; ``stop_label`` the code as its protocol writes
    it, empty for two hex digits.
    """

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
    stop_kind: str = "other"
    stop_label: str = ""

    @property
    def stop_name(self) -> str:
        """The stop code as people write it."""
        return self.stop_label or f"0x{self.stop_code:02X}"

    @property
    def has_registers(self) -> bool:
        """Registers that are both zero are common and mean that there are none."""
        return bool(self.meter_start_e4kwh or self.meter_stop_e4kwh)


@dataclass(frozen=True)
class ChainLink:
    """The session that stood before this one on the connector's register.

    Attributes:
        meter_start_e4kwh, meter_stop_e4kwh: of its accepted record.
        started_ms, stopped_ms: when it charged, as it was billed.
        account: who charged, ``None`` when unknown.
        was_unplugged: whether the cable was seen out since.
        has_orders_since: whether a charge without a record lies between.
    """

    transaction_id: str
    meter_start_e4kwh: int
    meter_stop_e4kwh: int
    started_ms: int
    stopped_ms: int
    account: str | None = None
    was_unplugged: bool = False
    has_orders_since: bool = False


@dataclass(frozen=True)
class Former:
    """The bill that stands when a new revision is made.

    Attributes:
        posted_fen: what was posted by it and all before it; ``None`` when nothing was.
        is_substitute: it rests on no record.
        is_decided: a person made it.
    """

    posted_fen: int | None
    is_substitute: bool
    is_decided: bool = False


@dataclass(frozen=True)
class Evidence:
    """Everything known of one transaction when its bill is made.

    Attributes:
        start_accepted_at_ms: the pile's positive answer to a remote start.
        refusal_code: why the pile refused to start.
        samples: every live state within the session, in order of arrival.
        stream_serial: the other number that the samples carried, ``None`` when they carried this one.
        sample_connector: the connector that the samples came from, when it is not the authorised one.
        login_at_ms, next_start_at_ms: first login of the pile, first start of another transaction on the connector,
            behind the last sample.
        link_lost_at_ms: when the link was lost while it charged.
        bms_end: the battery side's report of the end.
        nominal_e4kwh: of the battery, by its own parameters.
        vins: every VIN that the battery side told.
        records: every different content received, in order of arrival.
        previous: what stood before on the register.
        meter_start_next_e4kwh: where the next record on this connector began, with no other in between.
        clock_offset_ms: pile clock minus gateway clock at a time sync within 24 h before the order.
        is_offline_card_known: a card that may start offline, by the site's list or the pile's own.
        was_closed_early: the order was closed for want of a start, then charging samples came.
        stop_ordered_at_ms, stop_accepted_at_ms: a remote stop, and the pile's positive answer.
        is_serial_reused: this record bears a number that another session already used.
        has_parallel, has_concurrent: another connector charges the same car, or for the same account.
        unplugged_at_ms, claimed_leave_ms: when the cable was seen out; when somebody claims that it was.
        former: the bill that this one would supersede.
        is_final: the time for better evidence is over.
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
    samples: tuple[Sample, ...]
    records: tuple[Record, ...]
    tariffs: TariffBook
    tariff_binding: str
    zone: Zone
    at_ms: int
    tolerances: Tolerances = Tolerances()
    stream_serial: str | None = None
    sample_connector: int | None = None
    login_at_ms: int | None = None
    next_start_at_ms: int | None = None
    link_lost_at_ms: int | None = None
    bms_end: BmsEnd | None = None
    nominal_e4kwh: int | None = None
    vins: tuple[str, ...] = ()
    previous: ChainLink | None = None
    meter_start_next_e4kwh: int | None = None
    clock_offset_ms: int | None = None
    is_offline_card_known: bool = False
    was_closed_early: bool = False
    stop_ordered_at_ms: int | None = None
    stop_accepted_at_ms: int | None = None
    is_serial_reused: bool = False
    has_parallel: bool = False
    has_concurrent: bool = False
    occupancy: OccupancyTerms | None = None
    unplugged_at_ms: int | None = None
    is_occupancy_over: bool = False
    claimed_leave_ms: int | None = None
    former: Former | None = None
    is_final: bool = False

    @property
    def charging(self) -> tuple[Sample, ...]:
        """The charging samples, in order of arrival."""
        return charging_of(self.samples)

    @property
    def account(self) -> str | None:
        """Who charged: the account, else the card, else the car; ``None`` when unknown."""
        if self.authorisation is None:
            return next((record.card_uid for record in self.records if record.card_uid), None)
        return self.authorisation.account_id or self.authorisation.card_uid or self.authorisation.vin


_BESIDE = {"samples", "records", "tariffs", "zone", "tolerances", "former", "at_ms", "is_final"}


def _keys(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """(attribute, its key in JSON), sorted."""
    return tuple((name, f'"{name}":') for name in sorted(names))


_CONTEXT = _keys({each.name for each in fields(Evidence)} - _BESIDE)
_PARTS: dict[type, tuple[tuple[str, str], ...]] = {
    kind: _keys(each.name for each in fields(kind))
    for kind in (PileFacts, Authorisation, BmsEnd, ChainLink, OccupancyTerms)
}


def fingerprints(evidence: Evidence) -> dict[str, object]:
    """SHA-256 of what the bill rests on: each record's body, the samples, and everything else together."""
    return {
        "records": [record.content_hash for record in evidence.records],
        "samples": hashlib.sha256(canonical(evidence.samples)).hexdigest(),
        "sample_count": len(evidence.samples),
        "context": hashlib.sha256(_canonical_parts(evidence, _CONTEXT).encode()).hexdigest(),
    }


def _canonical_parts(value: object, keys: tuple[tuple[str, str], ...]) -> str:
    return "{" + ",".join([key + _canonical(getattr(value, name)) for name, key in keys]) + "}"


def _canonical(value: object) -> str:
    """JSON without spaces, in ASCII, names sorted: what a digest is made of."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, tuple):
        return "[" + ",".join([_canonical(each) for each in value]) + "]"
    return _canonical_parts(value, _PARTS[type(value)])

"""Facts that piles tell, in the words of the field and of no dialect.

Every event is frozen. Units are the last word of a name: ``_e4kwh`` is 0.1 Wh, ``_e4yuan`` is 0.0001 yuan,
``_e5`` is 0.00001 yuan per kWh, ``_dv`` is 0.1 V, ``_da`` is 0.1 A, ``_ms`` is Unix milliseconds UTC.
``at_ms`` is the moment the gateway received the bytes. ``reply_ref`` is an opaque number that the answer
to this event must hand back to the link (the sequence field of the frame, for instance).

A pile's own clock reading is data, not time: it comes as a ``PileTime``, which may be undecodable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ConnectorStatus(StrEnum):
    """What a connector says of itself in a sample."""

    OFFLINE = "offline"
    FAULTED = "faulted"
    IDLE = "idle"
    CHARGING = "charging"


class TimeFault(StrEnum):
    """Why a pile's clock reading cannot be used as it stands."""

    ZERO_DATE = "zero_date"  # day or month bits are zero
    INVALID_FIELD = "invalid_field"  # a field out of its range, or the invalid flag set


@dataclass(frozen=True, slots=True)
class PileTime:
    """One clock reading of a pile: local civil time without a zone.

    Attributes:
        civil_ms: milliseconds since 1970-01-01T00:00:00 of the same civil calendar, ``None`` when undecodable.
        fault: why it is undecodable, ``None`` when it is not.
        raw: the bytes as they came.
        time_of_day_ms: 0…86399999, the time of day when hour, minute and second are in range, else ``None``.
    """

    civil_ms: int | None
    fault: TimeFault | None
    raw: bytes
    time_of_day_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A fact from one link: who, when, and what an answer must refer to."""

    at_ms: int
    pile_id: str
    reply_ref: int


@dataclass(frozen=True, slots=True)
class PileLoggedIn(Event):
    """A pile opened its conversation (YKC 0x01)."""

    protocol: str  # "ykc-1.6"
    current: str | None  # "DC" | "AC" | None when not told
    connector_count: int
    firmware_version: str
    network: int
    sim: str
    carrier: int
    clock: PileTime | None = None  # the pile's clock when it logged in, where the login tells


@dataclass(frozen=True, slots=True)
class HeartbeatReceived(Event):
    """A connector, or the whole pile when none is named, is alive (YKC 0x03, AA F5 102)."""

    connector: int | None
    is_faulted: bool


@dataclass(frozen=True, slots=True)
class TariffChecked(Event):
    """A pile asks whether its tariff model is current (YKC 0x05)."""

    model_no: str


@dataclass(frozen=True, slots=True)
class TariffRequested(Event):
    """A pile asks for its tariff (YKC 0x09)."""


@dataclass(frozen=True, slots=True)
class SampleReceived(Event):
    """The live state of one connector (YKC 0x13, AA F5 104).

    ``card_uid`` is the card that the session runs on, where the protocol tells it; a protocol whose sessions bear no
    number of ours is followed by it. ``wants_answer``: the pile waits for an ``AnswerReport``.
    """

    connector: int
    transaction_id: str | None  # None when the serial is all zero
    status: ConnectorStatus
    is_plugged: bool | None
    is_homed: bool | None
    voltage_dv: int
    current_da: int
    energy_e4kwh: int
    loss_energy_e4kwh: int
    amount_e4yuan: int
    soc_percent: int
    charge_min: int
    remain_min: int
    cable_temp_c: int | None
    battery_temp_c: int | None
    fault_bits: int  # bit 0 = fault 1 of the list, whatever base the pile uses; a code where the dialect has codes
    card_uid: str | None = None
    wants_answer: bool = False


@dataclass(frozen=True, slots=True)
class BmsReported(Event):
    """A battery-side report during a session (YKC 0x15…0x25 except 0x19).

    ``kind`` is handshake, config, bms_error, bms_abort, charger_abort, demand or status; ``detail`` holds
    the wire-level fields as ``decode`` shows them.
    """

    connector: int
    transaction_id: str | None
    kind: str
    detail: Mapping[str, object]
    wants_answer: bool = False


@dataclass(frozen=True, slots=True)
class BmsEnded(Event):
    """The battery side reports the end of charging (YKC 0x19)."""

    connector: int
    transaction_id: str | None
    soc_percent: int
    charge_min: int
    energy_e1kwh: int  # 0.1 kWh steps


@dataclass(frozen=True, slots=True)
class StartRequested(Event):
    """A pile asks to start for a card or a car (YKC 0x31, 0xA1)."""

    connector: int
    method: str  # "card" | "account" | "vin" | "unknown"
    card_uid: str | None  # 16 hex digits, None when all zero
    password: str | None
    vin: str | None  # reading order, None when blank
    parallel_no: str | None = None
    is_main_connector: bool | None = None


@dataclass(frozen=True, slots=True)
class StartAnswered(Event):
    """A pile answers a remote start (YKC 0x33, 0xA3)."""

    connector: int
    transaction_id: str
    is_accepted: bool
    reason_code: int
    may_still_start: bool  # refused for want of a plug: a second, positive answer may follow within 60 s
    parallel_no: str | None = None


@dataclass(frozen=True, slots=True)
class OrderAnswered(Event):
    """A pile answers any other order.

    ``order`` is the name of the command's class in ``protocol.commands`` (``StopCharging``, ``UpdateBalance``, …);
    ``detail`` holds the wire-level fields as ``decode`` shows them. ``clock`` is set for SyncTime only.
    """

    order: str
    connector: int | None
    is_accepted: bool
    reason_code: int
    detail: Mapping[str, object]
    clock: PileTime | None = None


@dataclass(frozen=True, slots=True)
class ParkingLockReported(Event):
    """A parking lock tells its state (YKC 0x61)."""

    connector: int
    lock: str  # "between" | "raised" | "lowered" | "unknown"
    is_occupied: bool
    battery_percent: int
    alarm: str | None  # "forced" | "movement" | None


@dataclass(frozen=True, slots=True)
class PileReported(Event):
    """Something that a pile tells and that changes nothing here: alarms, modules, versions, answers to maintenance.

    ``kind`` is the name of the body; ``detail`` holds the wire-level fields as ``decode`` shows them.
    """

    connector: int | None
    kind: str
    detail: Mapping[str, object]
    wants_answer: bool = False


@dataclass(frozen=True, slots=True)
class RecordTier:
    """Energy and money of one rate in a record, as the pile computed them."""

    price_e5: int | None  # energy + service price; None when the record does not tell
    energy_e4kwh: int
    loss_energy_e4kwh: int
    amount_e4yuan: int


@dataclass(frozen=True, slots=True)
class RecordReceived(Event):
    """A finished transaction as the pile recorded it (YKC 0x3B and its relatives).

    ``serial`` is the identifier as it came and as the acknowledgement must repeat it, all zeros included.
    ``tiers`` stand in the order sharp, peak, flat, valley[, deep_valley]. ``body`` is the frame's body as it
    came, the identity of the record's content.

    ``stop_kind`` says what a rule may ask of the stop: soc_full, balance, start_failed, unclear (a code that means
    nothing here) or other; ``stop_label`` is the code as the protocol's people write it, empty for two hex digits.

    ``identity`` is that part of the content by which a repeat is known, where a repeat may differ in the rest
    (counters of the pile, for instance); empty: the whole body.

    Where the protocol books energy by time and not by rate, ``tiers`` is empty and ``slots_e4kwh`` holds the energies
    of 48 half hours of the pile's day, or of the periods of its tariff when ``are_slots_periods``; each is cut off to
    a multiple of ``slot_step_e4kwh``.
    """

    connector: int
    frame_type: int
    serial: str
    started: PileTime
    ended: PileTime
    traded: PileTime
    tiers: tuple[RecordTier, ...]
    meter_start_e4kwh: int
    meter_stop_e4kwh: int
    energy_e4kwh: int
    loss_energy_e4kwh: int
    amount_e4yuan: int
    vin: str | None
    start_flag: int  # raw transaction flag
    start_channel: str | None  # "app" | "card" | "offline_card" | "vin", None when the flag is not in the list
    stop_code: int
    stop_text: tuple[str, str]  # (en, zh)
    card_uid: str | None
    layout: str  # "standard" | "meter4" | "plus2" | "five-rate" | "v1.7"
    body: bytes = field(repr=False)
    stop_kind: str = "other"
    stop_label: str = ""
    identity: bytes = field(default=b"", repr=False)
    slots_e4kwh: tuple[int, ...] = ()
    are_slots_periods: bool = False
    slot_step_e4kwh: int = 1


@dataclass(frozen=True, slots=True)
class FrameRefused:
    """Bytes that are no usable frame: counted, logged in hex, and nothing else.

    ``code`` is checksum, length, unknown_type, encrypted, field, noise or unexpected.
    """

    at_ms: int
    code: str
    detail: str
    raw: bytes
    offset: int  # of the first byte within the link's stream of that direction


PileEvent = (
    PileLoggedIn
    | HeartbeatReceived
    | TariffChecked
    | TariffRequested
    | SampleReceived
    | BmsReported
    | BmsEnded
    | StartRequested
    | StartAnswered
    | OrderAnswered
    | ParkingLockReported
    | PileReported
    | RecordReceived
)

"""Orders and answers to a pile, in the words of the field and of no dialect.

Answers carry ``reply_ref`` from the event they answer; orders carry ``None`` and get a number of the link's own.
Units as in ``protocol.events``; ``_fen`` is 0.01 yuan.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """Something to say to one pile."""

    pile_id: str
    reply_ref: int | None


@dataclass(frozen=True, slots=True)
class AnswerLogin(Command):
    """YKC 0x02."""

    is_accepted: bool


@dataclass(frozen=True, slots=True)
class AnswerHeartbeat(Command):
    """YKC 0x04."""

    connector: int


@dataclass(frozen=True, slots=True)
class AnswerTariffCheck(Command):
    """YKC 0x06."""

    model_no: str
    is_same: bool


@dataclass(frozen=True, slots=True)
class PileTariff:
    """A tariff as piles carry it: prices per rate and 48 half-hour slots.

    ``prices_e5`` holds (energy, service) pairs in the order sharp, peak, flat, valley[, deep_valley];
    ``slots`` holds 48 indexes into it, slot 0 = 00:00–00:30.
    """

    model_no: str
    prices_e5: tuple[tuple[int, int], ...]
    slots: tuple[int, ...]
    loss_ratio_percent: int = 0


@dataclass(frozen=True, slots=True)
class SendTariff(Command):
    """The answer to a tariff request (YKC 0x0A)."""

    tariff: PileTariff


@dataclass(frozen=True, slots=True)
class SetTariff(Command):
    """YKC 0x58, or 0x85 when five rates are in use."""

    tariff: PileTariff


@dataclass(frozen=True, slots=True)
class ReadSample(Command):
    """YKC 0x12."""

    connector: int


@dataclass(frozen=True, slots=True)
class AuthoriseStart(Command):
    """The answer to a pile's request to start (YKC 0x32, or 0xA2 when ``parallel_no`` is set)."""

    transaction_id: str
    connector: int
    logic_card: str  # 16 digits, for display
    balance_fen: int
    is_accepted: bool
    reason_code: int
    parallel_no: str | None = None


@dataclass(frozen=True, slots=True)
class StartCharging(Command):
    """YKC 0x34, or 0xA4 when ``parallel_no`` is set."""

    transaction_id: str
    connector: int
    logic_card: str
    card_uid: str | None
    balance_fen: int
    parallel_no: str | None = None


@dataclass(frozen=True, slots=True)
class StopCharging(Command):
    """YKC 0x36."""

    connector: int


@dataclass(frozen=True, slots=True)
class AcknowledgeRecord(Command):
    """YKC 0x40. ``serial`` repeats the record's own digits."""

    serial: str
    is_accepted: bool


@dataclass(frozen=True, slots=True)
class UpdateBalance(Command):
    """YKC 0x42."""

    connector: int
    card_uid: str | None
    balance_fen: int


@dataclass(frozen=True, slots=True)
class OfflineCard:
    """One card that may start without the gateway."""

    logic_card: str
    card_uid: str


@dataclass(frozen=True, slots=True)
class SyncCards(Command):
    """YKC 0x44; at most 15 cards."""

    cards: tuple[OfflineCard, ...]


@dataclass(frozen=True, slots=True)
class ClearCards(Command):
    """YKC 0x46; at most 24 cards."""

    card_uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueryCards(Command):
    """YKC 0x48; at most 26 cards."""

    card_uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetWorkParams(Command):
    """YKC 0x52."""

    is_disabled: bool
    max_power_percent: int  # 30…100


@dataclass(frozen=True, slots=True)
class SyncTime(Command):
    """YKC 0x56. ``civil_ms``: local civil time as milliseconds since 1970 of the same calendar."""

    civil_ms: int


@dataclass(frozen=True, slots=True)
class ControlParkingLock(Command):
    """YKC 0x62."""

    connector: int
    is_raise: bool


@dataclass(frozen=True, slots=True)
class Reboot(Command):
    """YKC 0x92."""

    is_immediate: bool


@dataclass(frozen=True, slots=True)
class UpdateFirmware(Command):
    """YKC 0x94."""

    current: str  # "DC" | "AC"
    power_kw: int
    host: str
    port: int
    user: str
    password: str
    path: str
    is_immediate: bool
    timeout_min: int


@dataclass(frozen=True, slots=True)
class SetQrPrefix(Command):
    """YKC 0xF0. ``has_connector``: the code ends in the connector's two digits after the pile's number."""

    prefix: str
    has_connector: bool


PileCommand = (
    AnswerLogin
    | AnswerHeartbeat
    | AnswerTariffCheck
    | SendTariff
    | SetTariff
    | ReadSample
    | AuthoriseStart
    | StartCharging
    | StopCharging
    | AcknowledgeRecord
    | UpdateBalance
    | SyncCards
    | ClearCards
    | QueryCards
    | SetWorkParams
    | SyncTime
    | ControlParkingLock
    | Reboot
    | UpdateFirmware
    | SetQrPrefix
)

"""Orders and answers to a pile, in the words of the field and of no dialect.

Answers carry ``reply_ref`` from the event they answer; orders carry ``None`` and get a number of the link's own.
Units as in ``protocol.events``; ``_fen`` is 0.01 yuan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Command:
    """Something to say to one pile."""

    pile_id: str
    reply_ref: int | None


@dataclass(frozen=True, slots=True)
class AnswerLogin(Command):
    """YKC 0x02, AA F5 105. ``civil_ms``: the site's local time, for protocols whose answer sets the pile's clock."""

    is_accepted: bool
    civil_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerHeartbeat(Command):
    """YKC 0x04, AA F5 101."""

    connector: int | None


@dataclass(frozen=True, slots=True)
class AnswerReport(Command):
    """A report was received, for protocols whose piles wait for that (AA F5 103, 301).

    Some piles show their driver what it says: the number, the amount so far and the balance of the session.
    """

    connector: int | None
    transaction_id: str | None = None
    amount_e4yuan: int = 0
    balance_fen: int = 0


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

    def periods(self) -> tuple[tuple[int, int, int], ...]:
        """(first slot, slot behind the last, index into ``prices_e5``) of each stretch of one rate, from 00:00."""
        return runs_of(self.slots)

    def by_slot(self, step_e5: int) -> tuple[tuple[int, int], ...]:
        """(energy, service) price of each half hour, cut to a step: all that a frame without numbers and names says."""
        cut = [(energy // step_e5 * step_e5, service // step_e5 * step_e5) for energy, service in self.prices_e5]
        return tuple(cut[index] for index in self.slots)


def runs_of(slots: Sequence[int]) -> tuple[tuple[int, int, int], ...]:
    """(first, behind the last, value) of each run of equal values."""
    borders = [0, *(at for at in range(1, len(slots)) if slots[at] != slots[at - 1]), len(slots)]
    return tuple((first, last, slots[first]) for first, last in pairwise(borders))


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
    """The answer to a pile's request to start (YKC 0x32, or 0xA2 when ``parallel_no`` is set; AA F5 203, 207, 501).

    ``transaction_id`` is empty where the answer cannot carry one: the session then goes by the card that it runs on.
    """

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
class AskRecord(Command):
    """Ask for the stored record of a session that did not come by itself (AA F5 401)."""

    connector: int
    transaction_id: str


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
class SendFirmware(Command):
    """An update that the gateway itself sends, as a whole: its steps are ``UpdateStep``, and no frame is all of it."""

    file: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class UpdateStep(Command):
    """One step of an update that the gateway sends in chunks (AA F5 1001 to 1012).

    ``step`` is size, erase, name, chunk, end or restart; ``number`` is the size in bytes, or which chunk, from 0;
    ``data`` is the name, or the chunk.
    """

    step: str
    number: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class SetQrPrefix(Command):
    """YKC 0xF0. ``has_connector``: the code ends in the connector's two digits after the pile's number."""

    prefix: str
    has_connector: bool


@dataclass(frozen=True, slots=True)
class OtherOrder(Command):
    """Something else that a gateway said, as a log holds it: maintenance that no session depends on."""

    kind: str


PileCommand = (
    AnswerLogin
    | AnswerHeartbeat
    | AnswerReport
    | AnswerTariffCheck
    | SendTariff
    | SetTariff
    | ReadSample
    | AuthoriseStart
    | StartCharging
    | StopCharging
    | AcknowledgeRecord
    | AskRecord
    | UpdateBalance
    | SyncCards
    | ClearCards
    | QueryCards
    | SetWorkParams
    | SyncTime
    | ControlParkingLock
    | Reboot
    | UpdateFirmware
    | SendFirmware
    | UpdateStep
    | SetQrPrefix
    | OtherOrder
)

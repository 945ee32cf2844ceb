"""What the engine hands to the store: rows, each a frozen fact, and no word about SQL.

Units are the last word of a name, as everywhere: ``_ms`` Unix milliseconds UTC, ``_e4kwh`` 0.1 Wh,
``_e4yuan`` 0.0001 yuan, ``_fen`` 0.01 yuan, ``_dv`` 0.1 V, ``_da`` 0.1 A.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from protocol.commands import PileCommand


@dataclass(frozen=True, slots=True)
class PileSeen:
    """A known pile logged in: what it says of itself."""

    pile_id: str
    at_ms: int
    protocol: str
    firmware_version: str
    connector_count: int
    current: str | None


@dataclass(frozen=True, slots=True)
class UnknownPileSeen:
    """A pile that nobody listed tried to log in; counted per pile, listed for adoption."""

    pile_id: str
    at_ms: int
    address: str
    protocol: str
    firmware_version: str
    connector_count: int


@dataclass(frozen=True, slots=True)
class PileClockChecked:
    """The pile's clock minus the gateway's, after a time sync."""

    pile_id: str
    at_ms: int
    offset_ms: int


@dataclass(frozen=True, slots=True)
class PileTariffKnown:
    """The model that a pile holds, as it told or as it confirmed."""

    pile_id: str
    at_ms: int
    model_no: str


@dataclass(frozen=True, slots=True)
class ChainKept:
    """One charge on the register of a connector; the row of the same ``transaction_id`` is replaced.

    ``order_ms`` is when the charge began, as far as is known, and orders the chain. Without registers the charge
    waits for its record.
    """

    pile_id: str
    connector: int
    transaction_id: str
    order_ms: int
    meter_start_e4kwh: int | None
    meter_stop_e4kwh: int | None
    started_ms: int
    stopped_ms: int
    account: str | None
    was_unplugged: bool = False


@dataclass(frozen=True, slots=True)
class OfflineCardsKnown:
    """Cards that a pile confirmed to hold (``is_present``) or to have dropped; (card_uid, logic_card) pairs."""

    pile_id: str
    at_ms: int
    cards: tuple[tuple[str, str], ...]
    is_present: bool


@dataclass(frozen=True, slots=True)
class SessionSaved:
    """The newest state of one session; the row of the same ``transaction_id`` is replaced.

    ``frozen`` is what thaws into the running session again; samples stand in rows of their own. ``due_at_ms`` is the
    next deadline of a session that has its bill already, ``None`` when nothing is due any more.
    """

    transaction_id: str
    order_no: str
    pile_id: str
    connector: int
    state: str
    start_channel: str | None
    opened_at_ms: int
    ended_at_ms: int | None
    energy_e4kwh: int
    frozen: Mapping[str, object] = field(repr=False)
    due_at_ms: int | None = None


class SamplesTaken(NamedTuple):
    """Live states of one session in order of arrival, samples and states of rest within it, at least one.

    ``states`` are packed, as the session machine holds them; ``at_ms`` is the moment of the first, ``energy_e4kwh``
    that of the newest charging one, ``None`` when all are states of rest.
    """

    transaction_id: str
    at_ms: int
    energy_e4kwh: int | None
    states: bytes | bytearray


@dataclass(frozen=True, slots=True)
class SamplesLeft:
    """The live states kept under one session belong to another one, which keeps them anew.

    So does the place in the register chain that they gave it.
    """

    transaction_id: str


@dataclass(frozen=True, slots=True)
class RecordStored:
    """A record as it came. ``transaction_id`` is the session's key, ``serial`` the digits of the wire."""

    transaction_id: str
    serial: str
    rx_ms: int
    pile_id: str
    connector: int
    protocol: str
    layout: str
    frame_type: int
    content_hash: str  # sha256 of the body, hex
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BillIssued:
    """One revision of a bill; never changed afterwards. ``body`` is the bill's JSON text of CONTRACT §5."""

    transaction_id: str
    revision: int
    status: str
    order_no: str
    pile_id: str
    connector: int
    created_at_ms: int
    started_at_ms: int | None
    ended_at_ms: int | None
    energy_e4kwh: int
    amount_fen: int
    primary_anomaly: str | None
    anomalies: tuple[str, ...]
    reason: str  # why this revision exists, e.g. "record", "record_lost", "conflicting_record"
    actor: str  # "engine", or the person's name
    body: str = field(repr=False)
    payable_fen: int = 0
    computation: str = field(default="{}", repr=False)  # how the bill was reached, JSON


@dataclass(frozen=True, slots=True)
class TariffPriced:
    """A tariff of the site priced a bill; from now on it may not be edited. ``terms`` is canonical JSON."""

    model_no: str
    valid_from_ms: int
    scope: str
    terms: str


@dataclass(frozen=True, slots=True)
class EventRaised:
    """Something upstream is to be told; the writer makes one outbox row per endpoint of it.

    ``event_id`` is the idempotency key, built from the fact. ``partition`` orders deliveries: the
    transaction_id, or ``pile:<pile_id>``. ``data`` is JSON-able and becomes the CloudEvents ``data``.
    """

    event_id: str
    type: str
    subject: str
    partition: str
    at_ms: int
    data: Mapping[str, object] = field(repr=False)
    is_perishable: bool = False


@dataclass(frozen=True, slots=True)
class OrderSaved:
    """One downlink order and how far it came; the row of the same ``order_id`` is replaced.

    ``state``: queued, sent, accepted, refused, timed_out, failed.
    """

    order_id: str
    pile_id: str
    connector: int | None
    kind: str
    transaction_id: str | None
    created_at_ms: int
    deadline_at_ms: int
    state: str
    actor: str
    request: Mapping[str, object] = field(repr=False)
    result: Mapping[str, object] | None = field(default=None, repr=False)


class FramesKept(NamedTuple):
    """Kept frames of one pile that passed on one link within a minute, in order, as ``frameblock`` puts them together.

    ``about`` is each of their ``about`` once, parted by semicolons.
    """

    pile_id: str
    link: str
    from_ms: int
    about: str
    data: bytes | bytearray


class FrameKept(NamedTuple):
    """Bytes of one read or write that a bill may rest on, or that a link opened or closed; never changed.

    ``kind`` is up, down, open or close, as in frame logs; ``about`` names the facts or the command in ``data``, and
    for an open what the port says that the link speaks, empty when its bytes tell.
    """

    pile_id: str
    at_ms: int
    link: str
    kind: str
    about: str
    data: bytes


@dataclass(frozen=True, slots=True)
class SiteKnown:
    """Tariffs, master data and deadlines as they are from ``at_ms`` on, as the text of a site file."""

    at_ms: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DecisionSaved:
    """What a person decided about a bill, and how far that came; the row of the same ``decision_id`` is replaced.

    ``state``: proposed, effective, rejected, outdated. ``terms`` is JSON-able and says what exactly was decided.
    """

    decision_id: str
    transaction_id: str
    kind: str
    terms: Mapping[str, object]
    reason: str
    evidence: tuple[str, ...]  # hashes of what the person looked at
    proposer: str
    proposed_at_ms: int
    base_revision: int
    stake_fen: int
    state: str
    approver: str | None = None
    decided_at_ms: int | None = None
    revision: int | None = None


Row = (
    PileSeen
    | UnknownPileSeen
    | PileClockChecked
    | PileTariffKnown
    | ChainKept
    | OfflineCardsKnown
    | SessionSaved
    | SamplesTaken
    | SamplesLeft
    | RecordStored
    | BillIssued
    | TariffPriced
    | EventRaised
    | OrderSaved
    | FramesKept
    | SiteKnown
    | DecisionSaved
)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a watcher of the live events may want to see; kept nowhere."""

    type: str
    subject: str
    at_ms: int
    data: Mapping[str, object] = field(repr=False)


@dataclass(slots=True, init=False)
class Outcome:
    """What one input leads to; several of them a frame, so that they are made and joined without detours.

    Attributes:
        rows: to be written in one transaction.
        lazy_rows: telemetry; written within a second, nothing waits for it.
        replies: to be sent to the pile; only after ``rows`` are durable when ``is_durable`` is set, even if
            ``rows`` is empty (what is answered again may still be on its way to the disk).
        notices: for watchers of live events.
    """

    rows: list[Row]
    lazy_rows: list[Row]
    replies: list[PileCommand]
    notices: list[Notice]
    is_durable: bool

    def __init__(
        self,
        rows: list[Row] | None = None,
        lazy_rows: list[Row] | None = None,
        replies: list[PileCommand] | None = None,
        notices: list[Notice] | None = None,
        is_durable: bool = False,
    ) -> None:
        self.rows = [] if rows is None else rows
        self.lazy_rows = [] if lazy_rows is None else lazy_rows
        self.replies = [] if replies is None else replies
        self.notices = [] if notices is None else notices
        self.is_durable = is_durable

    def absorb(self, other: Outcome) -> None:
        """Add everything of ``other`` behind what is here."""
        if other.rows:
            self.rows += other.rows
        if other.lazy_rows:
            self.lazy_rows += other.lazy_rows
        if other.replies:
            self.replies += other.replies
        if other.notices:
            self.notices += other.notices
        if other.is_durable:
            self.is_durable = True

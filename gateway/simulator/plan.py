"""What a simulated pile will live through: its cars, its clock, its outages."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

SHANGHAI_MS = 8 * 3_600_000


class ClockFault(StrEnum):
    """What is wrong with a pile's clock."""

    NONE = "none"
    ZERO_DATE = "zero_date"  # day, month and year zero: readers show 1999-11-30
    EPOCH_2000 = "epoch_2000"  # began at 2000-01-01 and takes no time
    AHEAD_1H = "ahead_1h"


class RecordFate(StrEnum):
    """What a pile does with the record of a session."""

    GOOD = "good"
    TWICE = "twice"  # sent again after it was acknowledged
    CONFLICTING = "conflicting"  # sent again after it was acknowledged, with other content
    NONE = "none"  # never written


class UpdateFate(StrEnum):
    """What becomes of an update that is sent to a pile chunk by chunk."""

    GOOD = "good"
    REFUSED = "refused"
    CHUNK_LOST = "chunk_lost"  # one never arrives the first time
    ANSWER_LOST = "answer_lost"  # one arrives, and its answer does not
    LINK_CUT = "link_cut"  # the link breaks in the middle


@dataclass(frozen=True, slots=True)
class Visit:
    """One car at one connector.

    Attributes:
        start: ``app``, ``card``, ``vin``, ``offline`` (waits until the link is gone) or ``parallel`` (all
            connectors of the pile feed this car, by card).
        wait_ms: from the former visit's end, or the first login, until the car plugs in.
        charge_ms: how long it charges unless somebody stops it.
        is_meter_reset: the meter's register begins again at zero half-way through the charge.
        patience_ms: how long it waits for a start before it leaves.
    """

    start: str
    wait_ms: int
    charge_ms: int
    power_w: int
    vin: str = ""
    card_uid: str | None = None
    soc_percent: int = 20
    stop_code: int = 0x42  # the energy that the driver wanted
    record: RecordFate = RecordFate.GOOD
    is_meter_reset: bool = False
    prepare_ms: int = 5_000
    stay_ms: int = 5_000
    patience_ms: int = 600_000


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time: it begins so long after the first login, and lasts so long."""

    after_ms: int
    for_ms: int


@dataclass(frozen=True, slots=True)
class PilePlan:
    """One pile.

    Attributes:
        pile_id: 14 digits.
        protocol: what it speaks, ``ykc`` or such as ``aaf5-sh52``.
        current: ``DC`` or ``AC``.
        visits: per connector, in order.
        registers_e4kwh: meter reading of each connector at the beginning.
        link_losses: the network is away.
        power_losses: the mains are away; charges end with stop reason 0x83.
        offline_cards: cards that may start without the gateway; 0x44 and 0x46 change them.
        reconnect_ms: how long after a lost link the pile tries again.
        is_high_first: checksums go high byte first.
        retry_ms: how long a record waits for its acknowledgement before it is sent again.
        last_retry_ms: the same for the last time, after three retries.
        update: what becomes of an update, where its protocol takes one in chunks.
    """

    pile_id: str
    current: str
    visits: tuple[tuple[Visit, ...], ...]
    registers_e4kwh: tuple[int, ...] = ()
    clock: ClockFault = ClockFault.NONE
    link_losses: tuple[Gap, ...] = ()
    power_losses: tuple[Gap, ...] = ()
    offline_cards: frozenset[str] = frozenset()
    firmware: str = "SIM1.0"
    reconnect_ms: int = 2_000
    is_high_first: bool = False
    zone_offset_ms: int = SHANGHAI_MS
    retry_ms: int = 30_000
    last_retry_ms: int = 300_000
    heartbeat_ms: int = 10_000
    sample_ms: int = 15_000
    idle_sample_ms: int = 300_000
    protocol: str = "ykc"
    update: UpdateFate = UpdateFate.GOOD
    logic_cards: dict[str, str] = field(default_factory=dict)

    @property
    def connector_count(self) -> int:
        """How many connectors the pile has."""
        return len(self.visits)

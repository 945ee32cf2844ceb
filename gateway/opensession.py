"""One session as the gateway holds it: the core's machine, and what was authorised, recorded, billed and told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from billing_core.evidence import Authorisation, BmsEnd, Record
from billing_core.session import ChargingSession
from billing_core.transitions import STATE_NAMES, State
from gateway.facts import frozen_flat, frozen_record, thaw_authorisation, thaw_record
from gateway.lanes import Lane
from gateway.outcome import SessionSaved


@dataclasses.dataclass
class OpenSession:
    """What is known of one transaction while it may still change.

    Attributes:
        core: the session machine.
        protocol: of the pile, such as ``ykc-1.6``; ``firmware_version`` as it logged in.
        channel: app, card, offline_card, vin; ``None`` when unknown.
        authorisation: ``None`` for sessions that nobody authorised here.
        records: every different content received, in order of arrival.
        revision: newest bill revision, 0 while there is none; ``bill_digest`` is that of its content.
        status: of the newest revision.
        posted_fen: what its bills posted so far, ``None`` when nothing.
        final_at_ms: when a provisional bill becomes final.
        is_decided: a person made the newest revision; ``is_meter_new``: a person said that the meter was replaced.
        order_ms: its place in the register chain, when it differs from its opening.
        stream_serial, sample_connector: what the samples said, where it differs from the order.
        balance_fen: available to the driver, top-ups included.
        lane: feeds samples to ``core`` without an event; rests whenever anything else changes.
    """

    core: ChargingSession
    order_no: str
    protocol: str
    firmware_version: str | None = None
    channel: str | None = None
    authorisation: Authorisation | None = None
    records: list[Record] = dataclasses.field(default_factory=list)
    revision: int = 0
    bill_digest: str = ""
    status: str | None = None
    posted_fen: int | None = None
    final_at_ms: int | None = None
    is_decided: bool = False
    is_meter_new: bool = False
    has_record_bill: bool = False
    is_start_told: bool = False
    is_end_told: bool = False
    is_overdue: bool = False
    is_card_known: bool = False
    was_closed_early: bool = False
    refusal_code: int | None = None
    parallel_no: str | None = None
    has_parallel: bool = False
    has_concurrent: bool = False
    is_serial_reused: bool = False
    order_ms: int | None = None
    stream_serial: str | None = None
    sample_connector: int | None = None
    link_lost_at_ms: int | None = None
    next_start_at_ms: int | None = None
    bms_end: BmsEnd | None = None
    nominal_e4kwh: int | None = None
    vins: list[str] = dataclasses.field(default_factory=list)
    stop_ordered_at_ms: int | None = None
    stop_accepted_at_ms: int | None = None
    clock_offset_ms: int | None = None
    balance_fen: int | None = None
    is_stop_due_told: bool = False
    is_stop_ignored_told: bool = False
    unplugged_at_ms: int | None = None
    is_occupancy_over: bool = False
    lane: Lane | None = None

    @property
    def transaction_id(self) -> str:
        """The session's key."""
        return self.core.transaction_id

    @property
    def place(self) -> tuple[str, int]:
        """Pile and connector that it charged on, as far as is known."""
        return self.core.pile_id, self.sample_connector or self.core.connector

    @property
    def begins_at_ms(self) -> int:
        """Its place in the register chain."""
        return self.order_ms if self.order_ms is not None else self.core.opened_at_ms

    @property
    def account(self) -> str | None:
        """Who charges, by card or car; ``None`` when unknown."""
        if self.authorisation is None:
            return None
        return self.authorisation.account_id or self.authorisation.card_uid or self.authorisation.vin

    @property
    def timer_at_ms(self) -> int | None:
        """The next deadline, of the machine or of a provisional bill, Unix ms."""
        at_ms = self.core.timer_at_ms
        if at_ms is None or self.final_at_ms is None:
            return self.final_at_ms if at_ms is None else at_ms
        return min(at_ms, self.final_at_ms)

    def saved(self) -> SessionSaved:
        """The row that brings this session back after a restart; what is saved has changed, so its lane rests."""
        core = self.core
        if self.lane is not None:
            self.lane.look_again()
            self.lane = None
        return SessionSaved(
            transaction_id=core.transaction_id,
            order_no=self.order_no,
            pile_id=core.pile_id,
            connector=core.connector,
            state=STATE_NAMES[core.state],
            start_channel=self.channel,
            opened_at_ms=core.opened_at_ms,
            ended_at_ms=core.ended_at_ms,
            energy_e4kwh=core.energy_e4kwh,
            frozen=self._frozen(),
            due_at_ms=self.timer_at_ms if core.state is State.BILLED else None,
        )

    def _frozen(self) -> dict[str, object]:
        frozen: dict[str, object] = {name: getattr(self, name) for name in _FROZEN}
        frozen["core"] = self.core.freeze()
        frozen["authorisation"] = self.authorisation and frozen_flat(self.authorisation)
        frozen["bms_end"] = self.bms_end and frozen_flat(self.bms_end)
        frozen["records"] = [frozen_record(record) for record in self.records]
        frozen["vins"] = list(self.vins)
        return frozen

    @classmethod
    def thaw(cls, frozen: Mapping[str, Any], states: bytes | bytearray) -> OpenSession:
        """The session that ``saved`` froze.

        Args:
            frozen: ``SessionSaved.frozen``, after a passage through JSON.
            states: its live states, packed, in order of arrival.
        """
        values = dict(frozen)
        values["core"] = ChargingSession.thaw(frozen["core"], states)
        values["authorisation"] = thaw_authorisation(frozen["authorisation"])
        values["bms_end"] = frozen["bms_end"] and BmsEnd(**frozen["bms_end"])
        values["records"] = [thaw_record(record) for record in frozen["records"]]
        return cls(**values)


_FROZEN = tuple(each.name for each in dataclasses.fields(OpenSession) if each.name != "lane")

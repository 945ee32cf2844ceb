"""One session as the gateway holds it: the core's machine, and what was authorised, recorded and told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from billing_core.evidence import Authorisation, Record
from billing_core.session import ChargingSession
from gateway.facts import thaw_authorisation, thaw_record
from gateway.outcome import SessionSaved


@dataclasses.dataclass(slots=True)
class OpenSession:
    """What is known of one transaction while it may still change.

    Attributes:
        core: the session machine.
        protocol: of the pile, such as ``ykc-1.6``.
        channel: app, card, offline_card, vin; ``None`` when unknown.
        authorisation: ``None`` for sessions that nobody authorised here.
        records: every different content received, in order of arrival.
        revision: newest bill revision, 0 while there is none.
        has_record_bill: the newest revision rests on a record.
    """

    core: ChargingSession
    order_no: str
    protocol: str
    channel: str | None = None
    authorisation: Authorisation | None = None
    records: list[Record] = dataclasses.field(default_factory=list)
    revision: int = 0
    has_record_bill: bool = False
    is_start_told: bool = False
    is_end_told: bool = False
    is_overdue: bool = False
    is_card_known: bool = False
    was_closed_unstarted: bool = False
    refusal_code: int | None = None
    parallel_no: str | None = None
    stop_ordered_at_ms: int | None = None
    meter_stop_previous_e4kwh: int | None = None
    clock_offset_ms: int | None = None

    @property
    def transaction_id(self) -> str:
        """The session's key."""
        return self.core.transaction_id

    def saved(self) -> SessionSaved:
        """The row that brings this session back after a restart."""
        core = self.core
        return SessionSaved(
            transaction_id=core.transaction_id,
            order_no=self.order_no,
            pile_id=core.pile_id,
            connector=core.connector,
            state=core.state.name.lower(),
            start_channel=self.channel,
            opened_at_ms=core.opened_at_ms,
            ended_at_ms=core.ended_at_ms,
            energy_e4kwh=core.energy_e4kwh,
            frozen=self._frozen(),
        )

    def _frozen(self) -> dict[str, object]:
        names = [field.name for field in dataclasses.fields(self)]
        frozen: dict[str, object] = {name: getattr(self, name) for name in names}
        frozen["core"] = self.core.freeze()
        frozen["authorisation"] = self.authorisation and dataclasses.asdict(self.authorisation)
        frozen["records"] = [dataclasses.asdict(record) for record in self.records]
        return frozen

    @classmethod
    def thaw(cls, frozen: Mapping[str, Any], anchors: Sequence[tuple[int, int]]) -> OpenSession:
        """The session that ``saved`` froze.

        Args:
            frozen: ``SessionSaved.frozen``, after a passage through JSON.
            anchors: (at_ms, energy_e4kwh) of its charging samples, in order of time.
        """
        values = dict(frozen)
        values["core"] = ChargingSession.thaw(frozen["core"], anchors)
        values["authorisation"] = thaw_authorisation(frozen["authorisation"])
        values["records"] = [thaw_record(record) for record in frozen["records"]]
        return cls(**values)

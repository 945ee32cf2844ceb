"""Open sessions by transaction: what piles tell becomes samples, ends, records and bills.

No I/O: facts and time come in, ``Outcome`` goes out. Where a session is no longer held in memory it is
fetched through ``recall``, the only look this room takes at the past.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from billing_core.bill import Bill
from billing_core.evidence import Authorisation, Evidence
from billing_core.issue import issue_bill, order_no
from billing_core.session import ChargingSession
from billing_core.tariff import Tariff, TariffBook
from billing_core.timers import Timers
from billing_core.transitions import SessionEvent, State
from gateway.facts import pile_facts, record_of
from gateway.opensession import OpenSession
from gateway.outcome import (
    BillIssued,
    EventRaised,
    MeterStopKnown,
    Notice,
    Outcome,
    RecordStored,
    SampleTaken,
    TariffPriced,
)
from gateway.priced import Key, key_of, terms_of
from gateway.site import Site
from protocol.commands import AcknowledgeRecord, AuthoriseStart, StartCharging
from protocol.events import (
    BmsEnded,
    ConnectorStatus,
    RecordReceived,
    SampleReceived,
    StartAnswered,
    StartRequested,
)

Recall = Callable[[str], "tuple[Mapping[str, Any], Sequence[tuple[int, int]]] | None"]

_LIVE_END_MS = 60_000  # a proof of the end counts as its moment when it comes this soon after the last sample
_CLOCK_FRESH_MS = 24 * 3_600_000
_RAISES = {State.OPENED, State.CHARGING}


class Sessions:
    """Every session that may still change, and the rules by which it does.

    Args:
        site: tariffs, piles, zone.
        timers: deadlines of the session machine.
        recall: (frozen, anchors) of a session that is not in memory, or ``None``.
        billed_kept_max: how many billed sessions stay in memory for re-sent records.
    """

    def __init__(self, site: Site, timers: Timers, recall: Recall, *, billed_kept_max: int = 4096) -> None:
        self.site = site
        self.timers = timers
        self.learned: dict[str, TariffBook] = {}  # per pile, from a log's own tariff orders
        self.meter_stops: dict[tuple[str, int], int] = {}
        self.pile_clocks: dict[str, tuple[int, int]] = {}  # pile_id -> (checked_at_ms, offset_ms)
        self.protocols: dict[str, str] = {}
        self.offline_cards: dict[str, set[str]] = {}
        self.requests: dict[tuple[str, int], StartRequested] = {}  # newest request of a connector
        self._recall = recall
        self._open: dict[str, OpenSession] = {}
        self._billed: OrderedDict[str, OpenSession] = OrderedDict()
        self._billed_kept_max = billed_kept_max
        self._active: dict[tuple[str, int], str] = {}  # connector -> transaction that may be charging there
        self._touched: list[str] = []
        self._priced: set[Key] = set()  # tariffs already written down as having priced a bill

    # -- looking --------------------------------------------------------------------------------------

    def find(self, transaction_id: str) -> OpenSession | None:
        """The session of a transaction, from memory or through ``recall``."""
        found = self._open.get(transaction_id) or self._billed.get(transaction_id)
        if found is None and (stored := self._recall(transaction_id)) is not None:
            found = OpenSession.thaw(*stored)
            self._keep(found)
        return found

    def running(self) -> list[OpenSession]:
        """Sessions without a bill, oldest first."""
        return list(self._open.values())

    def active_on(self, pile_id: str, connector: int) -> OpenSession | None:
        """The session that holds a connector: opened or charging."""
        return self._open.get(self._active.get((pile_id, connector), ""))

    def take_touched(self) -> list[str]:
        """The transactions that changed since the last call: their deadlines may have moved."""
        touched, self._touched = self._touched, []
        return touched

    def timer_at_ms(self, transaction_id: str) -> int | None:
        """The next deadline of one session, Unix ms."""
        session = self._open.get(transaction_id)
        return session.core.timer_at_ms if session else None

    # -- opening --------------------------------------------------------------------------------------

    def restore(self, frozen: Mapping[str, Any], anchors: Sequence[tuple[int, int]]) -> OpenSession:
        """Take up a session where a former run left it."""
        session = OpenSession.thaw(frozen, anchors)
        self._keep(session)
        return session

    def on_start_ordered(self, command: StartCharging | AuthoriseStart, at_ms: int) -> Outcome:
        """A start was sent to the pile: the session exists from now on."""
        if isinstance(command, AuthoriseStart) and not command.is_accepted:
            return Outcome()
        if self.find(command.transaction_id) is not None:
            return Outcome()
        by_app = isinstance(command, StartCharging)
        asked = None if by_app else self.requests.pop((command.pile_id, command.connector), None)
        channel = "app" if by_app else asked.method if asked else None
        authorisation = Authorisation(
            at_ms=at_ms,
            channel=channel,
            balance_fen=command.balance_fen,
            card_uid=command.card_uid if isinstance(command, StartCharging) else asked.card_uid if asked else None,
            vin=asked.vin if asked else None,
            account_id=None,
        )
        session = self._new(command.transaction_id, command.pile_id, command.connector, at_ms)
        session.authorisation = authorisation
        session.channel = channel
        session.parallel_no = command.parallel_no
        if not by_app:
            session.core.apply(SessionEvent.START_ACCEPTED, at_ms)
        return Outcome(rows=[session.saved()])

    def _new(self, transaction_id: str, pile_id: str, connector: int, at_ms: int) -> OpenSession:
        session = OpenSession(
            core=ChargingSession(transaction_id, pile_id, connector, at_ms, self.timers),
            order_no=order_no(transaction_id, at_ms, self.site.zone),
            protocol=self.protocols.get(pile_id, "ykc"),
        )
        checked = self.pile_clocks.get(pile_id)
        if checked is not None and at_ms - checked[0] <= _CLOCK_FRESH_MS:
            session.clock_offset_ms = checked[1]
        self._keep(session)
        return session

    def _keep(self, session: OpenSession) -> None:
        key = session.transaction_id
        self._touched.append(key)
        if session.core.state is State.BILLED:
            self._open.pop(key, None)
            self._billed[key] = session
            self._billed.move_to_end(key)
            while len(self._billed) > self._billed_kept_max:
                self._billed.popitem(last=False)
            self._release(session)
        else:
            self._open[key] = session
            if session.core.state in _RAISES:
                self._active[(session.core.pile_id, session.core.connector)] = key

    def _release(self, session: OpenSession) -> None:
        place = (session.core.pile_id, session.core.connector)
        if self._active.get(place) == session.transaction_id:
            del self._active[place]

    # -- charging -------------------------------------------------------------------------------------

    def on_start_answered(self, event: StartAnswered) -> Outcome:
        """The pile took or refused a remote start; "not plugged in" may still become a start."""
        session = self.find(event.transaction_id)
        if session is None or (event.may_still_start and not event.is_accepted):
            return Outcome()
        if not event.is_accepted:
            session.refusal_code = event.reason_code
            if session.core.state is not State.OPENED:
                return Outcome(rows=[session.saved()])
            session.core.apply(SessionEvent.START_REFUSED, event.at_ms)
            self._release(session)
            return self._ended(session, event.at_ms)
        session.refusal_code = None
        session.core.apply(SessionEvent.START_ACCEPTED, event.at_ms)
        self._keep(session)
        outcome = Outcome(lazy_rows=[session.saved()])
        self._tell_start(session, event.at_ms, outcome)
        return outcome

    def on_sample(self, event: SampleReceived) -> Outcome:
        """A live state: charging feeds the session, anything else may end it."""
        if event.status is ConnectorStatus.OFFLINE:
            return Outcome()  # stored by the pile while it was cut off: its moment is unknown
        if event.status is not ConnectorStatus.CHARGING:
            return self._on_idle(event)
        if event.transaction_id is None:
            return Outcome()  # preparing: no energy belongs to anybody yet
        outcome = self._end_other(event)
        session = self.find(event.transaction_id)
        if session is None:
            session = self._new(event.transaction_id, event.pile_id, event.connector, event.at_ms)
        session.core.take_sample(
            event.at_ms,
            event.energy_e4kwh,
            event.amount_e4yuan,
            event.voltage_dv,
            event.current_da,
            event.soc_percent,
        )
        self._keep(session)
        self._tell_start(session, event.at_ms, outcome)
        outcome.lazy_rows += [_sample_row(event), session.saved()]
        if session.core.state is State.CHARGING:
            outcome.notices.append(
                Notice(
                    "pilegate.session.progress",
                    session.transaction_id,
                    event.at_ms,
                    _progress(session, event),
                )
            )
        return outcome

    def _end_other(self, event: SampleReceived) -> Outcome:
        """A new serial on a connector proves that the former session there is over."""
        former = self.active_on(event.pile_id, event.connector)
        if former is None or former.transaction_id == event.transaction_id:
            return Outcome()
        if former.core.state is not State.CHARGING:
            return Outcome()
        return self._end(former, event.at_ms)

    def _on_idle(self, event: SampleReceived) -> Outcome:
        session = self.active_on(event.pile_id, event.connector)
        if session is None or session.core.state is not State.CHARGING:
            return Outcome()
        return self._end(session, event.at_ms)

    def on_bms_ended(self, event: BmsEnded) -> Outcome:
        """The battery side says that charging is over."""
        session = self.find(event.transaction_id) if event.transaction_id else None
        if session is None or session.core.state is not State.CHARGING:
            return Outcome()
        return self._end(session, event.at_ms)

    def _end(self, session: OpenSession, proof_at_ms: int) -> Outcome:
        """End at the proof when it came soon enough, else at the last sample, a lower bound."""
        last_ms = session.core.last_sample_at_ms
        assert last_ms is not None
        if 0 < proof_at_ms - last_ms <= _LIVE_END_MS:
            session.core.end(proof_at_ms, True, proof_at_ms)
        else:
            session.core.end(last_ms, False, proof_at_ms)
        return self._ended(session, proof_at_ms)

    def _ended(self, session: OpenSession, at_ms: int) -> Outcome:
        self._touched.append(session.transaction_id)
        self._release(session)
        outcome = Outcome(rows=[session.saved()])
        self._tell_end(session, at_ms, outcome)
        outcome.rows[0] = session.saved()
        return outcome

    def on_stop_ordered(self, pile_id: str, connector: int, at_ms: int) -> Outcome:
        """A remote stop was sent; the pile must obey, the record will tell."""
        session = self.active_on(pile_id, connector)
        if session is None:
            return Outcome()
        session.stop_ordered_at_ms = at_ms
        return Outcome(lazy_rows=[session.saved()])

    def on_link(self, pile_id: str, at_ms: int, *, is_up: bool) -> Outcome:
        """The link of a pile was lost or came back; its sessions go on."""
        outcome = Outcome()
        event = SessionEvent.LINK_RESTORED if is_up else SessionEvent.LINK_LOST
        for session in self._open.values():
            if session.core.pile_id == pile_id:
                session.core.apply(event, at_ms)
                outcome.lazy_rows.append(session.saved())
        return outcome

    # -- deadlines ------------------------------------------------------------------------------------

    def on_timer(self, transaction_id: str, at_ms: int) -> Outcome:
        """Fire what is due of one session, each at its own due time."""
        outcome = Outcome()
        session = self._open.get(transaction_id)
        if session is None:
            return outcome
        fired = session.core.on_timer(at_ms)
        for event, due_ms in fired:
            if event is SessionEvent.RECORD_OVERDUE:
                session.is_overdue = True
            elif event is SessionEvent.RECORD_LOST:
                self._issue(session, due_ms, "record_lost", outcome)
            else:  # START_DEADLINE_PASSED, SILENCE_PASSED
                outcome.absorb(self._ended(session, due_ms))
        if fired:
            self._keep(session)
            outcome.rows.append(session.saved())
        return outcome

    # -- records and bills ----------------------------------------------------------------------------

    def on_record(self, event: RecordReceived) -> Outcome:
        """A record: kept, billed if it is the first, evidence if it contradicts, and always acknowledged."""
        outcome = Outcome(is_durable=True)
        outcome.replies.append(AcknowledgeRecord(event.pile_id, event.reply_ref, event.serial, True))
        record = record_of(event, self.site.zone)
        key = record_key(event)
        session = self.find(key)
        if session is None:
            session = self._new(key, event.pile_id, event.connector, event.at_ms)
        session.is_card_known = session.is_card_known or self._is_card_known(event)
        if any(known.content_hash == record.content_hash for known in session.records):
            return outcome
        self._end_by_record(session, event.at_ms)
        reason = "conflicting_record" if session.has_record_bill else "record"
        place = (event.pile_id, event.connector)
        if not session.records:
            session.meter_stop_previous_e4kwh = self.meter_stops.get(place)
        session.records.append(record)
        session.channel = session.channel if session.channel == "app" else event.start_channel or session.channel
        outcome.rows.append(_record_row(key, event, record.content_hash, session.protocol))
        self._issue(session, event.at_ms, reason, outcome)
        if reason == "record" and event.meter_stop_e4kwh:
            self.meter_stops[place] = event.meter_stop_e4kwh
            outcome.rows.append(MeterStopKnown(*place, event.at_ms, event.meter_stop_e4kwh))
        self._keep(session)
        outcome.rows.append(session.saved())
        return outcome

    def _end_by_record(self, session: OpenSession, at_ms: int) -> None:
        """A live record is the end, when nothing told it before."""
        core = session.core
        if core.state is State.CHARGING and core.last_sample_at_ms is not None:
            is_live = 0 < at_ms - core.last_sample_at_ms <= _LIVE_END_MS
            core.end(at_ms if is_live else core.last_sample_at_ms, is_live, at_ms)
        core.apply(SessionEvent.RECORD_RECEIVED, at_ms)

    def _is_card_known(self, event: RecordReceived) -> bool:
        if event.start_channel != "offline_card" or event.card_uid is None:
            return False
        return event.card_uid in self.site.cards or event.card_uid in self.offline_cards.get(event.pile_id, ())

    def _issue(self, session: OpenSession, at_ms: int, reason: str, outcome: Outcome) -> None:
        """Add the next revision of the session's bill, and what upstream is told of it."""
        session.revision += 1
        session.has_record_bill = bool(session.records)
        bill = issue_bill(self.evidence(session, at_ms), revision=session.revision)
        session.was_closed_unstarted = session.was_closed_unstarted or (bill.status == "void" and not session.records)
        self._tell_start(session, at_ms, outcome, must_have_begun=True)
        self._tell_end(session, at_ms, outcome)
        document = bill.to_json_dict()
        outcome.rows.append(_bill_row(session, bill, document, at_ms, reason))
        self._note_tariff(bill.tariff, outcome)
        kind = "created" if session.revision == 1 else "revised"
        outcome.rows.append(
            EventRaised(
                event_id=f"bill-{session.transaction_id}-r{session.revision}",
                type=f"pilegate.bill.{kind}",
                subject=session.transaction_id,
                partition=session.transaction_id,
                at_ms=at_ms,
                data=told_bill(document),
            )
        )

    def _note_tariff(self, tariff: Tariff | None, outcome: Outcome) -> None:
        """What priced a bill is written down with it, once; see gateway/priced.py."""
        if tariff is None or key_of(tariff) in self._priced or tariff not in self.site.book.tariffs:
            return
        self._priced.add(key_of(tariff))
        outcome.rows.append(TariffPriced(*key_of(tariff), terms_of(tariff)))

    def evidence(self, session: OpenSession, at_ms: int) -> Evidence:
        """Everything known of one transaction at ``at_ms``, as the billing core takes it."""
        core = session.core
        opened_ms = core.opened_at_ms
        book = self._book(core.pile_id, opened_ms)
        return Evidence(
            transaction_id=core.transaction_id,
            order_no=session.order_no,
            pile=pile_facts(self.site, core.pile_id, core.connector, session.protocol),
            authorisation=session.authorisation,
            start_channel=session.channel,
            opened_at_ms=opened_ms,
            start_accepted_at_ms=core.start_accepted_at_ms,
            refusal_code=session.refusal_code,
            anchors=tuple(core.anchors()),
            shown_amount_e4yuan=core.shown_amount_e4yuan if core.sample_count else None,
            ended_at_ms=core.ended_at_ms,
            is_end_observed=core.is_end_observed,
            idle_proof_at_ms=core.idle_proof_at_ms,
            records=tuple(session.records),
            meter_stop_previous_e4kwh=session.meter_stop_previous_e4kwh,
            clock_offset_ms=session.clock_offset_ms,
            is_offline_card_known=session.is_card_known,
            was_closed_unstarted=session.was_closed_unstarted,
            tariffs=book,
            tariff_binding=self.site.tariff_binding,
            zone=self.site.zone,
            at_ms=at_ms,
        )

    def _book(self, pile_id: str, at_ms: int) -> TariffBook:
        """The site's tariffs, or in replay those that the pile was seen to hold."""
        book = self.site.book
        if book.in_force(pile_id=pile_id, station=self.site.station_of(pile_id), at_ms=at_ms) is None:
            book = self.learned.get(pile_id, book)
        return book

    def tariff_at(self, pile_id: str, at_ms: int) -> Tariff | None:
        """The tariff in force for a pile at a moment, Unix ms."""
        book = self._book(pile_id, at_ms)
        return book.in_force(pile_id=pile_id, station=self.site.station_of(pile_id), at_ms=at_ms)

    # -- telling --------------------------------------------------------------------------------------

    def _tell_start(self, session: OpenSession, at_ms: int, outcome: Outcome, *, must_have_begun: bool = False) -> None:
        if session.is_start_told or (must_have_begun and session.core.sample_count == 0):
            return
        session.is_start_told = True
        outcome.lazy_rows.append(_session_event("started", session, at_ms))

    def _tell_end(self, session: OpenSession, at_ms: int, outcome: Outcome) -> None:
        if session.is_end_told or (session.authorisation is None and not session.is_start_told):
            return
        session.is_end_told = True
        outcome.rows.append(_session_event("ended", session, at_ms))


def record_key(event: RecordReceived) -> str:
    """The transaction a record belongs to.

    A serial of zeros names nothing, so pile, connector and start time stand in for it.
    """
    if event.serial.strip("0"):
        return event.serial
    return f"{event.serial}-{event.pile_id}-{event.connector:02d}-{event.started.raw.hex()}"


def told_bill(document: Mapping[str, Any]) -> dict[str, Any]:
    """What upstream learns of a bill: all of it, but of a bill under review only the fact, no money."""
    told = dict(document)
    if told["status"] == "review":
        told.update(dict.fromkeys(("lines", "segments", "energy_fee", "service_fee", "amount", "discount")))
    return told


def _session_event(kind: str, session: OpenSession, at_ms: int) -> EventRaised:
    core = session.core
    return EventRaised(
        event_id=f"session-{kind}-{session.transaction_id}",
        type=f"pilegate.session.{kind}",
        subject=session.transaction_id,
        partition=session.transaction_id,
        at_ms=at_ms,
        data={
            "transaction_id": session.transaction_id,
            "order_no": session.order_no,
            "pile_id": core.pile_id,
            "connector": core.connector,
            "start_channel": session.channel,
            "state": core.state.name.lower(),
            "parallel_no": session.parallel_no,
        },
    )


def _sample_row(event: SampleReceived) -> SampleTaken:
    assert event.transaction_id is not None
    return SampleTaken(
        transaction_id=event.transaction_id,
        at_ms=event.at_ms,
        energy_e4kwh=event.energy_e4kwh,
        amount_e4yuan=event.amount_e4yuan,
        voltage_dv=event.voltage_dv,
        current_da=event.current_da,
        soc_percent=event.soc_percent,
    )


def _progress(session: OpenSession, event: SampleReceived) -> dict[str, object]:
    return {"pile_id": event.pile_id, "connector": event.connector, "soc_percent": event.soc_percent}


def _record_row(key: str, event: RecordReceived, digest: str, protocol: str) -> RecordStored:
    return RecordStored(
        transaction_id=key,
        serial=event.serial,
        rx_ms=event.at_ms,
        pile_id=event.pile_id,
        connector=event.connector,
        protocol=protocol,
        layout=event.layout,
        frame_type=event.frame_type,
        content_hash=digest,
        body=event.body,
    )


def _bill_row(session: OpenSession, bill: Bill, document: Mapping[str, Any], at_ms: int, reason: str) -> BillIssued:
    return BillIssued(
        transaction_id=session.transaction_id,
        revision=session.revision,
        status=bill.status,
        order_no=session.order_no,
        pile_id=session.core.pile_id,
        connector=session.core.connector,
        created_at_ms=at_ms,
        started_at_ms=bill.started_at_ms,
        ended_at_ms=bill.ended_at_ms,
        energy_e4kwh=bill.energy_e4kwh,
        amount_fen=bill.amount_fen,
        primary_anomaly=bill.primary_anomaly,
        anomalies=tuple(anomaly.code for anomaly in bill.anomalies),
        reason=reason,
        actor="engine",
        body=json.dumps(document, ensure_ascii=False, separators=(",", ":")),
    )

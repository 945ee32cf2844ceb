"""Records of finished charges: kept, billed, taken as evidence when they contradict, and always acknowledged."""

from __future__ import annotations

from billing_core.evidence import Record
from billing_core.tolerances import register_half_width
from billing_core.transitions import SessionEvent, State
from gateway.facts import record_of
from gateway.opensession import OpenSession
from gateway.outcome import Outcome
from gateway.sessionrows import record_row
from gateway.sessions import Sessions
from protocol.commands import AcknowledgeRecord
from protocol.events import RecordReceived


class Records:
    """What becomes of a record.

    Args:
        sessions: every session that may still change.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def on_record(self, event: RecordReceived) -> Outcome:
        """A record: billed if it is the first, evidence if it contradicts; the acknowledgement waits for the commit."""
        outcome = Outcome(is_durable=True)
        outcome.replies.append(AcknowledgeRecord(event.pile_id, event.reply_ref, event.serial, True))
        record = record_of(event, self._sessions.site.zone)
        session = self._session_of(event, record, outcome)
        session.is_card_known = session.is_card_known or self._is_card_known(event)
        if any(known.content_hash == record.content_hash for known in session.records):
            return outcome
        self._end_by_record(session, record)
        reason = "conflicting_record" if session.records else "record_after_bill" if session.revision else "record"
        session.records.append(record)
        session.channel = session.channel if session.channel == "app" else event.start_channel or session.channel
        outcome.rows.append(record_row(session.transaction_id, event, record.content_hash, session.protocol))
        self._sessions.issue(session, event.at_ms, reason, outcome)
        self._sessions.keep(session)
        for other in self._sessions.billing.revise_neighbours(session, event.at_ms, self._sessions.find, outcome):
            self._sessions.keep(other)
            outcome.rows.append(other.saved())
        outcome.rows.append(session.saved())
        return outcome

    def _session_of(self, event: RecordReceived, record: Record, outcome: Outcome) -> OpenSession:
        """The session a record belongs to, made if nobody knows it."""
        sessions = self._sessions
        key = record_key(event)
        session = sessions.find(key)
        if session is not None:
            sessions.part_foreign(session, record.energy_e4kwh, outcome)
        if session is None:
            holder = sessions.streamed(event.pile_id, event.serial, event.connector)
            if holder is not None and not holder.records:
                has_confirmed = holder.core.start_accepted_at_ms is not None
                return holder if has_confirmed else sessions.part(holder, key, outcome)
        elif self._is_reused(session, record):
            key = f"{key}-{record.content_hash[:8]}"
            session = sessions.find(key)
            if session is None:
                session = self._open(key, event, record)
                session.is_serial_reused = True
        return session or self._open(key, event, record)

    def _open(self, key: str, event: RecordReceived, record: Record) -> OpenSession:
        session = self._sessions.open(key, event.pile_id, event.connector, event.at_ms)
        session.order_ms = plausible_start_ms(record.started_ms, record.rx_ms)
        return session

    def _is_reused(self, session: OpenSession, record: Record) -> bool:
        """Whether a further record begins, by its registers, where the first one ended: another charge."""
        if not session.records or any(known.content_hash == record.content_hash for known in session.records):
            return False
        first = session.records[0]
        if not (first.has_registers and record.has_registers):
            return False
        entry = self._sessions.site.piles.get(record.pile_id)
        half = register_half_width(entry.register_decimals if entry is not None else None)
        is_behind = record.meter_start_e4kwh >= first.meter_stop_e4kwh - half
        return is_behind and abs(record.meter_start_e4kwh - first.meter_start_e4kwh) > half

    def _end_by_record(self, session: OpenSession, record: Record) -> None:
        """A live record is the end, when nothing told it before."""
        core, at_ms = session.core, record.rx_ms
        is_unstarted = core.state is State.NOT_STARTED or (core.state is State.BILLED and not core.sample_count)
        if is_unstarted and not session.records and session.refusal_code is None and record.energy_e4kwh:
            session.was_closed_early = session.authorisation is not None
        if core.state is State.CHARGING and core.last_sample_at_ms is not None:
            is_live = 0 < at_ms - core.last_sample_at_ms <= self._sessions.timers.live_ms
            core.end(at_ms if is_live else core.last_sample_at_ms, is_live, max(at_ms, core.last_sample_at_ms))
        core.apply(SessionEvent.RECORD_RECEIVED, at_ms)

    def _is_card_known(self, event: RecordReceived) -> bool:
        if event.start_channel != "offline_card" or event.card_uid is None:
            return False
        held = self._sessions.offline_cards.get(event.pile_id, ())
        return event.card_uid in self._sessions.site.cards or event.card_uid in held


def record_key(event: RecordReceived) -> str:
    """The transaction a record belongs to.

    A serial of zeros names nothing, so pile, connector and start time stand in for it.
    """
    if event.serial.strip("0"):
        return event.serial
    return f"{event.serial}-{event.pile_id}-{event.connector:02d}-{event.started.raw.hex()}"


def plausible_start_ms(started_ms: int | None, rx_ms: int) -> int | None:
    """A record's start, if it can order a register chain: not in the future, and from this century's piles."""
    if started_ms is None or started_ms > rx_ms or started_ms < 1_451_577_600_000:
        return None
    return started_ms

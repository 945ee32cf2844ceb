"""Rows and notices that sessions give rise to."""

from __future__ import annotations

from billing_core.session import ChargingSession
from billing_core.transitions import STATE_NAMES
from gateway.opensession import OpenSession
from gateway.outcome import EventRaised, Notice, RecordStored, SamplesTaken
from protocol.events import RecordReceived


def session_event(kind: str, session: OpenSession, at_ms: int) -> EventRaised:
    """That a session started or ended."""
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
            "state": STATE_NAMES[core.state],
            "parallel_no": session.parallel_no,
        },
    )


def notice(kind: str, session: OpenSession, at_ms: int, **data: object) -> Notice:
    """Something about a session that watchers may act upon."""
    place = {"pile_id": session.core.pile_id, "connector": session.place[1]}
    return Notice(f"pilegate.session.{kind}", session.transaction_id, at_ms, {**place, **data})


def samples_row(core: ChargingSession) -> SamplesTaken | None:
    """The live states of a session that were not kept yet, ``None`` when there are none."""
    taken = core.take_unkept()
    return None if taken is None else SamplesTaken(core.transaction_id, *taken)


def record_row(key: str, event: RecordReceived, digest: str, protocol: str) -> RecordStored:
    """A record as it is kept."""
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

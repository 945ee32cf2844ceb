"""Which transaction a sample or a record belongs to, where its pile could not be given the number.

Two ways lead there. A start that was allowed for a card, by an answer that carries no number, waits here until the
pile reports a session on that card. And a sample that names only the card belongs to the session that was authorised
for this card on its connector. Both work on what the frames say alone, so that a replay finds the same names.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict, deque
from typing import TypeVar

from gateway.outcome import Outcome
from gateway.sessions import Sessions
from protocol.commands import AuthoriseStart
from protocol.events import RecordReceived, SampleReceived, StartRequested

_Event = TypeVar("_Event", SampleReceived, RecordReceived)
_WAITS_MS = 600_000  # a car that is not plugged in by then needs its card again
_ANSWERED_MS = 30_000  # a request that was not answered by then never will be
_KEPT_MAX = 4


@dataclasses.dataclass(frozen=True, slots=True)
class _Grant:
    command: AuthoriseStart
    asked: StartRequested
    at_ms: int


class Naming:
    """Starts that were allowed without a number, and sessions by their card.

    Args:
        sessions: where the sessions are.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._asked: dict[tuple[str, int], deque[StartRequested]] = defaultdict(lambda: deque(maxlen=_KEPT_MAX))
        self._grants: dict[tuple[str, str], deque[_Grant]] = defaultdict(lambda: deque(maxlen=_KEPT_MAX))  # pile, card

    def on_requested(self, event: StartRequested) -> None:
        """A pile asked; several cars may ask before the first is answered."""
        self._asked[(event.pile_id, event.connector)].append(event)

    def on_granted(self, command: AuthoriseStart, at_ms: int) -> None:
        """A start was allowed, or refused, by an answer that carries no number; answers keep the order of requests."""
        waiting = self._asked[(command.pile_id, command.connector)]
        while waiting:
            asked = waiting.popleft()
            if at_ms - asked.at_ms <= _ANSWERED_MS:
                if command.is_accepted and asked.card_uid is not None:
                    self._grants[(command.pile_id, asked.card_uid)].append(_Grant(command, asked, at_ms))
                return

    def named(self, event: _Event) -> tuple[_Event, Outcome]:
        """The event with its transaction, and the opening of a session that waited for its name."""
        number = event.serial if isinstance(event, RecordReceived) else event.transaction_id
        if event.card_uid is None or not number or self._sessions.find(number) is not None:
            return event, Outcome()
        active = self._sessions.active_on(event.pile_id, event.connector)
        allowed = active.authorisation if active is not None else None
        if isinstance(event, SampleReceived) and active is not None and allowed is not None:
            is_same = allowed.card_uid == event.card_uid
            return (dataclasses.replace(event, transaction_id=active.transaction_id) if is_same else event), Outcome()
        return event, self._open(event.pile_id, event.card_uid, number, event.connector, event.at_ms)

    def _open(self, pile_id: str, card_uid: str, number: str, connector: int, at_ms: int) -> Outcome:
        waiting = self._grants[(pile_id, card_uid)]
        while waiting and at_ms - waiting[0].at_ms > _WAITS_MS:
            waiting.popleft()
        if not waiting:
            return Outcome()
        grant = waiting.popleft()
        self._sessions.requests[(pile_id, connector)] = grant.asked
        command = dataclasses.replace(grant.command, transaction_id=number, connector=connector)
        return self._sessions.on_start_ordered(command, grant.at_ms)

"""Which connector a card is for: before V4.6 neither the question nor its answer says it.

A pile has one reader. A card is for the connector where a car waits and nothing was allowed yet; the same card again,
before its charge began, asks again for the same connector. All of this follows from frames: a log finds the same.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_ANSWERED_MS = 30_000  # a question that was not answered by then never will be
_ASKED_MAX = 8
_IDLE, _CHARGING, _RESERVED = 0, 2, 5
_WAITING = (_IDLE, _RESERVED)
_MAY_WAIT = (1, 3)  # starting, or finished with the car still there: only if nobody waits in earnest


@dataclass(frozen=True, slots=True)
class Swipe:
    """A card that was asked about, and for which connector."""

    sequence: int
    connector: int
    card: str
    at_ms: int


class Swipes:
    """Cards that were asked about on one link, and the connectors where they may be meant for."""

    def __init__(self) -> None:
        self._ranks: dict[int, int] = {}
        self._allowed: dict[int, str] = {}  # connector -> card, until its charge begins
        self._asked: deque[Swipe] = deque(maxlen=_ASKED_MAX)
        self._newest = 1

    def saw(self, connector: int, state: int, *, is_plugged: bool) -> None:
        """A status of a connector."""
        if is_plugged and state in _WAITING + _MAY_WAIT:
            self._ranks[connector] = int(state in _MAY_WAIT)
        else:
            self._ranks.pop(connector, None)
        if state == _CHARGING or not is_plugged:
            self._allowed.pop(connector, None)

    def connector_for(self, card: str) -> int:
        """The connector that a card is for, when the question names none."""
        again = next((connector for connector, allowed in self._allowed.items() if allowed == card), None)
        if again is not None:
            return again
        ranks = {connector: rank for connector, rank in self._ranks.items() if connector not in self._allowed}
        waiting = ranks or self._ranks
        return min(waiting, key=lambda connector: (waiting[connector], connector), default=1)

    def asked(self, swipe: Swipe) -> None:
        """A card was asked about; the same question again takes the place of the former one."""
        self._newest = swipe.connector
        same = [each for each in self._asked if (each.connector, each.card) == (swipe.connector, swipe.card)]
        for each in same:
            self._asked.remove(each)
        self._asked.append(swipe)

    def answered(self, sequence: int, at_ms: int, connector: int | None = None) -> Swipe:
        """The question that an answer belongs to: the oldest of its sequence, else the newest of all."""
        waiting = [each for each in self._asked if at_ms - each.at_ms <= _ANSWERED_MS]
        if connector is not None:
            waiting = [each for each in waiting if each.connector == connector]
        if not waiting:
            return Swipe(sequence, connector or self._newest, "", at_ms)
        found = next((each for each in waiting if each.sequence == sequence), waiting[-1])
        self._asked.remove(found)
        return found

    def allow(self, connector: int, card: str) -> None:
        """A charge was allowed there for a card."""
        if card:
            self._allowed[connector] = card

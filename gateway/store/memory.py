"""A store without a disk, for replay: the same rows, looked up the same way."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.outcome import BillIssued, LiveState, Row, SamplesTaken, SessionSaved
from gateway.store import Store


class MemoryStore:
    """Keeps what replay must look up or print, and nothing else.

    Args:
        mirror: a database that gets every row too.
    """

    def __init__(self, mirror: Store | None = None) -> None:
        self._mirror = mirror
        self._sessions: dict[str, SessionSaved] = {}
        self._states: dict[str, list[LiveState]] = defaultdict(list)
        self._bills: dict[str, list[BillIssued]] = defaultdict(list)

    def keep(self, rows: Iterable[Row]) -> None:
        """Take rows in the order they happened."""
        if self._mirror is not None:
            rows = list(rows)
            self._mirror.writer.submit(rows)
        for row in rows:
            match row:
                case SessionSaved():
                    self._sessions[row.transaction_id] = row
                case SamplesTaken():
                    self._states[row.transaction_id] += row.states
                case BillIssued():
                    self._bills[row.transaction_id].append(row)

    def recall(self, transaction_id: str) -> tuple[Mapping[str, Any], Sequence[LiveState]] | None:
        """(frozen, live states) of a session, or ``None``."""
        saved = self._sessions.get(transaction_id)
        if saved is None:
            return None
        return json.loads(json.dumps(saved.frozen)), self._states[transaction_id]

    def bills(self, *, all_revisions: bool = False) -> list[BillIssued]:
        """The newest revision of every bill, or all revisions."""
        if all_revisions:
            return [bill for revisions in self._bills.values() for bill in revisions]
        return [revisions[-1] for revisions in self._bills.values()]

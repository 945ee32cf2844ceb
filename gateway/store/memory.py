"""A store without a file of its own, for replay: the same rows, looked up the same way.

What still runs is held in memory. Bills, and sessions that have theirs, go to a private database of SQLite which spills
to a temporary file by itself and is gone with the process: a log may be as long as it likes.
"""

from __future__ import annotations

import json
import pickle
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any

from gateway.jsontext import json_text
from gateway.outcome import BillIssued, Row, SamplesLeft, SamplesTaken, SessionSaved
from gateway.store import Store

_SETTLED_MAX = 16  # billed sessions held in memory: the engine holds those that are likely to be looked up again
# Rows of many kilobytes stand beside their keys, not within, and a page holds some; one transaction, for nobody else
# reads this, and nothing is ever taken back.
_TABLES = """
PRAGMA page_size = 65536;
PRAGMA journal_mode = OFF;
CREATE TABLE session (transaction_id TEXT PRIMARY KEY, frozen TEXT, states BLOB);
CREATE TABLE bill (order_ms INTEGER, transaction_id TEXT, revision INTEGER, body BLOB, pile_id TEXT, is_review INTEGER,
 PRIMARY KEY (order_ms, transaction_id, revision));
CREATE INDEX bill_of ON bill (transaction_id, revision);
BEGIN
"""
_values_of = attrgetter(*BillIssued.__slots__)  # a dataclass with slots is pickled field by field, in Python
_NEWEST = "WHERE revision = (SELECT max(revision) FROM bill b WHERE b.transaction_id = bill.transaction_id)"


class MemoryStore:
    """Keeps what replay must look up or print, and nothing else.

    Args:
        mirror: a database that gets every row too.
    """

    def __init__(self, mirror: Store | None = None) -> None:
        self._mirror = mirror
        self._sessions: dict[str, SessionSaved] = {}
        self._states: dict[str, bytearray] = {}  # packed
        self._settled: OrderedDict[str, None] = OrderedDict()  # billed ones among them, the longest untouched first
        self._spill = sqlite3.connect("", isolation_level=None)
        self._spill.executescript(_TABLES)

    def __del__(self) -> None:
        self._spill.close()

    def keep(self, rows: Iterable[Row]) -> None:
        """Take rows in the order they happened."""
        if self._mirror is not None:
            rows = list(rows)
            self._mirror.writer.submit(rows)
        for row in rows:
            match row:
                case SessionSaved():
                    self._save(row)
                case SamplesTaken():
                    self._states_of(row.transaction_id).extend(row.states)
                case SamplesLeft():
                    self._states_of(row.transaction_id).clear()
                case BillIssued():
                    key = (row.ended_at_ms or row.created_at_ms, row.transaction_id, row.revision)
                    values = (*key, pickle.dumps(_values_of(row)), row.pile_id, row.status == "review")
                    self._spill.execute("INSERT INTO bill VALUES (?,?,?,?,?,?)", values)

    def _save(self, row: SessionSaved) -> None:
        self._states_of(row.transaction_id)
        self._sessions[row.transaction_id] = row
        self._settled.pop(row.transaction_id, None)
        if row.state == "billed":
            self._settled[row.transaction_id] = None
            while len(self._settled) > _SETTLED_MAX:
                oldest, _ = self._settled.popitem(last=False)
                values = (oldest, json_text(self._sessions.pop(oldest).frozen), self._states.pop(oldest))
                self._spill.execute("INSERT OR REPLACE INTO session VALUES (?,?,?)", values)

    def _states_of(self, transaction_id: str) -> bytearray:
        """The live states of a session, in memory from now on."""
        found = self._states.get(transaction_id)
        if found is None:
            spilt = self._spilt(transaction_id)
            found = self._states[transaction_id] = bytearray(spilt[1] if spilt is not None else b"")
        return found

    def _spilt(self, transaction_id: str) -> tuple[str, bytes] | None:
        sql = "SELECT frozen, states FROM session WHERE transaction_id = ?"
        row: tuple[str, bytes] | None = self._spill.execute(sql, (transaction_id,)).fetchone()
        return row

    def recall(self, transaction_id: str) -> tuple[Mapping[str, Any], bytes] | None:
        """(frozen, live states packed) of a session, or ``None``."""
        saved = self._sessions.get(transaction_id)
        if saved is not None:
            return json.loads(json_text(saved.frozen)), bytes(self._states_of(transaction_id))
        spilt = self._spilt(transaction_id)
        return None if spilt is None else (json.loads(spilt[0]), spilt[1])

    def each_bill(self, *, all_revisions: bool = False) -> Iterator[BillIssued]:
        """The newest revision of every bill, or all revisions, in order of the session's end."""
        where = "" if all_revisions else _NEWEST
        for (body,) in self._spill.execute(
            f"SELECT body FROM bill {where} ORDER BY order_ms, transaction_id, revision"
        ):
            yield BillIssued(*pickle.loads(body))

    def tally(self) -> dict[str, tuple[int, int]]:
        """By pile, how many bills there are, and how many of them are under review."""
        rows = self._spill.execute(f"SELECT pile_id, count(*), sum(is_review) FROM bill {_NEWEST} GROUP BY pile_id")
        return {pile_id: (count, review) for pile_id, count, review in rows}

    def bills(self, *, all_revisions: bool = False) -> list[BillIssued]:
        """The same, all at once."""
        return list(self.each_bill(all_revisions=all_revisions))

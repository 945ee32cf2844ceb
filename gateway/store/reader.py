"""Everything that only looks: one connection a thread, beside the writer, never waiting for it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from billing_core.session import unpack_states
from gateway.frameblock import BLOCK_SPAN_MS, unpack_frames
from gateway.outcome import ChainKept, FrameKept, FramesKept

Rows = list[dict[str, Any]]
Place = tuple[int, int]  # of a kept frame: the row of its block, and its number in it

_ROW_BITS = 20  # of a sample's number within its block; a block is what one session took in half a second
_SAMPLE = ("at_ms", "energy_e4kwh", "amount_e4yuan", "voltage_dv", "current_da", "soc_percent")
_IS_CHARGING = 6

_FRAMES = "SELECT id, pile_id, link, from_ms, about, data, digest FROM frame_block"

# While a session charges its newest sample says how far it came; its own row is written when something else changes.
_SESSION = """SELECT transaction_id, order_no, pile_id, connector, state, start_channel, opened_at_ms, ended_at_ms,
 frozen, due_at_ms, CASE state WHEN 'charging' THEN max(energy_e4kwh, coalesce((SELECT s.energy_e4kwh
 FROM sample_block s WHERE s.transaction_id = session.transaction_id AND s.energy_e4kwh NOT NULL
 ORDER BY s.rowid DESC LIMIT 1), 0))
 ELSE energy_e4kwh END AS energy_e4kwh FROM session"""


class Reader:
    """Queries of the engine, the API and the command line. Results are plain dicts, units as in the columns."""

    def __init__(self, path: Path, *, busy_timeout_ms: int = 2_000) -> None:
        self._path = path
        self._busy_timeout_ms = busy_timeout_ms
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            uri = f"file:{self._path.resolve()}?mode=ro"
            found = sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False, timeout=self._busy_timeout_ms / 1000
            )
            found.row_factory = sqlite3.Row
            self._local.connection = found
            with self._lock:
                self._opened.append(found)
        return found

    def close(self) -> None:
        """Close every thread's connection."""
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened = []

    def all(self, sql: str, values: Sequence[object] = ()) -> Rows:
        """Every row of a query."""
        return [dict(row) for row in self._connection().execute(sql, values)]

    def each(self, sql: str, values: Sequence[object] = ()) -> Iterator[dict[str, Any]]:
        """The rows of a query one by one, for results that are larger than memory should hold."""
        for row in self._connection().execute(sql, values):
            yield dict(row)

    def one(self, sql: str, values: Sequence[object] = ()) -> dict[str, Any] | None:
        """The first row of a query, or ``None``."""
        row = self._connection().execute(sql, values).fetchone()
        return None if row is None else dict(row)

    def newest_ms(self) -> int:
        """The latest moment that anything here was written, about; Unix ms, 0 in an empty database."""
        sql = """SELECT max((SELECT coalesce(max(created_at_ms), 0) FROM bill_newest),
         (SELECT coalesce(max(opened_at_ms), 0) FROM session),
         coalesce((SELECT rx_ms FROM record ORDER BY rowid DESC LIMIT 1), 0),
         coalesce((SELECT at_ms FROM sample_block ORDER BY rowid DESC LIMIT 1), 0)) AS at_ms"""
        row = self.one(sql)
        return row["at_ms"] if row else 0

    # -- piles ----------------------------------------------------------------------------------------

    def piles(self) -> Rows:
        """Piles that were adopted or ever logged in."""
        return self.all("SELECT * FROM pile ORDER BY pile_id")

    def find_pile(self, pile_id: str) -> dict[str, Any] | None:
        """An adopted pile, or ``None``."""
        return self.one("SELECT * FROM pile WHERE pile_id = ? AND adopted_at_ms IS NOT NULL", (pile_id,))

    def adopted_piles(self) -> Rows:
        """Piles that were adopted into the database."""
        return self.all("SELECT * FROM pile WHERE adopted_at_ms IS NOT NULL ORDER BY pile_id")

    def priced_tariffs(self) -> Rows:
        """Tariffs that priced a bill, with their terms as canonical JSON."""
        return self.all("SELECT * FROM priced_tariff")

    def unknown_piles(self) -> Rows:
        """Piles that were refused and may be adopted, newest first."""
        return self.all("SELECT * FROM unknown_pile ORDER BY last_seen_at_ms DESC")

    # -- authorisation --------------------------------------------------------------------------------

    def find_card(self, card_uid: str) -> dict[str, Any] | None:
        """A card of the authorisation list."""
        return self.one("SELECT * FROM card WHERE card_uid = ?", (card_uid,))

    def find_vin(self, vin: str) -> dict[str, Any] | None:
        """A VIN of the authorisation list."""
        return self.one("SELECT * FROM vin WHERE vin = ?", (vin,))

    def find_account(self, account_id: str) -> dict[str, Any] | None:
        """An account."""
        return self.one("SELECT * FROM account WHERE account_id = ?", (account_id,))

    def accounts(self) -> Rows:
        """All accounts."""
        return self.all("SELECT * FROM account ORDER BY account_id")

    def cards(self) -> Rows:
        """All cards."""
        return self.all("SELECT * FROM card ORDER BY card_uid")

    def vins(self) -> Rows:
        """All VINs."""
        return self.all("SELECT * FROM vin ORDER BY vin")

    # -- sessions -------------------------------------------------------------------------------------

    def session(self, transaction_id: str) -> dict[str, Any] | None:
        """One session's row."""
        return self.one(f"{_SESSION} WHERE transaction_id = ?", (transaction_id,))

    def sessions(
        self, *, pile_id: str | None = None, state: str | None = None, before: tuple[int, str] | None, limit: int
    ) -> Rows:
        """Sessions, newest first, from behind the cursor (opened_at_ms, transaction_id)."""
        where, values = _where({"pile_id": pile_id, "state": state}, "opened_at_ms", before)
        return self.all(f"{_SESSION} {where} ORDER BY opened_at_ms DESC, transaction_id DESC LIMIT ?", (*values, limit))

    def samples(self, transaction_id: str, *, after_row: int = 0, limit: int = 10_000) -> Rows:
        """The charging samples of a session in order of arrival, each with its ``row``."""
        return list(islice(self._each_sample(transaction_id, after_row), limit))

    def _each_sample(self, transaction_id: str, after_row: int) -> Iterator[dict[str, Any]]:
        blocks = self.each(
            "SELECT rowid AS id, states FROM sample_block WHERE transaction_id = ? AND rowid >= ? ORDER BY rowid",
            (transaction_id, after_row >> _ROW_BITS),
        )
        for block in blocks:
            for row, state in enumerate(unpack_states(block["states"]), block["id"] << _ROW_BITS):
                if row > after_row and state[_IS_CHARGING]:
                    yield {"row": row, **dict(zip(_SAMPLE, state, strict=False))}

    def states(self, transaction_id: str) -> bytes:
        """Every live state of a session, packed, as the session machine takes them back."""
        sql = "SELECT states FROM sample_block WHERE transaction_id = ? ORDER BY rowid"
        return b"".join(states for (states,) in self._connection().execute(sql, (transaction_id,)))

    def recall(self, transaction_id: str) -> tuple[Mapping[str, Any], bytes] | None:
        """(frozen, live states packed) of a session, or ``None``."""
        found = self.one("SELECT frozen FROM session WHERE transaction_id = ?", (transaction_id,))
        return None if found is None else (json.loads(found["frozen"]), self.states(transaction_id))

    def open_sessions(self) -> Iterator[tuple[Mapping[str, Any], bytes]]:
        """(frozen, live states packed) of every session without a bill or with a deadline, oldest first.

        By their two indexes and sorted here: a UNION that is ordered walks every session there ever was.
        """
        columns = "SELECT transaction_id, frozen, opened_at_ms FROM session INDEXED BY"
        rows = self.all(f"{columns} session_running WHERE state <> 'billed'")
        rows += self.all(f"{columns} session_due WHERE due_at_ms IS NOT NULL AND state = 'billed'")
        for row in sorted(rows, key=lambda each: (each["opened_at_ms"], each["transaction_id"])):
            yield json.loads(row["frozen"]), self.states(row["transaction_id"])

    # -- evidence -------------------------------------------------------------------------------------

    def frame_blocks(self, pile_id: str, from_ms: int, upto_ms: int) -> Iterator[tuple[int, FramesKept, bytes]]:
        """(number, kept frames, digest) of every row that may hold frames of these moments, in order."""
        rows = self._connection().execute(
            f"{_FRAMES} WHERE pile_id = ? AND from_ms BETWEEN ? AND ? ORDER BY id",
            (pile_id, from_ms - BLOCK_SPAN_MS, upto_ms),
        )
        for number, *block, digest in rows:
            yield number, FramesKept(*block), digest

    def frames(self, pile_id: str, from_ms: int, upto_ms: int) -> Iterator[tuple[Place, FrameKept]]:
        """The kept frames of a pile, in order, and some from just before ``from_ms``."""
        for number, block, _ in self.frame_blocks(pile_id, from_ms, upto_ms):
            yield from _placed(number, block)

    def frames_about(self, pile_id: str, before_ms: int, names: Sequence[str]) -> Iterator[tuple[Place, FrameKept]]:
        """The kept frames of a pile before a moment that tell or order one of these, the newest first."""
        where = " OR ".join(["instr(about, ?)"] * len(names))
        rows = self._connection().execute(
            f"{_FRAMES} WHERE pile_id = ? AND from_ms < ? AND ({where}) ORDER BY id DESC", (pile_id, before_ms, *names)
        )
        for number, *block, _ in rows:
            for place, frame in reversed(list(_placed(number, FramesKept(*block)))):
                if frame.at_ms < before_ms and not set(names).isdisjoint(frame.about.split(",")):
                    yield place, frame

    # -- what the engine takes up after a restart -----------------------------------------------------

    def register_chain(self, place: tuple[str, int]) -> list[ChainKept]:
        """The newest charges on the register of a connector, oldest first."""
        rows = self.all(
            "SELECT * FROM register_chain WHERE pile_id = ? AND connector = ? ORDER BY order_ms DESC LIMIT 64", place
        )
        return [
            ChainKept(**{**{k: row[k] for k in ChainKept.__slots__}, "was_unplugged": bool(row["was_unplugged"])})
            for row in reversed(rows)
        ]

    def pile_clocks(self) -> dict[str, tuple[int, int]]:
        """Pile → (when its clock was checked, by how much it was off)."""
        rows = self.all("SELECT * FROM pile WHERE clock_checked_at_ms IS NOT NULL")
        return {row["pile_id"]: (row["clock_checked_at_ms"], row["clock_offset_ms"]) for row in rows}

    def offline_cards(self) -> dict[str, list[str]]:
        """Pile → UIDs of the cards that it confirmed to hold."""
        found: dict[str, list[str]] = {}
        for row in self.all("SELECT pile_id, card_uid FROM offline_card"):
            found.setdefault(row["pile_id"], []).append(row["card_uid"])
        return found

    def start_orders_without_session(self) -> Rows:
        """Starts that were written down, and no session came of them before the former run ended."""
        rows = self.all(
            """SELECT * FROM order_log WHERE kind IN ('StartCharging', 'AuthoriseStart')
             AND state NOT IN ('failed', 'refused') AND transaction_id IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM session WHERE session.transaction_id = order_log.transaction_id) ORDER BY created_at_ms"""
        )
        return [_unpacked(row) for row in rows]

    # -- orders ---------------------------------------------------------------------------------------

    def has_order(self, transaction_id: str) -> bool:
        """Whether a start with this number was ever ordered."""
        return self.one("SELECT 1 FROM order_log WHERE transaction_id = ?", (transaction_id,)) is not None

    def order(self, order_id: str) -> dict[str, Any] | None:
        """One order."""
        found = self.one("SELECT * FROM order_log WHERE order_id = ?", (order_id,))
        return None if found is None else _unpacked(found)

    def order_of(self, transaction_id: str) -> dict[str, Any] | None:
        """The order that a transaction came of."""
        found = self.one("SELECT * FROM order_log WHERE transaction_id = ?", (transaction_id,))
        return None if found is None else _unpacked(found)

    def open_orders(self) -> Rows:
        """Orders without an answer."""
        sql = "SELECT * FROM order_log WHERE state IN ('queued', 'sent') ORDER BY created_at_ms"
        return [_unpacked(row) for row in self.all(sql)]

    def orders(self, *, pile_id: str | None = None, before: tuple[int, str] | None, limit: int) -> Rows:
        """Orders, newest first, from behind the cursor (created_at_ms, order_id)."""
        where, values = _where({"pile_id": pile_id}, "created_at_ms", before, key="order_id")
        sql = f"SELECT * FROM order_log {where} ORDER BY created_at_ms DESC, order_id DESC LIMIT ?"
        return [_unpacked(row) for row in self.all(sql, (*values, limit))]

    # -- bills ----------------------------------------------------------------------------------------

    def bill(self, transaction_id: str) -> dict[str, Any] | None:
        """The newest revision of a bill; ``body`` is its JSON text."""
        return self.one("SELECT * FROM bill WHERE transaction_id = ? ORDER BY revision DESC LIMIT 1", (transaction_id,))

    def revisions(self, transaction_id: str) -> Rows:
        """Every revision of a bill, oldest first."""
        return self.all("SELECT * FROM bill WHERE transaction_id = ? ORDER BY revision", (transaction_id,))

    def records(self, transaction_id: str) -> Rows:
        """The records of a transaction as they came."""
        return self.all("SELECT * FROM record WHERE transaction_id = ? ORDER BY rx_ms", (transaction_id,))

    def bills(
        self,
        *,
        status: str | None = None,
        pile_id: str | None = None,
        anomaly: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 100,
    ) -> Rows:
        """Newest revisions, newest first, from behind the cursor (created_at_ms, transaction_id)."""
        source = "bill_newest" if anomaly is None else "bill_anomaly a JOIN bill_newest USING (transaction_id)"
        prefix = "bill_newest." if anomaly is None else "a."
        where, values = _where({"status": status, "pile_id": pile_id, "a.code": anomaly}, f"{prefix}created_at_ms",
                               before, key=f"{prefix}transaction_id")  # fmt: skip
        for comparison, bound in ((">=", since_ms), ("<", until_ms)):
            if bound is not None:
                where += f" {'AND' if where else 'WHERE'} {prefix}created_at_ms {comparison} ?"
                values = (*values, bound)
        newest = self.all(
            f"""SELECT {prefix}transaction_id AS transaction_id, revision FROM {source} {where}
             ORDER BY {prefix}created_at_ms DESC, {prefix}transaction_id DESC LIMIT ?""",
            (*values, limit),
        )
        found = (
            self.one(
                "SELECT * FROM bill WHERE transaction_id = ? AND revision = ?", (row["transaction_id"], row["revision"])
            )
            for row in newest
        )
        return [row for row in found if row is not None]

    # -- outbox ---------------------------------------------------------------------------------------

    def outbox(
        self, *, state: str | None = None, endpoint: str | None = None, after: int = 0, limit: int = 100
    ) -> Rows:
        """Outbox rows without their bodies, in order of their ids."""
        where, values = _where({"state": state, "endpoint": endpoint}, "", None)
        where += f" {'AND' if where else 'WHERE'} id > ?"
        return self.all(
            f"""SELECT id, endpoint, event_id, partition, sequence, type, created_at_ms, due_at_ms, expires_at_ms,
             attempts, state, last_status, last_error, delivered_at_ms FROM outbox {where} ORDER BY id LIMIT ?""",
            (*values, after, limit),
        )

    def outbox_entry(self, outbox_id: int) -> dict[str, Any] | None:
        """One outbox row with its body."""
        return self.one("SELECT * FROM outbox WHERE id = ?", (outbox_id,))

    def outbox_summary(self) -> Rows:
        """Per endpoint and state: how many, and since when."""
        return self.all(
            """SELECT endpoint, state, count(*) AS entries, min(created_at_ms) AS oldest_at_ms FROM outbox
             GROUP BY endpoint, state ORDER BY endpoint, state"""
        )

    def due(self, endpoint: str, at_ms: int, latest_ms: int, limit: int) -> Rows:
        """Entries to send now: due, and the first that waits in their partition.

        What is due behind ``latest_ms`` cannot come from the schedule: the clock was set back, so it is due too.
        """
        return self.all(
            """SELECT * FROM outbox o WHERE endpoint = ? AND state = 'pending' AND (due_at_ms <= ? OR due_at_ms > ?)
             AND NOT EXISTS
             (SELECT 1 FROM outbox e WHERE e.endpoint = o.endpoint AND e.partition = o.partition
              AND e.state = 'pending' AND e.sequence < o.sequence)
             ORDER BY due_at_ms, id LIMIT ?""",
            (endpoint, at_ms, latest_ms, limit),
        )

    def failing_since_ms(self, endpoint: str) -> int | None:
        """When an endpoint took its last event, or since when one waits for the first; ``None`` if nothing waits."""
        found = self.one(
            """SELECT max(coalesce((SELECT max(delivered_at_ms) FROM outbox WHERE endpoint = ?), 0),
             min(created_at_ms)) AS since FROM outbox WHERE endpoint = ? AND state = 'pending' AND attempts > 0""",
            (endpoint, endpoint),
        )
        return found["since"] if found else None

    def next_due_ms(self, endpoint: str) -> int | None:
        """When the next entry of an endpoint is due, ``None`` when nothing waits."""
        found = self.one(
            "SELECT min(due_at_ms) AS due FROM outbox WHERE endpoint = ? AND state = 'pending'", (endpoint,)
        )
        return found["due"] if found else None

    # -- tokens and idempotency -----------------------------------------------------------------------

    def tokens(self) -> Rows:
        """All tokens, without their hashes."""
        return self.all("SELECT name, created_at_ms, revoked_at_ms FROM token ORDER BY created_at_ms")

    def token_of(self, sha256: str) -> dict[str, Any] | None:
        """The token with this hash, unless revoked."""
        return self.one("SELECT * FROM token WHERE sha256 = ? AND revoked_at_ms IS NULL", (sha256,))

    def idempotent(self, key: str) -> dict[str, Any] | None:
        """What was answered to a request with this key."""
        return self.one("SELECT * FROM idempotency WHERE key = ?", (key,))


def _placed(number: int, block: FramesKept) -> Iterator[tuple[Place, FrameKept]]:
    for index, frame in enumerate(unpack_frames(block)):
        yield (number, index), frame


def _where(
    equal: Mapping[str, object], time_column: str, before: tuple[int, str] | None, *, key: str = "transaction_id"
) -> tuple[str, tuple[object, ...]]:
    terms = [f"{name} = ?" for name, value in equal.items() if value is not None]
    values: list[object] = [value for value in equal.values() if value is not None]
    if before is not None:
        terms.append(f"({time_column}, {key}) < (?, ?)")
        values += before
    return (f"WHERE {' AND '.join(terms)}" if terms else ""), tuple(values)


def _unpacked(row: dict[str, Any]) -> dict[str, Any]:
    row["request"] = json.loads(row["request"])
    row["result"] = None if row["result"] is None else json.loads(row["result"])
    return row

"""P8: what it costs when there is more: links, bills, running sessions."""

from __future__ import annotations

import json
import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from bench.daemon import Gateway
from bench.goals.durable import bill_rows
from bench.goals.live import Side
from bench.measure import Measure
from bench.piles import START_MS, pile_no
from bench.size import Size
from billing_core.session import pack_states
from gateway.outcome import SamplesTaken, SessionSaved
from gateway.store import Reader, Store, StoreConfig
from gateway.store.schema import prepare

_QUERIES = 40

_BILLS = """
WITH RECURSIVE n (i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
INSERT INTO bill (transaction_id, revision, status, order_no, pile_id, connector, created_at_ms, started_at_ms,
 ended_at_ms, energy_e4kwh, amount_fen, primary_anomaly, anomalies, reason, actor, body)
SELECT printf('%032d', i), 1, CASE i % 50 WHEN 0 THEN 'review' ELSE 'normal' END, printf('%020d', i),
 printf('%014d', i % 5000), 1, ? + i * 100, ? + i * 100, ? + i * 100, 70000, 1050,
 CASE i % 50 WHEN 0 THEN 'energy_mismatch' END, '[]', 'record', 'engine', ? FROM n
"""
_NEWEST = """INSERT INTO bill_newest (transaction_id, revision, status, pile_id, created_at_ms)
 SELECT transaction_id, revision, status, pile_id, created_at_ms FROM bill"""
_ANOMALIES = """INSERT INTO bill_anomaly (code, created_at_ms, transaction_id)
 SELECT 'energy_mismatch', created_at_ms, transaction_id FROM bill WHERE status = 'review'"""
_SESSIONS = """INSERT INTO session (transaction_id, order_no, pile_id, connector, state, opened_at_ms, ended_at_ms,
 energy_e4kwh, frozen) SELECT transaction_id, order_no, pile_id, 1, 'billed', created_at_ms, created_at_ms, 70000, '{}'
 FROM bill"""
_CHAIN = """INSERT INTO register_chain SELECT transaction_id, pile_id, 1, created_at_ms, rowid / 5000 * 70000,
 rowid / 5000 * 70000 + 70000, created_at_ms, created_at_ms, NULL, 0 FROM bill"""
_INDEXES = """SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
 AND tbl_name IN ('bill', 'bill_newest', 'bill_anomaly', 'session', 'register_chain')"""


def fill(path: Path, bills: int) -> None:
    """A database with so many bills of 5,000 piles, with their sessions and the chains of their registers.

    One in fifty is under review; the bodies are short ones. Indexes are built behind the rows, which is much faster.
    """
    body = json.dumps({"filler": "x" * 280})
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        prepare(connection)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            connection.execute(f"PRAGMA {pragma}")
        indexes = connection.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute(_BILLS, (0, bills, START_MS, START_MS, START_MS, body))
        for statement in (_NEWEST, _ANOMALIES, _SESSIONS, _CHAIN, *(sql for _, sql in indexes)):
            connection.execute(statement)
        connection.execute("PRAGMA journal_mode = WAL")


def _seconds(work: Callable[[], object]) -> float:
    """The median of many calls."""
    took = []
    for _ in range(_QUERIES):
        began_s = time.perf_counter()
        work()
        took.append(time.perf_counter() - began_s)
    return statistics.median(took)


def _looks(size: Size, directory: Path) -> list[Measure]:
    few, many = size.stored[0], size.stored[-1]
    found = []
    readers = [Reader(directory / f"stored-{count}.db") for count in (few, many)]
    for what, status in (("GET /bills, newest hundred", None), ("queue of bills under review", "review")):
        measure = Measure("P8", f"{what}: {many:,} bills", "ms", f"{few:,} bills", 2)
        for _ in range(size.rounds):
            small, large = (_seconds(partial(each.bills, status=status, limit=100)) for each in readers)
            measure.add(large * 1e3, small * 1e3)
        found.append(measure)
    for reader in readers:
        reader.close()
    return found


def _running(directory: Path, sessions: int) -> None:
    """Running sessions with twenty samples each, in the database of ``directory``; they began a few minutes ago."""
    began_ms = int(time.time() * 1000) - 20 * 15_000
    store = Store(StoreConfig(path=str(directory / "pilegate.db")))
    template = next(row for row in bill_rows(directory, 1)[0] if isinstance(row, SessionSaved))
    core = {**template.frozen["core"], "state": 1, "ended_ms": -1, "proof_ms": -1}  # type: ignore[dict-item]
    for index in range(sessions):
        key, pile = f"running-{index}", pile_no(index)
        frozen = {**template.frozen, "records": [], "revision": 0, "has_record_bill": False}
        frozen["core"] = {**core, "transaction_id": key, "pile_id": pile, "opened_ms": began_ms}
        saved = SessionSaved(key, key, pile, 1, "charging", None, began_ms, None, 20, frozen)
        states = [(began_ms + 15_000 * step, step, step, 3800, 190, 50, True, True) for step in range(1, 21)]
        store.writer.submit([saved, SamplesTaken(key, *pack_states(states))])
    store.close()


def _start(size: Size, directory: Path) -> Measure:
    place = directory / "p8-start"
    place.mkdir()
    (directory / f"stored-{size.stored[-1]}.db").rename(place / "pilegate.db")
    _running(place, size.stored_sessions)
    words = f"start with {size.stored[-1]:,} bills and {size.stored_sessions:,} running sessions"
    measure = Measure("P8", words, "s", "a bound of 3 s", 1)
    for _ in range(size.live_rounds):
        gateway = Gateway(place, size.stored_sessions)
        measure.add(gateway.start_s, 3)
        gateway.close()
    return measure


def _links(size: Size, directory: Path) -> Measure:
    few, many = size.links[0], size.idle_links
    measure = Measure("P8", f"closed loop: CPU a frame with {many:,} links", "µs", f"{few:,} links", 1.15)
    sides = []
    try:
        for count in (few, many):
            place = directory / f"p8-{count}"
            place.mkdir()
            sides.append(Side(Gateway(place, count), count))
        for _ in range(size.live_rounds):
            small, large = (side.run(f"closed 1 1 {size.live_ms}") for side in sides)
            measure.add(large["cpu_us"], small["cpu_us"])
    finally:
        for side in sides:
            side.load.close()
            side.server.close()
    return measure


def measure_p8(size: Size, directory: Path) -> list[Measure]:
    """Links from few to many; bills from few to many; a start with all of it."""
    found = [_links(size, directory)]
    for count in (size.stored[0], size.stored[-1]):
        fill(directory / f"stored-{count}.db", count)
    found += _looks(size, directory)
    found.append(_start(size, directory))
    return found

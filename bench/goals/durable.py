"""P7: bills that are on the disk, beside the same rows written by sqlite3 alone."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.measure import Measure, quantile
from bench.piles import START_MS, record_frame, sample_frame, site_text
from bench.size import Size
from billing_core.timers import Timers
from gateway.engine import Engine
from gateway.outcome import Row
from gateway.site import site_from_file
from gateway.store import Store, StoreConfig
from gateway.store.schema import prepare
from gateway.tomlfile import TomlFile
from protocol.link import Link

_GROUP = 100
_SINGLE = 150
_TABLES = ("record", "session", "bill", "bill_newest", "bill_anomaly", "register_chain")


def bill_rows(directory: Path, count: int) -> list[list[Row]]:
    """The durable rows of so many bills, as the engine makes them."""
    path = directory / "site.toml"
    path.write_text(site_text(count))
    site = site_from_file(TomlFile.read(path))
    engine = Engine(site, Timers(), silence_ms_max=30_000, recall=lambda _: None, is_replay=True)
    found = []
    for pile in range(count):
        link, at_ms = Link(), START_MS + pile
        for event in link.receive(sample_frame(pile, energy_e4kwh=70_000), at_ms):
            engine.on_event(event)
        for event in link.receive(record_frame(pile, 0, at_ms - 3_600_000, at_ms + 1_000, 70_000), at_ms + 1_000):
            found.append(engine.on_event(event).rows)
    return found


def _written(store: Store, groups: Sequence[Sequence[list[Row]]]) -> float:
    """Seconds until every group was durable; the next is handed over when the one before is."""
    began_s = time.perf_counter()
    for group in groups:
        for done in [store.writer.submit(rows) for rows in group]:
            done.result(60)
    return time.perf_counter() - began_s


class _Raw:
    """The same rows, read back from a database of ours and written by prepared statements."""

    def __init__(self, path: Path, source: Path) -> None:
        with closing(sqlite3.connect(source)) as connection:
            self._rows = {
                name: connection.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall()
                if name in ("record", "bill", "session")
                else connection.execute(f"SELECT * FROM {name}").fetchall()
                for name in _TABLES
            }
        self.connection = sqlite3.connect(path, isolation_level=None)
        prepare(self.connection)

    def clear(self) -> None:
        """Forget the rows, so that they can be written again."""
        for name in _TABLES:
            self.connection.execute(f"DELETE FROM {name}")

    def write(self, size: int, count: int) -> float:
        """Seconds for so many bills in transactions of ``size``."""
        groups = list(self._groups(size, count))
        began_s = time.perf_counter()
        for group in groups:
            self.connection.execute("BEGIN IMMEDIATE")
            for name, rows in group:
                if rows:
                    marks = ",".join("?" * len(rows[0]))
                    self.connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
            self.connection.execute("COMMIT")
        return time.perf_counter() - began_s

    def singles(self, count: int) -> list[float]:
        """Seconds of each of so many transactions of one bill."""
        self.clear()
        return [self._single(group) for group in self._groups(1, count)]

    def _single(self, group: list[tuple[str, list[Any]]]) -> float:
        began_s = time.perf_counter()
        self.connection.execute("BEGIN IMMEDIATE")
        for name, rows in group:
            if rows:
                self.connection.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(rows[0]))})", rows)
        self.connection.execute("COMMIT")
        return time.perf_counter() - began_s

    def _groups(self, size: int, count: int) -> Iterator[list[tuple[str, list[Any]]]]:
        for at in range(0, count, size):
            upto = min(at + size, count)
            yield [
                (name, rows[at * len(rows) // count : upto * len(rows) // count]) for name, rows in self._rows.items()
            ]


def measure_p7(size: Size, directory: Path) -> list[Measure]:
    """Bills a second in groups, and what one bill waits for its commit."""
    place = directory / "p7"
    place.mkdir()
    rows = bill_rows(place, size.bills)
    groups = [rows[at : at + _GROUP] for at in range(0, len(rows), _GROUP)]
    rate = Measure(
        "P7", f"durable bills, groups of {_GROUP}", "bills a second", "sqlite3, the same rows", 0.6, is_least=True
    )
    wait = Measure("P7", "p99 from hand-over to durable, one by one", "ms", "sqlite3: one commit, median", 3)
    raw: _Raw | None = None
    for turn in range(min(size.rounds, 5)):
        path = place / f"ours-{turn}.db"
        store = Store(StoreConfig(path=str(path)))
        mine_s = _written(store, groups)
        store.close()
        raw = raw or _Raw(place / "raw.db", path)
        raw.clear()
        rate.add(len(rows) / mine_s, len(rows) / raw.write(_GROUP, len(rows)))
        store = Store(StoreConfig(path=str(place / f"single-{turn}.db")))
        singles = [_written(store, [[each]]) for each in rows[:_SINGLE]]
        store.close()
        one_s = statistics.median(raw.singles(min(_SINGLE, len(rows))))
        wait.add(quantile(singles, 0.99) * 1e3, one_s * 1e3)
        wait.noted["median_ms"] = statistics.median(singles) * 1e3
    if raw is not None:
        raw.connection.close()
    return [rate, wait]

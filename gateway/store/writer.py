"""One thread, one connection, one transaction a batch.

Everything that must be durable is handed to ``submit``; its future is done after COMMIT with ``synchronous=FULL``.
While one commit reaches the disk the next batch gathers, so a storm of records shares its commits. A batch that
fails for want of space or a lock is tried again for as long as it takes: nothing is acknowledged meanwhile, and
nothing is dropped. Rows are written in the order in which they were handed over, telemetry too: a newer state of a
session never ends up below an older one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from gateway.errors import StoreError
from gateway.outcome import Row
from gateway.store.schema import prepare
from gateway.store.statements import Envelope, RowWriter
from gateway.store.thinning import Thinning
from gateway.tomlfile import bounded

log = structlog.get_logger()

_RETRY_FIRST_S = 0.05
_RETRY_MAX_S = 2.0
_CLOSE_WAIT_S = 10.0
# No space, a lock, a bad sector: what is wrong with the place and not with the rows. Tried again for ever.
_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """The database.

    Attributes:
        path: the file.
        batch_rows_max: rows of one transaction.
        batch_latency_ms_max: how long a transaction may wait for company, when the one before had some.
        telemetry_flush_ms: samples and the like are written at least this often.
        thin_above_rows: above this many waiting rows, of samples only one a minute and session is written.
        queue_rows_max: above this many waiting rows the gateway stops reading from its links.
        busy_timeout_ms: how long to wait for another process's lock before trying again.
        keep_samples_days, keep_frames_days, keep_delivered_days, keep_orders_days: older rows are deleted; bills and
            records never.
    """

    path: str = "pilegate.db"
    batch_rows_max: int = bounded(5_000, 1)
    batch_latency_ms_max: int = bounded(2, 0, 1_000)
    telemetry_flush_ms: int = bounded(500, 1)
    thin_above_rows: int = bounded(50_000, 1)
    queue_rows_max: int = bounded(200_000, 1)
    busy_timeout_ms: int = bounded(2_000, 0)
    keep_samples_days: int = bounded(365, 1)
    keep_frames_days: int = bounded(1_095, 1)
    keep_delivered_days: int = bounded(90, 1)
    keep_orders_days: int = bounded(365, 1)


Work = Callable[[sqlite3.Connection], Any]


@dataclass(slots=True)
class _Item:
    """Rows, or a piece of work, and the promise that hangs on them; ``before``: telemetry handed over earlier."""

    rows: Sequence[Row]
    work: Work | None
    done: Future[Any]
    before: list[Row] = field(default_factory=list)


class Writer:
    """The only one who writes.

    Args:
        config: where and how.
        endpoints: names of the upstreams.
        envelope: makes the body of an event for an endpoint.
        before_commit: called in the writing thread before each COMMIT: what the rows rest on is kept first.

    Raises ``StoreError`` when the database cannot be opened.
    """

    def __init__(
        self,
        config: StoreConfig,
        endpoints: tuple[str, ...],
        envelope: Envelope,
        before_commit: Callable[[], object] | None = None,
    ) -> None:
        self.queued_rows = 0
        self.commits = 0
        self.failures = 0
        self.is_failing = False
        self._thinning = Thinning()
        self._config = config
        self._before_commit = before_commit
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._telemetry: list[Row] = []
        self._lock = threading.Lock()
        self._has_company = False
        self._stop = threading.Event()
        self._connection = _open(Path(config.path), config.busy_timeout_ms)
        self._rows = RowWriter(self._connection, endpoints, envelope)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    # -- handing over ---------------------------------------------------------------------------------

    def submit(self, rows: Sequence[Row], work: Work | None = None) -> Future[Any]:
        """Write rows, and do ``work``, in one transaction; done when all handed over so far is durable."""
        return self._put(_Item(rows, work, Future()))

    def call(self, work: Work) -> Future[Any]:
        """Run ``work`` on the writing connection within a transaction; done with its result when durable."""
        return self._put(_Item((), work, Future()))

    def _put(self, item: _Item) -> Future[Any]:
        with self._lock:
            self.queued_rows += len(item.rows) + 1
            item.before, self._telemetry = self._telemetry, []  # older than it, and written before it
            self._queue.put(item)
        return item.done

    def submit_telemetry(self, rows: Sequence[Row]) -> None:
        """Write rows with the next transaction, or within ``telemetry_flush_ms``."""
        with self._lock:
            self._telemetry += rows
            self.queued_rows += len(rows)

    def flush(self) -> None:
        """Write what telemetry waits now, not when ``telemetry_flush_ms`` have passed."""
        if self._telemetry:
            self.submit(())

    def close(self, wait_s: float = _CLOSE_WAIT_S) -> None:
        """Write everything that waits, then close the database; may be called twice.

        A store that still fails after ``wait_s`` is given up: what was not written was not promised to anybody.
        Raises ``StoreError`` then.
        """
        self._queue.put(None)
        self._thread.join(wait_s)
        if self._thread.is_alive():
            self._stop.set()
            self._thread.join()
        if self.is_failing:
            raise StoreError("store_closed", f"{self._config.path}: the newest rows could not be written")

    # -- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        is_open = True
        while is_open:
            items, is_open = self._gather()
            telemetry: list[Row] = []
            with self._lock:
                if self._queue.empty():  # else it is newer than what still waits there
                    telemetry, self._telemetry = self._telemetry, []
            if items or telemetry:
                self._commit_until_done(items, self._thin(items, telemetry))
        self._connection.close()

    @property
    def left_out(self) -> int:
        """Samples that were not written, because the store was behind."""
        return self._thinning.left_out

    def _thin(self, items: Sequence[_Item], telemetry: list[Row]) -> list[Row]:
        """The telemetry to be written; that of ``items`` is thinned in its place."""
        if self.queued_rows <= self._config.thin_above_rows:
            if self._thinning.is_on:
                self._thinning.end()
                log.info("samples_kept_again", left_out=self.left_out)
            return telemetry
        if not self._thinning.is_on:
            log.warning("samples_thinned", waiting_rows=self.queued_rows)
        gone = 0
        for item in items:
            thinned = self._thinning.thinned(item.before)
            gone += len(item.before) - len(thinned)
            item.before = thinned
        thinned = self._thinning.thinned(telemetry)
        with self._lock:
            self.queued_rows -= gone + len(telemetry) - len(thinned)
        return thinned

    def _gather(self) -> tuple[list[_Item], bool]:
        """The next batch: whatever waits; (items, whether to go on).

        It waits a little for company when the batch before had some: one who comes alone is not kept waiting, and a
        storm shares its commits.
        """
        try:
            first = self._queue.get(timeout=self._config.telemetry_flush_ms / 1000)
        except queue.Empty:
            return [], True
        items: list[_Item] = []
        rows = 0
        item: _Item | None = first
        wait_s = self._config.batch_latency_ms_max / 1000 if self._has_company else 0
        while True:
            self._has_company = len(items) > 0
            if item is None:
                return items, False
            items.append(item)
            rows += len(item.before) + len(item.rows) + 1
            if rows >= self._config.batch_rows_max:
                return items, True
            try:
                item = self._queue.get(timeout=wait_s) if wait_s else self._queue.get_nowait()
                wait_s = 0
            except queue.Empty:
                return items, True

    def _commit_until_done(self, items: list[_Item], telemetry: list[Row]) -> None:
        wait_s = _RETRY_FIRST_S
        while True:
            try:
                results = self._commit(items, telemetry)
                self.is_failing = False
                break
            except Exception as error:  # the outermost loop of this thread: it must outlive any row
                self._undo()
                if not _may_pass(error):
                    results = self._commit_one_by_one(items, telemetry, error)
                    break
                if self._stop.is_set():
                    results = [StoreError("store_closed", f"never written: {error}")] * len(items)
                    break
                self._wait_to_retry(error, wait_s)
                wait_s = min(wait_s * 2, _RETRY_MAX_S)
        self._settle(items, results, len(telemetry))

    def _wait_to_retry(self, error: Exception, wait_s: float) -> None:
        self.failures += 1
        self.is_failing = True
        log.error("store_failed", reason=str(error), waiting_rows=self.queued_rows, retry_s=wait_s)
        self._stop.wait(wait_s)

    def _commit(self, items: Sequence[_Item], telemetry: Sequence[Row]) -> list[Any]:
        self._connection.execute("BEGIN IMMEDIATE")
        results = []
        for item in items:
            for row in (*item.before, *item.rows):
                self._rows.write(row)
            if item.work:
                self._rows.finish()
            results.append(item.work(self._connection) if item.work else None)
        for row in telemetry:
            self._rows.write(row)
        self._rows.finish()
        if self._before_commit is not None:
            self._before_commit()
        self._connection.execute("COMMIT")
        self.commits += 1
        return results

    def _undo(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # what is left of the transaction ends with it either way
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._rows.undone()

    def _commit_one_by_one(self, items: list[_Item], telemetry: list[Row], cause: Exception) -> list[Any]:
        """Something cannot be written: find it, refuse it loudly, and lose nobody else's."""
        before = sum(len(item.before) for item in items)
        if len(items) + before + len(telemetry) > 1:
            log.error("batch_refused", reason=str(cause), items=len(items), telemetry=before + len(telemetry))
        results = []
        for item in items:
            for row in item.before:
                self._try((), [row])
            results.append(self._try((dataclasses.replace(item, before=[]),), ()))
        for row in telemetry:
            self._try((), [row])
        return results

    def _try(self, items: Sequence[_Item], telemetry: Sequence[Row]) -> Any:
        while True:
            try:
                results = self._commit(items, telemetry)
                self.is_failing = False
                return results[0] if results else None
            except Exception as error:  # as above, for one item
                self._undo()
                if not _may_pass(error):
                    rows = [repr(each)[:200] for item in items for each in item.rows]
                    rows += [repr(each)[:200] for each in telemetry]
                    log.error("row_refused", reason=f"{type(error).__name__}: {error}", rows=rows)
                    return StoreError("row_refused", str(error))
                if self._stop.is_set():
                    return StoreError("store_closed", f"never written: {error}")
                self._wait_to_retry(error, _RETRY_FIRST_S)

    def _settle(self, items: Sequence[_Item], results: Sequence[Any], telemetry: int) -> None:
        with self._lock:
            self.queued_rows -= sum(len(item.before) + len(item.rows) + 1 for item in items) + telemetry
        for item, result in zip(items, results, strict=True):
            if isinstance(result, StoreError):
                item.done.set_exception(result)
            else:
                item.done.set_result(result)


def _may_pass(error: Exception) -> bool:
    """Whether to try again: the store is in trouble, and the rows are not to blame."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


def _open(path: Path, busy_timeout_ms: int) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=busy_timeout_ms / 1000, cached_statements=256
        )
        prepare(connection)
    except (sqlite3.Error, OSError) as error:
        raise StoreError("store_unusable", f"{path} cannot be used as a database: {error}") from error
    return connection

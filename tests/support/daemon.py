"""The real daemon as a subprocess: started, killed, looked into."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_START_S = 30


class FastClock:
    """A clock ``speed`` times as fast as the wall, the same in every process that is told its origin."""

    def __init__(self, start_ms: int, speed: int) -> None:
        self.start_ms = start_ms
        self.speed = speed
        self.origin_ns = time.monotonic_ns()

    def now_ms(self) -> int:
        return self.start_ms + (time.monotonic_ns() - self.origin_ns) * self.speed // 1_000_000

    @property
    def arguments(self) -> list[str]:
        return [str(self.start_ms), str(self.origin_ns), str(self.speed)]


class Daemon:
    """One daemon over its several lives; database, capture and log stay.

    Args:
        config: the configuration file; ports are 0 there and told by the log.
        clock: a fast one; ``None`` runs the command line's ``run`` on the wall clock.
    """

    def __init__(self, config: Path, clock: FastClock | None = None) -> None:
        self.config = config
        self.directory = config.parent
        self.log_path = self.directory / "daemon.log"
        self.port = 0
        self.api_port = 0
        self.lives = 0
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it listens."""
        if self._clock is None:
            command = [sys.executable, "-m", "gateway", "run", "--config", str(self.config)]
        else:
            command = [sys.executable, "-m", "tests.support.scaled_daemon", str(self.config), *self._clock.arguments]
        offset = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        self.lives += 1
        started = self._await_start(offset)
        self.port = started["ports"][0]
        self.api_port = started["api_port"]

    def _await_start(self, offset: int) -> dict[str, Any]:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            with self.log_path.open("rb") as log:
                log.seek(offset)
                lines = log.read().splitlines()
            for line in lines:
                if b'"daemon_started"' in line:
                    return json.loads(line)
            assert self.is_alive, self.log_tail()
            time.sleep(0.01)
        raise AssertionError(f"the daemon did not start: {self.log_tail()}")

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log_tail(self) -> str:
        return self.log_path.read_text()[-3_000:]

    def log_lines(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of one event."""
        lines = self.log_path.read_text().splitlines()
        return [json.loads(line) for line in lines if f'"{event}"' in line and line.startswith("{")]

    def kill(self) -> None:
        """``kill -9``."""
        assert self._process is not None
        assert self.is_alive, self.log_tail()
        self._process.kill()
        self._process.wait(30)

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def wait(self, within_s: float) -> int:
        """Until it left by itself; its exit status."""
        assert self._process is not None
        return self._process.wait(within_s)

    def close(self) -> None:
        """Leave nothing running, whatever happened."""
        if self.is_alive:
            self.kill()

    def memory_kb(self) -> int:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024

    # -- looking into the database --------------------------------------------------------------------

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """A query from outside, as another process would make it."""
        connection = sqlite3.connect(self.directory / "pilegate.db", timeout=10)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql)]
        finally:
            connection.close()

    def bills(self) -> dict[str, dict[str, Any]]:
        """Newest revision of every bill by transaction, with its JSON as ``document``."""
        found = {}
        for row in self.rows("SELECT * FROM bill ORDER BY revision"):
            found[row["transaction_id"]] = {**row, "document": json.loads(row["body"])}
        return found

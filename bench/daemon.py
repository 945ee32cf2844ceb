"""The real daemon, started as anyone would start it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.piles import site_text

_ROOT = Path(__file__).parents[1]
_START_S = 60


def write_config(directory: Path, piles: int) -> Path:
    """A configuration in ``directory`` on free ports; limits per link are wide, guarantees as they are by default."""
    path = directory / "gateway.toml"
    path.write_text(
        f"""{site_text(piles)}
[[listen]]
host = "127.0.0.1"
port = 0
[limits]
frames_per_s_max = 1_000_000
links_per_address_max = 20_000
[store]
path = "{directory}/pilegate.db"
[capture]
directory = "{directory}/capture"
[api]
host = "127.0.0.1"
port = 0
[log]
level = "info"
format = "json"
"""
    )
    return path


class Gateway:
    """One daemon in ``directory``; database, capture and log stay there."""

    def __init__(self, directory: Path, piles: int) -> None:
        config = directory / "gateway.toml"
        if not config.exists():
            write_config(directory, piles)
        self._log = directory / "daemon.log"
        began_s = time.monotonic()
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "gateway", "run", "--config", str(config)]
            self._process = subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log)
        self.pid = self._process.pid
        started = self._started()
        self.start_s = time.monotonic() - began_s
        self.port = int(started["ports"][0])
        self.api_port = int(started["api_port"])

    def _started(self) -> dict[str, Any]:
        deadline_s = time.monotonic() + _START_S
        while time.monotonic() < deadline_s:
            for line in self._log.read_bytes().splitlines():
                if b'"daemon_started"' in line:
                    return dict(json.loads(line))
            if self._process.poll() is not None:
                break
            time.sleep(0.01)
        raise RuntimeError(f"the daemon did not start:\n{self._log.read_text()[-2000:]}")

    def close(self) -> None:
        """Let it end in order."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

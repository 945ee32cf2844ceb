"""How far a long replay is: bytes read, frames, frames a second, time left."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from gateway.show import say

_SHOWN_EVERY_S = 0.2  # on a terminal
_SAID_EVERY_S = 10.0  # elsewhere: a line each


class Progress:
    """A bar on a terminal, a line now and then elsewhere; on the standard error, and gone when all is read.

    Args:
        paths: the logs.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._total = max(sum(os.path.getsize(path) for path in paths), 1)
        self._read: dict[Path, int] = {}
        self._began_s = self._told_s = time.monotonic()
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """All is read, or nothing will be."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def read_one(self, path: Path, position: int, frames: int) -> None:
        """So much of one log was read, and all in all so many frames."""
        self._read[path] = position
        if self._is_time():
            self._tell(frames)

    def read(self, read: Mapping[Path, int], frames: int) -> None:
        """So much of every log was read."""
        self._read |= read
        if self._is_time():
            self._tell(frames)

    def _is_time(self) -> bool:
        now_s = time.monotonic()
        if now_s - self._told_s < (_SHOWN_EVERY_S if sys.stderr.isatty() else _SAID_EVERY_S):
            return False
        self._told_s = now_s
        return True

    def _tell(self, frames: int) -> None:
        elapsed_s = max(time.monotonic() - self._began_s, 0.001)
        done = min(sum(self._read.values()), self._total)
        rate = f"{frames:,} frames, {int(frames / elapsed_s):,} a second"
        if sys.stderr.isatty():
            self._show(done, rate)
        else:
            left_s = int(elapsed_s * (self._total - done) / max(done, 1))
            say(f"{100 * done // self._total} %, {rate}, {left_s // 60}:{left_s % 60:02d} left")

    def _show(self, done: int, rate: str) -> None:
        if self._bar is None:
            columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
            console = Console(stderr=True)
            self._bar = Bar(*columns, console=console, transient=True, auto_refresh=False)
            self._task = self._bar.add_task("replay", total=self._total, rate=rate)
            self._bar.start()
        self._bar.update(self._task, completed=done, rate=rate, refresh=True)

"""Writes the daemon's capture: cheap for the caller, in large blocks, by a thread of its own.

``append`` copies bytes into memory and returns. The thread takes what has gathered, a few times a second or
as soon as a block is full, and writes it at once. A disk that refuses costs the block, never the daemon: it
is counted, told through a callback, and marked in the capture as soon as that can be written again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from gateway.framelog import capture
from gateway.framelog.lines import Kind
from gateway.framelog.records import Block, Gathering
from gateway.tomlfile import bounded

_BLOCK_BYTES = 256 << 10
_NAME = "pilegate-%Y%m%dT%H%M%S"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 86_400_000
_FLUSH_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class CaptureConfig:
    """The daemon's own capture.

    Attributes:
        is_enabled: whether one is written.
        directory: where; made when it is not there.
        rotate_bytes: a file larger than this is followed by a new one.
        rotate_s: so is one that holds more than this much time.
        keep_days: files that ended longer ago are deleted.
        flush_ms: bytes wait in memory at most about this long.
        queue_bytes_max: what may wait for a slow disk; more is lost, counted and told.
    """

    is_enabled: bool = True
    directory: str = "var/capture"
    rotate_bytes: int = bounded(67_108_864, 1)
    rotate_s: int = bounded(3_600, 1)
    keep_days: int = bounded(30, 1)
    flush_ms: int = bounded(200, 1)
    queue_bytes_max: int = bounded(33_554_432, 1)


class NoCapture:
    """Takes what a capture would, and keeps nothing."""

    lost_bytes = 0

    def append(self, at_ms: int, link_no: int, kind: Kind, data: bytes, protocol: str | None = None) -> None:
        """Do nothing."""

    def flush(self) -> bool:
        """Do nothing."""
        return True

    def close(self) -> None:
        """Do nothing."""


class CaptureWriter(Gathering):
    """Writes captures into a directory, rotated by size and time.

    Args:
        config: where and how.
        on_trouble: told in words, from the writing thread, when writing begins to fail and when it works
            again.

    """

    def __init__(self, config: CaptureConfig, on_trouble: Callable[[str], None] | None = None) -> None:
        super().__init__(config.queue_bytes_max, _BLOCK_BYTES)
        self._failed_bytes = 0
        self._config = config
        self._on_trouble = on_trouble
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._written = threading.Condition(self._lock)
        self._taken_blocks = 0
        self._written_blocks = 0
        self._is_closing = False
        self._is_ended = False
        self._refused_bytes = 0  # of those that were refused, told already
        self._is_hanging = False
        self._file = _File(Path(config.directory), config)
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    @property
    def lost_bytes(self) -> int:
        """Of records that could not be written, since the start."""
        return self.refused_bytes + self._failed_bytes

    def on_full(self) -> None:
        """Wake the thread."""
        self._wake.set()

    def flush(self) -> bool:
        """Wait until all that was appended is handed to the operating system, or counted as lost.

        Whoever makes something durable that rests on captured bytes calls this first, from its own thread, never
        from an event loop. A disk that hangs costs a second, not the caller: False, and told once.
        """
        with self._written:
            upto = self._taken_blocks + self.has_waiting
            if self._written_blocks >= upto:
                return True
            self._wake.set()
            is_written = self._written.wait_for(lambda: self._written_blocks >= upto or self._is_ended, _FLUSH_WAIT_S)
            is_news = is_written == self._is_hanging
            self._is_hanging = not is_written
        if is_news:
            self._tell("capture: keeps up again" if is_written else "capture: the disk hangs; nobody waits for it")
        return is_written

    def close(self) -> None:
        """Write what is left and end the thread; may be called twice."""
        self._is_closing = True
        self._wake.set()
        self._thread.join()

    # -- the writing thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._wake.wait(self._config.flush_ms / 1000)
            self._wake.clear()
            is_last = self._is_closing
            with self._lock:
                block = self.take()
                self._taken_blocks += 1
            told_bytes, self._refused_bytes = self._refused_bytes, self.refused_bytes
            self._write(block)
            if told_bytes != self._refused_bytes:
                self._lose("the disk is too slow, the queue was full", 0)
            with self._written:
                self._written_blocks = self._taken_blocks
                self._is_ended = is_last
                self._written.notify_all()
        self._file.close()

    def _write(self, block: Block) -> None:
        if len(block):
            try:
                self._file.write(block)
            except OSError as error:
                self._lose(str(error), len(block))
            else:
                self._recovered()
                self._tidy(block.to_ms)
        self._file.note(block.links)

    def _tidy(self, at_ms: int) -> None:
        try:
            self._file.forget(at_ms)
        except OSError as error:
            self._tell(f"capture: an old file cannot be deleted: {error}")

    def _lose(self, reason: str, size: int) -> None:
        self._failed_bytes += size
        if self._file.loss is None:
            self._tell(f"capture: {reason}; records are lost until it works again")
        self._file.loss = reason

    def _recovered(self) -> None:
        if self._file.has_told_loss:
            self._file.has_told_loss = False
            self._tell(f"capture: works again, {self.lost_bytes} bytes were lost in all")

    def _tell(self, text: str) -> None:
        if self._on_trouble is not None:
            self._on_trouble(text)


class _File:
    """The file being written, and those before it.

    Attributes:
        loss: why records before the next block are missing, ``None`` when none are.
        has_told_loss: that a block after a loss was written.
    """

    def __init__(self, directory: Path, config: CaptureConfig) -> None:
        self.loss: str | None = None
        self.has_told_loss = False
        self._directory = directory
        self._config = config
        self._open_links: dict[int, bytes] = {}
        self._fd = -1
        self._size = 0
        self._from_ms = 0
        self._is_fresh = False

    def note(self, links: list[tuple[int, bytes | None]]) -> None:
        """Learn which links the last block opened and closed."""
        for link_no, name in links:
            if name is None:
                self._open_links.pop(link_no, None)
            else:
                self._open_links[link_no] = name

    def write(self, block: Block) -> None:
        """Write a block, into a new file when it is time for one.

        Raises ``OSError``; nothing is half written then.
        """
        config = self._config
        is_old = self._fd >= 0 and (
            self._size >= config.rotate_bytes or block.to_ms - self._from_ms >= config.rotate_s * 1000
        )
        if is_old:
            self.close()
        data = block.records
        head = b""
        if self.loss is not None:
            reason = f"records are missing before this one: {self.loss}".encode()
            head = capture.pack_record(block.from_ms, 0, capture.LOST, reason)
        if self._fd < 0:
            self._create(block.from_ms)
            head = capture.file_header() + head + self._restated(block.from_ms)
        elif self.loss is not None:
            head += self._restated(block.from_ms)
        self._put(head + data)
        if self.loss is not None:
            self.loss, self.has_told_loss = None, True

    def close(self) -> None:
        """Close the present file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _restated(self, at_ms: int) -> bytes:
        return b"".join(
            capture.pack_record(at_ms, link_no, 2, name, is_restated=True) for link_no, name in self._open_links.items()
        )

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        done = 0
        try:
            while done < len(data):
                done += os.write(self._fd, view[done:])
        except OSError:
            os.ftruncate(self._fd, self._size)
            os.lseek(self._fd, self._size, os.SEEK_SET)
            if self._size == 0:
                self._discard()
            raise
        self._size += done

    def _create(self, at_ms: int) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        stem = (_EPOCH + timedelta(milliseconds=at_ms)).strftime(_NAME) + f".{at_ms % 1000:03d}Z"
        for number in range(1, 1000):
            self._path = self._directory / f"{stem}{'' if number == 1 else f'_{number}'}.pcap"
            try:
                self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
                break
            except FileExistsError:
                continue
        else:
            raise FileExistsError(f"{stem}: a thousand captures of one moment")
        self._size = 0
        self._from_ms = at_ms
        self._is_fresh = True

    def _discard(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)

    def forget(self, at_ms: int) -> None:
        """After a new file was begun, delete those that ended more than ``keep_days`` before ``at_ms``.

        A file has ended when the next one begins. Raises ``OSError``.
        """
        if not self._is_fresh:
            return
        self._is_fresh = False
        cutoff_ms = at_ms - self._config.keep_days * _DAY_MS
        limit = (_EPOCH + timedelta(milliseconds=cutoff_ms)).strftime(_NAME)
        files = sorted(self._directory.glob("pilegate-*.pcap"))
        for path, follower in pairwise(files):
            if follower.name < limit:
                path.unlink(missing_ok=True)

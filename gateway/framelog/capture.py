"""The daemon's own capture: pcap, nanosecond magic, USER0, a pseudo-header, then the bytes of one read or write.

::

    version 1 | kind | protocol | flags | link number (4, little-endian) | bytes

``kind``: 0 up, 1 down, 2 open (the bytes are the peer's address), 3 close (the bytes are the reason). ``protocol``:
1 YKC, 0 unknown. Flag 1 marks an opening that only restates a link which was open when the file began.
"""

from __future__ import annotations

import contextlib
import os
import queue
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import structlog

from gateway.framelog import pcapfile
from gateway.framelog.lines import LogDamage, LogLine

log = structlog.get_logger()

LINK_TYPE = 147  # USER0
VERSION = 1
KINDS = ("up", "down", "open", "close")
PROTOCOLS = (None, "ykc")
RESTATED = 1
_PSEUDO = struct.Struct("<BBBBI")
_DAY_MS = 86_400_000
_BLOCK_BYTES = 1 << 16
_IDLE_FLUSH_S = 0.2


@dataclass(frozen=True, slots=True)
class CaptureConfig:
    """Where and how long bytes are kept.

    Attributes:
        is_enabled: keep them at all.
        directory: made when missing.
        rotate_bytes: a new file begins at this size.
        rotate_s: and after this time.
        keep_days: older files are deleted.
    """

    is_enabled: bool = True
    directory: str = "capture"
    rotate_bytes: int = 104_857_600
    rotate_s: int = 86_400
    keep_days: int = 30


class NoCapture:
    """Keeps nothing."""

    def append(self, at_ms: int, link_no: int, kind: str, data: bytes, protocol: str | None) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class CaptureWriter:
    """Writes captures in large blocks from a thread of its own.

    Args:
        config: where, how large, how long.
        on_failure: told once per failing block; the daemon goes on without it.
    """

    def __init__(self, config: CaptureConfig, on_failure: Callable[[str], None] | None = None) -> None:
        self.lost_bytes = 0
        self._config = config
        self._on_failure = on_failure
        self._directory = Path(config.directory)
        self._directory.mkdir(parents=True, exist_ok=True)
        self._block = bytearray()
        self._open: dict[int, tuple[bytes, int]] = {}  # link -> (address, protocol)
        self._size = 0
        self._begun_ms: int | None = None
        self._queue: queue.SimpleQueue[tuple[Path, bytes] | threading.Event | None] = queue.SimpleQueue()
        self._path: Path | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path | None:
        """The file written now, ``None`` before the first byte."""
        return self._path

    def append(self, at_ms: int, link_no: int, kind: str, data: bytes, protocol: str | None) -> None:
        """Keep one read or write, or the opening or closing of a link. Never waits for the disk."""
        with self._lock:
            if self._begun_ms is None or self._is_full(at_ms):
                self._begin(at_ms)
            number = PROTOCOLS.index(protocol) if protocol in PROTOCOLS else 0
            self._put(at_ms, link_no, KINDS.index(kind), number, 0, data)
            if kind == "open":
                self._open[link_no] = (data, number)
            elif kind == "close":
                self._open.pop(link_no, None)
            if len(self._block) >= _BLOCK_BYTES:
                self._hand_over()

    def _is_full(self, at_ms: int) -> bool:
        assert self._begun_ms is not None
        return self._size >= self._config.rotate_bytes or at_ms - self._begun_ms >= self._config.rotate_s * 1000

    def _begin(self, at_ms: int) -> None:
        """A new file, which restates the links that are open, so that it can be read alone."""
        self._hand_over()
        stamp = datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        path = self._directory / f"pilegate-{stamp}.pcap"
        count = 1
        while path.exists() or path == self._path:
            count += 1
            path = self._directory / f"pilegate-{stamp}-{count}.pcap"
        self._path = path
        self._begun_ms = at_ms
        self._size = 0
        self._block += pcapfile.file_header(LINK_TYPE)
        for link_no, (address, number) in self._open.items():
            self._put(at_ms, link_no, KINDS.index("open"), number, RESTATED, address)
        self._forget_old(at_ms)

    def _put(self, at_ms: int, link_no: int, kind: int, protocol: int, flags: int, data: bytes) -> None:
        head = _PSEUDO.pack(VERSION, kind, protocol, flags, link_no)
        packed = pcapfile.record(at_ms * 1_000_000, head + data)
        self._block += packed
        self._size += len(packed)

    def _hand_over(self) -> None:
        if self._block and self._path is not None:
            self._queue.put((self._path, bytes(self._block)))
            self._block = bytearray()

    def _forget_old(self, at_ms: int) -> None:
        for path in self._directory.glob("pilegate-*.pcap"):
            with contextlib.suppress(OSError):  # another process may have moved it
                if at_ms - path.stat().st_mtime_ns // 1_000_000 > self._config.keep_days * _DAY_MS:
                    path.unlink()

    def flush(self) -> None:
        """Return once everything appended so far is in the file."""
        with self._lock:
            self._hand_over()
        done = threading.Event()
        self._queue.put(done)
        done.wait()

    def close(self) -> None:
        """Write what is left and end the thread."""
        self.flush()
        self._queue.put(None)
        self._thread.join()

    # -- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        file: BinaryIO | None = None
        path: Path | None = None
        while True:
            try:
                item = self._queue.get(timeout=_IDLE_FLUSH_S)
            except queue.Empty:
                with self._lock:
                    self._hand_over()
                continue
            if item is None:
                break
            if isinstance(item, threading.Event):
                item.set()
                continue
            if item[0] != path and file is not None:
                file.close()
                file = None
            path = item[0]
            file = self._write(file, path, item[1])
        if file is not None:
            file.close()

    def _write(self, file: BinaryIO | None, path: Path, block: bytes) -> BinaryIO | None:
        try:
            if file is None:
                file = open(path, "ab", buffering=0)  # noqa: SIM115 - kept open between blocks
            before = os.fstat(file.fileno()).st_size
            if file.write(block) != len(block):
                os.ftruncate(file.fileno(), before)
                raise OSError("the disk took only a part")
        except OSError as error:
            self.lost_bytes += len(block)
            log.error("capture_failed", path=str(path), lost_bytes=len(block), reason=str(error))
            if self._on_failure is not None:
                self._on_failure(str(error))
        return file


def read_capture(stream: BinaryIO, source: str) -> Iterator[LogLine | LogDamage]:
    """The lines of a capture of the daemon, up to the damage."""
    names: dict[int, str] = {}
    try:
        for packet in pcapfile.read_packets(stream):
            line = _line(packet, source, names)
            if line is not None:
                yield line
    except pcapfile.PcapDamage as damage:
        yield LogDamage(source, damage.position, damage.reason)


def _line(packet: pcapfile.Packet, source: str, names: dict[int, str]) -> LogLine | LogDamage | None:
    if len(packet.data) < _PSEUDO.size:
        return LogDamage(source, packet.position, "the pseudo-header is cut off")
    version, kind, protocol, flags, link_no = _PSEUDO.unpack_from(packet.data)
    if version != VERSION or kind >= len(KINDS):
        return LogDamage(source, packet.position, f"unknown pseudo-header: version {version}, kind {kind}")
    data = packet.data[_PSEUDO.size :]
    if KINDS[kind] == "open":
        names[link_no] = f"{data.decode('utf-8', 'replace')}#{link_no}"
        if flags & RESTATED:
            return None
    name = names.get(link_no, f"link#{link_no}")
    known = PROTOCOLS[protocol] if protocol < len(PROTOCOLS) else None
    at_ms = packet.at_ns // 1_000_000
    return LogLine(at_ms, name, KINDS[kind], data, known, source, packet.position, is_own=True)

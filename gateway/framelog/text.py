"""Text logs: one JSON object a line, for people, tests and other programs' logs."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from gateway.framelog.lines import LogDamage, LogLine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINE_BYTES_MAX = 16 << 20
_KINDS = ("up", "down")
_MARKS = ("open", "close")


def read_text(stream: BinaryIO, source: str) -> Iterator[LogLine | LogDamage]:
    """The lines of a text log; a line that cannot be read is told and passed over."""
    number = 0
    while True:
        try:
            line = stream.readline(_LINE_BYTES_MAX)
        except (OSError, EOFError, ValueError) as error:
            yield LogDamage(source, number + 1, f"the file cannot be read further: {error}")
            return
        if not line:
            return
        number += 1
        stripped = line.strip().removeprefix(b"\xef\xbb\xbf")
        if not stripped:
            continue
        try:
            yield _parse(stripped, source, number)
        except ValueError as error:
            yield LogDamage(source, number, str(error))


def _parse(line: bytes, source: str, number: int) -> LogLine:
    try:
        found: Any = json.loads(line)
    except ValueError as error:
        raise ValueError(f"not a JSON object: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    at_ms = instant_ms(found.get("at"))
    link = found.get("link")
    if not isinstance(link, str) or not link:
        raise ValueError('"link" is missing')
    protocol = found.get("protocol")
    if protocol is not None and not isinstance(protocol, str):
        raise ValueError('"protocol" is not text')
    if "event" in found:
        if found["event"] not in _MARKS:
            raise ValueError(f'"event" is {found["event"]!r}, not "open" or "close"')
        return LogLine(at_ms, link, found["event"], b"", protocol, source, number)
    if found.get("dir") not in _KINDS:
        raise ValueError(f'"dir" is {found.get("dir")!r}, not "up" or "down"')
    text = found.get("hex")
    if not isinstance(text, str):
        raise ValueError('"hex" is missing')
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise ValueError(f'"hex" holds no bytes: {error}') from error
    return LogLine(at_ms, link, found["dir"], data, protocol, source, number)


def instant_ms(text: object) -> int:
    """ISO 8601 with an offset to Unix ms, parts of a millisecond cut off. Raises ``ValueError``."""
    if not isinstance(text, str):
        raise ValueError('"at" is missing')
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f'"at" is {text!r}, not an ISO 8601 time') from error
    if at.tzinfo is None:
        raise ValueError(f'"at" is {text!r}: the offset is missing, such as +08:00')
    return (at - _EPOCH) // timedelta(milliseconds=1)


class TextLogWriter:
    """Writes a text log.

    Args:
        path: the file; it is replaced.
        offset: of the times written.
    """

    def __init__(self, path: Path, *, offset: timedelta = timedelta(hours=8)) -> None:
        self._offset = offset
        self._file: io.TextIOBase = open(path, "w", encoding="utf-8")  # noqa: SIM115 - closed by close()

    def write(self, at_ms: int, link: str, kind: str, data: bytes = b"", protocol: str | None = None) -> None:
        """One line: ``kind`` is up, down, open or close."""
        at = datetime.fromtimestamp(at_ms // 1000, UTC) + self._offset + timedelta(milliseconds=at_ms % 1000)
        sign, minutes = ("-", -self._offset) if self._offset < timedelta() else ("+", self._offset)
        hours, rest = divmod(minutes // timedelta(minutes=1), 60)
        line: dict[str, str] = {
            "at": f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}{sign}{hours:02d}:{rest:02d}",
            "link": link,
        }
        if kind in _MARKS:
            line["event"] = kind
        else:
            line |= {"dir": kind, "hex": data.hex().upper()}
        if protocol is not None:
            line["protocol"] = protocol
        self._file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

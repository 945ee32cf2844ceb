"""Text logs: one JSON object a line, for people, tests and other makers' logs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TextIO, cast

from gateway.framelog.hextext import hex_bytes
from gateway.framelog.lines import Kind, LogDamage, LogLine

LINE_BYTES_MAX = 4 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_BOM = b"\xef\xbb\xbf"
_EVENTS = frozenset(("open", "close"))
_DIRECTIONS = frozenset(("up", "down"))
_parse = json.JSONDecoder().decode
_make = tuple.__new__


def instant_ms(text: str) -> int:
    """Unix milliseconds, rounded down, of an ISO 8601 time with offset.

    ``T`` may be a blank, the fraction may be missing or long, the offset may be ``Z``, ``+0800`` or stand
    apart. Raises ``ValueError`` for anything else; a time without offset could be any of 24 hours.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.fromisoformat(text.strip().upper().replace(" +", "+").replace(" -", "-"))
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return (at - _EPOCH) // _MILLISECOND


def instant_text(at_ms: int, utc_offset_min: int = 0) -> str:
    """ISO 8601 with offset and milliseconds.

    Args:
        at_ms: Unix milliseconds.
        utc_offset_min: minutes east of UTC to write it in.
    """
    zone = timezone(timedelta(minutes=utc_offset_min))
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).isoformat(timespec="milliseconds")


def read_text(source: str, chunks: Iterable[bytes]) -> Iterator[LogLine | LogDamage]:
    """The lines of a text log; a line that cannot be used is told as damage, and reading goes on behind it.

    Args:
        source: the file's name.
        chunks: its bytes.
    """
    number = 0
    for position, line in _lines(chunks):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            yield LogDamage(source, position, f"line {number} is longer than {LINE_BYTES_MAX} bytes")
            continue
        try:
            entry = _parse(line.decode())
            kind, data = _content(entry)
            link = entry["link"]
            if link.__class__ is not str:
                link = _link_text(link)
            protocol = entry.get("protocol")
            if protocol is not None and not isinstance(protocol, str):
                raise ValueError("protocol is not a text")
            yield _make(LogLine, (instant_ms(entry["at"]), link, kind, data, protocol, source, position, False))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            if line.strip():
                yield LogDamage(source, position, f"line {number}: {_reason(line, error)}")


def _content(entry: dict[str, Any]) -> tuple[Kind, bytes]:
    """(kind, bytes) of one entry."""
    event = entry.get("event")
    if event is not None:
        if event not in _EVENTS:
            raise ValueError(f"event is {event!r}, not open or close")
        return cast(Kind, event), b""
    text = entry["hex"]
    direction = entry["dir"]
    if direction not in _DIRECTIONS:
        raise ValueError(f"dir is {direction!r}, not up or down")
    try:
        return cast(Kind, direction), bytes.fromhex(text)
    except ValueError:
        return cast(Kind, direction), hex_bytes(text)


def _link_text(link: object) -> str:
    if isinstance(link, int) and not isinstance(link, bool):
        return str(link)
    raise ValueError("link is not a text")


def _reason(line: bytes, error: Exception) -> str:
    """What is wrong with a line, in words."""
    match error:
        case KeyError():
            return f"the key {error.args[0]!r} is missing"
        case UnicodeDecodeError():
            return f"not UTF-8: byte 0x{line[error.start]:02X} at column {error.start + 1}"
        case json.JSONDecodeError():
            return f"not JSON: {error.msg} at column {error.colno}"
        case RecursionError():
            return "not JSON of this kind: nested too deep"
        case OverflowError():
            return "at is out of range"
        case ValueError():
            return str(error)
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        entry = None
    if not isinstance(entry, dict):
        return "not a JSON object"
    wrong = [key for key in ("at", "hex", "dir", "event") if key in entry and not isinstance(entry[key], str)]
    return f"{' and '.join(wrong) or 'a value'}: not a text"


def _lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """(offset, line without its end) of every line; one that is too long comes once, cut."""
    position = 0
    rest = b""
    is_skipping = False
    for chunk in chunks:
        if position == 0 and not rest and chunk.startswith(_BOM):
            chunk, position = chunk[len(_BOM) :], len(_BOM)
        pieces = (rest + chunk).split(b"\n")
        rest = pieces.pop()
        for piece in pieces:
            if not is_skipping:
                yield position, piece
            is_skipping = False
            position += len(piece) + 1
        if is_skipping:
            position += len(rest)
            rest = b""
        elif len(rest) > LINE_BYTES_MAX:
            yield position, rest
            position += len(rest)
            rest = b""
            is_skipping = True
    if rest:
        yield position, rest


class TextLogWriter:
    """Writes a text log.

    Args:
        stream: where to; the caller opens and closes it.
        utc_offset_min: minutes east of UTC that times are written in.
    """

    def __init__(self, stream: TextIO, *, utc_offset_min: int = 0) -> None:
        self._stream = stream
        self._utc_offset_min = utc_offset_min

    def append(self, at_ms: int, link: str, kind: Kind, data: bytes = b"", protocol: str | None = None) -> None:
        """Write one line.

        Args:
            at_ms: Unix milliseconds.
            link: names the connection.
            kind: ``up``, ``down``, ``open`` or ``close``.
            data: the bytes; not written for open and close.
            protocol: written when given.
        """
        entry: dict[str, str] = {"at": instant_text(at_ms, self._utc_offset_min), "link": link}
        if kind in _EVENTS:
            entry["event"] = kind
        else:
            entry["dir"] = kind
            entry["hex"] = data.hex().upper()
        if protocol is not None:
            entry["protocol"] = protocol
        self._stream.write(json.dumps(entry, ensure_ascii=False) + "\n")

"""The ``decode`` command: frames given as hex, or a frame log, to the wire-level fields of the protocol."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from gateway.framelog import LogDamage, LogLine, hex_bytes, instant_text, read_log
from protocol.detect import DEFAULT, dialect_named, first_heard
from protocol.dialect import DOWN, UP, Dialect
from protocol.framer import Cut, Framer
from protocol.wire import BAD, WireFrame

DONE, WITH_FINDINGS, WRONG_USAGE, FAILED = 0, 1, 2, 3
_BUFFER_BYTES = 1 << 16
_TYPE_AT = 5
_HEX_SHOWN_BYTES = 64
_UNITS = {
    "yuan_per_kwh": "yuan/kWh",
    "kwh": "kWh",
    "yuan": "yuan",
    "pct": "%",
    "min": "min",
    "kw": "kW",
    "ah": "Ah",
    "v": "V",
    "a": "A",
    "c": "°C",
    "s": "s",
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """One frame, or a stretch of bytes that is none.

    Attributes:
        line: where it stood, ``None`` for a frame given as hex.
        wire: ``None`` for bytes that are no frame.
        direction: ``up`` or ``down``, ``None`` when nothing tells.
        error: what is wrong and where, ``None`` when nothing is.
        dialect: what it was read by.
    """

    line: LogLine | None
    wire: WireFrame | None
    direction: str | None
    error: str | None
    data: bytes
    dialect: Dialect = DEFAULT

    def to_json_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        found: dict[str, Any] = {}
        if self.line is not None:
            found = {"at": instant_text(self.line.at_ms), "link": self.line.link, "offset": self.line.position}
        wire = self.wire
        found |= {
            "protocol": self.dialect.name if wire is not None and wire.direction else None,
            "type": self.dialect.type_text(wire.type) if wire is not None and len(self.data) > _TYPE_AT else None,
            "direction": self.direction,
            "crc": wire.crc if wire is not None else BAD,
            "error": self.error,
            "fields": self.dialect.show(wire) if wire is not None else {},
        }
        if self.error is not None:
            found["hex"] = self.data.hex().upper()
        if wire is not None and wire.note:
            found["note"] = wire.note
        return found


def decode_sources(what: Sequence[str], *, as_json: bool, options: frozenset[str], out: IO[str], err: IO[str]) -> int:
    """Decode frames given as hex, or logs; returns the exit status.

    Args:
        what: hex strings, or names of files.
        as_json: one object a line instead of a table a frame.
        options: deviations to assume, such as ``balance-be``.
    """
    try:
        frames = _frames_given(what)
    except ValueError as error:
        print(f"pilegate: {error}", file=err)
        return WRONG_USAGE
    found = _decode_frames(frames, options) if frames is not None else _decode_logs(what, options)
    faults = count = 0
    for each in found:
        if isinstance(each, LogDamage):
            faults += 1
            print(f"{each.source}:{each.position}: log_damaged: {each.reason}", file=err)
            continue
        count += 1
        faults += each.error is not None
        if as_json:
            out.write(json.dumps(each.to_json_dict(), ensure_ascii=False) + "\n")
        else:
            _print(each, out)
    if frames is None:
        print(f"{count} frames, {faults} findings", file=err)
    return WITH_FINDINGS if faults else DONE


def _frames_given(what: Sequence[str]) -> list[bytes] | None:
    """The frames in the arguments, ``None`` when they name files.

    Raises ``ValueError`` when an argument is neither hex nor a file.
    """
    if all(os.path.isfile(each) for each in what):
        return None
    if all(len(each) <= 2 for each in what):  # typed with blanks between the bytes
        what = ["".join(what)]
    frames = []
    for each in what:
        if os.path.isfile(each):  # a Path would stumble over a long name
            raise ValueError("give hex or files, not both")
        try:
            frames.append(hex_bytes(each))
        except ValueError as error:
            raise ValueError(f"{each[:40]!r} is neither a file nor hex: {error}") from error
    return frames


class _Stream:
    """One link, or one argument: its dialect, and its protocol as far as its frames tell."""

    def __init__(self, data: bytes, options: frozenset[str], protocol: str | None = None) -> None:
        told = next((each for each in sorted(options) if dialect_named(each) is not None), protocol)
        self.dialect = dialect_named(told) or first_heard(data) or DEFAULT
        self._protocol = told
        self._options = options
        self._framers: dict[str, Framer] = {}

    def framer(self, side: str) -> Framer:
        """The framer of one direction."""
        if side not in self._framers:
            self._framers[side] = self.dialect.framer(side, _BUFFER_BYTES)
        return self._framers[side]

    def read(self, frame: bytes, side: str | None) -> WireFrame:
        """One frame, by what the link has shown of itself."""
        wire = self.dialect.read(frame, side, self._protocol, self._options)
        self._protocol = self._protocol or self.dialect.learn(wire)
        return wire

    def decoded(self, line: LogLine | None, wire: WireFrame | None, side: str | None, **told: Any) -> Decoded:
        """What is shown of it."""
        return Decoded(line, wire, side, dialect=self.dialect, **told)


def _decode_frames(frames: Sequence[bytes], options: frozenset[str]) -> Iterator[Decoded]:
    """One argument is one frame; where it is not, it is cut as a stream would be."""
    for data in frames:
        stream = _Stream(data, options)
        wire = stream.read(data, None)
        if wire.code == "length" and wire.crc == BAD:
            tried = [stream.dialect.framer(side, _BUFFER_BYTES).feed(data) for side in (UP, DOWN)]
            cuts = next((cuts for cuts in tried if any(not cut.reason for cut in cuts)), None)
            if cuts is not None:
                yield from _cut(stream, cuts, None)
                left = data[cuts[-1].offset + len(cuts[-1].data) :]
                if left:
                    rest = stream.read(left, None)
                    yield stream.decoded(None, rest, None, error=rest.error, data=left)
                continue
        yield stream.decoded(None, wire, wire.direction, error=wire.error, data=data)


def _cut(stream: _Stream, cuts: Sequence[Cut], line: LogLine | None) -> Iterator[Decoded]:
    side = line.kind if line is not None else None
    for cut in cuts:
        if cut.reason == "noise":
            text = f"{len(cut.data)} bytes that belong to no frame"
            yield stream.decoded(line, None, side, error=text, data=cut.data)
            continue
        wire = stream.read(cut.data, side)
        error = wire.error
        if error is None and side is not None and side != wire.direction:
            error = f"a frame that goes {wire.direction} was seen going {side}"
        yield stream.decoded(line, wire, side or wire.direction, error=error, data=cut.data)


def _decode_logs(paths: Sequence[str], options: frozenset[str]) -> Iterator[Decoded | LogDamage]:
    for path in paths:
        streams: dict[str, _Stream] = {}
        kept: dict[tuple[str, str], tuple[Framer, LogLine]] = {}
        for line in read_log(path):
            if isinstance(line, LogDamage):
                yield line
            elif line.kind in ("open", "close"):
                streams.pop(line.link, None)
                for side in (UP, DOWN):
                    yield from _unfinished(kept.pop((line.link, side), None))
            else:
                if line.link not in streams:
                    streams[line.link] = _Stream(line.data, options, line.protocol)
                stream = streams[line.link]
                framer = stream.framer(line.kind)
                kept[(line.link, line.kind)] = (framer, line)
                yield from _cut(stream, framer.feed(line.data), line)
        for each in kept.values():
            yield from _unfinished(each)


def _unfinished(kept: tuple[Framer, LogLine] | None) -> Iterator[Decoded]:
    """Bytes that waited for the rest of a frame when the link or the log ended."""
    if kept is not None and kept[0].buffered_bytes:
        framer, line = kept
        text = f"{framer.buffered_bytes} bytes at the end are the beginning of a frame, or noise"
        yield Decoded(line, None, line.kind, text, line.data[-framer.buffered_bytes :])


# -- for people -----------------------------------------------------------------------------------------


def _print(each: Decoded, out: IO[str]) -> None:
    wire = each.wire
    name = each.dialect.type_text(wire.type) if wire is not None else ""
    head = "bytes" if wire is None else f"{name} {each.direction or '?'}, checksum {wire.crc}"
    where = "" if each.line is None else f"{instant_text(each.line.at_ms)} {each.line.link} "
    print(f"{where}{head}", file=out)
    if each.error is not None:
        shown = each.data[:_HEX_SHOWN_BYTES].hex().upper()
        more = "…" if len(each.data) > _HEX_SHOWN_BYTES else ""
        print(f"  wrong: {each.error}\n  bytes: {shown}{more}", file=out)
    if wire is not None:
        if wire.note:
            print(f"  note: {wire.note}", file=out)
        _print_fields(each.dialect.show(wire), "  ", out)


def _print_fields(fields: dict[str, Any], indent: str, out: IO[str]) -> None:
    names = [name for name, value in fields.items() if not _is_group(value)]
    width = max(map(len, names), default=0)
    for name, value in fields.items():
        if _is_group(value):
            for index, item in enumerate(value):
                print(f"{indent}{name}[{index}]", file=out)
                _print_fields(item, indent + "  ", out)
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        unit = _unit(name) if text else ""
        print(f"{indent}{name:<{width}}  {text}{' ' if unit else ''}{unit}".rstrip(), file=out)


def _is_group(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _unit(name: str) -> str:
    """The unit is the last word of a name."""
    return next((unit for tail, unit in _UNITS.items() if name.endswith(f"_{tail}")), "")

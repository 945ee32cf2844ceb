"""Experimental: 安培快充, a pile protocol in the clothing of IEC 60870-5-104; its frames, and how they are cut.

There is no checksum, and the first frame has no length. A frame is known by its structure alone: start byte, fixed
head, and exactly the length that its type, cause and record type have.

Source: pile firmware alone; docs/protocols/iec104-ap.md says what that leaves open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from construct import Struct

from protocol.errors import FieldError, LocalProtocolError
from protocol.fields import Chars, Group, Hex, Rest, Show, Uint
from protocol.framer import Cut, cut_of
from protocol.layout import Layout
from protocol.wire import BAD, WireFrame

NAME = "iec104"
UP, DOWN = "up", "down"
START = 0x68
NO_CHECK = "none"
REGISTER, STARTDT, STARTDT_CON, TESTFR, TESTFR_CON = 0x01, 0x07, 0x0B, 0x43, 0x83
_REGISTER_BYTES, _U_BYTES = 12, 6
_WAITS_MOST = 2 + 0xFF

U8, U16, U32 = Uint(1), Uint(2), Uint(4)
ID, ORDER = Hex(8), Hex(16)  # reversed BCD
CP56 = Uint(7, show=Show.TIME)
_GUN = ("id" / ID, "gun" / U8)


def _layout(name: str, *fields: object) -> Layout:
    return Layout(name, Struct(*fields))


REGISTRATION = _layout("registration", "id" / ID, "address" / U16)
NOTHING = _layout("nothing")
CLOCK = _layout("clock", "time" / CP56)
LIVE = _layout(
    "live",
    *_GUN,
    "plugged" / U8,
    "state" / U16,
    "alarms" / Hex(3),
    "ac" / Hex(18),
    "dc_voltage" / U16,
    "dc_current" / U16,
    "flags" / Hex(3),
    "cells" / Hex(4),
    "energy_total" / U32,
    "sharp" / U32,
    "peak" / U32,
    "flat" / U32,
    "valley" / U32,
    "soc" / U16,
    "minutes" / U16,
    "vin" / Chars(32),
    "fault" / Hex(21),
    "electricity_fee" / U32,
    "service_fee" / U32,
    "remaining_min" / U32,
    "order_no" / ORDER,
    "other_fault" / Hex(8),
)
TARIFF = _layout(
    "tariff",
    "id" / ID,
    "model_id" / Hex(8),
    "valid_from" / CP56,
    "valid_to" / CP56,
    "state" / U16,
    "metering" / U16,
    "slots" / Hex(48),
    "count" / U8,
    "prices" / Group(4, Struct("price" / U32)),
    "service" / U32,
)
TARIFF_ANSWER = _layout("tariff_answer", "id" / ID, "model_id" / Hex(8), "result" / U8)
ORDER_START = _layout(
    "order",
    *_GUN,
    "order" / U8,
    "condition" / U8,
    "mode" / U8,
    "amount" / U32,
    "user" / Hex(8),
    "order_no" / ORDER,
)
ORDER_ANSWER = _layout(
    "order_answer", *_GUN, "result" / U8, "reason" / Hex(2), "order" / U8, "time" / CP56, "order_no" / ORDER
)
_TIMES = (*_GUN, "order_no" / ORDER, "card" / Hex(8), "start" / CP56, "end" / CP56, "minutes" / U16)
RECORD = _layout(
    "record",
    *_TIMES,
    "meters" / Hex(32),
    "sharp" / U32,
    "peak" / U32,
    "flat" / U32,
    "valley" / U32,
    "total" / U32,
    "meter_start" / U32,
    "meter_end" / U32,
    "soc_start" / U16,
    "soc_end" / U16,
    "vin" / Chars(32),
    "stop_reason" / U16,
    "electricity_fee" / U32,
    "service_fee" / U32,
    "plate" / Hex(8),
    "plate_check" / U8,
)
OFFLINE_RECORD = _layout(
    "offline_record",
    *_TIMES,
    "meters" / Hex(32),
    "metering" / U16,
    "meter_start" / U32,
    "meter_end" / U32,
    "tiers" / Group(4, Struct("price" / U32, "energy" / U32, "amount" / U32)),
    "total" / U32,
    "soc_start" / U16,
    "soc_end" / U16,
    "vin" / Chars(32),
    "stop_reason" / U16,
    "electricity_fee" / U32,
    "service_fee" / U32,
    "plate" / Hex(8),
    "plate_check" / U8,
)
RECORD_ANSWER = _layout("record_answer", *_GUN, "result" / U8, "order_no" / ORDER)
CARD_QUERY = _layout("card_query", *_GUN, "card" / Hex(8), "password" / Hex(16), "balance" / U32, "vin" / Chars(32))
BMS = _layout("bms", "id" / ID, "gun" / U8, "rest" / Rest())

# (direction, type, cause, record type) -> layout
FRAMES: dict[tuple[str, int, int, int], Layout] = {
    (UP, 0x86, 6, 0): LIVE,
    (UP, 0x67, 7, 0): CLOCK,
    (DOWN, 0x67, 6, 0): CLOCK,
    (DOWN, 0x85, 6, 0x05): TARIFF,
    (UP, 0x82, 7, 0x06): TARIFF_ANSWER,
    (DOWN, 0x85, 6, 0x15): ORDER_START,
    (UP, 0x85, 7, 0x15): ORDER_ANSWER,
    (UP, 0x82, 6, 0x01): CARD_QUERY,
    (UP, 0x82, 6, 0x02): RECORD,
    (DOWN, 0x82, 7, 0x02): RECORD_ANSWER,
    (UP, 0x82, 6, 0x03): OFFLINE_RECORD,
    (DOWN, 0x82, 7, 0x03): RECORD_ANSWER,
    (UP, 0x82, 6, 0x1E): BMS,
}
_BMS_BYTES = 95


def _head_bytes(kind: int) -> int:
    return {0x86: 11, 0x67: 14}.get(kind, 15)


def _size_of(direction: str, kind: int, cause: int, record: int) -> int:
    """Bytes of the whole frame, 0 for none of ours."""
    layout = FRAMES.get((direction, kind, cause, record))
    if layout is None:
        return 0
    return _head_bytes(kind) + (_BMS_BYTES if layout is BMS else layout.size)


def _candidate(direction: str, data: bytes, at: int) -> int:
    """Size of the frame that begins here: 0 when none can, -1 when more bytes must tell."""
    left = len(data) - at
    if left < 2:
        return -1
    length = data[at + 1]
    if length == 1:
        return _REGISTER_BYTES
    if length == 4:
        if left < _U_BYTES:
            return -1
        is_u = data[at + 2] in (STARTDT, STARTDT_CON, TESTFR, TESTFR_CON) and data[at + 3 : at + 6] == b"\0\0\0"
        return _U_BYTES if is_u else 0
    if left < 9:
        return -1
    kind, cause = data[at + 6], data[at + 8]
    if _head_bytes(kind) == 15 and left < 15:
        return -1
    record = data[at + 14] if _head_bytes(kind) == 15 else 0
    size = _size_of(direction, kind, cause, record)
    return size if size == length + 2 else 0


class ApFramer:
    """Cuts one direction of one link by structure: whatever cannot be a frame is told as noise, byte by byte.

    Args:
        direction: ``up`` or ``down``.
    """

    repeats = None

    def __init__(self, direction: str, max_buffer_bytes: int = 4096) -> None:
        self._direction = direction
        self._rest = b""
        self._base = 0

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait for more."""
        return len(self._rest)

    def feed(self, data: bytes, at_ms: int = 0) -> list[Cut]:
        """Take bytes of the stream; returns the frames and refusals that they complete, in order."""
        stream, cuts, at, told = self._rest + data, [], 0, 0
        while at < len(stream):
            size = _candidate(self._direction, stream, at) if stream[at] == START else 0
            if size == 0:
                at += 1
                continue
            if told < at:
                cuts.append(cut_of(stream[told:at], self._base + told, "noise"))
                told = at
            if size < 0 or at + size > len(stream):
                break
            cuts.append(cut_of(stream[at : at + size], self._base + at, ""))
            at = told = at + size
        if told < at:
            cuts.append(cut_of(stream[told:at], self._base + told, "noise"))
            told = at
        self._rest = stream[told:]
        self._base += told
        assert len(self._rest) < _WAITS_MOST
        return cuts


@dataclass(frozen=True, slots=True)
class Kind:
    """What stands in a head: type, cause and record type; a registration or a U frame has its one byte as type."""

    type: int
    cause: int = 0
    record: int = 0

    @property
    def number(self) -> int:
        """All of it in one number."""
        return self.type << 16 | self.cause << 8 | self.record


def type_text(number: int) -> str:
    """Type, cause and record type as ``decode`` prints them."""
    return f"{number >> 16:02X}/{number >> 8 & 0xFF:02X}/{number & 0xFF:02X}"


def read_frame(frame: bytes, direction: str | None = None) -> WireFrame:
    """Read one frame; never raises, whatever the bytes are."""
    for side in (direction,) if direction else (UP, DOWN):
        if len(frame) >= 2 and frame[0] == START and _candidate(side, frame, 0) == len(frame):
            return _read(frame, side)
    text = "no frame of this protocol has this head and length"
    return WireFrame(0, direction, 0, 0, BAD, "", b"", "unknown_type", text, None, None)


def _read(frame: bytes, direction: str) -> WireFrame:
    if frame[1] == 1:
        kind, layout, body = Kind(REGISTER), REGISTRATION, frame[2:]
    elif frame[1] == 4:
        kind, layout, body = Kind(frame[2]), NOTHING, b""
    else:
        head = _head_bytes(frame[6])
        kind = Kind(frame[6], frame[8], frame[14] if head == 15 else 0)
        layout, body = FRAMES[(direction, kind.type, kind.cause, kind.record)], frame[head:]
    code = error = None
    raw: dict[str, Any] | None = None
    try:
        raw = layout.read(body)
    except FieldError as problem:
        code, error = "length", str(problem)
    return WireFrame(kind.number, direction, 0, 0, NO_CHECK, "", body, code, error, raw, layout)


def write_frame(kind: Kind, raw: dict[str, Any], direction: str = DOWN) -> bytes:
    """A whole frame of raw values. Raises ``LocalProtocolError`` when a value is missing or does not fit."""
    if kind.type == REGISTER:
        return bytes((START, REGISTER)) + REGISTRATION.write(raw)
    if kind.type in (STARTDT, STARTDT_CON, TESTFR, TESTFR_CON):
        return bytes((START, 4, kind.type, 0, 0, 0))
    layout = FRAMES.get((direction, kind.type, kind.cause, kind.record))
    if layout is None:
        raise LocalProtocolError("unknown_type", f"no frame {type_text(kind.number)} goes {direction}")
    head = bytes((kind.type, 0, kind.cause, 0)) + b"\0\0\0\0" + bytes((kind.record,))
    inner = b"\0\0\0\0" + head[: _head_bytes(kind.type) - 6] + layout.write(raw)
    return bytes((START, len(inner))) + inner

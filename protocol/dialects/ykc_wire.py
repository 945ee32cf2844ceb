"""The YKC envelope, and raw values as people read them.

::

    68 | length | sequence (2) | encrypted (1) | type (1) | body | checksum (2)

The length byte counts from the sequence to the end of the body. Some writers count the body alone: such a frame is
taken when everything else about it is right, and told in ``note``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocol.codec import checksum
from protocol.dialects.ykc_frames import FRAMES, layout_of, least_size
from protocol.dialects.ykc_times import time_text
from protocol.errors import FieldError, LocalProtocolError
from protocol.fields import Show
from protocol.layout import Layout
from protocol.wire import BAD, WireFrame, construct_path, decimal_text

NAME = "ykc"
LOW_FIRST = "modbus-lo-hi"
HIGH_FIRST = "modbus-hi-lo"
_BODY_AT = 6
_AROUND_BODY = 8
_HEAD = 4  # sequence, flag and type: what a length that counts the body alone leaves out
_BODY_MAX = 255 - 4


def read_frame(frame: bytes, options: frozenset[str] = frozenset()) -> WireFrame:
    """Read one frame; never raises, whatever the bytes are.

    A frame whose only fault is its checksum still has its values.
    """
    if len(frame) < _AROUND_BODY or frame[0] != 0x68 or len(frame) - frame[1] not in (4, _AROUND_BODY):
        return _unframed(frame)
    body = frame[_BODY_AT:-2]
    kind, enc = frame[5], frame[4]
    crc = checksum(frame[2:-2])
    low_first = crc.to_bytes(2, "little")
    order = {low_first: LOW_FIRST, low_first[::-1]: HIGH_FIRST}.get(frame[-2:], BAD)
    note = ""
    if len(frame) - frame[1] == _AROUND_BODY:
        least = least_size(kind)
        if order == BAD or least is None or not least <= len(body) < least + _HEAD:
            return _unframed(frame)
        note = f"the length byte 0x{frame[1]:02X} counts the body alone, 0x{frame[1] + 4:02X} is right"
    expected = low_first.hex().upper()
    raw: dict[str, Any] | None = None
    code = error = None
    layout = layout_of(kind, len(body), options)
    direction = FRAMES[kind][0] if kind in FRAMES else None
    if enc:
        code, error = "encrypted", f"encrypted (flag 0x{enc:02X}): no key, the body cannot be read"
    elif layout is None:
        code, error = "unknown_type", f"type 0x{kind:02X} is unknown"
    else:
        try:
            raw = layout.read(body)
        except FieldError as problem:
            code, error = "length", f"{problem}; {construct_path(layout, body)}"
    if order == BAD:
        code = "checksum"
        wrong = f"checksum is {frame[-2:].hex().upper()}, expected {expected} (low byte first)"
        error = f"{wrong}; {error}" if error else wrong
    sequence = int.from_bytes(frame[2:4], "little")
    return WireFrame(kind, direction, sequence, enc, order, expected, body, code, error, raw, layout, note)


def _unframed(frame: bytes) -> WireFrame:
    """Bytes that are no frame: what is missing or too much."""
    if not frame:
        text = "no bytes"
    elif frame[0] != 0x68:
        text = f"byte 0 is 0x{frame[0]:02X}, a frame starts with 0x68"
    elif len(frame) < _AROUND_BODY:
        text = f"only {len(frame)} bytes, the shortest frame has {_AROUND_BODY}"
    else:
        wanted = frame[1] + 4
        missing = wanted - len(frame)
        what = f"{missing} bytes are missing" if missing > 0 else f"{-missing} bytes too many"
        text = f"the length byte 0x{frame[1]:02X} asks for {wanted} bytes, {len(frame)} are here: {what}"
    kind = frame[5] if len(frame) > 5 else 0
    direction = FRAMES[kind][0] if kind in FRAMES and len(frame) > 5 else None
    return WireFrame(kind, direction, 0, 0, BAD, "", b"", "length", text, None, None)


def write_frame(
    kind: int,
    raw: Mapping[str, Any],
    *,
    sequence: int = 0,
    crc: str = LOW_FIRST,
    layout: Layout | None = None,
    enc: int = 0,
) -> bytes:
    """A whole frame of raw values.

    Args:
        kind: the type byte.
        raw: raw values by wire key; ``trailing_hex`` is put behind them.
        layout: another layout than the usual one of the type.

    Raises ``LocalProtocolError`` when a value is missing, does not fit, or the body would be too long.
    """
    if layout is None:
        if kind not in FRAMES:
            raise LocalProtocolError("unknown_type", f"type 0x{kind:02X} is unknown", frame_type=kind)
        layout = FRAMES[kind][1]
    return enclose(kind, layout.write(dict(raw)), sequence=sequence, crc=crc, enc=enc)


def enclose(kind: int, body: bytes, *, sequence: int = 0, crc: str = LOW_FIRST, enc: int = 0) -> bytes:
    """The envelope around a body. Raises ``LocalProtocolError`` when it is too long."""
    if len(body) > _BODY_MAX:
        text = f"a body of {len(body)} bytes is too long, {_BODY_MAX} fit"
        raise LocalProtocolError("too_long", text, frame_type=kind)
    covered = sequence.to_bytes(2, "little") + bytes((enc, kind)) + body
    check = checksum(covered).to_bytes(2, "little" if crc != HIGH_FIRST else "big")
    return bytes((0x68, len(covered))) + covered + check


# -- raw values as people read them ---------------------------------------------------------------------


def vin_text(raw: bytes) -> str | None:
    """The text of a VIN field, or ``None`` for one filled with 00 or FF."""
    text = raw.rstrip(b"\0")
    if not text or not raw.strip(b"\xff"):
        return None
    return text.decode("ascii", "backslashreplace")


def _shown(field: Any, value: Any) -> Any:
    match field.show:
        case Show.DECIMAL:
            return decimal_text(value + field.offset, field.decimals)
        case Show.NUMBER:
            return None if value == field.blank else value + field.offset
        case Show.TEXT:
            return value.rstrip(b"\0").decode("ascii", "backslashreplace")
        case Show.VIN:
            return vin_text(value)
        case Show.TIME:
            return time_text(value)
        case Show.SLOTS:
            return "".join(pair[1] if pair[0] == "0" else f"[{pair}]" for pair in _pairs(value))
    return value


def _pairs(text: str) -> list[str]:
    return [text[i : i + 2] for i in range(0, len(text), 2)]


def _render(layout_fields: Any, raw: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, field in layout_fields:
        value = raw[name]
        if name == "rates":
            shown["elec_yuan_per_kwh"] = [decimal_text(rate["elec"], 5) for rate in value]
            shown["service_yuan_per_kwh"] = [decimal_text(rate["service"], 5) for rate in value]
        elif hasattr(field, "body"):
            inner = [(sub.name, sub.subcon) for sub in field.body.subcons]
            shown[name] = [_render(inner, item) for item in value]
        elif field.show is Show.CELL:
            shown["cell_max_v"] = decimal_text(value & 0x0FFF, 2)
            shown["cell_max_group"] = value >> 12
        else:
            shown[name] = _shown(field, value)
        if name == "proto_ver_raw":
            shown["proto_version"] = decimal_text(value, 1)
    return shown


def render_fields(wire: WireFrame) -> dict[str, Any]:
    """The values of a frame in the forms that ``decode`` prints; empty when no layout fits."""
    return {} if wire.layout is None or wire.raw is None else render_raw(wire.layout, wire.raw)


def render_raw(layout: Layout, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Raw values of a layout in those forms."""
    shown = _render(layout.fields, raw)
    if "trailing_hex" in raw:
        shown["trailing_hex"] = raw["trailing_hex"]
    return shown

"""The AA F5 envelope, and raw values as people read them.

::

    AA F5 | length (2) | info (1) | sequence (1) | command (2) | body | sum (1)

The length counts the whole frame; the sum is that of command and body, cut to eight bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocol.codec import byte_sum
from protocol.dialects.aaf5_frames import AROUND_BODY, DOWN, ENVELOPE, UP, Form, form_of
from protocol.dialects.ykc_times import time_text
from protocol.errors import FieldError, LocalProtocolError
from protocol.fields import Show
from protocol.layout import Layout
from protocol.wire import BAD, WireFrame, construct_path

NAME = "aaf5"
SUM = "sum8"
START = b"\xaa\xf5"
PLAIN_INFO = 0x10
ENCRYPTED = 0x80
_BODY_AT = 8


def read_frame(frame: bytes, direction: str | None = None, profile: str | None = None) -> WireFrame:
    """Read one frame; never raises, whatever the bytes are.

    Args:
        direction: ``up`` or ``down``; ``None`` when nothing tells, then the command decides.
        profile: the pile's; ``None`` when it is not known, then the size of the body decides.
    """
    if len(frame) < AROUND_BODY or frame[:2] != START or int.from_bytes(frame[2:4], "little") != len(frame):
        return _unframed(frame)
    body = frame[_BODY_AT:-1]
    info, sequence, command = frame[4], frame[5], int.from_bytes(frame[6:8], "little")
    wanted = byte_sum(frame[6:-1])
    is_right = wanted == frame[-1]
    code = error = None
    raw: dict[str, Any] | None = None
    side, form = _find(direction, command, body, profile)
    layout = form.layout if form else None
    if info & ENCRYPTED:
        code, error = "encrypted", f"encrypted (info 0x{info:02X}): no key, the body cannot be read"
    elif layout is None:
        code, error = "unknown_type", f"command {command} is unknown" + (f" in profile {profile}" if profile else "")
    else:
        try:
            raw = layout.read(body)
        except FieldError as problem:
            code, error = "length", f"{problem}; {construct_path(layout, body)}"
    if not is_right:
        code = "checksum"
        wrong = f"checksum is {frame[-1]:02X}, expected {wanted:02X}"
        error = f"{wrong}; {error}" if error else wrong
    check = SUM if is_right else BAD
    return WireFrame(command, side, sequence, info, check, f"{wanted:02X}", body, code, error, raw, layout)


def _find(direction: str | None, command: int, body: bytes, profile: str | None) -> tuple[str | None, Form | None]:
    sides = (direction,) if direction else (UP, DOWN) if command % 2 == 0 else (DOWN, UP)
    found = [(side, form) for side in sides if (form := form_of(side, command, body, profile)) is not None]
    if not found:
        return direction, None
    for side, form in sorted(found, key=lambda each: each[1].layout.is_open):  # a body of just this size says more
        least = form.layout.least if form.layout.least >= 0 else form.layout.size
        if least <= len(body) and (form.layout.is_open or len(body) <= form.layout.size):
            return side, form
    return found[0]


def _unframed(frame: bytes) -> WireFrame:
    """Bytes that are no frame: what is missing or too much."""
    if not frame:
        text = "no bytes"
    elif frame[:2] != START[: len(frame)]:
        text = f"it begins with {frame[:2].hex().upper()}, a frame begins with AAF5"
    elif len(frame) < AROUND_BODY:
        text = f"only {len(frame)} bytes, the shortest frame has {AROUND_BODY}"
    else:
        wanted = int.from_bytes(frame[2:4], "little")
        missing = wanted - len(frame)
        what = f"{missing} bytes are missing" if missing > 0 else f"{-missing} bytes too many"
        text = f"the length {wanted} does not fit the {len(frame)} bytes that are here: {what}"
        if wanted < AROUND_BODY:
            text = f"the length {wanted} is below {AROUND_BODY}, the shortest frame"
    command = int.from_bytes(frame[6:8], "little") if len(frame) >= _BODY_AT else 0
    return WireFrame(command, None, 0, 0, BAD, "", b"", "length", text, None, None)


def write_frame(
    command: int,
    raw: Mapping[str, Any],
    layout: Layout,
    *,
    sequence: int = 0,
    info: int = PLAIN_INFO,
) -> bytes:
    """A whole frame of raw values; ``trailing_hex`` is put behind them.

    Raises ``LocalProtocolError`` when a value is missing or does not fit.
    """
    return enclose(command, layout.write(dict(raw)), sequence=sequence, info=info)


def enclose(command: int, body: bytes, *, sequence: int = 0, info: int = PLAIN_INFO) -> bytes:
    """The envelope around a body. Raises ``LocalProtocolError`` when it is too long."""
    size = len(body) + AROUND_BODY
    if size > ENVELOPE.most:
        raise LocalProtocolError("too_long", f"a body of {len(body)} bytes is too long", frame_type=command)
    covered = command.to_bytes(2, "little") + body
    head = START + size.to_bytes(2, "little") + bytes((info, sequence & 0xFF))
    return head + covered + bytes((byte_sum(covered),))


# -- raw values as people read them ---------------------------------------------------------------------


def text_of(raw: bytes) -> str:
    """A text field: it ends at the first NUL, what stands behind is garbage; blanks at its end go too."""
    return raw.split(b"\0", 1)[0].decode("ascii", "backslashreplace").rstrip(" ")


def digits_of(raw: str) -> str | None:
    """A BCD time: 14 digits, ``None`` when all are zero, ``hex:…`` when some are none."""
    if not raw.strip("0"):
        return None
    return raw[:14] if raw[:14].isdecimal() else f"hex:{raw.lower()}"


def _shown(field: Any, value: Any) -> Any:
    match field.show:
        case Show.LIST:
            names = [sub.name for sub in field.body.subcons]
            if names == ["value"]:
                return [each["value"] for each in value]
            return [[each[name] for name in names] for each in value]
        case Show.TEXT:
            return text_of(value)
        case Show.BCD_TIME:
            return digits_of(value)
        case Show.TIME:
            return time_text(value)
        case Show.HEX:
            return value.lower()
    return value


def render_fields(wire: WireFrame) -> dict[str, Any]:
    """The values of a frame in the forms that ``decode`` prints: raw numbers, text, digits of times, hex."""
    return {} if wire.layout is None or wire.raw is None else render_raw(wire.layout, wire.raw)


def render_raw(layout: Layout, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Raw values of a layout in those forms."""
    shown = {name: _shown(field, raw[name]) for name, field in layout.fields if name in raw}
    if "trailing_hex" in raw:
        shown["extra"] = raw["trailing_hex"].lower()
    return shown

"""One frame as it stands on the wire, in whatever dialect, and how raw values are written for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import construct

from protocol.layout import Layout

BAD = "bad"


@dataclass(frozen=True, slots=True)
class WireFrame:
    """One frame as it stands on the wire.

    Attributes:
        type: the type or command number.
        direction: ``up`` or ``down``; ``None`` for an unknown type.
        sequence: the sequence field; never a key, only echoed.
        enc: the flag byte; which bits mean "encrypted" is the dialect's.
        crc: name of the checksum that holds, such as ``modbus-lo-hi`` or ``sum8``, or ``bad``.
        crc_expected: the right checksum as it would stand on the wire, low byte first, hex.
        error: what is wrong, ``None`` when nothing is; ``code`` says the same for programs.
        raw: raw values by wire key, ``None`` when no layout fits.
        layout: the layout the values were read by.
        note: what is odd about a frame that is taken all the same, empty when nothing is.
    """

    type: int
    direction: str | None
    sequence: int
    enc: int
    crc: str
    crc_expected: str
    body: bytes
    code: str | None
    error: str | None
    raw: dict[str, Any] | None
    layout: Layout | None
    note: str = ""


def construct_path(layout: Layout, body: bytes) -> str:
    """Where a body goes wrong, by construct's own account of the declaration."""
    try:
        layout.body.parse(body)
    except construct.ConstructError as error:
        return str(getattr(error, "path", "") or "").replace("(parsing) -> ", "at ") or "the body does not fit"
    return "the body fits"


def decimal_text(value: int, decimals: int) -> str:
    """An integer scaled by 10^-decimals as text with all its places."""
    sign = "-" if value < 0 else ""
    whole, places = divmod(abs(value), 10**decimals)
    return f"{sign}{whole}.{places:0{decimals}d}"

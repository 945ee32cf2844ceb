"""The vocabulary that frames are declared in.

Every kind is a construct of its own, so that a declaration parses and builds by construct alone, and carries the
op code by which ``codec.pyx`` does the same. *Raw values* are what both yield: integers as they stand on the wire,
identifiers as upper-case hex text, character fields as bytes. How a raw value is shown to people (``show``,
``decimals``, ``offset``, ``blank``) is part of the declaration too and is used by ``render``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import construct


class Op(IntEnum):
    """What the codec does for one field."""

    UINT = 0  # unsigned little-endian integer of 1…7 bytes
    UINT_BE = 1  # the same, big-endian
    SINT = 2  # signed little-endian integer of 1…7 bytes, two's complement
    UINT_WIDE = 3  # unsigned little-endian integer of 8 bytes
    HEX = 4  # bytes as upper-case hex text
    BYTES = 5  # bytes as they stand
    GROUP = 6  # a fixed number of repetitions of a sub-layout
    GROUP_COUNTED = 7  # as many repetitions as the integer field just before says
    GROUP_GREEDY = 8  # repetitions up to the end of the body
    BYTES_COUNTED = 9  # as many bytes as the integer field just before says
    REST_HEX = 10  # whatever is left, as upper-case hex text


class Show(IntEnum):
    """How a raw value is shown."""

    NUMBER = 0
    DECIMAL = 1  # integer scaled by 10^-decimals, after adding offset
    HEX = 2
    TEXT = 3
    VIN = 4
    TIME = 5
    SLOTS = 6
    CELL = 7  # 12 bits of 0.01 V, 4 bits of group
    BCD_TIME = 8  # digits of a date and time, null when they are all zero
    LIST = 9  # repetitions as bare lists of their values


class Uint(construct.BytesInteger):  # type: ignore[misc]
    """An unsigned integer of ``width`` bytes, 1 to 7; little-endian unless ``is_big``.

    Args:
        decimals: places behind the point when shown.
        offset: added to the raw value when shown, in raw units.
        blank: the raw value that means "not there" and is shown as null.
    """

    def __init__(
        self,
        width: int,
        *,
        decimals: int = 0,
        offset: int = 0,
        blank: int | None = None,
        is_big: bool = False,
        show: Show | None = None,
    ) -> None:
        assert 1 <= width <= 7
        super().__init__(width, signed=False, swapped=not is_big)
        self.op = Op.UINT_BE if is_big else Op.UINT
        self.width = width
        self.decimals = decimals
        self.offset = offset
        self.blank = blank
        self.show = show if show is not None else (Show.DECIMAL if decimals else Show.NUMBER)


class Wide(construct.BytesInteger):  # type: ignore[misc]
    """An unsigned little-endian integer of eight bytes."""

    def __init__(self) -> None:
        super().__init__(8, signed=False, swapped=True)
        self.op = Op.UINT_WIDE
        self.width = 8
        self.decimals = 0
        self.offset = 0
        self.blank = None
        self.show = Show.NUMBER


class Sint(construct.BytesInteger):  # type: ignore[misc]
    """A signed little-endian integer of ``width`` bytes, 1 to 7."""

    def __init__(self, width: int) -> None:
        assert 1 <= width <= 7
        super().__init__(width, signed=True, swapped=True)
        self.op = Op.SINT
        self.width = width
        self.decimals = 0
        self.offset = 0
        self.blank = None
        self.show = Show.NUMBER


class Hex(construct.Adapter):  # type: ignore[misc]
    """``width`` bytes as upper-case hex text: BCD and opaque identifiers."""

    def __init__(self, width: int) -> None:
        super().__init__(construct.Bytes(width))
        self.op = Op.HEX
        self.width = width
        self.show = Show.HEX

    def _decode(self, obj: bytes, context: Any, path: str) -> str:
        return obj.hex().upper()

    def _encode(self, obj: str, context: Any, path: str) -> bytes:
        return bytes.fromhex(obj)


class Rest(construct.Adapter):  # type: ignore[misc]
    """Whatever is left of a body, as upper-case hex text."""

    def __init__(self) -> None:
        super().__init__(construct.GreedyBytes)
        self.op = Op.REST_HEX
        self.width = 0
        self.show = Show.HEX

    def _decode(self, obj: bytes, context: Any, path: str) -> str:
        return obj.hex().upper()

    def _encode(self, obj: str, context: Any, path: str) -> bytes:
        return bytes.fromhex(obj)


class Chars(construct.Bytes):  # type: ignore[misc]
    """``width`` bytes of text, padded with zero bytes on the right when built."""

    def __init__(self, width: int, *, show: Show = Show.TEXT) -> None:
        super().__init__(width)
        self.op = Op.BYTES
        self.width = width
        self.show = show

    def _build(self, obj: bytes, stream: Any, context: Any, path: str) -> bytes:
        padded = bytes(obj).ljust(self.width, b"\0")
        return super()._build(padded, stream, context, path)  # type: ignore[no-any-return]


class Group(construct.Array):  # type: ignore[misc]
    """``count`` repetitions of a body."""

    def __init__(self, count: int, body: construct.Struct, *, show: Show | None = None) -> None:
        super().__init__(count, body)
        self.show = show
        self.op = Op.GROUP
        self.width = count
        self.body = body


class CountedGroup(construct.Array):  # type: ignore[misc]
    """As many repetitions of a body as the field ``counter`` says."""

    def __init__(self, counter: str, body: construct.Struct) -> None:
        super().__init__(lambda this: this[counter], body)
        self.op = Op.GROUP_COUNTED
        self.show = None
        self.width = 0
        self.counter = counter
        self.body = body


class GreedyGroup(construct.GreedyRange):  # type: ignore[misc]
    """Repetitions of a body up to the end."""

    def __init__(self, body: construct.Struct, *, show: Show | None = None) -> None:
        super().__init__(body)
        self.show = show
        self.op = Op.GROUP_GREEDY
        self.width = 0
        self.body = body


class CountedChars(construct.Bytes):  # type: ignore[misc]
    """As many bytes of text as the field ``counter`` says."""

    def __init__(self, counter: str) -> None:
        super().__init__(lambda this: this[counter])
        self.op = Op.BYTES_COUNTED
        self.width = 0
        self.counter = counter
        self.show = Show.TEXT

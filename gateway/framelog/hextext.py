"""Bytes written as hex text, in the spellings that people and other programs use."""

from __future__ import annotations

import re

_MARKS = re.compile(r"0[xX]|[\s,;:\-]")
_NO_DIGIT = re.compile(r"[^0-9a-fA-F]")


def hex_bytes(text: str) -> bytes:
    """The bytes of hex text; case, blanks, ``0x``, commas, colons and dashes do not matter.

    Raises ``ValueError`` that says which character is none of them, or that half a byte is left.
    """
    try:
        return bytes.fromhex(text)
    except ValueError:
        digits = _MARKS.sub("", text)
    wrong = _NO_DIGIT.search(digits)
    if wrong is not None:
        raise ValueError(f"{wrong[0]!r} is not a hex digit")
    if len(digits) % 2:
        raise ValueError(f"{len(digits)} hex digits: half a byte is left over")
    return bytes.fromhex(digits)

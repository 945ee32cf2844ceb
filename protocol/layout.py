"""A declared body, flattened once at import into the table that the codec runs.

The declaration in construct stays the only description; ``Layout`` keeps it beside the table, so that
tests can hold the two against each other and ``decode`` can ask construct where exactly a body goes wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import construct

from protocol.codec import OpTable
from protocol.fields import Op


def _table(body: construct.Struct) -> OpTable:
    rows = []
    for sub in body.subcons:
        kind = sub.subcon
        inner = _table(kind.body) if hasattr(kind, "body") else None
        rows.append((sub.name, int(kind.op), kind.width, inner))
    return OpTable(rows)


def _fixed_size(body: construct.Struct) -> int:
    total = 0
    for sub in body.subcons:
        kind = sub.subcon
        if kind.op is Op.GROUP:
            total += kind.width * _fixed_size(kind.body)
        elif kind.op not in (Op.GROUP_COUNTED, Op.GROUP_GREEDY, Op.BYTES_COUNTED, Op.REST_HEX):
            total += kind.width
    return total


@dataclass(frozen=True, slots=True)
class Layout:
    """One body layout.

    Attributes:
        name: of the layout, such as ``standard``.
        body: the declaration.
        size: bytes of its fixed part.
        least: bytes that a body must have at the very least; less than ``size`` for a layout that grew from version
            to version, of which an older pile sends the beginning. -1: all of them.
        is_open: whether it has a part of variable length.
        table: what the codec runs.
    """

    name: str
    body: construct.Struct
    least: int = -1
    size: int = field(init=False)
    is_open: bool = field(init=False)
    table: OpTable = field(init=False, repr=False)

    def __post_init__(self) -> None:
        variable = (Op.GROUP_COUNTED, Op.GROUP_GREEDY, Op.BYTES_COUNTED, Op.REST_HEX)
        object.__setattr__(self, "size", _fixed_size(self.body))
        object.__setattr__(self, "is_open", any(sub.subcon.op in variable for sub in self.body.subcons))
        object.__setattr__(self, "table", _table(self.body))

    @property
    def fields(self) -> tuple[tuple[str, Any], ...]:
        """(name, kind) of every field, in order."""
        return tuple((sub.name, sub.subcon) for sub in self.body.subcons)

    def read(self, body: bytes) -> dict[str, Any]:
        """Raw values of a body; what it holds beyond the layout is under ``trailing_hex``.

        Raises ``FieldError`` when the body is too short.
        """
        return self.table.read(body, self.least)

    def write(self, raw: dict[str, Any]) -> bytes:
        """The body of raw values. Raises ``LocalProtocolError`` naming the field that is missing or does not fit."""
        return self.table.write(raw, self.least)

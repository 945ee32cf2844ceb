"""A layout with one of each field, and what a word of the vocabulary tells of its bodies."""

from dataclasses import dataclass

from construct import Struct

from protocol.attributes import Fact
from protocol.dialects.ykc_wire import enclose
from protocol.envelope import YKC_ENVELOPE
from protocol.facttable import Facts
from protocol.fields import Chars, Group, Hex, Rest, Uint
from protocol.flattening import fact_table
from protocol.layout import Layout

BYTES = bytes.fromhex("0A0B 01 00 FFFE 0102 4142 03 04")
LAYOUT = Layout(
    "mixed",
    Struct(
        "name" / Hex(2),
        "one" / Uint(1),
        "blank" / Uint(1, offset=-50, blank=0),
        "wide" / Uint(2, offset=-4000),
        "big" / Uint(2, is_big=True),
        "text" / Chars(2),
        "items" / Group(2, Struct("value" / Uint(1))),
        "rest" / Rest(),
    ),
)


@dataclass(frozen=True, slots=True)
class Told:
    it: object
    more: str = "by default"


@dataclass(frozen=True, slots=True)
class Item:
    number: int


def told(attribute, *, body=BYTES, scale=1, layout=LAYOUT):
    """The value that one attribute gets."""
    table = fact_table(layout, Fact(Told, {"it": attribute}))
    fact = Facts(YKC_ENVELOPE, {9: [table]}).read(enclose(9, body, sequence=0x0102), 77, scale)
    assert fact.more == "by default"
    return fact.it

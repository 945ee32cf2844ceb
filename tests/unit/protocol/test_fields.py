"""The vocabulary, by construct alone."""

import construct
import pytest
from construct import Struct

from protocol.fields import (
    Chars,
    CountedChars,
    CountedGroup,
    GreedyGroup,
    Group,
    Hex,
    Op,
    Rest,
    Show,
    Sint,
    Uint,
    Wide,
)

PAIR = Struct("a" / Uint(1), "b" / Hex(1))


@pytest.mark.parametrize(
    ("kind", "op", "width", "body", "value"),
    [
        (Uint(2), Op.UINT, 2, "0201", 0x0102),
        (Uint(2, is_big=True), Op.UINT_BE, 2, "0102", 0x0102),
        (Sint(2), Op.SINT, 2, "feff", -2),
        (Wide(), Op.UINT_WIDE, 8, "0100000000000080", 2**63 + 1),
        (Hex(2), Op.HEX, 2, "0abc", "0ABC"),
        (Chars(3), Op.BYTES, 3, "414200", b"AB\0"),
        (Rest(), Op.REST_HEX, 0, "0abc", "0ABC"),
    ],
)
def test_a_kind_reads_and_builds_and_names_its_op(kind, op, width, body, value):
    assert (kind.op, kind.width) == (op, width)
    assert kind.parse(bytes.fromhex(body)) == value
    assert kind.build(value).hex() == body


def test_text_is_padded_when_built():
    assert Chars(4).build(b"ab") == b"ab\0\0"


@pytest.mark.parametrize(
    ("kind", "op", "body", "value"),
    [
        (Group(2, PAIR), Op.GROUP, "01020304", [{"a": 1, "b": "02"}, {"a": 3, "b": "04"}]),
        (GreedyGroup(PAIR), Op.GROUP_GREEDY, "0102", [{"a": 1, "b": "02"}]),
    ],
)
def test_repetitions(kind, op, body, value):
    assert kind.op is op
    assert [{"a": one.a, "b": one.b} for one in kind.parse(bytes.fromhex(body))] == value
    assert kind.build(value).hex() == body


def test_counted_kinds_look_at_their_counter():
    struct = Struct("n" / Uint(1), "x" / CountedGroup("n", PAIR), "m" / Uint(1), "y" / CountedChars("m"))
    raw = struct.parse(bytes.fromhex("01aabb024142"))
    assert (raw.n, raw.x[0].b, raw.m, raw.y) == (1, "BB", 2, b"AB")
    assert struct.build({"n": 1, "x": [{"a": 0xAA, "b": "BB"}], "m": 2, "y": b"AB"}).hex() == "01aabb024142"
    with pytest.raises(construct.ConstructError):
        struct.build({"n": 2, "x": [], "m": 0, "y": b""})


@pytest.mark.parametrize("width", [0, 8])
def test_an_integer_has_one_to_seven_bytes(width):
    with pytest.raises(AssertionError):
        Uint(width)
    with pytest.raises(AssertionError):
        Sint(width)


def test_how_a_number_is_shown_follows_from_its_decimals():
    assert Uint(2).show is Show.NUMBER
    assert Uint(2, decimals=1).show is Show.DECIMAL
    assert Uint(7, show=Show.TIME).show is Show.TIME

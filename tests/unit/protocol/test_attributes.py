"""The vocabulary of events: each word by hand, and declarations that cannot be meant."""

from dataclasses import dataclass

import pytest
from construct import Struct

from protocol.attributes import (
    BODY,
    MOMENT,
    SCALE,
    SEQUENCE,
    Choice,
    Each,
    Fact,
    Field,
    Given,
    Identifier,
    Made,
    Number,
    Pile,
    Register,
    Scaled,
    Shown,
    Surplus,
    Text,
    Time,
    Whole,
    attribute_of,
    fact_table,
)
from protocol.dialects.ykc_wire import enclose
from protocol.envelope import YKC_ENVELOPE
from protocol.facttable import Facts
from protocol.fields import Chars, CountedGroup, GreedyGroup, Group, Hex, Rest, Show, Sint, Uint
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
METER = Layout("meter", Struct("from" / Uint(5), "to" / Uint(5), "counted" / Uint(4)))


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


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (MOMENT, 77),
        (SEQUENCE, 0x0102),
        (SCALE, 1),
        (BODY, BYTES),
        (Given("x"), "x"),
        (Field("name"), "0A0B"),
        (Field("one"), 1),
        (Field("big"), 0x0102),
        (Field("text"), b"AB"),
        (Pile("name"), "0A0B"),
        (Identifier("name"), "0A0B"),
        (Number("wide"), 0xFEFF - 4000),
        (Number("blank"), None),
        (Scaled("wide"), 0xFEFF),
        (Choice("one", {1: "yes"}), "yes"),
        (Choice("one", {2: "yes"}), None),
        (Choice("one", {2: "yes"}, "no"), "no"),
        (Choice("one", {2: "yes"}, Choice("blank", {0: "none"})), "none"),
        (Made(lambda one, text, scale: (one, text, scale), "one", "text", SCALE), (1, b"AB", 1)),
        (Made(lambda: "nothing needed"), "nothing needed"),
        (Made(lambda part: part, Choice("one", {}, Number("one"))), 1),
        (Whole(lambda raw: sorted(raw)), sorted(name for name, _ in LAYOUT.fields)),
        (Shown(lambda raw: {"one": raw["one"]}), {"one": 1}),
        (Each("items", Item, {"number": Scaled("value")}), (Item(3), Item(4))),
    ],
    ids=str,
)
def test_each_word_means_what_it_says(attribute, value):
    assert told(attribute) == value


def test_a_number_with_something_in_it_is_not_blank():
    assert told(Number("blank"), body=BYTES[:3] + b"\x4b" + BYTES[4:]) == 25


def test_an_identifier_of_zeros_is_none():
    body = bytes(2) + BYTES[2:]
    assert told(Identifier("name"), body=body) is None
    assert told(Field("name"), body=body) == "0000"


def test_the_scale_multiplies_what_is_scaled_and_nothing_else():
    assert told(Scaled("wide"), scale=100) == 0xFEFF * 100
    assert told(Number("wide"), scale=100) == 0xFEFF - 4000
    assert told(Each("items", Item, {"number": Scaled("value")}), scale=100) == (Item(300), Item(400))


@pytest.mark.parametrize(
    ("raw", "text", "word"),
    [
        (b"AB\0C\0\0", "AB\0C", {}),
        (b"AB\0C\0\0", "AB", {"is_cut": True}),
        (b"A  \0x\0", "A", {"is_cut": True}),
        (b"AB \0\0\0", "AB ", {}),
        (b"\0\0AB\0\0", "BA", {"is_reversed": True}),
        (b"A\xffB\0\0\0", "A\\xffB", {}),
        (bytes(6), "", {}),
        (bytes(6), "", {"nothing": None, "is_cut": True}),
        (bytes(6), None, {"nothing": b""}),
        (b" 0 0\0\0", None, {"nothing": b" 0"}),
        (b" 0 1\0\0", " 0 1", {"nothing": b" 0"}),
        (b"\xff" * 6, None, {"nothing": b" 0\xff"}),
        (b"ABCDEF", "ABCDEF", {"is_cut": True}),
    ],
)
def test_a_text_ends_where_its_word_says(raw, text, word):
    for kind in (Chars(6), Hex(6)):
        assert told(Text("it", **word), layout=Layout("text", Struct("it" / kind)), body=raw) == text


def test_a_time_is_read_in_the_form_that_its_field_declares():
    digits = Hex(8)
    digits.show = Show.BCD_TIME
    layout = Layout("times", Struct("one" / Uint(7, show=Show.TIME), "two" / digits))
    body = bytes.fromhex("98B70E11100314 20200316171447FF")
    one, two = (told(Time(name), layout=layout, body=body) for name in ("one", "two"))
    assert one.civil_ms == two.civil_ms == 1_584_378_887_000
    assert (one.raw, two.raw) == (body[:7], body[7:])


@pytest.mark.parametrize(
    ("start", "end", "counted", "read"),
    [
        (1000, 1300, 300, (1000, 1300)),
        (1000 << 8, 1300 << 8, 300, (1000, 1300)),
        (1000 << 8, 1300 << 8, 300 << 8, (1000 << 8, 1300 << 8)),
        (1000 << 8, 1300 << 8, 299, (1000 << 8, 1300 << 8)),
        (1000 << 8 | 1, 1300 << 8, 300, (1000 << 8 | 1, 1300 << 8)),
        (256, 256, 0, (256, 256)),
    ],
    ids=["as it is", "a byte too high", "really so much", "another difference", "no zero byte", "nothing counted"],
)
def test_a_register_a_byte_too_high_is_brought_down(start, end, counted, read):
    body = start.to_bytes(5, "little") + end.to_bytes(5, "little") + counted.to_bytes(4, "little")
    names = ("from", "to", "counted")
    assert told(Register(False, *names), layout=METER, body=body) == read[0]
    assert told(Register(True, *names), layout=METER, body=body, scale=100) == read[1] * 100


def test_a_surplus_tells_longer_bodies_apart():
    layout = Layout("short", Struct("one" / Uint(1)))
    attribute = Surplus("longer", Choice("one", {1: "one"}))
    assert told(attribute, layout=layout, body=b"\x01") == "one"
    assert told(attribute, layout=layout, body=b"\x01\x00") == "longer"


def test_a_value_stands_for_itself():
    assert attribute_of("x") == Given("x")
    assert attribute_of(Number("x")) == Number("x")


@pytest.mark.parametrize(
    "attributes",
    [{}, {"it": Given(1), "them": Given(2)}, {"it": Identifier("one")}, {"it": Pile("text")}, {"it": Scaled("big")}],
    ids=["one is missing", "no such attribute", "an integer as identifier", "text as pile", "big-endian scaled"],
)
def test_a_declaration_that_does_not_fit_its_class_is_refused(attributes):
    with pytest.raises(AssertionError):
        fact_table(LAYOUT, Fact(Told, attributes))


@pytest.mark.parametrize("name", ["rest", "nowhere"])
def test_only_fields_of_a_fixed_place_can_be_named(name):
    with pytest.raises(KeyError):
        fact_table(LAYOUT, Fact(Told, {"it": Field(name)}))


def test_only_what_the_codec_knows_as_unsigned_is_a_number():
    with pytest.raises(KeyError):
        fact_table(Layout("signed", Struct("it" / Sint(2))), Fact(Told, {"it": Number("it")}))


def test_a_layout_whose_length_its_own_bytes_decide_has_no_table():
    counted = Layout("counted", Struct("count" / Uint(1), "items" / CountedGroup("count", Struct("a" / Uint(1)))))
    with pytest.raises(AssertionError):
        fact_table(counted, Fact(Told, {"it": Given(1)}))
    greedy = Layout("greedy", Struct("one" / Uint(1), "items" / GreedyGroup(Struct("a" / Uint(1)))))
    assert told(Whole(lambda raw: len(raw["items"])), layout=greedy, body=bytes(4)) == 3


def test_a_repetition_has_no_body_of_its_own():
    with pytest.raises(AssertionError):
        fact_table(LAYOUT, Fact(Told, {"it": Each("items", Item, {"number": Whole(len)})}))

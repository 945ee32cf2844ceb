"""The vocabulary of events: each word by hand, and declarations that cannot be meant."""

import pytest
from construct import Struct

from protocol.attributes import (
    BODY,
    LINK,
    LINK_PILE,
    MOMENT,
    REFERENCE,
    SCALE,
    SEQUENCE,
    Blank,
    Choice,
    Each,
    Either,
    Fact,
    Field,
    Given,
    Identifier,
    Made,
    Number,
    Or,
    Pile,
    Plain,
    Register,
    Scaled,
    Shown,
    Sum,
    Surplus,
    Text,
    Time,
    Values,
    Whole,
    attribute_of,
)
from protocol.dialects.ykc_wire import enclose
from protocol.envelope import YKC_ENVELOPE
from protocol.facttable import Facts
from protocol.fields import Chars, Group, Hex, Show, Sint, Uint, Wide
from protocol.flattening import fact_table
from protocol.layout import Layout
from tests.support.telling import BYTES, LAYOUT, Item, Told, told

METER = Layout("meter", Struct("from" / Uint(5), "to" / Uint(5), "counted" / Uint(4)))


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


SMALL = Layout("small", Struct("one" / Uint(1), "two" / Sint(2), "four" / Uint(4), "wide" / Wide()), 3)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (Number("four", times=100), 700),
        (Number("four", per=4), 1),
        (Number("four", times=10, per=4), 17),
        (Number("two"), -2),
        (Number("two", times=3), -6),
        (Number("two", least=0), 0),
        (Number("wide", times=10), (2**64 - 1) * 10),
        (Field("wide"), 2**64 - 1),
        (Sum((Number("four"), Number("two"), Given(100))), 105),
        (Either("one", {5, 6}, "is", Number("four")), "is"),
        (Either("one", {6}, "is", Number("four")), 7),
        (LINK, "the link"),
        (LINK_PILE, "its pile"),
        (REFERENCE, 88),
    ],
    ids=str,
)
def test_numbers_are_reckoned_and_the_link_is_asked(attribute, value):
    body = b"\x05\xfe\xff\x07\0\0\0" + b"\xff" * 8
    reached = isinstance(attribute, Plain) or getattr(attribute, "name", "") in ("one", "two")
    inner = attribute if reached else Made(lambda told: told, attribute)
    layout = Layout("small", SMALL.body)
    table = fact_table(layout, Fact(Told, {"it": inner}))
    fact = Facts(YKC_ENVELOPE, {9: [table]}).read(enclose(9, body), 1, 1, 88, "its pile", "the link")
    assert fact.it == value


def test_where_the_body_ends_before_a_field_another_attribute_tells():
    body = b"\x05\xfe\xff\x07\0\0\0" + b"\xff" * 8
    for attribute in (Or(Number("four"), "none"), Made(lambda told: told, Or(Number("four"), "none"))):
        assert [told(attribute, layout=SMALL, body=body[:size]) for size in (3, 6, 7, 15)] == ["none", "none", 7, 7]
    with pytest.raises(AssertionError, match="which is there"):
        fact_table(SMALL, Fact(Told, {"it": Number("four")}))


def test_repetitions_as_bare_numbers_and_whether_they_are_zero():
    layout = Layout("slots", Struct("slots" / Group(3, Struct("value" / Uint(2)))))
    body = bytes((0, 1, 0, 0, 0, 0))
    assert told(Values("slots", 10), layout=layout, body=body) == (2560, 0, 0)
    assert [told(Blank("slots", first), layout=layout, body=body) for first in (0, 1, 2)] == [False, True, True]


def test_a_fact_may_be_told_of_certain_bodies_only():
    layout = Layout("answer", Struct("address" / Sint(4)))
    facts = [Fact(Told, {"it": Given(value)}, only=("address", value)) for value in (-1, 7)]
    read = Facts(YKC_ENVELOPE, {9: [fact_table(layout, fact) for fact in facts]}).read
    found = [read(enclose(9, address.to_bytes(4, "little", signed=True)), 1) for address in (-1, 7, 0)]
    assert [fact and fact.it for fact in found] == [-1, 7, None]


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
        (bytes(6), 7, {"nothing": b"", "otherwise": Made(lambda: 7)}),
        (b"A\0\0\0\0\0", "A", {"nothing": b"", "otherwise": "another"}),
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

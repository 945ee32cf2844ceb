"""Declarations of facts that cannot be meant, and where fields stand."""

import pytest
from construct import Struct

from protocol.attributes import LINK, Each, Either, Fact, Field, Given, Identifier, Made, Number, Pile, Scaled, Whole
from protocol.fields import CountedGroup, GreedyGroup, Sint, Uint, Wide
from protocol.flattening import fact_table, place_of
from protocol.layout import Layout
from tests.support.telling import LAYOUT, Item, Told, told


def test_a_place_is_where_a_field_stands():
    assert place_of(LAYOUT, "text") == (8, 2)


def test_what_asks_the_link_is_told_by_what_was_learnt():
    layout = Layout("state", Struct("one" / Uint(1), "two" / Uint(1)))
    made = Made(lambda link, one: one, LINK, "one")
    assert fact_table(layout, Fact(Told, {"it": made}, learnt=("one",)))
    for attribute in (Made(lambda link, two: two, LINK, "two"), Either("two", {1}, made, None)):
        with pytest.raises(AssertionError):
            fact_table(layout, Fact(Told, {"it": attribute}, learnt=("one",)))


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        (Sint(2), {"per": 2}),
        (Uint(1), {"least": 0}),
        (Uint(5), {"times": 10}),
        (Wide(), {"per": 2}),
        (Uint(2, is_big=True), {"times": 2}),
    ],
    ids=["a signed one divided", "an unsigned one kept up", "too wide", "eight bytes divided", "big-endian times two"],
)
def test_a_number_that_cannot_be_reckoned_is_refused(kind, how):
    with pytest.raises(AssertionError):
        fact_table(Layout("odd", Struct("it" / kind)), Fact(Told, {"it": Number("it", **how)}))


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


def test_a_layout_whose_length_its_own_bytes_decide_has_no_table():
    counted = Layout("counted", Struct("count" / Uint(1), "items" / CountedGroup("count", Struct("a" / Uint(1)))))
    with pytest.raises(AssertionError):
        fact_table(counted, Fact(Told, {"it": Given(1)}))
    greedy = Layout("greedy", Struct("one" / Uint(1), "items" / GreedyGroup(Struct("a" / Uint(1)))))
    assert told(Whole(lambda raw: len(raw["items"])), layout=greedy, body=bytes(4)) == 3


def test_a_repetition_has_no_body_of_its_own():
    with pytest.raises(AssertionError):
        fact_table(LAYOUT, Fact(Told, {"it": Each("items", Item, {"number": Whole(len)})}))

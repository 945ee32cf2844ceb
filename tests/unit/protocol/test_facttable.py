"""Tables: what they refuse to be made of, which one reads a body, and values that are rendered when looked at."""

import copy
import dataclasses
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import protocol
from protocol.attributes import Step
from protocol.dialects.ykc import facts_of
from protocol.dialects.ykc_wire import enclose
from protocol.envelope import YKC_ENVELOPE
from protocol.events import BmsReported, HeartbeatReceived
from protocol.facttable import Facts, FactTable, Rendering
from protocol.fields import Op
from tests.support.wire import bcd, frame, heartbeat, login

PILE = "44030512003301"
GIVEN, UINT, CHOICE, MADE, SURPLUS = Step.GIVEN, Step.UINT, Step.CHOICE, Step.MADE, Step.SURPLUS
TEXT, REGISTER, CP56_TIME = Step.TEXT, Step.REGISTER, Step.CP56_TIME


@dataclass(frozen=True, slots=True)
class Pair:
    one: object
    two: object


@dataclass(frozen=True)
class Loose:
    one: object


@dataclass(slots=True)
class Open:
    one: object


@dataclass(frozen=True, slots=True)
class Checked:
    one: object

    def __post_init__(self):
        raise AssertionError("it would not run")


def given(name, value):
    return (name, GIVEN, 0, 0, 0, None, -1, value)


def table(*rows, kind=Pair, size=4, **how):
    return FactTable(kind, rows, size, **how)


def told(made, body):
    return Facts(YKC_ENVELOPE, {7: [made]}).read(enclose(7, body), 1)


def test_an_object_is_like_one_that_was_made_by_its_class():
    pair = told(table(given("one", 5), ("two", UINT, 1, 2, -3, None, -1, None)), bytes((0, 1, 2, 0)))
    assert pair == Pair(5, 0x0201 - 3)
    assert (repr(pair), hash(pair)) == (repr(Pair(5, 510)), hash(Pair(5, 510)))
    assert dataclasses.replace(pair, one=6) == Pair(6, 510)
    assert copy.deepcopy(pair) == pair
    assert pickle.loads(pickle.dumps(pair)) == pair
    with pytest.raises(dataclasses.FrozenInstanceError):
        pair.one = 7


def test_what_fails_half_way_leaves_no_object():
    def refuse():
        raise ValueError("refused")

    made = table(given("one", 5), ("two", MADE, 2, 0, 0, None, -1, refuse), given(None, 0))
    with pytest.raises(ValueError, match="refused"):
        told(made, bytes(4))


@pytest.mark.parametrize(
    "make",
    [
        lambda: table(given("one", 1)),
        lambda: table(given("one", 1), given("two", 2), given("three", 3)),
        lambda: table(given("one", 1), given(None, 0), given("two", 2)),
        lambda: table(given("one", 1), kind=Loose),
        lambda: table(given("one", 1), kind=Open),
        lambda: table(given("one", 1), kind=Checked),
        lambda: table(given("one", 1), ("two", UINT, 1, 4, 0, None, -1, None)),
        lambda: table(given("one", 1), ("two", UINT, 0, 8, 0, None, -1, None), size=9),
        lambda: table(given("one", 1), ("two", UINT, -1, 2, 0, None, -1, None)),
        lambda: table(given("one", 1), ("two", CHOICE, 0, 1, 0, None, -1, (1, 2))),
        lambda: table(given("one", 1), ("two", CHOICE, 0, 1, 0, None, 1, (1,) * 256)),
        lambda: table(given("one", 1), ("two", SURPLUS, 0, 0, 0, None, -1, 1)),
        lambda: table(given("one", 1), ("two", MADE, 1, 1, 0, None, -1, int)),
        lambda: table(given("one", 1), ("two", MADE, 2, 1, 0, None, -1, int)),
        lambda: table(given("one", 1), given("two", 2), speaker=(2, 3)),
        lambda: table(given("one", 1), ("two", TEXT, 0, 65, 0, None, -1, None), size=70),
        lambda: table(given("one", 1), ("two", TEXT, 0, 4, 0, 0, -1, None)),
        lambda: table(given("one", 1), ("two", CP56_TIME, 0, 8, 0, None, -1, None), size=8),
        lambda: table(given("one", 1), ("two", REGISTER, 2, 0, 0, None, -1, None), given(None, 0), given(None, 0)),
    ],
    ids=[
        "an attribute missing",
        "one too many",
        "a part before an attribute",
        "no slots",
        "not frozen",
        "with a __post_init__",
        "behind the body",
        "wider than a slot",
        "before the body",
        "a choice with holes",
        "a row that leads to itself",
        "a surplus without its otherwise",
        "parts that are the row itself",
        "parts that are not there",
        "a speaker behind the body",
        "a text that is too long",
        "a text that may say nothing, and how is not told",
        "a time of another width",
        "a register without all its parts",
    ],
)
def test_a_table_that_could_go_wrong_is_not_made(make):
    with pytest.raises(AssertionError):
        make()


def test_the_table_of_one_size_goes_before_that_of_any():
    def named(name, size, **how):
        return table(given("one", name), given("two", 0), size=size, **how)

    facts = Facts(YKC_ENVELOPE, {7: [named("six", 6, sizes=frozenset({6})), named("any", 4)]})
    sizes = {size: facts.read(enclose(7, bytes(size)), 1) for size in range(3, 8)}
    assert {size: fact and fact.one for size, fact in sizes.items()} == {
        3: None,
        4: "any",
        5: "any",
        6: "six",
        7: "any",
    }


def test_only_clear_frames_of_a_pile_are_told():
    facts = facts_of()
    assert facts.read(heartbeat(PILE, 2), 5) == HeartbeatReceived(5, PILE, 0, 2, False)
    body = heartbeat(PILE)[6:-2]
    for none in (frame(0x03, body, enc=1), frame(0x04, body), frame(0xEE, body), frame(0x03, body[:-1]), b"\x68", b""):
        assert facts.read(none, 5) is None


def test_a_speaker_is_a_pile_or_a_connector_of_it():
    facts = facts_of()
    assert facts.speaker_of(heartbeat(PILE, 2)) == bcd(PILE) + b"\x02"
    assert facts.speaker_of(frame(0x09, bcd(PILE))) == bcd(PILE)
    assert facts.speaker_of(login(PILE)) == b""
    assert facts.speaker_of(frame(0xEE, b"")) == b""


@pytest.mark.parametrize(("words", "source"), [(Step, "facttable.pyx"), (Op, "codec.pyx")])
def test_python_and_c_mean_the_same_by_a_number(words, source):
    text = (Path(protocol.__file__).parent / source).read_text(encoding="utf-8")
    [block] = [block for block in re.findall(r"cdef enum:\n((?: +[A-Z0-9_]+ = \d+\n)+)", text) if "UINT_BE" in block]
    assert re.findall(r"([A-Z0-9_]+) = (\d+)", block) == [(word.name, str(int(word))) for word in words]


# -- renderings -----------------------------------------------------------------------------------------


def test_a_rendering_is_made_when_it_is_looked_at_and_then_once():
    asked = []
    rendering = Rendering(lambda body: asked.append(body) or {"a": body[0]}, b"\x07")
    assert asked == []
    assert rendering["a"] == rendering.get("a") == 7
    assert asked == [b"\x07"]


def test_a_rendering_is_a_mapping_like_its_dict():
    def rendering():
        return Rendering(lambda body: {"a": 1, "b": None}, b"")

    one = rendering()
    assert isinstance(one, Mapping)
    assert one == rendering() == {"a": 1, "b": None} == one
    assert one != {"a": 1}
    assert (list(one), len(one), "b" in one, "c" in one) == (["a", "b"], 2, True, False)
    assert (list(one.keys()), list(one.values()), list(one.items())) == (["a", "b"], [1, None], [("a", 1), ("b", None)])
    assert {**one, "c": 2} == {"a": 1, "b": None, "c": 2}
    assert (repr(one), one.get("c"), one.get("c", 3)) == (repr({"a": 1, "b": None}), None, 3)
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == {"a": 1, "b": None}
    with pytest.raises(KeyError):
        one["c"]
    with pytest.raises(TypeError):
        hash(one)


def test_events_with_a_rendering_compare_by_what_it_shows():
    def report(text):
        return BmsReported(1, PILE, 0, 1, None, "demand", Rendering(lambda body: {"a": text}, b""))

    assert report("x") == report("x") == dataclasses.replace(report("x"))
    assert report("x") != report("y")

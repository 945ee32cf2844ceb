"""A declared fact, flattened into the fact table that C runs.

Places, widths, offsets and blanks come from the declaration of the body; ``attributes.py`` has the words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

import construct

from protocol.attributes import (
    ATTRIBUTES,
    Attribute,
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
    Step,
    Sum,
    Surplus,
    Text,
    Time,
    Values,
    Whole,
    attribute_of,
)
from protocol.facttable import OTHERWISE, FactTable
from protocol.fields import Op, Show
from protocol.layout import Layout

Place = tuple[int, Any]  # first byte, kind
Row = tuple[str | None, int, int, int, int, int | None, int, object]


def _places(body: construct.Struct) -> dict[str, Place]:
    """Where the fields of fixed width stand, up to the first that is not."""
    places: dict[str, Place] = {}
    at = 0
    for sub in body.subcons:
        kind = sub.subcon
        if kind.op is Op.GROUP:
            places[sub.name] = (at, kind)
            at += kind.width * _size(kind.body)
        elif kind.op in (Op.GROUP_COUNTED, Op.GROUP_GREEDY, Op.BYTES_COUNTED, Op.REST_HEX):
            break
        else:
            places[sub.name] = (at, kind)
            at += kind.width
    return places


def place_of(layout: Layout, name: str) -> tuple[int, int]:
    """(first byte, bytes) of a field of fixed width in the bodies of a layout."""
    at, kind = _places(layout.body)[name]
    return at, kind.width


def _size(body: construct.Struct) -> int:
    return sum(sub.subcon.width for sub in body.subcons)


_RAW_STEPS = {
    Op.UINT: Step.UINT,
    Op.UINT_BE: Step.UINT_BE,
    Op.SINT: Step.SINT,
    Op.UINT_WIDE: Step.WIDE,
    Op.HEX: Step.DIGITS,
    Op.BYTES: Step.CHARS,
}
_FAR = 1 << 56  # below what any number falls
_TIME_STEPS = {Show.TIME: Step.CP56_TIME, Show.BCD_TIME: Step.DIGITS_TIME}
_CUT, _REVERSED = 1, 2  # how a text is taken


class _Flattening:
    """The rows of one body."""

    def __init__(self, layout: Layout | None, places: dict[str, Place]) -> None:
        self.layout = layout
        self.places = places
        self.rows: list[Row | None] = []

    def fill(self, index: int, name: str | None, attribute: Attribute) -> None:
        """The row of one attribute, and those of its parts behind all others."""
        at = width = 0
        otherwise, thing = -1, None
        match attribute:
            case Plain(step):
                pass
            case Given(value):
                step, thing = Step.GIVEN, value
            case Sum(parts):
                step, at, width = Step.SUM, *self.parts(parts)
            case Register(is_end, start, end, counted):
                at, _ = self.parts((Number(start), Number(end), Number(counted)))
                step, width = Step.REGISTER, int(is_end)
                assert all(self.places[name][1].op is Op.UINT for name in (start, end, counted))
            case Or(inner, other):
                at, kind = self.places[inner.name]
                step, width = Step.REACHED, at + kind.width
                at, _ = self.parts((inner, attribute_of(other)))
            case Surplus(value, other):
                step, thing, otherwise = Step.SURPLUS, value, self.part(other)
            case Made(function=function, parts=parts):
                step, thing, at, width = Step.MADE, function, *self.parts(parts)
            case Whole(function):
                step, thing = Step.WHOLE, self.read_for(function)
            case Shown(function):
                step, thing = Step.SHOWN, self.read_for(function)
            case Each(field, kind_of_each, attributes):
                at, kind = self.places[field]
                step, width, thing = Step.EACH, kind.width, _inner(kind_of_each, kind.body, attributes)
            case _:
                self.rows[index] = (name, *self.of_field(attribute))
                return
        self.rows[index] = (name, int(step), at, width, 0, None, otherwise, thing)

    def of_field(self, attribute: Any) -> tuple[int, int, int, int, int | None, int, object]:
        """The row of what one field tells, but for its name."""
        at, kind = self.places[attribute.name]
        width, add, otherwise = kind.width, 0, -1
        blank: int | None = None
        thing: object = None
        match attribute:
            case Field():
                step = _RAW_STEPS[kind.op]
                thing = 1 if step is Step.WIDE else None
            case Number(_, times, per, least):
                step, add, blank = _RAW_STEPS[kind.op], kind.offset, kind.blank
                thing = self.reckoned(step, add, blank, times, per, least)
            case Scaled():
                step = Step.SCALED
                assert kind.op is Op.UINT
            case Pile() | Identifier():
                step = Step.PILE if isinstance(attribute, Pile) else Step.IDENTIFIER
                assert kind.op is Op.HEX
            case Time():
                step = _TIME_STEPS[kind.show]
            case Text(_, is_cut, is_reversed, nothing, other):
                step, thing = Step.TEXT, nothing
                add, blank = is_cut * _CUT + is_reversed * _REVERSED, None if nothing is None else 0
                otherwise = -1 if other is None else self.part(other)
                assert kind.op in (Op.BYTES, Op.HEX)
            case Choice(_, table, other):
                step = Step.CHOICE
                is_open = isinstance(other, ATTRIBUTES)
                thing = tuple(table.get(raw, OTHERWISE if is_open else other) for raw in range(256))
                otherwise = self.part(other) if is_open else -1
            case Either(_, values, one, other):
                step, thing = Step.EITHER, bytes(raw in values for raw in range(256))
                otherwise, _ = self.parts((attribute_of(one), attribute_of(other)))
            case Values(_, times):
                step, thing = Step.VALUES, (_size(kind.body), times)
                assert [sub.subcon.op for sub in kind.body.subcons] == [Op.UINT]
            case Blank(_, first):
                at, width = at + first * _size(kind.body), (kind.width - first) * _size(kind.body)
                step = Step.BLANK
        return int(step), at, width, add, blank, otherwise, thing

    @staticmethod
    def reckoned(step: Step, add: int, blank: int | None, times: int, per: int, least: int | None) -> object:
        """What is to be done to a number of that step; ``None`` for nothing."""
        assert step is Step.UINT or blank is None
        match step:
            case Step.UINT | Step.SINT:
                assert (per, add) == (1, 0) if step is Step.SINT else least is None
                is_plain = (times, per, least) == (1, 1, None)
                return None if is_plain else (times, per, -_FAR if least is None else least)
            case Step.WIDE:
                assert (add, per) == (0, 1)
                return times
        assert step is Step.UINT_BE
        assert (times, per) == (1, 1)
        return None

    def part(self, value: object) -> int:
        """The row of what tells when another row does not."""
        return self.parts((attribute_of(value),))[0]

    def parts(self, attributes: Sequence[Attribute]) -> tuple[int, int]:
        """(first row, count) of parts, which stand one behind the other."""
        first = len(self.rows)
        self.rows += [None] * len(attributes)
        for index, attribute in enumerate(attributes, first):
            self.fill(index, None, attribute)
        return first, len(attributes)

    def read_for(self, function: Callable[[dict[str, Any]], object]) -> Callable[[bytes], object]:
        """A function of raw values as one of the body."""
        assert self.layout is not None, "the repetitions of a group are no bodies"
        read = self.layout.read
        return lambda body: function(read(body))


def _named(attribute: object) -> Iterator[str | None]:
    """The fields that an attribute is told by; ``None`` for the frame itself, or its moment."""
    match attribute:
        case Given() | Plain(Step.LINK) | Plain(Step.LINK_PILE):
            return
        case Plain() | Whole() | Shown() | Surplus():
            yield None
        case Register():
            yield from (attribute.start, attribute.end, attribute.counted)
        case Made() | Sum():
            for part in attribute.parts:
                yield from _named(part)
        case Or(inner, other):
            yield from (*_named(inner), *_named(attribute_of(other)))
        case _:
            yield attribute.name  # type: ignore[attr-defined]
            for other in (getattr(attribute, "attribute", None), getattr(attribute, "otherwise", None)):
                yield from _named(attribute_of(other))


def _asks_link(attribute: object) -> bool:
    """Whether the link may have to be asked."""
    if isinstance(attribute, Plain):
        return attribute.step in (Step.LINK, Step.LINK_PILE)
    inner = (getattr(attribute, "attribute", None), getattr(attribute, "otherwise", None))
    return any(_asks_link(part) for part in (*getattr(attribute, "parts", ()), *inner) if part is not None)


def _rows(
    layout: Layout | None, places: dict[str, Place], kind: type, attributes: Mapping[str, Attribute]
) -> list[Row]:
    flattening = _Flattening(layout, places)
    told = {each.name: attributes.get(each.name, Given(each.default)) for each in fields(kind)}
    assert set(attributes) <= set(told), f"{kind.__name__} has no such attribute"
    assert not any(each == Given(MISSING) for each in told.values()), f"{kind.__name__} needs an attribute more"
    flattening.rows += [None] * len(told)
    for index, (name, attribute) in enumerate(told.items()):
        flattening.fill(index, name, attribute)
    rows = [row for row in flattening.rows if row is not None]
    assert len(rows) == len(flattening.rows)
    return rows


def _inner(kind: type, body: construct.Struct, attributes: Mapping[str, Attribute]) -> FactTable:
    return FactTable(kind, _rows(None, _places(body), kind, attributes), _size(body))


def fact_table(layout: Layout, fact: Fact, *, sizes: frozenset[int] | None = None) -> FactTable:
    """The table that reads bodies of a layout as a fact.

    Args:
        sizes: of the bodies that the layout is of, if not of any that are long enough.
    """
    assert all(sub.subcon.op not in (Op.GROUP_COUNTED, Op.BYTES_COUNTED) for sub in layout.body.subcons)
    places = _places(layout.body)

    def span(name: str) -> tuple[int, int]:
        return places[name][0], places[name][1].width

    speaker, only = (0, 0), (0, 0, 0)
    if fact.speaker:
        first, last = span(fact.speaker[0]), span(fact.speaker[-1])
        speaker = (first[0], last[0] + last[1] - first[0])
    same = {name for name, each in fact.attributes.items() if fact.learnt and {*_named(each)} <= {*fact.learnt}}
    assert not fact.learnt or all(name in same for name, each in fact.attributes.items() if _asks_link(each))
    if fact.only is not None:
        at, width = span(fact.only[0])
        only = (at, width, fact.only[1] & ((1 << (8 * width)) - 1))
    return FactTable(
        fact.kind,
        _rows(layout, places, fact.kind, fact.attributes),
        layout.least if layout.least >= 0 else layout.size,
        sizes=sizes,
        speaker=speaker,
        learnt=[span(name) for name in fact.learnt],
        same=same,
        only=only,
    )

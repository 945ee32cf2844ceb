"""The vocabulary that events are declared in: which field of a body becomes which attribute, and how.

As a frame is declared once, in the words of ``fields.py``, and flattened into an op table, so what it tells is declared
once, in these words, and flattened into a fact table, which ``facttable.pyx`` runs. Places, widths, offsets and blanks
come from the declaration of the frame; nothing of it is said again here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from enum import IntEnum
from typing import Any, get_args

import construct

from protocol.facttable import OTHERWISE, FactTable
from protocol.fields import Op, Show
from protocol.layout import Layout


class Step(IntEnum):
    """What the fact table does for one attribute."""

    MOMENT = 0
    SEQUENCE = 1
    PILE = 2
    UINT = 3
    UINT_BE = 4
    SCALED = 5
    CHOICE = 6
    DIGITS = 7
    IDENTIFIER = 8
    GIVEN = 9
    CHARS = 10
    MADE = 11
    WHOLE = 12
    EACH = 13
    SHOWN = 14
    SURPLUS = 15
    BODY = 16
    SCALE = 17
    CP56_TIME = 18
    DIGITS_TIME = 19
    TEXT = 20
    REGISTER = 21


@dataclass(frozen=True, slots=True)
class Plain:
    """What needs no field: ``MOMENT``, ``SEQUENCE``, ``SCALE`` or ``BODY``."""

    step: Step


MOMENT = Plain(Step.MOMENT)  # when the frame was received
SEQUENCE = Plain(Step.SEQUENCE)  # of its envelope
SCALE = Plain(Step.SCALE)  # what the link multiplies scaled values by
BODY = Plain(Step.BODY)  # the bytes of the body


@dataclass(frozen=True, slots=True)
class Given:
    """Always the same value."""

    value: object


@dataclass(frozen=True, slots=True)
class Field:
    """The raw value of a field of fixed width."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """An integer as it is shown: with its offset, ``None`` when it is blank. Decimals are left to the unit."""

    name: str


@dataclass(frozen=True, slots=True)
class Scaled:
    """An integer times the scale of the link, for values that some piles send with fewer decimals."""

    name: str


@dataclass(frozen=True, slots=True)
class Pile:
    """The number of the pile, as hex text."""

    name: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """A number as hex text, ``None`` when it is all zero."""

    name: str


@dataclass(frozen=True, slots=True)
class Time:
    """A reading of the pile's clock."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """Characters; NULs behind them are not of the text, and what is not ASCII is escaped.

    Attributes:
        is_cut: it ends at the first NUL, and blanks at its end go.
        is_reversed: the last character comes first.
        nothing: characters that say nothing: ``None`` when there are no others. Without them an empty text is one.
    """

    name: str
    is_cut: bool = False
    is_reversed: bool = False
    nothing: bytes | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """A reading of the meter times the scale of the link.

    One writer puts a zero byte in front of four: its readings are 256 times too high, and their difference is what was
    counted once they are divided.

    Attributes:
        is_end: the reading at the end.
        start, end, counted: both readings, and what was counted in between.
    """

    is_end: bool
    start: str
    end: str
    counted: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What a field of one byte stands for.

    Attributes:
        otherwise: a value, or an attribute that then tells.
    """

    name: str
    table: Mapping[int, object]
    otherwise: object = None


@dataclass(frozen=True, slots=True)
class Surplus:
    """A value for bodies that are longer than their layout, another for the rest."""

    value: object
    otherwise: object


class Made:
    """What a function makes of parts; a part is the name of a field, for its raw value, or an attribute."""

    __slots__ = ("function", "parts")

    def __init__(self, function: Callable[..., object], *parts: str | Attribute) -> None:
        self.function = function
        self.parts: tuple[Attribute, ...] = tuple(Field(part) if isinstance(part, str) else part for part in parts)


@dataclass(frozen=True, slots=True)
class Whole:
    """What a function makes of all raw values of the body, by name."""

    function: Callable[[dict[str, Any]], object]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a function makes of all raw values of the body, once somebody looks; like a dict."""

    function: Callable[[dict[str, Any]], dict[str, object]]


@dataclass(frozen=True, slots=True)
class Each:
    """A tuple of what the repetitions of a group tell."""

    name: str
    kind: type
    attributes: Mapping[str, Attribute]


Attribute = (
    Plain
    | Given
    | Field
    | Number
    | Scaled
    | Pile
    | Identifier
    | Time
    | Text
    | Register
    | Choice
    | Surplus
    | Made
    | Whole
    | Shown
    | Each
)
_ATTRIBUTES = get_args(Attribute)


def attribute_of(value: object) -> Attribute:
    """A value that stands for itself is given."""
    return value if isinstance(value, _ATTRIBUTES) else Given(value)


@dataclass(frozen=True, slots=True)
class Fact:
    """What a body tells.

    Attributes:
        kind: the event's class.
        attributes: by name; those with a default in the class may be missing.
        speaker: the fields, one behind the other, that say who speaks; none when the link must look at each.
    """

    kind: type
    attributes: Mapping[str, Attribute]
    speaker: Sequence[str] = ()


# -- flattening -----------------------------------------------------------------------------------------

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


def _size(body: construct.Struct) -> int:
    return sum(sub.subcon.width for sub in body.subcons)


_RAW_STEPS = {Op.UINT: Step.UINT, Op.UINT_BE: Step.UINT_BE, Op.HEX: Step.DIGITS, Op.BYTES: Step.CHARS}
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
        at = width = add = 0
        blank: int | None = None
        otherwise, thing = -1, None
        match attribute:
            case Plain(step):
                pass
            case Given(value):
                step, thing = Step.GIVEN, value
            case Field(field):
                at, kind = self.places[field]
                step, width = _RAW_STEPS[kind.op], kind.width
            case Number(field):
                at, kind = self.places[field]
                step, width, add, blank = _RAW_STEPS[kind.op], kind.width, kind.offset, kind.blank
                assert step is Step.UINT or (step is Step.UINT_BE and blank is None)
            case Scaled(field):
                at, kind = self.places[field]
                step, width = Step.SCALED, kind.width
                assert kind.op is Op.UINT
            case Pile(field) | Identifier(field):
                at, kind = self.places[field]
                step, width = Step.PILE if isinstance(attribute, Pile) else Step.IDENTIFIER, kind.width
                assert kind.op is Op.HEX
            case Time(field):
                at, kind = self.places[field]
                step, width = _TIME_STEPS[kind.show], kind.width
            case Text(field, is_cut, is_reversed, nothing):
                at, kind = self.places[field]
                step, width, thing = Step.TEXT, kind.width, nothing
                add, blank = is_cut * _CUT + is_reversed * _REVERSED, None if nothing is None else 0
                assert kind.op in (Op.BYTES, Op.HEX)
            case Register(is_end, start, end, counted):
                at, _ = self.parts((Number(start), Number(end), Number(counted)))
                step, width = Step.REGISTER, int(is_end)
                assert all(self.places[name][1].op is Op.UINT for name in (start, end, counted))
            case Choice(field, table, other):
                at, kind = self.places[field]
                step, width = Step.CHOICE, kind.width
                is_open = isinstance(other, _ATTRIBUTES)
                thing = tuple(table.get(raw, OTHERWISE if is_open else other) for raw in range(256))
                otherwise = self.part(other) if is_open else -1
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
        self.rows[index] = (name, int(step), at, width, add, blank, otherwise, thing)

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
    return FactTable(kind, _rows(None, _places(body), kind, attributes), _size(body), is_exact=True)


def fact_table(layout: Layout, fact: Fact, *, is_exact: bool = False) -> FactTable:
    """The table that reads bodies of a layout as a fact.

    Args:
        is_exact: whether the layout is that of this size alone.
    """
    assert all(sub.subcon.op not in (Op.GROUP_COUNTED, Op.BYTES_COUNTED) for sub in layout.body.subcons)
    assert layout.least < 0, "a layout that grew from version to version has no fixed places"
    places = _places(layout.body)
    speaker = (0, 0)
    if fact.speaker:
        first, last = places[fact.speaker[0]], places[fact.speaker[-1]]
        speaker = (first[0], last[0] + last[1].width - first[0])
    rows = _rows(layout, places, fact.kind, fact.attributes)
    return FactTable(fact.kind, rows, layout.size, is_exact=is_exact, speaker=speaker)

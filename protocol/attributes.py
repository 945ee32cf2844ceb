"""The vocabulary that events are declared in: which field of a body becomes which attribute, and how.

As a frame is declared once, in the words of ``fields.py``, and flattened into an op table, so what it tells is
declared once, in these words, and flattened by ``flattening.py`` into a fact table, which ``facttable.pyx`` runs.
Places, widths, offsets and blanks come from the declaration of the frame; nothing of it is said again here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, get_args


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
    REFERENCE = 22
    LINK = 23
    LINK_PILE = 24
    SINT = 25
    WIDE = 26
    REACHED = 27
    EITHER = 28
    SUM = 29
    VALUES = 30
    BLANK = 31


@dataclass(frozen=True, slots=True)
class Plain:
    """What needs no field, such as ``MOMENT``."""

    step: Step


MOMENT = Plain(Step.MOMENT)  # when the frame was received
SEQUENCE = Plain(Step.SEQUENCE)  # of its envelope
SCALE = Plain(Step.SCALE)  # what the link multiplies scaled values by
BODY = Plain(Step.BODY)  # the bytes of the body
REFERENCE = Plain(Step.REFERENCE)  # under which number the link remembers the frame
LINK = Plain(Step.LINK)  # the conversation of the link, as a part of what is made
LINK_PILE = Plain(Step.LINK_PILE)  # the number of the pile whose link it is


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
    """An integer as it is shown: with its offset, ``None`` when it is blank. Decimals are left to the unit.

    Attributes:
        times, per: what it is multiplied and divided by; the rest of a division is dropped.
        least: what a signed one does not fall below.
    """

    name: str
    times: int = 1
    per: int = 1
    least: int | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    """Numbers of one unit, added up."""

    parts: tuple[Attribute, ...]


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
        nothing: characters that say nothing: when there are no others, ``otherwise`` tells. Without them an empty text
            is one.
    """

    name: str
    is_cut: bool = False
    is_reversed: bool = False
    nothing: bytes | None = None
    otherwise: object = None


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
class Either:
    """One attribute where a field of one byte has one of these values, another one where it has not."""

    name: str
    values: Collection[int]
    attribute: object
    otherwise: object


@dataclass(frozen=True, slots=True)
class Or:
    """An attribute of one field, and another where the body ends before that field."""

    attribute: Field | Number | Text | Choice
    otherwise: object


@dataclass(frozen=True, slots=True)
class Values:
    """The numbers in the repetitions of a group, each multiplied."""

    name: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Blank:
    """Whether the repetitions of a group, from one on, are all zero."""

    name: str
    first: int = 0


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
    | Sum
    | Choice
    | Either
    | Or
    | Values
    | Blank
    | Surplus
    | Made
    | Whole
    | Shown
    | Each
)
ATTRIBUTES = get_args(Attribute)


def attribute_of(value: object) -> Attribute:
    """A value that stands for itself is given."""
    return value if isinstance(value, ATTRIBUTES) else Given(value)


@dataclass(frozen=True, slots=True)
class Fact:
    """What a body tells.

    Attributes:
        kind: the event's class.
        attributes: by name; those with a default in the class may be missing.
        speaker: the fields, one behind the other, that say who speaks; none when the link must look at each.
        learnt: instead of a speaker, all fields that a link must look at: a body that equals a former one in these
            teaches it nothing, and what they alone tell stays the same.
        only: (field, value) of the bodies of which it is told.
    """

    kind: type
    attributes: Mapping[str, Attribute]
    speaker: Sequence[str] = ()
    learnt: Sequence[str] = ()
    only: tuple[str, int] | None = None

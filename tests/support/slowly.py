"""Events as one would make them by hand, from raw values and declarations: slow, and written another way."""

import dataclasses
import datetime

from protocol import attributes as a
from protocol.attributes import Step
from protocol.events import PileTime, TimeFault

# half of all bytes mean something, somewhere
TELLING = bytes([0, 0, 1, 2, 3, 4, 5, 0x10, 0x55, 0xFF][index % 10] if index < 128 else index for index in range(256))


def slow_time(raw):
    """A clock reading, by Python's own calendar."""
    if isinstance(raw, str):
        return slow_digits(raw)
    data, at = raw.to_bytes(7, "little"), raw
    millis, minute, hour = at & 0xFFFF, at >> 16 & 0x3F, at >> 24 & 0x1F
    day, month, year = at >> 32 & 0x1F, at >> 40 & 0x0F, at >> 48 & 0x7F
    is_clock = millis < 60_000 and minute < 60 and hour < 24
    of_day_ms = (hour * 60 + minute) * 60_000 + millis if is_clock else None
    if not day or not month:
        return PileTime(None, TimeFault.ZERO_DATE, data, of_day_ms)
    try:
        since = datetime.date(2000 + year, month, day) - datetime.date(1970, 1, 1)
    except ValueError:
        since = None
    if since is None or of_day_ms is None or at >> 23 & 1 or year > 99:
        return PileTime(None, TimeFault.INVALID_FIELD, data, of_day_ms)
    return PileTime(since.days * 86_400_000 + of_day_ms, None, data, of_day_ms)


def slow_digits(raw):
    """The same of digits."""
    data, digits = bytes.fromhex(raw), raw[:14]
    if not digits.strip("0") or not digits.isdecimal():
        return PileTime(None, TimeFault.INVALID_FIELD if digits.strip("0") else TimeFault.ZERO_DATE, data, None)
    year, month, day, *clock = int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2))
    hour, minute, second = clock
    is_clock = hour < 24 and minute < 60 and second < 60
    of_day_ms = ((hour * 60 + minute) * 60 + second) * 1000 if is_clock else None
    if not month or not day:
        return PileTime(None, TimeFault.ZERO_DATE, data, of_day_ms)
    try:
        since = datetime.date(year, month, day) - datetime.date(1970, 1, 1)
    except ValueError:
        since = None
    if since is None or of_day_ms is None:
        return PileTime(None, TimeFault.INVALID_FIELD, data, of_day_ms)
    return PileTime(since.days * 86_400_000 + of_day_ms, None, data, of_day_ms)


def slow_text(word, raw):
    data = bytes.fromhex(raw) if isinstance(raw, str) else raw
    data = data.split(b"\0")[0].rstrip(b" ") if word.is_cut else data.rstrip(b"\0")
    data = data.lstrip(b"\0")[::-1] if word.is_reversed else data
    if word.nothing is not None and not data.strip(word.nothing or b"\0"):
        return None
    return data.decode("ascii", "backslashreplace")


def slow_register(start, end, counted):
    is_shifted = start % 256 == end % 256 == 0 and end // 256 - start // 256 == counted != end - start
    return (start // 256, end // 256) if is_shifted else (start, end)


def slowly(fact, raw, kinds, words):
    """The event as one would make it by hand.

    Args:
        raw: raw values of the body.
        kinds: its fields, by name.
        words: what the words mean that need no field; ``Step.SURPLUS`` whether the body is longer than its layout.
    """

    def told(attribute, raw, kinds):
        match attribute:
            case a.Plain(step):
                return words[step]
            case a.Given(value):
                return value
            case a.Field(name) | a.Pile(name):
                return raw[name]
            case a.Number(name, times, per, least):
                kind = kinds[name]
                if raw[name] == getattr(kind, "blank", None):
                    return None
                value = (raw[name] + getattr(kind, "offset", 0)) * times // per
                return value if least is None else max(value, least)
            case a.Sum(parts):
                return sum(told(part, raw, kinds) for part in parts)
            case a.Either(name, values, one, other):
                return told(a.attribute_of(one if raw[name] in values else other), raw, kinds)
            case a.Or(inner, otherwise):
                return told(inner if inner.name in raw else a.attribute_of(otherwise), raw, kinds)
            case a.Values(name, times):
                return tuple(each["value"] * times for each in raw[name])
            case a.Blank(name, first):
                return not any(each["value"] for each in raw[name][first:])
            case a.Scaled(name):
                return raw[name] * words[Step.SCALE]
            case a.Identifier(name):
                return raw[name] if raw[name].strip("0") else None
            case a.Time(name):
                return slow_time(raw[name])
            case a.Text():
                text = slow_text(attribute, raw[attribute.name])
                return told(a.attribute_of(attribute.otherwise), raw, kinds) if text is None else text
            case a.Register(is_end, start, end, counted):
                return slow_register(raw[start], raw[end], raw[counted])[is_end] * words[Step.SCALE]
            case a.Choice(name, table, otherwise):
                return table[raw[name]] if raw[name] in table else told(a.attribute_of(otherwise), raw, kinds)
            case a.Surplus(value, otherwise):
                return value if words[Step.SURPLUS] else told(a.attribute_of(otherwise), raw, kinds)
            case a.Made(function=function, parts=parts):
                return function(*[told(part, raw, kinds) for part in parts])
            case a.Whole(function) | a.Shown(function):
                return function(raw)
            case a.Each(name, kind, inner):
                parts = {sub.name: sub.subcon for sub in kinds[name].body.subcons}
                return tuple(
                    kind(**{key: told(each, item, parts) for key, each in inner.items()}) for item in raw[name]
                )

    return fact.kind(**{name: told(each, raw, kinds) for name, each in fact.attributes.items()})


def same(one, other):
    """Equal, of equal types throughout, and written alike."""
    assert one == other
    assert repr(one) == repr(other)
    for field in dataclasses.fields(other):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        assert type(mine) is type(theirs) or isinstance(theirs, dict), field.name

"""The fact tables against the same declarations, read slowly by construct and filled in attribute by attribute."""

import dataclasses
import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import attributes as a
from protocol.attributes import Step
from protocol.dialects import ykc
from protocol.dialects.ykc_frames import UP, layout_of
from protocol.dialects.ykc_wire import enclose, read_frame
from protocol.events import FrameRefused, PileLoggedIn, PileTime, TimeFault
from protocol.link import Link
from tests.support.bodies import plain
from tests.support.frames import good_frames

AT_MS = 1_772_509_216_074
OPTIONS = (frozenset(), frozenset({"fault-bit1-at-2"}))
DECLARED = {
    f"{kind:02x}-{layout.name}{'-'.join(('', *options))}": (kind, layout, fact, options)
    for options in OPTIONS
    for kind, layout, fact, _ in ykc.declared(options)
    if not options or kind == 0x13
}


def slow_time(data):
    """A clock reading, by Python's own calendar."""
    at = int.from_bytes(data, "little")
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


def slowly(layout, fact, frame, scale):
    """The event as one would make it by hand, with construct's values."""
    body = frame[6:-2]
    raw = plain(layout.body.parse(body))
    trailing = body[len(layout.body.build(raw)) :]
    if trailing:
        raw["trailing_hex"] = trailing.hex().upper()
    kinds = dict(layout.fields)

    def told(attribute, raw, kinds):
        match attribute:
            case a.Plain(step):
                words = {Step.MOMENT: AT_MS, Step.SEQUENCE: int.from_bytes(frame[2:4], "little")}
                return {**words, Step.SCALE: scale, Step.BODY: body}[step]
            case a.Given(value):
                return value
            case a.Field(name) | a.Pile(name):
                return raw[name]
            case a.Number(name):
                kind = kinds[name]
                return None if raw[name] == kind.blank else raw[name] + kind.offset
            case a.Scaled(name):
                return raw[name] * scale
            case a.Identifier(name):
                return raw[name] if raw[name].strip("0") else None
            case a.Time(name):
                return slow_time(raw[name].to_bytes(7, "little"))
            case a.Text():
                return slow_text(attribute, raw[attribute.name])
            case a.Register(is_end, start, end, counted):
                return slow_register(raw[start], raw[end], raw[counted])[is_end] * scale
            case a.Choice(name, table, otherwise):
                return table[raw[name]] if raw[name] in table else told(a.attribute_of(otherwise), raw, kinds)
            case a.Surplus(value, otherwise):
                return value if trailing else told(a.attribute_of(otherwise), raw, kinds)
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


# half of all bytes mean something, somewhere
_TELLING = bytes([0, 0, 1, 2, 3, 4, 5, 0x10, 0x55, 0xFF][index % 10] if index < 128 else index for index in range(256))


def bodies_of(kind, layout):
    """Bodies as long as the layout, or longer."""

    def fitting(body):
        return body if layout_of(kind, len(body)) is layout and len(body) >= layout.size else body[: layout.size]

    raw = st.binary(min_size=layout.size, max_size=min(layout.size + 12, 251))
    return raw.map(lambda body: fitting(body.translate(_TELLING)))


def same(one, other):
    """Equal, of equal types throughout, and written alike."""
    assert one == other
    assert repr(one) == repr(other)
    for field in dataclasses.fields(other):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        assert type(mine) is type(theirs) or isinstance(theirs, dict), field.name


@pytest.mark.parametrize("name", DECLARED)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_table_tells_what_its_declaration_says(name, data):
    kind, layout, fact, options = DECLARED[name]
    frame = enclose(kind, data.draw(bodies_of(kind, layout)), sequence=data.draw(st.integers(0, 0xFFFF)))
    scale = data.draw(st.sampled_from([1, 100]))
    same(ykc.facts_of(options).read(frame, AT_MS, scale), slowly(layout, fact, frame, scale))


@pytest.mark.parametrize("name", DECLARED)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_known_speaker_is_heard_like_an_unknown_one(name, data):
    kind, layout, fact, options = DECLARED[name]
    frames = [enclose(kind, body) for body in data.draw(st.lists(bodies_of(kind, layout), min_size=1, max_size=3))]
    link = Link(options=options, protocol="ykc")
    for frame in frames * 2:
        alone = Link(options=options, protocol="ykc")
        if fact.kind is PileLoggedIn:
            link = alone  # it changes what later frames mean
        [told], [said] = link.receive(frame, AT_MS), alone.receive(frame, AT_MS)
        same(told, said)


@pytest.mark.parametrize("data", good_frames("ykc"), ids=lambda data: f"{data[5]:02x}-{len(data)}")
def test_every_known_frame_is_told_or_refused_for_its_direction(data):
    wire = read_frame(data)
    [fact] = Link(protocol="ykc").receive(data, AT_MS)
    assert isinstance(fact, FrameRefused) is (wire.direction != UP)
    if wire.direction == UP:
        found = [each for each in DECLARED.values() if each[0] == wire.type and each[1] is wire.layout and not each[3]]
        same(fact, slowly(wire.layout, found[0][2], data, 1))

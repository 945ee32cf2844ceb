"""The fact tables against the same declarations, read slowly by construct and filled in attribute by attribute."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.attributes import Step
from protocol.dialects import ykc
from protocol.dialects.ykc_frames import UP, layout_of
from protocol.dialects.ykc_wire import enclose, read_frame
from protocol.events import FrameRefused, PileLoggedIn
from protocol.link import Link
from tests.support.bodies import plain
from tests.support.frames import good_frames
from tests.support.slowly import TELLING, same, slowly

AT_MS = 1_772_509_216_074
OPTIONS = (frozenset(), frozenset({"fault-bit1-at-2"}))
DECLARED = {
    f"{kind:02x}-{layout.name}{'-'.join(('', *options))}": (kind, layout, fact, options)
    for options in OPTIONS
    for kind, layout, fact, _ in ykc.declared(options)
    if not options or kind == 0x13
}


def slowly_told(layout, fact, frame, scale):
    """The event with construct's values."""
    body = frame[6:-2]
    raw = plain(layout.body.parse(body))
    trailing = body[len(layout.body.build(raw)) :]
    if trailing:
        raw["trailing_hex"] = trailing.hex().upper()
    sequence = int.from_bytes(frame[2:4], "little")
    words = {Step.MOMENT: AT_MS, Step.SEQUENCE: sequence, Step.SCALE: scale, Step.BODY: body, Step.SURPLUS: trailing}
    return slowly(fact, raw, dict(layout.fields), words)


def bodies_of(kind, layout):
    """Bodies as long as the layout, or longer."""

    def fitting(body):
        return body if layout_of(kind, len(body)) is layout and len(body) >= layout.size else body[: layout.size]

    raw = st.binary(min_size=layout.size, max_size=min(layout.size + 12, 251))
    return raw.map(lambda body: fitting(body.translate(TELLING)))


@pytest.mark.parametrize("name", DECLARED)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_table_tells_what_its_declaration_says(name, data):
    kind, layout, fact, options = DECLARED[name]
    frame = enclose(kind, data.draw(bodies_of(kind, layout)), sequence=data.draw(st.integers(0, 0xFFFF)))
    scale = data.draw(st.sampled_from([1, 100]))
    same(ykc.facts_of(options).read(frame, AT_MS, scale), slowly_told(layout, fact, frame, scale))


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
        same(fact, slowly_told(wire.layout, found[0][2], data, 1))

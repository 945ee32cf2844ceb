"""AA F5: fact tables against declarations filled in by hand, links that learnt against such that did not."""

from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from protocol.attributes import Step
from protocol.dialects import aaf5
from protocol.dialects.aaf5_frames import PROFILES, form_of
from protocol.dialects.aaf5_profiles import PERIODS_OPTION
from protocol.dialects.aaf5_wire import enclose
from protocol.events import FrameRefused
from protocol.link import Link
from tests.support.slowly import TELLING, same, slowly

AT_MS = 1_772_509_216_074
OWN = "F5A100000000001012603031200000001"[2:]
WORD = 7
TEXTS = (b"", b"F5A1", OWN.encode(), b"00012345", b"00 00", b"X1 \0behind", b"\xff\xfe", b"0" * 32)
TIMES = ("20260303120000FF", "0" * 16, "2026130112000000", "2026030212AA0000", "2024022923595900")
LINK = SimpleNamespace(started={1: (WORD, OWN), 2: (0, "")}, clock_ms=5_000, connector_for=lambda card: 2)


@st.composite
def raw_values(draw, layout, size):
    """A body of random bytes in which what decides something has values that do."""
    body = draw(st.binary(min_size=size, max_size=size)).translate(TELLING)
    raw = layout.read(body)
    for name, kind in layout.fields:
        if name not in raw:
            continue
        if name in ("pile_id", "serial", "order_no", "card_no", "vin"):
            raw[name] = draw(st.sampled_from(TEXTS))[: kind.width].ljust(kind.width, b"\0")
        elif name in ("gun", "state", "connection", "result", "gun_type", "rsv1"):
            raw[name] = draw(st.sampled_from((0, 1, 2, 3, WORD)))
        elif name in ("start_time", "end_time"):
            raw[name] = draw(st.sampled_from(TIMES))
        elif name == "address":
            raw[name] = draw(st.sampled_from((2, 11, 15, 23, 91, 1000)))
        elif name == "record_index":
            raw[name] = draw(st.sampled_from((-1, 0, 5)))
    return layout.write(raw)


def sizes_of(form):
    layout = form.layout
    least = layout.least if layout.least >= 0 else layout.size
    return st.sampled_from(sorted(form.sizes)) if form.sizes else st.integers(least, layout.size + 12)


def expected(profile, options, command, body):
    """The first declaration that is for this body."""
    form = form_of("up", command, body, profile)
    raw = form.layout.read(body)
    for number, other, fact in aaf5.declared(profile, options):
        if number == command and other is form and (fact.only is None or raw[fact.only[0]] == fact.only[1]):
            return form, fact, raw
    raise AssertionError("some fact is told of every body")


@pytest.mark.parametrize("options", [frozenset(), frozenset({PERIODS_OPTION})], ids=["", PERIODS_OPTION])
@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_table_tells_what_its_declaration_says(profile, options, data):
    command, form, _ = data.draw(st.sampled_from(list(aaf5.declared(profile, options))))
    body = data.draw(sizes_of(form).flatmap(lambda size: raw_values(form.layout, size)))
    assume(form_of("up", command, body, profile) is form)
    form, fact, raw = expected(profile, options, command, body)
    words = {Step.MOMENT: AT_MS, Step.REFERENCE: 9, Step.LINK: LINK, Step.LINK_PILE: "theirs", Step.BODY: body}
    told = aaf5.facts_of(profile, options).read(enclose(command, body), AT_MS, 1, 9, "theirs", LINK)
    same(told, slowly(fact, raw, dict(form.layout.fields), words))


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_link_that_learnt_tells_what_one_that_did_not_would(profile, data):
    often = [each for each in aaf5.declared(profile) if each[2].learnt]
    frames = []
    for _ in range(data.draw(st.integers(1, 4))):
        command, form, _ = data.draw(st.sampled_from(often))
        body = data.draw(sizes_of(form).flatmap(lambda size, form=form: raw_values(form.layout, size)))
        frames.append(enclose(command, body, info=data.draw(st.sampled_from((0x00, 0x10)))))
    link, forgetful = (Link(protocol=f"aaf5-{profile}") for _ in range(2))
    for frame in data.draw(st.lists(st.sampled_from(frames), max_size=12)):
        forgetful._talk.ear.forget()
        [told], [said] = link.receive(frame, AT_MS), forgetful.receive(frame, AT_MS)
        if isinstance(said, FrameRefused):
            assert told == said
            continue
        same(told, said)
        assert link._talk._running == forgetful._talk._running
        assert vars(link._talk._swipes) == vars(forgetful._talk._swipes)
        assert link._talk._info == forgetful._talk._info

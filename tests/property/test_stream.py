"""A stream of frames, however it is cut, and whatever stands between: only what is damaged is lost."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import events as e
from protocol.dialects.ykc_frames import FRAMES, KNOWN
from protocol.dialects.ykc_wire import read_frame, render_fields
from protocol.framer import Framer
from protocol.link import Link
from tests.support.frames import fixtures, good_frames
from tests.support.wire import frame

AT_MS = 1_772_509_216_074
UP = good_frames("ykc", "up")
ALL = good_frames("ykc")
CODES = {"checksum", "length", "unknown_type", "encrypted", "noise", "unexpected"}
LONGEST = 259
FILLER = b"\xee" * 300  # what a false start waits for; zeros would make right checksums behind a frame that grew by one
MANY = settings(max_examples=150, deadline=None)

ups = st.lists(st.sampled_from(UP), min_size=1, max_size=6)
line_ends = st.sampled_from([b"", b"\r\n", b"\n", b"\r\n\r\n"])
noise = st.one_of(
    st.binary(min_size=1, max_size=30).filter(lambda data: b"\x68" not in data and data.strip(b"\r\n")),
    # a start byte with a length that is not its own
    st.integers(4, 255).map(lambda length: bytes((0x68, length))),
    st.tuples(st.integers(0, 255), st.binary(max_size=30)).map(lambda pair: b"\x68" + bytes(pair[:1]) + pair[1]),
    # the beginning of a good frame
    st.tuples(st.sampled_from(ALL), st.integers(1, 20)).map(lambda pair: pair[0][: min(pair[1], len(pair[0]) - 1)]),
)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    borders = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[first:last] for first, last in pairwise(borders)]


cuts = st.lists(st.integers(0, 10_000), max_size=12)


def taken(chunks, framer=None):
    """The good frames that a framer finds, in order."""
    framer = framer or Framer(KNOWN)
    found = []
    for chunk in chunks:
        found += [each.data for each in framer.feed(chunk) if not each.reason]
        assert framer.buffered_bytes < LONGEST
    return found


@MANY
@given(frames=ups, ends=st.lists(line_ends, min_size=6, max_size=6), at=cuts)
def test_a_stream_cut_anywhere_tells_the_same(frames, ends, at):
    stream = b"".join(one + end for one, end in zip(frames, ends, strict=False))
    whole, pieces = Link(), Link()
    told = whole.receive(stream, AT_MS)
    assert [fact for piece in cut(stream, at) for fact in pieces.receive(piece, AT_MS)] == told
    assert len(told) == len(frames)
    assert not [fact for fact in told if isinstance(fact, e.FrameRefused)]
    assert pieces.buffered_bytes == 0


@MANY
@given(frames=ups)
def test_a_stream_may_come_byte_by_byte(frames):
    stream = b"".join(frames)
    assert taken(bytes((byte,)) for byte in stream) == frames


@MANY
@given(parts=st.lists(st.tuples(noise, st.sampled_from(ALL)), min_size=1, max_size=5), at=cuts)
def test_noise_before_a_frame_never_costs_the_frame(parts, at):
    stream = b"".join(dirt + good for dirt, good in parts)
    # what a false start still waits for comes, and decides
    assert [good for _, good in parts] == [one for one in taken([*cut(stream, at), FILLER]) if one in ALL]


@MANY
@given(stray=st.integers(4, 255), frames=ups, at=cuts)
def test_a_false_length_never_holds_back_what_follows(stray, frames, at):
    """Without one more byte behind them, the good frames are all told."""
    assert taken(cut(bytes((0x68, stray)) + b"".join(frames), at)) == frames


@MANY
@given(frames=st.lists(st.sampled_from(UP), min_size=3, max_size=5), data=st.data(), at=cuts)
def test_a_damaged_frame_costs_itself_alone(frames, data, at):
    victim = data.draw(st.integers(0, len(frames) - 1))
    where = data.draw(st.integers(0, len(frames[victim]) - 1))
    flipped = data.draw(st.integers(1, 255))
    damaged = bytearray(frames[victim])
    damaged[where] ^= flipped
    stream = [*frames[:victim], bytes(damaged), *frames[victim + 1 :]]
    found = taken([*cut(b"".join(stream), at), FILLER])
    # a length byte smaller by four is read as counting the body alone: then not even the damaged one is lost
    assert [one for one in found if one != damaged] == frames[:victim] + frames[victim + 1 :]


@MANY
@given(frames=st.lists(st.sampled_from(UP), min_size=2, max_size=4), lost=st.data(), at=cuts)
def test_missing_bytes_cost_the_frame_they_are_missing_from(frames, lost, at):
    victim = lost.draw(st.integers(0, len(frames) - 1))
    first = lost.draw(st.integers(0, len(frames[victim]) - 1))
    last = lost.draw(st.integers(first + 1, len(frames[victim])))
    torn = frames[victim][:first] + frames[victim][last:]
    stream = b"".join([*frames[:victim], torn, *frames[victim + 1 :]])
    found = taken([*cut(stream, at), FILLER])
    assert found == frames[:victim] + frames[victim + 1 :]


# -- whatever comes -------------------------------------------------------------------------------------


def is_documented(fact):
    if isinstance(fact, e.FrameRefused):
        assert fact.code in CODES
        assert fact.detail
        assert fact.raw
        assert fact.offset >= 0
        return True
    return isinstance(fact, e.PileEvent)


@MANY
@given(chunks=st.lists(st.binary(max_size=400), max_size=8))
def test_any_bytes_end_in_facts_or_documented_refusals(chunks):
    link = Link()
    for chunk in chunks:
        assert all(is_documented(fact) for fact in link.receive(chunk, AT_MS))
        assert link.buffered_bytes < LONGEST
        for order in link.observe_sent(chunk, AT_MS):
            assert not isinstance(order, e.FrameRefused) or is_documented(order)


starts = st.lists(st.sampled_from([b"\x68", b"\x68\x04", b"\x68\x0d", b"\x68\xff", b"\r\n", b"\0", *ALL]), max_size=12)


@MANY
@given(pieces=starts, at=cuts)
def test_start_bytes_in_any_heap_end_in_facts_or_documented_refusals(pieces, at):
    link = Link()
    stream = b"".join(pieces)
    told = [fact for piece in cut(stream, at) for fact in link.receive(piece, AT_MS)]
    assert all(is_documented(fact) for fact in told)


kinds = st.sampled_from(sorted(FRAMES))
bodies = st.one_of(
    st.tuples(kinds, st.binary(max_size=250)),
    # of the size that the type wants
    kinds.flatmap(
        lambda kind: st.tuples(
            st.just(kind), st.binary(min_size=FRAMES[kind][1].size, max_size=FRAMES[kind][1].size + 20)
        )
    ),
)


@settings(max_examples=400, deadline=None)
@given(one=bodies, enc=st.sampled_from([0, 0, 0, 1, 2]), high=st.booleans(), sequence=st.integers(0, 0xFFFF))
def test_any_body_under_a_right_checksum_ends_in_a_fact_or_a_documented_refusal(one, enc, high, sequence):
    kind, body = one
    data = frame(kind, body, sequence=sequence, is_high_first=high, enc=enc)
    link = Link()
    facts = [fact for fact in link.receive(data, AT_MS) if not isinstance(fact, e.FrameRefused)]
    assert all(is_documented(fact) for fact in facts)
    for fact in facts:
        assert fact.reply_ref == sequence
    for order in Link().observe_sent(data, AT_MS):
        assert not isinstance(order, e.FrameRefused) or is_documented(order)


@MANY
@given(data=st.one_of(st.binary(max_size=300), st.sampled_from(ALL).flatmap(lambda one: st.binary().map(one.__add__))))
def test_decode_never_fails_on_any_bytes(data):
    wire = read_frame(data)
    assert isinstance(render_fields(wire), dict)
    assert wire.error is None or wire.code


@MANY
@given(one=st.sampled_from(list(fixtures("ykc"))), where=st.integers(0, 300), flipped=st.integers(1, 255))
def test_decode_never_fails_on_a_damaged_frame(one, where, flipped):
    data = bytearray.fromhex(one["frame_hex"])
    data[where % len(data)] ^= flipped
    wire = read_frame(bytes(data))
    # the checksum does not cover the length byte, and some damage makes it right in the other byte order
    assert wire.error or wire.note or wire.crc != one["crc"]
    assert isinstance(render_fields(wire), dict)

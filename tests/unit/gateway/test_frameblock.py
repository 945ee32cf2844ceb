import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.frameblock import BLOCK_SPAN_MS, FrameBlock, pack_frames, unpack_frames
from gateway.framelog.records import KINDS
from gateway.outcome import FrameKept, FramesKept

T0 = 1_772_509_200_000
ABOUTS = ("", "SampleReceived", "SampleReceived,HeartbeatReceived", "ykc-1.5")


def frame(at_ms=T0, *, pile="p1", link="10.0.0.5:4001", kind="up", about="", data=b"x"):
    return FrameKept(pile, at_ms, link, kind, about, data)


def test_a_block_is_what_its_first_lines_say():
    (block,) = pack_frames([frame(data=b"\x68\x01"), frame(T0 + 258, kind="down", about="StopCharging", data=b"")])
    assert block[:4] == ("p1", "10.0.0.5:4001", T0, ";StopCharging")
    assert (
        bytes(block.data) == b"\x02\0\0\0" + b"\0\0" + b"\0\0" + b"\x68\x01" + b"\0\0\0\0" + b"\x02\x01" + b"\x01\x01"
    )


frames = st.builds(
    frame,
    st.integers(T0, T0 + 3 * BLOCK_SPAN_MS),
    pile=st.sampled_from(["p1", "p2"]),
    link=st.sampled_from(["a:1", "b:2"]),
    kind=st.sampled_from(KINDS),
    about=st.sampled_from(ABOUTS),
    data=st.binary(max_size=90) | st.binary(min_size=1_800, max_size=4_000),
)


@given(st.lists(frames, max_size=60))
def test_what_is_packed_comes_back(told):
    blocks = pack_frames(told)
    assert [each for block in blocks for each in unpack_frames(block)] == told
    for block in blocks:
        held = unpack_frames(block)
        assert {(each.pile_id, each.link) for each in held} == {(block.pile_id, block.link)}
        assert all(0 <= each.at_ms - block.from_ms < BLOCK_SPAN_MS for each in held)
        assert len(held) == 1 or len(block.data) <= 1_920


def test_more_than_a_block_can_be_about_goes_into_the_next():
    told = [frame(about=f"A{number}", data=b"") for number in range(600)]
    blocks = pack_frames(told)
    assert [each for block in blocks for each in unpack_frames(block)] == told
    assert max(len(block.about.split(";")) for block in blocks) <= 256


def test_no_frames_no_block():
    assert pack_frames([]) == []
    assert unpack_frames(FrameBlock("l", T0).kept("p1")) == []


@pytest.mark.parametrize(
    "data",
    [b"\x01", b"\x05\0\0\0\0\0\0\0abc", b"\0\0\0\0\0\0\x04\0", b"\0\0\0\0\0\0\0\x01"],
    ids=["half-a-head", "half-a-frame", "no-such-kind", "no-such-about"],
)
def test_what_no_block_ever_was_is_refused(data):
    with pytest.raises(ValueError, match="a block of frames"):
        unpack_frames(FramesKept("p1", "l", T0, "", data))

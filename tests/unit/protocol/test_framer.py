"""Bytes to whole frames. Every frame here is made by hand in ``tests.support.wire``."""

import pytest

from protocol.dialects.ykc_frames import KNOWN
from protocol.envelope import SUM_8, YKC_ENVELOPE, Envelope
from protocol.framer import Framer, KnownFrames, KnownSpans
from tests.support.wire import crc16, frame, heartbeat, login

PILE = "44030512003301"
GOOD = heartbeat(PILE, 1)
OTHER = login(PILE)


def feed(*chunks, known=KNOWN, **limits):
    framer = Framer(known, **limits)
    cuts = [cut for chunk in chunks for cut in framer.feed(chunk)]
    return framer, [(cut.reason, cut.data) for cut in cuts]


def broken(data: bytes) -> bytes:
    return data[:-2] + bytes((data[-2] ^ 0xFF, data[-1]))


def body_alone(kind: int, body: bytes) -> bytes:
    """A frame of a writer whose length byte counts the body alone."""
    covered = bytes((0, 0, 0, kind)) + body
    return bytes((0x68, len(body))) + covered + crc16(covered).to_bytes(2, "little")


def test_a_whole_frame_is_handed_on_at_once():
    framer, cuts = feed(GOOD)
    assert cuts == [("", GOOD)]
    assert framer.buffered_bytes == 0


def test_several_frames_of_one_read_are_cut_apart():
    assert feed(GOOD + OTHER + GOOD)[1] == [("", GOOD), ("", OTHER), ("", GOOD)]


def test_a_frame_may_come_byte_by_byte():
    framer, cuts = feed(*(bytes((byte,)) for byte in OTHER))
    assert cuts == [("", OTHER)]
    assert framer.buffered_bytes == 0


def test_both_byte_orders_of_the_checksum_are_taken():
    high = heartbeat(PILE, 1)[:-2] + heartbeat(PILE, 1)[:-3:-1]
    framer = Framer(KNOWN)
    low_cut, high_cut = framer.feed(GOOD + high)
    assert (low_cut.is_high_first, high_cut.is_high_first) == (False, True)
    assert (low_cut.offset, high_cut.offset) == (0, len(GOOD))


@pytest.mark.parametrize("between", [b"\r\n", b"\n", b"\r\n\r\n"])
def test_line_ends_between_frames_are_silent(between):
    assert feed(GOOD + between + OTHER + between + GOOD)[1] == [("", GOOD), ("", OTHER), ("", GOOD)]


def test_a_wrong_checksum_is_told_with_the_right_one():
    framer = Framer(KNOWN)
    cut, after = framer.feed(broken(GOOD) + OTHER)
    assert (cut.reason, cut.data, cut.offset) == ("checksum", broken(GOOD), 0)
    assert cut.expected == GOOD[-2:].hex().upper()
    assert after.data == OTHER


def test_a_damaged_frame_behind_line_ends_is_told_as_one():
    assert feed(GOOD + b"\r\n" + broken(OTHER) + GOOD)[1] == [("", GOOD), ("checksum", broken(OTHER)), ("", GOOD)]


def test_noise_is_told_once_a_stretch_and_costs_nothing_else():
    noise = b"\x00\x11\x22\r\n\x33"
    framer = Framer(KNOWN)
    first, second, third = framer.feed(GOOD + noise + OTHER)
    assert (first.reason, second.reason, third.reason) == ("", "noise", "")
    assert (second.data, second.offset) == (noise, len(GOOD))
    assert third.offset == len(GOOD) + len(noise)


def test_a_start_byte_with_an_impossible_length_is_noise():
    assert feed(b"\x68\x03" + GOOD)[1] == [("noise", b"\x68\x03"), ("", GOOD)]


def test_a_stray_start_byte_with_a_false_length_holds_nothing_back():
    framer, cuts = feed(b"\x68\xff" + GOOD + OTHER)
    assert cuts == [("noise", b"\x68\xff"), ("", GOOD), ("", OTHER)]
    assert framer.buffered_bytes == 2 + len(GOOD + OTHER)


def test_a_stray_start_byte_is_told_once_its_false_length_is_over():
    _, cuts = feed(b"\x68\x20" + GOOD, GOOD, GOOD)
    assert [data for reason, data in cuts if not reason] == [GOOD] * 3


def test_a_frame_that_seems_to_stand_inside_a_good_one_costs_it_nothing():
    inner = heartbeat(PILE, 2)
    outer = frame(0xF0, bytes.fromhex(PILE) + bytes((0, len(inner))) + inner)
    assert feed(outer)[1] == [("", outer)]
    # cut in the middle, the inner one is handed on early, what stands before it is told, and the outer one still comes
    framer, cuts = feed(outer[:-1], outer[-1:])
    assert cuts == [("noise", outer[: -2 - len(inner)]), ("", inner), ("", outer)]
    assert framer.buffered_bytes == 0


def test_the_search_goes_on_inside_a_failed_candidate():
    cut_off = OTHER[:20]
    assert feed(cut_off + GOOD + OTHER)[1] == [("noise", cut_off), ("", GOOD), ("", OTHER)]


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_length_that_counts_the_body_alone_is_taken(pieces):
    short = body_alone(0x04, bytes.fromhex(PILE) + b"\x01\x00")
    chunks = [short + GOOD] if pieces == 1 else [short[:-3], short[-3:] + GOOD]
    framer, cuts = feed(*chunks)
    assert cuts == [("", short), ("", GOOD)]
    assert framer.buffered_bytes == 0


def test_a_length_that_counts_the_body_alone_needs_a_right_checksum_too():
    short = broken(body_alone(0x04, bytes.fromhex(PILE) + b"\x01\x00"))
    reasons = [reason for reason, _ in feed(short + GOOD)[1]]
    assert reasons[0] == "checksum"
    assert reasons[-1] == ""


def test_a_frame_too_short_for_its_type_is_waited_for_and_holds_nothing_back():
    short = broken(frame(0x04, bytes.fromhex(PILE)))
    framer, cuts = feed(short)
    assert cuts == []
    assert framer.buffered_bytes == len(short)
    cuts = [(cut.reason, cut.data) for cut in framer.feed(GOOD)]
    assert cuts == [("checksum", short), ("", GOOD)]


def test_behind_a_false_start_a_length_may_count_the_body_alone_too():
    short = body_alone(0x04, bytes.fromhex(PILE) + b"\x01\x00")
    assert feed(b"\x68\xff" + short + GOOD)[1] == [("noise", b"\x68\xff"), ("", short), ("", GOOD)]


def test_behind_a_false_start_a_body_may_be_longer_than_its_layout():
    longer = frame(0x03, bytes.fromhex(PILE) + b"\x01\x00\x63")
    assert feed(b"\x68\xff" + longer + GOOD)[1] == [("noise", b"\x68\xff"), ("", longer), ("", GOOD)]


def test_the_buffer_never_holds_more_than_one_candidate():
    framer = Framer(KNOWN, 259)
    for _ in range(200):
        framer.feed(b"\x68\xff" + bytes(61))
        assert framer.buffered_bytes < 259


def test_a_buffer_too_small_for_a_frame_is_a_mistake_of_the_programmer():
    with pytest.raises(AssertionError):
        Framer(KNOWN, 258)


def test_only_bytes_are_fed():
    with pytest.raises(TypeError):
        Framer(KNOWN).feed(None)


def test_a_cut_tells_itself():
    [cut] = Framer(KNOWN).feed(b"\x01")
    assert repr(cut) == "Cut(01, offset=0, reason='noise')"


# -- another envelope -----------------------------------------------------------------------------------

SUMMED = Envelope(
    b"\xa5\x5a",
    length_at=2,
    length_width=2,
    around=0,
    least=8,
    most=300,
    check=SUM_8,
    check_from=2,
    type_at=4,
    type_width=2,
    flag_at=6,
    flag_most=0,
)


def summed(kind: int, body: bytes) -> bytes:
    head = (8 + len(body)).to_bytes(2, "little") + kind.to_bytes(2, "little") + b"\0" + body
    return b"\xa5\x5a" + head + bytes((sum(head) & 0xFF,))


SPANS = KnownSpans({0x0101: (8, 20)}, SUMMED)


def test_another_envelope_is_told_by_its_own_numbers():
    first, second = summed(0x0101, b"\x01\x02"), summed(0x0101, b"\xa5\x5a\x07")
    damaged = first[:-1] + bytes((first[-1] ^ 1,))
    framer = Framer(SPANS, 400)
    cuts = framer.feed(first + damaged + b"\xa5\x00" + second)
    assert [(cut.reason, cut.data) for cut in cuts] == [
        ("", first),
        ("checksum", damaged),
        ("noise", b"\xa5\x00"),
        ("", second),
    ]
    assert cuts[1].expected == f"{first[-1]:02X}"


def test_behind_a_false_start_of_two_bytes_known_sizes_decide():
    known, unknown = summed(0x0101, b"\x01"), summed(0x0102, b"\x01")
    stray = b"\xa5\x5a\x20\x01"
    assert feed(stray + known, known=SPANS, max_buffer_bytes=400)[1] == [("noise", stray), ("", known)]
    assert feed(stray + unknown, known=SPANS, max_buffer_bytes=400)[1] == []


def test_half_a_start_is_waited_for_and_half_a_wrong_one_is_not():
    framer, cuts = feed(b"\xa5", known=SPANS)
    assert (cuts, framer.buffered_bytes) == ([], 1)
    framer, cuts = feed(b"\xa5\x00", known=SPANS)
    assert (cuts, framer.buffered_bytes) == ([("noise", b"\xa5\x00")], 0)


def test_an_envelope_must_hold_its_own_head():
    with pytest.raises(AssertionError, match="own head"):
        Envelope(
            b"\x68",
            length_at=1,
            length_width=1,
            around=0,
            least=2,
            most=9,
            check=SUM_8,
            check_from=1,
            type_at=5,
            type_width=1,
            flag_at=4,
            flag_most=1,
        )


def test_the_longest_frame_of_ykc_has_259_bytes():
    longest = frame(0xF0, bytes.fromhex(PILE) + bytes((0, 242)) + bytes(242))
    assert len(longest) == YKC_ENVELOPE.most == 259
    assert feed(longest, known=KnownFrames([(0xF0, 255)]))[1] == [("", longest)]

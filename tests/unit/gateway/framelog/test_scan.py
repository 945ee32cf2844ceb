"""The reader of the daemon's captures: the same lines as by the way of packets, and repeats spared in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alarms import Alarms
from gateway.framelog.capture import file_header, pack, pack_record, read_capture
from gateway.framelog.lines import LogDamage, LogLine
from gateway.framelog.pcapfile import packets
from gateway.framelog.scan import CaptureReader, ShortWay
from protocol.link import Link
from protocol.repeats import BEAT, SENT, Noted
from tests.support.wire import bcd, frame, heartbeat

PILE = "55031412782305"
OPEN = pack(1_000, 7, "open", b"10.0.0.1:5")
BEAT_FRAME, ANSWER = heartbeat(PILE), frame(0x04, bcd(PILE) + b"\1\0")


def up(at_ms, data, link_no=7):
    return pack(at_ms, link_no, "up", data, "ykc")


def read(data, short=None, chunk=1 << 20):
    chunks = [data[at : at + chunk] for at in range(0, len(data), chunk)]
    return list(CaptureReader("log", chunks, short))


class Watching:
    """A short way on which heartbeats of one link are taken."""

    def __init__(self):
        self.alarms = Alarms()
        self.short = ShortWay(self.alarms)
        self.taker = Noted([BEAT, SENT])
        self.link = Link()
        (fact,) = self.link.receive(BEAT_FRAME, 0)
        self.link.remember(0, fact, self.taker, is_answered=False)
        self.link.observe_sent(ANSWER, 0)
        self.link.remember_sent(0, self.taker)
        self.short.watch("10.0.0.1:5", *self.link.framers)

    def read(self, *records):
        return read(file_header() + OPEN + b"".join(records), self.short)[1:]

    @property
    def moments(self):
        return [at_ms for _, at_ms, _ in self.taker.taken]


RECORDS = [
    OPEN,
    up(1_500, b"abc"),
    pack(2_000, 7, "down", b"", "ykc"),
    pack(2_500, 8, "up", b"x", None),
    pack(3_000, 7, "close", b"gone"),
    up(3_200, b"z"),
    pack_record(3_500, 0, 4, b"records are missing"),
    pack_record(3_600, 9, 2, b"10.0.0.9:1", is_restated=True),
    up(3_700, b"y", 9),
    b"\0" * 40,
]


@given(st.lists(st.sampled_from(RECORDS), max_size=12), st.integers(1, 60), st.integers(0, 45))
def test_lines_and_damage_are_those_of_the_packets(records, chunk, cut):
    data = file_header() + b"".join(records)
    data = data[: max(24, len(data) - cut)]
    lines = list(read_capture("log", packets("log", iter([data]))))
    assert read(data, chunk=chunk) == lines
    assert read(data, ShortWay(Alarms()), chunk) == lines


def test_an_impossible_size_ends_the_reading():
    data = file_header() + OPEN + b"\xff" * 40 + up(1, b"x")
    (line, damage) = read(data)
    assert isinstance(line, LogLine)
    assert isinstance(damage, LogDamage)
    assert "cannot be" in damage.reason


def test_repeats_of_a_watched_link_yield_nothing():
    place = Watching()
    assert place.read(up(2_000, BEAT_FRAME), pack(2_100, 7, "down", ANSWER, "ykc"), up(3_000, 2 * BEAT_FRAME)) == []
    assert place.moments == [2_000, 2_100, 3_000, 3_000]
    assert place.short.newest_ms == 3_000


def test_other_links_and_other_frames_are_yielded():
    place = Watching()
    lines = place.read(up(2_000, BEAT_FRAME, 8), up(2_001, heartbeat(PILE, status=1)))
    assert [(line.at_ms, line.data) for line in lines] == [(2_000, BEAT_FRAME), (2_001, heartbeat(PILE, status=1))]
    assert place.moments == []


def test_what_follows_repeats_in_a_read_is_yielded_alone():
    place = Watching()
    (line,) = place.read(up(2_000, BEAT_FRAME + b"\x68\x0d"))
    assert line.data == b"\x68\x0d"
    assert place.moments == [2_000]


def test_nothing_overtakes_half_a_frame():
    place = Watching()
    place.link.receive(b"\x68\x0d", 1)
    (line,) = place.read(up(2_000, BEAT_FRAME))
    assert line.data == BEAT_FRAME


@pytest.mark.parametrize(("due_ms", "spared"), [(1_999, []), (2_000, []), (2_001, [2_000])])
def test_a_deadline_comes_before_what_is_later(due_ms, spared):
    place = Watching()
    place.alarms.arm("session", due_ms)
    place.read(up(2_000, BEAT_FRAME))
    assert place.moments == spared


def test_nothing_goes_beyond_the_horizon():
    place = Watching()
    place.short.horizon_ms = 2_500
    (line,) = place.read(up(2_500, BEAT_FRAME), up(2_501, BEAT_FRAME))
    assert (line.at_ms, place.moments) == (2_501, [2_500])


def test_time_never_steps_back():
    place = Watching()
    place.short.newest_ms = 5_000
    place.read(up(2_000, BEAT_FRAME))
    assert place.moments == [5_000]


def test_a_forgotten_link_is_yielded_again():
    place = Watching()
    place.short.forget("10.0.0.1:5")
    place.short.forget("nobody")
    assert len(place.read(up(2_000, BEAT_FRAME))) == 1


def test_of_a_skipped_link_only_its_ends_are_yielded():
    watching = Watching()
    watching.short.skip("10.0.0.1:5")
    close, again = pack(2_000, 7, "close", b""), pack(2_100, 9, "open", b"10.0.0.1:5")
    lines = watching.read(up(1_500, BEAT_FRAME), up(1_600, b"?"), close, up(2_050, b"x"), again, up(2_200, b"y", 9))
    assert [(line.kind, line.link) for line in lines] == [
        ("close", "10.0.0.1:5"),
        ("up", "link-7"),
        ("open", "10.0.0.1:5"),
    ]
    assert (watching.moments, watching.short.newest_ms) == ([], 2_200)
    watching.short.watch("10.0.0.1:5", *watching.link.framers)
    assert watching.read(up(3_000, BEAT_FRAME)) == []
    assert watching.moments == [3_000]


def test_links_are_skipped_while_they_are_read_and_share_the_place_of_their_numbers():
    number = (1 << 20) + 7
    short = ShortWay(Alarms())
    short.horizon_ms = 1_800
    data = file_header() + pack(1, number, "open", b"high") + pack(1, 7, "open", b"low")
    for at_ms in (1_500, 1_700, 1_900):
        data += up(at_ms, b"a", number) + up(at_ms, b"b")
    found = []
    for line in CaptureReader("log", [data], short):
        if line.kind == "up":
            found.append((line.at_ms, line.link))
            short.skip(line.link)
    assert found == [(1_500, "high"), (1_500, "low"), (1_900, "high"), (1_900, "low")]
    short.forget("low")
    short.horizon_ms = 2**60
    assert [line.link for line in CaptureReader("log", [data], short) if line.kind == "up"] == ["low"] * 3

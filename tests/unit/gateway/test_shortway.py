"""The short way by itself; that it does what the long way would do is seen in ``test_pipeline`` and by replays."""

import pytest

from gateway.alarms import Alarms
from gateway.frameblock import unpack_frames
from gateway.lanes import Lane, Presence, Traffic
from gateway.outcome import FrameKept
from gateway.shortway import ShortWay, Volume
from gateway.story import Gathered, Story
from protocol.link import Link
from tests.support import wire

PILE, T0 = "55031412782305", 1_772_509_200_000
GAP_MS = 15_000
MINUTE_MS = 60_000


class Board:
    def __init__(self):
        self.advanced = []

    def advance(self, at_ms):
        self.advanced.append(at_ms)


class Way(ShortWay):
    """A pipeline that writes down what does not repeat."""

    def __init__(self):
        self.captured, self.said, self.news, self.blocks = [], [], [], []
        self.board, self.alarms, self.traffic, self.volume = Board(), Alarms(), Traffic(), Volume()
        super().__init__(
            self.board,
            self.alarms,
            self.traffic,
            self.volume,
            self,
            self.said.append,
            link_no=7,
            address="10.0.0.5:4001",
            at_ms=T0,
            frames_max=20,
        )
        self.story = Story(PILE, Gathered(self.blocks.extend), GAP_MS)
        self.presence = Presence(PILE, 30_000)
        self.presence.is_online = True
        self.lane = Lane(self.presence, self.traffic)

    @property
    def kept(self):
        self.story.hand_over()
        return [frame for block in self.blocks for frame in unpack_frames(block)]

    def append(self, *record):
        self.captured.append(record)

    def on_news(self, data, at_ms):
        self.news.append((data, at_ms))

    def close(self, reason):
        self.closed_because = reason

    def remember_beats(self):
        """Heartbeats repeat from now on, and are answered."""
        self.link = Link()
        self.link.receive(wire.login(PILE), T0)
        self.remember(wire.heartbeat(PILE))
        self.lane.take_beats()

    def remember(self, frame):
        """Frames like this one repeat from now on."""
        (fact,) = self.link.receive(frame, T0)
        self.link.remember(0, fact, self.lane)
        self.follow(self.link.framers[0], self.story, "ykc")


@pytest.fixture
def way():
    return Way()


def test_what_was_not_seen_before_is_news(way):
    way.received(b"\x68", T0 + 5)
    assert (way.news, way.captured, way.volume.received, way.heard_at_ms) == ([(b"\x68", T0 + 5)], [], 1, T0 + 5)


def test_a_repeat_is_captured_and_answered_and_nothing_else(way):
    way.remember_beats()
    beat = wire.heartbeat(PILE)
    way.received(beat, T0 + 10)
    (answer,) = way.said
    assert answer[5] == 0x04
    assert way.captured == [(T0 + 10, 7, "up", beat, "ykc"), (T0 + 10, 7, "down", answer, "ykc")]
    assert (way.news, way.kept, way.volume.sent, way.presence.heard_ms) == ([], [], len(answer), T0 + 10)


def test_news_behind_repeats_is_a_read_of_its_own(way):
    way.remember_beats()
    beat = wire.heartbeat(PILE)
    way.received(beat + beat + b"\x68\x0c", T0 + 10)
    assert (way.captured[0][3], way.news) == (beat + beat, [(b"\x68\x0c", T0 + 10)])
    assert len(way.said) == 1


def test_heartbeats_alone_are_taken_while_news_wait(way):
    way.remember_beats()
    beat, sample = wire.heartbeat(PILE), wire.sample(PILE + "01" + "260303114016" + "0001", PILE, energy=1)
    way.lane.idle()
    way.remember(sample)
    way.has_news = True
    assert way.take_repeats(beat + sample + beat, T0 + 10) == sample + beat
    way.has_news = False
    assert way.take_repeats(sample + beat, T0 + 11) == b""
    assert (way.traffic.beats, way.traffic.samples) == (2, 1)


def test_heartbeats_among_news_that_wait_are_taken_from_between_whole_frames(way):
    way.remember_beats()
    beat, record = wire.heartbeat(PILE), wire.login(PILE)
    way.has_news = True
    assert way.take_beats(record + beat + beat + record + beat + record[:-1] + beat, T0 + 10) == (
        record + record + record[:-1] + beat
    )
    assert (way.traffic.beats, way.said[0][5], len(way.said)) == (3, 0x04, 2)
    assert way.take_beats(record, T0 + 11) == record
    assert way.take_beats(record[:-1], T0 + 11) == record[:-1]


def test_deadlines_that_were_due_fire_first(way):
    way.alarms.arm("t1", T0 + 8)
    way.received(b"\x00", T0 + 7)
    way.received(b"\x00", T0 + 8)
    assert way.board.advanced == [T0 + 8]


def test_a_flood_closes_the_link_and_nothing_behind_is_taken(way):
    way.remember_beats()
    way.received(wire.heartbeat(PILE) * 21 + b"\x68", T0 + 10)
    assert (way.closed_because, way.news) == ("more frames than a pile may send", [])
    captured = len(way.captured)
    way.received(wire.heartbeat(PILE), T0 + 11)
    assert len(way.captured) == captured


def test_a_good_frame_forgives_bad_ones(way):
    way.remember_beats()
    way.refused_in_a_row = 3
    way.received(wire.heartbeat(PILE), T0 + 10)
    assert way.refused_in_a_row == 0


def test_repeats_are_kept_while_a_session_may_be_open_as_often_as_shows_no_silence(way):
    way.remember_beats()
    way.story.busy(T0)
    for second in range(0, 60, 5):
        way.received(wire.heartbeat(PILE), T0 + second * 1000)
    assert [(row.at_ms - T0) // 1000 for row in way.kept] == [0, 15, 30, 45]
    assert way.kept[0] == FrameKept(PILE, T0, "10.0.0.5:4001", "up", "", wire.heartbeat(PILE))
    way.received(wire.heartbeat(PILE), T0 + 46 * MINUTE_MS)
    assert len(way.kept) == 4


def test_what_is_new_is_met_by_the_pipeline_alone():
    way = ShortWay(Board(), Alarms(), Traffic(), Volume(), print, print, link_no=1, address="", at_ms=T0, frames_max=20)
    with pytest.raises(AssertionError):
        way.received(b"\x68", T0)
    with pytest.raises(AssertionError):
        way.count(T0, 21)

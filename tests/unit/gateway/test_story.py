import pytest

from gateway.frameblock import unpack_frames
from gateway.outcome import FrameKept
from gateway.story import Gathered, Story

PILE, T0 = "55031412782305", 1_772_509_200_000
GAP_MS = 15_000
MINUTE_MS = 60_000


def row(at_ms, about="", data=b"", link="l"):
    return FrameKept(PILE, at_ms, link, "up", about, data)


class Shelf:
    """A story, and what was handed over of it."""

    def __init__(self):
        self.blocks = []
        self.gathered = Gathered(self.blocks.extend)
        self.story = Story(PILE, self.gathered, GAP_MS)

    def seconds(self):
        """When what is kept was, in seconds."""
        self.story.hand_over()
        return [(each.at_ms - T0) / 1000 for block in self.blocks for each in unpack_frames(block)]


@pytest.fixture
def shelf():
    return Shelf()


def test_a_story_keeps_news_and_what_waited_before_a_silence(shelf):
    story = shelf.story
    assert not story.take([row(T0)], False)
    assert story.take([row(T0 + 1_000)], True)
    story.busy(T0 + 1_000)
    assert not story.take([row(T0 + 2_000)], False)
    assert story.take([row(T0 + GAP_MS + 3_000)], True)
    assert shelf.seconds() == [1, 2, 18]


def test_what_waited_for_a_short_time_is_dropped_by_news(shelf):
    shelf.story.busy(T0)
    shelf.story.keep([row(T0)])
    shelf.story.take([row(T0 + 1_000)], False)
    shelf.story.take([row(T0 + 2_000)], True)
    assert shelf.seconds() == [0, 2]


def test_nothing_waits_when_no_session_may_be_open_any_more(shelf):
    story = shelf.story
    story.busy(T0)
    story.keep([row(T0)])
    assert not story.take([row(T0 + 1_000)], False)
    assert not story.take([row(T0 + 46 * MINUTE_MS)], False)
    story.flush()
    assert shelf.seconds() == [0]


def test_a_story_lets_go_of_what_waits_when_asked_or_when_nothing_follows(shelf):
    story = shelf.story
    story.busy(T0)
    story.keep([row(T0)])
    for second in (1, 2):
        story.take([row(T0 + second * 1000)], False)
    story.tick(T0 + 2_000 + GAP_MS)
    assert shelf.seconds() == [0]
    story.tick(T0 + 2_001 + GAP_MS)
    story.flush()
    assert shelf.seconds() == [0, 2]
    assert (story.kept_at_ms, story.busy_until_ms) == (T0 + 2_000, T0 + 45 * MINUTE_MS)


def test_what_gathered_is_handed_over_in_one_row(shelf):
    for second in range(5):
        shelf.story.keep([row(T0 + second * 1000, "SampleReceived", b"x")])
    assert (shelf.blocks, len(shelf.gathered)) == ([], 1)
    shelf.gathered.hand_over(T0)
    (block,) = shelf.blocks
    assert [each.at_ms - T0 for each in unpack_frames(block)] == [0, 1000, 2000, 3000, 4000]
    shelf.gathered.hand_over(T0)
    assert (len(shelf.blocks), len(shelf.gathered)) == (1, 0)


def test_a_full_block_a_new_link_and_a_new_minute_are_handed_over_in_order(shelf):
    put = [row(T0, data=bytes(1_500)), row(T0, data=bytes(1_500)), row(T0 + 1, link="m"), row(T0 + MINUTE_MS + 1)]
    shelf.story.keep(put)
    assert len(shelf.blocks) == 3
    shelf.story.hand_over()
    assert [each for block in shelf.blocks for each in unpack_frames(block)] == put


def test_what_waits_is_looked_at_until_it_is_kept(shelf):
    shelf.story.busy(T0)
    shelf.story.keep([row(T0)])
    shelf.gathered.hand_over(T0)
    shelf.story.take([row(T0 + 1_000)], False)
    shelf.gathered.hand_over(T0 + 1_000 + GAP_MS)
    assert (len(shelf.blocks), len(shelf.gathered)) == (1, 1)
    shelf.gathered.hand_over(T0 + 1_001 + GAP_MS)
    assert (len(shelf.blocks), len(shelf.gathered)) == (2, 0)
    assert shelf.seconds() == [0, 1]


def test_some_stories_are_handed_over_at_a_time_and_those_first_that_gathered_first():
    blocks = []
    gathered = Gathered(blocks.extend)
    for number in range(5):
        Story(f"p{number}", gathered, GAP_MS).keep([row(T0)])
    for left in (3, 1, 0):
        gathered.hand_over(T0, 2)
        assert len(gathered) == left
    assert [block.pile_id for block in blocks] == ["p0", "p1", "p2", "p3", "p4"]

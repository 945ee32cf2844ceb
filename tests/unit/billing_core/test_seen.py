"""What the samples of a session show."""

from billing_core.seen import see
from tests.oracle.adapter import evidence_of
from tests.oracle.story import Sample
from tests.oracle.test_referee import STORY, replace


def test_a_frozen_run_may_follow_a_rest_at_the_same_reading():
    """The first state draws nothing; the five behind it draw 40 kW and count nothing."""
    at_ms = STORY.samples[0].rx_ms
    states = tuple(Sample(at_ms + i * 15_000, 500, 0, 4000, 1000 if i else 0) for i in range(6))
    seen = see(evidence_of(replace(STORY, samples=states)), 2)
    assert seen.has_frozen
    assert not see(evidence_of(replace(STORY, samples=states[:5])), 2).has_frozen

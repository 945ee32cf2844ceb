"""The engine and the oracle on the same random sessions: equal to the fen and to the code."""

import os

import pytest
from hypothesis import HealthCheck, given, note, seed, settings

from tests.oracle.adapter import both
from tests.oracle.referee import judge
from tests.oracle.strategies import clean_stories, stories

SOAK_SEED = int(os.environ.get("ORACLE_SEED", "0")) or int.from_bytes(os.urandom(4))
steady = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def agree(story):
    note(f"doubts of the oracle: {judge(story).doubts}")
    ours, theirs = both(story)
    assert theirs == ours


@settings(steady, max_examples=400)
@given(clean_stories())
def test_on_healthy_piles(story):
    agree(story)


@settings(steady, max_examples=800)
@given(stories(most=1))
def test_on_one_fault(story):
    agree(story)


@settings(steady, max_examples=800)
@given(stories(most=4))
def test_on_several_faults(story):
    agree(story)


@pytest.mark.soak
@pytest.mark.parametrize("most", [0, 1, 2, 3, 5])
def test_for_long(most):
    print(f"ORACLE_SEED={SOAK_SEED}")  # set it to repeat a round

    @seed(SOAK_SEED)
    @settings(steady, derandomize=False, max_examples=20_000)
    @given(stories(most=most))
    def round_of(story):
        agree(story)

    round_of()

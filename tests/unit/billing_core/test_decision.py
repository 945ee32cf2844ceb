"""Who decides."""

from dataclasses import replace

import pytest

from tests.oracle.adapter import bill_of
from tests.oracle.test_referee import SAMPLES, STORY


@pytest.mark.parametrize("shown_e4yuan", [608_824, 608_823, 0], ids=["2 % below", "a hair more", "nothing"])
def test_a_clean_record_is_not_held_against_the_last_sample(shown_e4yuan):
    """The gate stands at 62.10 yuan for 60.8824 shown; nothing is wrong with this record, so it settles whatever was shown."""
    last = replace(SAMPLES[-1], amount_e4yuan=shown_e4yuan)
    bill = bill_of(replace(STORY, samples=(*SAMPLES[:-1], last)))
    assert (bill.amount_fen, bill.anomalies, bill.status) == (6210, (), "normal")
    assert bill.computation["gate"]["is_passed"] is (shown_e4yuan == 608_824)

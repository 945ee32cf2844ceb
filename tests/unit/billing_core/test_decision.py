"""Who decides."""

from dataclasses import replace

import pytest

from tests.oracle.adapter import bill_of
from tests.oracle.test_referee import SAMPLES, STORY


@pytest.mark.parametrize(
    ("shown_e4yuan", "status"),
    [(608_824, "normal"), (608_823, "review"), (0, "review")],
    ids=["2 % below", "a hair more", "nothing"],
)
def test_the_gate_holds_for_clean_bills_too(shown_e4yuan, status):
    """62.10 yuan passes when 60.8824 were shown: 2 % more are 62.100048."""
    last = replace(SAMPLES[-1], amount_e4yuan=shown_e4yuan)
    bill = bill_of(replace(STORY, samples=(*SAMPLES[:-1], last)))
    assert (bill.amount_fen, bill.anomalies, bill.status) == (6210, (), status)

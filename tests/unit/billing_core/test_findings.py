"""Findings that are small enough to be held one by one."""

import pytest

from billing_core.findings import agrees_with_losses


@pytest.mark.parametrize(
    ("told", "agrees"),
    [(822, True), (824, True), (825, False), (821, True), (820, False)],
)
def test_losses_are_compared_unrounded(told, agrees):
    """0.0799 kWh and 3 % make 0.082297: 0.0825 is 0.000203 away, and 0.0821 only 0.000197."""
    assert agrees_with_losses(told, 799, 300) is agrees

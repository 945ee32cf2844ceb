"""Plans are values."""

import dataclasses

import pytest

from gateway.simulator.plan import ClockFault, PilePlan, RecordFate, Visit


def test_a_plan_is_what_it_says():
    visit = Visit("card", 1, 2, 3)
    plan = PilePlan("1" * 14, "DC", ((visit,), (visit, visit)))
    assert plan.connector_count == 2
    assert (plan.clock, visit.record) == (ClockFault.NONE, RecordFate.GOOD)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.current = "AC"
    assert hash(visit) == hash(Visit("card", 1, 2, 3))

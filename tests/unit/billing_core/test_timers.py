import dataclasses

import pytest

from billing_core.timers import Timers


def test_the_deadlines_of_the_field():
    assert dataclasses.astuple(Timers()) == (
        90_000,
        30_000,
        1_800_000,
        43_200_000,
        120_000,
        60_000,
        600_000,
        259_200_000,
    )


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Timers)])
@pytest.mark.parametrize("value", [0, -1])
def test_no_deadline_is_zero_or_less(name, value):
    with pytest.raises(ValueError, match=f"{name} is above 0"):
        Timers(**{name: value})
    assert getattr(Timers(**{name: 1}), name) == 1

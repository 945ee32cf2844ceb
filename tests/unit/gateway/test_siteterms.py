import dataclasses

import pytest

from billing_core.occupancy import OccupancyTerms
from billing_core.tolerances import Tolerances
from gateway.errors import ConfigError
from gateway.siteterms import TOLERANCE_KEYS, OccupancyEntry, tolerances_from
from gateway.tomlfile import TomlFile


def test_terms_are_what_the_table_says():
    entry = OccupancyEntry(
        "0.50",
        grace_min=10,
        grace_mode="threshold",
        cap="30.00",
        free_windows=("12:00-13:30", "22:00-06:00"),
        max_hours=8,
    )
    assert entry.terms == OccupancyTerms(10, True, 50_000, 3_000, ((720, 810), (1_320, 360)), 8)


def test_what_a_table_leaves_out():
    assert OccupancyEntry("0.50").terms == OccupancyTerms(15, False, 50_000, None, (), 24)
    assert OccupancyEntry("0.50").scope == ("*",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"grace_mode": "half"}, "grace_mode"),
        ({"grace_min": -1}, "grace_min is 0 or more"),
        ({"max_hours": 0}, "max_hours 1 or more"),
        ({"price_per_min": "a"}, "'a'"),
        ({"price_per_min": "0.000001"}, "0.000001"),
        ({"cap": "1.001"}, "1.001"),
        ({"free_windows": ("12:00",)}, "is not a window"),
        ({"free_windows": ("12:00-25:00",)}, "is not a time of day"),
        ({"free_windows": ("12:60-13:00",)}, "is not a time of day"),
        ({"free_windows": ("12:00-13:00", "12:59-14:00")}, "overlap"),
    ],
)
def test_terms_that_cannot_be_are_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        OccupancyEntry(**{"price_per_min": "0.50"} | changes)


def test_windows_may_touch():
    assert len(OccupancyEntry("1", free_windows=("12:00-13:00", "13:00-24:00")).terms.free_windows_min) == 2


def read(text):
    return tolerances_from(TomlFile(text, "site.toml"))


def test_tolerances_by_model():
    found = read('[[tolerance]]\nclock_ms = 90000\n[[tolerance]]\nmodel = "X1"\ngate_percent = 3\n')
    assert found == {
        "*": dataclasses.replace(Tolerances(), clock_ms=90_000),
        "X1": dataclasses.replace(Tolerances(), gate_percent=3),
    }
    assert read("") == {}


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("[tolerance]\nclock_ms = 1\n", "type_wrong", 1),
        ("[[tolerance]]\nmodel = 7\n", "type_wrong", 2),
        ('[[tolerance]]\nmodel = "a"\n[[tolerance]]\nmodel = "a"\n', "model_twice", 4),
        ("[[tolerance]]\nclok_ms = 1\n", "key_unknown", 2),
        ("[[tolerance]]\nclock_ms = -1\n", "out_of_bounds", 2),
    ],
)
def test_tables_that_cannot_be_are_refused_by_line(text, code, line):
    with pytest.raises(ConfigError) as refused:
        read(text)
    assert (refused.value.code, refused.value.line, refused.value.file) == (code, line, "site.toml")


def test_every_tolerance_is_a_key():
    assert {"clock_ms", "gate_e4yuan", "operator_fen"} <= set(TOLERANCE_KEYS)
    assert len(TOLERANCE_KEYS) == len(Tolerances.__slots__)

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest

from billing_core.bill import STATUSES
from billing_core.issue import issue_bill
from billing_core.occupancy import OccupancyTerms
from billing_core.pricing import Line, Total
from billing_core.tariff import Campaign
from tests.support.evidence import END, HOUR, TEN, book, evidence

SCHEMA = json.loads((Path(__file__).parents[3] / "billing_core" / "bill.schema.json").read_text())
CLEAN = issue_bill(evidence(), revision=1)


def shown(**changes):
    return issue_bill(evidence(**changes), revision=1).to_json_dict()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"record": None},
        {"samples": ()},
        {"samples": (), "record": None},
        {"authorisation": None},
        {"occupancy": OccupancyTerms(price_per_min_e5=20_000), "unplugged_at_ms": END + HOUR},
        {"tariffs": book(campaigns=[Campaign("half", "energy", 5_000, TEN - HOUR, END, ("*",))])},
    ],
)
def test_every_bill_keeps_its_schema(changes):
    jsonschema.validate(shown(**changes), SCHEMA)


def test_what_is_absent_is_null_and_numbers_are_text():
    found = shown(record=None)
    for name in ("meter_start_kwh", "meter_stop_kwh", "pile_amount", "stop_reason", "vin", "card_uid"):
        assert found[name] is None
    assert (found["energy_kwh"], found["amount"], found["duration_s"]) == ("19.5000", "30.27", 2405)
    assert shown(samples=())["segments"] is None
    assert "adjustments" not in found


def test_a_line_names_a_factor_of_the_energy_only_where_there_is_one():
    assert "energy_factor" not in shown()["lines"][0]
    half = Campaign("half", "both", 5_000, TEN - HOUR, END, ("*",))
    found = shown(tariffs=book(campaigns=[half]))
    assert (found["lines"][0]["energy_factor"], found["lines"][0]["service_factor"]) == ("0.5", "0.5")
    assert (found["amount"], found["discount"], found["campaigns"]) == ("15.53", "15.52", ["half"])


def test_a_time_that_nobody_knows_has_no_duration():
    found = dataclasses.replace(CLEAN, started_at_ms=None).to_json_dict()
    assert (found["started_at"], found["duration_s"]) == (None, None)
    found = dataclasses.replace(CLEAN, ended_at_ms=TEN + 1_999).to_json_dict()
    assert found["duration_s"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"discount_fen": -1},
        {"lines": (Line(1, 200_001, 110_250, 45_000),)},
        {"lines": (Line(2, 200_000, 110_250, 45_000),)},
        {"lines": ()},
        {"status": "paid"},
        {"confidence_percent": 101},
        {"confidence_percent": -1},
        {"explanation_en": ("a", "b", "c")},
        {"explanation_zh": ("a", "b", "c")},
    ],
)
def test_a_bill_that_does_not_add_up_is_never_made(changes):
    with pytest.raises(AssertionError):
        dataclasses.replace(CLEAN, **changes)


@pytest.mark.parametrize(("energy", "service", "amount"), [(2, 2, 5), (3, -1, 2)])
def test_a_total_adds_up(energy, service, amount):
    with pytest.raises(AssertionError):
        Total(energy, service, amount)


def test_sums_hold_without_segments_too():
    assert dataclasses.replace(CLEAN, segments=None, lines=()).sums_hold()
    assert dataclasses.replace(CLEAN, discount_fen=0).sums_hold()
    assert STATUSES == ("normal", "repaired", "provisional", "review", "void")

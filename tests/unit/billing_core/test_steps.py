import ast
from pathlib import Path

import pytest

from billing_core import decision, sources, steps
from billing_core.issue import issue_bill
from billing_core.occupancy import OccupancyTerms
from billing_core.tariff import Campaign
from tests.support.evidence import END, HOUR, MINUTE, TEN, book, charging, evidence


def told(**changes):
    """The steps in English; each has its line in Chinese."""
    bill = issue_bill(evidence(**changes), revision=1)
    found = steps.steps(bill.to_json_dict(), bill.computation)
    assert all(en and zh for en, zh in found)
    return [en for en, _ in found]


def test_every_step_of_the_clean_charge():
    assert told() == [
        "The gateway saw 40 live readings, from 2026-03-03T09:59:55.000+08:00 to 2026-03-03T10:40:00.000+08:00 (as it "
        "happened); the last one showed 19.5000 kWh.",
        "So the energy lies between 19.4900 and 20.5100 kWh: the last reading at least, rated power until "
        "2026-03-03T10:40:00.000+08:00 at most.",
        "The meter: 1000.0000 → 1000.0000 → 1020.0000 → ? kWh (former charge, start, stop, next charge).",
        "Source 1: the meter's start and stop readings, 20.0000 kWh, 99 % sure.",
        "Source 4: the record's total alone, 20.0000 kWh, 90 % sure.",
        "Source 5: the last live reading, 19.5000 kWh, 90 % sure.",
        "Source 7: voltage and current over time, 18.5250 kWh, 60 % sure.",
        "Accepted: 20.0000 kWh, from the meter's start and stop readings.",
        "It lasted from 2026-03-03T10:00:00.000+08:00 to 2026-03-03T10:40:00.000+08:00, by the charger's record; the "
        "charger's clock can be trusted.",
        "It is split over the price periods as the charger booked it, at the prices of tariff 0001:",
        "2026-03-03T09:59:55.000+08:00 – 2026-03-03T10:00:00.000+08:00  flat  0.0000 kWh",
        "2026-03-03T10:00:00.000+08:00 – 2026-03-03T10:40:00.000+08:00  peak  20.0000 kWh",
        "peak: energy 20.0000 × 1.10250 = 22.0500, service 20.0000 × 0.45000 = 9.0000 yuan.",
        "All fees together, rounded half up to fen once: 31.05 yuan; energy fee 22.05, service fee the rest, 9.00. "
        "Campaigns took off 0.00.",
        "Nothing wrong: The record has one summed price; the tariff splits it.",
        "Nothing wrong: The charge crossed price periods.",
        "The customer had been shown 30.2737 yuan; the total of 31.05 is above the limit of 30.8791.",
        "Sure to 99 % (energy 99, time 99, tariff 99, identity 99): a rule settles it.",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"samples": ()}, "The gateway saw no live data of this charge."),
        ({"samples": charging(), "record": None}, "(at the earliest)"),
        ({"pile": {"rated_w": None}}, "between 19.4900 and ∞ kWh"),
        ({"record": {"started_ms": TEN - HOUR}}, "the charger's clock cannot be trusted"),
        ({"record": None}, "record_missing (major): No record arrived"),
        ({"record": None}, "a rule settles it in the customer's favour, open to later evidence."),
        ({"authorisation": None}, "a person must decide: record_orphan_serial; charge_without_order; confidence_low"),
        ({"stop_accepted_at_ms": TEN + 19 * MINUTE}, "10.0000 kWh behind an ignored stop are the operator's loss."),
        ({"authorisation": {"balance_fen": 3_100}}, "The operator bears what exceeds the balance: -0.05 yuan."),
        (
            {"occupancy": OccupancyTerms(price_per_min_e5=20_000), "unplugged_at_ms": END + HOUR},
            "45 chargeable minutes, 9.00 yuan.",
        ),
        (
            {"tariffs": book(campaigns=[Campaign("half", "both", 5_000, TEN - HOUR, END, ("*",))])},
            "peak: energy 20.0000 × 1.10250 × 0.5 = 11.0250, service 20.0000 × 0.45000 × 0.5 = 4.5000 yuan.",
        ),
    ],
)
def test_a_step_says_its_numbers(changes, line):
    if line.startswith("a person"):
        line = line.split("; confidence")[0]
    assert any(line in each for each in told(**changes)), told(**changes)


def test_a_bill_of_another_maker_has_no_steps():
    assert steps.steps({}, {}) == []


def person(**more):
    bill = issue_bill(evidence(), revision=2)
    computation = {**bill.computation, "person": {"actor": "Wang", "kind": "other_source", "reason": "seen on site"}}
    return [en for en, _ in steps.steps({**bill.to_json_dict(), **more}, computation)]


def test_what_a_person_decided_is_told_last():
    assert person()[-1] == "Decided by Wang (other source), because: seen on site. To be paid: 31.05 yuan."
    adjusted = {"payable": "30.00", "adjustments": [{"kind": "decided", "amount": "-1.05"}]}
    assert person(**adjusted)[-1].endswith("To be paid: 30.00 yuan.")
    assert "A person decided on another amount: -1.05 yuan beside the fees." in person(**adjusted)
    waived = {"payable": "0.00", "adjustments": [{"kind": "waived", "amount": "-31.05"}]}
    assert "A person waived the bill: -31.05 yuan." in person(**waived)


def words_of(module, function):
    """The texts in a function, read from its source: compiled or not."""
    source = Path(module.__file__).parent / f"{module.__name__.rpartition('.')[2]}.py"
    (node,) = (
        each
        for each in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(each, ast.FunctionDef) and each.name == function
    )
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def test_every_source_and_reason_has_words():
    names = {each for each in words_of(sources, "all_sources") if "_" in each and " " not in each}
    assert names <= set(steps._SOURCES)
    assert {"register_pair", "record_total", "record_alone", "never_started", "none"} <= set(steps._SOURCES)
    reasons = {each for each in words_of(decision, "_reasons") if " " not in each}
    assert {"gate", "downward", "age", "energy_unproven", "decided_before"} <= reasons & set(steps._REASONS)

import pytest

from billing_core.evidence import Former, Tier
from billing_core.issue import issue_bill
from billing_core.occupancy import OccupancyTerms
from tests.support.evidence import (
    END,
    HOUR,
    LAST,
    MINUTE,
    TEN,
    before,
    book,
    charging,
    evidence,
    other_content,
    record,
    rest,
    sample,
    tariff,
    tiers,
)

UP_TO_DATE = (*charging(last=38), sample(39, amount_e4yuan=310_500), rest(40))


def said(**changes):
    """(status, first sentence, second sentence) in English; the Chinese ones are there as well."""
    bill = issue_bill(evidence(**{"samples": UP_TO_DATE, **changes}), revision=1)
    assert len(bill.explanation_en) == len(bill.explanation_zh) == 2
    assert all(text.endswith("。") for text in bill.explanation_zh)
    assert all(text.endswith(".") for text in bill.explanation_en)
    return bill.status, *bill.explanation_en


USUAL = "At the prices of tariff 0001 that is 22.05 yuan for energy and 9.00 yuan for service, 31.05 yuan in all."


def test_a_normal_bill_says_what_was_charged_and_what_it_costs():
    assert said() == ("normal", "You charged 20.0000 kWh from 2026-03-03 10:00 to 2026-03-03 10:40.", USUAL)


@pytest.mark.parametrize(
    ("changes", "happened"),
    [
        (
            {"record": {"started_ms": 0}},
            "The charger's clock was wrong; by the gateway's records the charge lasted from",
        ),
        ({"record": {"ended_ms": None, "ended_fault": "invalid_field"}}, "The charger's clock was wrong;"),
        ({"record": {"ended_ms": TEN - 1}}, "The charger's clock was wrong;"),
        ({"record": {"ended_ms": END + HOUR}}, "The charger's clock was wrong;"),
        (
            {"record": {"started_ms": None, "started_fault": "zero_date"}},
            "The charger sent an empty date, so the time is the gateway's: the charge began at 2026-03-03 09:59.",
        ),
        (
            {"record": None},
            "The charger never sent its record, so the last reading it reported, 19.5000 kWh, is billed;",
        ),
        (
            {"record": None, "meter_start_next_e4kwh": 10_195_000},
            "The charger never sent its record; its meter moved from 1000.0000 to 1019.5000 between the charges before",
        ),
        (
            {"record": None, "samples": charging(), "at_ms": LAST + 13 * HOUR},
            "The charger never sent its record, so the last reading",
        ),
        (
            {"record": {"energy": 20_000, "meter_start_e4kwh": 1_000_000}},
            "The charger put the decimal point in the wrong place; live data and meter show 20.0000 kWh.",
        ),
        (
            {"record": {"meter_start_e4kwh": 0, "meter_stop_e4kwh": 10_200_000}},
            "The charger sent 0 as start reading; from the previous stop reading 1000.0000 on you charged 20.0000 kWh.",
        ),
        (
            {"records": (record(energy=300_000), other_content(record()))},
            "The charger sent different records of this charge; the one that agrees with meter and live data, 20.0000",
        ),
        (
            {"record": {"tiers": (tiers()[0], Tier(170_000, 200_000, 0, 340_000))}},
            "The charger used prices that were not in force; you pay those published when you started (tariff 0001).",
        ),
        (
            {"stop_accepted_at_ms": TEN + 19 * MINUTE},
            "The charger went on after you stopped it; the 10.0000 kWh that followed are not charged to you.",
        ),
    ],
)
def test_a_mended_bill_says_what_happened(changes, happened):
    status, first, _ = said(**changes)
    assert status in ("repaired", "provisional")
    assert first.startswith(happened)
    for date in ("1970", "1999", "2000", "11:40"):
        assert date not in first, "never a time that did not happen"


def test_a_mended_bill_without_words_of_its_own_says_its_main_finding():
    assert said(previous=before(meter_stop_e4kwh=9_950_000)) == (
        "repaired",
        "5.0000 kWh passed the meter between the former charge and this one; they are on no bill.",
        USUAL,
    )


@pytest.mark.parametrize(
    ("changes", "happened"),
    [
        ({"record": None}, "You asked to start at 2026-03-03 09:59, but the charger delivered no energy:"),
        ({"record": None, "refusal_code": 1}, "The start failed and no energy was delivered."),
        (
            {"record": {"energy": 0, "amount_e4yuan": 9}, "refusal_code": 1},
            "The start failed and no energy was delivered.",
        ),
        (
            {"record": {"energy": 0}, "authorisation": None, "is_offline_card_known": True, "clock_offset_ms": 0},
            "The vehicle was connected for 40 minutes",
        ),
        (
            {"record": {"energy": 0, "ended_ms": TEN}, "authorisation": None, "is_offline_card_known": True},
            "The record shows no energy.",
        ),
    ],
)
def test_an_empty_bill_says_why(changes, happened):
    status, first, second = said(samples=(), **changes)
    assert (status, second) == ("void", "This bill is 0.00 yuan, and any amount held is released.")
    assert first.startswith(happened)


def test_a_proposal_says_that_nothing_was_charged():
    status, first, second = said(authorisation=None)
    assert (status, first) == (
        "review",
        "The record belongs to no start known here (also: charge without order).",
    )
    assert second == "A person decides on this bill; 31.05 yuan is proposed, nothing has been charged."


def test_a_proposal_without_any_anomaly_says_what_was_charged():
    status, first, _ = said(authorisation={"balance_fen": 2_000})
    assert (status, first) == ("review", "You charged 20.0000 kWh from 2026-03-03 10:00 to 2026-03-03 10:40.")


@pytest.mark.parametrize(
    ("posted", "said_of_it"),
    [
        (3_205, "from 32.05 to 31.05 yuan; the difference of 1.00 yuan is returned to you."),
        (3_095, "from 30.95 to 31.05 yuan; the difference of 0.10 yuan was collected."),
    ],
)
def test_a_correction_says_the_difference(posted, said_of_it):
    assert said(former=Former(posted, is_substitute=False))[2] == f"This bill corrects an earlier one {said_of_it}"


def test_a_correction_of_nothing_says_the_bill():
    assert said(former=Former(3_105, is_substitute=False))[2] == USUAL
    assert said(former=Former(None, is_substitute=False))[2] == USUAL


def test_what_stands_beside_the_fees_is_said():
    stay = {"occupancy": OccupancyTerms(price_per_min_e5=20_000), "unplugged_at_ms": END + HOUR}
    assert said(**stay)[2] == (
        "At the prices of tariff 0001 that is 22.05 yuan for energy and 9.00 yuan for service, plus 9.00 yuan for 45 "
        "minutes of occupying the place until 2026-03-03 11:40, 40.05 yuan in all."
    )
    assert said(authorisation={"balance_fen": 3_100})[2] == (
        "At the prices of tariff 0001 that is 22.05 yuan for energy and 9.00 yuan for service, less 0.05 yuan above "
        "your balance that the operator bears, 31.00 yuan in all."
    )


def test_without_a_tariff_a_proposal_still_speaks():
    assert said(tariffs=book(tariff(valid_from_ms=END)))[1] == "No tariff was in force for this charger."

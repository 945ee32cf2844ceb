import pytest

from billing_core.evidence import Former
from billing_core.issue import computation, issue_bill, judge, order_no
from billing_core.occupancy import OccupancyTerms
from tests.support.evidence import (
    CHINA,
    END,
    HOUR,
    MINUTE,
    SERIAL,
    TEN,
    evidence,
    rest,
    sample,
)


def bill(revision=1, **changes):
    return issue_bill(evidence(**changes), revision=revision)


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (SERIAL, "20260303095950000001"),
        ("55031412782305012602300959500001", None),  # no such day
        ("550314127823050126030309595000AB", None),
        ("5503141278230501260303095950000", None),
        ("x", None),
    ],
)
def test_the_number_that_a_customer_sees(number, wanted):
    found = order_no(number, TEN, CHINA)
    assert len(found) == 20
    assert found.isdecimal()
    if wanted is not None:
        assert found == wanted
    else:
        assert found.startswith("20260303100000")
        assert found == order_no(number, TEN, CHINA) != order_no(number + "1", TEN, CHINA)


def test_the_clean_charge_makes_the_bill_that_people_reckon():
    found = bill()
    assert (found.status, found.energy_e4kwh, found.amount_fen, found.payable_fen) == ("normal", 200_000, 3_105, 3_105)
    assert (found.total.energy_fee_fen, found.total.service_fee_fen, found.discount_fen) == (2_205, 900, 0)
    assert (found.meter_start_e4kwh, found.meter_stop_e4kwh, found.pile_amount_e4yuan) == (
        10_000_000,
        10_200_000,
        310_500,
    )
    assert (found.energy_basis, found.time_basis, found.split_basis) == ("register_pair", "record", "record")
    assert (found.started_at_ms, found.ended_at_ms, found.confidence_percent) == (TEN, END, 99)
    assert (found.anomalies, found.primary_anomaly, found.stop_name) == ((), None, "0x45")


def test_the_same_evidence_makes_the_same_bill_whenever_it_is_judged():
    one, later = bill(), bill(at_ms=END + 9 * HOUR)
    assert one.to_json_dict() == later.to_json_dict()


def test_a_revision_is_counted_from_one():
    assert bill(revision=3).revision == 3
    with pytest.raises(AssertionError):
        bill(revision=0)


@pytest.mark.parametrize(
    ("changes", "status", "energy", "payable"),
    [
        ({"record": None}, "provisional", 195_000, 3_027),
        ({"record": None, "is_final": True}, "repaired", 195_000, 3_027),
        ({"samples": (), "record": None}, "void", 0, 0),
        ({"samples": (), "record": {"energy": 0}}, "void", 0, 0),
        ({"authorisation": None}, "review", 200_000, 3_105),
        ({"record": None, "meter_start_next_e4kwh": 10_195_000}, "repaired", 195_000, 3_027),
    ],
)
def test_the_status_follows_from_what_is_sure(changes, status, energy, payable):
    found = bill(**changes)
    assert (found.status, found.energy_e4kwh, found.payable_fen) == (status, energy, payable)


def test_registers_are_shown_where_the_record_has_any():
    found = bill(record={"meter_start_e4kwh": 0, "meter_stop_e4kwh": 0})
    assert (found.meter_start_e4kwh, found.meter_stop_e4kwh) == (None, None)
    assert bill(record=None).meter_stop_e4kwh is None


def test_a_rebound_record_moves_the_bill_to_its_connector():
    assert bill(record={"connector": 2}, sample_connector=2).connector == 2
    assert bill(record={"connector": 2}).connector == 1


@pytest.mark.parametrize(
    ("one", "auth", "vin", "card"),
    [
        ({}, {}, None, None),
        ({"vin": "R", "card_uid": "RC"}, {"vin": "A", "card_uid": "AC"}, "R", "RC"),
        ({}, {"vin": "A", "card_uid": "AC"}, "A", "AC"),
        ({"vin": ""}, {"vin": "A"}, "A", None),
        ({"vin": "R", "card_uid": "RC"}, None, "R", "RC"),
    ],
)
def test_car_and_card_are_the_record_s_else_the_authorisation_s(one, auth, vin, card):
    found = bill(record=one, authorisation=auth)
    assert (found.vin, found.card_uid) == (vin, card)


def test_what_an_ignored_stop_cost_is_on_no_bill():
    found = bill(stop_accepted_at_ms=TEN + 19 * MINUTE)
    assert (found.energy_e4kwh, found.amount_fen) == (100_000, 1_553)
    assert [(each.kind, each.energy_e4kwh) for each in found.adjustments] == [("operator_loss", 100_000)]


def test_a_stay_is_payable_beside_the_fees():
    terms = OccupancyTerms(price_per_min_e5=20_000)
    found = bill(occupancy=terms, unplugged_at_ms=END + HOUR)
    assert (found.amount_fen, found.payable_fen) == (3_105, 4_005)
    nothing = bill(occupancy=terms)
    assert nothing.to_json_dict()["payable"] == "31.05"
    assert "payable" not in bill().to_json_dict()


def test_a_stay_without_energy_is_no_void_bill():
    still = {"samples": (sample(0, 0), sample(39, 0), rest(40)), "record": {"energy": 0}}
    assert bill(**still).status == "void"
    stayed = bill(**still, occupancy=OccupancyTerms(price_per_min_e5=20_000), unplugged_at_ms=END + HOUR)
    assert (stayed.status, stayed.payable_fen) == ("normal", 900)


def test_a_posted_bill_is_lowered_at_once_and_told_so():
    found = bill(record={"energy": 195_000}, former=Former(3_105, is_substitute=True))
    assert (found.status, found.amount_fen) == ("repaired", 3_027)
    assert found.explanation_en[1] == (
        "This bill corrects an earlier one from 31.05 to 30.27 yuan; the difference of 0.78 yuan is returned to you."
    )


def test_a_judgement_is_the_bill_without_how_it_was_reached():
    whole = evidence()
    judged, reckoning = judge(whole, revision=3)
    issued = issue_bill(whole, revision=3)
    assert judged.to_json_dict() == issued.to_json_dict()
    assert judged.computation == {}
    assert computation(whole, reckoning) == issued.computation

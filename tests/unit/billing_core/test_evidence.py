import dataclasses
import hashlib
import json

import pytest

from billing_core.evidence import BmsEnd, fingerprints
from billing_core.occupancy import OccupancyTerms
from tests.support.evidence import (
    END,
    before,
    book,
    charging,
    evidence,
    other_content,
    record,
    rest,
    sample,
    tariff,
)


def test_charging_samples_are_those_that_charge():
    one = evidence(samples=(rest(0), sample(1), rest(2), sample(3)))
    assert [each.energy_e4kwh for each in one.charging] == [5_000, 15_000]


@pytest.mark.parametrize(
    ("authorisation", "card", "account"),
    [
        ({}, "C", "somebody"),
        ({"account_id": None, "card_uid": "A", "vin": "V"}, "C", "A"),
        ({"account_id": None, "vin": "V"}, "C", "V"),
        ({"account_id": None}, "C", None),
        (None, "C", "C"),
        (None, None, None),
    ],
)
def test_who_charged(authorisation, card, account):
    assert evidence(authorisation=authorisation, record={"card_uid": card}).account == account


def test_a_stop_code_is_written_as_its_protocol_writes_it():
    assert record(stop_code=0x45).stop_name == "0x45"
    assert record(stop_code=5).stop_name == "0x05"
    assert record(stop_label="17").stop_name == "17"


def test_registers_that_are_both_zero_are_none():
    assert not record(meter_start_e4kwh=0, meter_stop_e4kwh=0).has_registers
    assert record(meter_start_e4kwh=0, meter_stop_e4kwh=1).has_registers
    assert record(meter_start_e4kwh=1, meter_stop_e4kwh=0).has_registers


def test_equal_evidence_has_equal_fingerprints():
    found = fingerprints(evidence())
    assert found == fingerprints(evidence())
    assert (found["records"], found["sample_count"]) == (["a" * 64], 41)
    assert len(found["samples"]) == len(found["context"]) == 64


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"records": (record(), other_content(record()))}, {"records"}),
        ({"samples": (*charging(last=38), sample(39, soc_percent=99), rest(40))}, {"samples"}),
        ({"samples": charging()}, {"samples", "sample_count"}),
        ({"authorisation": {"balance_fen": 1}}, {"context"}),
        ({"pile": {"rated_w": 1}}, {"context"}),
        ({"previous": before(account="x")}, {"context"}),
        ({"bms_end": BmsEnd(END, 60, 5)}, {"context"}),
        ({"occupancy": OccupancyTerms()}, {"context"}),
        ({"vins": ("A",)}, {"context"}),
        ({"claimed_leave_ms": 1}, {"context"}),
        ({"meter_start_next_e4kwh": 1}, {"context"}),
        # what is no evidence of this charge
        ({"at_ms": 1}, set()),
        ({"is_final": True}, set()),
        ({"tariffs": book(tariff(model_no="0009"))}, set()),
    ],
)
def test_a_fingerprint_changes_with_what_it_is_taken_of(changes, parts):
    before_it, after = fingerprints(evidence()), fingerprints(evidence(**changes))
    assert {name for name in after if after[name] != before_it[name]} == parts


def test_every_other_field_is_part_of_the_context():
    one = evidence()
    for name in ("opened_at_ms", "start_accepted_at_ms", "login_at_ms", "next_start_at_ms", "link_lost_at_ms"):
        assert fingerprints(dataclasses.replace(one, **{name: 7}))["context"] != fingerprints(one)["context"], name


def test_the_context_is_digested_as_sorted_json_without_spaces():
    whole = evidence(
        occupancy=OccupancyTerms(), previous=before(account='x"\u00e9\x7f'), vins=("A", "B"), login_at_ms=-5
    )
    beside = {"samples", "records", "tariffs", "zone", "tolerances", "former", "at_ms", "is_final"}
    names = {each.name for each in dataclasses.fields(whole)} - beside
    plain = {name: _plain(getattr(whole, name)) for name in names}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    assert fingerprints(whole)["context"] == hashlib.sha256(text.encode()).hexdigest()


def _plain(value):
    if not dataclasses.is_dataclass(value):
        return value
    return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}

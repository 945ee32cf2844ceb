"""The schema finds what does not fit."""

import json

import pytest

from gateway.billschema import BILL_SCHEMA_PATH, fault_of
from tests.support.commandline import books, pilegate


@pytest.fixture(scope="module")
def bill(tmp_path_factory):
    database = books(tmp_path_factory.mktemp("books"), "app-start-across-two-rates")
    return json.loads(pilegate("bills", "--db", database, "--json").out)


def test_a_bill_fits(bill):
    assert fault_of(bill) is None
    assert list(bill) == json.loads(BILL_SCHEMA_PATH.read_text())["required"], "in the order of the contract"


@pytest.mark.parametrize(
    "change",
    [{"amount": 1.5}, {"amount": "1.5"}, {"status": "odd"}, {"lines": [{}]}, {"energy_kwh": None}, {"more": 1}],
    ids=str,
)
def test_what_does_not_fit_is_named(bill, change):
    fault = fault_of({**bill, **change})
    assert fault is not None
    assert next(iter(change)) in fault


def test_what_is_missing_is_named(bill):
    for name in bill:
        rest = {key: value for key, value in bill.items() if key != name}
        assert name in fault_of(rest)

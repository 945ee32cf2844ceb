"""Looking at bills."""

import json

import pytest

from gateway.billschema import fault_of
from tests.support.commandline import REPLAYS, books, pilegate

STORIES = sorted(path.name for path in REPLAYS.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return books(tmp_path_factory.mktemp("books"), "card-start-across-midnight", "record-of-an-unknown-transaction")


def test_every_bill_that_is_printed_fits_the_schema(tmp_path):
    bills = []
    for story in STORIES:
        (tmp_path / story).mkdir()
        done = pilegate("bills", "--db", books(tmp_path / story, story), "--json")
        bills += [json.loads(line) for line in done.out.splitlines()]
    assert len(bills) >= len(STORIES)
    assert {bill["status"] for bill in bills} >= {"normal", "review", "void"}
    for bill in bills:
        assert fault_of(bill) is None, bill["transaction_id"]


def test_a_table_for_people(database):
    done = pilegate("bills", "--db", database)
    head, *rows = done.out.splitlines()
    assert head.split() == ["transaction", "rev", "status", "ended", "kWh", "yuan", "anomalies"]
    assert len(rows) == 2


def test_filters(database):
    def statuses(*more):
        done = pilegate("bills", "--db", database, "--json", *more)
        return [json.loads(line)["status"] for line in done.out.splitlines()]

    assert statuses("--status", "review") == ["review"]
    assert statuses("--status", "void") == []
    assert statuses("--anomaly", "no_such_code") == []
    assert statuses("--pile", "1" * 14) == []
    assert statuses("--until", "2000-01-01T00:00:00+08:00") == []
    assert len(statuses("--since", "2000-01-01T00:00:00+08:00")) == 2
    assert len(statuses("--limit", "1")) == 1


def test_one_bill_and_its_explanation(database):
    bill = json.loads(pilegate("bills", "--db", database, "--json", "--status", "normal").out)
    plain = pilegate("bill", bill["transaction_id"], "--db", database)
    assert plain.status == 0
    assert f"= {bill['amount']} yuan" in plain.out
    told = pilegate("bill", bill["transaction_id"], "--db", database, "--explain")
    for language in ("en", "zh"):
        assert " ".join(bill["explanation"][language]) in told.out
    assert "revision 1:" in told.out
    assert json.loads(pilegate("bill", bill["transaction_id"], "--db", database, "--json").out) == bill


def test_a_bill_under_review_is_a_finding(database):
    bill = json.loads(pilegate("bills", "--db", database, "--json", "--status", "review").out)
    assert pilegate("bill", bill["transaction_id"], "--db", database).status == 1

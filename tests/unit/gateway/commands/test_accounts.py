"""The authorisation list by hand."""

import json

from tests.support.commandline import pilegate


def rows(database):
    return [json.loads(line) for line in pilegate("account", "list", "--db", database, "--json").out.splitlines()]


def test_accounts_cards_and_cars(tmp_path):
    database = tmp_path / "p.db"
    assert pilegate("account", "set", "a1", "--name", "车队", "--balance", "12.34", "--db", database).status == 0
    assert pilegate("account", "card", "d14b0a54", "a1", "--printed", "88", "--db", database).status == 0
    assert pilegate("account", "vin", "lsvnv2182e2100001", "a1", "--frozen", "--db", database).status == 0
    assert rows(database) == [
        {"kind": "account", "account_id": "a1", "name": "车队", "balance": "12.34", "is_frozen": False},
        {"kind": "card", "card_uid": "00000000D14B0A54", "logic_card": "0000000000000088", "account_id": "a1",
         "is_frozen": False},
        {"kind": "vin", "vin": "LSVNV2182E2100001", "account_id": "a1", "is_frozen": True},
    ]  # fmt: skip
    assert "车队" in pilegate("account", "list", "--db", database).out
    assert pilegate("account", "remove", "account", "a1", "--db", database).status == 3, "a card names it"
    for what, key in (("vin", "LSVNV2182E2100001"), ("card", "00000000D14B0A54"), ("account", "a1")):
        assert pilegate("account", "remove", what, key, "--db", database).status == 0
    assert rows(database) == []


def test_a_card_needs_an_account(tmp_path):
    done = pilegate("account", "card", "D14B0A54", "nobody", "--db", tmp_path / "p.db")
    assert done.status == 3

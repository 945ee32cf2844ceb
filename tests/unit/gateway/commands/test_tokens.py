"""Tokens: shown once, stored hashed, revoked."""

import json
import sqlite3

from gateway.manage import token_hash
from tests.support.commandline import pilegate


def test_a_token_from_birth_to_revocation(tmp_path):
    database = tmp_path / "p.db"
    made = pilegate("token", "create", "me", "--db", database)
    token = made.out.strip()
    assert made.status == 0
    assert token.startswith("pg_")
    stored = sqlite3.connect(database).execute("SELECT name, sha256 FROM token").fetchall()
    assert stored == [("me", token_hash(token))]
    assert all(token.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    (shown,) = map(json.loads, pilegate("token", "list", "--db", database, "--json").out.splitlines())
    assert (shown["name"], shown["is_revoked"]) == ("me", False)
    assert "valid" in pilegate("token", "list", "--db", database).out
    assert pilegate("token", "revoke", "me", "--db", database).status == 0
    assert "revoked" in pilegate("token", "list", "--db", database).out
    again = pilegate("token", "revoke", "me", "--db", database)
    assert (again.status, "does not exist" in again.err) == (3, True)


def test_a_name_is_given_once(tmp_path):
    database = tmp_path / "p.db"
    assert pilegate("token", "create", "me", "--db", database).status == 0
    again = pilegate("token", "create", "me", "--db", database)
    assert again.status == 3
    assert again.out == ""

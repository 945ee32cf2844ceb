"""Piles: listed, refused, adopted, dismissed."""

import json

from gateway.outcome import UnknownPileSeen
from gateway.store import Store, StoreConfig
from tests.support.commandline import pilegate

PILE = "55031412782305"


def test_a_refused_pile_is_adopted_and_dismissed(tmp_path):
    database = tmp_path / "p.db"
    store = Store(StoreConfig(path=str(database)))
    store.writer.submit([UnknownPileSeen(PILE, 1_000, "10.0.0.5:4001", "ykc-1.6", "V1", 2)]).result(10)
    store.close()
    (shown,) = map(json.loads, pilegate("pile", "unknown", "--db", database, "--json").out.splitlines())
    assert (shown["pile_id"], shown["attempts"], shown["connector_count"]) == (PILE, 1, 2)
    assert shown["first_seen_at"] == "1970-01-01T08:00:01.000+08:00"
    assert PILE in pilegate("pile", "unknown", "--db", database).out
    assert pilegate("pile", "adopt", PILE, "--station", "north", "--db", database).status == 0
    assert pilegate("pile", "unknown", "--db", database, "--json").out == ""
    (listed,) = map(json.loads, pilegate("pile", "list", "--db", database, "--json").out.splitlines())
    assert (listed["pile_id"], listed["from"], listed["station"]) == (PILE, "adopted", "north")
    assert pilegate("pile", "dismiss", PILE, "--db", database).status == 0
    assert "out" in pilegate("pile", "list", "--db", database).out
    assert pilegate("pile", "dismiss", "1" * 14, "--db", database).status == 3

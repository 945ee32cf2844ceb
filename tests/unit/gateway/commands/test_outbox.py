"""What goes upstream, by hand."""

import json

from gateway.outcome import EventRaised
from gateway.store import Store, StoreConfig
from tests.support.commandline import pilegate


def test_an_entry_is_listed_and_sent_again(tmp_path):
    database = tmp_path / "p.db"
    store = Store(
        StoreConfig(path=str(database)), endpoints=("u",), envelope=lambda endpoint, event, sequence: (b"{}", 10**15)
    )
    store.writer.submit([EventRaised("e1", "pilegate.test", "s", "s", 1_000, {})]).result(10)
    store.writer.call(lambda c: c.execute("UPDATE outbox SET state = 'dead', attempts = 9").rowcount).result(10)
    store.close()
    (entry,) = map(
        json.loads, pilegate("outbox", "list", "--state", "dead", "--db", database, "--json").out.split("\n")[:1]
    )
    assert (entry["event_id"], entry["upstream"], entry["attempts"]) == ("e1", "u", 9)
    assert pilegate("outbox", "retry", entry["id"], "--db", database).status == 0
    assert pilegate("outbox", "list", "--state", "dead", "--db", database, "--json").out == ""
    assert "pending" in pilegate("outbox", "list", "--db", database).out
    assert pilegate("outbox", "retry", "99", "--db", database).status == 3

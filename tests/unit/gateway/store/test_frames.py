import sqlite3

import pytest

from gateway.frameblock import pack_frames
from gateway.outcome import FrameKept, PileSeen, SessionSaved, SiteKnown
from gateway.store import Store, StoreConfig
from gateway.store.statements import block_digest

WAIT_S = 30


@pytest.fixture
def store(tmp_path):
    store = Store(StoreConfig(path=str(tmp_path / "pilegate.db")))
    yield store
    store.close()


def frame(pile, at_ms, data):
    (block,) = pack_frames([FrameKept(pile, at_ms, "10.0.0.5:4001", "up", "SampleReceived", data)])
    return block


def test_rows_of_one_transaction_stand_by_pile_and_those_of_a_pile_as_they_came(store):
    piles = [f"p{n % 3}" for n in range(300)]
    store.writer.submit([frame(pile, n, b"x") for n, pile in enumerate(piles)]).result(WAIT_S)
    rows = store.reader.all("SELECT pile_id, from_ms FROM frame_block ORDER BY id")
    assert [tuple(row.values()) for row in rows] == sorted((pile, n) for n, pile in enumerate(piles))


def test_each_row_of_frames_carries_a_digest_over_the_pile_s_frames_before_it(store):
    store.writer.submit([frame("p1", 1, b"a"), frame("p2", 2, b"x"), frame("p1", 3, b"b")]).result(WAIT_S)
    one, other = store.reader.frame_blocks("p1", 0, 10)
    first = block_digest(b"", frame("p1", 1, b"a"))
    assert one == (1, frame("p1", 1, b"a"), first)
    assert other == (2, frame("p1", 3, b"b"), block_digest(first, frame("p1", 3, b"b")))


def test_the_chain_goes_on_after_a_restart_and_after_a_rollback(store, tmp_path):
    store.writer.submit([frame("p1", 1, b"a")]).result(WAIT_S)
    with pytest.raises(Exception, match="concat"):
        store.writer.submit([frame("p1", 2, b"b"), frame("p1", 2, b"")._replace(data={"p1": 1})]).result(WAIT_S)
    store.writer.submit([frame("p1", 3, b"c")]).result(WAIT_S)
    again = Store(StoreConfig(path=str(tmp_path / "pilegate.db")))
    again.writer.submit([frame("p1", 4, b"d")]).result(WAIT_S)
    again.close()
    digest = b""
    for _, block, found in store.reader.frame_blocks("p1", 0, 10):
        digest = block_digest(digest, block)
        assert found == digest
    assert [each.data for _, each in store.reader.frames("p1", 0, 10)] == [b"a", b"c", b"d"]


@pytest.mark.parametrize(("table", "column"), [("frame_block", "from_ms"), ("site_version", "at_ms")])
def test_evidence_is_never_edited(store, table, column):
    store.writer.submit([frame("p1", 1, b"a"), SiteKnown(1, "")]).result(WAIT_S)
    work = store.writer.call(lambda connection: connection.execute(f"UPDATE {table} SET {column} = 2"))
    with pytest.raises(Exception, match="evidence is never edited"):
        work.result(WAIT_S)


def test_a_site_is_written_down_when_it_changed(store):
    for at_ms, text in enumerate(["a", "a", "b", "a"]):
        store.writer.submit([SiteKnown(at_ms, text)]).result(WAIT_S)
    rows = store.reader.all("SELECT * FROM site_version ORDER BY id")
    assert [(row["at_ms"], row["text"]) for row in rows] == [(0, "a"), (2, "b"), (3, "a")]


def test_a_session_remembers_the_firmware_it_began_with(store):
    def session(transaction_id, state):
        return SessionSaved(transaction_id, "1", "p1", 1, state, None, 1, None, 0, {})

    store.writer.submit([PileSeen("p1", 1, "ykc-1.6", "V1.0", 1, None), session("t1", "opened")]).result(WAIT_S)
    store.writer.submit([PileSeen("p1", 2, "ykc-1.6", "V2.0", 1, None), session("t1", "billed")]).result(WAIT_S)
    store.writer.submit([session("t2", "opened")]).result(WAIT_S)
    rows = store.reader.all("SELECT * FROM session_firmware ORDER BY transaction_id")
    assert [(row["transaction_id"], row["firmware_version"]) for row in rows] == [("t1", "V1.0"), ("t2", "V2.0")]


def test_a_database_of_the_first_landing_is_brought_up_to_date(tmp_path):
    from gateway.store.schema import _FIRST, _statements

    path = tmp_path / "old.db"
    old = sqlite3.connect(path, isolation_level=None)
    for statement in _statements(_FIRST):
        old.execute(statement)
    old.execute(
        "CREATE TABLE _sqlite_migrations (migration_set TEXT, name TEXT, applied_at TEXT,"
        " PRIMARY KEY (migration_set, name))"
    )
    old.execute("INSERT INTO _sqlite_migrations VALUES ('pilegate', 'first_tables', '2026-01-01')")
    old.close()
    store = Store(StoreConfig(path=str(path)))
    store.writer.submit([frame("p1", 1, b"a")]).result(WAIT_S)
    store.close()

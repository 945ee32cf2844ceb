import hashlib
import sqlite3
from itertools import pairwise

import pytest

from billing_core.session import unpack_states
from gateway.frameblock import unpack_frames
from gateway.framelog.records import KINDS
from gateway.outcome import FrameKept, FramesKept
from gateway.store.schema import migrations, prepare
from gateway.store.statements import block_digest


@pytest.fixture
def connection(tmp_path):
    connection = sqlite3.connect(tmp_path / "pilegate.db", isolation_level=None)
    prepare(connection)
    yield connection
    connection.close()


def tables(connection):
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name: sql for name, sql in rows if not name.startswith(("sqlite_", "_sqlite"))}


def test_every_table_is_strict(connection):
    assert len(tables(connection)) > 15
    for name, sql in tables(connection).items():
        assert "STRICT" in sql.rpartition(")")[2], name


def test_no_column_takes_a_float(connection):
    for name in tables(connection):
        kinds = {row[2] for row in connection.execute(f"PRAGMA table_info({name})")}
        assert kinds <= {"INTEGER", "TEXT", "BLOB"}, name


def test_columns_carry_their_units(connection):
    for name in tables(connection):
        for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({name})"):
            stem = column.rpartition("_")[2]
            if kind == "INTEGER" and ("at" in column.split("_") or "amount" in column or "energy" in column):
                assert stem in ("ms", "e4kwh", "fen", "e4yuan"), f"{name}.{column}"


def test_preparing_again_changes_nothing(connection):
    before = tables(connection)
    prepare(connection)
    assert tables(connection) == before
    applied = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'pilegate'").fetchall()
    assert len(applied) == len(set(applied)) == len(list(migrations.applied(_wrapped(connection))))


def _wrapped(connection):
    import sqlite_utils

    return sqlite_utils.Database(connection)


def test_migrations_only_ever_grow():
    """A step that was released is never renamed or reordered: databases in the field remember it by name."""
    names = [step.name for step in migrations._migrations]
    assert names[:3] == ["first_tables", "evidence_of_bills", "after_sales_cases"]


@pytest.fixture
def old():
    """A database from before samples and frames stood in blocks."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrations.apply(_wrapped(connection), stop_before="samples_in_blocks")
    yield connection
    connection.close()


def test_samples_of_an_older_database_are_carried_over(old):
    put = "INSERT INTO sample VALUES (?,?,?,?,?,?,?,?,?)"
    states = [(at_ms, 100 + at_ms, 2, 3, 4, 5, at_ms % 3, (None, 0, 1)[at_ms % 3]) for at_ms in range(9_000)]
    for at_ms, *state in states:
        old.execute(put, ("t2" if at_ms else "t1", at_ms, *state[:5], bool(state[5]), state[6]))
    prepare(old)
    assert not old.execute("SELECT 1 FROM sqlite_master WHERE name = 'sample'").fetchall()
    rows = old.execute("SELECT * FROM sample_block ORDER BY rowid").fetchall()
    assert [row[:3] for row in rows] == [("t1", 0, None), ("t2", 1, 4_100), ("t2", 4_001, 8_100), ("t2", 8_001, 9_099)]
    found = [state for row in rows for state in unpack_states(row[3])]
    assert found == [(*state[:6], bool(state[6]), (None, False, True)[state[0] % 3]) for state in states]


def kept_before(connection, frames):
    """Frames as they were kept one a row, each with its digest over the one before it."""
    former = {}
    for pile, at_ms, link, kind, about, data in frames:
        head = f"{at_ms}\n{link}\n{kind}\n".encode()
        former[pile] = hashlib.sha256(former.get(pile, b"") + head + data).digest()
        put = "INSERT INTO frame (pile_id, at_ms, link, kind, about, data, digest) VALUES (?,?,?,?,?,?,?)"
        connection.execute(put, (pile, at_ms, link, kind, about, data, former[pile]))


def test_frames_of_an_older_database_are_carried_over(old):
    frames = [
        FrameKept(f"p{n % 3}", n * 7_000, f"l{n // 50}", KINDS[n % 4], f"A{n % 5}", bytes([n])) for n in range(200)
    ]
    kept_before(old, frames)
    prepare(old)
    assert not old.execute("SELECT 1 FROM sqlite_master WHERE name = 'frame'").fetchall()
    for pile in ("p0", "p1", "p2"):
        rows = old.execute("SELECT * FROM frame_block WHERE pile_id = ? ORDER BY id", (pile,)).fetchall()
        blocks = [(FramesKept(*row[1:6]), row[6]) for row in rows]
        found = [frame for block, _ in blocks for frame in unpack_frames(block)]
        assert found == [frame for frame in frames if frame.pile_id == pile]
        for (_, former), (block, digest) in pairwise(blocks):
            assert digest == block_digest(former, block)


@pytest.mark.parametrize("sql", ["UPDATE frame SET data = x'00' WHERE id = 3", "DELETE FROM frame WHERE id = 3"])
def test_a_chain_that_was_broken_stays_broken(old, sql):
    kept_before(old, [FrameKept("p1", n, "l", "up", "", bytes([n])) for n in range(6)])
    old.execute("DROP TRIGGER frame_is_never_edited")
    old.execute(sql)
    prepare(old)
    blocks = [(FramesKept(*row[1:6]), row[6]) for row in old.execute("SELECT * FROM frame_block ORDER BY id")]
    broken = [
        block.from_ms for (_, former), (block, digest) in pairwise(blocks) if digest != block_digest(former, block)
    ]
    assert broken[0] in (2, 3)
    assert sum(len(unpack_frames(block)) for block, _ in blocks) >= 5


@pytest.mark.parametrize("table", ["bill", "frame_block"])
def test_evidence_is_never_edited(connection, table):
    triggers = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    assert any(f"BEFORE UPDATE ON {table}" in sql for (sql,) in triggers)

import sqlite3

import pytest

from gateway.errors import StoreError
from gateway.outcome import ChainKept
from gateway.store import Store, StoreConfig
from gateway.store.backup import backup, restore, verify

WAIT_S = 30


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pilegate.db"


@pytest.fixture
def store(path):
    store = Store(StoreConfig(path=str(path)))
    put(store, 1)
    yield store
    store.close()


def put(store, connector):
    store.writer.submit([ChainKept("p1", connector, f"t{connector}", 1, 0, 10, 1, 2, None)]).result(WAIT_S)


def meters(path):
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT connector FROM register_chain ORDER BY 1")]
    finally:
        connection.close()


def test_a_backup_of_a_database_in_use_is_whole(store, path, tmp_path):
    target = tmp_path / "copy.db"
    assert backup(path, target) == target.stat().st_size
    put(store, 2)
    assert meters(target) == [1]
    verify(target)
    assert [each.name for each in tmp_path.iterdir() if "part" in each.name] == []


def test_a_second_backup_takes_the_place_of_the_first(store, path, tmp_path):
    target = tmp_path / "copy.db"
    backup(path, target)
    put(store, 2)
    backup(path, target)
    assert meters(target) == [1, 2]


def test_nothing_there_is_told(tmp_path):
    with pytest.raises(StoreError, match="does not exist"):
        backup(tmp_path / "none.db", tmp_path / "copy.db")


def test_a_target_that_cannot_be_is_told(store, path, tmp_path):
    with pytest.raises(StoreError) as caught:
        backup(path, tmp_path / "no" / "such" / "copy.db")
    assert caught.value.code == "backup_failed"


def test_a_restore_puts_the_backup_in_place_and_keeps_what_stood_there(store, path, tmp_path):
    backup(path, tmp_path / "copy.db")
    put(store, 2)
    store.close()
    restore(tmp_path / "copy.db", path)
    assert meters(path) == [1]
    assert meters(tmp_path / "pilegate.db.before") == [1, 2]
    again = Store(StoreConfig(path=str(path)))
    put(again, 3)
    again.close()
    assert meters(path) == [1, 3]


def test_a_restore_to_a_new_place(store, path, tmp_path):
    backup(path, tmp_path / "copy.db")
    restore(tmp_path / "copy.db", tmp_path / "new.db")
    assert meters(tmp_path / "new.db") == [1]


def test_a_database_in_use_is_not_replaced(store, path, tmp_path):
    backup(path, tmp_path / "copy.db")
    with pytest.raises(StoreError) as caught:
        restore(tmp_path / "copy.db", path)
    assert caught.value.code == "store_in_use"
    put(store, 2)
    assert meters(path) == [1, 2]


def damaged(data):
    half = len(data) // 2
    return data[:half] + bytes([byte ^ 0xFF for byte in data[half : half + 4096]]) + data[half + 4096 :]


@pytest.mark.parametrize(
    "spoil",
    [damaged, lambda data: data[: len(data) // 2], lambda data: b"no database" * 1000, lambda data: b""],
    ids=["a page", "cut off", "text", "empty"],
)
def test_a_backup_that_does_not_verify_is_refused_and_changes_nothing(store, path, tmp_path, spoil):
    copy = tmp_path / "copy.db"
    backup(path, copy)
    store.close()
    copy.write_bytes(spoil(copy.read_bytes()))
    with pytest.raises(StoreError) as caught:
        restore(copy, path)
    assert caught.value.code in ("store_damaged", "store_foreign")
    assert meters(path) == [1]


def test_a_foreign_database_is_refused(store, path, tmp_path):
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE t (x)")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="no database of Pilegate"):
        restore(tmp_path / "other.db", tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


def test_a_damaged_database_may_be_replaced(store, path, tmp_path):
    backup(path, tmp_path / "copy.db")
    store.close()
    path.write_bytes(b"broken" * 5_000)
    restore(tmp_path / "copy.db", path)
    assert meters(path) == [1]

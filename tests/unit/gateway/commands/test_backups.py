"""A copy and its way back."""

from tests.support.commandline import books, pilegate


def test_a_backup_restores_the_same_bills(tmp_path):
    database = books(tmp_path, "app-start-across-two-rates")
    before = pilegate("bills", "--db", database, "--json").out
    done = pilegate("backup", tmp_path / "copy.db", "--db", database)
    assert done.status == 0
    assert "verified" in done.out
    done = pilegate("restore", tmp_path / "copy.db", "--db", tmp_path / "new.db")
    assert done.status == 0, done
    assert pilegate("bills", "--db", tmp_path / "new.db", "--json").out == before

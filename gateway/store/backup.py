"""Online backup, and a restore that is verified before it replaces anything."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from gateway.errors import StoreError
from gateway.store.schema import migrations


def backup(path: Path, target: Path) -> int:
    """Copy a database, also one in use, to ``target``; returns the bytes of the copy.

    Raises ``StoreError`` when it cannot be read, or the copy does not verify.
    """
    if not path.is_file():
        raise StoreError("store_missing", f"{path} does not exist")
    part = target.with_name(target.name + ".part")
    try:
        part.unlink(missing_ok=True)
        with sqlite3.connect(f"file:{path.resolve()}?mode=ro", uri=True) as source, sqlite3.connect(part) as copy:
            source.backup(copy, pages=1024)
        source.close()
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.close()
        verify(part)
        _sync(part)
        part.replace(target)
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise StoreError("backup_failed", f"{target}: {error}") from error
    return target.stat().st_size


def restore(source: Path, path: Path) -> None:
    """Put a verified backup in the place of a database; what stood there is kept beside it with ``.before``.

    Raises ``StoreError`` when the backup does not verify or the database is in use.
    """
    verify(source)
    if path.exists() and is_in_use(path):
        raise StoreError("store_in_use", f"{path} is in use: stop the daemon first")
    part = path.with_name(path.name + ".part")
    part.write_bytes(source.read_bytes())
    verify(part)
    _sync(part)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    if path.exists():
        path.replace(path.with_name(path.name + ".before"))
    part.replace(path)


def verify(path: Path) -> None:
    """Check that a file is a whole database of ours. Raises ``StoreError``."""
    try:
        connection = sqlite3.connect(f"file:{path.resolve()}?mode=ro", uri=True)
        try:
            found = connection.execute("PRAGMA integrity_check").fetchall()
            if found != [("ok",)]:
                raise StoreError("store_damaged", f"{path} is damaged: {found[0][0]}")
            applied = connection.execute(
                "SELECT count(*) FROM _sqlite_migrations WHERE migration_set = ?", (migrations.name,)
            ).fetchone()[0]
            if not applied:
                raise StoreError("store_foreign", f"{path} is no database of Pilegate")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError("store_damaged", f"{path} is damaged or no database of Pilegate: {error}") from error


def is_in_use(path: Path) -> bool:
    """Whether anybody, such as a running daemon, has the database open."""
    connection = sqlite3.connect(path, timeout=0)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return True
    except sqlite3.DatabaseError:
        return False  # damaged: nobody works with it, and it is to be replaced
    finally:
        connection.close()
    return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

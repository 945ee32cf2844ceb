"""What the commands share: which configuration, which database, and one change to it.

They may run beside the daemon: each change is one short transaction.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import click

from gateway import manage
from gateway.config import read_config
from gateway.errors import StoreError
from gateway.site import Site
from gateway.store import Reader, StoreConfig, Writer

_WAIT_S = 30

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Configuration file; ./gateway.toml when it exists, else the defaults.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One object a line, as JSON.")


def db_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--config`` and ``--db``: which database."""
    command = click.option(
        "--db", "db_path", type=click.Path(dir_okay=False, path_type=Path), default=None, help="The database file."
    )(command)
    return click.option(
        "--config",
        "config_path",
        type=click.Path(dir_okay=False, path_type=Path),
        default=None,
        help="Configuration that names the database; ./gateway.toml when it exists.",
    )(command)


def place(config_path: Path | None, db_path: Path | None) -> tuple[Path, Site]:
    """The database file and the site."""
    config, _ = read_config(config_path)
    return db_path or Path(config.store.path), config.site


@contextlib.contextmanager
def reading(config_path: Path | None, db_path: Path | None) -> Iterator[tuple[Reader, Site]]:
    """A reader of the database. Raises ``StoreError`` when there is none."""
    path, site = place(config_path, db_path)
    if not path.is_file():
        raise StoreError("store_missing", f"{path} does not exist: start the daemon once, or name it with --db")
    reader = Reader(path)
    try:
        yield reader, site
    except sqlite3.Error as error:
        raise StoreError("store_unreadable", f"{path} cannot be read: {error}") from error
    finally:
        reader.close()


def change(config_path: Path | None, db_path: Path | None, work: Callable[[manage.Call], Future[Any]]) -> Any:
    """One change, on a writer of our own; returns when it is durable."""
    path, _ = place(config_path, db_path)
    writer = Writer(StoreConfig(path=str(path), telemetry_flush_ms=50), (), _no_envelope)
    try:
        return work(writer.call).result(timeout=_WAIT_S)
    except TimeoutError as error:
        raise StoreError("store_busy", f"{path} was locked for {_WAIT_S} s: try again") from error
    finally:
        writer.close()


def print_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line."""
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False))


def _no_envelope(endpoint: str, event: object, sequence: int) -> None:
    return None

"""Copying the database while the daemon runs, and putting a copy back."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.commands.common import db_option, place
from gateway.show import say
from gateway.store.backup import backup as back_up
from gateway.store.backup import restore as restore_from


@click.command()
@db_option
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
def backup(config_path: Path | None, db_path: Path | None, target: Path) -> None:
    """Copy the database to FILE while the daemon runs; the copy is verified."""
    size = back_up(place(config_path, db_path)[0], target)
    say(f"{target}: {size} bytes, verified", sys.stdout)


@click.command()
@db_option
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(config_path: Path | None, db_path: Path | None, source: Path) -> None:
    """Put a backup in the place of the database, after verifying it; the daemon must be stopped."""
    path = place(config_path, db_path)[0]
    restore_from(source, path)
    say(f"{path}: restored from {source}", sys.stdout)

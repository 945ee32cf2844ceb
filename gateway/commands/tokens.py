"""Tokens of the HTTP interface."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import click

from billing_core.civil import iso_local
from gateway import manage
from gateway.clock import Clock
from gateway.commands.common import change, db_option, json_option, print_lines, reading
from gateway.show import print_table


@click.group()
def token() -> None:
    """Tokens of the HTTP interface; stored hashed."""


@token.command("create")
@db_option
@click.argument("name")
def token_create(config_path: Path | None, db_path: Path | None, name: str) -> None:
    """Make a token and show it this once."""
    made: list[str] = []

    def work(call: manage.Call) -> Future[Any]:
        text, done = manage.create_token(call, name, at_ms=Clock().now_ms())
        made.append(text)
        return done

    change(config_path, db_path, work)
    click.echo(made[0])


@token.command("list")
@db_option
@json_option
def token_list(config_path: Path | None, db_path: Path | None, as_json: bool) -> None:
    """List tokens by name."""
    with reading(config_path, db_path) as (reader, site):
        rows = reader.tokens()
    if as_json:
        print_lines(
            {
                "name": row["name"],
                "created_at": iso_local(row["created_at_ms"], site.zone),
                "is_revoked": row["revoked_at_ms"] is not None,
            }
            for row in rows
        )
        return
    print_table(("name", "state"), [(row["name"], "revoked" if row["revoked_at_ms"] else "valid") for row in rows])


@token.command("revoke")
@db_option
@click.argument("name")
def token_revoke(config_path: Path | None, db_path: Path | None, name: str) -> None:
    """Make a token worthless."""
    change(config_path, db_path, lambda call: manage.revoke_token(call, name, at_ms=Clock().now_ms()))

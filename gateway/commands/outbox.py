"""What goes upstream, and sending it again."""

from __future__ import annotations

from pathlib import Path

import click

from gateway import manage
from gateway.clock import Clock
from gateway.commands.common import change, db_option, reading
from gateway.show import print_table


@click.group()
def outbox() -> None:
    """What goes upstream."""


@outbox.command("list")
@db_option
@click.option("--state", default=None, help="pending, delivered or dead.")
@click.option("--limit", default=100, show_default=True)
def outbox_list(config_path: Path | None, db_path: Path | None, state: str | None, limit: int) -> None:
    """List entries, oldest first."""
    with reading(config_path, db_path) as (reader, _):
        rows = reader.outbox(state=state, limit=limit)
    print_table(
        ("id", "upstream", "event", "state", "attempts", "last"),
        [
            (r["id"], r["endpoint"], r["event_id"], r["state"], r["attempts"], r["last_error"] or r["last_status"])
            for r in rows
        ],
    )


@outbox.command("retry")
@db_option
@click.argument("entry", type=int)
def outbox_retry(config_path: Path | None, db_path: Path | None, entry: int) -> None:
    """Send an entry again, with the same id and bytes."""
    now_ms = Clock().now_ms()
    change(
        config_path,
        db_path,
        lambda call: manage.retry_delivery(call, entry, at_ms=now_ms, expires_at_ms=now_ms + 604_800_000),
    )

"""What goes upstream, and sending it again."""

from __future__ import annotations

from pathlib import Path

import click

from gateway import manage
from gateway.api import shapes
from gateway.clock import Clock
from gateway.commands.common import change, db_option, json_option, print_lines, reading
from gateway.show import print_table


@click.group()
def outbox() -> None:
    """What goes upstream."""


@outbox.command("list")
@db_option
@click.option("--state", type=click.Choice(["pending", "delivered", "dead"]), default=None, help="Only these.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@json_option
def outbox_list(config_path: Path | None, db_path: Path | None, state: str | None, limit: int, as_json: bool) -> None:
    """List entries, oldest first."""
    with reading(config_path, db_path) as (reader, site):
        rows = reader.outbox(state=state, limit=limit)
    if as_json:
        print_lines(shapes.outbox_entry(row, site.zone) for row in rows)
        return
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

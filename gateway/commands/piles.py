"""Which piles are known, which were refused, and letting one in."""

from __future__ import annotations

from pathlib import Path

import click

from gateway import manage
from gateway.api import shapes
from gateway.clock import Clock
from gateway.commands.common import change, db_option, json_option, print_lines, reading
from gateway.show import print_table


@click.group()
def pile() -> None:
    """Piles: which are known, which were refused, and letting one in."""


@pile.command("list")
@db_option
@json_option
def pile_list(config_path: Path | None, db_path: Path | None, as_json: bool) -> None:
    """List adopted piles and those that ever logged in."""
    with reading(config_path, db_path) as (reader, site):
        rows = reader.piles()
    listed = set(site.piles)
    shown = [
        (
            row["pile_id"],
            "configured" if row["pile_id"] in listed else "adopted" if row["adopted_at_ms"] else "out",
            row["station"],
            row["protocol"],
            row["firmware_version"],
            None if row["clock_offset_ms"] is None else row["clock_offset_ms"] // 1000,
        )
        for row in rows
    ]
    shown += [
        (each, "configured", site.station_of(each), "", "", None) for each in sorted(listed - {r[0] for r in shown})
    ]
    names = ("pile_id", "from", "station", "protocol", "firmware_version", "clock_offset_s")
    if as_json:
        print_lines(dict(zip(names, row, strict=True)) for row in shown)
        return
    print_table(("pile", "from", "station", "protocol", "firmware", "clock off, s"), shown)


@pile.command("unknown")
@db_option
@json_option
def pile_unknown(config_path: Path | None, db_path: Path | None, as_json: bool) -> None:
    """List piles that were refused."""
    with reading(config_path, db_path) as (reader, site):
        rows = reader.unknown_piles()
    if as_json:
        print_lines(shapes.unknown_pile(row, site.zone) for row in rows)
        return
    print_table(
        ("pile", "attempts", "address", "protocol", "firmware"),
        [(r["pile_id"], r["attempts"], r["address"], r["protocol"], r["firmware_version"]) for r in rows],
    )


@pile.command("adopt")
@db_option
@click.argument("pile_id")
@click.option("--station", default="", help="Where it stands.")
def pile_adopt(config_path: Path | None, db_path: Path | None, pile_id: str, station: str) -> None:
    """Let a pile in; a running daemon takes it at its next login."""
    now_ms = Clock().now_ms()
    change(config_path, db_path, lambda call: manage.adopt_pile(call, pile_id, station=station, at_ms=now_ms))


@pile.command("dismiss")
@db_option
@click.argument("pile_id")
def pile_dismiss(config_path: Path | None, db_path: Path | None, pile_id: str) -> None:
    """Take an adopted pile out again; its bills stay."""
    change(config_path, db_path, lambda call: manage.dismiss_pile(call, pile_id))

"""Looking at bills."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from billing_core.fixed import format_e4, format_fen
from billing_core.steps import steps
from gateway.commands.common import db_option, reading
from gateway.errors import StoreError
from gateway.show import print_table
from gateway.site import instant_of


@click.command()
@db_option
@click.option(
    "--status",
    type=click.Choice(["normal", "repaired", "provisional", "review", "void"]),
    default=None,
    help="Only these.",
)
@click.option("--since", default=None, metavar="TIME", help="Made at or after this time (ISO 8601 with offset).")
@click.option("--until", default=None, metavar="TIME", help="Made before this time.")
@click.option("--pile", default=None, help="Of one pile.")
@click.option("--anomaly", default=None, help="Holding this anomaly code.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One bill a line, as JSON.")
def bills(
    config_path: Path | None,
    db_path: Path | None,
    status: str | None,
    since: str | None,
    until: str | None,
    pile: str | None,
    anomaly: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List bills, newest first. Exit status 1 when one of them is under review."""
    with reading(config_path, db_path) as (reader, _):
        rows = reader.bills(
            status=status,
            pile_id=pile,
            anomaly=anomaly,
            since_ms=instant_of(since) if since else None,
            until_ms=instant_of(until) if until else None,
            limit=limit,
        )
    findings = int(any(row["status"] == "review" for row in rows))
    if as_json:
        for row in rows:
            click.echo(row["body"])
        sys.exit(findings)
    table = [
        (
            row["transaction_id"],
            row["revision"],
            row["status"],
            json.loads(row["body"])["ended_at"] or "",
            format_e4(row["energy_e4kwh"]),
            format_fen(row["amount_fen"]),
            ", ".join(json.loads(row["anomalies"])),
        )
        for row in rows
    ]
    print_table(("transaction", "rev", "status", "ended", "kWh", "yuan", "anomalies"), table)
    sys.exit(findings)


@click.command()
@db_option
@click.argument("transaction")
@click.option("--explain", is_flag=True, help="The two sentences, then every step with its numbers.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def bill(config_path: Path | None, db_path: Path | None, transaction: str, explain: bool, as_json: bool) -> None:
    """Show one bill. Exit status 1 when it is under review."""
    with reading(config_path, db_path) as (reader, _):
        rows = reader.revisions(transaction)
    if not rows:
        raise StoreError("bill_unknown", f"no bill of transaction {transaction}")
    findings = int(rows[-1]["status"] == "review")
    if as_json:
        click.echo(rows[-1]["body"])
        sys.exit(findings)
    document = json.loads(rows[-1]["body"])
    if explain:
        for language in ("en", "zh"):
            click.echo(" ".join(document["explanation"][language]))
        click.echo()
    _show_bill(document)
    if explain:
        _show_steps(document, rows)
    sys.exit(findings)


def _show_bill(document: dict[str, Any]) -> None:
    for key in ("transaction_id", "order_no", "pile_id", "connector", "status", "revision", "started_at", "ended_at"):
        click.echo(f"{key:<16}{document[key]}")
    click.echo(f"{'energy_kwh':<16}{document['energy_kwh']}")
    rows = [
        (
            line["rate"],
            line["energy_kwh"],
            line["energy_price"],
            line["service_price"],
            line["service_factor"],
            line["energy_fee"],
            line["service_fee"],
        )
        for line in document["lines"]
    ]
    print_table(("rate", "kWh", "energy price", "service price", "factor", "energy fee", "service fee"), rows)
    click.echo(
        f"energy fee {document['energy_fee']} + service fee {document['service_fee']} = {document['amount']} yuan"
        f" (discount {document['discount']}, the charger said {document['pile_amount']})"
    )


def _show_steps(document: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    told = steps(document, json.loads(rows[-1]["computation"]))
    for language in (0, 1):
        click.echo()
        for number, step in enumerate(told, start=1):
            click.echo(f"{number:>3}. {step[language]}")
    click.echo()
    for row in rows:
        click.echo(f"revision {row['revision']}: {row['status']}, {row['reason']}, by {row['actor']}")

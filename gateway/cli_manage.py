"""The commands that work on the database: bills, tokens, piles, accounts, cards, VINs, outbox, backup.

They may run beside the daemon: each change is one short transaction.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import click

from billing_core.fixed import format_e4, format_fen, parse_scaled
from gateway import manage
from gateway.clock import Clock
from gateway.config import read_config
from gateway.errors import StoreError
from gateway.show import print_table, say
from gateway.site import Site, instant_of
from gateway.store import Reader, StoreConfig, Writer
from gateway.store.backup import backup as back_up
from gateway.store.backup import restore as restore_from

_WAIT_S = 30


def _no_envelope(endpoint: str, event: object, sequence: int) -> None:
    return None


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


def _place(config_path: Path | None, db_path: Path | None) -> tuple[Path, Site]:
    config, _ = read_config(config_path)
    return db_path or Path(config.store.path), config.site


@contextlib.contextmanager
def _reading(config_path: Path | None, db_path: Path | None) -> Iterator[tuple[Reader, Site]]:
    path, site = _place(config_path, db_path)
    if not path.is_file():
        raise StoreError("store_missing", f"{path} does not exist: start the daemon once, or name it with --db")
    reader = Reader(path)
    try:
        yield reader, site
    finally:
        reader.close()


def _change(config_path: Path | None, db_path: Path | None, change: Callable[[manage.Call], Future[Any]]) -> Any:
    """One change on a writer of our own."""
    path, _ = _place(config_path, db_path)
    writer = Writer(StoreConfig(path=str(path), telemetry_flush_ms=50), (), _no_envelope)
    try:
        return change(writer.call).result(timeout=_WAIT_S)
    finally:
        writer.close()


# -- bills ----------------------------------------------------------------------------------------------


@click.command()
@db_option
@click.option("--status", default=None, help="normal, repaired, provisional, review or void.")
@click.option("--since", default=None, metavar="TIME", help="Made at or after this time (ISO 8601 with offset).")
@click.option("--until", default=None, metavar="TIME", help="Made before this time.")
@click.option("--pile", default=None, help="Of one pile.")
@click.option("--anomaly", default=None, help="Holding this anomaly code.")
@click.option("--limit", default=100, show_default=True)
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
    """List bills, newest first."""
    with _reading(config_path, db_path) as (reader, _):
        rows = reader.bills(
            status=status,
            pile_id=pile,
            anomaly=anomaly,
            since_ms=instant_of(since) if since else None,
            until_ms=instant_of(until) if until else None,
            limit=limit,
        )
    if as_json:
        for row in rows:
            click.echo(row["body"])
        return
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


@click.command()
@db_option
@click.argument("transaction")
@click.option("--explain", is_flag=True, help="The two sentences, then every step with its numbers.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def bill(config_path: Path | None, db_path: Path | None, transaction: str, explain: bool, as_json: bool) -> None:
    """Show one bill."""
    with _reading(config_path, db_path) as (reader, _):
        rows = reader.revisions(transaction)
    if not rows:
        say(f"pilegate: no bill of transaction {transaction}")
        sys.exit(3)
    if as_json:
        click.echo(rows[-1]["body"])
        return
    document = json.loads(rows[-1]["body"])
    if explain:
        for language in ("en", "zh"):
            click.echo(" ".join(document["explanation"][language]))
        click.echo()
    _show_bill(document)
    if explain:
        _show_steps(document, rows)


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
    basis = document["basis"]
    click.echo()
    click.echo(f"energy from {basis['energy']}, times from {basis['time']}, split from {basis['split']};")
    click.echo(f"confidence {document['confidence_percent']} %, tariff {document['tariff_model_no']}")
    for anomaly in document["anomalies"]:
        click.echo(f"{anomaly['severity']:<9}{anomaly['code']}: {anomaly['detail']['en']} {anomaly['detail']['zh']}")
    for segment in document["segments"] or ():
        click.echo(f"{segment['from']} – {segment['to']}  {segment['rate']:<12}{segment['energy_kwh']} kWh")
    for row in rows:
        click.echo(f"revision {row['revision']}: {row['status']}, {row['reason']}, by {row['actor']}")


# -- tokens ---------------------------------------------------------------------------------------------


@click.group()
def token() -> None:
    """Tokens of the HTTP interface; stored hashed."""


@token.command("create")
@db_option
@click.argument("name")
def token_create(config_path: Path | None, db_path: Path | None, name: str) -> None:
    """Make a token and show it this once."""
    made: list[str] = []

    def change(call: manage.Call) -> Future[Any]:
        text, done = manage.create_token(call, name, at_ms=Clock().now_ms())
        made.append(text)
        return done

    _change(config_path, db_path, change)
    click.echo(made[0])


@token.command("list")
@db_option
def token_list(config_path: Path | None, db_path: Path | None) -> None:
    """List tokens by name."""
    with _reading(config_path, db_path) as (reader, _):
        rows = reader.tokens()
    print_table(("name", "state"), [(row["name"], "revoked" if row["revoked_at_ms"] else "valid") for row in rows])


@token.command("revoke")
@db_option
@click.argument("name")
def token_revoke(config_path: Path | None, db_path: Path | None, name: str) -> None:
    """Make a token worthless."""
    _change(config_path, db_path, lambda call: manage.revoke_token(call, name, at_ms=Clock().now_ms()))


# -- piles ----------------------------------------------------------------------------------------------


@click.group()
def pile() -> None:
    """Piles: which are known, which were refused, and letting one in."""


@pile.command("list")
@db_option
def pile_list(config_path: Path | None, db_path: Path | None) -> None:
    """List adopted piles and those that ever logged in."""
    with _reading(config_path, db_path) as (reader, site):
        rows = reader.piles()
    listed = set(site.piles)
    shown = [
        (
            row["pile_id"],
            "configured" if row["pile_id"] in listed else "adopted" if row["adopted_at_ms"] else "out",
            row["station"],
            row["protocol"],
            row["firmware_version"],
        )
        for row in rows
    ]
    shown += [(each, "configured", site.station_of(each), "", "") for each in sorted(listed - {r[0] for r in shown})]
    print_table(("pile", "from", "station", "protocol", "firmware"), shown)


@pile.command("unknown")
@db_option
def pile_unknown(config_path: Path | None, db_path: Path | None) -> None:
    """List piles that were refused."""
    with _reading(config_path, db_path) as (reader, _):
        rows = reader.unknown_piles()
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
    _change(config_path, db_path, lambda call: manage.adopt_pile(call, pile_id, station=station, at_ms=now_ms))


@pile.command("dismiss")
@db_option
@click.argument("pile_id")
def pile_dismiss(config_path: Path | None, db_path: Path | None, pile_id: str) -> None:
    """Take an adopted pile out again; its bills stay."""
    _change(config_path, db_path, lambda call: manage.dismiss_pile(call, pile_id))


# -- the authorisation list -----------------------------------------------------------------------------


@click.group()
def account() -> None:
    """Accounts with balance, their cards and cars."""


@account.command("set")
@db_option
@click.argument("account_id")
@click.option("--name", default="")
@click.option("--balance", default="0.00", show_default=True, help="Yuan.")
@click.option("--frozen", is_flag=True)
def account_set(
    config_path: Path | None, db_path: Path | None, account_id: str, name: str, balance: str, frozen: bool
) -> None:
    """Make or replace an account."""
    try:
        fen = parse_scaled(balance, 2)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--balance") from error
    _change(
        config_path,
        db_path,
        lambda call: manage.save_account(call, account_id, name=name, balance_fen=fen, is_frozen=frozen),
    )


@account.command("list")
@db_option
def account_list(config_path: Path | None, db_path: Path | None) -> None:
    """List accounts, cards and cars."""
    with _reading(config_path, db_path) as (reader, _):
        accounts, cards, vins = reader.accounts(), reader.cards(), reader.vins()
    print_table(
        ("account", "name", "balance", "frozen"),
        [(a["account_id"], a["name"], format_fen(a["balance_fen"]), bool(a["is_frozen"])) for a in accounts],
    )
    rows = [(c["card_uid"], c["logic_card"], c["account_id"]) for c in cards]
    print_table(("card", "printed", "account"), rows)
    print_table(("VIN", "account"), [(v["vin"], v["account_id"]) for v in vins])


@account.command("card")
@db_option
@click.argument("card_uid")
@click.argument("account_id")
@click.option("--printed", default="0", help="The number printed on it.")
@click.option("--frozen", is_flag=True)
def account_card(
    config_path: Path | None, db_path: Path | None, card_uid: str, account_id: str, printed: str, frozen: bool
) -> None:
    """Give an account a card, by its UID."""
    if len(card_uid) > 16 or not all(c in "0123456789abcdefABCDEF" for c in card_uid):
        raise click.BadParameter("a card UID has up to 16 hex digits", param_hint="CARD_UID")
    _change(
        config_path,
        db_path,
        lambda call: manage.save_card(call, card_uid, logic_card=printed, account_id=account_id, is_frozen=frozen),
    )


@account.command("vin")
@db_option
@click.argument("vin")
@click.argument("account_id")
@click.option("--frozen", is_flag=True)
def account_vin(config_path: Path | None, db_path: Path | None, vin: str, account_id: str, frozen: bool) -> None:
    """Give an account a car, by its VIN."""
    _change(config_path, db_path, lambda call: manage.save_vin(call, vin, account_id=account_id, is_frozen=frozen))


@account.command("remove")
@db_option
@click.argument("what", type=click.Choice(["account", "card", "vin"]))
@click.argument("key")
def account_remove(config_path: Path | None, db_path: Path | None, what: str, key: str) -> None:
    """Delete an account, a card or a car."""
    _change(config_path, db_path, lambda call: manage.remove(call, what, key))


# -- outbox, backup -------------------------------------------------------------------------------------


@click.group()
def outbox() -> None:
    """What goes upstream."""


@outbox.command("list")
@db_option
@click.option("--state", default=None, help="pending, delivered or dead.")
@click.option("--limit", default=100, show_default=True)
def outbox_list(config_path: Path | None, db_path: Path | None, state: str | None, limit: int) -> None:
    """List entries, oldest first."""
    with _reading(config_path, db_path) as (reader, _):
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
    _change(
        config_path,
        db_path,
        lambda call: manage.retry_delivery(call, entry, at_ms=now_ms, expires_at_ms=now_ms + 604_800_000),
    )


@click.command()
@db_option
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
def backup(config_path: Path | None, db_path: Path | None, target: Path) -> None:
    """Copy the database to FILE while the daemon runs; the copy is verified."""
    size = back_up(_place(config_path, db_path)[0], target)
    say(f"{target}: {size} bytes, verified", sys.stdout)


@click.command()
@db_option
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(config_path: Path | None, db_path: Path | None, source: Path) -> None:
    """Put a backup in the place of the database, after verifying it; the daemon must be stopped."""
    path = _place(config_path, db_path)[0]
    restore_from(source, path)
    say(f"{path}: restored from {source}", sys.stdout)


GROUPS: tuple[click.Command, ...] = (bills, bill, token, pile, account, outbox, backup, restore)

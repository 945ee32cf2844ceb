"""The authorisation list: accounts with balance, their cards and cars."""

from __future__ import annotations

from pathlib import Path

import click

from billing_core.fixed import format_fen, parse_scaled
from gateway import manage
from gateway.api import shapes
from gateway.commands.common import change, db_option, json_option, print_lines, reading
from gateway.show import print_table


@click.group()
def account() -> None:
    """Accounts with balance, their cards and cars."""


@account.command("set")
@db_option
@click.argument("account_id")
@click.option("--name", default="", help="Whose it is.")
@click.option("--balance", default="0.00", show_default=True, help="Yuan.")
@click.option("--frozen", is_flag=True, help="Nothing may be started with it.")
def account_set(
    config_path: Path | None, db_path: Path | None, account_id: str, name: str, balance: str, frozen: bool
) -> None:
    """Make or replace an account."""
    try:
        fen = parse_scaled(balance, 2)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--balance") from error
    change(
        config_path,
        db_path,
        lambda call: manage.save_account(call, account_id, name=name, balance_fen=fen, is_frozen=frozen),
    )


@account.command("list")
@db_option
@json_option
def account_list(config_path: Path | None, db_path: Path | None, as_json: bool) -> None:
    """List accounts, cards and cars."""
    with reading(config_path, db_path) as (reader, _):
        accounts, cards, vins = reader.accounts(), reader.cards(), reader.vins()
    if as_json:
        print_lines({"kind": "account", **shapes.account(row)} for row in accounts)
        print_lines({"kind": "card", **shapes.unfrozen(row)} for row in cards)
        print_lines({"kind": "vin", **shapes.unfrozen(row)} for row in vins)
        return
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
@click.option("--frozen", is_flag=True, help="Nothing may be started with it.")
def account_card(
    config_path: Path | None, db_path: Path | None, card_uid: str, account_id: str, printed: str, frozen: bool
) -> None:
    """Give an account a card, by its UID."""
    if len(card_uid) > 16 or not all(c in "0123456789abcdefABCDEF" for c in card_uid):
        raise click.BadParameter("a card UID has up to 16 hex digits", param_hint="CARD_UID")
    change(
        config_path,
        db_path,
        lambda call: manage.save_card(call, card_uid, logic_card=printed, account_id=account_id, is_frozen=frozen),
    )


@account.command("vin")
@db_option
@click.argument("vin")
@click.argument("account_id")
@click.option("--frozen", is_flag=True, help="It may not start.")
def account_vin(config_path: Path | None, db_path: Path | None, vin: str, account_id: str, frozen: bool) -> None:
    """Give an account a car, by its VIN."""
    change(config_path, db_path, lambda call: manage.save_vin(call, vin, account_id=account_id, is_frozen=frozen))


@account.command("remove")
@db_option
@click.argument("what", type=click.Choice(["account", "card", "vin"]))
@click.argument("key")
def account_remove(config_path: Path | None, db_path: Path | None, what: str, key: str) -> None:
    """Delete an account, a card or a car."""
    change(config_path, db_path, lambda call: manage.remove(call, what, key))

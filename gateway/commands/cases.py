"""After-sales cases on the command line."""

from __future__ import annotations

import json
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import click

from billing_core.civil import Zone, iso_local
from gateway import cases, manage
from gateway.clock import Clock
from gateway.commands.common import change, db_option, json_option, place, reading
from gateway.errors import StoreError
from gateway.show import print_table, say

by_option = click.option(
    "--by", "author", envvar="PILEGATE_BY", required=True, help="Who you are; $PILEGATE_BY when not given."
)
_STATES = click.Choice(cases.STATES)


@click.group()
def case() -> None:
    """After-sales cases: what people find out about bills."""


@case.command("open")
@db_option
@by_option
@click.argument("problem")
@click.option("--bill", "bills", multiple=True, metavar="TRANSACTION", help="A bill it is about; several may be given.")
def case_open(
    config_path: Path | None, db_path: Path | None, author: str, problem: str, bills: tuple[str, ...]
) -> None:
    """Open a case and print its number."""
    _, site = place(config_path, db_path)
    now_ms = Clock().now_ms()
    row = _changed(
        config_path,
        db_path,
        lambda call: cases.open_case(call, problem, bills=bills, author=author, at_ms=now_ms, zone=site.zone),
    )
    click.echo(row["case_no"])


@case.command("list")
@db_option
@click.option("--state", type=_STATES, default=None, help="Only these.")
@click.option("--bill", default=None, metavar="TRANSACTION", help="About this bill.")
@click.option("--limit", default=100, show_default=True, help="At most so many.")
@json_option
def case_list(
    config_path: Path | None, db_path: Path | None, state: str | None, bill: str | None, limit: int, as_json: bool
) -> None:
    """List cases, newest first."""
    with reading(config_path, db_path) as (reader, site):
        rows = cases.find_cases(reader, state=state, bill=bill, limit=limit)
    if as_json:
        for row in rows:
            click.echo(json.dumps(_summary(row, site.zone), ensure_ascii=False))
        return
    print_table(
        ("case", "state", "opened", "bills", "problem"),
        [
            (row["case_no"], row["state"], _minute(row["opened_at_ms"], site.zone), len(row["bills"]), row["problem"])
            for row in rows
        ],
    )


@case.command("show")
@db_option
@click.argument("case_no")
@click.option(
    "--save", "save_path", type=click.Path(file_okay=False, path_type=Path), default=None,
    help="Write the attachments into this directory.",
)  # fmt: skip
@json_option
def case_show(
    config_path: Path | None, db_path: Path | None, case_no: str, save_path: Path | None, as_json: bool
) -> None:
    """Show a case with its story."""
    with reading(config_path, db_path) as (reader, site):
        row = cases.find_case(reader, case_no)
        if row is None:
            raise StoreError("case_unknown", f"case {case_no} does not exist")
        for each in row["attachments"] if save_path else ():
            found = cases.find_attachment(reader, case_no, each["sha256"])
            assert found is not None
            assert save_path is not None
            save_path.mkdir(parents=True, exist_ok=True)
            (save_path / f"{each['sha256'][:12]}-{found[0]}").write_bytes(found[1])
    if as_json:
        click.echo(json.dumps(_whole(row, site.zone), ensure_ascii=False))
    else:
        _print(row, site.zone)


def _print(row: dict[str, Any], zone: Zone) -> None:
    click.echo(f"{row['case_no']}  {row['state']}  opened {_minute(row['opened_at_ms'], zone)}")
    click.echo(row["problem"])
    for transaction_id in row["bills"]:
        click.echo(f"bill {transaction_id}")
    click.echo()
    for each in row["entries"]:
        click.echo(f"{_minute(each['at_ms'], zone)}  {each['author']}  {each['kind']}: {each['text']}")
    for each in row["attachments"]:
        click.echo(f"{each['sha256']}  {each['size_bytes']:>9}  {each['name']}")


@case.command("note")
@db_option
@by_option
@click.argument("case_no")
@click.argument("text")
def case_note(config_path: Path | None, db_path: Path | None, author: str, case_no: str, text: str) -> None:
    """Add a note; notes are never edited."""
    now_ms = Clock().now_ms()
    _changed(config_path, db_path, lambda call: cases.add_note(call, case_no, text, author=author, at_ms=now_ms))


@case.command("state")
@db_option
@by_option
@click.argument("case_no")
@click.argument("state", type=_STATES)
@click.argument("text", default="")
def case_state(
    config_path: Path | None, db_path: Path | None, author: str, case_no: str, state: str, text: str
) -> None:
    """Say how far a case is, and why."""
    now_ms = Clock().now_ms()
    _changed(
        config_path,
        db_path,
        lambda call: cases.set_state(call, case_no, state, text=text, author=author, at_ms=now_ms),
    )


@case.command("link")
@db_option
@by_option
@click.argument("case_no")
@click.argument("transaction")
def case_link(config_path: Path | None, db_path: Path | None, author: str, case_no: str, transaction: str) -> None:
    """Say that a case is about a bill too."""
    now_ms = Clock().now_ms()
    _changed(
        config_path, db_path, lambda call: cases.link_bill(call, case_no, transaction, author=author, at_ms=now_ms)
    )


@case.command("attach")
@db_option
@by_option
@click.argument("case_no")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def case_attach(config_path: Path | None, db_path: Path | None, author: str, case_no: str, file: Path) -> None:
    """Attach a file and print the SHA-256 of its content."""
    now_ms = Clock().now_ms()
    content = file.read_bytes()
    click.echo(
        _changed(
            config_path,
            db_path,
            lambda call: cases.attach(call, case_no, file.name, content, author=author, at_ms=now_ms),
        )
    )


def _changed(config_path: Path | None, db_path: Path | None, work: Any) -> Any:
    """One change; what cannot be written down is wrong usage."""

    def checked(call: manage.Call) -> Future[Any]:
        try:
            done: Future[Any] = work(call)
        except ValueError as error:
            say(f"pilegate: {error}")
            sys.exit(2)
        return done

    return change(config_path, db_path, checked)


def _minute(at_ms: int, zone: Zone) -> str:
    return iso_local(at_ms, zone)[:16].replace("T", " ")


def _summary(row: dict[str, Any], zone: Zone) -> dict[str, Any]:
    return {
        "case_no": row["case_no"],
        "problem": row["problem"],
        "state": row["state"],
        "opened_at": iso_local(row["opened_at_ms"], zone),
        "changed_at": iso_local(row["changed_at_ms"], zone),
        "bills": row["bills"],
    }


def _whole(row: dict[str, Any], zone: Zone) -> dict[str, Any]:
    def told(each: dict[str, Any], *names: str) -> dict[str, Any]:
        return {"at": iso_local(each["at_ms"], zone), **{name: each[name] for name in names}}

    return {
        **_summary(row, zone),
        "entries": [told(each, "author", "kind", "text") for each in row["entries"]],
        "attachments": [told(each, "author", "sha256", "name", "size_bytes") for each in row["attachments"]],
    }

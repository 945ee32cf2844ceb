"""Statistics over abnormal bills, and a partner's list against our bills."""

from __future__ import annotations

import datetime
import json
import sys
import zoneinfo
from pathlib import Path

import click

from billing_core.fixed import format_e4, format_fen, format_scaled
from gateway.clock import Clock
from gateway.commands.common import db_option, json_option, reading
from gateway.config import read_config
from gateway.reports import abnormal_shown, reconcile
from gateway.reports.abnormal import SLICES, AbnormalReport, report_abnormal
from gateway.reports.partner_list import read_list
from gateway.show import print_table, say
from gateway.site import Site, instant_of

_WORST = 10
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def report() -> None:
    """Statistics to read and to hand on."""


def moment(text: str, site: Site) -> int:
    """ISO 8601 with an offset, or a local day. Raises ``ConfigError``."""
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        return instant_of(text)
    local = datetime.datetime.combine(day, datetime.time(), zoneinfo.ZoneInfo(site.zone_name))
    return int(local.timestamp()) * 1000


def _made_at(at_ms: int, site: Site) -> datetime.datetime:
    return datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=site.zone.civil_ms(at_ms) // 1000)


@report.command("abnormal")
@db_option
@click.option("--since", required=True, metavar="TIME", help="Sessions opened then or later; a day, or ISO 8601.")
@click.option("--until", default=None, metavar="TIME", help="Sessions opened before; now by default.")
@click.option("--by", type=click.Choice(SLICES), default="pile", show_default=True, help="What to group by.")
@click.option("--xlsx", "xlsx_path", type=_FILE, default=None, help="Write the whole report as a workbook.")
@click.option("--worst", default=_WORST, show_default=True, help="How many groups and connectors to print.")
@json_option
def report_abnormal_command(
    config_path: Path | None,
    db_path: Path | None,
    since: str,
    until: str | None,
    by: str,
    xlsx_path: Path | None,
    worst: int,
    as_json: bool,
) -> None:
    """Abnormal bills: counts, rates, money before and after, unbilled energy; the worst first."""
    now_ms = Clock().now_ms()
    with reading(config_path, db_path) as (reader, site):
        until_ms = moment(until, site) if until else now_ms
        found = report_abnormal(reader, site, since_ms=moment(since, site), until_ms=until_ms, by=by)
    if xlsx_path is not None:
        data = abnormal_shown.as_workbook(found, site.zone, made_at=_made_at(now_ms, site))
        xlsx_path.write_bytes(data)
        say(f"{xlsx_path}: {len(data)} bytes")
    if as_json:
        click.echo(json.dumps(abnormal_shown.as_json(found, site.zone), ensure_ascii=False))
    else:
        _print(found, worst)


def _print(found: AbnormalReport, worst: int) -> None:
    total = found.total
    click.echo(
        f"{total.sessions} sessions, {total.abnormal} abnormal ({format_scaled(total.per_1000_e1, 1)} per 1,000): "
        f"{total.by_rule} decided by rule, {total.by_person} by people, {total.waiting} waiting; "
        f"{found.without_bill} sessions without a bill yet"
    )
    click.echo(
        f"money of abnormal bills: {format_fen(total.first_fen)} at first, {format_fen(total.newest_fen)} now, "
        f"{format_fen(total.waiting_fen)} of it waiting"
    )
    click.echo()
    print_table(
        (found.by, "sessions", "abnormal", "per 1,000", "by rule", "by people", "waiting", "first", "newest", "kWh"),
        [
            (
                tally.key or "(not told)",
                tally.sessions,
                tally.abnormal,
                format_scaled(tally.per_1000_e1, 1),
                tally.by_rule,
                tally.by_person,
                tally.waiting,
                format_fen(tally.first_fen),
                format_fen(tally.newest_fen),
                format_e4(tally.energy_e4kwh),
            )
            for tally in found.groups[:worst]
        ],
    )
    click.echo()
    print_table(
        ("pile", "connector", "firmware", "sessions", "register kWh", "billed kWh", "waiting kWh", "unbilled kWh"),
        [
            (
                meter.pile_id,
                meter.connector,
                meter.firmware,
                meter.sessions,
                format_e4(meter.moved_e4kwh),
                format_e4(meter.billed_e4kwh),
                format_e4(meter.waiting_e4kwh),
                format_e4(meter.unbilled_e4kwh),
            )
            for meter in found.meters[:worst]
        ],
    )


@click.command("reconcile")
@db_option
@click.option(
    "--partner", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True,
    help="The partner's list, .csv or .xlsx; [reconcile] of the configuration names its columns.",
)  # fmt: skip
@click.option("--since", default=None, metavar="TIME", help="Charges that ended then or later should be in the list.")
@click.option("--until", default=None, metavar="TIME", help="Charges that ended before should be in the list.")
@click.option("--xlsx", "xlsx_path", type=_FILE, default=None, help="Write the differences as a workbook.")
@json_option
def reconcile_command(
    config_path: Path | None,
    db_path: Path | None,
    partner: Path,
    since: str | None,
    until: str | None,
    xlsx_path: Path | None,
    as_json: bool,
) -> None:
    """Compare our bills with a partner's list; exit status 1 when anything differs."""
    config, _ = read_config(config_path)
    entries = read_list(partner, config.reconcile)
    with reading(config_path, db_path) as (reader, site):
        found = reconcile.reconcile(
            reader,
            entries,
            config.reconcile,
            zone=site.zone,
            since_ms=moment(since, site) if since else None,
            until_ms=moment(until, site) if until else None,
        )
    if xlsx_path is not None:
        xlsx_path.write_bytes(reconcile.as_workbook(found, site.zone, made_at=_made_at(Clock().now_ms(), site)))
    if as_json:
        for line in reconcile.lines(found, site.zone):
            click.echo(line)
    else:
        _print_differences(found, site)
    say(f"{found.listed} rows, {found.equal} equal, {len(found.differences)} differences")
    sys.exit(1 if found.differences else 0)


def _print_differences(found: reconcile.Reconciliation, site: Site) -> None:
    rows = [reconcile.difference_json(each, site.zone) for each in found.differences]
    print_table(
        ("difference", "reason", "number", "row", "our kWh", "their kWh", "our yuan", "their yuan", "remark"),
        [
            (
                row["kind"],
                row["dispute_reason"],
                row["key"],
                row["row"],
                row["our_energy_kwh"],
                row["their_energy_kwh"],
                row["our_amount"],
                row["their_amount"],
                row["text"]["en"],
            )
            for row in rows
        ],
    )

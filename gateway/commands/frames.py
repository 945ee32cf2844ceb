"""Frames and frame logs: decoded, replayed; and the machine they drive."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from billing_core import transitions
from gateway.logs import LogConfig, set_up
from gateway.show import say
from gateway.site import Site, instant_of, site_from_file
from gateway.tomlfile import TomlFile


@click.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--site",
    "site_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="Site file with tariffs, campaigns, piles and cards.",
)
@click.option("--until", default=None, metavar="TIME", help="Stop the log's clock there (ISO 8601 with offset).")
@click.option("--json", "as_json", is_flag=True, help="One bill a line, as JSON.")
@click.option("--all-revisions", is_flag=True, help="Every revision of each bill, not only the newest.")
@click.option(
    "--db",
    "db_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Also write everything to this new database.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Share the work among so many processes; the bills are the same. Not with --db.",
)
def replay(
    logs: tuple[Path, ...],
    site_path: Path | None,
    until: str | None,
    as_json: bool,
    all_revisions: bool,
    db_path: Path | None,
    jobs: int,
) -> None:
    """Bills from frame logs: text logs, captures of the daemon, tcpdump captures; plain, .gz or .zst."""
    from gateway.listeners.topics import USUAL, routes_from
    from gateway.replaying import run_replay

    set_up(LogConfig(level="error"))
    source = TomlFile.read(site_path) if site_path else None
    site = site_from_file(source) if source else Site()
    sys.exit(
        run_replay(
            logs,
            site=site,
            until_ms=instant_of(until) if until else None,
            as_json=as_json,
            all_revisions=all_revisions,
            db_path=db_path,
            routes=routes_from(source) if source else USUAL,
            jobs=jobs,
        )
    )


@click.command()
@click.argument("what", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One frame a line, as JSON.")
@click.option(
    "--dialect",
    "options",
    multiple=True,
    metavar="OPTION",
    help="A deviation to assume, such as balance-be; may be given several times.",
)
def decode(what: tuple[str, ...], as_json: bool, options: tuple[str, ...]) -> None:
    """Decode frames given as HEX, or a frame log, to the wire-level fields of the protocol."""
    from gateway.decode import decode_sources

    sys.exit(decode_sources(what, as_json=as_json, options=frozenset(options), out=sys.stdout, err=sys.stderr))


@click.command()
@click.option("--install", "is_installed", is_flag=True, help="Write it to Wireshark's folder of personal plugins.")
def dissector(is_installed: bool) -> None:
    """Print the Wireshark dissector (Lua) that shows captures field by field."""
    from gateway.framelog.dissector import dissector_text, install

    if is_installed:
        say(f"written to {install()}")
    else:
        click.echo(dissector_text(), nl=False)


@click.command()
@click.option("--mermaid", is_flag=True, help="As a Mermaid diagram.")
def states(mermaid: bool) -> None:
    """Print the session state machine from the table that runs it."""
    click.echo(transitions.as_mermaid() if mermaid else transitions.as_table())

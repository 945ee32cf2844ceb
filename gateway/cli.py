"""The command line. Exit status: 0 done, 1 done with findings, 2 wrong usage or configuration, 3 failure."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from pathlib import Path

import click
import structlog
import uvloop

from billing_core import transitions
from gateway import __version__
from gateway.cli_manage import GROUPS
from gateway.config import Config, read_config
from gateway.errors import ConfigError, GatewayError
from gateway.logs import LogConfig, set_up
from gateway.show import print_table, say
from gateway.site import Site, instant_of, site_from_file
from gateway.tomlfile import TomlFile

log = structlog.get_logger()

CONFIG_OPTION = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Configuration file; ./gateway.toml when it exists, else the defaults.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pilegate")
def cli() -> None:
    """Pilegate: the gateway between charging piles and everybody who needs exact bills."""


@cli.command()
@CONFIG_OPTION
def run(config_path: Path | None) -> None:
    """Run the daemon until SIGTERM; SIGHUP reloads tariffs, campaigns, piles and limits."""
    from gateway.app import App

    config, path = read_config(config_path)
    set_up(config.log)
    uvloop.run(App(config, config_path=path).run())


@cli.command()
@click.option("--keep", is_flag=True, help="Stay up afterwards, for a look around.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Where database and capture go; a fresh directory under the temporary files by default.",
)
@click.option("--seed", default=1, show_default=True, help="Seed of the simulated piles.")
def demo(keep: bool, directory: Path | None, seed: int) -> None:
    """Run the daemon on loopback with simulated piles that charge, break and recover; print the bills."""
    from gateway.demo import run_demo

    set_up(LogConfig(level="error"))
    sys.exit(uvloop.run(run_demo(directory=directory, seed=seed, keep=keep)))


@cli.command()
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
def replay(
    logs: tuple[Path, ...],
    site_path: Path | None,
    until: str | None,
    as_json: bool,
    all_revisions: bool,
    db_path: Path | None,
) -> None:
    """Bills from frame logs: text logs, captures of the daemon, tcpdump captures; plain, .gz or .zst."""
    from gateway.replaying import run_replay

    set_up(LogConfig(level="error"))
    site = site_from_file(TomlFile.read(site_path)) if site_path else Site()
    sys.exit(
        run_replay(
            logs,
            site=site,
            until_ms=instant_of(until) if until else None,
            as_json=as_json,
            all_revisions=all_revisions,
            db_path=db_path,
        )
    )


@cli.command()
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


@cli.command()
@click.option("--mermaid", is_flag=True, help="As a Mermaid diagram.")
def states(mermaid: bool) -> None:
    """Print the session state machine from the table that runs it."""
    click.echo(transitions.as_mermaid() if mermaid else transitions.as_table())


@cli.command()
@CONFIG_OPTION
@click.option("--json", "as_json", is_flag=True, help="The whole configuration as JSON.")
def check(config_path: Path | None, as_json: bool) -> None:
    """Validate configuration and tariffs, and say what would listen where."""
    config, path = read_config(config_path)
    if as_json:
        click.echo(json.dumps(_described(config), indent=2, ensure_ascii=False))
        return
    say(f"configuration: {path or 'defaults'} is in order", sys.stdout)
    for listen in config.listen:
        say(f"piles: tcp {listen.host}:{listen.port}{' with TLS' if listen.tls_cert_file else ''}", sys.stdout)
    api = config.api
    say(f"HTTP: {f'{api.host}:{api.port}' if api.is_enabled else 'off'}", sys.stdout)
    say(f"database: {config.store.path}", sys.stdout)
    say(f"capture: {config.capture.directory if config.capture.is_enabled else 'off'}", sys.stdout)
    for upstream in config.upstream:
        say(f"upstream: {upstream.name} → {upstream.url}", sys.stdout)
    _show_tariffs(config.site)


def _show_tariffs(site: Site) -> None:
    rows = [
        (tariff.model_no, _local(site, tariff.valid_from_ms), ", ".join(tariff.scope), len(tariff.slots))
        for tariff in site.book.tariffs
    ]
    say(f"site: {site.name}, {site.zone_name}, {len(site.piles)} piles listed", sys.stdout)
    if rows:
        print_table(("tariff", "valid from", "scope", "slots"), rows)
    else:
        say("no tariff: piles that ask for one get no answer and must not charge", sys.stdout)


def _local(site: Site, at_ms: int) -> str:
    from billing_core.civil import iso_local

    return iso_local(at_ms, site.zone)


def _described(config: Config) -> dict[str, object]:
    described: dict[str, object] = {"site": {"name": config.site.name, "timezone": config.site.zone_name}}
    for field in dataclasses.fields(config):
        if field.name != "site":
            value = getattr(config, field.name)
            many = isinstance(value, tuple)
            described[field.name] = [dataclasses.asdict(v) for v in value] if many else dataclasses.asdict(value)
    return described


@cli.command()
@click.option("--piles", default=10, show_default=True, help="How many piles.")
@click.option("--connect", default="127.0.0.1:8767", show_default=True, metavar="HOST:PORT", help="The gateway.")
@click.option("--seed", default=1, show_default=True, help="Equal seeds tell equal stories.")
@click.option(
    "--faults",
    default="none",
    show_default=True,
    metavar="PROFILE",
    help="What goes wrong; --list-faults names the profiles.",
)
@click.option("--list-faults", is_flag=True, help="Name the fault profiles and leave.")
@click.option("--sessions", "sessions_per_connector", default=1, show_default=True, help="Sessions per connector.")
@click.option("--speed", default=1, show_default=True, help="How many times as fast as the wall the piles live.")
@click.option(
    "--capture",
    "capture_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Write what the piles sent and heard as a text log.",
)
def simulate(
    piles: int,
    connect: str,
    seed: int,
    faults: str,
    list_faults: bool,
    sessions_per_connector: int,
    speed: int,
    capture_path: Path | None,
) -> None:
    """Simulated piles over real TCP, deterministic by seed."""
    from gateway.simulator.command import list_profiles, run_simulation

    set_up(LogConfig(level="warning"))
    if list_faults:
        list_profiles()
        return
    host, _, port = connect.rpartition(":")
    if not host or not port.isdecimal():
        raise click.BadParameter(f"{connect!r} is not HOST:PORT", param_hint="--connect")
    sys.exit(
        uvloop.run(
            run_simulation(
                host=host,
                port=int(port),
                piles=piles,
                seed=seed,
                faults=faults,
                sessions_per_connector=sessions_per_connector,
                speed=speed,
                capture_path=capture_path,
            )
        )
    )


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=9000, show_default=True, help="0 takes a free port.")
@click.option(
    "--secret",
    envvar="PILEGATE_LISTEN_SECRET",
    default=None,
    help="whsec_… of the sender; without it nothing is verified.",
)
@click.option("--json", "as_json", is_flag=True, help="One event a line, as JSON.")
def listen(host: str, port: int, secret: str | None, as_json: bool) -> None:
    """A small receiver of events: verifies signatures and prints what comes."""
    from gateway.listen import run_listener

    sys.exit(asyncio.run(run_listener(host=host, port=port, secret=secret, as_json=as_json)))


@cli.command()
@click.option("--config", "config_path", default="/etc/pilegate/gateway.toml", show_default=True)
@click.option("--user", default="pilegate", show_default=True)
def systemd(config_path: str, user: str) -> None:
    """Print a hardened systemd unit for the daemon."""
    from gateway.unitfile import unit_text

    click.echo(unit_text(executable=sys.argv[0], config_path=config_path, user=user), nl=False)


for group in GROUPS:
    cli.add_command(group)


def main() -> None:
    """Entry point of ``pilegate``."""
    try:
        cli(standalone_mode=True)
    except ConfigError as error:
        say(f"pilegate: {error}")
        sys.exit(2)
    except GatewayError as error:
        say(f"pilegate: {error}")
        sys.exit(3)

"""The daemon itself, its configuration, and its unit file."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import click
import uvloop

from gateway.clock import Clock
from gateway.commands.common import config_option
from gateway.config import Config, read_config
from gateway.errors import ConfigError
from gateway.forwarders.webhook import UpstreamConfig, WebhookSender
from gateway.listeners.topics import Routes
from gateway.logs import set_up
from gateway.show import print_table, say
from gateway.site import Site


@click.command()
@config_option
def run(config_path: Path | None) -> None:
    """Run the daemon until SIGTERM; SIGHUP reloads tariffs, campaigns, piles and limits."""
    from gateway.app import App

    config, path = read_config(config_path)
    set_up(config.log)
    uvloop.run(App(config, config_path=path).run())


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="The whole configuration as JSON.")
def check(config_path: Path | None, as_json: bool) -> None:
    """Validate configuration and tariffs, and say what would listen where.

    Exit status 1 when a secret or a file that an upstream needs is not there.
    """
    config, path = read_config(config_path)
    findings = [fault for upstream in config.upstream if (fault := _fault_of(upstream)) is not None]
    if as_json:
        click.echo(json.dumps({**_described(config), "findings": findings}, indent=2, ensure_ascii=False))
        sys.exit(int(bool(findings)))
    say(f"configuration: {path or 'defaults'} is in order", sys.stdout)
    for listen in config.listen:
        say(f"piles: tcp {listen.host}:{listen.port}{' with TLS' if listen.tls_cert_file else ''}", sys.stdout)
    for broker in config.mqtt:
        topics = ", ".join(Routes(broker.route).up_filters)
        say(f"piles: MQTT {broker.protocol_version} at {broker.url} as {broker.client_id}, topics {topics}", sys.stdout)
    api = config.api
    say(f"HTTP: {f'{api.host}:{api.port}' if api.is_enabled else 'off'}", sys.stdout)
    say(f"database: {config.store.path}", sys.stdout)
    say(f"capture: {config.capture.directory if config.capture.is_enabled else 'off'}", sys.stdout)
    for upstream in config.endpoints:
        say(f"upstream: {upstream.name} → {upstream.url}", sys.stdout)
    _show_tariffs(config.site)
    for finding in findings:
        say(f"missing: {finding}", sys.stdout)
    sys.exit(int(bool(findings)))


def _fault_of(upstream: UpstreamConfig) -> str | None:
    """What this upstream's secrets, headers and certificates lack in the present environment."""
    try:
        WebhookSender(upstream, Clock())
    except ConfigError as error:
        return str(error)
    return None


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


@click.command()
@click.option(
    "--config",
    "config_path",
    default="/etc/pilegate/gateway.toml",
    show_default=True,
    help="Configuration file of the unit.",
)
@click.option("--user", default="pilegate", show_default=True, help="Whom the daemon runs as.")
def systemd(config_path: str, user: str) -> None:
    """Print a hardened systemd unit for the daemon."""
    from gateway.unitfile import unit_text

    click.echo(unit_text(executable=sys.argv[0], config_path=config_path, user=user), nl=False)

"""Piles and receivers that do not exist: the demo, simulated piles, a receiver of events."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click
import uvloop

from gateway.logs import LogConfig, set_up


@click.command()
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


def _known_protocol(context: click.Context, parameter: click.Parameter, value: str) -> str:
    from gateway.simulator.scripts import PROTOCOLS

    if value not in PROTOCOLS:
        raise click.BadParameter(f"no piles speak {value!r}; there are: {', '.join(PROTOCOLS)}")
    return value


@click.command()
@click.option("--piles", type=click.IntRange(1), default=10, show_default=True, help="How many piles.")
@click.option("--connect", default="127.0.0.1:8767", show_default=True, metavar="HOST:PORT", help="The gateway.")
@click.option("--seed", default=1, show_default=True, help="Equal seeds tell equal stories.")
@click.option(
    "--faults",
    default="none",
    show_default=True,
    metavar="PROFILE",
    help="What goes wrong; --list-faults names the profiles.",
)
@click.option("--list-faults", "what", flag_value="faults", help="Name the fault profiles and leave.")
@click.option(
    "--print-site", "what", flag_value="site", help="Print the [[pile]] tables that the gateway needs, and leave."
)
@click.option(
    "--print-accounts", "what", flag_value="accounts", help="Print the commands that list their cards, and leave."
)
@click.option(
    "--protocol",
    default="ykc",
    show_default=True,
    metavar="NAME",
    callback=_known_protocol,
    help="What the piles speak: ykc, aaf5, mixed (some this, some that), or one edition, such as aaf5-op30.",
)
@click.option("--mqtt", "broker", metavar="HOST:PORT", default=None, help="Reach the gateway through this MQTT broker.")
@click.option(
    "--sessions",
    "sessions_per_connector",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Sessions per connector.",
)
@click.option(
    "--speed",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="How many times as fast as the wall the piles live; above 1 a gateway finds their charges too quick.",
)
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
    what: str | None,
    protocol: str,
    broker: str | None,
    sessions_per_connector: int,
    speed: int,
    capture_path: Path | None,
) -> None:
    """Simulated piles over real TCP, or an MQTT broker, deterministic by seed."""
    from gateway.simulator.command import list_profiles, print_accounts, print_site, run_simulation

    if what == "faults":
        list_profiles()
        return
    if what is not None:
        if what == "site":
            print_site(piles, protocol)
        else:
            print_accounts(piles)
        return
    target = broker if broker is not None else connect
    host, _, port = target.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        hint = "--connect" if broker is None else "--mqtt"
        raise click.BadParameter(f"{target!r} is not HOST:PORT", param_hint=hint)
    set_up(LogConfig(level="warning"))
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
                is_mqtt=broker is not None,
                protocol=protocol,
            )
        )
    )


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=9000, show_default=True, help="0 takes a free port.")
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

    try:
        sys.exit(asyncio.run(run_listener(host=host, port=port, secret=secret, as_json=as_json)))
    except KeyboardInterrupt:
        sys.exit(0)  # how one leaves it

"""The command line. Exit status: 0 done, 1 done with findings, 2 wrong usage or configuration, 3 failure."""

from __future__ import annotations

import sys

import click

from gateway import __version__
from gateway.commands import COMMANDS
from gateway.errors import ConfigError, GatewayError
from gateway.show import say


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pilegate")
def cli() -> None:
    """Pilegate: the gateway between charging piles and everybody who needs exact bills."""


for command in COMMANDS:
    cli.add_command(command)


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

"""The command line. Exit status: 0 done, 1 done with findings, 2 wrong usage or configuration, 3 failure."""

from __future__ import annotations

import sqlite3
import sys

import click
import structlog

from gateway import __version__
from gateway.commands import COMMANDS
from gateway.errors import ConfigError, GatewayError
from gateway.show import say


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pilegate")
def cli() -> None:
    """Pilegate: the gateway between charging piles and everybody who needs exact bills."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))


for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Entry point of ``pilegate``."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(_failed("interrupted"))
    except ConfigError as error:
        say(f"pilegate: {error}")
        sys.exit(2)
    except (GatewayError, OSError, sqlite3.Error, click.ClickException) as error:
        sys.exit(_failed(error))


def _failed(why: object) -> int:
    say(f"pilegate: {why}")
    return 3

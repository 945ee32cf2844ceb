"""The command line's reference, made of the program's own help.

``python -m gateway.commands.reference > docs/cli.md`` writes it anew; a test holds the file against this.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from gateway.cli import cli

_WIDTH = 100
_HEAD = """# Command line

Made of the program's own help by `python -m gateway.commands.reference > docs/cli.md`.

Exit status: 0 done, 1 done with findings (bad frames, bills under review), 2 wrong usage or configuration, 3 failure.
With `--json` standard output holds JSON and nothing else; logs and remarks go to standard error.
"""


def reference() -> str:
    """The whole reference as Markdown."""
    return _HEAD + "".join(_sections(cli, None))


def _sections(command: click.Command, parent: click.Context | None) -> Iterator[str]:
    name = "pilegate" if parent is None else command.name
    ctx = click.Context(
        command,
        parent,
        info_name=name,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        help_option_names=["-h", "--help"],
    )
    help_text = "\n".join(line.rstrip() for line in command.get_help(ctx).splitlines())
    yield f"\n## {ctx.command_path}\n\n```text\n{help_text}\n```\n"
    if isinstance(command, click.Group):
        for each in sorted(command.commands):
            yield from _sections(command.commands[each], ctx)


if __name__ == "__main__":
    click.echo(reference(), nl=False)

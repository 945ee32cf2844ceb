"""Every command of docs/after-sales.md exists, with the options it is shown with."""

import re
import shlex
from pathlib import Path

import click
import pytest

from gateway.cli import cli

TEXT = (Path(__file__).parents[2] / "docs" / "after-sales.md").read_text(encoding="utf-8")
SHOWN = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) for line in block.splitlines() if line]
NAMED = [name for names in re.findall(r"^\| (`pilegate .*?`) \|", TEXT, re.M) for name in re.findall(r"`(.*?)`", names)]


@pytest.mark.parametrize("line", [*SHOWN, *NAMED])
def test_a_command_that_is_shown_can_be_typed(line):
    program, *words = shlex.split(line)
    assert program == "pilegate"
    command: click.Command = cli
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    known = {option: each for each in command.params for option in each.opts}
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    given = 0
    while words:
        word = words.pop(0)
        if word.startswith("-"):
            assert word in known, f"{word} is no option of {command.name}"
            if not known[word].is_flag:
                words.pop(0)
        else:
            given += 1
    most = sum(10 if each.nargs < 0 else 1 for each in arguments)
    assert sum(each.required for each in arguments) <= given <= most


def test_the_page_shows_the_whole_way():
    shown = " ".join(SHOWN)
    for command in ("bills", "bill", "evidence", "verify", "case", "decide", "report abnormal", "reconcile"):
        assert f"pilegate {command}" in shown

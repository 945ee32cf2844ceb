"""The doorway: help everywhere, and four exit statuses."""

import subprocess
import sys

import click
import pytest

from gateway.cli import cli
from tests.support.commandline import REPLAYS, ROOT, books, pilegate


def every_command(command=cli, path=()):
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from every_command(inner, (*path, name))


COMMANDS = dict(every_command())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_is_complete(path):
    done = pilegate(*path, "--help")
    assert done.status == 0
    assert done.err == ""
    assert COMMANDS[path].help
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{' '.join(path)} {parameter.opts[0]} has no help"
            assert parameter.opts[0] in done.out


def test_the_commands_that_everybody_relies_on():
    names = {path[0] for path in COMMANDS if path}
    assert names >= {
        "run", "demo", "replay", "decode", "simulate", "bills", "bill", "states", "check", "backup", "restore",
        "token", "listen", "systemd",
    }  # fmt: skip


def test_lists_speak_json():
    for path, command in COMMANDS.items():
        if path and path[-1] in ("list", "unknown", "bills", "bill", "replay", "decode", "check", "listen"):
            assert "--json" in {option for each in command.params for option in each.opts}, path


def test_status_0_when_done(tmp_path):
    database = books(tmp_path, "app-start-across-two-rates")
    done = pilegate("bills", "--db", database)
    assert (done.status, done.err) == (0, "")


def test_status_1_when_there_is_something_to_look_at(tmp_path):
    database = books(tmp_path, "record-of-an-unknown-transaction")
    assert pilegate("bills", "--db", database).status == 1
    assert pilegate("decode", "680C000000025503141278230500DA4D").status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--frob",),
        ("frob",),
        ("bills", "--limit", "0"),
        ("bills", "--since", "yesterday"),
        ("bills", "--status", "odd"),
        ("simulate", "--connect", "nowhere"),
        ("simulate", "--connect", "127.0.0.1:0"),
        ("simulate", "--piles", "0"),
        ("replay", "/no/such/log"),
        ("check", "--config", "/no/such/file"),
        ("account", "card", "xyz", "a"),
        ("account", "set", "a", "--balance", "1.005"),
    ],
    ids=" ".join,
)
def test_status_2_for_wrong_usage_or_configuration(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if arguments[0] in ("bills", "account"):
        arguments = (*arguments, "--db", str(books(tmp_path, "app-start-across-two-rates")))
    done = pilegate(*arguments)
    assert done.status == 2, done
    assert done.out == ""
    assert done.err
    assert "Traceback" not in done.err


def test_status_3_for_failure(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"this is no database" * 100)
    for arguments in (
        ("bills", "--db", tmp_path / "none.db"),
        ("bills", "--db", garbage),
        ("token", "create", "x", "--db", garbage),
        ("bill", "0" * 32, "--db", books(tmp_path, "app-start-across-two-rates")),
        ("restore", garbage, "--db", tmp_path / "new.db"),
        ("outbox", "retry", "7", "--db", tmp_path / "books.db"),
    ):
        done = pilegate(*arguments)
        assert done.status == 3, (arguments, done)
        assert done.err.splitlines()[-1].startswith("pilegate: ")
        assert done.out == ""


def test_standard_output_holds_results_and_standard_error_the_rest():
    log = str(REPLAYS / "noise-and-half-frames" / "log.jsonl")
    command = [sys.executable, "-m", "gateway", "replay", "--site", str(REPLAYS / "site.toml"), log]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "frame" in done.stderr
    assert "frame_refused" not in done.stdout

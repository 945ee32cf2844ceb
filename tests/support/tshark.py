"""The real tshark, with the dissector."""

import shutil
import subprocess

import pytest

_DEADLINE_S = 60
_BETWEEN = "\x1f"


def need_tshark():
    """Skips a test where tshark is missing."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark: not run, it is not installed")


def tshark(*arguments, home):
    """What tshark prints; fails on any mistake in the dissector.

    Args:
        home: a folder in place of the person's own, so that no other plugin is loaded.
    """
    done = subprocess.run(
        ["tshark", *map(str, arguments)],
        env={"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert "Lua" not in said, said
    return done.stdout.decode()


def field_values(path, names, *options, home):
    """Every value of each field, in order over the whole file."""
    wanted = [part for name in names for part in ("-e", f"pilegate.{name}")]
    form = ["-T", "fields", "-E", f"separator={_BETWEEN}", "-E", "aggregator=|", "-E", "occurrence=a"]
    found = {name: [] for name in names}
    told = tshark("-n", "-r", path, *options, *form, *wanted, "-e", "_ws.lua.error", home=home)
    for line in told.splitlines():
        line, _, mistake = line.rpartition(_BETWEEN)
        assert not mistake
        for name, cell in zip(names, line.split(_BETWEEN), strict=True):
            found[name] += cell.split("|") if cell else []
    return found

"""How far a replay is, on a terminal and elsewhere."""

import io
import re

import pytest

from gateway import progress
from gateway.progress import Progress


@pytest.fixture
def paths(tmp_path):
    found = [tmp_path / "a", tmp_path / "b"]
    for path in found:
        path.write_bytes(bytes(50))
    return found


@pytest.fixture
def clock(monkeypatch):
    moments = {"now": 100.0}
    monkeypatch.setattr(progress.time, "monotonic", lambda: moments["now"])
    return moments


def test_elsewhere_a_line_is_said_every_ten_seconds(paths, clock, capsys):
    with Progress(paths) as shown:
        shown.read_one(paths[0], 10, 1_000)
        assert capsys.readouterr().err == ""
        clock["now"] += 10
        shown.read_one(paths[0], 20, 50_000)
        assert capsys.readouterr().err == "20 %, 50,000 frames, 5,000 a second, 0:40 left\n"
        shown.read({paths[0]: 50, paths[1]: 30}, 60_000)
        assert capsys.readouterr().err == ""
        clock["now"] += 10
        shown.read({paths[1]: 60}, 80_000)
        assert capsys.readouterr().err == "100 %, 80,000 frames, 4,000 a second, 0:00 left\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_a_bar_is_shown_and_taken_away(paths, clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", terminal)
    with Progress(paths) as shown:
        shown.read_one(paths[0], 10, 1_000)
        clock["now"] += 1
        shown.read_one(paths[0], 50, 50_000)
        drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
        assert "50%" in drawn
        assert "50,000 frames, 50,000 a second" in drawn
    assert terminal.getvalue().endswith("\x1b[2K") or "\x1b[1A\x1b[2K" in terminal.getvalue()


def test_an_empty_log_is_read_at_once(tmp_path, clock, capsys):
    path = tmp_path / "empty"
    path.touch()
    with Progress([path]) as shown:
        clock["now"] += 10
        shown.read_one(path, 0, 0)
    assert capsys.readouterr().err.startswith("0 %")

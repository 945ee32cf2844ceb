"""``make`` on a machine that lacks something says in one sentence what to install; a second run is quick."""

import fnmatch
import os
import shutil
import stat
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("sh", "bash", "find", "printf", "touch", "mkdir", "cat")
OLD = 'case "$2" in *version_info*) exit 1;; esac; exit 0'
NO_VENV = 'case "$2" in *ensurepip*) exit 1;; esac; exit 0'
# answers every question well, and makes an environment whose Python knows a directory without headers
GOOD = """case "$2" in
  venv) mkdir -p .venv/bin; printf '#!/bin/sh\\necho /nowhere\\n' > .venv/bin/python; chmod +x .venv/bin/python;;
esac
exit 0"""


class Machine:
    """A machine with nothing but what is put there."""

    def __init__(self, directory):
        self.bin = directory / "bin"
        self.project = directory / "project"
        for each in (self.bin, self.project, self.project / "protocol", self.project / "billing_core"):
            each.mkdir()
        for name in ("setup.py", "pyproject.toml"):
            (self.project / name).touch()
        shutil.copy(ROOT / "Makefile", self.project)
        for tool in (*TOOLS, "chmod"):
            self.link(tool)

    def link(self, tool):
        (self.bin / tool).symlink_to(shutil.which(tool))

    def script(self, name, text):
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def make(self, target):
        """(status, lines that are not make's own)."""
        environment = {key: value for key, value in os.environ.items() if key not in ("CC", "PYTHON", "MAKEFLAGS")}
        done = subprocess.run(
            [shutil.which("make"), target],
            cwd=self.project,
            env={**environment, "PATH": str(self.bin)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        lines = (done.stdout + done.stderr).splitlines()
        return done.returncode, [line for line in lines if not line.startswith("make")]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("python", "has_compiler", "words"),
    [
        (None, True, "Python is missing: install Python 3.11 or newer"),
        (OLD, True, "Python 3.11 or newer is needed"),
        (NO_VENV, True, "The Python module venv is missing: install it"),
        (GOOD, False, "A C compiler is missing: install one"),
    ],
    ids=["python", "version", "venv", "compiler"],
)
@pytest.mark.parametrize("target", ["demo", "test"])
def test_what_is_missing_gets_one_sentence(machine, target, python, has_compiler, words):
    if python is not None:
        machine.script("python3", python)
    if has_compiler:
        machine.script("cc", "exit 0")
    status, lines = machine.make(target)
    assert status != 0
    assert len(lines) == 1, lines
    assert lines[0].startswith(words)


def test_missing_headers_get_one_sentence(machine):
    machine.script("python3", GOOD)
    machine.script("cc", "cat >/dev/null; exit 1")
    status, lines = machine.make("build")
    assert status != 0
    assert lines[-1].startswith("The C headers of Python are missing: install them"), lines
    assert len(lines) == 2, lines  # the other one says that it sets up


def test_a_second_run_does_nothing_and_that_quickly(machine):
    (machine.project / ".venv" / "bin").mkdir(parents=True)
    for name in ("bin/python", ".ready"):
        (machine.project / ".venv" / name).touch()
    began_at = time.monotonic()
    assert machine.make("build") == (0, [])
    assert time.monotonic() - began_at < 2


def test_the_package_takes_every_file_that_it_needs():
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    made = ("*.py", "*.pyc", "*.so", "*.c", "*.html")
    for package in ("gateway", "protocol", "billing_core"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and not any(fnmatch.fnmatch(path.name, each) for each in (*told["*"], *made)):
                raise AssertionError(f"{path.relative_to(ROOT)} would not be in the wheel")


def test_compiled_modules_are_as_new_as_their_sources():
    stale = [
        source.relative_to(ROOT).as_posix()
        for package in ("protocol", "billing_core", "gateway")
        for source in (ROOT / package).rglob("*.py*")
        for module in source.parent.glob(f"{source.stem}.cpython-*.so")
        if source.suffix in (".py", ".pyx") and source.stat().st_mtime > module.stat().st_mtime
    ]
    assert not stale, "run make build: a module is compiled from an older text"

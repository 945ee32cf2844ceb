"""The command line as a user meets it: status, what it printed, what it said."""

import contextlib
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import structlog

from gateway.cli import main
from gateway.replaying import run_replay
from gateway.site import site_from_file
from gateway.tomlfile import TomlFile

ROOT = Path(__file__).parents[2]
REPLAYS = ROOT / "fixtures" / "replays"


class Done(NamedTuple):
    """How one call ended."""

    status: int
    out: str
    err: str


@contextlib.contextmanager
def _arguments(arguments: tuple[str, ...]) -> Iterator[None]:
    former, sys.argv = sys.argv, ["pilegate", *arguments]
    try:
        yield
    finally:
        sys.argv = former


def pilegate(*arguments: object) -> Done:
    """One call within this process, in an empty directory."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with contextlib.ExitStack() as around:
        around.enter_context(_arguments(tuple(map(str, arguments))))
        around.enter_context(contextlib.chdir(around.enter_context(tempfile.TemporaryDirectory())))
        around.enter_context(contextlib.redirect_stdout(out))
        around.enter_context(contextlib.redirect_stderr(err))
        try:
            main()
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
        finally:
            structlog.reset_defaults()
    return Done(status, out.getvalue(), err.getvalue())


def books(directory: Path, *stories: str) -> Path:
    """A database with the bills of stories under fixtures/replays."""
    path = directory / "books.db"
    logs = tuple(REPLAYS / story / "log.jsonl" for story in stories)
    site = site_from_file(TomlFile.read(REPLAYS / "site.toml"))
    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        run_replay(logs, site=site, until_ms=None, as_json=True, all_revisions=False, db_path=path)
    return path

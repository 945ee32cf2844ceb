"""Databases with bills in them, made by replaying a story."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from gateway.replaying import run_replay
from gateway.site import site_from_file
from gateway.tomlfile import TomlFile

ROOT = Path(__file__).parents[2]
REPLAYS = ROOT / "fixtures" / "replays"
SITE = REPLAYS / "site.toml"


def pilegate(*arguments, cwd=ROOT, stdin=None, **environment):
    """The command line as a user runs it."""
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=90, input=stdin, env=env)


def replayed(db: Path, *stories: str, site: Path = SITE) -> Path:
    """A new database with the bills of some stories under fixtures/replays."""
    logs = [REPLAYS / story / "log.jsonl" for story in stories]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run_replay(
            logs,
            site=site_from_file(TomlFile.read(site)),
            until_ms=None,
            as_json=True,
            all_revisions=False,
            db_path=db,
        )
    return db

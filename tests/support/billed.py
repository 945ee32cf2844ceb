"""Databases with bills in them, made by replaying a story."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPLAYS = ROOT / "fixtures" / "replays"
SITE = REPLAYS / "site.toml"


def pilegate(*arguments, cwd=ROOT, stdin=None, **environment):
    """The command line as a user runs it."""
    import os

    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=90, input=stdin, env=env)


def replayed(db: Path, *stories: str, site: Path = SITE) -> Path:
    """A new database with the bills of some stories under fixtures/replays."""
    logs = [REPLAYS / story / "log.jsonl" for story in stories]
    done = pilegate("replay", *logs, "--site", site, "--db", db)
    assert done.returncode in (0, 1), done.stderr
    return db

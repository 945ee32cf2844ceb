"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import resource
import sqlite3
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def facts() -> dict[str, object]:
    """Processor, cores, memory, system, versions, commit."""
    return {
        "processor": _first("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_kb": int(_first("/proc/meminfo", "MemTotal").split()[0]),
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "compiler": _told("cc", "--version").partition("\n")[0],
        "commit": _told("git", "describe", "--always", "--dirty"),
        "load_before": os.getloadavg(),
    }


def _first(path: str, key: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return "0"


def _told(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"

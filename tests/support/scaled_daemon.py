"""The real daemon in a process of its own, on a clock that runs fast and goes on over restarts.

Usage: ``python -m tests.support.scaled_daemon CONFIG ORIGIN_MS ORIGIN_MONOTONIC_NS SPEED``: at the monotonic moment
ORIGIN the clock showed ORIGIN_MS.
"""

import sys
import time
from pathlib import Path

import uvloop

from gateway.app import App
from gateway.clock import ScaledClock
from gateway.config import load
from gateway.logs import set_up


def main() -> None:
    path, origin_ms, origin_ns, speed = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    config = load(path)
    set_up(config.log)
    now_ms = origin_ms + (time.monotonic_ns() - origin_ns) * speed // 1_000_000
    uvloop.run(App(config, config_path=path, clock=ScaledClock(now_ms, speed)).run())


if __name__ == "__main__":
    main()

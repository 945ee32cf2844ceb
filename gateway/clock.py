"""The only reader of the clock.

Everybody else gets ``at_ms`` handed in. A wall clock may step back (NTP, an operator); what this one hands
out never does: while it stands ahead of the wall clock it runs at half speed until the wall has caught up,
so that deadlines still pass and no two moments change their order.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _steady_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Clock:
    """Unix milliseconds, UTC, never stepping back.

    Args:
        wall_ms: where civil time comes from; tests and the demo hand in their own.
        steady_ms: a clock that nobody can set; only differences of it are used.
    """

    def __init__(self, wall_ms: Callable[[], int] = _wall_ms, steady_ms: Callable[[], int] = _steady_ms) -> None:
        self._wall_ms = wall_ms
        self._steady_ms = steady_ms
        self._last_ms = wall_ms()
        self._last_steady_ms = steady_ms()

    def now_ms(self) -> int:
        """The present moment, at least as late as any moment handed out before."""
        wall_ms = self._wall_ms()
        if wall_ms == self._last_ms:  # many reads come in one millisecond
            return wall_ms
        steady_ms = self._steady_ms()
        elapsed_ms = steady_ms - self._last_steady_ms
        if wall_ms >= self._last_ms:
            self._last_ms = wall_ms
            self._last_steady_ms = steady_ms
        elif elapsed_ms >= 2:
            self._last_ms += elapsed_ms // 2
            self._last_steady_ms += elapsed_ms // 2 * 2
        return self._last_ms

    @staticmethod
    def steady_us() -> int:
        """Microseconds of a clock that nobody can set, for how long work took; never for when anything happened."""
        return time.monotonic_ns() // 1_000

    @staticmethod
    def wall_s() -> int:
        """Unix seconds of the machine's own clock, for signatures that others check against theirs."""
        return time.time_ns() // 1_000_000_000

    def ahead_ms(self) -> int:
        """How far this clock stands ahead of the wall clock; above zero only after a step back."""
        return max(0, self._last_ms - self._wall_ms())


class ScaledClock(Clock):
    """A clock that starts at a chosen moment and runs ``speed`` times as fast as the wall.

    Args:
        start_ms: the moment it shows when made, Unix milliseconds UTC.
        speed: whole number, 1 or more.
    """

    def __init__(self, start_ms: int, speed: int) -> None:
        assert speed >= 1
        origin_ms = _steady_ms()
        super().__init__(lambda: start_ms + (_steady_ms() - origin_ms) * speed)
        self.speed = speed

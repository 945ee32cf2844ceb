"""Turns of reads that bring news, so that none of them keeps the whole loop waiting.

A record becomes a bill in one or two milliseconds; a thousand of them at once would keep every heartbeat waiting for
as many. So news get a share of each pass of the loop: as much time as everything else took since the pass before, but
some milliseconds at least, and never so many that a heartbeat would feel it. When it is used up, further news wait, in
the order in which they came. Of a link that brought them only heartbeats are taken meanwhile, also those among its
news; the rest waits, and when that is more than a link may hold undecoded, it is not read from. News are captured and
acted upon at the moment of their turn, so that a replay of the capture does the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

SHARE_US = 5_000
SHARE_US_MAX = 10_000


class Bringer(Protocol):
    """A link whose news may have to wait."""

    def take_turn(self) -> None:
        """Take the news that wait."""


class Turns:
    """Who is next.

    Args:
        steady_us: a clock for how long work took.
        share_us, share_us_max: of each pass of the loop, for news; the least and the most.
    """

    def __init__(
        self, steady_us: Callable[[], int], *, share_us: int = SHARE_US, share_us_max: int = SHARE_US_MAX
    ) -> None:
        self._steady_us = steady_us
        self._share_us_least = self._share_us = share_us
        self._share_us_max = share_us_max
        self._ended_us = steady_us()
        self._spent_us = 0  # of this pass
        self._passed_us = 0  # of that, by those who had waited
        self._waiting: deque[Bringer] = deque()
        self._is_armed = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def is_free(self) -> bool:
        """Whether news may be taken at once; otherwise ``wait`` for a turn."""
        return not self._waiting and self._spent_us < self._share_us

    def take(self, link: Bringer) -> None:
        """Take the news of one link now, and count how long that takes."""
        if not self._is_armed:
            self._is_armed = True
            asyncio.get_running_loop().call_soon(self._pass)
        from_us = self._steady_us()
        link.take_turn()
        self._spent_us += self._steady_us() - from_us

    def wait(self, link: Bringer) -> None:
        """Let one link wait behind all that wait already."""
        self._waiting.append(link)

    def _pass(self) -> None:
        """The loop goes round: a new share."""
        self._is_armed = False
        others_us = self._steady_us() - self._ended_us - (self._spent_us - self._passed_us)
        self._share_us = min(max(self._share_us_least, others_us), self._share_us_max)
        self._spent_us = 0
        while self._waiting and self._spent_us < self._share_us:
            self.take(self._waiting.popleft())
        self._passed_us = self._spent_us
        self._ended_us = self._steady_us()

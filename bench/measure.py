"""Pairs, run turn by turn in one process or on one machine, and what comes of them."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Measure:
    """One goal or part of one: two sides, several turns, and the bound on their ratio.

    Attributes:
        goal: ``P1`` … ``P9``.
        what: the part, in words.
        unit: of both sides.
        ours, theirs: one figure a turn; the turns of one index ran one right after the other.
        beside: what the other side is.
        bound: what the ratio ours / theirs must keep to.
        is_least: the bound is a least, not a most.
        noted: further figures, for the reader.
    """

    goal: str
    what: str
    unit: str
    beside: str
    bound: float
    is_least: bool = False
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    noted: dict[str, Any] = field(default_factory=dict)

    def add(self, ours: float, theirs: float) -> None:
        """One turn of both sides."""
        self.ours.append(ours)
        self.theirs.append(theirs)

    @property
    def ratios(self) -> list[float]:
        """Ours by theirs, turn by turn."""
        return [mine / other if other else float("inf") for mine, other in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median turn."""
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool:
        """Whether the median keeps to the bound."""
        return self.ratio >= self.bound if self.is_least else self.ratio <= self.bound

    def as_json(self) -> dict[str, Any]:
        """Everything, for the file of results."""
        return {
            "goal": self.goal,
            "what": self.what,
            "unit": self.unit,
            "beside": self.beside,
            "ours": self.ours,
            "theirs": self.theirs,
            "ratio": self.ratio,
            "spread": [min(self.ratios), max(self.ratios)],
            "bound": f"{'≥' if self.is_least else '≤'} {self.bound:g}",
            "is_met": self.is_met,
            "noted": self.noted,
        }


def cpu_ns(work: Callable[[], object]) -> float:
    """CPU time of this process for one call, nanoseconds: others on the machine do not count."""
    before = time.process_time_ns()
    work()
    return time.process_time_ns() - before


def in_turns(rounds: int, *sides: Callable[[], object]) -> list[list[float]]:
    """CPU time of each side in each round, nanoseconds; one warm-up of each goes before."""
    for side in sides:
        side()
    return [[cpu_ns(side) for side in sides] for _ in range(rounds)]


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time of another process and its threads since it began."""

    total_ns: int
    user_ns: int

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Now. The scheduler's own count is exact; user time is counted in ticks."""
        total = 0
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return cls(total, int(fields[11]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK"))

    def since(self, before: Usage) -> Usage:
        """What was used since then."""
        return Usage(self.total_ns - before.total_ns, self.user_ns - before.user_ns)


def resident_bytes(pid: int) -> int:
    """Memory of another process that is its own and in use."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) * 1024
    return 0


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

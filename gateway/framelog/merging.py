"""Several logs as one, in order of time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from gateway.framelog.lines import LogDamage, LogLine
from gateway.framelog.reading import read_log
from gateway.framelog.scan import ShortWay

_LONG_AGO_MS = -(2**62)

Told = Callable[[Path, int], None]


def merged(
    paths: Sequence[Path], short: ShortWay | None = None, on_progress: Told | None = None
) -> Iterator[LogLine | LogDamage]:
    """The lines of several logs in order of time; within one log the order of the file stays.

    Args:
        short: lets repeats of a log be spared, up to the next line of another one.
        on_progress: told how many bytes of a log were read.
    """
    if len(paths) == 1:
        yield from _lines(paths[0], short, on_progress)
        return
    readers = [_stamped(path, short, on_progress) for path in paths]
    last_ms = short.horizon_ms if short is not None else 0
    if short is not None:
        short.horizon_ms = _LONG_AGO_MS
    heads = [(head[0], number, head[1]) for number, reader in enumerate(readers) if (head := next(reader, None))]
    heapq.heapify(heads)
    while heads:
        _, number, line = heapq.heappop(heads)
        yield line
        if short is not None:
            other = heads[0] if heads else (last_ms, number)
            short.horizon_ms = min(last_ms, other[0] if number <= other[1] else other[0] - 1)
        head = next(readers[number], None)
        if head is not None:
            heapq.heappush(heads, (head[0], number, head[1]))


def _lines(path: Path, short: ShortWay | None, on_progress: Told | None) -> Iterator[LogLine | LogDamage]:
    return read_log(path, short=short, on_progress=on_progress and partial(on_progress, path))


def _stamped(path: Path, short: ShortWay | None, on_progress: Told | None) -> Iterator[tuple[int, LogLine | LogDamage]]:
    """Lines with a key that never steps back, so that a merge keeps each file's own order."""
    newest_ms = _LONG_AGO_MS
    for line in _lines(path, short, on_progress):
        if isinstance(line, LogLine):
            newest_ms = max(newest_ms, line.at_ms)
        yield newest_ms, line

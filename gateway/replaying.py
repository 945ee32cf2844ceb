"""The ``replay`` command: logs in, bills out, findings told, the exit status honest."""

from __future__ import annotations

import gc
import heapq
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from billing_core.fixed import format_fen
from billing_core.timers import Timers
from gateway.bundle.frames import LogWitness
from gateway.config import Config
from gateway.framelog import LogDamage, LogLine, read_log
from gateway.framelog.scan import ShortWay
from gateway.listeners.topics import USUAL, Routes
from gateway.outcome import BillIssued, SiteKnown
from gateway.replay import Finding, Replay
from gateway.show import print_table, say
from gateway.site import Site
from gateway.sitetext import site_text
from gateway.store import Store, StoreConfig

_FINDINGS_SHOWN_MAX = 200
_GC_THRESHOLD = 100_000
_LONG_AGO_MS = -(2**62)
SILENCE_MS = 30_000  # three heartbeats


def run_replay(
    paths: Sequence[Path],
    *,
    site: Site,
    until_ms: int | None,
    as_json: bool,
    all_revisions: bool,
    db_path: Path | None,
    routes: Sequence[Routes] = USUAL,
) -> int:
    """Replay logs and print their bills; returns the exit status."""
    findings: Counter[str] = Counter()

    def told(finding: Finding) -> None:
        findings[finding.code] += 1
        if sum(findings.values()) <= _FINDINGS_SHOWN_MAX:
            say(f"{finding.source}:{finding.position}: {finding.code}: {finding.text}")

    mirror = Store(StoreConfig(path=str(db_path))) if db_path is not None else None
    replay = Replay(site, Timers(), silence_ms_max=SILENCE_MS, on_finding=told, mirror=mirror, routes=routes)
    gc.freeze()  # what was imported and loaded stays; and little of what follows is cyclic
    gc.set_threshold(_GC_THRESHOLD)
    short = replay.short if mirror is None else None  # a database keeps evidence of every frame
    with _Progress(paths, replay) as told_bytes:
        lines = merged(paths, short, told_bytes)
        replay.run(lines if mirror is None else _witnessed(lines, site, mirror, routes), until_ms=until_ms)
    _print_bills(replay.store.each_bill(all_revisions=all_revisions), as_json=as_json)
    if mirror is not None:
        mirror.close()
    count = review = 0
    for bill in replay.store.each_bill():
        count += 1
        review += bill.status == "review"
    faults = sum(count for code, count in findings.items() if code != "pile_unlisted")
    say(
        f"{replay.frames} frames, {count} bills, {review} under review, {faults} findings"
        + "".join(f", {count} × {code}" for code, count in sorted(findings.items()))
    )
    return 1 if review or faults else 0


def _witnessed(
    lines: Iterable[LogLine | LogDamage], site: Site, mirror: Store, routes: Sequence[Routes]
) -> Iterator[LogLine | LogDamage]:
    """The lines; what bundles of evidence need of them is kept as the daemon would have kept it."""
    mirror.writer.submit([SiteKnown(0, site_text(site, Config()))])
    witness = LogWitness(site, silence_ms_max=SILENCE_MS, routes=routes)
    for line in lines:
        if isinstance(line, LogLine):
            witness.feed(line)
            mirror.writer.submit_telemetry(witness.take_rows())
        yield line


Told = Callable[[Path, int], None]


def merged(
    paths: Sequence[Path], short: ShortWay | None = None, on_progress: Told | None = None
) -> Iterator[LogLine | LogDamage]:
    """The lines of several logs in order of time; within one log the order of the file stays.

    Args:
        short: lets repeats of a log be spared, up to the next line of another one.
        on_progress: told how many bytes of a log were read.
    """
    readers = [_stamped(path, short, on_progress) for path in paths]
    if len(readers) == 1:
        yield from (line for _, line in readers[0])
        return
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


def _stamped(path: Path, short: ShortWay | None, on_progress: Told | None) -> Iterator[tuple[int, LogLine | LogDamage]]:
    """Lines with a key that never steps back, so that a merge keeps each file's own order."""
    newest_ms = _LONG_AGO_MS
    for line in read_log(path, short=short, on_progress=on_progress and partial(on_progress, path)):
        if isinstance(line, LogLine):
            newest_ms = max(newest_ms, line.at_ms)
        yield newest_ms, line


class _Progress:
    """A bar on a terminal: bytes read, frames a second, time left."""

    def __init__(self, paths: Sequence[Path], replay: Replay) -> None:
        self._sizes = {path: os.path.getsize(path) for path in paths}
        self._done: dict[Path, int] = {}
        self._replay = replay
        self._began_s = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Told | None:
        if not sys.stderr.isatty():
            return None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            transient=True,
        )
        self._task = self._bar.add_task("replay", total=sum(self._sizes.values()), rate="")
        self._bar.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _tell(self, path: Path, position: int) -> None:
        assert self._bar is not None
        self._done[path] = min(position, self._sizes[path])  # a compressed log is longer than its file
        elapsed_s = max(time.monotonic() - self._began_s, 0.001)
        rate = f"{self._replay.frames:,} frames, {int(self._replay.frames / elapsed_s):,} a second"
        self._bar.update(self._task, completed=sum(self._done.values()), rate=rate)


def _print_bills(bills: Iterable[BillIssued], *, as_json: bool) -> None:
    if as_json:
        for bill in bills:
            sys.stdout.write(bill.body + "\n")
        return
    rows = [
        (
            bill.transaction_id,
            bill.revision,
            bill.status,
            f"{bill.energy_e4kwh // 10_000}.{bill.energy_e4kwh % 10_000:04d}",
            format_fen(bill.amount_fen),
            ", ".join(bill.anomalies),
        )
        for bill in bills
    ]
    print_table(("transaction", "rev", "status", "kWh", "yuan", "anomalies"), rows)

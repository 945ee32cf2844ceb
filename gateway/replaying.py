"""The ``replay`` command: logs in, bills out, findings told, the exit status honest."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from billing_core.fixed import format_fen
from billing_core.timers import Timers
from gateway.bundle.frames import LogWitness
from gateway.config import Config
from gateway.errors import ReplayError
from gateway.framelog import LogDamage, LogLine
from gateway.framelog.merging import merged
from gateway.jobs import FINDINGS_KEPT_MAX, Crew, Task
from gateway.listeners.topics import USUAL, Routes
from gateway.outcome import BillIssued, SiteKnown
from gateway.progress import Progress
from gateway.replay import Finding, Replay
from gateway.show import print_table, say
from gateway.site import Site
from gateway.sitetext import site_text
from gateway.store import Store, StoreConfig

_GC_THRESHOLD = 100_000
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
    jobs: int = 1,
) -> int:
    """Replay logs and print their bills; returns the exit status.

    Args:
        jobs: so many processes share the work; a database is written by one.

    Raises ``ReplayError`` when one of several processes fails.
    """
    gc.freeze()  # what was imported and loaded stays; and little of what follows is cyclic
    gc.set_threshold(_GC_THRESHOLD)
    shown = _as_text if as_json else _as_row
    task = Task(tuple(paths), site, SILENCE_MS, until_ms, all_revisions, routes, shown)
    print_bills = _print_text if as_json else partial(print_table, _HEAD)
    if jobs > 1:
        if db_path is not None:
            raise ReplayError("jobs_refused", "a database is written by one process: leave out --jobs, or --db")
        return _replay_shared(task, jobs, print_bills)
    return _replay_alone(task, db_path, print_bills)


PrintBills = Callable[[Iterable[Any]], None]


def _replay_alone(task: Task, db_path: Path | None, print_bills: PrintBills) -> int:
    counts: Counter[str] = Counter()

    def told(finding: Finding) -> None:
        counts[finding.code] += 1
        if counts.total() <= FINDINGS_KEPT_MAX:
            _say_finding(finding)

    mirror = Store(StoreConfig(path=str(db_path))) if db_path is not None else None
    replay = Replay(task.site, Timers(), silence_ms_max=SILENCE_MS, on_finding=told, mirror=mirror, routes=task.routes)
    short = replay.short if mirror is None else None  # a database keeps evidence of every frame
    with Progress(task.paths) as progress:
        lines = merged(task.paths, short, lambda path, position: progress.read_one(path, position, replay.frames))
        replay.run(lines if mirror is None else _witnessed(lines, task, mirror), until_ms=task.until_ms)
    print_bills(task.shown(bill) for bill in replay.store.each_bill(all_revisions=task.all_revisions))
    if mirror is not None:
        mirror.close()
    tally = replay.store.tally().values()
    return _say_end(replay.frames, sum(bills for bills, _ in tally), sum(review for _, review in tally), counts)


def _replay_shared(task: Task, jobs: int, print_bills: PrintBills) -> int:
    with Progress(task.paths) as progress, Crew(task, jobs, progress.read) as crew:
        crew.replay()
        progress.stop()
        for finding in crew.findings:
            _say_finding(finding)
        print_bills(crew.bills())
        return _say_end(crew.frames, *crew.tally(), crew.counts)


def _say_finding(finding: Finding) -> None:
    say(f"{finding.source}:{finding.position}: {finding.code}: {finding.text}")


def _say_end(frames: int, bills: int, review: int, counts: Counter[str]) -> int:
    """The last line, and the exit status."""
    faults = sum(count for code, count in counts.items() if code != "pile_unlisted")
    say(
        f"{frames} frames, {bills} bills, {review} under review, {faults} findings"
        + "".join(f", {count} × {code}" for code, count in sorted(counts.items()))
    )
    return 1 if review or faults else 0


def _witnessed(lines: Iterable[LogLine | LogDamage], task: Task, mirror: Store) -> Iterator[LogLine | LogDamage]:
    """The lines; what bundles of evidence need of them is kept as the daemon would have kept it."""
    mirror.writer.submit([SiteKnown(0, site_text(task.site, Config()))])
    witness = LogWitness(task.site, silence_ms_max=SILENCE_MS, routes=task.routes)
    for line in lines:
        if isinstance(line, LogLine):
            witness.feed(line)
            mirror.writer.submit_telemetry(witness.take_rows())
        yield line


def _as_text(bill: BillIssued) -> str:
    return bill.body


def _print_text(bodies: Iterable[str]) -> None:
    for body in bodies:
        sys.stdout.write(body + "\n")


_HEAD = ("transaction", "rev", "status", "kWh", "yuan", "anomalies")


def _as_row(bill: BillIssued) -> tuple[object, ...]:
    return (
        bill.transaction_id,
        bill.revision,
        bill.status,
        f"{bill.energy_e4kwh // 10_000}.{bill.energy_e4kwh % 10_000:04d}",
        format_fen(bill.amount_fen),
        ", ".join(bill.anomalies),
    )

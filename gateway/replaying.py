"""The ``replay`` command: logs in, bills out, findings told, the exit status honest."""

from __future__ import annotations

import heapq
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from billing_core.fixed import format_fen
from billing_core.timers import Timers
from gateway.bundle.frames import LogWitness
from gateway.config import Config
from gateway.framelog import LogDamage, LogLine, read_log
from gateway.outcome import BillIssued, SiteKnown
from gateway.replay import Finding, Replay
from gateway.show import print_table, say
from gateway.site import Site
from gateway.sitetext import site_text
from gateway.store import Store, StoreConfig

_FINDINGS_SHOWN_MAX = 200
_PROGRESS_LINES = 2048
SILENCE_MS = 30_000  # three heartbeats


def run_replay(
    paths: Sequence[Path],
    *,
    site: Site,
    until_ms: int | None,
    as_json: bool,
    all_revisions: bool,
    db_path: Path | None,
) -> int:
    """Replay logs and print their bills; returns the exit status."""
    findings: Counter[str] = Counter()

    def told(finding: Finding) -> None:
        findings[finding.code] += 1
        if sum(findings.values()) <= _FINDINGS_SHOWN_MAX:
            say(f"{finding.source}:{finding.position}: {finding.code}: {finding.text}")

    mirror = Store(StoreConfig(path=str(db_path))) if db_path is not None else None
    replay = Replay(site, Timers(), silence_ms_max=SILENCE_MS, on_finding=told, mirror=mirror)
    with _progress(paths) as lines:
        replay.run(lines if mirror is None else _witnessed(lines, site, mirror), until_ms=until_ms)
    bills = replay.bills(all_revisions=all_revisions)
    _print_bills(bills, as_json=as_json)
    if mirror is not None:
        mirror.close()
    newest = replay.bills()
    review = sum(bill.status == "review" for bill in newest)
    faults = sum(count for code, count in findings.items() if code != "pile_unlisted")
    say(
        f"{replay.frames} frames, {len(newest)} bills, {review} under review, {faults} findings"
        + "".join(f", {count} × {code}" for code, count in sorted(findings.items()))
    )
    return 1 if review or faults else 0


def _witnessed(lines: Iterable[LogLine | LogDamage], site: Site, mirror: Store) -> Iterator[LogLine | LogDamage]:
    """The lines; what bundles of evidence need of them is kept as the daemon would have kept it."""
    mirror.writer.submit([SiteKnown(0, site_text(site, Config()))])
    witness = LogWitness(site, silence_ms_max=SILENCE_MS)
    for line in lines:
        if isinstance(line, LogLine):
            witness.feed(line)
            mirror.writer.submit_telemetry(witness.take_rows())
        yield line


def merged(paths: Sequence[Path]) -> Iterator[LogLine | LogDamage]:
    """The lines of several logs in order of time; within one log the order of the file stays."""
    if len(paths) == 1:
        yield from read_log(paths[0])
        return
    for _, line in heapq.merge(*(_stamped(path) for path in paths), key=lambda pair: pair[0]):
        yield line


def _stamped(path: Path) -> Iterator[tuple[int, LogLine | LogDamage]]:
    """Lines with a key that never steps back, so that a merge keeps each file's own order."""
    newest_ms = -(2**62)
    for line in read_log(path):
        if isinstance(line, LogLine):
            newest_ms = max(newest_ms, line.at_ms)
        yield newest_ms, line


class _progress:
    """Lines of all logs, with a bar on a terminal while they are read."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._bar: Progress | None = None

    def __enter__(self) -> Iterable[LogLine | LogDamage]:
        lines = merged(self._paths)
        if not sys.stderr.isatty():
            return lines
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            transient=True,
        )
        self._bar.start()
        return self._watched(lines)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _watched(self, lines: Iterator[LogLine | LogDamage]) -> Iterator[LogLine | LogDamage]:
        assert self._bar is not None
        sizes = {str(path): os.path.getsize(path) for path in self._paths}
        task = self._bar.add_task("replay", total=sum(sizes.values()), rate="")
        done: dict[str, int] = {}
        for count, line in enumerate(lines):
            if count % _PROGRESS_LINES == 0:
                done[line.source] = min(line.position, sizes.get(line.source, line.position))
                self._bar.update(task, completed=sum(done.values()), rate=f"{count:,} lines")
            yield line


def _print_bills(bills: Sequence[BillIssued], *, as_json: bool) -> None:
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

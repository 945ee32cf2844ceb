"""One log replayed by several processes, to the very bills that one process makes.

Every process reads the whole log and passes over the links that are not of its share, which costs a thirtieth of
replaying them. What piles have to do with each other (``parting.py``) is looked at afterwards. Where it went across two
shares, the piles concerned are replayed again: together, or told of the company that their charges had. That is done
until nothing is left to tell.
"""

from __future__ import annotations

import contextlib
import heapq
import multiprocessing
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

from billing_core.timers import Timers
from gateway.errors import GatewayError, ReplayError
from gateway.framelog.merging import merged
from gateway.listeners.topics import Routes
from gateway.outcome import BillIssued
from gateway.parting import Met, Part, Share, Stay
from gateway.replay import Finding, Replay
from gateway.site import Site
from gateway.store.memory import MemoryStore
from gateway.touching import Companies, Groups

FINDINGS_KEPT_MAX = 200
_BATCH = 64
_TOLD_EVERY_S = 0.2
_END_WAIT_S = 2.0
Watch = Callable[[Mapping[Path, int], int], None]  # (bytes read of each log, frames)


@dataclass(frozen=True, slots=True)
class Task:
    """What is replayed.

    Attributes:
        until_ms: where the log's clock stops, Unix ms.
        shown: a bill as it will be printed.
    """

    paths: tuple[Path, ...]
    site: Site
    silence_ms_max: int
    until_ms: int | None
    all_revisions: bool
    routes: Sequence[Routes]
    shown: Callable[[BillIssued], Any]


@dataclass(slots=True)
class Findings:
    """All are counted; of each pile's links the first are kept."""

    counts: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    kept: dict[str | None, list[Finding]] = field(default_factory=dict)

    def take(self, finding: Finding) -> None:
        """One more."""
        self.counts[finding.lead, finding.code] += 1
        kept = self.kept.setdefault(finding.lead, [])
        if len(kept) < FINDINGS_KEPT_MAX:
            kept.append(finding)


@dataclass(frozen=True, slots=True)
class _Done:
    """One part over the log.

    Attributes:
        piles: what each pile's links began with.
    """

    no: int
    frames: int
    findings: Findings
    piles: Mapping[str, set[str]]
    has_nameless: bool


# -- a process of the crew ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """What is kept of one part over the log."""

    no: int
    part: Part
    store: MemoryStore

    def stays(self, run_of: Mapping[str, int]) -> Iterator[Stay]:
        """Those of piles that no newer run followed."""
        return (stay for stay in self.part.stays() if run_of[stay.pile_id] == self.no)


class _Worker:
    """Replays what it is told to, and keeps the bills until they are asked for."""

    def __init__(self, task: Task, link: Connection) -> None:
        self._task = task
        self._link = link
        self._runs: list[_Run] = []
        self._told_s = 0.0
        self._read: dict[Path, int] = {}

    def serve(self) -> None:
        """Until nobody asks any more."""
        while True:
            try:
                asked, *what = self._link.recv()
            except EOFError:
                return
            try:
                getattr(self, f"_{asked}")(*what)
            except (GatewayError, OSError, sqlite3.Error) as error:
                self._link.send(("failed", str(error)))
                return

    def _replay(self, no: int, share: Share, is_anew: bool) -> None:
        if is_anew:
            self._runs.clear()
        task, findings = self._task, Findings()
        part = Part(share, [str(path) for path in task.paths])
        replay = Replay(
            task.site,
            Timers(),
            silence_ms_max=task.silence_ms_max,
            on_finding=findings.take,
            routes=task.routes,
            part=part,
        )
        self._runs.append(_Run(no, part, replay.store))

        def told(path: Path, position: int) -> None:
            self._read[path] = position
            now_s = time.monotonic()
            if now_s - self._told_s >= _TOLD_EVERY_S:
                self._told_s = now_s
                self._link.send(("progress", dict(self._read), replay.frames))

        replay.run(merged(task.paths, replay.short, told), until_ms=task.until_ms)
        self._link.send(("done", _Done(no, replay.frames, findings, dict(part.piles), part.has_nameless)))

    def _named(self) -> None:
        self._send(heapq.merge(*(run.part.named() for run in self._runs)))

    def _stays(self, run_of: Mapping[str, int]) -> None:
        """Of the newest run of each pile."""
        self._send(heapq.merge(*(run.stays(run_of) for run in self._runs), key=lambda stay: stay[:3]))

    def _bills(self, run_of: Mapping[str, int]) -> None:
        """The same; (what orders it, the bill as it is shown)."""
        self._send(heapq.merge(*(self._bills_of(run, run_of) for run in self._runs), key=lambda entry: entry[0]))

    def _bills_of(self, run: _Run, run_of: Mapping[str, int]) -> Iterator[tuple[Any, Any]]:
        for bill in run.store.each_bill(all_revisions=self._task.all_revisions):
            if run_of[bill.pile_id] == run.no:
                order = (bill.ended_at_ms or bill.created_at_ms, bill.transaction_id, bill.revision)
                yield order, self._task.shown(bill)

    def _tally(self, run_of: Mapping[str, int]) -> None:
        """How many bills, and how many under review, of the newest run of each pile."""
        self._send(
            tally for run in self._runs for pile_id, tally in run.store.tally().items() if run_of[pile_id] == run.no
        )

    def _send(self, rows: Iterable[Any]) -> None:
        batch = []
        for row in rows:
            batch.append(row)
            if len(batch) == _BATCH:
                self._link.send(("rows", batch))
                batch = []
        self._link.send(("rows", batch))
        self._link.send(("end",))


def _serve(task: Task, link: Connection, others: Sequence[Connection]) -> None:
    """The life of a process of the crew; it ends with the link to the one who began it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is told by the other end
    for other in others:
        other.close()
    with contextlib.suppress(BrokenPipeError):  # nobody is there any more
        _Worker(task, link).serve()


# -- the one who began them -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Member:
    """A process of the crew, and how far it is."""

    process: BaseProcess
    link: Connection
    read: dict[Path, int] = field(default_factory=dict)
    frames: int = 0


class Crew:
    """Several processes that replay one log; to be used with ``with``, which leaves none behind.

    Args:
        count: how many.
        watch: told how many bytes of each log were read, and how many frames, now and then.

    Every method raises ``ReplayError`` when a process fails or dies.
    """

    def __init__(self, task: Task, count: int, watch: Watch) -> None:
        self.findings: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self.frames = 0
        self.runs = 0  # parts over the log, all in all
        self._task = task
        self._count = count
        self._watch = watch
        self._members: list[_Member] = []
        self._groups = Groups()
        self._first_of: dict[str, int] = {}  # pile -> the run that followed it beside all others of a share
        self._run_of: dict[str, int] = {}  # pile -> its newest run
        self._split: set[str] = set()  # piles that two runs met
        self._told: dict[int, Mapping[Met, bytes]] = {}  # run -> what company it was told of
        self._done: list[_Done] = []

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("fork")
        for _ in range(self._count):
            ours, theirs = context.Pipe()
            others = [*(member.link for member in self._members), ours]
            process = context.Process(target=_serve, args=(self._task, theirs, others), daemon=True)
            process.start()
            theirs.close()
            self._members.append(_Member(process, ours))
        return self

    def __exit__(self, *raised: object) -> None:
        for member in self._members:
            member.link.close()
            if raised[0] is not None:
                member.process.terminate()
        for member in self._members:
            member.process.join(_END_WAIT_S)
            if member.process.is_alive():
                member.process.kill()
                member.process.join()

    def replay(self) -> None:
        """The whole log, until no pile has anything to tell another that it was not told."""
        shares = [Share(no, self._count, is_first=no == 0) for no in range(self._count)]
        while shares:
            self._run(shares, is_anew=True)
            shares = self._regrouped()
        self._first_of = dict(self._run_of)
        self.frames = sum(done.frames for done in self._done)
        while unaware := self._unaware():
            self._run(unaware, is_anew=False)
        self._gather_findings()

    def _gather_findings(self) -> None:
        found: list[Finding] = []
        for done in self._done:
            for (lead, code), count in done.findings.counts.items():
                self.counts[code] += count if self._is_newest(lead, done.no) else 0
            for lead, findings in done.findings.kept.items():
                found += findings if self._is_newest(lead, done.no) else []
        files = {str(path): number for number, path in enumerate(self._task.paths)}
        found.sort(key=lambda each: (each.at_ms, files[each.source], each.position))
        self.findings = found[:FINDINGS_KEPT_MAX]

    def _is_newest(self, lead: str | None, no: int) -> bool:
        """Whether a run tells of the links of a pile; what is no pile's is told once, by the first part."""
        return lead is None or self._run_of[lead] == no

    def bills(self) -> Iterator[Any]:
        """Each bill as it is shown, in order of the session's end."""
        for _, shown in heapq.merge(*self._ask("bills", self._run_of), key=lambda entry: entry[0]):
            yield shown

    def tally(self) -> tuple[int, int]:
        """How many bills there are, and how many of them are under review."""
        counts = [tally for rows in self._ask("tally", self._run_of) for tally in rows]
        return sum(bills for bills, _ in counts), sum(review for _, review in counts)

    # -- rounds ---------------------------------------------------------------------------------------

    def _run(self, shares: Sequence[Share], *, is_anew: bool) -> None:
        """One pass over the log, of which each process takes its share; ``is_anew``: former ones are forgotten."""
        if is_anew:
            self._done, self._run_of, self._split = [], {}, set()
        for member, share in zip(self._members, shares, strict=False):
            self._told[self.runs] = share.told
            self._send(member, "replay", self.runs, share, is_anew)
            self.runs += 1
        waiting = {member.link: member for member in self._members[: len(shares)]}
        while waiting:
            for link in wait(list(waiting)):
                assert isinstance(link, Connection)
                member = waiting[link]
                kind, *told = self._receive(member)
                if kind == "done":
                    self._take(told[0], is_anew=is_anew)
                    del waiting[link]
                else:
                    member.read, member.frames = told
                    self._tell_progress()

    def _tell_progress(self) -> None:
        read = {path: min(member.read.get(path, 0) for member in self._members) for path in self._task.paths}
        self._watch(read, sum(member.frames for member in self._members))

    def _take(self, done: _Done, *, is_anew: bool) -> None:
        self._done.append(done)
        for pile_id in {*done.piles, *(lead for leads in done.piles.values() for lead in leads)}:
            if is_anew and pile_id in self._run_of:
                self._split.add(pile_id)
            self._run_of[pile_id] = done.no

    def _regrouped(self) -> list[Share]:
        """Shares by which no group of piles is parted; none when this pass parted none."""
        has_nameless = any(done.has_nameless for done in self._done)
        named = heapq.merge(*self._ask("named"))
        self._groups.take([done.piles for done in self._done], named, has_nameless=has_nameless)
        groups = list(self._groups.all().values())
        if not self._split and all(len({self._run_of[pile_id] for pile_id in piles}) == 1 for piles in groups):
            return []
        return self._shared(groups, is_anew=True)

    def _unaware(self) -> list[Share]:
        """Shares of the piles whose charges had other company than their part knew of, and all that is to be told."""
        companies = Companies()
        stays = heapq.merge(*self._ask("stays", self._run_of), key=lambda stay: stay[:3])
        companies.take(stays, self._first_of)
        unaware = companies.unaware(self._told_of)
        groups = [piles for piles in self._groups.all().values() if piles & unaware]
        return self._shared(groups, told=companies.true)

    def _told_of(self, pile_id: str) -> Mapping[Met, bytes] | None:
        run = self._run_of[pile_id]
        return None if run == self._first_of[pile_id] else self._told[run]

    def _shared(
        self, groups: Iterable[set[str]], *, is_anew: bool = False, told: Mapping[Met, bytes] | None = None
    ) -> list[Share]:
        """Groups of piles dealt out among the processes, the largest first."""
        loads: list[set[str]] = [set() for _ in self._members]
        for piles in sorted(groups, key=lambda piles: (-len(piles), min(piles))):
            min(loads, key=len).update(piles)
        return [
            Share(no, self._count, frozenset(piles), is_anew and no == 0, told or {})
            for no, piles in enumerate(loads)
            if piles
        ]

    # -- talking with the crew ------------------------------------------------------------------------

    def _ask(self, what: str, *more: object) -> list[Iterator[Any]]:
        """The rows of every process, each in its order."""
        for member in self._members:
            self._send(member, what, *more)
        return [self._rows(member) for member in self._members]

    def _rows(self, member: _Member) -> Iterator[Any]:
        while (told := self._receive(member))[0] == "rows":
            yield from told[1]

    def _send(self, member: _Member, *asked: object) -> None:
        try:
            member.link.send(asked)
        except BrokenPipeError as error:
            raise _lost(member) from error

    def _receive(self, member: _Member) -> tuple[Any, ...]:
        try:
            told: tuple[Any, ...] = member.link.recv()
        except (EOFError, ConnectionResetError) as error:
            raise _lost(member) from error
        if told[0] == "failed":
            raise ReplayError("process_failed", told[1])
        return told


def _lost(member: _Member) -> ReplayError:
    member.process.join(_END_WAIT_S)
    status = member.process.exitcode
    how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
    return ReplayError("process_lost", f"a process of the replay ended {how}; try again with fewer --jobs")

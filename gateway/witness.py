"""Keeps the bytes that bills rest on, for as long as bills are argued about.

Captures hold everything and are deleted after some days. Of each listed pile the witness keeps what a bill can
rest on, as it came: orders and answers, charging samples, records, logins, clock checks, links opening and closing.
What repeats itself (heartbeats, idle states, the battery's running reports) is thinned: it is kept when it says
something new, and while a session may be open often enough that the kept bytes show no silence that was not there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from gateway.outcome import BillIssued, FrameKept, FramesKept, RecordStored, Row
from gateway.store.writer import Writer
from gateway.story import Gathered, Story
from protocol import commands, events

_NONE: dict[str, int] = {}
_RUNNING_REPORTS = ("demand", "status")

Keep = Callable[[list[FramesKept]], None]


class Witness:
    """Everything kept of all piles.

    Args:
        keep: takes rows, in order.
        silence_ms_max: a pile not heard for this long counts as offline.
    """

    def __init__(self, keep: Keep, *, silence_ms_max: int) -> None:
        self._gathered = Gathered(keep)
        self._gap_ms = silence_ms_max // 2
        self._stories: dict[str, Story] = {}

    def link(self, address: str, opened_at_ms: int, protocol: str | None = None) -> LinkWitness:
        """The part of one link; ``protocol`` is what its port says that it speaks."""
        return LinkWitness(self, address, opened_at_ms, protocol)

    def story(self, pile_id: str) -> Story:
        """What is remembered of one pile."""
        story = self._stories.get(pile_id)
        if story is None:
            story = self._stories[pile_id] = Story(pile_id, self._gathered, self._gap_ms)
        return story

    @property
    def gathered(self) -> int:
        """Of how many piles something is held that was not handed over yet, or that waits for what follows."""
        return len(self._gathered)

    def hand_over(self, now_ms: int, count: int = -1) -> None:
        """Hand over what gathered, and keep what waited and was followed by nothing: the last word before a silence.

        Args:
            count: of at most so many piles; -1: of all.
        """
        self._gathered.hand_over(now_ms, count)

    def hand_over_of(self, pile_id: str) -> None:
        """Hand over what gathered of one pile."""
        story = self._stories.get(pile_id)
        if story is not None:
            story.hand_over()

    def take(self, rows: list[FrameKept], facts: Sequence[events.PileEvent], *, is_forced: bool) -> bool:
        """Keep rows of one read, let them wait, or drop them; returns whether they are kept."""
        story = self.story(rows[-1].pile_id)
        news = [self._is_news(story, fact) for fact in facts]
        return story.take(rows, is_forced or any(news))

    def _is_news(self, story: Story, fact: events.PileEvent) -> bool:
        """Whether a fact says something that its pile did not say just before."""
        said = story.said
        match fact:
            case events.HeartbeatReceived():
                return _is_new(said, (fact.connector, "heartbeat"), fact.is_faulted)
            case events.BmsReported() if fact.kind in _RUNNING_REPORTS:
                return _is_new(said, (fact.connector, fact.kind), fact.transaction_id)
            case events.SampleReceived() if fact.status is not events.ConnectorStatus.CHARGING:
                state = (fact.status, fact.is_plugged, fact.is_homed, fact.fault_bits, fact.transaction_id)
                return _is_new(said, (fact.connector, "state"), state)
            case events.SampleReceived():
                said[(fact.connector, "state")] = None
        story.busy(fact.at_ms)
        return True


def _is_new(said: dict[tuple[object, ...], object], key: tuple[object, ...], value: object) -> bool:
    is_new = key not in said or said[key] != value
    said[key] = value
    return is_new


class LinkWitness:
    """Everything kept of one link: reads are cut at frames only where the wire cuts them.

    A read may end within a frame; then what follows is kept with it, so that the kept bytes decode.
    """

    __slots__ = (
        "_address",
        "_is_cut",
        "_is_whole",
        "_kept_reads",
        "_opened",
        "_opened_at_ms",
        "_protocol",
        "_reads",
        "_witness",
    )

    def __init__(self, witness: Witness, address: str, opened_at_ms: int, protocol: str | None) -> None:
        self._protocol = protocol
        self._witness = witness
        self._address = address
        self._opened_at_ms = opened_at_ms
        self._opened: tuple[str, ...] = ()
        self._reads: tuple[tuple[int, bytes], ...] = ()
        self._kept_reads: dict[str, int] = (
            _NONE  # pile -> how many of ``_reads`` are kept for it; never changed in place
        )
        self._is_whole = True
        self._is_cut = False

    def read(self, data: bytes, at_ms: int, *, is_whole: bool, is_cut: bool) -> None:
        """Bytes came in.

        Args:
            is_whole: the read ends where a frame ends.
            is_cut: a frame, or noise, ended within it.
        """
        if self._is_whole:
            self._reads, self._kept_reads = (), _NONE
        elif self._is_cut:
            count = len(self._reads)
            self._reads = self._reads[-1:]
            self._kept_reads = {pile_id: 1 for pile_id, kept in self._kept_reads.items() if kept == count}
        self._reads += ((at_ms, data),)
        self._is_whole, self._is_cut = is_whole, is_cut

    def told(self, facts: Sequence[events.PileEvent]) -> None:
        """Facts of the newest read, from piles that may speak here."""
        by_pile: dict[str, list[events.PileEvent]] = {}
        for fact in facts:
            by_pile.setdefault(fact.pile_id, []).append(fact)
        for pile_id, own in by_pile.items():
            kept = self._kept_reads.get(pile_id, 0)
            if kept == len(self._reads):
                continue  # the read is there already, for what else it told
            about = ",".join(type(fact).__name__ for fact in own)
            rows = [self._row(pile_id, at_ms, "up", "", data) for at_ms, data in self._reads[kept:-1]]
            rows.append(self._row(pile_id, self._reads[-1][0], "up", about, self._reads[-1][1]))
            self._open(pile_id)
            if self._witness.take(rows, own, is_forced=kept > 0 or not self._is_whole):
                self._kept_reads = {**self._kept_reads, pile_id: len(self._reads)}

    def rest(self) -> None:
        """The newest read is done with; what ended where a frame ends is not needed any more."""
        if self._is_whole:
            self._reads, self._kept_reads = (), _NONE

    def sent(self, command: commands.PileCommand, data: bytes, at_ms: int) -> None:
        """Bytes went out."""
        if isinstance(command, commands.AnswerHeartbeat | commands.AnswerReport | commands.UpdateStep):
            return
        if isinstance(command, commands.StartCharging | commands.AuthoriseStart):
            self._witness.story(command.pile_id).busy(at_ms)
        self._open(command.pile_id)
        row = self._row(command.pile_id, at_ms, "down", type(command).__name__, data)
        self._witness.story(command.pile_id).keep([row])

    def closed(self, at_ms: int) -> None:
        """The link is gone."""
        for pile_id in sorted(self._opened):
            story = self._witness.story(pile_id)
            story.flush()
            story.keep([self._row(pile_id, at_ms, "close", "", b"")])

    def _open(self, pile_id: str) -> None:
        if pile_id not in self._opened:
            self._opened += (pile_id,)
            row = self._row(pile_id, self._opened_at_ms, "open", self._protocol or "", b"")
            self._witness.story(pile_id).keep([row])

    def _row(self, pile_id: str, at_ms: int, kind: str, about: str, data: bytes) -> FrameKept:
        return FrameKept(pile_id, at_ms, self._address, kind, about, data)


class EvidenceFirst:
    """The writer of the store, with the evidence handed over that records and bills rest on before they are.

    Args:
        writer: where rows and evidence go.
        witness: holds what was not handed over yet.
    """

    def __init__(self, writer: Writer, witness: Witness) -> None:
        self._writer = writer
        self._witness = witness
        self.submit_telemetry = writer.submit_telemetry

    def submit(self, rows: Sequence[Row], work: Callable[[sqlite3.Connection], Any] | None = None) -> Future[Any]:
        """Write rows, and do ``work``, in one transaction, behind the evidence."""
        for row in rows:
            if isinstance(row, RecordStored | BillIssued):
                self._witness.hand_over_of(row.pile_id)
        return self._writer.submit(rows, work)

"""Keeps the bytes that bills rest on, for as long as bills are argued about.

Captures hold everything and are deleted after some days. Of each listed pile the witness keeps what a bill can
rest on, as it came: orders and answers, charging samples, records, logins, clock checks, links opening and closing.
What repeats itself (heartbeats, idle states, the battery's running reports) is thinned: it is kept when it says
something new, and while a session may be open often enough that the kept bytes show no silence that was not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.outcome import FrameKept
from protocol import commands, events

_BUSY_MS = 45 * 60_000  # a record that has not come half an hour after the end comes by itself or never
_RUNNING_REPORTS = ("demand", "status")

Keep = Callable[[Sequence[FrameKept]], None]


class Witness:
    """Everything kept of all piles.

    Args:
        keep: takes rows, in order.
        silence_ms_max: a pile not heard for this long counts as offline.
    """

    def __init__(self, keep: Keep, *, silence_ms_max: int) -> None:
        self._keep = keep
        self._gap_ms = silence_ms_max // 2
        self._said: dict[tuple[object, ...], object] = {}
        self._kept_at_ms: dict[str, int] = {}
        self._busy_until_ms: dict[str, int] = {}
        self._waiting: dict[str, list[FrameKept]] = {}

    def link(self, address: str, opened_at_ms: int, protocol: str | None = None) -> LinkWitness:
        """The part of one link; ``protocol`` is what its port says that it speaks."""
        return LinkWitness(self, address, opened_at_ms, protocol)

    def tick(self, now_ms: int) -> None:
        """Keep what waited and was followed by nothing: the last word before a silence."""
        for pile_id in [p for p, rows in self._waiting.items() if now_ms - rows[-1].at_ms > self._gap_ms]:
            self.flush(pile_id)

    def flush(self, pile_id: str) -> None:
        """Keep what waits of one pile."""
        rows = self._waiting.pop(pile_id, None)
        if rows:
            self.keep(rows)

    def keep(self, rows: Sequence[FrameKept]) -> None:
        """Keep rows of one pile as they are."""
        self._kept_at_ms[rows[-1].pile_id] = rows[-1].at_ms
        self._keep(rows)

    def take_alone(self, fact: events.PileEvent, at_ms: int, link: str, data: bytes) -> bool:
        """Keep a read that is one fact and nothing else, let it wait, or drop it; returns whether it is kept."""
        pile_id = fact.pile_id
        is_news = self._is_news(fact)
        has_waiting = pile_id in self._waiting
        if not is_news and not has_waiting and at_ms > self._busy_until_ms.get(pile_id, 0):
            return False
        row = FrameKept(pile_id, at_ms, link, "up", type(fact).__name__, data)
        if has_waiting or not is_news:
            return self._take((row,), is_news=is_news)
        self._kept_at_ms[pile_id] = at_ms
        self._keep((row,))
        return True

    def take(self, rows: Sequence[FrameKept], facts: Sequence[events.PileEvent], *, is_forced: bool) -> bool:
        """Keep rows of one read, let them wait, or drop them; returns whether they are kept."""
        news = [self._is_news(fact) for fact in facts]
        return self._take(rows, is_news=is_forced or any(news))

    def _take(self, rows: Sequence[FrameKept], *, is_news: bool) -> bool:
        pile_id, at_ms = rows[-1].pile_id, rows[-1].at_ms
        waiting = self._waiting.pop(pile_id, None)
        if is_news:
            if waiting and at_ms - waiting[-1].at_ms > self._gap_ms:
                self.keep(waiting)
            self.keep(rows)
            return True
        if at_ms > self._busy_until_ms.get(pile_id, 0):
            return False
        if at_ms - self._kept_at_ms.get(pile_id, 0) >= self._gap_ms:
            self.keep(rows)
            return True
        self._waiting[pile_id] = list(rows)
        return False

    def is_thinned(self, pile_id: str, at_ms: int) -> bool:
        """Whether what repeats itself needs no witness now."""
        return pile_id not in self._waiting and at_ms > self._busy_until_ms.get(pile_id, 0)

    def take_repeats(self, rows: Sequence[FrameKept], *, has_samples: bool, is_forced: bool) -> bool:
        """Keep rows of one read that only repeats, let them wait, or drop them; returns whether they are kept."""
        if has_samples:
            self.busy(rows[-1].pile_id, rows[-1].at_ms)
        return self._take(rows, is_news=has_samples or is_forced)

    def _is_news(self, fact: events.PileEvent) -> bool:
        """Whether a fact says something that its pile did not say just before."""
        pile_id = fact.pile_id
        match fact:
            case events.HeartbeatReceived():
                return self._is_new((pile_id, fact.connector, "heartbeat"), fact.is_faulted)
            case events.BmsReported() if fact.kind in _RUNNING_REPORTS:
                return self._is_new((pile_id, fact.connector, fact.kind), fact.transaction_id)
            case events.SampleReceived() if fact.status is not events.ConnectorStatus.CHARGING:
                state = (fact.status, fact.is_plugged, fact.is_homed, fact.fault_bits, fact.transaction_id)
                return self._is_new((pile_id, fact.connector, "state"), state)
            case events.SampleReceived():
                self._said[(pile_id, fact.connector, "state")] = None
        self._busy_until_ms[pile_id] = fact.at_ms + _BUSY_MS
        return True

    def _is_new(self, key: tuple[object, ...], value: object) -> bool:
        is_new = key not in self._said or self._said[key] != value
        self._said[key] = value
        return is_new

    def busy(self, pile_id: str, at_ms: int) -> None:
        """A session of the pile may begin."""
        self._busy_until_ms[pile_id] = at_ms + _BUSY_MS


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
        self._opened: set[str] = set()
        self._reads: list[tuple[int, bytes]] = []
        self._kept_reads: dict[str, int] = {}  # pile -> how many of ``_reads`` are kept for it
        self._is_whole = True
        self._is_cut = False

    def read(self, data: bytes, at_ms: int, *, is_whole: bool, is_cut: bool) -> None:
        """Bytes came in.

        Args:
            is_whole: the read ends where a frame ends.
            is_cut: a frame, or noise, ended within it.
        """
        if self._is_whole:
            self._reads, self._kept_reads = [], {}
        elif self._is_cut:
            count = len(self._reads)
            self._reads = self._reads[-1:]
            self._kept_reads = {pile_id: 1 for pile_id, kept in self._kept_reads.items() if kept == count}
        self._reads.append((at_ms, data))
        self._is_whole, self._is_cut = is_whole, is_cut

    def told(self, facts: Sequence[events.PileEvent]) -> None:
        """Facts of the newest read, from piles that may speak here."""
        if len(facts) == 1 and len(self._reads) == 1 and self._is_whole and not self._kept_reads:
            fact = facts[0]
            at_ms, data = self._reads[0]
            self._open(fact.pile_id)
            if self._witness.take_alone(fact, at_ms, self._address, data):
                self._kept_reads[fact.pile_id] = 1
            return
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
                self._kept_reads[pile_id] = len(self._reads)

    def repeated(self, pile_id: str, at_ms: int, *, samples: int) -> None:
        """The newest read, or its beginning, only repeats what ``pile_id`` said before.

        Args:
            samples: how many samples of a charge are among it; they are all kept.
        """
        if not samples and self._is_whole and self._witness.is_thinned(pile_id, at_ms):
            return
        kept = self._kept_reads.get(pile_id, 0)
        about = ",".join((events.SampleReceived.__name__,) * samples)
        rows = [self._row(pile_id, moment, "up", "", data) for moment, data in self._reads[kept:-1]]
        rows.append(self._row(pile_id, self._reads[-1][0], "up", about, self._reads[-1][1]))
        self._open(pile_id)
        is_forced = kept > 0 or not self._is_whole
        if self._witness.take_repeats(rows, has_samples=samples > 0, is_forced=is_forced):
            self._kept_reads[pile_id] = len(self._reads)

    def sent(self, command: commands.PileCommand, data: bytes, at_ms: int) -> None:
        """Bytes went out."""
        if isinstance(command, commands.AnswerHeartbeat | commands.AnswerReport):
            return
        if isinstance(command, commands.StartCharging | commands.AuthoriseStart):
            self._witness.busy(command.pile_id, at_ms)
        self._open(command.pile_id)
        self._witness.keep([self._row(command.pile_id, at_ms, "down", type(command).__name__, data)])

    def closed(self, at_ms: int) -> None:
        """The link is gone."""
        for pile_id in sorted(self._opened):
            self._witness.flush(pile_id)
            self._witness.keep([self._row(pile_id, at_ms, "close", "", b"")])

    def _open(self, pile_id: str) -> None:
        if pile_id not in self._opened:
            self._opened.add(pile_id)
            self._witness.keep([self._row(pile_id, self._opened_at_ms, "open", self._protocol or "", b"")])

    def _row(self, pile_id: str, at_ms: int, kind: str, about: str, data: bytes) -> FrameKept:
        return FrameKept(pile_id, at_ms, self._address, kind, about, data)

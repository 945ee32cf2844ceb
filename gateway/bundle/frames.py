"""Which frames a bill needs: its own, and those of its neighbours that decided on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from gateway.frameblock import unpack_frames
from gateway.framelog import LogDamage, LogLine
from gateway.listeners.topics import USUAL, Routes, only_pile_of
from gateway.outcome import FrameKept, FramesKept
from gateway.site import Site
from gateway.store.reader import Place, Reader
from gateway.store.statements import block_digest
from gateway.witness import LinkWitness, Witness
from protocol import events
from protocol.link import Link

_DAY_MS = 86_400_000  # a clock that was checked within a day before the order is trusted
_AROUND_MS = 60_000
_NEIGHBOURS = 2  # sessions before on the connector: where their registers stopped, and how those were accepted
_CARD_LISTS_MAX = 50


@dataclass(frozen=True, slots=True)
class Scope:
    """One transaction, from its opening to its newest revision, Unix ms."""

    transaction_id: str
    pile_id: str
    connector: int
    opened_at_ms: int
    until_ms: int


def scope_of(reader: Reader, transaction_id: str) -> Scope | None:
    """The scope of a transaction that has a bill."""
    row = reader.one(
        """SELECT b.pile_id, b.connector, max(b.created_at_ms) AS until_ms,
         coalesce(s.opened_at_ms, min(b.created_at_ms)) AS opened_at_ms
         FROM bill b LEFT JOIN session s USING (transaction_id) WHERE b.transaction_id = ?""",
        (transaction_id,),
    )
    if row is None or row["pile_id"] is None:
        return None
    return Scope(transaction_id, row["pile_id"], row["connector"], row["opened_at_ms"], row["until_ms"])


def frames_of(reader: Reader, scope: Scope) -> list[FrameKept]:
    """Every kept frame that the bills of a transaction rest on, in order."""
    start_ms = scope.opened_at_ms - _DAY_MS - _AROUND_MS
    windows = [(start_ms, scope.until_ms + _AROUND_MS)]
    windows += _neighbours(reader, scope)
    windows += _card_lists(reader, scope, start_ms)
    found = {
        place: frame
        for from_ms, upto_ms in windows
        for place, frame in reader.frames(scope.pile_id, from_ms, upto_ms)
        if from_ms <= frame.at_ms <= upto_ms
    }
    found |= dict(_login(reader, scope, start_ms))
    return [frame for _, frame in sorted(found.items())]


def _neighbours(reader: Reader, scope: Scope) -> list[tuple[int, int]]:
    """When the sessions before this one on its connector happened, as far as they have records."""
    found = reader.all(
        """SELECT s.opened_at_ms, max(b.created_at_ms) AS until_ms FROM session s JOIN bill b USING (transaction_id)
         WHERE s.pile_id = ? AND s.connector = ? AND s.opened_at_ms < ? AND s.transaction_id <> ?
         AND EXISTS (SELECT 1 FROM record r WHERE r.transaction_id = s.transaction_id)
         GROUP BY s.transaction_id ORDER BY s.opened_at_ms DESC LIMIT ?""",
        (scope.pile_id, scope.connector, scope.opened_at_ms, scope.transaction_id, _NEIGHBOURS),
    )
    return [
        (row["opened_at_ms"] - _AROUND_MS, min(row["until_ms"] + _AROUND_MS, scope.until_ms + _AROUND_MS))
        for row in found
    ]


def _card_lists(reader: Reader, scope: Scope, before_ms: int) -> list[tuple[int, int]]:
    """When the pile was told which cards may start offline."""
    found = reader.frames_about(scope.pile_id, before_ms, ("SyncCards", "ClearCards"))
    return [(frame.at_ms, frame.at_ms + _AROUND_MS) for _, frame in islice(found, _CARD_LISTS_MAX)]


def _login(reader: Reader, scope: Scope, before_ms: int) -> Iterator[tuple[Place, FrameKept]]:
    """The newest login before everything else: which protocol the pile speaks."""
    return islice(reader.frames_about(scope.pile_id, before_ms, ("PileLoggedIn",)), 1)


def broken_at(reader: Reader, scope: Scope) -> int | None:
    """The id of the first row of frames around a transaction that was altered, or before which one was taken out."""
    blocks = reader.frame_blocks(scope.pile_id, scope.opened_at_ms - _DAY_MS, scope.until_ms)
    for (_, _, former), (number, block, digest) in pairwise(blocks):
        if digest != block_digest(former, block):
            return number
    return None


class LogWitness:
    """Keeps of a log what the daemon would have kept of its links.

    Args:
        site: the deviations of its piles from their dialects.
        silence_ms_max: a pile not heard for this long counts as offline.
        routes: families of topics, for logs of what came through a broker.
    """

    def __init__(self, site: Site, *, silence_ms_max: int, routes: Sequence[Routes] = USUAL) -> None:
        self._site = site
        self._routes = routes
        self._rows: list[FramesKept] = []
        self._witness = Witness(self._keep, silence_ms_max=silence_ms_max)
        self._links: dict[str, tuple[Link, LinkWitness]] = {}

    def _keep(self, rows: list[FramesKept]) -> None:
        self._rows += rows

    def take_rows(self) -> list[FramesKept]:
        """What was kept since the last call."""
        self._witness.hand_over(0)
        rows, self._rows = self._rows, []
        return rows

    def feed(self, line: LogLine) -> None:
        """One line of a log."""
        if line.kind in ("open", "close"):
            former = self._links.pop(line.link, None)
            if former is not None:
                former[1].closed(line.at_ms)
        if line.kind == "close":
            return
        if line.link not in self._links:
            only_pile = only_pile_of(line.link, self._routes)
            link = Link(max_buffer_bytes=1 << 16, only_pile=only_pile, protocol=line.protocol)
            self._links[line.link] = (link, self._witness.link(line.link, line.at_ms, line.protocol))
        link, witness = self._links[line.link]
        if line.kind == "up":
            is_new = link.pile_id is None
            facts = link.receive(line.data, line.at_ms)
            if is_new and link.pile_id is not None:
                link.options = self._site.options_of(link.pile_id)
                link.configure(self._site.protocol_of(link.pile_id))
            witness.read(line.data, line.at_ms, is_whole=not link.buffered_bytes, is_cut=bool(facts))
            witness.told([fact for fact in facts if not isinstance(fact, events.FrameRefused)])
        elif line.kind == "down":
            for order in link.observe_sent(line.data, line.at_ms):
                if not isinstance(order, events.FrameRefused):
                    witness.sent(order, line.data, line.at_ms)
                    break


def kept_of(lines: Iterable[LogLine | LogDamage], site: Site, *, silence_ms_max: int) -> Iterator[FrameKept]:
    """What the daemon would have kept of a whole log."""
    witness = LogWitness(site, silence_ms_max=silence_ms_max)
    for line in lines:
        if isinstance(line, LogLine):
            witness.feed(line)
            for block in witness.take_rows():
                yield from unpack_frames(block)

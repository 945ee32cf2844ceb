"""One part of a log's piles, replayed by itself, and what it must tell so that several parts are as good as the whole.

A charge's bill rests on its own pile, with three exceptions: another pile that names the same transaction, another
link that speaks for the pile, and the company of a charge elsewhere (``company.py``). A part notes all three, with the
moments that put them in order; ``touching.py`` lays the notes of all parts side by side.
"""

from __future__ import annotations

import sqlite3
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

from gateway.company import KINDS, Company, mark, names_of
from gateway.opensession import OpenSession
from protocol.commands import StartCharging
from protocol.events import SampleReceived

_MOMENT = struct.Struct(">QIQBQ")
LINE_BYTES = struct.calcsize(">QIQB")  # of a moment: all but the number that orders what one line leads to
_EVER = b"\xff" * _MOMENT.size
PILE_DIGITS = 13  # of its number that AA F5 has room for
_TABLES = """
CREATE TABLE named (transaction_id TEXT, pile_id TEXT, PRIMARY KEY (transaction_id, pile_id)) WITHOUT ROWID;
CREATE TABLE company (kind TEXT, name TEXT, since BLOB, until BLOB, is_start INTEGER, transaction_id TEXT,
 pile_id TEXT, car TEXT, PRIMARY KEY (kind, name, since)) WITHOUT ROWID
"""

Met = tuple[str, str]  # a transaction, and of what kind its company is: of one car, or of one account
Moment = tuple[int, int, int, int]  # log's clock, file, position in it, behind it or not: in the order of one process


@dataclass(frozen=True, slots=True)
class Share:
    """Which links a process replays: those whose first fact is of one of its piles.

    Attributes:
        number, count: the pile's share by a checksum of its id.
        piles: exactly these instead.
        is_first: what concerns no pile is told by this one.
        told: since when a transaction has which company, which a part cannot see by itself.
    """

    number: int
    count: int
    piles: frozenset[str] | None = None
    is_first: bool = False
    told: Mapping[Met, bytes] = field(default_factory=dict)

    def takes(self, pile_id: str) -> bool:
        """Whether a link that begins with this pile is ours."""
        if self.piles is not None:
            return pile_id in self.piles
        return crc32(pile_id.encode()) % self.count == self.number


def own_names(pile_id: str) -> tuple[str, str]:
    """What numbers that are given out for a pile, or by it, begin with."""
    return pile_id, pile_id[-PILE_DIGITS:]


def is_own_name(name: str, pile_id: str) -> bool:
    """Whether a transaction is named after this pile, so that nobody else will use the name by chance."""
    return name.startswith(own_names(pile_id))


class Stay(NamedTuple):
    """A session that was open under a name that others may share; ``is_start``: it was authorised at ``since``."""

    kind: str
    name: str
    since: bytes
    until: bytes
    is_start: int
    transaction_id: str
    pile_id: str
    car: str | None


class Part:
    """What one process notes of its share.

    Args:
        share: which piles.
        sources: the names of all logs, in their order.
    """

    def __init__(self, share: Share, sources: Sequence[str]) -> None:
        self.share = share
        self.files = {source: number for number, source in enumerate(sources)}
        self.piles: defaultdict[str, set[str]] = defaultdict(set)  # pile -> the piles that its links began with
        self.company = _NotedCompany(self)
        self.moment: Callable[[], Moment] = lambda: (0, 0, 0, 0)
        self._newest: dict[str, str] = {}  # pile -> the strange name that it used last
        self.has_nameless = False  # a session under a number of zeros: anybody's
        self._count = 0
        self._untold = sorted(((since, met) for met, since in share.told.items()), reverse=True)
        self._notes = sqlite3.connect("", isolation_level=None)
        self._notes.execute("PRAGMA journal_mode = OFF")
        self._notes.executescript(_TABLES)

    def __del__(self) -> None:
        self._notes.close()

    def begin(self, lead: str) -> None:
        """A link of ours begins with this pile."""
        self.piles[lead].add(lead)

    def note(self, pile_id: str, lead: str, fact: object) -> None:
        """A fact or order of a pile goes to the engine, from a link that began with ``lead``."""
        self.piles[pile_id].add(lead)
        for name in (getattr(fact, "transaction_id", None), getattr(fact, "serial", None)):
            if not name or is_own_name(name, pile_id) or self._newest.get(pile_id) == name:
                continue
            if name.strip("0"):
                self._newest[pile_id] = name
                self._notes.execute("INSERT OR IGNORE INTO named VALUES (?,?)", (name, pile_id))
            elif isinstance(fact, StartCharging | SampleReceived) or getattr(fact, "is_accepted", False):
                self.has_nameless = True

    def key(self, moment: Moment | None = None) -> bytes:
        """A moment, the present one if not given, as bytes that sort like it."""
        at_ms, file_no, position, is_behind = moment or self.moment()
        self._count += 1
        return _MOMENT.pack(at_ms + 2**63, file_no + 1, position, is_behind, self._count)

    def take_told(self, before: Moment) -> Iterator[tuple[int, Met]]:
        """What is to be told before a line: the log's clock then, and who met whom; once, and in order."""
        line = self.key(before)[:LINE_BYTES]
        while self._untold and self._untold[-1][0][:LINE_BYTES] < line:
            since, met = self._untold.pop()
            yield _MOMENT.unpack(since)[0] - 2**63, met

    def is_told_now(self, met: Met) -> bool:
        """Whether it is the line at hand by which a session has company."""
        since = self.share.told.get(met)
        return since is not None and since[:LINE_BYTES] == self.key()[:LINE_BYTES]

    def stayed(self, session: OpenSession, since: bytes, until: bytes, *, is_start: bool) -> None:
        """A session was open from one moment to another."""
        for kind, name in names_of(session):
            stay = Stay(
                kind, name, since, until, is_start, session.transaction_id, session.core.pile_id, session.parallel_no
            )
            self._notes.execute("INSERT OR REPLACE INTO company VALUES (?,?,?,?,?,?,?,?)", stay)

    def named(self) -> Iterator[tuple[str, str]]:
        """(transaction, pile) for transactions named otherwise than after their pile, in order."""
        yield from self._notes.execute("SELECT transaction_id, pile_id FROM named ORDER BY 1, 2")

    def stays(self) -> Iterator[Stay]:
        """All of them by kind, name and moment."""
        self.company.finish()
        for row in self._notes.execute("SELECT * FROM company ORDER BY kind, name, since"):
            yield Stay(*row)


class _NotedCompany(Company):
    """Company within a part, with what is told of the other parts; and a note of every stay."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self._part = part
        self._since: dict[str, tuple[bytes, bool, OpenSession]] = {}

    def join(self, session: OpenSession) -> None:
        """A session is open, from now on if it was not."""
        super().join(session)
        self._note(session, is_start=False)

    def note(self, session: OpenSession) -> list[OpenSession]:
        """A session was authorised; it may have company of which other parts tell."""
        self._note(session, is_start=True)
        found = super().note(session)
        if self._part.share.told:
            for kind in KINDS:
                if self._part.is_told_now((session.transaction_id, kind)):
                    mark(session, kind)
        return found

    def _note(self, session: OpenSession, *, is_start: bool) -> None:
        if names_of(session):
            self._since.setdefault(session.transaction_id, (self._part.key(), is_start, session))

    def leave(self, session: OpenSession) -> None:
        """A session is open no longer: that was a stay."""
        super().leave(session)
        found = self._since.pop(session.transaction_id, None)
        if found is not None:
            self._part.stayed(session, found[0], self._part.key(), is_start=found[1])

    def finish(self) -> None:
        """The log is over; who is still open stays."""
        for since, is_start, session in self._since.values():
            self._part.stayed(session, since, _EVER, is_start=is_start)
        self._since.clear()

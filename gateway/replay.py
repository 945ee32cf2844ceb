"""Frame logs to bills, by the same engine that runs live (G4).

What the log's gateway ordered is taken from its ``down`` lines; what it answered is computed anew, and where
the log holds the answer too, the two are compared and every difference is a finding.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from billing_core.timers import Timers
from gateway.company import mark
from gateway.engine import Engine
from gateway.framelog import LogDamage, LogLine
from gateway.framelog.scan import ShortWay
from gateway.listeners.topics import USUAL, Routes, only_pile_of
from gateway.outcome import BillIssued, Outcome
from gateway.parting import Moment, Part
from gateway.site import Site
from gateway.store import Store
from gateway.store.memory import MemoryStore
from protocol import commands, events
from protocol.link import Link

_ANSWERS = (
    commands.AnswerLogin,
    commands.AnswerHeartbeat,
    commands.AnswerTariffCheck,
    commands.SendTariff,
    commands.AcknowledgeRecord,
)
_ANSWERS_KEPT_MAX = 64
_UNNUMBERED = "0000"  # the model number of a tariff whose frame has none


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """Something in the log that a person should know.

    ``code`` is frame_refused, log_damaged, answer_differs, or pile_unlisted (which alone is no fault). ``at_ms`` is the
    log's clock then, ``lead`` the pile that its link began with.
    """

    code: str
    source: str
    position: int
    text: str
    at_ms: int = dataclasses.field(default=0, compare=False)
    lead: str | None = dataclasses.field(default=None, compare=False)

    @property
    def is_fault(self) -> bool:
        """Whether the exit status must tell."""
        return self.code != "pile_unlisted"


class _ReplayLink:
    """One link of the log: its decoder, and our answers that the log's gateway may have given too.

    Args:
        must_log_in: a daemon of ours took the log and it shows the link's opening, so that frames before a login
            were refused then and are now.
        only_pile: the one pile that may speak here, where the link's name tells.
    """

    def __init__(self, *, must_log_in: bool = False, only_pile: str | None = None, protocol: str | None = None) -> None:
        self.link = Link(max_buffer_bytes=1 << 16, only_pile=only_pile, protocol=protocol)
        self.protocol = self.link.protocol
        self.pile_ids: set[str] = set()
        self.answers: dict[type, deque[commands.Command]] = defaultdict(lambda: deque(maxlen=_ANSWERS_KEPT_MAX))
        self.is_refused = False
        self.must_log_in = must_log_in
        self.lead: str | None = None  # the pile of the first fact here, or of the first order
        self.untold: list[Finding] = []  # until that is known
        self.held: list[events.PileEvent] = []  # an unlisted pile's login, and what came with it, until its answer


class Replay:
    """Feeds log lines to an engine of its own.

    Args:
        site: tariffs, campaigns, piles, cards.
        timers: deadlines of a session.
        silence_ms_max: a pile not heard for this long is offline.
        on_finding: told of everything a person should know.
        mirror: a database that gets everything too.
        routes: families of topics, for logs of what came through a broker.
        part: this replay takes some piles' links only, and notes there what concerns others.
    """

    def __init__(
        self,
        site: Site,
        timers: Timers,
        *,
        silence_ms_max: int,
        on_finding: Callable[[Finding], None],
        mirror: Store | None = None,
        routes: Sequence[Routes] = USUAL,
        part: Part | None = None,
    ) -> None:
        self.store = MemoryStore(mirror)
        self.engine = Engine(
            site,
            timers,
            silence_ms_max=silence_ms_max,
            recall=self.store.recall,
            is_replay=True,
            company=part.company if part is not None else None,
        )
        self.short = ShortWay(self.engine.alarms)
        self._frames = 0
        self._site = site
        self._on_finding = on_finding
        self._routes = routes
        self._links: dict[str, _ReplayLink] = {}
        self._owner: dict[str, str] = {}  # pile -> link it spoke on last
        self._told_unlisted: set[str] = set()
        self._at_ms = -(2**62)
        self._part = part
        self._others: set[str] = set()  # links that another part takes
        self._place: tuple[int, int, int] = (self._at_ms, -1, 0)  # of the newest line that was ours
        self._is_firing = False
        if part is not None:
            part.moment = self._moment

    def run(self, lines: Iterable[LogLine | LogDamage], *, until_ms: int | None = None) -> None:
        """Feed all lines up to ``until_ms`` (Unix ms), then let the clock stand there.

        Without ``until_ms`` it stands at the last line.
        """
        if until_ms is not None:
            self.short.horizon_ms = until_ms
        for line in lines:
            if isinstance(line, LogDamage):
                self._find("log_damaged", line, line.reason)
                continue
            if until_ms is not None and line.at_ms > until_ms:
                continue
            self.feed(line)
        end_ms = max(self._at_ms, self.short.newest_ms) if until_ms is None else until_ms
        self._hear((end_ms, 2**31, 0, 0))
        self._advance(end_ms)
        for link in self._links.values():
            self._tell(link)

    @property
    def frames(self) -> int:
        """Usable frames so far."""
        return self._frames + self.engine.piles.traffic.frames

    def feed(self, line: LogLine) -> None:
        """One line of a log. Time never steps back: an earlier stamp counts as the newest seen."""
        if self._part is not None:
            at_ms = max(self._at_ms, line.at_ms, self.short.newest_ms)
            place = (at_ms, self._part.files[line.source], line.position)
            self._hear((*place, 0))
        self._advance(line.at_ms)
        if line.link in self._others:
            if line.kind in ("up", "down"):
                return
            self._others.remove(line.link)
            self.short.forget(line.link)
        if self._part is not None:
            self._place = place
        if line.kind == "open":
            self._close(line)
            self._open(line, must_log_in=line.is_own)
        elif line.kind == "close":
            self._close(line)
        else:
            link = self._links.get(line.link) or self._open(line)
            if line.kind == "up":
                self._up(link, line)
            else:
                self._down(link, line)

    def _advance(self, at_ms: int) -> None:
        self._at_ms = self.short.newest_ms = max(self._at_ms, at_ms, self.short.newest_ms)
        self._fire(self._at_ms)

    def _fire(self, at_ms: int) -> None:
        due_ms = self.engine.timer_at_ms
        if due_ms is None or due_ms > at_ms:
            return
        self._is_firing = True
        self._keep(self.engine.on_timer(at_ms))
        self._is_firing = False

    def _moment(self) -> Moment:
        """Now: a deadline comes before all lines that are not earlier, and never before what armed it."""
        place = (*self._place, 0)
        return max((self.engine.alarms.fired_ms, -1, 0, 0), (*self._place, 1)) if self._is_firing else place

    def _open(self, line: LogLine, *, must_log_in: bool = False) -> _ReplayLink:
        only_pile = only_pile_of(line.link, self._routes)
        link = _ReplayLink(must_log_in=must_log_in, only_pile=only_pile, protocol=line.protocol)
        self._links[line.link] = link
        return link

    def _close(self, line: LogLine) -> None:
        link = self._links.pop(line.link, None)
        self.short.forget(line.link)
        self._tell(link)
        for pile_id in sorted(link.pile_ids) if link else ():
            if self._owner.get(pile_id) == line.link:
                del self._owner[pile_id]
                self._keep(self.engine.on_link_lost(pile_id, self._at_ms))

    # -- parts ----------------------------------------------------------------------------------------

    def _hear(self, before: Moment) -> None:
        """Take up what other parts tell of the time before a line."""
        if self._part is None:
            return
        for at_ms, (transaction_id, kind) in self._part.take_told(before):
            self._fire(at_ms)
            session = self.engine.sessions.held(transaction_id)
            if session is not None and mark(session, kind):
                self.store.keep([session.saved()])

    def _is_ours(self, link: _ReplayLink, line: LogLine, pile_id: str) -> bool:
        """Whether this part takes a link; its first fact or order tells."""
        if link.lead is None:
            link.lead = pile_id
            if self._part is not None:
                if not self._part.share.takes(pile_id):
                    del self._links[line.link]
                    self._others.add(line.link)
                    self.short.skip(line.link)
                    return False
                self._part.begin(pile_id)
            self._tell(link)
        return True

    def _tell(self, link: _ReplayLink | None) -> None:
        """Tell what waited for the link's first fact; without any, the first part tells it."""
        if link is None or not link.untold:
            return
        findings, link.untold = link.untold, []
        if link.lead is not None or self._part is None or self._part.share.is_first:
            for finding in findings:
                self._on_finding(dataclasses.replace(finding, lead=link.lead))

    # -- pile to gateway ------------------------------------------------------------------------------

    def _up(self, link: _ReplayLink, line: LogLine) -> None:
        for index, fact in enumerate(link.link.receive(line.data, self._at_ms)):
            if isinstance(fact, events.FrameRefused):
                self._find("frame_refused", line, f"{fact.code}: {fact.detail} at byte {fact.offset}")
                continue
            if not self._is_ours(link, line, fact.pile_id):
                return
            self._frames += 1
            if link.held or self._is_open_question(link, fact):
                link.held.append(fact)
            elif self._take(link, line, fact) and (lane := self.engine.lane_of(fact)) is not None:
                link.link.remember(index, fact, lane, is_answered=False)
                self.short.watch(line.link, *link.link.framers)

    def _is_open_question(self, link: _ReplayLink, event: events.PileEvent) -> bool:
        """A login that only the log can decide: our own log, and a pile that may have been adopted then, or not."""
        is_login = isinstance(event, events.PileLoggedIn)
        return link.must_log_in and is_login and event.pile_id not in self._site.piles

    def _take(self, link: _ReplayLink, line: LogLine, event: events.PileEvent) -> bool:
        if link.is_refused or not self._is_taken(link, line, event):
            return False
        self._own(link, line, event.pile_id)
        if isinstance(event, events.PileLoggedIn):
            link.protocol = link.link.protocol
            event = dataclasses.replace(event, protocol=link.protocol)
        elif link.link.protocol != link.protocol:
            link.protocol = link.link.protocol
            self.engine.on_protocol(event.pile_id, link.protocol)
        self._note(link, event)
        outcome = self.engine.on_event(event, line.link)
        self._keep(outcome)
        for answer in outcome.replies:
            link.answers[type(answer)].append(answer)
        return True

    def _is_taken(self, link: _ReplayLink, line: LogLine, event: events.PileEvent) -> bool:
        """Whether the daemon that took the log took this event: from a pile that had logged in on this link."""
        if not link.must_log_in or isinstance(event, events.PileLoggedIn):
            return True
        return event.pile_id in link.pile_ids and self._owner.get(event.pile_id) == line.link

    def _own(self, link: _ReplayLink, line: LogLine, pile_id: str) -> None:
        former = self._owner.get(pile_id)
        if former == line.link:
            return
        if former in self._links:
            self._links[former].link.forget()  # what it says of this pile must be looked at again
        self._owner[pile_id] = line.link
        if not link.pile_ids:
            link.link.options = self._site.options_of(pile_id)
            link.link.configure(self._site.protocol_of(pile_id))
        link.pile_ids.add(pile_id)
        if pile_id not in self._site.piles and pile_id not in self._told_unlisted:
            self._told_unlisted.add(pile_id)
            self._find("pile_unlisted", line, f"pile {pile_id} is not in the site file: default master data")

    # -- gateway to pile ------------------------------------------------------------------------------

    def _down(self, link: _ReplayLink, line: LogLine) -> None:
        for index, order in enumerate(link.link.observe_sent(line.data, self._at_ms)):
            if isinstance(order, events.FrameRefused):
                self._find("frame_refused", line, f"{order.code}: {order.detail} at byte {order.offset} (sent)")
                continue
            if not self._is_ours(link, line, order.pile_id):
                return
            self._frames += 1
            if isinstance(order, commands.AnswerLogin):
                self._decide(link, line, order)
            if isinstance(order, _ANSWERS):
                self._compare(link, line, order)
            if isinstance(order, commands.AnswerHeartbeat) and order.connector is not None:
                # it cannot differ from ours: all of it says what it answers
                link.link.remember_sent(index, self.engine.piles.state(order.pile_id).connector(order.connector).lane)
                self.short.watch(line.link, *link.link.framers)
            if not isinstance(order, _ANSWERS) or isinstance(order, commands.SendTariff):
                self._note(link, order)
                self._keep(self.engine.on_command(order, self._at_ms))

    def _note(self, link: _ReplayLink, fact: events.PileEvent | commands.PileCommand) -> None:
        if self._part is not None:
            assert link.lead is not None
            self._part.note(fact.pile_id, link.lead, fact)

    def _decide(self, link: _ReplayLink, line: LogLine, answer: commands.AnswerLogin) -> None:
        """The log's gateway took a pile, or refused it and closed the link."""
        held, link.held = link.held, []
        link.is_refused = not answer.is_accepted
        if link.is_refused:
            link.link.forget()
        for event in held:
            self._take(link, line, event)

    def _compare(self, link: _ReplayLink, line: LogLine, theirs: commands.Command) -> None:
        waiting = link.answers[type(theirs)]
        while waiting:
            ours = waiting.popleft()
            if _names_same(ours, theirs):
                difference = _difference(ours, theirs, self.engine.piles.traits(theirs.pile_id).price_decimals)
                if difference:
                    self._find("answer_differs", line, f"{type(theirs).__name__}: {difference}")
                return

    # -- results --------------------------------------------------------------------------------------

    def _keep(self, outcome: Outcome) -> None:
        if outcome.lazy_rows:
            self.store.keep(outcome.lazy_rows)
        if outcome.rows:
            self.store.keep(outcome.rows)
            self.engine.piles.traffic.take_fed()  # samples come to the store with their session: nobody asks for them

    def _find(self, code: str, line: LogLine | LogDamage, text: str) -> None:
        link = self._links.get(line.link) if isinstance(line, LogLine) else None
        finding = Finding(code, line.source, line.position, text, self._at_ms, link.lead if link else None)
        if self._part is None or (link is not None and link.lead is not None):
            self._on_finding(finding)
        elif link is not None:
            link.untold.append(finding)
        elif self._part.share.is_first:
            self._on_finding(finding)

    def bills(self, *, all_revisions: bool = False) -> Sequence[BillIssued]:
        """Newest revision of every bill, or all of them, in order of the session's end."""
        return self.store.bills(all_revisions=all_revisions)


def _names_same(ours: commands.Command, theirs: commands.Command) -> bool:
    """Whether two answers of one kind answer the same thing."""
    keys = ("pile_id", "connector", "serial")
    return all(getattr(ours, key, None) == getattr(theirs, key, None) for key in keys)


def _difference(ours: Any, theirs: Any, price_decimals: int) -> str:
    """What two answers say differently; model numbers in a tariff check are echoes and may differ."""
    told = []
    for field in dataclasses.fields(ours):
        if field.name in ("reply_ref", "model_no", "civil_ms"):
            continue
        mine, other = getattr(ours, field.name), getattr(theirs, field.name)
        if isinstance(other, commands.PileTariff) and other.model_no == _UNNUMBERED:
            mine, other = (each.by_slot(10 ** (5 - price_decimals)) for each in (mine, other))
        if mine != other:
            told.append(f"{field.name} is {other!r} in the log, {mine!r} by this site's data")
    return "; ".join(told)

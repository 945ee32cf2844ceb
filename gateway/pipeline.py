"""The straight line of one connection: bytes, frames, facts, outcome, answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from gateway.framelog import Kind
from gateway.metrics import Metrics
from gateway.shortway import ShortWay
from gateway.switchboard import Switchboard
from gateway.tomlfile import bounded
from gateway.witness import Witness
from protocol import events
from protocol.commands import PileCommand
from protocol.detect import traits_of
from protocol.errors import LocalProtocolError
from protocol.link import Link

log = structlog.get_logger()

_NOT_YET = (events.FrameRefused, events.PileLoggedIn)


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """What one link and one address may use.

    Attributes:
        buffer_bytes_max: undecoded bytes a link may hold, and what it may send before its first good frame.
        frames_per_s_max: above this a link is closed as a flood; counted over ten seconds.
        idle_timeout_ms: a link that says nothing for this long is closed.
        login_grace_ms: a link without a valid login after this long is closed.
        links_max: links in all.
        links_per_address_max: links from one address.
        write_buffer_bytes_max: unsent bytes a slow reader may leave waiting.
        refused_per_link_max: frames a link may have refused in a row before it is closed.
    """

    buffer_bytes_max: int = bounded(4096, 1024)
    frames_per_s_max: int = bounded(200, 1)
    idle_timeout_ms: int = bounded(180_000, 1)
    login_grace_ms: int = bounded(30_000, 1)
    links_max: int = bounded(18_000, 1)
    links_per_address_max: int = bounded(2_000, 1)
    write_buffer_bytes_max: int = bounded(65_536, 1024)
    refused_per_link_max: int = bounded(100, 1)


class CaptureSink(Protocol):
    """Where bytes are kept as they passed."""

    def append(self, at_ms: int, link_no: int, kind: Kind, data: bytes, protocol: str | None) -> None:
        """Keep one read or write, or the opening or closing of a link."""


class Answers(Protocol):
    """Who waits for answers to orders, and who decides on starts that piles ask for."""

    def on_event(self, event: events.PileEvent) -> None:
        """See one fact after the engine saw it."""

    def is_newly_listed(self, pile_id: str) -> bool:
        """Whether an unlisted pile was adopted since the site was loaded."""

    def on_link_lost(self, pile_id: str) -> None:
        """A pile's link closed."""


class Pipeline(ShortWay):
    """One connection.

    Args:
        switchboard: shared by all links.
        link_no: number of this link in the capture.
        address: peer, as ``host:port``.
        write: sends bytes; never blocks.
        hang_up: closes the connection.
        witness: keeps what bills rest on.
        only_pile: the one pile that may speak here, where the transport knows it.
    """

    __slots__ = (
        "_answers",
        "_hang_up",
        "_is_recognised",
        "_limits",
        "_link",
        "_link_no",
        "_metrics",
        "_protocol",
        "_speaks_for",
        "_stories",
        "_switchboard",
        "_unrecognised_bytes",
        "_witness",
        "pile_id",
    )

    def __init__(
        self,
        switchboard: Switchboard,
        answers: Answers,
        capture: CaptureSink,
        metrics: Metrics,
        limits: LimitsConfig,
        *,
        link_no: int,
        address: str,
        write: Callable[[bytes], None],
        hang_up: Callable[[], None],
        witness: Witness,
        only_pile: str | None = None,
        protocol: str | None = None,
    ) -> None:
        super().__init__(
            switchboard,
            switchboard.engine.alarms,
            switchboard.engine.piles.traffic,
            metrics.volume,
            capture,
            write,
            link_no=link_no,
            address=address,
            at_ms=switchboard.clock.now_ms(),
            frames_max=limits.frames_per_s_max * 10,
        )
        self.pile_id: str | None = None
        self._switchboard = switchboard
        self._answers = answers
        self._metrics = metrics
        self._limits = limits
        self._link_no = link_no
        self._hang_up = hang_up
        self._link = Link(max_buffer_bytes=limits.buffer_bytes_max, only_pile=only_pile, protocol=protocol)
        self._protocol = self._link.protocol
        self._speaks_for: tuple[str, ...] = ()
        self._is_recognised = False
        self._unrecognised_bytes = 0
        self._stories = witness
        self._witness = witness.link(address, self.opened_at_ms, protocol)
        capture.append(self.opened_at_ms, link_no, "open", address.encode(), None)

    @property
    def _log(self) -> Any:
        """Bound when there is something to say: a logger of its own would be the largest thing that a link holds."""
        return log.bind(link=self.address, **({} if self.pile_id is None else {"pile_id": self.pile_id}))

    def on_news(self, data: bytes, at_ms: int) -> None:
        """Bytes that do not only repeat; ``take_news`` has looked after what holds for both ways."""
        facts = self._link.receive(data, at_ms)
        self._capture.append(at_ms, self._link_no, "up", data, self._link.dialect.name)
        self._witness.read(data, at_ms, is_whole=not self._link.buffered_bytes, is_cut=bool(facts))
        self._testify(facts)
        for index, fact in enumerate(facts):
            if isinstance(fact, events.FrameRefused):
                self._refused(fact)
            else:
                self._accepted(fact)
                self._remember(index, fact)
        self._witness.rest()
        self._link.rest()
        self._recognise(len(data))
        for note in self._link.take_notes():
            self._log.info("dialect_note", protocol=self._link.protocol, note=note)

    def _remember(self, index: int, event: events.PileEvent) -> None:
        """Let the like of this event go the short way, where that decides nothing; a concentrator's goes the long."""
        if event.pile_id == self.pile_id and len(self._speaks_for) == 1 and self.closed_because is None:
            lane = self._switchboard.engine.lane_of(event) if self._may_speak_for(event.pile_id) else None
            if lane is not None:
                self._link.remember(index, event, lane)
                if self._link.repeats is not None:
                    self.follow(self._link.framers[0], self._stories.story(event.pile_id), self._link.dialect.name)

    def _testify(self, facts: Sequence[events.PileEvent | events.FrameRefused]) -> None:
        """Hand what will be acted upon to the witness, before anything is promised for it.

        A login is not acted upon yet: nobody has looked whether the pile is listed.
        """
        told = [fact for fact in facts if not isinstance(fact, _NOT_YET) and self._may_speak_for(fact.pile_id)]
        if told:
            self._witness.told(told)

    def _recognise(self, size_bytes: int) -> None:
        """A link shows by its first bytes which protocol it speaks, or is closed."""
        if self._is_recognised:
            return
        self._is_recognised = self._link.is_recognised
        self._unrecognised_bytes += size_bytes
        if self._is_recognised:
            self._log.info("protocol_detected", protocol=self._link.protocol, crc=self._link.crc_order)
        elif self._unrecognised_bytes > self._limits.buffer_bytes_max:
            self.close("no protocol known here")

    def _accepted(self, event: events.PileEvent) -> None:
        self._metrics.count_frame(type(event).__name__)
        self.refused_in_a_row = 0
        self.count(event.at_ms)
        if isinstance(event, events.PileLoggedIn):
            self._login(event)
        elif self.pile_id is None:
            self._refuse_early(event)
        elif event.pile_id != self.pile_id and not self._may_speak_for(event.pile_id):
            self._log.warning("frame_refused", code="other_pile", said=event.pile_id)
            self._metrics.count_refused("other_pile")
        else:
            self._learn(event)
            self._switchboard.carry_out(self._switchboard.engine.on_event(event), self)
            self._answers.on_event(event)

    def _learn(self, event: events.PileEvent) -> None:
        """Frames may show which version of its protocol a pile really speaks."""
        if self._link.protocol != self._protocol:
            self._protocol = self._link.protocol
            self._switchboard.engine.on_protocol(event.pile_id, self._protocol)

    def _login(self, event: events.PileLoggedIn) -> None:
        engine = self._switchboard.engine
        if not engine.piles.is_listed(event.pile_id):
            self._answers.is_newly_listed(event.pile_id)
        site = engine.sessions.site
        if self.pile_id is None and engine.piles.is_listed(event.pile_id):
            self._link.options = site.options_of(event.pile_id)
            self._link.configure(site.protocol_of(event.pile_id))
        self._protocol = self._link.protocol
        event = dataclasses.replace(event, protocol=self._protocol)
        outcome = engine.on_event(event, self.address)
        if engine.piles.is_listed(event.pile_id):
            if self.pile_id is None:
                self.pile_id = event.pile_id
            self._log.info("pile_logged_in", protocol=event.protocol, firmware=event.firmware_version)
            self._switchboard.connect(event.pile_id, self)
            if event.pile_id not in self._speaks_for:
                self._speaks_for += (event.pile_id,)
            self._link.forget()
            self._witness.told([event])
            self._switchboard.carry_out(outcome, self)
            self._answers.on_event(event)
        else:
            self._log.warning("pile_refused", said=event.pile_id, hint="pilegate pile adopt " + event.pile_id)
            self._metrics.count_refused("unknown_pile")
            self._switchboard.carry_out(outcome, self)
            self.close("the pile is not listed")

    def _may_speak_for(self, pile_id: str) -> bool:
        """A concentrator speaks for every pile that logged in on its link."""
        return self._switchboard.speakers.get(pile_id) is self

    def _refuse_early(self, event: events.PileEvent) -> None:
        self._log.info("frame_refused", code="before_login", frame=type(event).__name__)
        self._metrics.count_refused("before_login")

    def _refused(self, refused: events.FrameRefused) -> None:
        self._metrics.count_refused(refused.code)
        self.refused_in_a_row += 1
        self._log.warning(
            "frame_refused",
            code=refused.code,
            detail=refused.detail,
            offset=refused.offset,
            hex=refused.raw[:300].hex(),
        )
        if self.refused_in_a_row >= self._limits.refused_per_link_max:
            self.close("nothing but unusable frames")

    # -- the way back ---------------------------------------------------------------------------------

    def say(self, command: PileCommand, at_ms: int) -> bool:
        """Encode one command and send it; False for an answer that must not or cannot be given.

        Raises ``LocalProtocolError`` for an order that no frame can carry.
        """
        if self.closed_because is not None:
            return True
        try:
            data = self._link.send(command, at_ms)
        except LocalProtocolError as error:
            if command.reply_ref is None:
                raise
            self._log.error("answer_impossible", kind=type(command).__name__, reason=str(error))
            return False
        if not data:
            self._log.info("answer_kept_back", kind=type(command).__name__, hint="it would do harm now")
            return False
        self._capture.append(at_ms, self._link_no, "down", data, self._link.dialect.name)
        if self._may_speak_for(command.pile_id):
            self._witness.sent(command, data, at_ms)
        self._metrics.volume.sent += len(data)
        self.pace_ms = traits_of(self._link.protocol).pace_ms
        self._send(data)
        return True

    # -- closing --------------------------------------------------------------------------------------

    def check(self, at_ms: int) -> None:
        """Close a link that is silent for too long or never logged in."""
        if at_ms - self.heard_at_ms > self._limits.idle_timeout_ms:
            self.close("silent for too long")
        elif self.pile_id is None and at_ms - self.opened_at_ms > self._limits.login_grace_ms:
            self.close("no login in time")

    def close(self, reason: str) -> None:
        """Close the connection for a stated reason."""
        if self.closed_because is None:
            self.closed_because = reason
            self._metrics.count_closed(reason)
            self._log.info("link_closed", reason=reason)
            self._hang_up()

    def closed(self, at_ms: int) -> None:
        """The connection is gone."""
        self._switchboard.advance(at_ms)
        reason = self.closed_because or "closed by the peer"
        self.closed_because = reason
        self._capture.append(at_ms, self._link_no, "close", reason.encode(), None)
        self._witness.closed(at_ms)
        for pile_id in sorted(self._speaks_for):
            self._switchboard.disconnect(pile_id, self, at_ms)
            if not self._switchboard.is_connected(pile_id):
                self._answers.on_link_lost(pile_id)

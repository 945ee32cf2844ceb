"""One connection, sans-IO: bytes in, facts out; orders in, bytes out."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.commands import AnswerHeartbeat, AnswerLogin, PileCommand
from protocol.detect import DEFAULT, DIALECTS, dialect_named, first_heard
from protocol.dialect import DOWN, UP, Cipher, Dialect, refusal
from protocol.events import FrameRefused, HeartbeatReceived, PileEvent, PileLoggedIn
from protocol.framer import Cut, Framer
from protocol.repeats import Repeat, Repeats, Taker
from protocol.transitions import LinkEvent, LinkState, after

_NONE_WAIT: dict[Dialect, Framer] = {}  # the dialect is settled: no other listens


class Link:
    """One connection between a pile and a gateway.

    The start bytes choose a dialect; until a whole frame with a right checksum has confirmed it, the framers of the
    others listen too, so that noise in front cannot settle the choice.

    Args:
        max_buffer_bytes: undecoded bytes kept per direction, at least 259; longer frames are not waited for.
        options: deviations of the pile, such as ``balance-be``.
        cipher: for piles that encrypt; without one their frames are refused with that reason.
        protocol: what the port or the log says that the link speaks; ``None``: its bytes tell.
        only_pile: the one pile that this link may speak for, where that is known; frames of others are refused.
    """

    __slots__ = (
        "_cipher",
        "_configured",
        "_down",
        "_framers",
        "_heard",
        "_is_met",
        "_is_settled",
        "_max_buffer_bytes",
        "_only_pile",
        "_options",
        "_overheard",
        "_talk",
        "_up",
        "dialect",
        "pile_id",
        "state",
    )

    def __init__(
        self,
        *,
        max_buffer_bytes: int = 4096,
        options: frozenset[str] = frozenset(),
        cipher: Cipher | None = None,
        protocol: str | None = None,
        only_pile: str | None = None,
    ) -> None:
        self.pile_id: str | None = None
        self.state = LinkState.CONNECTED
        self._cipher = cipher
        self._options = options
        self._only_pile = only_pile
        self._max_buffer_bytes = max_buffer_bytes
        self._heard: Sequence[Cut] = ()  # what the last read became, beside the facts
        self._overheard: list[Cut] = []
        told = dialect_named(protocol)
        self._configured = protocol if told is not None else None
        self._is_settled = told is not None
        self._is_met = self._is_settled
        self._framers = {each: each.framer(UP, max_buffer_bytes) for each in ([told] if told else DIALECTS)}
        self._speak(told or DEFAULT)

    def _speak(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._up = self._framers[dialect]
        self._down: Framer | None = None
        self._talk = dialect.speak(self._options, self._cipher)
        if dialect_named(self._configured) is dialect:
            self._talk.configure(self._configured)

    # -- what is known --------------------------------------------------------------------------------

    @property
    def protocol(self) -> str:
        """The protocol with its version, as far as it is known."""
        return self._talk.protocol

    @property
    def crc_order(self) -> str | None:
        """Name of the checksum that holds on this link, ``None`` before the first good frame."""
        return self._talk.check

    @property
    def options(self) -> frozenset[str]:
        """Deviations of the pile."""
        return self._options

    @options.setter
    def options(self, options: frozenset[str]) -> None:
        self._options = self._talk.options = options

    def configure(self, protocol: str | None) -> None:
        """Take the protocol that the pile's master data name; one of another dialect says nothing about this link."""
        if dialect_named(protocol) is self.dialect:
            self._configured = protocol
            self._talk.configure(protocol)

    def take_notes(self) -> list[str]:
        """What the log of this link should say once."""
        return self._talk.take_notes()

    @property
    def is_logged_in(self) -> bool:
        """Whether the pile has said who it is, and was not refused."""
        return self.state is LinkState.LOGGED_IN

    @property
    def is_recognised(self) -> bool:
        """Whether a whole frame with a right checksum has shown that the protocol is ours.

        The start bytes alone decide nothing: IEC 104 and its relatives begin with 0x68 too.
        """
        return self.crc_order is not None

    @property
    def buffered_bytes(self) -> int:
        """Undecoded bytes that wait for more."""
        return self._up.buffered_bytes

    # -- bytes of the pile ----------------------------------------------------------------------------

    def receive(self, data: bytes, at_ms: int) -> list[PileEvent | FrameRefused]:
        """Take bytes as they came in one read; returns the facts and refusals they complete, in order."""
        heard = self._up.feed(data, at_ms) if self._is_settled else self._settle(data)
        self._heard = heard
        return self._talk.ear.hear(heard, at_ms, self._fact)

    def rest(self) -> None:
        """Nobody will ``remember`` anything of the last read any more: let go of its frames until the next."""
        self._heard = ()

    def remember(self, index: int, fact: PileEvent, taker: Taker, *, is_answered: bool = True) -> None:
        """Let frames that only repeat ``fact`` go to ``taker`` from now on, instead of becoming facts.

        Args:
            index: where ``fact`` stood in what the last ``receive`` returned.
            is_answered: repeats of a heartbeat are answered; ``repeats`` gathers the answers.
        """
        frame = self._heard[index].data
        shape = self._talk.shape_of(frame)
        if shape is None:
            return
        answer = None
        if is_answered and isinstance(fact, HeartbeatReceived):
            answer = self.send(AnswerHeartbeat(fact.pile_id, fact.reply_ref, fact.connector))
        _remember(self._up, Repeat(shape, frame, taker, self._talk.ear.scale, answer))

    @property
    def repeats(self) -> Repeats | None:
        """What repeats on this link, once something does."""
        return self._up.repeats

    @property
    def framers(self) -> tuple[Framer, Framer | None]:
        """Of what the pile sends, and of what a gateway sent."""
        return self._up, self._down

    def forget(self) -> None:
        """Let every frame become a fact again."""
        for framer in (self._up, self._down):
            if framer is not None:
                framer.repeats = None

    def _settle(self, data: bytes) -> list[Cut]:
        """Feed all dialects until a good frame shows which one is spoken; only the likeliest one is heard."""
        self._meet(data)
        cuts = {dialect: framer.feed(data) for dialect, framer in self._framers.items()}
        for dialect in (self.dialect, *self._framers):
            if any(not cut.reason and dialect.is_sign(cut.data) for cut in cuts[dialect]):
                if dialect is not self.dialect:
                    self._speak(dialect)
                self._is_settled = True
                self._framers = _NONE_WAIT
                break
        return cuts[self.dialect]

    def _meet(self, data: bytes) -> None:
        """The first start bytes that are seen make a dialect the likeliest."""
        likely = None if self._is_met else first_heard(data)
        if likely is not None:
            self._is_met = True
            if likely is not self.dialect:
                self._speak(likely)

    def _fact(self, cut: Cut, at_ms: int) -> PileEvent | FrameRefused:
        if cut.reason:
            return refusal(cut, at_ms)
        fact = self._talk.hear(cut, at_ms)
        if isinstance(fact, FrameRefused):
            return fact
        if self._only_pile is not None and fact.pile_id != self._only_pile:
            text = f"names pile {fact.pile_id} on the link of pile {self._only_pile}"
            return FrameRefused(at_ms, "other_pile", text, cut.data, cut.offset)
        if isinstance(fact, PileLoggedIn):
            self._talk.logged_in(fact)
            self.state = after(self.state, LinkEvent.LOGIN_SEEN)
            self.pile_id = fact.pile_id
            return fact
        if self.pile_id is None:
            self.pile_id = fact.pile_id
        self._talk.ear.know(cut.data, fact)
        return fact

    # -- bytes of a gateway, in a log -----------------------------------------------------------------

    def observe_sent(self, data: bytes, at_ms: int) -> list[PileCommand | FrameRefused]:
        """Take bytes that a gateway sent on this link when the log was taken."""
        self._meet(data)
        if self._down is None:
            self._down = self.dialect.framer(DOWN, self._max_buffer_bytes)
        orders: list[PileCommand | FrameRefused] = []
        self._overheard = self._down.feed(data, at_ms)
        for cut in self._overheard:
            order = refusal(cut, at_ms) if cut.reason else self._talk.overhear(cut, at_ms, self.pile_id or "")
            if isinstance(order, AnswerLogin) and not order.is_accepted:
                self.state = after(self.state, LinkEvent.LOGIN_REFUSED)
            orders.append(order)
        return orders

    def remember_sent(self, index: int, taker: Taker) -> None:
        """Let frames that only repeat the order or answer at ``index`` of the last ``observe_sent`` go to ``taker``."""
        frame = self._overheard[index].data
        shape = self._talk.shape_of(frame)
        if shape is not None and self._down is not None:
            _remember(self._down, Repeat(shape, frame, taker))

    # -- bytes to the pile ----------------------------------------------------------------------------

    def send(self, command: PileCommand, at_ms: int | None = None) -> bytes:
        """The bytes of an order or answer; none for an answer that would do harm if it were sent now.

        Args:
            at_ms: the present moment, for answers that come too late; ``None``: in time.

        Raises ``LocalProtocolError`` for what no frame can carry.
        """
        data = self._talk.say(command, at_ms)
        if isinstance(command, AnswerLogin) and not command.is_accepted:
            self.state = after(self.state, LinkEvent.LOGIN_REFUSED)
        return data


def _remember(framer: Framer, repeat: Repeat) -> None:
    if framer.repeats is None:
        framer.repeats = Repeats()
    framer.repeats.remember(repeat)

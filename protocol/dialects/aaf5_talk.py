"""AA F5 on one link: the pile's profile, what answers must repeat, and which record waits for its acknowledgement."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocol import commands as c
from protocol import events as e
from protocol.dialect import DOWN, UP, Cipher, Dialect
from protocol.dialects import aaf5, aaf5_orders, aaf5_overheard
from protocol.dialects.aaf5_codes import alarm_texts
from protocol.dialects.aaf5_frames import FORMS, KNOWN, LV34, SH26
from protocol.dialects.aaf5_orders import Speech
from protocol.dialects.aaf5_profiles import (
    F26_OPTION,
    LV34_START_OPTION,
    NOTES,
    PERIODS_OPTION,
    by_frame,
    by_login,
    profile_named,
    traits_of,
)
from protocol.dialects.aaf5_swipes import Swipe, Swipes
from protocol.dialects.aaf5_wire import (
    NAME,
    PLAIN_INFO,
    START,
    SUM,
    enclose,
    read_frame,
    render_fields,
    text_of,
)
from protocol.ear import Asked, Ear
from protocol.framer import Cut, Framer
from protocol.repeats import Shape
from protocol.wire import WireFrame

LATE_MS = 8_000  # the pile sends its queue's head again after 10 s, and takes any acknowledgement for that one
_ASKED_MAX = 32
_REF_BITS = 16


@dataclass(frozen=True, slots=True)
class _Question:
    """A frame of the pile that an answer must repeat something of."""

    command: int
    sequence: int
    at_ms: int
    raw: Mapping[str, Any]


class Aaf5Talk:
    """The conversation of one link.

    An acknowledgement is sent for a record that came on this link and waits for it, once, soon, and only for the
    newest of its pile: some piles drop whatever stands at the head of their queue when one comes, and a wrong one
    would destroy a record that nobody has.

    Args:
        options: deviations of the pile.
        cipher: not used; no key can be agreed on without sending it in clear.
    """

    def __init__(self, options: frozenset[str] = frozenset(), cipher: Cipher | None = None) -> None:
        self.check: str | None = None
        self.profile = SH26
        self._options = options
        self._asked = Asked()
        self.ear = Ear(aaf5.facts_of(self.profile, options), self._asked)
        self._is_configured = False
        self._is_switched = False
        self._version = 0
        self._pile_id = ""
        self._told: Mapping[str, Any] = {}
        self._info = PLAIN_INFO
        self._sequence = 0
        self._owed: dict[str, int] = {}  # pile -> ref of the record that stands at the head of its queue
        self._newest: dict[str, tuple[bytes, int]] = {}  # pile -> its newest record as it came, and when
        self._unanswered: deque[tuple[str, int, str]] = deque(maxlen=_ASKED_MAX)  # (pile, connector, serial), for logs
        self._swipes = Swipes()
        self.started: dict[int, tuple[int, str]] = {}
        self._running: dict[int, str] = {}
        self.clock_ms: int | None = None
        self._notes: list[str] = []

    @property
    def options(self) -> frozenset[str]:
        """Deviations of the pile."""
        return self._options

    @options.setter
    def options(self, options: frozenset[str]) -> None:
        self._options = options
        self.ear.facts = aaf5.facts_of(self.profile, options)

    @property
    def protocol(self) -> str:
        """The family and the profile."""
        return f"{NAME}-{self.profile}"

    def configure(self, protocol: str | None) -> None:
        """The configured profile holds, whatever the frames suggest."""
        profile = profile_named(protocol)
        if profile is not None:
            self._choose(profile, "configured")
            self._is_configured = True

    def shape_of(self, frame: bytes) -> Shape | None:
        """Every frame goes the long way: a status wants its own answer."""
        return None

    def take_notes(self) -> list[str]:
        """Which profile was chosen and why, and what of it is uncertain."""
        notes, self._notes = self._notes, []
        return notes

    def _choose(self, profile: str, reason: str) -> None:
        self.profile = profile
        self.ear.facts = aaf5.facts_of(profile, self._options)
        self._notes.append(f"profile {profile}: {reason}")
        if profile in NOTES:
            self._notes.append(NOTES[profile])

    # -- frames of the pile ---------------------------------------------------------------------------

    def hear(self, cut: Cut, at_ms: int) -> e.PileEvent | e.FrameRefused:
        """The fact in a whole frame of the pile."""
        frame = cut.data
        self._follow(frame)
        assert self.ear.facts is not None
        fact: e.PileEvent | None = self.ear.facts.read(frame, at_ms, 1, self._asked.newest + 1, self._pile_id, self)
        if fact is None:
            return self._login(cut, at_ms)
        self._take(frame, at_ms)
        self._note(fact, frame)
        return fact

    def _take(self, frame: bytes, at_ms: int) -> None:
        """A frame without an error; answers may refer to it."""
        self.check = SUM
        if self._info != frame[4]:
            self._info = frame[4]  # and what was learnt is of frames with the other one
            self.ear.forget()
        self._asked.note(frame, at_ms)

    def _note(self, fact: e.PileEvent, frame: bytes) -> None:
        """What later frames and answers depend on."""
        match fact:
            case e.SampleReceived():
                self._swipes.saw(fact.connector, aaf5.state_of(frame), is_plugged=bool(fact.is_plugged))
                if fact.transaction_id:
                    self._running[fact.connector] = fact.transaction_id
            case e.RecordReceived() if not aaf5.is_history(fact):
                if not self._is_doubled(fact.pile_id, frame, fact.at_ms):
                    self._owed[fact.pile_id] = fact.reply_ref
                self._unanswered.append((fact.pile_id, fact.connector, fact.serial))
            case e.StartRequested():
                self._swipes.asked(Swipe(frame[5], fact.connector, fact.card_uid or "", fact.at_ms))

    def connector_for(self, card: str) -> int:
        """The connector that a card is for, when the question names none."""
        return self._swipes.connector_for(card)

    def _is_doubled(self, pile_id: str, frame: bytes, at_ms: int) -> bool:
        """Whether the way doubled a record: a pile sends one again after ten seconds, and counts one answer."""
        former, heard_ms = self._newest.get(pile_id, (b"", 0))
        if frame == former and at_ms - heard_ms <= LATE_MS:
            return True
        self._newest[pile_id] = frame, at_ms
        return False

    def _follow(self, frame: bytes) -> None:
        """A frame that only one profile has proves it, once a link, unless the profile is configured."""
        if self._is_configured or self._is_switched:
            return
        proof = by_frame(int.from_bytes(frame[6:8], "little"), len(frame) - 9)
        if proof is not None and proof[0] != self.profile:
            self._is_switched = True
            self._choose(*proof)

    def _question(self, found: tuple[bytes, int] | None) -> _Question | None:
        """A frame that is remembered, as one that is answered."""
        if found is None:
            return None
        frame, at_ms = found
        wire = read_frame(frame, UP, self.profile)
        return _Question(wire.type, wire.sequence, at_ms, wire.raw or {})

    def _login(self, cut: Cut, at_ms: int) -> e.PileEvent | e.FrameRefused:
        """A login, or a frame that nothing can be read from."""
        wire = read_frame(cut.data, UP, self.profile)
        if wire.error is not None:
            return e.FrameRefused(at_ms, wire.code or "field", wire.error, cut.data, cut.offset)
        assert wire.type == aaf5.LOGIN_COMMAND
        assert wire.raw is not None
        self._take(cut.data, at_ms)
        pile_id = text_of(wire.raw["pile_id"])
        if not pile_id or not pile_id.isascii() or not pile_id.isprintable() or "\\" in pile_id:
            return e.FrameRefused(at_ms, "field", f"the pile's id {pile_id!r} cannot be printed", wire.body, 0)
        self._told = wire.raw
        protocol = self._protocol_of(wire.raw)
        return aaf5.login(wire.raw, protocol, pile_id, at_ms=at_ms, ref=self._asked.newest)

    def _protocol_of(self, raw: Mapping[str, Any]) -> str:
        is_open = not self._is_configured and not self._is_switched
        return f"{NAME}-{by_login(raw)[0]}" if is_open else self.protocol

    def logged_in(self, login: e.PileLoggedIn) -> None:
        """The version in the login suggests the profile."""
        self._pile_id = login.pile_id
        self.ear.forget()
        self._version = self._told["proto_version"]
        if not self._is_configured and not self._is_switched:
            self._choose(*by_login(self._told))
        if self._told["enc_support"] & 1:
            self._notes.append("the pile offers encryption; it is not taken, its key would travel in clear")

    # -- frames of a gateway, in a log ----------------------------------------------------------------

    def overhear(self, cut: Cut, at_ms: int, pile_id: str) -> c.PileCommand | e.FrameRefused:
        """The order or answer in a whole frame that a gateway sent."""
        wire = read_frame(cut.data, DOWN, self.profile)
        if wire.error is not None:
            return e.FrameRefused(at_ms, wire.code or "field", wire.error, cut.data, cut.offset)
        assert wire.raw is not None
        said = text_of(wire.raw.get("pile_id", b""))
        waiting = tuple(each for each in self._unanswered if each[0] == (said or pile_id))
        swipe = self._answered(wire, at_ms)
        heard = aaf5_overheard.Overheard(wire, said or pile_id, swipe.connector if swipe else 1, waiting)
        order = aaf5_overheard.to_command(heard)
        if order is None:
            text = f"command {wire.type} acknowledges no record that came on this link"
            return e.FrameRefused(at_ms, "unexpected", text, cut.data, cut.offset)
        if isinstance(order, c.AcknowledgeRecord):
            self._unanswered.remove((order.pile_id, aaf5.connector_of(wire.raw), order.serial))
        self._note_order(order, wire.raw, swipe.card if swipe else "")
        return order

    def _answered(self, wire: WireFrame, at_ms: int) -> Swipe | None:
        """The question of a pile that this frame of a gateway answers, if it answers one about a card."""
        assert wire.raw is not None
        if wire.layout is None or not wire.layout.name.startswith("card_answer"):
            return None
        return self._swipes.answered(wire.sequence, at_ms, wire.raw.get("gun"))

    def _note_order(self, order: c.PileCommand, raw: Mapping[str, Any], card: str) -> None:
        if isinstance(order, c.AuthoriseStart) and order.is_accepted:
            self._swipes.allow(order.connector, card)
            self.ear.forget()
        elif isinstance(order, c.StartCharging):
            self.started[order.connector] = (raw["rsv1"], order.transaction_id)
            self.ear.forget()
        elif isinstance(order, c.SyncTime):
            self.clock_ms = order.civil_ms

    # -- frames to the pile ---------------------------------------------------------------------------

    def say(self, command: c.PileCommand, at_ms: int | None = None) -> bytes:
        """The frame; none for an acknowledgement that the pile would take for another record's.

        Nor for a refusal of its login where there is none: any answer would let it in.
        """
        if isinstance(command, c.AcknowledgeRecord):
            return self._acknowledge(command, at_ms)
        if isinstance(command, c.AnswerLogin) and not command.is_accepted and self.profile != LV34:
            return b""
        asked = self._question(self._asked.look(command.reply_ref or 0))
        raw_asked = asked.raw if asked else {}
        speech = Speech(
            profile=self.profile,
            options=self.options,
            version=self._version,
            aux=raw_asked.get("counter", raw_asked.get("random", 0)),
            command_no=asked.command if asked else 0,
            asked=raw_asked,
            number=self._running.get(getattr(command, "connector", None) or 0, ""),
        )
        number, raw, layout = aaf5_orders.from_command(command, speech)
        if isinstance(command, c.UpdateStep) and command.step == "chunk":  # its sequence tells which one it is
            return enclose(number, layout.write(raw), sequence=command.number & 0xFF, info=self._info)
        self._note_order(command, raw, aaf5.card_of(text_of(raw_asked.get("card_no", b""))) or "")
        return self._enclose(number, layout.write(raw), asked)

    def _acknowledge(self, command: c.AcknowledgeRecord, at_ms: int | None) -> bytes:
        ref = command.reply_ref
        asked = self._question(self._asked.take(ref or 0))
        if asked is None:
            return b""
        if self._owed.get(command.pile_id) != ref:
            return b""
        del self._owed[command.pile_id]
        if at_ms is not None and at_ms - asked.at_ms > LATE_MS:
            return b""
        number, raw, layout = aaf5_orders.acknowledgement(asked.raw, asked.command, self.profile)
        return self._enclose(number, layout.write(raw), asked)

    def _enclose(self, number: int, body: bytes, asked: _Question | None) -> bytes:
        if asked is not None:
            sequence = asked.sequence
        else:
            sequence = self._sequence
            self._sequence = (self._sequence + 1) & 0xFF
        return enclose(number, body, sequence=sequence, info=self._info)


def _is_sign(frame: bytes) -> bool:
    return (UP, int.from_bytes(frame[6:8], "little")) in FORMS


def _read(frame: bytes, direction: str | None, protocol: str | None, options: frozenset[str]) -> WireFrame:
    return read_frame(frame, direction, profile_named(protocol))


def _learn(wire: WireFrame) -> str | None:
    return f"{NAME}-{by_login(wire.raw)[0]}" if wire.type == 106 and wire.raw is not None else None


AAF5 = Dialect(
    name=NAME,
    start=START,
    framer=lambda direction, most: Framer(KNOWN[direction], most),
    speak=Aaf5Talk,
    is_sign=_is_sign,
    read=_read,
    learn=_learn,
    show=render_fields,
    type_text=str,
    traits=traits_of,
    code_texts=alarm_texts,
    options=frozenset({F26_OPTION, LV34_START_OPTION, PERIODS_OPTION}),
)

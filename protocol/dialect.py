"""What a dialect is to the rest: a set of declarations, mappings and traits, and one conversation per link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from protocol.commands import PileCommand
from protocol.ear import Ear
from protocol.events import FrameRefused, PileEvent, PileLoggedIn
from protocol.framer import Cut, Framer
from protocol.repeats import Shape
from protocol.wire import WireFrame

UP, DOWN = "up", "down"


class Cipher(Protocol):
    """Where an encryption would sit; none is known that could be shipped.

    A body that cannot be decrypted is told by raising a ``ProtocolError``; the frame is then refused with its text.
    """

    def decrypt(self, body: bytes) -> bytes:
        """The plain body."""

    def encrypt(self, body: bytes) -> bytes:
        """The encrypted body."""


class Conversation(Protocol):
    """What one link remembers of its dialect, and its mappings both ways.

    Attributes:
        check: name of the checksum that holds on this link, ``None`` before the first good frame.
        ear: what makes facts of frames that need no more than their table.
    """

    check: str | None
    ear: Ear

    @property
    def options(self) -> frozenset[str]:
        """Deviations of the pile."""

    @options.setter
    def options(self, options: frozenset[str]) -> None: ...

    @property
    def protocol(self) -> str:
        """With its version, such as ``ykc-1.6`` or ``aaf5-sh52``."""

    def hear(self, cut: Cut, at_ms: int) -> PileEvent | FrameRefused:
        """The fact in a whole frame of the pile."""

    def logged_in(self, login: PileLoggedIn) -> None:
        """The login that was heard last is one that this link may take: what it told of the pile holds from now on."""

    def overhear(self, cut: Cut, at_ms: int, pile_id: str) -> PileCommand | FrameRefused:
        """The order or answer in a whole frame that a gateway sent when the log was taken."""

    def say(self, command: PileCommand, at_ms: int | None) -> bytes:
        """The frame of an order or answer; no bytes for an answer that would do harm if it were sent now.

        Raises ``LocalProtocolError`` for what no frame can carry.
        """

    def configure(self, protocol: str | None) -> None:
        """Take the protocol that is configured for this pile or port over whatever the frames suggest."""

    def shape_of(self, frame: bytes) -> Shape | None:
        """What may differ between this frame and one that says the same; ``None`` when it is not remembered."""

    def take_notes(self) -> list[str]:
        """What the log of the link should say once; each is given out once."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What piles of a protocol can and cannot carry; rules ask these, never the name of a dialect.

    Attributes:
        register_decimals: places of its meter registers, kWh; ``None``: the pile's master data say.
        price_decimals: places of the prices that a pile computes with, yuan/kWh.
        has_service_price: whether its tariffs carry the service price.
        periods_max: how many periods a tariff may have in a day.
        amount_total_e4yuan: how far a record's total may lie from its parts, 0.0001 yuan, if more than is configured.
        rates_max: how many rates a tariff may have.
        silence_ms: a pile not heard for so long is offline, if that is longer than configured.
        pile_digits: how many characters of the pile's number a transaction id of this gateway shows.
        names_card_starts: the answer to a card carries a transaction id; otherwise the session goes by its card.
        asks_tariff: piles fetch their tariff; otherwise it is pushed.
        can_ask_record: whether a stored record can be asked for again.
        pace_ms: between two frames to the pile, each in a segment of its own; 0 for none.
        start_drops_record: a start makes the pile forget the record of the connector's last session.
        chunk_bytes_max: bytes of an update that one frame may carry; 0: it takes none in chunks.
        start_deadline_ms: from the order to the first charging sample; ``None``: as configured.
    """

    register_decimals: int | None = None
    price_decimals: int = 5
    has_service_price: bool = True
    periods_max: int = 48
    amount_total_e4yuan: int = 0
    rates_max: int = 4
    silence_ms: int = 0
    pile_digits: int = 14
    names_card_starts: bool = True
    asks_tariff: bool = True
    can_ask_record: bool = False
    start_deadline_ms: int | None = None
    pace_ms: int = 0
    start_drops_record: bool = False
    chunk_bytes_max: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """One protocol.

    Attributes:
        name: what ``protocol`` of a link or a log begins with.
        start: what its frames begin with.
        framer: (direction, most bytes kept) → the framer of one direction of one link.
        speak: (deviations, cipher) → the conversation of a new link.
        is_sign: whether a good frame shows that a link speaks this dialect.
        read: (frame, direction or ``None``, protocol or ``None``, deviations) → the frame on the wire.
        learn: the protocol that a frame on the wire suggests, ``None`` for most frames.
        show: its values as ``decode`` prints them.
        type_text: its type as ``decode`` prints it.
        traits: by protocol, such as ``aaf5-sh52``.
        code_texts: a sample's fault bits in words.
        options: the deviations that a pile of it may have, by name.
    """

    name: str
    start: bytes
    framer: Callable[[str, int], Framer]
    speak: Callable[[frozenset[str], Cipher | None], Conversation]
    is_sign: Callable[[bytes], bool]
    read: Callable[[bytes, str | None, str | None, frozenset[str]], WireFrame]
    learn: Callable[[WireFrame], str | None]
    show: Callable[[WireFrame], dict[str, Any]]
    type_text: Callable[[int], str]
    traits: Callable[[str], Traits]
    code_texts: Callable[[int], list[str]]
    options: frozenset[str] = frozenset()


def refusal(cut: Cut, at_ms: int) -> FrameRefused:
    """Bytes that a framer refused."""
    if cut.reason == "checksum":
        size = len(cut.expected) // 2
        text = f"checksum is {cut.data[-size:].hex().upper()}, expected {cut.expected}"
        text += " (low byte first)" if size > 1 else ""
    else:
        text = f"{len(cut.data)} bytes that belong to no frame"
    return FrameRefused(at_ms, cut.reason, text, cut.data, cut.offset)

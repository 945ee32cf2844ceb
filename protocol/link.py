"""One connection, sans-IO: bytes in, facts out; orders in, bytes out."""

from __future__ import annotations

import dataclasses
from typing import Protocol

from protocol.commands import AnswerHeartbeat, AnswerLogin, PileCommand
from protocol.dialects import ykc, ykc_orders
from protocol.dialects.ykc_frames import FRAMES, KNOWN, UP
from protocol.dialects.ykc_repeats import shape_of
from protocol.dialects.ykc_wire import HIGH_FIRST, LOW_FIRST, NAME, enclose, read_frame
from protocol.errors import ProtocolError
from protocol.events import FrameRefused, HeartbeatReceived, PileEvent, PileLoggedIn
from protocol.framer import Cut, Framer
from protocol.repeats import Repeat, Repeats, Taker
from protocol.transitions import LinkEvent, LinkState, after
from protocol.wire import WireFrame

_TWO_MORE_DECIMALS = 100
_GUN_BYTES_MAX = 1000  # a link may name any number of piles


class Cipher(Protocol):
    """Where an encryption would sit; none is known that could be shipped.

    A body that cannot be decrypted is told by raising a ``ProtocolError``; the frame is then refused with its text.
    """

    def decrypt(self, body: bytes) -> bytes:
        """The plain body."""

    def encrypt(self, body: bytes) -> bytes:
        """The encrypted body."""


class Link:
    """One connection between a pile and a gateway.

    Args:
        max_buffer_bytes: undecoded bytes kept per direction, at least 259.
        options: deviations of the pile, such as ``balance-be``.
        cipher: for piles that encrypt; without one their frames are refused with that reason.
        only_pile: what the transport knows: frames that name another pile are refused and change nothing.
    """

    def __init__(
        self,
        *,
        max_buffer_bytes: int = 4096,
        options: frozenset[str] = frozenset(),
        cipher: Cipher | None = None,
        only_pile: str | None = None,
    ) -> None:
        self.pile_id: str | None = None
        self.protocol = NAME
        self.crc_order: str | None = None
        self.options = options
        self.state = LinkState.CONNECTED
        self._cipher = cipher
        self._only_pile = only_pile
        self._scale = 1
        self._sequence = 0
        self._is_enciphered = False
        self._gun_bytes: dict[tuple[str, int], int] = {}  # (pile, connector) -> the byte, where it is another number
        self._max_buffer_bytes = max_buffer_bytes
        self._heard: list[Cut] = []  # what the last read became, beside the facts
        self._overheard: list[Cut] = []
        self._up = Framer(KNOWN, max_buffer_bytes)
        self._down: Framer | None = None

    @property
    def is_logged_in(self) -> bool:
        """Whether the pile has said who it is, and was not refused."""
        return self.state is LinkState.LOGGED_IN

    @property
    def is_recognised(self) -> bool:
        """Whether a whole frame with a right checksum has shown that the protocol is ours.

        The start byte alone decides nothing: IEC 104 and its relatives begin with 0x68 too.
        """
        return self.crc_order is not None

    @property
    def buffered_bytes(self) -> int:
        """Undecoded bytes that wait for more."""
        return self._up.buffered_bytes

    # -- bytes of the pile ----------------------------------------------------------------------------

    def receive(self, data: bytes, at_ms: int) -> list[PileEvent | FrameRefused]:
        """Take bytes as they came in one read; returns the facts and refusals they complete, in order."""
        self._heard = self._up.feed(data, at_ms)
        return [self._fact(cut, at_ms) for cut in self._heard]

    def remember(self, index: int, fact: PileEvent, taker: Taker) -> None:
        """Let frames that only repeat ``fact`` go to ``taker`` from now on, instead of becoming facts.

        Args:
            index: where ``fact`` stood in what the last ``receive`` returned.
        """
        frame = self._heard[index].data
        shape = None if self._is_enciphered else shape_of(frame)
        if shape is None:
            return
        answer = None
        if isinstance(fact, HeartbeatReceived):
            answer = self.send(AnswerHeartbeat(fact.pile_id, fact.reply_ref, fact.connector))
        _remember(self._up, Repeat(shape, frame, taker, self._scale, answer))

    @property
    def repeats(self) -> Repeats | None:
        """What repeats on this link, once something does."""
        return self._up.repeats

    def _fact(self, cut: Cut, at_ms: int) -> PileEvent | FrameRefused:
        if cut.reason:
            return _refused(cut, at_ms)
        wire = self._decipher(read_frame(cut.data, self.options))
        if self.crc_order is None and wire.direction == UP:  # in an unknown type a checksum may hold by chance
            self.crc_order = HIGH_FIRST if cut.is_high_first else LOW_FIRST
        if wire.error is not None:
            return FrameRefused(at_ms, wire.code or "field", wire.error, cut.data, cut.offset)
        fact = ykc.to_event(wire, at_ms, scale=self._scale, options=self.options)
        if fact is None:
            text = f"type 0x{wire.type:02X} is sent by gateways, not by piles"
            return FrameRefused(at_ms, "unexpected", text, cut.data, cut.offset)
        if self._only_pile is not None and fact.pile_id != self._only_pile:
            text = f"names pile {fact.pile_id} on the link of pile {self._only_pile}"
            return FrameRefused(at_ms, "other_pile", text, cut.data, cut.offset)
        if isinstance(fact, PileLoggedIn):
            self._logged_in(fact, wire)
        elif self.pile_id is None:
            self.pile_id = fact.pile_id
        self._learn_gun(fact.pile_id, wire)
        return fact

    def _learn_gun(self, pile_id: str, wire: WireFrame) -> None:
        byte = wire.raw.get("gun", 0) if wire.raw is not None else 0
        connector = ykc.gun_number(byte)
        if byte != connector and len(self._gun_bytes) < _GUN_BYTES_MAX:
            self._gun_bytes[pile_id, connector] = byte

    def _decipher(self, wire: WireFrame) -> WireFrame:
        if wire.code != "encrypted" or self._cipher is None:
            return wire
        try:
            body = self._cipher.decrypt(wire.body)
            plain = read_frame(enclose(wire.type, body, sequence=wire.sequence), self.options)
        except ProtocolError as error:
            return dataclasses.replace(wire, error=f"encrypted, and not to be decrypted: {error}")
        self._is_enciphered = True
        return plain

    def _logged_in(self, login: PileLoggedIn, wire: WireFrame) -> None:
        assert wire.raw is not None
        self.state = after(self.state, LinkEvent.LOGIN_SEEN)
        self.pile_id = login.pile_id
        self.protocol = login.protocol
        self._scale = _TWO_MORE_DECIMALS if wire.raw["proto_ver_raw"] <= ykc.TWO_DECIMALS_UPTO else 1

    # -- bytes of a gateway, in a log -----------------------------------------------------------------

    def observe_sent(self, data: bytes, at_ms: int) -> list[PileCommand | FrameRefused]:
        """Take bytes that a gateway sent on this link when the log was taken."""
        if self._down is None:
            self._down = Framer(KNOWN, self._max_buffer_bytes)
        orders: list[PileCommand | FrameRefused] = []
        self._overheard = self._down.feed(data, at_ms)
        for cut in self._overheard:
            if cut.reason:
                orders.append(_refused(cut, at_ms))
                continue
            wire = self._decipher(read_frame(cut.data, self.options))
            order = None if wire.error is not None else ykc_orders.to_command(wire, self.pile_id or "")
            if order is None:
                text = wire.error or _no_order(wire)
                orders.append(FrameRefused(at_ms, wire.code or "unexpected", text, cut.data, cut.offset))
                continue
            if isinstance(order, AnswerLogin) and not order.is_accepted:
                self.state = after(self.state, LinkEvent.LOGIN_REFUSED)
            orders.append(order)
        return orders

    def remember_sent(self, index: int, taker: Taker) -> None:
        """Let frames that only repeat the order or answer at ``index`` of the last ``observe_sent`` go to ``taker``."""
        frame = self._overheard[index].data
        shape = shape_of(frame)
        if shape is not None and self._down is not None:
            _remember(self._down, Repeat(shape, frame, taker))

    # -- bytes to the pile ----------------------------------------------------------------------------

    def send(self, command: PileCommand) -> bytes:
        """The bytes of an order or answer, in the byte order of checksums that the pile uses.

        An answer repeats the sequence of what it answers; orders count from 0. A connector is called by the byte that
        the pile itself calls it by: 0x0A or 0x10 for the tenth.
        Raises ``LocalProtocolError`` for what no frame can carry.
        """
        kind, raw, layout = ykc_orders.from_command(command, self.options)
        if "gun" in raw:
            raw["gun"] = self._gun_bytes.get((command.pile_id, raw["gun"]), raw["gun"])
        body = (layout or FRAMES[kind][1]).write(raw)
        if isinstance(command, AnswerLogin) and not command.is_accepted:
            self.state = after(self.state, LinkEvent.LOGIN_REFUSED)
        if command.reply_ref is not None:
            sequence = command.reply_ref
        else:
            sequence = self._sequence
            self._sequence = (self._sequence + 1) & 0xFFFF
        enc = 0
        if self._is_enciphered and self._cipher is not None:
            body, enc = self._cipher.encrypt(body), 1
        return enclose(kind, body, sequence=sequence, crc=self.crc_order or LOW_FIRST, enc=enc)


def _remember(framer: Framer, repeat: Repeat) -> None:
    if framer.repeats is None:
        framer.repeats = Repeats()
    framer.repeats.remember(repeat)


def _no_order(wire: WireFrame) -> str:
    if wire.direction == UP:
        return f"type 0x{wire.type:02X} is sent by piles, not by gateways"
    return f"no order can be read from type 0x{wire.type:02X}: its time cannot be decoded"


def _refused(cut: Cut, at_ms: int) -> FrameRefused:
    if cut.reason == "checksum":
        text = f"checksum is {cut.data[-2:].hex().upper()}, expected {cut.expected} (low byte first)"
    else:
        text = f"{len(cut.data)} bytes that belong to no frame"
    return FrameRefused(at_ms, cut.reason, text, cut.data, cut.offset)

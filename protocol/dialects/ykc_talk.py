"""YKC on one link: the byte order of checksums, sequence numbers, and how many decimals the pile's version has."""

from __future__ import annotations

import dataclasses

from protocol import commands as c
from protocol.dialect import UP, Cipher, Dialect, Traits
from protocol.dialects import ykc, ykc_orders
from protocol.dialects.ykc_codes import fault_texts
from protocol.dialects.ykc_frames import FRAMES, KNOWN
from protocol.dialects.ykc_repeats import shape_of
from protocol.dialects.ykc_wire import HIGH_FIRST, LOW_FIRST, NAME, enclose, read_frame, render_fields
from protocol.ear import Ear
from protocol.errors import ProtocolError
from protocol.events import FrameRefused, PileEvent, PileLoggedIn
from protocol.framer import Cut, Framer
from protocol.repeats import Shape
from protocol.wire import WireFrame

_GUN_BYTES_MAX = 1000  # a link may name any number of piles


class YkcTalk:
    """The conversation of one link.

    Args:
        options: deviations of the pile, such as ``balance-be``.
        cipher: for piles that encrypt; without one their frames are refused with that reason.
    """

    def __init__(self, options: frozenset[str] = frozenset(), cipher: Cipher | None = None) -> None:
        self.protocol = NAME
        self.check: str | None = None
        self._options = options
        self._facts = ykc.facts_of(options)
        self.ear = Ear(self._facts)
        self._cipher = cipher
        self._told_scale = 1
        self._sequence = 0
        self._is_enciphered = False
        self._gun_bytes: dict[tuple[str, int], int] = {}  # (pile, connector) -> the byte, where it is another number

    @property
    def options(self) -> frozenset[str]:
        """Deviations of the pile."""
        return self._options

    @options.setter
    def options(self, options: frozenset[str]) -> None:
        self._options = options
        self._facts = self.ear.facts = ykc.facts_of(options)

    def configure(self, protocol: str | None) -> None:
        """Every YKC pile says its version at login; there is nothing to configure."""

    def shape_of(self, frame: bytes) -> Shape | None:
        """What may differ between this frame and one that says the same."""
        return None if self._is_enciphered else shape_of(frame)

    def take_notes(self) -> list[str]:
        """Nothing is uncertain."""
        return []

    def hear(self, cut: Cut, at_ms: int) -> PileEvent | FrameRefused:
        """The fact in a whole frame of the pile."""
        frame = cut.data
        fact = self._fact(frame, at_ms)
        if fact is None:
            wire = read_frame(frame, self.options)
            wire, frame = self._decipher(wire, frame)
            self._learn_check(cut, wire.direction)
            if wire.error is not None:
                return FrameRefused(at_ms, wire.code or "field", wire.error, cut.data, cut.offset)
            fact = self._fact(frame, at_ms)
            if fact is None:
                text = f"type 0x{wire.type:02X} is sent by gateways, not by piles"
                return FrameRefused(at_ms, "unexpected", text, cut.data, cut.offset)
        self._learn_check(cut, UP)
        if isinstance(fact, PileLoggedIn):
            self._told_scale = ykc.scale_of(frame)
        self._learn_gun(fact.pile_id, self._facts.speaker_of(frame))
        return fact

    def _fact(self, frame: bytes, at_ms: int) -> PileEvent | None:
        fact: PileEvent | None = self._facts.read(frame, at_ms, self.ear.scale)
        return fact

    def logged_in(self, login: PileLoggedIn) -> None:
        """The version in the login says how many decimals the pile's numbers have."""
        self.protocol = login.protocol
        self.ear.scale = self._told_scale

    def _learn_check(self, cut: Cut, direction: str | None) -> None:
        """In an unknown type a checksum may hold by chance."""
        if self.check is None and direction == UP:
            self.check = HIGH_FIRST if cut.is_high_first else LOW_FIRST

    def _learn_gun(self, pile_id: str, speaker: bytes) -> None:
        byte = ykc.gun_byte(speaker)
        connector = ykc.gun_number(byte)
        if byte != connector and len(self._gun_bytes) < _GUN_BYTES_MAX:
            self._gun_bytes[pile_id, connector] = byte

    def _decipher(self, wire: WireFrame, frame: bytes) -> tuple[WireFrame, bytes]:
        """A frame and its bytes in clear, or with what stands against that."""
        if wire.code != "encrypted" or self._cipher is None:
            return wire, frame
        try:
            frame = enclose(wire.type, self._cipher.decrypt(wire.body), sequence=wire.sequence)
            plain = read_frame(frame, self.options)
        except ProtocolError as error:
            return dataclasses.replace(wire, error=f"encrypted, and not to be decrypted: {error}"), frame
        self._is_enciphered = True
        return plain, frame

    def overhear(self, cut: Cut, at_ms: int, pile_id: str) -> c.PileCommand | FrameRefused:
        """The order or answer in a whole frame that a gateway sent."""
        wire, _ = self._decipher(read_frame(cut.data, self.options), cut.data)
        order = None if wire.error is not None else ykc_orders.to_command(wire, pile_id)
        if order is None:
            text = wire.error or _no_order(wire)
            return FrameRefused(at_ms, wire.code or "unexpected", text, cut.data, cut.offset)
        return order

    def say(self, command: c.PileCommand, at_ms: int | None = None) -> bytes:
        """The frame, in the byte order of checksums that the pile uses.

        An answer repeats the sequence of what it answers; orders count from 0. A connector is called by the byte that
        the pile itself calls it by: 0x0A or 0x10 for the tenth.
        """
        kind, raw, layout = ykc_orders.from_command(command, self.options)
        if "gun" in raw:
            raw["gun"] = self._gun_bytes.get((command.pile_id, raw["gun"]), raw["gun"])
        body = (layout or FRAMES[kind][1]).write(raw)
        if command.reply_ref is not None:
            sequence = command.reply_ref
        else:
            sequence = self._sequence
            self._sequence = (self._sequence + 1) & 0xFFFF
        enc = 0
        if self._is_enciphered and self._cipher is not None:
            body, enc = self._cipher.encrypt(body), 1
        return enclose(kind, body, sequence=sequence, crc=self.check or LOW_FIRST, enc=enc)


def _no_order(wire: WireFrame) -> str:
    if wire.direction == UP:
        return f"type 0x{wire.type:02X} is sent by piles, not by gateways"
    return f"no order can be read from type 0x{wire.type:02X}: its time cannot be decoded"


def _is_sign(frame: bytes) -> bool:
    return frame[5] in FRAMES and FRAMES[frame[5]][0] == UP


def _read(frame: bytes, direction: str | None, protocol: str | None, options: frozenset[str]) -> WireFrame:
    return read_frame(frame, options)


_TRAITS = Traits()

YKC = Dialect(
    name=NAME,
    start=b"\x68",
    framer=lambda direction, most: Framer(KNOWN, most),
    speak=YkcTalk,
    is_sign=_is_sign,
    read=_read,
    learn=lambda wire: None,
    show=render_fields,
    type_text=lambda kind: f"0x{kind:02X}",
    traits=lambda protocol: _TRAITS,
    code_texts=fault_texts,
    options=frozenset({"balance-be", "fault-bit1-at-2", "five-rate"}),
)

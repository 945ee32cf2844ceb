"""Packets of libpcap and pcapng files, streamed.

Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gateway.framelog.lines import LogDamage

_PCAP_MAGICS = {  # first four bytes -> (byte order, nanoseconds per unit of the fraction)
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
MAGICS = (*_PCAP_MAGICS, _PCAPNG_MAGIC)
FILE_HEADER_BYTES = 24
_RECORD_HEADER_BYTES = 16
_LINK_TYPE_BITS = 0x03FFFFFF  # above them stands the length of the frame check sequence
PACKET_BYTES_MAX = 16 << 20  # more is a damaged length, whatever the snap length says

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_OPTION_RESOLUTION, _OPTION_OFFSET = 9, 14
_MICROSECONDS = 6


class Packet(NamedTuple):
    """One captured packet.

    Attributes:
        at_ns: Unix nanoseconds.
        link_type: of its first header, a LINKTYPE_ number.
        data: the bytes captured.
        size: bytes the packet had on the wire; more than ``data`` holds when the snap length cut it.
        position: byte offset of its record in the file.
    """

    at_ns: int
    link_type: int
    data: bytes
    size: int
    position: int


class _Interface(NamedTuple):
    link_type: int
    units_per_s: int
    offset_s: int
    snap_bytes: int


def packets(source: str, chunks: Iterable[bytes]) -> Iterator[Packet | LogDamage]:
    """The packets of a capture file up to its end or its first damage, which is then the last thing told.

    Args:
        source: the file's name.
        chunks: its bytes.
    """
    stream = iter(chunks)
    head = b""
    while len(head) < FILE_HEADER_BYTES and (chunk := next(stream, b"")):
        head += chunk
    if head.startswith(_PCAPNG_MAGIC):
        yield from _pcapng(source, head, stream)
    elif len(head) < FILE_HEADER_BYTES:
        yield LogDamage(source, 0, f"the file header is cut off: {len(head)} of {FILE_HEADER_BYTES} bytes")
    elif head[:4] in _PCAP_MAGICS:
        yield from _pcap(source, head, stream)
    else:
        yield LogDamage(source, 0, "not a capture file")


def _pcap(source: str, head: bytes, stream: Iterator[bytes]) -> Iterator[Packet | LogDamage]:
    order, unit_ns = _PCAP_MAGICS[head[:4]]
    link_type = struct.unpack_from(order + "I", head, 20)[0] & _LINK_TYPE_BITS
    unpack = struct.Struct(order + "IIII").unpack_from
    make = tuple.__new__
    buffer, base, at = head, 0, FILE_HEADER_BYTES
    while True:
        end = len(buffer)
        while at + _RECORD_HEADER_BYTES <= end:
            seconds, fraction, held, size = unpack(buffer, at)
            if held > PACKET_BYTES_MAX:
                yield LogDamage(source, base + at, f"a packet of {held} bytes cannot be")
                return
            behind = at + _RECORD_HEADER_BYTES + held
            if behind > end:
                break
            data = buffer[at + _RECORD_HEADER_BYTES : behind]
            at_ns = seconds * 1_000_000_000 + fraction * unit_ns
            yield make(Packet, (at_ns, link_type, data, size, base + at))
            at = behind
        chunk = next(stream, b"")
        if not chunk:
            break
        base += at
        buffer, at = buffer[at:] + chunk, 0
    if at < end:
        yield LogDamage(source, base + at, f"the last packet is cut off: only {end - at} bytes of it are there")


def _pcapng(source: str, head: bytes, stream: Iterator[bytes]) -> Iterator[Packet | LogDamage]:
    order = "<"
    interfaces: list[_Interface] = []
    buffer, base, at = head, 0, 0
    while True:
        while at + 12 <= len(buffer):
            if buffer[at : at + 4] == _PCAPNG_MAGIC:
                order = "<" if buffer[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
                interfaces = []
            kind, length = struct.unpack_from(order + "II", buffer, at)
            if length < 12 or length % 4 or length > PACKET_BYTES_MAX:
                yield LogDamage(source, base + at, f"a block of {length} bytes cannot be")
                return
            if at + length > len(buffer):
                break
            block = buffer[at + 8 : at + length - 4]
            if struct.unpack_from(order + "I", buffer, at + length - 4)[0] != length:
                yield LogDamage(source, base + at, "a block's two lengths differ")
                return
            try:
                packet = _block(kind, block, order, interfaces, base + at)
            except (struct.error, IndexError):
                yield LogDamage(source, base + at, f"a block of type {kind} does not hold what it must")
                return
            if packet is not None:
                yield packet
            at += length
        chunk = next(stream, b"")
        if not chunk:
            break
        base += at
        buffer, at = buffer[at:] + chunk, 0
    if at < len(buffer):
        left = len(buffer) - at
        yield LogDamage(source, base + at, f"the last block is cut off: only {left} bytes of it are there")


def _block(kind: int, block: bytes, order: str, interfaces: list[_Interface], position: int) -> Packet | None:
    """The packet in a block, if it holds one; a described interface is added to ``interfaces``.

    Raises ``struct.error`` or ``IndexError`` when the block does not hold what its type asks for.
    """
    if kind == _INTERFACE:
        interfaces.append(_interface(block, order))
        return None
    if kind == _SIMPLE:
        interface = interfaces[0]
        (size,) = struct.unpack_from(order + "I", block)
        held = min(size, interface.snap_bytes or size)
        return Packet(0, interface.link_type, block[4 : 4 + held], size, position)
    if kind == _ENHANCED:
        number, high, low, held, size = struct.unpack_from(order + "IIIII", block)
    elif kind == _OLD_PACKET:
        number, _, high, low, held, size = struct.unpack_from(order + "HHIIII", block)
    else:
        return None
    interface = interfaces[number]
    units = high << 32 | low
    at_ns = units * 1_000_000_000 // interface.units_per_s + interface.offset_s * 1_000_000_000
    if 20 + held > len(block):
        raise IndexError(held)
    return Packet(at_ns, interface.link_type, block[20 : 20 + held], size, position)


def _interface(block: bytes, order: str) -> _Interface:
    link_type, _, snap_bytes = struct.unpack_from(order + "HHI", block)
    units_per_s, offset_s, at = 10**_MICROSECONDS, 0, 8
    while at + 4 <= len(block):
        code, length = struct.unpack_from(order + "HH", block, at)
        if code == _OPTION_RESOLUTION:
            exponent = block[at + 4]
            units_per_s = 2 ** (exponent & 0x7F) if exponent & 0x80 else 10**exponent
        elif code == _OPTION_OFFSET:
            (offset_s,) = struct.unpack_from(order + "q", block, at + 4)
        at += 4 + (length + 3) // 4 * 4
    return _Interface(link_type, units_per_s, offset_s, snap_bytes)

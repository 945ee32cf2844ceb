"""The daemon's own capture: what a record holds, both ways.

A capture is a libpcap file with nanosecond magic and link type USER0. Every record begins with a
pseudo-header::

    version (1) | kind (1) | protocol (1) | restated (1) | link number (4, little-endian)

Behind it stand the bytes of one read or write; for an opened link its name, for a closed one the reason, for
lost records how that came. A file that continues another one *restates* the links which were open, so that it
can be read alone; a restated link is not a new connection.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from gateway.framelog.lines import LogDamage, LogLine
from gateway.framelog.pcapfile import Packet
from gateway.framelog.records import KINDS, LOST, PAYLOAD_BYTES_MAX, PROTOCOLS, VERSION, pack, pack_record

__all__ = [
    "KINDS",
    "LOST",
    "PAYLOAD_BYTES_MAX",
    "PROTOCOLS",
    "USER0",
    "VERSION",
    "file_header",
    "pack",
    "pack_record",
    "read_capture",
]

USER0 = 147
_PROTOCOL_NAMES = {code: name for name, code in PROTOCOLS.items()}
_DOWN, _OPEN, _CLOSE = 1, 2, 3
_PSEUDO_BYTES = 8
_pseudo = struct.Struct("<BBBBI").unpack_from
_make = tuple.__new__


def file_header() -> bytes:
    """What a capture file begins with, 24 bytes."""
    return struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, USER0)


def read_capture(source: str, found: Iterator[Packet | LogDamage]) -> Iterator[LogLine | LogDamage]:
    """The lines in a capture's packets.

    Args:
        source: the file's name.
        found: its packets, of link type USER0.
    """
    names: dict[int, str] = {}
    for packet in found:
        if isinstance(packet, LogDamage):
            yield packet
            continue
        at_ns, _, data, size, position = packet
        if len(data) < _PSEUDO_BYTES or data[0] != VERSION or data[1] > LOST or size != len(data):
            yield LogDamage(source, position, "not a record of ours: its pseudo-header is wrong")
            continue
        _, code, spoken, is_restated, link_no = _pseudo(data)
        payload = data[_PSEUDO_BYTES:]
        if code > _DOWN:
            if code == LOST:
                yield LogDamage(source, position, payload.decode(errors="replace"))
                continue
            if code == _OPEN:
                names[link_no] = payload.decode(errors="replace")
                if is_restated:
                    continue
            payload = b""
        link = (names.pop if code == _CLOSE else names.get)(link_no, None) or f"link-{link_no}"
        protocol = _PROTOCOL_NAMES.get(spoken)
        yield _make(LogLine, (at_ns // 1_000_000, link, KINDS[code], payload, protocol, source, position, True))

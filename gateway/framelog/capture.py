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

from gateway.framelog.lines import Kind, LogDamage, LogLine
from gateway.framelog.pcapfile import Packet

USER0 = 147
VERSION = 1
LOST = 4
KINDS = ("up", "down", "open", "close")
PROTOCOLS = {None: 0, "ykc": 1, "aaf5": 2, "iec104": 3}
PAYLOAD_BYTES_MAX = 128 << 10  # Wireshark takes packets up to 256 KiB
_KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}
_PROTOCOL_NAMES = {code: name for name, code in PROTOCOLS.items()}
_DOWN, _OPEN, _CLOSE = 1, 2, 3
_PSEUDO_BYTES = 8
_RECORD = struct.Struct("<IIIIBBBBI")
_pseudo = struct.Struct("<BBBBI").unpack_from
_make = tuple.__new__


def file_header() -> bytes:
    """What a capture file begins with, 24 bytes."""
    return struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, USER0)


def pack_record(
    at_ms: int, link_no: int, kind: int, data: bytes, protocol: int = 0, *, is_restated: bool = False
) -> bytes:
    """One record.

    Args:
        at_ms: Unix milliseconds.
        link_no: the link's number, unique in the daemon's life.
        kind: index in ``KINDS``, or ``LOST``.
        data: at most ``PAYLOAD_BYTES_MAX`` bytes.
        protocol: its number in ``PROTOCOLS``.
        is_restated: for an ``open`` that only repeats one of the file before.
    """
    size = _PSEUDO_BYTES + len(data)
    seconds, millis = divmod(at_ms, 1000)
    head = _RECORD.pack(
        seconds & 0xFFFFFFFF, millis * 1_000_000, size, size, VERSION, kind, protocol, is_restated, link_no
    )
    return head + data


def pack(at_ms: int, link_no: int, kind: Kind, data: bytes, protocol: str | None = None) -> bytes:
    """One read, write, opening or closing as one record, or several when it holds very many bytes.

    Raises ``KeyError`` for a kind or protocol that captures have no number for.
    """
    code, spoken = _KIND_CODES[kind], PROTOCOLS[protocol]
    if len(data) <= PAYLOAD_BYTES_MAX:
        return pack_record(at_ms, link_no, code, data, spoken)
    parts = range(0, len(data), PAYLOAD_BYTES_MAX)
    return b"".join(pack_record(at_ms, link_no, code, data[at : at + PAYLOAD_BYTES_MAX], spoken) for at in parts)


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

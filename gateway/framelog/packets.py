"""Link, IP and TCP headers of a captured packet."""

from __future__ import annotations

import struct
from typing import NamedTuple

from gateway.framelog.pcapfile import Packet

NULL, ETHERNET, RAW, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2 = 0, 1, 101, 108, 113, 228, 229, 276
_RAW_TYPES = frozenset((RAW, IPV4, IPV6, 12, 14))  # 12 and 14: what some BSDs write for raw IP
LINK_TYPES = frozenset((NULL, ETHERNET, LOOP, LINUX_SLL, LINUX_SLL2)) | _RAW_TYPES
_VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
_ETHER_IPV4, _ETHER_IPV6 = 0x0800, 0x86DD
_TCP, _FRAGMENT = 6, 44
_EXTENSIONS = frozenset((0, 43, 44, 60))  # hop by hop, routing, fragment, destination
_MORE_OR_OFFSET = 0x3FFF

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


class Segment(NamedTuple):
    """One TCP segment.

    Attributes:
        source, target: (address bytes, port) of the two ends.
        sequence, acknowledged: of the header, 32 bits.
        flags: ``FIN``, ``SYN``, ``RST``, ``ACK``.
        data: payload as far as it was captured.
        missing_bytes: of the payload, cut off by the snap length.
    """

    source: tuple[bytes, int]
    target: tuple[bytes, int]
    sequence: int
    acknowledged: int
    flags: int
    data: bytes
    missing_bytes: int


def segment_of(packet: Packet) -> Segment | str | None:
    """The TCP segment in a packet; ``None`` for other traffic, a reason when its TCP cannot be read."""
    try:
        return _network(packet.data, packet.link_type, packet.size)
    except (struct.error, IndexError):
        if packet.size > len(packet.data):
            return f"the snap length cut a packet of {packet.size} bytes within its headers"
        return None


def _network(data: bytes, link_type: int, size: int) -> Segment | str | None:
    at = _network_at(data, link_type)
    if at < 0:
        return None
    version = data[at] >> 4
    if version == 4:
        return _ipv4(data, at, size)
    if version == 6:
        return _ipv6(data, at, size)
    return None


def _network_at(data: bytes, link_type: int) -> int:
    """Where the IP header begins, -1 when the packet carries something else."""
    if link_type in _RAW_TYPES:
        return 0
    if link_type == ETHERNET:
        at = 12
    elif link_type == LINUX_SLL:
        at = 14
    elif link_type == LINUX_SLL2:
        return 20 if int.from_bytes(data[:2], "big") in (_ETHER_IPV4, _ETHER_IPV6) else -1
    else:
        return 4
    kind = data[at] << 8 | data[at + 1]
    while kind in _VLAN_TAGS:
        at += 4
        kind = data[at] << 8 | data[at + 1]
    return at + 2 if kind in (_ETHER_IPV4, _ETHER_IPV6) else -1


def _ipv4(data: bytes, at: int, size: int) -> Segment | str | None:
    length, _, fragment = struct.unpack_from(">HHH", data, at + 2)
    if data[at + 9] != _TCP:
        return None
    if fragment & _MORE_OR_OFFSET:
        return "a TCP segment in IP fragments is not put together"
    head = (data[at] & 0x0F) * 4
    # A length of 0 is what offloading to the network card leaves.
    end = at + length if length else size
    return _tcp(data, at + head, end, data[at + 12 : at + 16], data[at + 16 : at + 20])


def _ipv6(data: bytes, at: int, size: int) -> Segment | str | None:
    (length,) = struct.unpack_from(">H", data, at + 4)
    kind = data[at + 6]
    behind = at + 40
    end = behind + length if length else size
    is_fragment = False
    while kind in _EXTENSIONS:
        if kind == _FRAGMENT:
            is_fragment = bool((data[behind + 2] << 8 | data[behind + 3]) & 0xFFF9)
            step = 8
        else:
            step = (data[behind + 1] + 1) * 8
        kind = data[behind]
        behind += step
    if kind != _TCP:
        return None
    if is_fragment:
        return "a TCP segment in IP fragments is not put together"
    return _tcp(data, behind, end, data[at + 8 : at + 24], data[at + 24 : at + 40])


def _tcp(data: bytes, at: int, end: int, source: bytes, target: bytes) -> Segment:
    source_port, target_port, sequence, acknowledged, offset, flags = struct.unpack_from(">HHIIBB", data, at)
    begin = at + (offset >> 4) * 4
    payload = data[begin:end] if end > begin else b""
    missing_bytes = max(0, end - max(begin, len(data)))
    return Segment((source, source_port), (target, target_port), sequence, acknowledged, flags, payload, missing_bytes)

"""The libpcap file form: one header, then records. Read as a stream, up to the damage."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
NANO_MAGIC = 0xA1B23C4D
MICRO_MAGIC = 0xA1B2C3D4
_RECORD_BYTES_MAX = 1 << 20
_HEADER = struct.Struct("<IHHiIII")


@dataclass(frozen=True, slots=True)
class Packet:
    """One record: when (ns since 1970), its bytes, how long it was on the wire, where it stands in the file."""

    at_ns: int
    data: bytes
    wire_bytes: int
    position: int


class PcapDamage(Exception):
    """The file cannot be read further; ``position`` says where."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


def _order(head: bytes) -> tuple[str, int] | None:
    """(byte order, ns per unit of the fraction) of a pcap header, or ``None``."""
    for order in "<>":
        if len(head) >= 4:
            magic = struct.unpack_from(order + "I", head)[0]
            if magic == NANO_MAGIC:
                return order, 1
            if magic == MICRO_MAGIC:
                return order, 1000
    return None


def is_pcap(head: bytes) -> bool:
    """Whether a file that begins like this is a libpcap file."""
    return _order(head) is not None


def link_type_of(head: bytes) -> int | None:
    """The link type in a pcap header, or ``None`` when it is too short."""
    found = _order(head)
    if found is None or len(head) < 24:
        return None
    return int(struct.unpack_from(found[0] + "I", head, 20)[0]) & 0x0FFFFFFF


def file_header(link_type: int, snap_bytes: int = 262_144) -> bytes:
    """The header of a nanosecond pcap file."""
    return _HEADER.pack(NANO_MAGIC, 2, 4, 0, 0, snap_bytes, link_type)


def record(at_ns: int, data: bytes) -> bytes:
    """One record, whole."""
    seconds, nanos = divmod(at_ns, 1_000_000_000)
    return struct.pack("<IIII", seconds, nanos, len(data), len(data)) + data


def read_packets(stream: BinaryIO) -> Iterator[Packet]:
    """The records of a pcap file. Raises ``PcapDamage`` where it is cut off or nonsense."""
    head = stream.read(24)
    found = _order(head)
    if found is None or len(head) < 24:
        raise PcapDamage(0, "the pcap header is cut off")
    order, unit_ns = found
    shape = struct.Struct(order + "IIII")
    position = 24
    while True:
        header = stream.read(16)
        if not header:
            return
        if len(header) < 16:
            raise PcapDamage(position, f"a record header is cut off after {len(header)} of 16 bytes")
        seconds, fraction, kept, wire = shape.unpack(header)
        if kept > _RECORD_BYTES_MAX:
            raise PcapDamage(position, f"a record claims {kept} bytes, which cannot be")
        data = stream.read(kept)
        if len(data) < kept:
            raise PcapDamage(position, f"a record is cut off after {len(data)} of {kept} bytes")
        yield Packet(seconds * 1_000_000_000 + fraction * unit_ns, data, wire, position)
        position += 16 + kept

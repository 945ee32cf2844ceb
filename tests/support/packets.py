"""Captures of network traffic, made by hand with ``struct``."""

import struct
from ipaddress import ip_address

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
PILE = ("10.0.0.5", 40001)
GATEWAY = ("10.0.0.1", 8767)


def tcp(source, target, sequence, data=b"", *, flags=PSH | ACK, ack=0, pad=0):
    """An IP packet with one TCP segment; ``sequence`` and ``ack`` wrap."""
    header = struct.pack(">HHIIBBHHH", source[1], target[1], sequence % 2**32, ack % 2**32, 0x60, flags, 1024, 0, 0)
    segment = header + bytes(4) + data  # one word of options
    one, other = ip_address(source[0]), ip_address(target[0])
    if one.version == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0x4000, 64, 6, 0)
    else:
        head = struct.pack(">IHBB", 0x60000000, 8 + len(segment), 0, 64)
        segment = bytes([6, 0, 1, 4, 0, 0, 0, 0]) + segment  # a hop-by-hop header before it
    return head + one.packed + other.packed + segment + bytes(pad)


def ethernet(packet, *, vlan=False):
    kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    return bytes(12) + (b"\x81\x00\x00\x05" if vlan else b"") + kind + packet


def cooked(packet):
    return bytes(14) + (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet


def cooked2(packet):
    return (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + bytes(18) + packet


def bsd_null(packet):
    return b"\x02\0\0\0" + packet


def pcap(packets, *, link_type=101, order="<", is_nano=False, snap=262_144):
    """A libpcap file of (milliseconds, bytes)."""
    magic = 0xA1B23C4D if is_nano else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link_type)]
    for at_ms, data in packets:
        fraction = at_ms % 1000 * (1_000_000 if is_nano else 1000)
        held = data[:snap]
        parts.append(struct.pack(order + "IIII", at_ms // 1000, fraction, len(held), len(data)) + held)
    return b"".join(parts)


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(packets, *, link_type=101, order="<", resolution=6, offset_s=0, snap=0):
    """A pcapng file of (milliseconds, bytes), one interface."""
    section = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = struct.pack(order + "HHBxxx", 9, 1, resolution)
    if offset_s:
        options += struct.pack(order + "HHq", 14, 8, offset_s)
    options += struct.pack(order + "HH", 0, 0)
    parts = [section, block(order, 1, struct.pack(order + "HHI", link_type, 0, snap) + options)]
    per_s = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    for at_ms, data in packets:
        units = (at_ms - offset_s * 1000) * per_s // 1000
        head = struct.pack(order + "IIIII", 0, units >> 32, units & 0xFFFFFFFF, len(data), len(data))
        parts.append(block(order, 6, head + data))
        parts.append(block(order, 5, bytes(12)))  # statistics: passed over
    return b"".join(parts)

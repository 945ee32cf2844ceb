"""tcpdump captures: packets to TCP streams to lines, with a bounded memory.

Ethernet (with VLAN tags), Linux cooked v1 and v2, and raw IP, in pcap and pcapng. Packet headers are read by dpkt;
the order of bytes within a stream is put right here, because a lost segment must cost a gap and not the stream.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import dpkt

from gateway.framelog import pcapfile
from gateway.framelog.lines import LogDamage, LogLine

_ETHERNET, _RAW, _RAW_BSD, _LINUX_SLL, _LINUX_SLL2, _NULL, _IPV4, _IPV6 = 1, 101, 12, 113, 276, 0, 228, 229
_WAITING_BYTES_MAX = 1 << 20
_GAP_NS_MAX = 5_000_000_000
_SEQUENCE = 1 << 32


@dataclass(slots=True)
class _Direction:
    """One direction of one connection: the next sequence number, and segments that came too early."""

    expected: int | None = None
    waiting: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    waiting_bytes: int = 0


@dataclass(slots=True)
class _Stream:
    """One connection; ``client`` is the pile's side once it is known."""

    name: str
    client: tuple[str, int] | None
    sides: dict[tuple[str, int], _Direction] = field(default_factory=dict)
    is_closed: bool = False
    held: list[tuple[int, tuple[str, int], bytes, int]] = field(default_factory=list)


def read_tcpdump(stream: BinaryIO, source: str, pile_ports: tuple[int, ...]) -> Iterator[LogLine | LogDamage]:
    """The lines of a tcpdump capture, up to the damage."""
    reassembly = _Reassembly(source, pile_ports)
    try:
        for at_ns, link_type, data, wire_bytes, position in _packets(stream):
            if len(data) < wire_bytes:
                yield LogDamage(source, position, f"the packet was cut to {len(data)} of {wire_bytes} bytes (snaplen)")
            yield from reassembly.take(at_ns, link_type, data, position)
    except pcapfile.PcapDamage as damage:
        yield LogDamage(source, damage.position, damage.reason)
    yield from reassembly.finish()


def _packets(stream: BinaryIO) -> Iterator[tuple[int, int, bytes, int, int]]:
    """(ns, link type, bytes, length on the wire, position) of every packet."""
    head = stream.peek(64)[:64]  # type: ignore[attr-defined]
    if pcapfile.is_pcap(head):
        link_type = pcapfile.link_type_of(head)
        if link_type is None:
            raise pcapfile.PcapDamage(0, "the pcap header is cut off")
        for packet in pcapfile.read_packets(stream):
            yield packet.at_ns, link_type, packet.data, packet.wire_bytes, packet.position
        return
    position = 0
    try:
        reader = dpkt.pcapng.Reader(stream)
        for at_s, data in reader:
            # dpkt hands out seconds as a float or decimal; microseconds survive it
            yield round(float(at_s) * 1_000_000) * 1000, reader.datalink(), data, len(data), position
            position += len(data)
    except (ValueError, dpkt.dpkt.Error, EOFError) as error:
        raise pcapfile.PcapDamage(position, f"pcapng: {error}") from error


def _segment(link_type: int, data: bytes) -> tuple[tuple[str, int], tuple[str, int], dpkt.tcp.TCP] | None:
    """(source, destination, TCP segment) of a packet; ``None`` for everything else."""
    try:
        packet = _ip_of(link_type, data)
        if not isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6) or not isinstance(packet.data, dpkt.tcp.TCP):
            return None
    except (dpkt.dpkt.Error, IndexError, ValueError):
        return None
    segment = packet.data
    source = (str(ipaddress.ip_address(packet.src)), segment.sport)
    return source, (str(ipaddress.ip_address(packet.dst)), segment.dport), segment


def _ip_of(link_type: int, data: bytes) -> object:
    if link_type == _ETHERNET:
        return dpkt.ethernet.Ethernet(data).data
    if link_type == _LINUX_SLL:
        return dpkt.sll.SLL(data).data
    if link_type == _LINUX_SLL2:
        return dpkt.sll2.SLL2(data).data
    if link_type == _NULL:
        return dpkt.loopback.Loopback(data).data
    if link_type in (_RAW, _RAW_BSD, _IPV4, _IPV6):
        return dpkt.ip6.IP6(data) if data[0] >> 4 == 6 else dpkt.ip.IP(data)
    raise ValueError(f"link type {link_type}")


class _Reassembly:
    """All connections of one capture."""

    def __init__(self, source: str, pile_ports: tuple[int, ...]) -> None:
        self._source = source
        self._pile_ports = pile_ports
        self._streams: dict[frozenset[tuple[str, int]], _Stream] = {}
        self._has_told_link_type = False

    def take(self, at_ns: int, link_type: int, data: bytes, position: int) -> Iterator[LogLine | LogDamage]:
        """One packet."""
        known = (_ETHERNET, _RAW, _RAW_BSD, _LINUX_SLL, _LINUX_SLL2, _NULL, _IPV4, _IPV6)
        if link_type not in known:
            if not self._has_told_link_type:
                self._has_told_link_type = True
                yield LogDamage(self._source, position, f"link type {link_type} is not supported")
            return
        found = _segment(link_type, data)
        if found is None:
            return
        sender, receiver, segment = found
        if self._pile_ports and sender[1] not in self._pile_ports and receiver[1] not in self._pile_ports:
            return
        key = frozenset((sender, receiver))
        is_syn = bool(segment.flags & dpkt.tcp.TH_SYN)
        stream = self._streams.get(key)
        if stream is None or (is_syn and not segment.flags & dpkt.tcp.TH_ACK and _is_new(stream, sender, segment)):
            if stream is not None:
                yield from self._close(stream, at_ns, position)
            stream = self._streams[key] = self._begin(sender, receiver, segment)
            if stream.client is not None:
                yield self._line(at_ns, stream, "open", b"", position)
        yield from self._feed(stream, at_ns, sender, segment, position)
        if segment.flags & (dpkt.tcp.TH_RST | dpkt.tcp.TH_FIN) and not stream.is_closed:
            if segment.flags & dpkt.tcp.TH_FIN and stream.sides[sender].waiting:
                return
            yield from self._close(stream, at_ns, position)

    def _begin(self, sender: tuple[str, int], receiver: tuple[str, int], segment: dpkt.tcp.TCP) -> _Stream:
        client: tuple[str, int] | None = None
        if segment.flags & dpkt.tcp.TH_SYN:
            client = receiver if segment.flags & dpkt.tcp.TH_ACK else sender
        elif self._pile_ports:
            client = receiver if sender[1] in self._pile_ports else sender
        return (
            _Stream(f"{sender[0]}:{sender[1]}-{receiver[0]}:{receiver[1]}", client)
            if client is None
            else _Stream(f"{client[0]}:{client[1]}", client)
        )

    def _feed(
        self, stream: _Stream, at_ns: int, sender: tuple[str, int], segment: dpkt.tcp.TCP, position: int
    ) -> Iterator[LogLine | LogDamage]:
        side = stream.sides.setdefault(sender, _Direction())
        sequence = segment.seq
        if segment.flags & dpkt.tcp.TH_SYN:
            side.expected = (sequence + 1) % _SEQUENCE
            return
        payload = bytes(segment.data)
        if side.expected is None:
            side.expected = sequence
        if payload:
            self._keep(side, sequence, at_ns, payload)
        yield from self._drain(stream, side, sender, at_ns, position)

    def _keep(self, side: _Direction, sequence: int, at_ns: int, payload: bytes) -> None:
        assert side.expected is not None
        ahead = (sequence - side.expected) % _SEQUENCE
        if ahead >= _SEQUENCE // 2:  # repeats what was seen; perhaps more stands behind it
            seen = _SEQUENCE - ahead
            if seen >= len(payload):
                return
            payload, sequence = payload[seen:], side.expected
        former = side.waiting.get(sequence)
        if former is None or len(former[1]) < len(payload):
            side.waiting_bytes += len(payload) - (len(former[1]) if former else 0)
            side.waiting[sequence] = (at_ns, payload)

    def _drain(
        self, stream: _Stream, side: _Direction, sender: tuple[str, int], at_ns: int, position: int
    ) -> Iterator[LogLine | LogDamage]:
        while side.waiting:
            assert side.expected is not None
            expected = side.expected
            sequence = min(side.waiting, key=lambda each: (each - expected) % _SEQUENCE)
            waited_ns, payload = side.waiting[sequence]
            gap = (sequence - expected) % _SEQUENCE
            if gap >= _SEQUENCE // 2:
                overlap = _SEQUENCE - gap
                side.waiting_bytes -= len(side.waiting.pop(sequence)[1])
                if overlap < len(payload):
                    self._keep(side, expected, waited_ns, payload[overlap:])
                continue
            if gap:
                is_lost = side.waiting_bytes > _WAITING_BYTES_MAX or at_ns - waited_ns > _GAP_NS_MAX
                if not is_lost and not stream.is_closed:
                    return
                yield LogDamage(self._source, position, f"{gap} bytes of {stream.name} are missing in the capture")
            side.waiting_bytes -= len(side.waiting.pop(sequence)[1])
            side.expected = (sequence + len(payload)) % _SEQUENCE
            yield from self._tell(stream, sender, at_ns if not gap else waited_ns, payload, position)

    def _tell(
        self, stream: _Stream, sender: tuple[str, int], at_ns: int, payload: bytes, position: int
    ) -> Iterator[LogLine | LogDamage]:
        """Bytes in order; while nobody knows which side is the pile they are held."""
        if stream.client is None:
            stream.held.append((at_ns, sender, payload, position))
            client = _pile_side(stream)
            if client is None and len(stream.held) < 64:
                return
            stream.client = client or stream.held[0][1]
            held, stream.held = stream.held, []
            for held_ns, held_sender, held_payload, held_position in held:
                kind = "up" if held_sender == stream.client else "down"
                yield self._line(held_ns, stream, kind, held_payload, held_position)
            return
        yield self._line(at_ns, stream, "up" if sender == stream.client else "down", payload, position)

    def _close(self, stream: _Stream, at_ns: int, position: int) -> Iterator[LogLine | LogDamage]:
        if stream.is_closed:
            return
        stream.is_closed = True
        for sender, side in stream.sides.items():
            yield from self._drain(stream, side, sender, at_ns, position)
        yield from self._release(stream)
        yield self._line(at_ns, stream, "close", b"", position)

    def _release(self, stream: _Stream) -> Iterator[LogLine]:
        if stream.held:
            stream.client = stream.client or _pile_side(stream) or stream.held[0][1]
            for at_ns, sender, payload, position in stream.held:
                yield self._line(at_ns, stream, "up" if sender == stream.client else "down", payload, position)
            stream.held = []

    def finish(self) -> Iterator[LogLine | LogDamage]:
        """What is still held when the capture ends."""
        for stream in self._streams.values():
            if not stream.is_closed:
                stream.is_closed = True
                for sender, side in stream.sides.items():
                    if side.waiting:
                        at_ns = max(at for at, _ in side.waiting.values())
                        yield from self._drain(stream, side, sender, at_ns, 0)
                yield from self._release(stream)

    def _line(self, at_ns: int, stream: _Stream, kind: str, data: bytes, position: int) -> LogLine:
        return LogLine(at_ns // 1_000_000, stream.name, kind, data, None, self._source, position)


def _is_new(stream: _Stream, sender: tuple[str, int], segment: dpkt.tcp.TCP) -> bool:
    """Whether a SYN opens a new connection on the same ports, or repeats the one that is known."""
    side = stream.sides.get(sender)
    return stream.is_closed or side is None or side.expected != (segment.seq + 1) % _SEQUENCE


def _pile_side(stream: _Stream) -> tuple[str, int] | None:
    """The side that sent an odd frame type: piles send odd types, gateways even ones."""
    for _, sender, payload, _ in stream.held:
        if len(payload) > 5 and payload[0] == 0x68 and payload[4] <= 1:
            if payload[5] & 1:
                return sender
            return next((side for side in stream.sides if side != sender), None)
    return None

"""Captures of tcpdump and Wireshark: the TCP streams of piles, put together again.

Which end is the pile: the one that does not own a pile port, when ports are given; else the one that sent
the first SYN; for a connection older than the capture the end that talks to a known server, or whose first
frame has an odd type, or that has the higher port.

Without given ports every connection is a candidate, and is taken for a pile's when its first bytes, in either
direction, hold what begins a frame; HTTP, TLS and the like are passed over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import ip_address

from gateway.framelog.lines import Kind, LogDamage, LogLine
from gateway.framelog.packets import ACK, FIN, LINK_TYPES, RST, SYN, Segment, segment_of
from gateway.framelog.pcapfile import Packet
from gateway.framelog.streams import Piece, Stream

_CONNECTIONS_MAX = 65_536
_JUDGED_BYTES_MAX = 4_096
_START = 0x68
_LEAST_LENGTH = 4
_FLAG_AT, _TYPE_AT = 4, 5

End = tuple[bytes, int]


def read_tcpdump(
    source: str, found: Iterator[Packet | LogDamage], pile_ports: Collection[int] = ()
) -> Iterator[LogLine | LogDamage]:
    """The lines in a capture of network traffic.

    Args:
        source: the file's name.
        found: its packets.
        pile_ports: TCP ports that piles connect to; empty for any.
    """
    table = _Table(source, frozenset(pile_ports))
    unread: set[int] = set()
    for packet in found:
        if isinstance(packet, LogDamage):
            yield from table.finish()
            yield packet
            return
        if packet.link_type not in LINK_TYPES:
            if packet.link_type not in unread:
                unread.add(packet.link_type)
                text = f"packets of link type {packet.link_type} cannot be read"
                yield LogDamage(source, packet.position, text)
            continue
        segment = segment_of(packet)
        if isinstance(segment, str):
            yield LogDamage(source, packet.position, segment)
        elif segment is not None:
            yield from table.take(segment, packet.at_ns // 1_000_000, packet.position)
    yield from table.finish()


class _Connection:
    """One connection: two streams, and what of it was not handed on yet.

    Args:
        pile: the end that is the pile's.
        link: its name.
        is_pile: already certain; otherwise its first bytes decide.
    """

    def __init__(self, source: str, pile: End, link: str, *, is_pile: bool) -> None:
        self.pile = pile
        self.link = link
        self.is_closed = False
        self.is_passed_over = False
        self.syn_sequence = -1
        self.streams = {"up": Stream(), "down": Stream()}
        self.acknowledged = {"up": -1, "down": -1}
        self._source = source
        self._is_pile = is_pile
        self._held: list[LogLine | LogDamage] = []
        self._first: dict[Kind, bytes] = {"up": b"", "down": b""}

    def take(self, segment: Segment, at_ms: int, position: int) -> list[LogLine | LogDamage]:
        """What one segment brings."""
        way: Kind = "up" if segment.source == self.pile else "down"
        stream = self.streams[way]
        sequence = segment.sequence
        told: list[LogLine | LogDamage] = []
        if segment.flags & SYN:
            stream.begin(sequence)
            sequence += 1
        if segment.flags & ACK:
            self.acknowledged[way] = segment.acknowledged
        if segment.data:
            told += self._lines(way, stream.take(sequence, segment.data, at_ms, position))
        if segment.missing_bytes:
            behind = (sequence + len(segment.data)) % (1 << 32)
            if stream.sequence in (-1, behind):
                stream.sequence = behind
                stream.skip(segment.missing_bytes)
            text = f"{self.link}: the snap length cut {segment.missing_bytes} bytes off a packet ({way})"
            told.append(LogDamage(self._source, position, text))
        if segment.flags & FIN:
            stream.finish(sequence + len(segment.data) + segment.missing_bytes)
        for other, one in self.streams.items():
            if one.early_bytes:
                back = self.acknowledged["down" if other == "up" else "up"]
                told += self._lines(other, one.overdue(at_ms, back))
        if segment.flags & RST or all(one.is_closed for one in self.streams.values()):
            told += self.close(at_ms, position)
        return self._judged(told)

    def opened(self, at_ms: int, position: int) -> list[LogLine | LogDamage]:
        """The line that says so."""
        return self._judged([LogLine(at_ms, self.link, "open", b"", None, self._source, position)])

    def rest(self) -> list[LogLine | LogDamage]:
        """What still waits: nothing more will come."""
        told: list[LogLine | LogDamage] = []
        for way, stream in self.streams.items():
            told += self._lines(way, stream.rest())
        told = self._judged(told)
        if not self._is_pile and any(first[:1] == bytes((_START,)) for first in self._first.values()):
            told += self._held
        self._held = []
        return told

    def close(self, at_ms: int, position: int) -> list[LogLine | LogDamage]:
        """What still waits, and the line that says it closed."""
        told: list[LogLine | LogDamage] = []
        for way, stream in self.streams.items():
            told += self._lines(way, stream.rest())
        self.is_closed = True
        return [*told, LogLine(at_ms, self.link, "close", b"", None, self._source, position)]

    def _lines(self, way: str, pieces: list[Piece]) -> list[LogLine | LogDamage]:
        told: list[LogLine | LogDamage] = []
        kind: Kind = "up" if way == "up" else "down"
        for at_ms, data, position, lost_bytes in pieces:
            if lost_bytes:
                text = f"{self.link}: {lost_bytes} bytes are missing here ({way}), the capture lacks them"
                told.append(LogDamage(self._source, position, text))
            told.append(LogLine(at_ms, self.link, kind, data, None, self._source, position))
            if not self._is_pile:
                self._first[kind] += data
        return told

    def _judged(self, told: list[LogLine | LogDamage]) -> list[LogLine | LogDamage]:
        """Hold lines back until it is known whether a pile speaks here."""
        if self._is_pile:
            return told
        self._held += told
        if any(_begins_frame(first) for first in self._first.values()):
            self._is_pile = True
            told, self._held = self._held, []
            return told
        if sum(len(first) for first in self._first.values()) > _JUDGED_BYTES_MAX:
            self.is_passed_over = True
            self._held.clear()
            self._first.clear()
        return []


class _Table:
    """All connections of a capture."""

    def __init__(self, source: str, pile_ports: frozenset[int]) -> None:
        self._source = source
        self._pile_ports = pile_ports
        self._connections: dict[frozenset[End], _Connection] = {}
        self._servers: set[End] = set()
        self._names: dict[str, frozenset[End]] = {}

    def take(self, segment: Segment, at_ms: int, position: int) -> list[LogLine | LogDamage]:
        """What one segment brings."""
        ports = self._pile_ports
        if ports and segment.target[1] not in ports and segment.source[1] not in ports:
            return []
        key = frozenset((segment.source, segment.target))
        connection = self._connections.get(key)
        told: list[LogLine | LogDamage] = []
        if segment.flags & SYN and not segment.flags & ACK:
            if connection is not None and connection.syn_sequence == segment.sequence:
                return []
            if connection is not None and not connection.is_closed:
                told += connection.close(at_ms, position) if not connection.is_passed_over else []
            self._connections.pop(key, None)
            connection = self._open(key, segment)
            connection.syn_sequence = segment.sequence
            told += connection.opened(at_ms, position)
        elif connection is None:
            if not segment.data and not segment.flags & SYN:
                return []
            told += self._make_room()
            connection = self._open(key, segment)
        if not connection.is_closed and not connection.is_passed_over:
            told += connection.take(segment, at_ms, position)
        return told

    def finish(self) -> list[LogLine | LogDamage]:
        """What still waits when the capture ends."""
        told: list[LogLine | LogDamage] = []
        for connection in self._connections.values():
            if not connection.is_closed and not connection.is_passed_over:
                told += connection.rest()
        self._connections.clear()
        return told

    def _open(self, key: frozenset[End], segment: Segment) -> _Connection:
        pile = self._pile_end(segment)
        server = segment.target if pile == segment.source else segment.source
        if segment.flags & SYN:
            self._servers.add(server)
        name = _end_text(pile)
        other = self._connections.get(self._names.get(name, key))
        if other is not None and not other.is_closed:
            name = f"{name}>{_end_text(server)}"
        self._names[name] = key
        connection = _Connection(self._source, pile, name, is_pile=bool(self._pile_ports))
        self._connections[key] = connection
        return connection

    def _pile_end(self, segment: Segment) -> End:
        """Which end is the pile's."""
        source, target = segment.source, segment.target
        if self._pile_ports:
            return source if target[1] in self._pile_ports else target
        if segment.flags & SYN:
            return target if segment.flags & ACK else source
        if target in self._servers:
            return source
        if source in self._servers:
            return target
        data = segment.data
        if _begins_frame(data[: _TYPE_AT + 1]):
            return source if data[_TYPE_AT] % 2 else target
        return source if source[1] > target[1] else target

    def _make_room(self) -> list[LogLine | LogDamage]:
        """Forget the oldest connections when there are too many."""
        told: list[LogLine | LogDamage] = []
        while len(self._connections) >= _CONNECTIONS_MAX:
            oldest = self._connections.pop(next(iter(self._connections)))
            if not oldest.is_closed and not oldest.is_passed_over:
                told += oldest.rest()
            self._names.pop(oldest.link, None)
        return told


def _begins_frame(data: bytes) -> bool:
    """Whether somewhere stands what begins a frame: start byte, possible length, possible flag."""
    at = data.find(_START)
    while 0 <= at < len(data) - _TYPE_AT:
        if data[at + 1] >= _LEAST_LENGTH and data[at + _FLAG_AT] <= 1:
            return True
        at = data.find(_START, at + 1)
    return False


def _end_text(end: End) -> str:
    address = str(ip_address(end[0]))
    return f"[{address}]:{end[1]}" if ":" in address else f"{address}:{end[1]}"

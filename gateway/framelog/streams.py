"""One direction of a TCP connection, put together from its segments."""

from __future__ import annotations

from typing import NamedTuple

_WRAP = 1 << 32
_HALF = 1 << 31
# How long bytes that arrived early wait for those before them, in capture time. Once the receiver has
# confirmed the missing ones, they were delivered and only the capture lacks them; until then they may be
# sent again.
_CONFIRMED_WAIT_MS = 1_000
_WAIT_MS = 120_000
_EARLY_BYTES_MAX = 1 << 18
_EARLY_SEGMENTS_MAX = 512


class Piece(NamedTuple):
    """Bytes in order.

    Attributes:
        at_ms: when they could be read, Unix milliseconds.
        data: the bytes.
        position: of the packet they came in.
        lost_bytes: that are missing just before them.
    """

    at_ms: int
    data: bytes
    position: int
    lost_bytes: int


class Stream:
    """Puts segments in order: repeated bytes once, late ones in their place, missing ones told.

    Attributes:
        is_closed: the sender's FIN, or what stands before it, has been reached.
        early_bytes: bytes that wait for missing ones.
    """

    def __init__(self) -> None:
        self.is_closed = False
        self.early_bytes = 0
        self.sequence = -1  # of the first byte not seen yet; -1 before the first segment
        self._early: list[tuple[int, int, bytes, int]] = []  # sequence, at_ms, data, position
        self._fin = -1

    def begin(self, sequence: int) -> None:
        """The SYN was seen: its number, which counts as one byte."""
        self.sequence = (sequence + 1) % _WRAP

    def finish(self, sequence: int) -> None:
        """A FIN was seen: the number behind the last byte."""
        self._fin = sequence % _WRAP
        if self.sequence < 0:
            self.sequence = self._fin
        self._check_end()

    def take(self, sequence: int, data: bytes, at_ms: int, position: int) -> list[Piece]:
        """Take a segment's bytes; returns what is in order now, often just these."""
        if self.sequence < 0:
            self.sequence = sequence
        ahead = _distance(self.sequence, sequence)
        if ahead > 0:
            self._early.append((sequence, at_ms, data, position))
            self.early_bytes += len(data)
            return []
        if ahead + len(data) <= 0:
            return []
        if ahead:
            data = data[-ahead:]
        self.sequence = (self.sequence + len(data)) % _WRAP
        pieces = [Piece(at_ms, data, position, 0)]
        if self._early:
            pieces += self._reached(at_ms)
        self._check_end()
        return pieces

    def skip(self, size: int) -> None:
        """Bytes just behind the last ones that were never captured."""
        self.sequence = (self.sequence + size) % _WRAP

    def overdue(self, at_ms: int, acknowledged: int) -> list[Piece]:
        """Give up waiting for bytes that will not come.

        Args:
            at_ms: the capture's time now.
            acknowledged: what the receiver has confirmed, -1 when not known.
        """
        pieces: list[Piece] = []
        while self._early:
            is_confirmed = acknowledged >= 0 and _distance(self.sequence, acknowledged) > 0
            wait_ms = _CONFIRMED_WAIT_MS if is_confirmed else _WAIT_MS
            is_due = at_ms - min(entry[1] for entry in self._early) >= wait_ms
            has_room = self.early_bytes <= _EARLY_BYTES_MAX and len(self._early) <= _EARLY_SEGMENTS_MAX
            if not is_due and has_room:
                break
            pieces += self._jump()
        return pieces

    def rest(self) -> list[Piece]:
        """Everything that waits, with its gaps: nothing more will come."""
        pieces: list[Piece] = []
        while self._early:
            pieces += self._jump()
        return pieces

    def _jump(self) -> list[Piece]:
        """Skip to the earliest bytes that wait."""
        sequence, at_ms, _, _ = min(self._early, key=lambda entry: _distance(self.sequence, entry[0]))
        lost_bytes = _distance(self.sequence, sequence)
        self.sequence = sequence
        first, *others = self._reached(at_ms)
        self._check_end()
        return [first._replace(lost_bytes=lost_bytes), *others]

    def _reached(self, at_ms: int) -> list[Piece]:
        """Bytes that waited and are in order now."""
        pieces = []
        self._early.sort(key=lambda entry: _distance(self.sequence, entry[0]))
        while self._early and (ahead := _distance(self.sequence, self._early[0][0])) <= 0:
            _, arrived_ms, data, position = self._early.pop(0)
            self.early_bytes -= len(data)
            data = data[-ahead:]
            if data:
                self.sequence = (self.sequence + len(data)) % _WRAP
                pieces.append(Piece(max(at_ms, arrived_ms), data, position, 0))
        return pieces

    def _check_end(self) -> None:
        if self._fin >= 0 and self.sequence >= 0 and _distance(self._fin, self.sequence) >= 0:
            self.is_closed = True


def _distance(start: int, end: int) -> int:
    """How far ``end`` lies ahead of ``start``, negative when behind, modulo 2^32."""
    distance = (end - start) % _WRAP
    return distance - _WRAP if distance >= _HALF else distance

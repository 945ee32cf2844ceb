"""What every form of frame log is read into."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogLine:
    """One read, one write, or the opening or closing of a link.

    Attributes:
        at_ms: Unix ms.
        link: names one connection within its log.
        kind: ``up`` (pile → gateway), ``down``, ``open`` or ``close``.
        data: the bytes; the reason of a closing; the address of an opening.
        protocol: such as ``ykc``, ``None`` when the log does not say.
        source: the file.
        position: line of a text log, byte of a capture.
        is_own: whether the daemon itself wrote it.
    """

    at_ms: int
    link: str
    kind: str
    data: bytes
    protocol: str | None
    source: str
    position: int
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class LogDamage:
    """A stretch of a log that cannot be read, and why."""

    source: str
    position: int
    reason: str

"""What every reader of frame logs yields."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["up", "down", "open", "close"]


class LogLine(NamedTuple):
    """One thing that a gateway saw on a link; a tuple, because readers make millions of them.

    Attributes:
        at_ms: Unix milliseconds, UTC.
        link: names one connection, usually ``address:port`` of the pile.
        kind: ``up`` (pile → gateway), ``down``, ``open``, ``close``.
        data: bytes as they came in one read, which may be part of a frame or several; empty for open and
            close.
        protocol: what the log says the link speaks, ``None`` when it does not say.
        source: the file's name.
        position: byte offset within the file, decompressed, of the line or packet.
        is_own: whether a daemon of ours wrote it, so that the link's whole story is here and by our rules.
    """

    at_ms: int
    link: str
    kind: Kind
    data: bytes
    protocol: str | None
    source: str
    position: int
    is_own: bool = False


class LogDamage(NamedTuple):
    """Something in a log that could not be read, or is missing.

    Attributes:
        source: the file's name.
        position: byte offset within the file, decompressed, where the damage begins.
        reason: for people.
    """

    source: str
    position: int
    reason: str

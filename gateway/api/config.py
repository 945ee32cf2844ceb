"""Where the HTTP interface listens."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.tomlfile import bounded


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """The HTTP interface.

    Attributes:
        is_enabled: serve it at all.
        host: loopback unless configured otherwise (G8).
        port: 0 takes a free one.
        watchers_max: open event streams at once.
        watcher_queue_max: events a slow watcher may fall behind before it is dropped.
        events_kept: events with an id that a watcher who comes back can still be told.
    """

    is_enabled: bool = True
    host: str = "127.0.0.1"
    port: int = bounded(8080, 0, 65_535)
    watchers_max: int = 100
    watcher_queue_max: int = bounded(1_000, 1)
    events_kept: int = bounded(5_000, 0)

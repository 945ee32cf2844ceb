"""The database: one writer thread, readers beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.store.reader import Reader
from gateway.store.statements import Envelope
from gateway.store.writer import StoreConfig, Writer

__all__ = ["Reader", "Store", "StoreConfig", "Writer"]


def _no_envelope(endpoint: str, event: object, sequence: int) -> None:
    return None


class Store:
    """An open database.

    Args:
        config: where and how.
        endpoints: names of the upstreams that events go to.
        envelope: makes the body of an event for an endpoint.
        before_commit: called in the writing thread before each COMMIT.

    Raises ``StoreError`` when it cannot be opened.
    """

    def __init__(
        self,
        config: StoreConfig,
        *,
        endpoints: tuple[str, ...] = (),
        envelope: Envelope = _no_envelope,
        before_commit: Callable[[], object] | None = None,
    ) -> None:
        self.config = config
        self.writer = Writer(config, endpoints, envelope, before_commit)
        self.reader = Reader(Path(config.path), busy_timeout_ms=config.busy_timeout_ms)

    def close(self) -> None:
        """Write what waits, then close. Raises ``StoreError`` when not everything could be written."""
        try:
            self.writer.close()
        finally:
            self.reader.close()

"""Deadlines of a session, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    """How long a session waits, ms.

    Attributes:
        start_deadline_ms: from the order to the first charging sample.
        record_due_ms: from the end to the record; also what a failed start waits for its record.
        record_lost_ms: from the proof of the end until the record counts as lost.
        silence_ms: from the last sample until a session that nobody ended counts as ended.

    Source: YKC V1.6 §10.7; docs/billing.md.
    """

    start_deadline_ms: int = 90_000
    record_due_ms: int = 30_000
    record_lost_ms: int = 1_800_000
    silence_ms: int = 43_200_000

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is above 0")

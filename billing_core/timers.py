"""Deadlines of a session, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    """How long a session waits, ms.

    Attributes:
        start_deadline_ms: from the order to the first charging sample.
        record_due_ms: from the end to the record; also what a failed start waits for its record.
        record_lost_ms: from the end until the record counts as lost and a substitute bill is made.
        silence_ms: from the last sample until a session that nobody ended counts as stuck.
        rest_ms: how long a state of rest must last to end a session.
        live_ms: a proof of the end counts as its moment when it comes this soon after the last sample.
        power_cut_ms: how long a pile that logged in again may take to send the record that it kept.
        provisional_ms: how long a bill posted at its lower bound stays open for better evidence.

    Source: YKC V1.6 §10.7; docs/billing.md.
    """

    start_deadline_ms: int = 90_000
    record_due_ms: int = 30_000
    record_lost_ms: int = 1_800_000
    silence_ms: int = 43_200_000
    rest_ms: int = 120_000
    live_ms: int = 60_000
    power_cut_ms: int = 600_000
    provisional_ms: int = 259_200_000

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is above 0")

"""Records that wait for their acknowledgement, and when they are sent again.

Source: YKC V1.6 §3B and §40: after 30 s, at most three times; once more after five minutes; and again after
every login, until the acknowledgement comes. Firmware of the AA F5 family: docs/protocols/aaf5.md, "Records".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.simulator.charge import Story

_RETRIES = 3
_HEAD_MS = 10_000


@dataclass(slots=True)
class OwedRecord:
    """One record. ``due_at_ms`` is ``None`` while it waits for the next login."""

    raw: Mapping[str, Any]
    story: Story
    due_at_ms: int | None
    sent: int = 0
    is_again: bool = False


class RecordQueue:
    """What a pile still owes.

    Args:
        retry_ms: between the first three retries.
        last_retry_ms: before the last one.
    """

    def __init__(self, *, retry_ms: int, last_retry_ms: int) -> None:
        self._retry_ms = retry_ms
        self._last_retry_ms = last_retry_ms
        self._owed: list[OwedRecord] = []

    def __len__(self) -> int:
        return len(self._owed)

    def add(self, record: OwedRecord) -> None:
        """Owe one more record."""
        self._owed.append(record)

    @property
    def timer_at_ms(self) -> int | None:
        """When the next one is due, Unix ms."""
        return min((each.due_at_ms for each in self._owed if each.due_at_ms is not None), default=None)

    def on_ready(self, at_ms: int) -> None:
        """The pile is logged in: everything owed is due now, with all its retries."""
        for each in self._owed:
            each.due_at_ms = at_ms
            each.sent = 0

    def on_link_lost(self) -> None:
        """Nothing is due until the next login."""
        for each in self._owed:
            each.due_at_ms = None

    def take_due(self, at_ms: int) -> list[OwedRecord]:
        """The records to send now; each gets its next moment."""
        due = [each for each in self._owed if each.due_at_ms is not None and each.due_at_ms <= at_ms]
        for each in due:
            each.sent += 1
            each.story.records_sent += 1
            if each.sent <= _RETRIES:
                each.due_at_ms = at_ms + self._retry_ms
            else:
                each.due_at_ms = at_ms + self._last_retry_ms if each.sent == _RETRIES + 1 else None
        return due

    def acknowledge(self, serial: str) -> OwedRecord | None:
        """An acknowledgement came: the record it ends, ``None`` when none was waiting."""
        for each in self._owed:
            if each.raw["serial"] == serial and each.sent:
                self._owed.remove(each)
                each.story.is_acknowledged = True
                return each
        return None


class HeadQueue:
    """Records that wait; only the newest is sent, and any acknowledgement removes it.

    What is new comes to the head at the next tick.

    Attributes:
        destroyed: records that went without ever having been sent.
        unasked: acknowledgements that came to an empty queue.
    """

    def __init__(self) -> None:
        self.destroyed = 0
        self.unasked = 0
        self._new: list[OwedRecord] = []
        self._waiting: list[OwedRecord] = []  # the last one is the head
        self._tick_ms: int | None = None

    def __len__(self) -> int:
        return len(self._new) + len(self._waiting)

    @property
    def timer_at_ms(self) -> int | None:
        """When the head is sent next, Unix ms."""
        return self._tick_ms if len(self) else None

    def add(self, record: OwedRecord) -> None:
        """A new record becomes the head at the next tick."""
        self._new.append(record)
        if self._tick_ms is None:
            self._tick_ms = record.due_at_ms

    def on_ready(self, at_ms: int) -> None:
        """The pile is logged in: the head is due."""
        self._tick_ms = at_ms

    def on_link_lost(self) -> None:
        """Nothing is sent until the next login."""
        self._tick_ms = None

    def take_due(self, at_ms: int) -> list[OwedRecord]:
        """The head, when its tick has come."""
        if not len(self) or self._tick_ms is None or self._tick_ms > at_ms:
            return []
        self._waiting += self._new
        self._new.clear()
        head = self._waiting[-1]
        head.sent += 1
        head.story.records_sent += 1
        self._tick_ms = at_ms + _HEAD_MS
        return [head]

    def acknowledge(self, serial: str) -> OwedRecord | None:
        """Any acknowledgement: the head goes, whoever was meant."""
        if not self._waiting:
            self.unasked += 1
            return None
        head = self._waiting.pop()
        self.destroyed += not head.sent
        head.story.is_acknowledged = bool(head.sent)
        return head

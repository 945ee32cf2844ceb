"""Who is connected, and how an outcome is carried out: rows to the store, words to the piles.

One switchboard serves all links. It advances the engine's deadlines, hands rows to the writer, and sends
what was promised only after what it promises is durable (G1).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

import structlog

from gateway.clock import Clock, ScaledClock
from gateway.engine import Engine
from gateway.outcome import EventRaised, Notice, Outcome, Row
from protocol.commands import PileCommand

log = structlog.get_logger()

Watcher = Callable[[Notice | EventRaised], None]


class Speaker(Protocol):
    """A link that can be spoken to."""

    pile_id: str | None

    def say(self, command: PileCommand, at_ms: int) -> bool:
        """Encode and send one command; False when it must not or cannot be said now."""

    def close(self, reason: str) -> None:
        """Close the link, with the reason for the log and the capture."""


class RowSink(Protocol):
    """Where rows go: the writer of the store."""

    def submit(self, rows: Sequence[Row], work: Callable[[sqlite3.Connection], Any] | None = None) -> Future[Any]:
        """Write ``rows`` and do ``work`` in one transaction; done when they, and all before them, are durable."""

    def submit_telemetry(self, rows: Sequence[Row]) -> None:
        """Write ``rows`` soon; nobody waits."""


class Switchboard:
    """The meeting point of links, engine, store and watchers.

    Args:
        engine: the deterministic middle.
        sink: the writer of the store.
        clock: the daemon's clock.
    """

    def __init__(self, engine: Engine, sink: RowSink, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.speakers: dict[str, Speaker] = {}
        self.watchers: list[Watcher] = []
        self.owed = 0  # answers that wait for their commit
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at_ms: int | None = None

    # -- links ----------------------------------------------------------------------------------------

    def connect(self, pile_id: str, speaker: Speaker) -> None:
        """A pile logged in on this link; an older link of the same pile is closed."""
        older = self.speakers.get(pile_id)
        self.speakers[pile_id] = speaker
        if older is not None and older is not speaker:
            older.close("the pile logged in on a newer link")

    def disconnect(self, pile_id: str, speaker: Speaker, at_ms: int) -> None:
        """This link closed; the pile is lost only if no newer link took its place."""
        if self.speakers.get(pile_id) is speaker:
            del self.speakers[pile_id]
            self.carry_out(self.engine.on_link_lost(pile_id, at_ms))

    def is_connected(self, pile_id: str) -> bool:
        """Whether an order could be sent now."""
        return pile_id in self.speakers

    def send(self, command: PileCommand) -> bool:
        """Send an order to a pile now; False when it has no link. The engine learns of it at once."""
        speaker = self.speakers.get(command.pile_id)
        if speaker is None:
            return False
        at_ms = self.clock.now_ms()
        self.advance(at_ms)
        self._say(speaker, command, at_ms)
        return True

    def _say(self, speaker: Speaker, command: PileCommand, at_ms: int) -> None:
        if speaker.say(command, at_ms) is False:
            return
        self.carry_out(self.engine.on_command(command, at_ms))

    # -- outcomes -------------------------------------------------------------------------------------

    def carry_out(self, outcome: Outcome, speaker: Speaker | None = None) -> None:
        """Write, answer, tell. Answers of a durable outcome wait for the commit."""
        if outcome.lazy_rows:
            self._sink.submit_telemetry(outcome.lazy_rows)
        if outcome.is_durable:
            self.owed += 1
            done = self._sink.submit(outcome.rows)
            done.add_done_callback(lambda kept: self._from_writer(kept, outcome, speaker))
        else:
            if outcome.rows:
                self._sink.submit(outcome.rows)
            self._answer(outcome, speaker)
        self._tell(outcome)
        self._set_alarm()

    def _from_writer(self, kept: Future[None], outcome: Outcome, speaker: Speaker | None) -> None:
        """Runs in the writer's thread; the loop may be gone when the daemon leaves."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._committed, kept, outcome, speaker)

    def _committed(self, kept: Future[None], outcome: Outcome, speaker: Speaker | None) -> None:
        self.owed -= 1
        if kept.exception() is None:
            self._answer(outcome, speaker)
        else:
            log.error("answer_withheld", reason=str(kept.exception()), replies=len(outcome.replies))

    def _answer(self, outcome: Outcome, speaker: Speaker | None) -> None:
        """Answers go back on the link that asked, in the order they were owed."""
        for command in outcome.replies:
            if speaker is not None:
                at_ms = self.clock.now_ms()
                self.advance(at_ms)
                self._say(speaker, command, at_ms)

    def save(
        self, rows: Sequence[Row], work: Callable[[sqlite3.Connection], Any] | None = None
    ) -> asyncio.Future[None]:
        """Write rows, and do ``work`` in the same transaction; the future is done when all is durable."""
        return asyncio.wrap_future(self._sink.submit(rows, work), loop=self._loop)

    def save_lazily(self, rows: Sequence[Row]) -> None:
        """Write rows soon; nobody waits."""
        self._sink.submit_telemetry(rows)

    def _tell(self, outcome: Outcome) -> None:
        if not self.watchers:
            return
        raised = [row for row in (*outcome.lazy_rows, *outcome.rows) if isinstance(row, EventRaised)]
        items: list[Notice | EventRaised] = [*raised, *outcome.notices]
        for item in items:
            for watcher in self.watchers:
                watcher(item)

    # -- deadlines ------------------------------------------------------------------------------------

    def advance(self, at_ms: int) -> None:
        """Fire the deadlines that were due before an input at ``at_ms``."""
        due_ms = self.engine.timer_at_ms
        if due_ms is not None and due_ms <= at_ms:
            self.carry_out(self.engine.on_timer(at_ms))

    def _set_alarm(self) -> None:
        due_ms = self.engine.timer_at_ms
        if due_ms == self._alarm_at_ms:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._alarm_at_ms = due_ms
        if due_ms is not None:
            speed = self.clock.speed if isinstance(self.clock, ScaledClock) else 1
            wait_ms = max(0, due_ms - self.clock.now_ms()) // speed + 1
            self._alarm = self._loop.call_later(wait_ms / 1000, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        self._alarm_at_ms = None
        self.advance(self.clock.now_ms())
        self._set_alarm()

    def stop(self) -> None:
        """No deadline fires after this."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

"""A simulated history as the engine's inputs: played again as it was, or as it might have been."""

from __future__ import annotations

import dataclasses

from billing_core.timers import Timers
from gateway.engine import Engine
from gateway.outcome import BillIssued
from gateway.store.memory import MemoryStore
from protocol import events
from tests.truth.month import HOUR_MS, Month

SILENCE_MS = 30 * HOUR_MS


@dataclasses.dataclass(frozen=True)
class Input:
    """One call of the engine: what, when, by which pile."""

    at_ms: int
    pile_id: str
    name: str
    arguments: tuple

    @property
    def record(self) -> events.RecordReceived | None:
        """The record that came, if this is one."""
        first = self.arguments[0]
        return first if isinstance(first, events.RecordReceived) else None

    def later(self, at_ms: int) -> Input:
        """The same record, sent again at a later moment."""
        event = dataclasses.replace(self.arguments[0], at_ms=at_ms)
        return Input(at_ms, self.pile_id, self.name, (event, *self.arguments[1:]))


class _Recorder:
    """An engine that writes down what it is told."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.inputs: list[Input] = []

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def on_event(self, event, address):
        self.inputs.append(Input(event.at_ms, event.pile_id, "on_event", (event, address)))
        return self._engine.on_event(event, address)

    def on_command(self, command, at_ms):
        self.inputs.append(Input(at_ms, command.pile_id, "on_command", (command, at_ms)))
        return self._engine.on_command(command, at_ms)

    def on_link_lost(self, pile_id, at_ms):
        self.inputs.append(Input(at_ms, pile_id, "on_link_lost", (pile_id, at_ms)))
        return self._engine.on_link_lost(pile_id, at_ms)


class History(Month):
    """A month in small that remembers every input."""

    def __init__(self, numbers: range, days: int, seed: int) -> None:
        super().__init__(numbers, days, seed)
        self.site = self.engine.sessions.site
        self.engine = _Recorder(self.engine)
        self.run(days)
        self.inputs = self.engine.inputs
        self.end_ms = max(each.at_ms for each in self.inputs) + 10 * 24 * HOUR_MS

    def player(self) -> Player:
        return Player(self.site)


class Player:
    """An engine of its own that is told inputs, and the revisions that it makes."""

    def __init__(self, site, store=None) -> None:
        self.store = MemoryStore() if store is None else store
        self.engine = Engine(site, Timers(), silence_ms_max=SILENCE_MS, recall=self.store.recall, is_replay=False)
        self.revisions: list[BillIssued] = []

    def play(self, inputs, end_ms: int | None = None) -> Player:
        """Tell every input at its own moment, then let the clock run to the end."""
        for each in inputs:
            self.keep(self.engine.on_timer(each.at_ms))
            self.keep(getattr(self.engine, each.name)(*each.arguments))
        if end_ms is not None:
            self.keep(self.engine.on_timer(end_ms))
        return self

    def keep(self, outcome) -> None:
        self.store.keep(outcome.lazy_rows)
        self.store.keep(outcome.rows)
        self.revisions += [row for row in outcome.rows if isinstance(row, BillIssued)]

    @property
    def effective(self) -> dict[str, str]:
        """The newest body of every bill."""
        return {row.transaction_id: row.body for row in self.revisions}

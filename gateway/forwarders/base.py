"""Draining the outbox: what is due, in order per partition, with a schedule, a breaker and an end.

Nothing is kept in memory that matters: attempts, next time and last result are columns, so a restart goes on where
the former run stopped.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from gateway.clock import Clock, ScaledClock
from gateway.metrics import Metrics
from gateway.store import Store

log = structlog.get_logger()

_POLL_S = 1.0
_STOP_WAIT_S = 10.0
_ANSWER_KEPT_CHARS = 2048
_CONFLICT_WAIT_MS = 60_000
_UNWELCOME, _UNWELCOME_EVENTS = (401, 403, 404), 3


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one attempt went.

    Attributes:
        status: HTTP status, ``None`` when there was no answer.
        error: what went wrong, empty for a 2xx.
        retry_after_ms: what the receiver asked for.
        answer: the first 2 KiB of what it said.
    """

    status: int | None
    error: str = ""
    retry_after_ms: int | None = None
    answer: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def blames_endpoint(self) -> bool:
        """Whether the endpoint as a whole is in trouble, rather than this event."""
        return self.status is None or self.status >= 500 or self.status == 429


class Sender(Protocol):
    """Delivers one event."""

    async def send(self, event_id: str, body: bytes) -> Delivery:
        """One attempt; never raises for what a receiver or a network can do."""

    async def close(self) -> None:
        """Give back connections."""


@dataclass(frozen=True, slots=True)
class DrainConfig:
    """How one endpoint is drained.

    Attributes:
        schedule_s: waits between attempts; the last one repeats.
        expires_s, perishable_expires_s: how old an event may grow before it is set aside.
        concurrency: requests under way at once.
        breaker_failures: endpoint failures in a row that open the breaker.
        breaker_first_s, breaker_max_s: how long it stays open, doubling.
        disabled_after_s: failing for so long and delivering nothing, an endpoint is given up until the next start.
    """

    schedule_s: tuple[int, ...] = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200)
    expires_s: int = 604_800
    perishable_expires_s: int = 86_400
    concurrency: int = 4
    breaker_failures: int = 5
    breaker_first_s: int = 30
    breaker_max_s: int = 600
    disabled_after_s: int = 432_000

    def __post_init__(self) -> None:
        if not self.schedule_s or min(self.schedule_s) < 0 or self.concurrency < 1:
            raise ValueError("schedule_s holds waits of 0 s or more, concurrency is 1 or more")

    @property
    def longest_ms(self) -> int:
        """The longest wait of the schedule."""
        return max(self.schedule_s) * 1000


class Breaker:
    """Closed, open or half open; times are Unix ms of the daemon's clock.

    A refusal is about one event and opens nothing, unless different events in a row are told 401, 403 or 404:
    then it is the set-up that is refused.
    """

    def __init__(self, config: DrainConfig) -> None:
        self._config = config
        self._failures = 0
        self._unwelcome: set[str] = set()
        self._open_s = config.breaker_first_s
        self.opened_until_ms: int | None = None

    def state(self, at_ms: int) -> str:
        """``closed``, ``open`` or ``half_open``."""
        if self.opened_until_ms is None:
            return "closed"
        return "open" if at_ms < self.opened_until_ms else "half_open"

    def count(self, event_id: str, delivery: Delivery, at_ms: int) -> None:
        """Take in the result of one attempt."""
        if delivery.is_done:
            self._failures, self.opened_until_ms, self._open_s = 0, None, self._config.breaker_first_s
            self._unwelcome.clear()
            return
        if not self._counts(event_id, delivery):
            return
        was_half_open = self.state(at_ms) == "half_open"
        self._failures += 1
        if was_half_open:
            self._open_s = min(self._open_s * 2, self._config.breaker_max_s)
        if was_half_open or (self._failures >= self._config.breaker_failures and self.opened_until_ms is None):
            self.opened_until_ms = at_ms + self._open_s * 1000

    def _counts(self, event_id: str, delivery: Delivery) -> bool:
        if delivery.blames_endpoint:
            return True
        if delivery.status not in _UNWELCOME:
            return False
        self._unwelcome.add(event_id)
        if len(self._unwelcome) < _UNWELCOME_EVENTS:
            return False
        self._failures = max(self._failures, self._config.breaker_failures)
        return True


class Drain:
    """One endpoint's queue.

    Args:
        name: of the endpoint, as in the outbox.
        speed: how many times as fast as the wall the daemon's clock runs.
    """

    def __init__(
        self, name: str, sender: Sender, config: DrainConfig, store: Store, clock: Clock, metrics: Metrics
    ) -> None:
        self.name = name
        self.breaker = Breaker(config)
        self.is_disabled = False
        self.endpoint_wait_until_ms = 0
        self._sender = sender
        self._config = config
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._speed = clock.speed if isinstance(clock, ScaledClock) else 1
        self._flying: dict[int, asyncio.Task[None]] = {}
        self._partitions: set[str] = set()
        self._woken = asyncio.Event()
        self._is_stopping = False

    def wake(self) -> None:
        """Something new may be due."""
        self._woken.set()

    async def run(self) -> None:
        """Drain until stopped."""
        while not self._is_stopping:
            self._woken.clear()
            started = await self._start_due()
            if not started:
                await self._rest()

    async def _start_due(self) -> int:
        """Begin what may begin now; returns how many attempts that were."""
        now_ms = self._clock.now_ms()
        state = self.breaker.state(now_ms)
        room = self._config.concurrency - len(self._flying)
        if self.is_disabled or state == "open" or now_ms < self.endpoint_wait_until_ms or room <= 0:
            return 0
        if state == "half_open":
            room = min(room, 1 - len(self._flying))
        if room <= 0:
            return 0
        latest_ms = now_ms + self._config.longest_ms * 2
        busy = set(self._partitions)  # an attempt that lands while the query runs may still look due in it
        rows = await asyncio.to_thread(
            self._store.reader.due, self.name, now_ms, latest_ms, self._config.concurrency * 2
        )
        ready = [row for row in rows if row["partition"] not in busy]
        for row in ready[:room]:
            self._partitions.add(row["partition"])
            task = asyncio.create_task(self._attempt(row))
            self._flying[row["id"]] = task
        return len(ready[:room])

    async def _rest(self) -> None:
        """Until something is woken, lands, or may have become due."""
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._woken.wait()), *self._flying.values()]
        await asyncio.wait(waits, timeout=_POLL_S / min(self._speed, 50), return_when=asyncio.FIRST_COMPLETED)
        waits[0].cancel()

    async def _attempt(self, row: dict[str, Any]) -> None:
        try:
            delivery = await self._send(row)
            now_ms = self._clock.now_ms()
            self.breaker.count(row["event_id"], delivery, now_ms)
            await self._record(row, delivery, now_ms)
            if self.breaker.opened_until_ms is not None:
                await self._give_up(now_ms)
        finally:
            self._flying.pop(row["id"], None)
            self._partitions.discard(row["partition"])
            self._woken.set()

    async def _send(self, row: dict[str, Any]) -> Delivery:
        """One attempt; a defect of the sender is a failed attempt, and goes by the schedule like any other."""
        try:
            return await self._sender.send(row["event_id"], row["body"])
        except Exception as error:
            log.error("sender_failed", upstream=self.name, event_id=row["event_id"], exc_info=error)
            return Delivery(None, repr(error)[:500])

    async def _record(self, row: dict[str, Any], delivery: Delivery, now_ms: int) -> None:
        attempts = row["attempts"] + 1
        state, due_ms = self._judge(row, delivery, attempts, now_ms)
        result = "delivered" if delivery.is_done else str(delivery.status or "no_answer")
        self._metrics.deliveries[(self.name, result)] += 1
        report = log.info if delivery.is_done else log.warning
        report(
            "event_delivered" if delivery.is_done else "delivery_failed",
            upstream=self.name,
            event_id=row["event_id"],
            attempt=attempts,
            status=delivery.status,
            error=delivery.error,
            state=state,
        )
        values = (
            state,
            due_ms,
            attempts,
            delivery.status,
            delivery.error or None,
            delivery.answer[:_ANSWER_KEPT_CHARS] or None,
            now_ms if state == "delivered" else None,
            row["id"],
        )
        await asyncio.wrap_future(self._store.writer.call(_Result(values)))

    def _judge(self, row: dict[str, Any], delivery: Delivery, attempts: int, now_ms: int) -> tuple[str, int]:
        """(state, next time)."""
        if delivery.is_done or (delivery.status == 409 and row["last_status"] == 409):
            return "delivered", now_ms
        if delivery.status == 410:
            self._disable("410 Gone")
        if delivery.status == 409:
            return "pending", now_ms + _CONFLICT_WAIT_MS
        steps = self._config.schedule_s
        step_ms = steps[min(attempts, len(steps)) - 1] * 1000
        wait_ms = step_ms * random.randint(85, 115) // 100
        if delivery.retry_after_ms is not None:
            asked_ms = min(delivery.retry_after_ms, self._config.longest_ms)
            wait_ms = max(wait_ms, asked_ms)
            if delivery.status in (429, 503):
                self.endpoint_wait_until_ms = now_ms + asked_ms
        due_ms = now_ms + wait_ms
        if attempts >= 2 and delivery.status is not None and 400 <= delivery.status < 500:
            log.error("delivery_refused", upstream=self.name, event_id=row["event_id"], status=delivery.status)
        return ("dead", now_ms) if due_ms > row["expires_at_ms"] else ("pending", due_ms)

    async def _give_up(self, now_ms: int) -> None:
        """The breaker is open: see for how long nothing was delivered, warn from a fifth of the time on, and end it."""
        since_ms = await asyncio.to_thread(self._store.reader.failing_since_ms, self.name)
        if since_ms is None:
            return
        failing_s = (now_ms - since_ms) // 1000
        if failing_s >= self._config.disabled_after_s:
            self._disable(f"nothing but failure for {failing_s // 3600} hours")
        elif failing_s >= self._config.disabled_after_s // 5:
            left_s = self._config.disabled_after_s - failing_s
            log.error("upstream_failing", upstream=self.name, hours=failing_s // 3600, disabled_in_hours=left_s // 3600)

    def _disable(self, reason: str) -> None:
        self.is_disabled = True
        log.error("upstream_disabled", upstream=self.name, reason=reason, hint="mend it and restart")

    async def stop(self) -> None:
        """Finish what is under way, up to ten seconds; the rest stays pending."""
        self._is_stopping = True
        self._woken.set()
        if self._flying:
            await asyncio.wait(list(self._flying.values()), timeout=_STOP_WAIT_S)
        for task in list(self._flying.values()):
            task.cancel()
        await self._sender.close()


class _Result:
    """Writes the result of one attempt."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self._values = values

    def __call__(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            """UPDATE outbox SET state = ?, due_at_ms = ?, attempts = ?, last_status = ?, last_error = ?,
             last_answer = ?, delivered_at_ms = ? WHERE id = ?""",
            self._values,
        )


class Forwarder:
    """All endpoints."""

    def __init__(self, drains: list[Drain]) -> None:
        self.drains = drains
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to drain."""
        self._tasks = [asyncio.create_task(drain.run()) for drain in self.drains]

    def wake(self) -> None:
        """Something new may be due."""
        for drain in self.drains:
            drain.wake()

    async def stop(self) -> None:
        """Finish what is under way and leave the rest pending."""
        await asyncio.gather(*(drain.stop() for drain in self.drains))
        await asyncio.gather(*self._tasks)

    def states(self, at_ms: int) -> dict[str, str]:
        """Endpoint → closed, open, half_open or disabled."""
        return {d.name: "disabled" if d.is_disabled else d.breaker.state(at_ms) for d in self.drains}

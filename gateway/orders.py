"""The way back: an order becomes a command on a live link, and its answer, or its absence, a result.

Every order has a deadline, one answer and an honest result. A start is written down before it is sent, so
that a power cut between the two leaves no charge without an order.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Mapping

import structlog

from gateway.metrics import Metrics
from gateway.outcome import OrderSaved
from gateway.switchboard import Switchboard
from gateway.transactions import TransactionNumbers
from protocol import events
from protocol.commands import PileCommand, ReadSample, StartCharging

log = structlog.get_logger()

LATE_PLUG_MS = 60_000
START_MS = 90_000


class OrderError(Exception):
    """An order that cannot be placed; ``code`` is pile_offline, pile_unknown, connector_busy, order_pending."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclasses.dataclass(slots=True)
class _Pending:
    saved: OrderSaved
    command: PileCommand
    result: asyncio.Future[OrderSaved]
    alarm: asyncio.TimerHandle | None = None


class Orders:
    """Orders under way.

    Args:
        switchboard: how to speak to piles.
        numbers: gives transaction ids.
        speed: how many times as fast as the wall the daemon's clock runs.
    """

    def __init__(
        self, switchboard: Switchboard, numbers: TransactionNumbers, metrics: Metrics, *, speed: int = 1
    ) -> None:
        self._switchboard = switchboard
        self._numbers = numbers
        self._metrics = metrics
        self._speed = speed
        self._pending: dict[tuple[str, str, int | None], _Pending] = {}
        self._loop = asyncio.get_running_loop()

    # -- placing --------------------------------------------------------------------------------------

    async def place(self, command: PileCommand, *, actor: str, timeout_ms: int = 30_000) -> OrderSaved:
        """Send an order and wait for the pile's answer or the deadline; the result says which it was.

        Raises ``OrderError`` when the pile has no link or the same order is still under way.
        """
        pending = self._begin(command, None, actor, timeout_ms)
        self._dispatch(pending)
        return await pending.result

    async def start(
        self,
        pile_id: str,
        connector: int,
        *,
        actor: str,
        balance_fen: int,
        card_uid: str | None = None,
        logic_card: str = "0" * 16,
        parallel_no: str | None = None,
        account_id: str | None = None,
    ) -> OrderSaved:
        """Begin a remote start. Returns once the order is durable and sent; its answer comes by event.

        Raises ``OrderError`` as ``place`` does, and when the connector holds a session already.
        """
        if self._switchboard.engine.sessions.active_on(pile_id, connector) is not None:
            raise OrderError("connector_busy", f"connector {connector} of pile {pile_id} holds a session")
        self._require_link(pile_id)
        transaction_id = self._numbers.next(pile_id, connector, self._switchboard.clock.now_ms())
        command = StartCharging(
            pile_id, None, transaction_id, connector, logic_card, card_uid, balance_fen, parallel_no
        )
        pending = self._begin(command, transaction_id, actor, START_MS, {"account_id": account_id})
        await self._switchboard.save([pending.saved])
        self._dispatch(pending)
        return pending.saved

    def _require_link(self, pile_id: str) -> None:
        if not self._switchboard.engine.piles.is_listed(pile_id):
            raise OrderError("pile_unknown", f"pile {pile_id} is not listed here")
        if not self._switchboard.is_connected(pile_id):
            raise OrderError("pile_offline", f"pile {pile_id} has no link at present")

    def _begin(
        self,
        command: PileCommand,
        transaction_id: str | None,
        actor: str,
        timeout_ms: int,
        extra: Mapping[str, object] | None = None,
    ) -> _Pending:
        self._require_link(command.pile_id)
        connector = getattr(command, "connector", None)
        kind = type(command).__name__
        key = (command.pile_id, kind, connector)
        if key in self._pending:
            raise OrderError("order_pending", f"{kind} for pile {command.pile_id} still waits for its answer")
        now_ms = self._switchboard.clock.now_ms()
        saved = OrderSaved(
            order_id=secrets.token_hex(8),
            pile_id=command.pile_id,
            connector=connector,
            kind=kind,
            transaction_id=transaction_id,
            created_at_ms=now_ms,
            deadline_at_ms=now_ms + timeout_ms,
            state="queued",
            actor=actor,
            request={**_request(command), **(extra or {})},
        )
        pending = self._pending[key] = _Pending(saved, command, self._loop.create_future())
        return pending

    def _dispatch(self, pending: _Pending) -> None:
        wait_ms = pending.saved.deadline_at_ms - pending.saved.created_at_ms
        pending.alarm = self._loop.call_later(
            wait_ms / 1000 / self._speed, self._finish, pending, "timed_out", {"detail": "no answer in time"}
        )
        if self._switchboard.send(pending.command):
            self._move(pending, "sent", None)
        else:
            self._finish(pending, "failed", {"detail": "the link closed before the order was sent"})

    # -- answers --------------------------------------------------------------------------------------

    def on_event(self, event: events.PileEvent) -> None:
        """See whether this fact answers an order."""
        match event:
            case events.StartAnswered():
                self._on_start_answered(event)
            case events.OrderAnswered():
                pending = self._find(event.pile_id, event.order, event.connector)
                if pending is not None:
                    state = "accepted" if event.is_accepted else "refused"
                    self._finish(pending, state, {"reason_code": event.reason_code, **event.detail})
            case events.SampleReceived():
                pending = self._pending.get((event.pile_id, ReadSample.__name__, event.connector))
                if pending is not None:
                    self._finish(pending, "accepted", {"status": event.status.value})

    def _find(self, pile_id: str, kind: str, connector: int | None) -> _Pending | None:
        if connector is not None:
            return self._pending.get((pile_id, kind, connector))
        found = [pending for key, pending in self._pending.items() if key[:2] == (pile_id, kind)]
        return found[0] if found else None

    def _on_start_answered(self, event: events.StartAnswered) -> None:
        pending = self._pending.get((event.pile_id, StartCharging.__name__, event.connector))
        if pending is None or pending.saved.transaction_id != event.transaction_id:
            return
        if event.is_accepted:
            self._finish(pending, "accepted", {"reason_code": event.reason_code})
        elif event.may_still_start:
            self._move(pending, "sent", {"reason_code": event.reason_code, "detail": "not plugged in yet"})
        else:
            self._finish(pending, "refused", {"reason_code": event.reason_code})

    def on_link_lost(self, pile_id: str) -> None:
        """Orders that waited for this pile's answer will not get one on this link."""
        for pending in [p for p in self._pending.values() if p.saved.pile_id == pile_id]:
            if not isinstance(pending.command, StartCharging):
                self._finish(pending, "failed", {"detail": "the link closed before the pile answered"})

    def _move(self, pending: _Pending, state: str, result: Mapping[str, object] | None) -> None:
        pending.saved = dataclasses.replace(pending.saved, state=state, result=result)
        self._switchboard.save_lazily([pending.saved])

    def _finish(self, pending: _Pending, state: str, result: Mapping[str, object]) -> None:
        saved = pending.saved
        self._pending.pop((saved.pile_id, saved.kind, saved.connector), None)
        if pending.alarm is not None:
            pending.alarm.cancel()
        if pending.result.done():
            return
        self._move(pending, state, result)
        self._metrics.orders[(saved.kind, state)] += 1
        log.info("order_finished", pile_id=saved.pile_id, kind=saved.kind, state=state, order_id=saved.order_id)
        pending.result.set_result(pending.saved)


def _request(command: PileCommand) -> dict[str, object]:
    """What was asked, for the log of orders; secrets are left out."""
    names = [field.name for field in dataclasses.fields(command) if field.name not in ("reply_ref", "password")]
    return {name: _plain(getattr(command, name)) for name in names}


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value

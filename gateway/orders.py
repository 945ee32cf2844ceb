"""The way back: an order becomes a command on a live link, and its answer, or its absence, a result.

Every order has a deadline, one answer and an honest result. A start is written down before it is sent, so
that a power cut between the two leaves no charge without an order.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import structlog

from gateway.metrics import Metrics
from gateway.outcome import Notice, OrderSaved, Outcome
from gateway.switchboard import Switchboard
from gateway.transactions import TransactionNumbers
from protocol import events
from protocol.commands import AskRecord, PileCommand, ReadSample, SendFirmware, StartCharging, UpdateBalance
from protocol.errors import LocalProtocolError

log = structlog.get_logger()

LATE_PLUG_MS = 62_000  # a plug within 60 s may still start the charge; two seconds for the way
START_MS = 90_000
NOT_PLUGGED = 5
_SETTLED_MAX = 1_000

AlsoKeep = Callable[[Sequence[OrderSaved]], Callable[[sqlite3.Connection], Any] | None]


class OrderEnded(Exception):
    """How work on an order came out, when not as it was meant: ``state`` and ``result`` as orders have them."""

    def __init__(self, state: str, result: Mapping[str, object]) -> None:
        super().__init__(str(result.get("detail", state)))
        self.state = state
        self.result = result


class OrderError(Exception):
    """An order that cannot be placed.

    ``code`` is pile_offline, pile_unknown, connector_unknown, connector_busy, order_pending, firmware_missing or
    not_supported.
    """

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
        self._settled: OrderedDict[str, OrderSaved] = OrderedDict()  # starts that may not be in the database yet
        self._loop = asyncio.get_running_loop()

    # -- placing --------------------------------------------------------------------------------------

    async def place(self, command: PileCommand, *, actor: str, timeout_ms: int = 30_000) -> OrderSaved:
        """Send an order and wait for the pile's answer or the deadline; the result says which it was.

        The result is durable when this returns.
        Raises ``OrderError`` when the pile has no link or the same order is still under way.
        """
        pending = self._begin(command, None, actor, timeout_ms)
        self._dispatch(pending)
        saved = await pending.result
        await self._switchboard.save([saved])
        return saved

    async def carry(
        self,
        command: PileCommand,
        work: Callable[[Callable[[Mapping[str, object]], None]], Coroutine[Any, Any, Mapping[str, object]]],
        *,
        actor: str,
        timeout_ms: int,
    ) -> OrderSaved:
        """Begin an order that many frames are needed for; returns once it is durable.

        Args:
            work: given something to tell progress to, does it all and returns the result, or raises ``OrderEnded``.

        Raises ``OrderError`` as ``place`` does.
        """
        pending = self._begin(command, None, actor, timeout_ms)
        try:
            await self._switchboard.save([pending.saved])
        except BaseException:
            self._forget(pending)
            raise
        if not pending.result.done():
            self._arm(pending, pending.saved.deadline_at_ms, "timed_out", {"detail": "not done in time"})
            self._move(pending, "sent", None)
            task = self._loop.create_task(self._worked(pending, work))
            pending.result.add_done_callback(lambda _: task.cancel())
        return pending.saved

    async def _worked(
        self,
        pending: _Pending,
        work: Callable[[Callable[[Mapping[str, object]], None]], Coroutine[Any, Any, Mapping[str, object]]],
    ) -> None:
        try:
            result = await work(lambda told: self._move(pending, "sent", told))
        except OrderEnded as ended:
            self._finish(pending, ended.state, ended.result)
        except LocalProtocolError as error:
            self._finish(pending, "failed", {"detail": str(error)})
        else:
            self._finish(pending, "accepted", result)

    async def start(
        self,
        pile_id: str,
        connectors: Sequence[int],
        *,
        actor: str,
        balance_fen: int,
        card_uid: str | None = None,
        logic_card: str = "0" * 16,
        parallel_no: str | None = None,
        account_id: str | None = None,
        also: AlsoKeep = lambda orders: None,
    ) -> list[OrderSaved]:
        """Begin a remote start on one connector, or on several for one car: all of them or none.

        Returns once the orders are durable, as they were written down; then they are sent, and their answers
        come by event. ``also`` makes work for the same transaction out of the orders.

        Raises ``OrderError`` as ``place`` does, and when a connector holds a session already.
        """
        self._require_none_pending((pile_id, SendFirmware.__name__, None))
        for connector in connectors:
            self._require_connector(pile_id, connector)
            if self._switchboard.engine.sessions.active_on(pile_id, connector) is not None:
                raise OrderError("connector_busy", f"connector {connector} of pile {pile_id} holds a session")
            self._require_none_pending((pile_id, StartCharging.__name__, connector))
            self._require_record(pile_id, connector)
        under_way = []
        for connector in connectors:
            digits = self._switchboard.engine.piles.traits(pile_id).pile_digits
            now_ms = self._switchboard.clock.now_ms()
            transaction_id = self._numbers.next(pile_id, connector, now_ms, pile_digits=digits)
            command = StartCharging(
                pile_id, None, transaction_id, connector, logic_card, card_uid, balance_fen, parallel_no
            )
            under_way.append(self._begin(command, transaction_id, actor, START_MS, {"account_id": account_id}))
        orders = [pending.saved for pending in under_way]
        try:
            await self._switchboard.save(orders, also(orders))
        except BaseException:
            for pending in under_way:
                self._forget(pending)
            raise
        for pending in under_way:
            self._dispatch(pending)
        return orders

    def restore(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Orders that a former run left without an answer: starts still wait, of others nobody will hear.

        Args:
            rows: of the log of orders, ``request`` and ``result`` unpacked.
        """
        now_ms = self._switchboard.clock.now_ms()
        for row in rows:
            saved = OrderSaved(**{name: row[name] for name in OrderSaved.__slots__})
            if saved.kind == StartCharging.__name__ and saved.deadline_at_ms > now_ms:
                request = {
                    name: saved.request[name] for name in StartCharging.__dataclass_fields__ if name in saved.request
                }
                command = StartCharging(**{"reply_ref": None, **request})  # type: ignore[arg-type]
                pending = self._pending[_key(command)] = _Pending(saved, command, self._loop.create_future())
                self._arm(pending, saved.deadline_at_ms, "timed_out", {"detail": "no answer in time"})
            else:
                state = "timed_out" if saved.kind == StartCharging.__name__ else "failed"
                detail = {"detail": "the gateway stopped before the pile answered"}
                self._switchboard.save_lazily([dataclasses.replace(saved, state=state, result=detail)])

    def pending_of(self, transaction_id: str) -> OrderSaved | None:
        """The start of a transaction, while it is newer than what the database may show."""
        waiting = (p.saved for p in self._pending.values() if p.saved.transaction_id == transaction_id)
        return next(waiting, None) or self._settled.get(transaction_id)

    def _require_link(self, pile_id: str) -> None:
        if not self._switchboard.engine.piles.is_listed(pile_id):
            raise OrderError("pile_unknown", f"pile {pile_id} is not listed here")
        if not self._switchboard.is_connected(pile_id):
            raise OrderError("pile_offline", f"pile {pile_id} has no link at present")

    def _require_connector(self, pile_id: str, connector: int) -> None:
        self._require_link(pile_id)
        count = self._switchboard.engine.piles.state(pile_id).connector_count
        if count and connector > count:
            raise OrderError("connector_unknown", f"pile {pile_id} has {count} connectors, none is {connector}")

    def _require_record(self, pile_id: str, connector: int) -> None:
        """Where a start makes the pile forget its last record, that one must have come, or be given up."""
        engine = self._switchboard.engine
        if not engine.piles.traits(pile_id).start_drops_record:
            return
        for session in engine.sessions.running():
            if session.core.pile_id == pile_id and session.core.connector == connector and session.core.ended_at_ms:
                text = f"the record of {session.transaction_id} has not come; a start would make pile {pile_id} drop it"
                raise OrderError("record_pending", text)

    def _require_none_pending(self, key: tuple[str, str, int | None]) -> None:
        if key in self._pending:
            raise OrderError("order_pending", f"{key[1]} for pile {key[0]} still waits for its answer")

    def _begin(
        self,
        command: PileCommand,
        transaction_id: str | None,
        actor: str,
        timeout_ms: int,
        extra: Mapping[str, object] | None = None,
    ) -> _Pending:
        connector = getattr(command, "connector", None)
        if connector is None:
            self._require_link(command.pile_id)
        else:
            self._require_connector(command.pile_id, connector)
        self._require_none_pending(_key(command))
        now_ms = self._switchboard.clock.now_ms()
        saved = OrderSaved(
            order_id=secrets.token_hex(8),
            pile_id=command.pile_id,
            connector=connector,
            kind=type(command).__name__,
            transaction_id=transaction_id,
            created_at_ms=now_ms,
            deadline_at_ms=now_ms + timeout_ms,
            state="queued",
            actor=actor,
            request={**_request(command), **(extra or {})},
        )
        pending = self._pending[_key(command)] = _Pending(saved, command, self._loop.create_future())
        return pending

    def _dispatch(self, pending: _Pending) -> None:
        """Send it. Raises ``LocalProtocolError`` for what no frame can carry."""
        self._arm(pending, pending.saved.deadline_at_ms, "timed_out", {"detail": "no answer in time"})
        try:
            is_sent = self._switchboard.send(pending.command)
        except LocalProtocolError as error:
            self._finish(pending, "failed", {"detail": str(error)})
            raise
        if is_sent:
            self._move(pending, "sent", None)
        else:
            self._finish(pending, "failed", {"detail": "the link closed before the order was sent"})

    def _arm(self, pending: _Pending, due_ms: int, state: str, result: Mapping[str, object]) -> None:
        """What becomes of an order at ``due_ms`` unless its answer comes before."""
        if pending.alarm is not None:
            pending.alarm.cancel()
        wait_ms = max(0, due_ms - self._switchboard.clock.now_ms())
        pending.alarm = self._loop.call_later(wait_ms / 1000 / self._speed, self._finish, pending, state, result)

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
            case events.RecordReceived():
                pending = self._pending.get((event.pile_id, AskRecord.__name__, event.connector))
                if pending is not None:
                    self._finish(pending, "accepted", {"serial": event.serial})
            case events.SampleReceived():
                pending = self._pending.get((event.pile_id, ReadSample.__name__, event.connector))
                if pending is not None:
                    self._finish(pending, "accepted", {"status": event.status.value})

    def _find(self, pile_id: str, kind: str, connector: int | None) -> _Pending | None:
        return self._pending.get((pile_id, kind, connector))

    def _on_start_answered(self, event: events.StartAnswered) -> None:
        pending = self._pending.get((event.pile_id, StartCharging.__name__, event.connector))
        if pending is None or pending.saved.transaction_id != event.transaction_id:
            return
        if event.is_accepted:
            self._finish(pending, "accepted", {"reason_code": event.reason_code})
        elif event.may_still_start:
            self._move(pending, "sent", {"reason_code": event.reason_code, "detail": "not plugged in yet"})
            refusal = {"reason_code": NOT_PLUGGED, "detail": "nobody plugged in within 60 s"}
            self._arm(pending, pending.saved.created_at_ms + LATE_PLUG_MS, "refused", refusal)
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
        self._forget(pending)
        if pending.result.done():
            return
        self._move(pending, state, result)
        saved = pending.saved
        self._metrics.orders[(saved.kind, state)] += 1
        log.info("order_finished", pile_id=saved.pile_id, kind=saved.kind, state=state, order_id=saved.order_id)
        pending.result.set_result(saved)
        if saved.transaction_id is not None:
            self._settled[saved.transaction_id] = saved
            while len(self._settled) > _SETTLED_MAX:
                self._settled.popitem(last=False)
        told = {
            "order_id": saved.order_id,
            "kind": saved.kind,
            "connector": saved.connector,
            "transaction_id": saved.transaction_id,
            "state": state,
            "result": dict(result),
        }
        now_ms = self._switchboard.clock.now_ms()
        self._switchboard.carry_out(Outcome(notices=[Notice("pilegate.order.finished", saved.pile_id, now_ms, told)]))

    def _forget(self, pending: _Pending) -> None:
        if self._pending.get(_key(pending.command)) is pending:
            del self._pending[_key(pending.command)]
        if pending.alarm is not None:
            pending.alarm.cancel()


def _key(command: PileCommand) -> tuple[str, str, int | None]:
    """What an answer can be told by. The answer to a new balance names no connector: one at a time."""
    connector = None if isinstance(command, UpdateBalance) else getattr(command, "connector", None)
    return command.pile_id, type(command).__name__, connector


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

"""What a gateway does of its own accord: clocks set, tariffs kept fresh, QR prefixes repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from gateway.orders import OrderError, Orders
from gateway.outcome import EventRaised, Notice
from gateway.switchboard import Switchboard
from gateway.tomlfile import bounded
from protocol.commands import AskRecord, PileCommand, SetQrPrefix, SetTariff, StopCharging, SyncTime
from protocol.errors import LocalProtocolError
from protocol.events import PileLoggedIn

log = structlog.get_logger()

_PULL_FIRST_MS = 60_000  # after its login a pile asks for its tariff by itself
_PUSH_AGAIN_MS = 300_000
_SYNC_AGAIN_MS = 3_600_000
_CLOCK_CODES = {"time_zero_date", "time_epoch_reset", "time_future", "time_clock_skew", "time_step_mid_session"}

_SHARE_LEAST = 256  # piles looked at in one tick
_ROUND_TICKS = 20


@dataclass(frozen=True, slots=True)
class RoutineConfig:
    """What piles are told unasked.

    Attributes:
        time_sync_interval_ms: a pile's clock is set at login and when the last answer is older than this.
        qr_prefix: sent after every login; empty for none.
        qr_has_connector: the code ends in the connector's two digits.
        pushes_tariffs: send the tariff in force to idle piles that hold another.
    """

    time_sync_interval_ms: int = bounded(86_400_000, 1_000)
    qr_prefix: str = ""
    qr_has_connector: bool = True
    pushes_tariffs: bool = True


class Routine:
    """The gateway's own orders; each is an ordinary order with actor ``routine``."""

    def __init__(self, switchboard: Switchboard, orders: Orders, config: RoutineConfig) -> None:
        self._switchboard = switchboard
        self._orders = orders
        self._config = config
        self._tried_at_ms: dict[str, int] = {}
        self._round: list[str] = []  # piles that this round has yet to look at
        self._share = _SHARE_LEAST
        self._pushed_at_ms: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def on_event(self, event: object) -> None:
        """A login: set the clock, repeat the QR prefix, ask for what did not come while the pile was away."""
        if isinstance(event, PileLoggedIn):
            self._sync_time(event.pile_id, event.at_ms)
            for session in self._switchboard.engine.sessions.running():
                if session.is_overdue and session.core.pile_id == event.pile_id:
                    self._ask_record(event.pile_id, session.core.connector, session.transaction_id)
            if self._config.qr_prefix:
                command = SetQrPrefix(event.pile_id, None, self._config.qr_prefix, self._config.qr_has_connector)
                self._spawn(self._place(command))

    def watch(self, item: object) -> None:
        """What sessions say that must be acted upon: records that do not come, money that ends, clocks that are off."""
        if isinstance(item, EventRaised):
            self._on_bill(item)
        elif isinstance(item, Notice) and item.type.startswith("pilegate.session."):
            pile_id, connector = str(item.data.get("pile_id")), int(str(item.data.get("connector", 0)))
            match item.type.removeprefix("pilegate.session."):
                case "record_overdue":
                    self._ask_record(pile_id, connector, item.subject)
                case "balance_reached":
                    log.info("charge_stopped_at_balance", pile_id=pile_id, transaction_id=item.subject)
                    self._spawn(self._place(StopCharging(pile_id, None, connector)))
                case "stop_ignored":
                    log.warning("stop_ignored", pile_id=pile_id, connector=connector, transaction_id=item.subject)

    def _on_bill(self, event: EventRaised) -> None:
        """A bill that shows a wrong clock: set it again, once an hour at most."""
        anomalies = event.data.get("anomalies") if event.type.startswith("pilegate.bill.") else None
        if not isinstance(anomalies, list) or not {each["code"] for each in anomalies} & _CLOCK_CODES:
            return
        pile_id = str(event.data["pile_id"])
        is_new = event.at_ms - self._tried_at_ms.get(pile_id, 0) > _SYNC_AGAIN_MS
        if is_new and self._switchboard.is_connected(pile_id):
            self._sync_time(pile_id, event.at_ms)

    def _ask_record(self, pile_id: str, connector: int, transaction_id: str) -> None:
        if self._switchboard.engine.piles.traits(pile_id).can_ask_record and self._switchboard.is_connected(pile_id):
            self._spawn(self._place(AskRecord(pile_id, None, connector, transaction_id)))

    def tick(self, at_ms: int) -> None:
        """Now and then: overdue clocks and stale tariffs of connected piles, a share of them when they are many."""
        if not self._round:
            self._round = list(self._switchboard.speakers)
            self._share = max(_SHARE_LEAST, len(self._round) // _ROUND_TICKS)
        share, self._round = self._round[: self._share], self._round[self._share :]
        for pile_id in share:
            if pile_id not in self._switchboard.speakers:
                continue
            state = self._switchboard.engine.piles.state(pile_id)
            checked_ms = state.clock_checked_at_ms or 0
            tried_ms = self._tried_at_ms.get(pile_id, 0)
            if at_ms - max(checked_ms, tried_ms) >= self._config.time_sync_interval_ms:
                self._sync_time(pile_id, at_ms)
            if self._config.pushes_tariffs and self._may_push(pile_id, at_ms):
                tariff = self._switchboard.engine.piles.tariff_for(pile_id, at_ms)
                if tariff is not None:
                    self._pushed_at_ms[pile_id] = at_ms
                    self._spawn(self._place(SetTariff(pile_id, None, tariff)))

    def _may_push(self, pile_id: str, at_ms: int) -> bool:
        """Only to an idle pile that is stale, and not at once again when it refused."""
        engine = self._switchboard.engine
        state = engine.piles.state(pile_id)
        pulls = engine.piles.traits(pile_id).asks_tariff
        is_too_soon = (
            pulls and at_ms - (state.logged_in_at_ms or at_ms) < _PULL_FIRST_MS
        ) or at_ms - self._pushed_at_ms.get(pile_id, 0) < _PUSH_AGAIN_MS
        return not is_too_soon and engine.piles.is_stale(pile_id, at_ms) and self.is_idle(pile_id)

    def is_idle(self, pile_id: str) -> bool:
        """Whether nothing charges: a pile must not change prices while it does."""
        engine = self._switchboard.engine
        connectors = engine.piles.state(pile_id).connectors
        return not any(engine.sessions.active_on(pile_id, no) for no in connectors) and not any(
            connector.status == "charging" for connector in connectors.values()
        )

    def _sync_time(self, pile_id: str, at_ms: int) -> None:
        self._tried_at_ms[pile_id] = at_ms
        civil_ms = self._switchboard.engine.sessions.site.zone.civil_ms(at_ms)
        self._spawn(self._place(SyncTime(pile_id, None, civil_ms)))

    async def _place(self, command: PileCommand) -> None:
        try:
            await self._orders.place(command, actor="routine")
        except (OrderError, LocalProtocolError) as error:
            log.info(
                "routine_skipped",
                pile_id=command.pile_id,
                kind=type(command).__name__,
                code=error.code,
                reason=str(error),
            )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

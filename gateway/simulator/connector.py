"""One connector of a simulated pile: cars come, ask, charge and leave."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from gateway.simulator import wire
from gateway.simulator.charge import Charge, Story
from gateway.simulator.plan import PilePlan, RecordFate, Visit
from gateway.simulator.rates import Rates

NOT_PLUGGED, BUSY, NO_TARIFF = 5, 2, 7
_LATE_PLUG_MS = 60_000
_ASK_AGAIN_MS = 15_000
_ASKS_MAX = 4
_START_MODES = {"card": 1, "parallel": 1, "vin": 3}
POWER_LOST, BALANCE_USED_UP, STOPPED_BY_APP = 0x83, 0x6E, 0x40


class Phase(StrEnum):
    """Where a connector stands."""

    FREE = "free"
    PLUGGED = "plugged"
    ASKED = "asked"
    PREPARING = "preparing"
    CHARGING = "charging"
    DONE = "done"


class Host(Protocol):
    """What a connector needs of its pile."""

    plan: PilePlan
    rates: Rates | None
    civil_offset_ms: int
    is_ready: bool
    offline_cards: set[str]

    @property
    def is_clock_right(self) -> bool:
        """Whether the pile's clock shows the time."""

    def send(self, kind: int, raw: Mapping[str, Any], sequence: int | None = None) -> None:
        """Send a frame, if there is a link."""

    def new_serial(self, connector: int) -> str:
        """A transaction number of the pile's own."""

    def owe(self, story: Story, raw: dict[str, Any], at_ms: int) -> None:
        """Owe the gateway a record."""

    def on_parallel_ready(self, at_ms: int) -> None:
        """A car that wants all connectors plugged in here."""


class Connector:
    """One connector, sans-IO; time is handed in.

    Args:
        no: 1, 2, …
        register_e4kwh: meter reading at the beginning.
    """

    def __init__(self, host: Host, no: int, visits: Sequence[Visit], register_e4kwh: int) -> None:
        self.no = no
        self.phase = Phase.FREE
        self.visit: Visit | None = None
        self.charge: Charge | None = None
        self.stories: list[Story] = []
        self.register_e4kwh = register_e4kwh
        self.refused = 0  # starts that the gateway refused, and cars that left without a start
        self.is_parallel_asked = False
        self._host = host
        self._visits = deque(visits)
        self._step_at_ms: int | None = None
        self._sample_at_ms: int | None = None
        self._granted: tuple[str, str, int] | None = None  # serial, channel, balance
        self._ordered: tuple[dict[str, Any], int, int] | None = None  # a start before the plug, sequence, deadline
        self._asks = 0
        self._leaves_at_ms = 0
        self._has_begun = False

    # -- looking --------------------------------------------------------------------------------------

    @property
    def timer_at_ms(self) -> int | None:
        """The next moment at which something happens here, Unix ms."""
        return min((at for at in (self._step_at_ms, self._sample_at_ms) if at is not None), default=None)

    @property
    def is_finished(self) -> bool:
        """No car is here and none will come."""
        return self.phase is Phase.FREE and not self._visits and self._step_at_ms is None

    @property
    def is_plugged(self) -> bool:
        """Whether a car is plugged in."""
        return self.phase is not Phase.FREE

    def _head(self, serial: str) -> dict[str, Any]:
        return {"serial": serial, "pile_no": self._host.plan.pile_id, "gun": self.no}

    # -- the pile's link ------------------------------------------------------------------------------

    def on_ready(self, at_ms: int) -> None:
        """The pile is logged in and holds a tariff."""
        if not self._has_begun:
            self._has_begun = True
            self._next_car(at_ms)
        self.report(at_ms)
        if self.phase is Phase.PLUGGED:
            self._ask(at_ms)

    def on_link_lost(self, at_ms: int) -> None:
        """No link: a car that asked waits again, a known card starts without the gateway."""
        if self.phase is Phase.ASKED:
            self.phase = Phase.PLUGGED
            self.is_parallel_asked = False
            self._step_at_ms = self._leaves_at_ms
        if self.phase is Phase.PLUGGED:
            self._start_offline(at_ms)

    def report(self, at_ms: int) -> None:
        """Send a sample now."""
        charge = self.charge
        state = wire.CHARGING if charge else wire.IDLE
        if charge is not None:
            charge.advance(at_ms)
        head = self._head(charge.story.transaction_id if charge else wire.ZERO_SERIAL)
        raw = wire.sample(head, charge, is_plugged=self.is_plugged, state=state, volts_dv=self._volts_dv)
        self._host.send(0x13, raw)
        plan = self._host.plan
        self._sample_at_ms = at_ms + (plan.sample_ms if charge else plan.idle_sample_ms)

    @property
    def _volts_dv(self) -> int:
        return 3_900 if self._host.plan.current == "DC" else 2_200

    # -- the script -----------------------------------------------------------------------------------

    def on_timer(self, at_ms: int) -> None:
        """Do what is due."""
        if self._step_at_ms is not None and self._step_at_ms <= at_ms:
            self._step(self._step_at_ms, at_ms)
        if self._sample_at_ms is not None and self._sample_at_ms <= at_ms:
            self.report(at_ms)
            self._send_bms()
            self._check_balance(at_ms)

    def _step(self, due_ms: int, at_ms: int) -> None:
        match self.phase:
            case Phase.FREE:
                self._plug_in(at_ms)
            case Phase.PLUGGED | Phase.DONE:
                self.refused += self.phase is Phase.PLUGGED
                self._leave(at_ms)
            case Phase.ASKED:
                self._ask(at_ms)
            case Phase.PREPARING:
                self._begin(at_ms)
            case Phase.CHARGING:
                assert self.visit is not None
                self.end(due_ms, at_ms, self.visit.stop_code)

    def _next_car(self, at_ms: int) -> None:
        self._step_at_ms = at_ms + self._visits[0].wait_ms if self._visits else None

    def _plug_in(self, at_ms: int) -> None:
        self.visit = self._visits.popleft()
        self.phase = Phase.PLUGGED
        self._leaves_at_ms = self._step_at_ms = at_ms + self.visit.patience_ms
        self._asks = 0
        self.is_parallel_asked = False
        self.report(at_ms)
        ordered, self._ordered = self._ordered, None
        if ordered is not None and at_ms < ordered[2]:
            self.on_start_order(ordered[0], ordered[1], at_ms)
        elif not self._start_offline(at_ms):
            self._ask(at_ms)

    def _leave(self, at_ms: int) -> None:
        self.phase = Phase.FREE
        self.visit = None
        self._granted = None
        self._next_car(at_ms)
        self.report(at_ms)

    # -- starting -------------------------------------------------------------------------------------

    def _start_offline(self, at_ms: int) -> bool:
        """Without a link a listed card starts at once; True when it did."""
        visit, host = self.visit, self._host
        if visit is None or host.is_ready or host.rates is None or visit.start not in ("offline", "card"):
            return False
        if visit.card_uid not in host.offline_cards:
            return False
        self._prepare(host.new_serial(self.no), "offline", 0, at_ms)
        return True

    def _ask(self, at_ms: int) -> None:
        visit = self.visit
        if visit is None or not self._host.is_ready or visit.start not in _START_MODES:
            return
        if at_ms < self._leaves_at_ms and visit.start == "parallel":
            self._host.on_parallel_ready(at_ms)
            return
        if at_ms >= self._leaves_at_ms or self._asks == _ASKS_MAX:
            self.refused += 1
            self._leave(at_ms)
            return
        self._asks += 1
        self.phase = Phase.ASKED
        self._step_at_ms = at_ms + _ASK_AGAIN_MS
        self._host.send(0x31, self.request())

    def request(self) -> dict[str, Any]:
        """The raw values of 0x31 for the car that is here."""
        visit = self.visit
        assert visit is not None
        mode = _START_MODES[visit.start]
        return {
            "pile_no": self._host.plan.pile_id,
            "gun": self.no,
            "start_mode": mode,
            "need_password": 0,
            "card": visit.card_uid if mode == 1 and visit.card_uid else wire.ZERO_CARD,
            "password_hex": "0" * 32,
            "vin": wire.vin_bytes(visit.vin if mode == 3 else "", is_reversed=True),
        }

    def await_parallel(self, at_ms: int) -> None:
        """0xA1 was sent for this connector."""
        self.phase = Phase.ASKED
        self.is_parallel_asked = True
        self._step_at_ms = self._leaves_at_ms

    def on_authorised(self, raw: Mapping[str, Any], at_ms: int) -> None:
        """0x32: start with the serial it carries, or let the car go."""
        if self.phase is not Phase.ASKED or self.visit is None:
            return
        if raw["auth_ok"] != 1:
            self.refused += 1
            self._leave(at_ms)
            return
        self._prepare(raw["serial"], self.visit.start, raw["balance_yuan"], at_ms)

    def on_start_order(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        """0x34: answer 0x33, and start if a car is here or comes within 60 s."""
        reason = 0
        if self._host.rates is None:
            reason = NO_TARIFF
        elif self.phase in (Phase.ASKED, Phase.PREPARING, Phase.CHARGING):
            reason = BUSY
        elif self.phase is not Phase.PLUGGED:
            reason = NOT_PLUGGED
            self._ordered = (raw, sequence, at_ms + _LATE_PLUG_MS)
        answer = {**self._head(raw["serial"]), "ok": int(not reason), "fail_reason": reason}
        if "parallel_no" in raw:
            answer |= {"role": int(self.no != 1), "parallel_no": raw["parallel_no"]}
        self._host.send(0xA3 if "parallel_no" in raw else 0x33, answer, sequence)
        if not reason:
            self._prepare(raw["serial"], "app", raw["balance_yuan"], at_ms)

    def _prepare(self, serial: str, channel: str, balance_fen: int, at_ms: int) -> None:
        assert self.visit is not None
        self._granted = (serial, channel, balance_fen)
        self.phase = Phase.PREPARING
        self._step_at_ms = at_ms + self.visit.prepare_ms
        if self._host.plan.current == "DC":
            head = self._head(serial)
            self._host.send(0x15, {**head, **wire.bms_handshake(self.visit.vin)})
            self._host.send(0x17, {**head, **wire.bms_config(self.visit.soc_percent)})

    # -- charging -------------------------------------------------------------------------------------

    def _begin(self, at_ms: int) -> None:
        visit, host = self.visit, self._host
        assert visit is not None
        assert host.rates is not None
        assert self._granted is not None
        serial, channel, balance_fen = self._granted
        is_clean = (
            host.is_clock_right and not visit.is_meter_reset and visit.record in (RecordFate.GOOD, RecordFate.TWICE)
        )
        story = Story(serial, host.plan.pile_id, self.no, channel, at_ms, visit.record.value, is_clean)
        self.stories.append(story)
        self.charge = Charge(
            story=story,
            power_w=visit.power_w,
            rates=host.rates,
            at_ms=at_ms,
            civil_offset_ms=host.civil_offset_ms,
            soc_percent=visit.soc_percent,
            balance_fen=balance_fen,
            register_e4kwh=self.register_e4kwh,
        )
        self.phase = Phase.CHARGING
        self._step_at_ms = at_ms + visit.charge_ms
        self.report(at_ms)

    def _send_bms(self) -> None:
        if self.charge is None or self._host.plan.current != "DC":
            return
        head = self._head(self.charge.story.transaction_id)
        self._host.send(0x23, {**head, **wire.bms_demand(self.charge, self._volts_dv)})
        self._host.send(0x25, {**head, **wire.bms_status()})

    def _check_balance(self, at_ms: int) -> None:
        charge = self.charge
        if charge is not None and charge.balance_fen and charge.amount_e4yuan >= charge.balance_fen * 100:
            self.end(at_ms, at_ms, BALANCE_USED_UP)

    def end(self, ended_at_ms: int, at_ms: int, stop_code: int, *, is_dark: bool = False) -> None:
        """Charging is over. ``is_dark``: the mains failed, nothing can be said before they return."""
        charge, visit = self.charge, self.visit
        assert charge is not None
        assert visit is not None
        charge.advance(ended_at_ms)
        story = charge.close(stop_code)
        if visit.is_meter_reset:
            story.meter_stop_e4kwh = story.energy_e4kwh // 2  # the register began again half-way
        story.is_clean = story.is_clean and not is_dark
        self.register_e4kwh = story.meter_stop_e4kwh
        self.charge = None
        self.phase = Phase.DONE
        self._step_at_ms = at_ms + visit.stay_ms
        if not is_dark:
            if self._host.plan.current == "DC":
                self._host.send(0x19, {**self._head(story.transaction_id), **wire.bms_end(charge)})
            self.report(at_ms)
        if visit.record is not RecordFate.NONE:
            raw = wire.record(
                charge,
                self._head(story.transaction_id),
                card=visit.card_uid if story.channel != "app" else None,
                vin=visit.vin if self._host.plan.current == "DC" else "",
                trade_civil_ms=at_ms + self._host.civil_offset_ms,
                fault=self._host.plan.clock,
            )
            self._host.owe(story, raw, at_ms)

    def on_stop_order(self, at_ms: int) -> bool:
        """0x36: True when there was a charge to stop."""
        if self.charge is None:
            return False
        self.end(at_ms, at_ms, STOPPED_BY_APP)
        return True

    def on_balance(self, balance_fen: int) -> None:
        """0x42: the running charge has a new balance."""
        if self.charge is not None:
            self.charge.balance_fen = balance_fen

    def on_power_lost(self, at_ms: int) -> None:
        """The mains failed."""
        if self.charge is not None:
            self.end(at_ms, at_ms, POWER_LOST, is_dark=True)
        elif self.phase in (Phase.ASKED, Phase.PREPARING):
            self.phase = Phase.PLUGGED
            self._step_at_ms = self._leaves_at_ms
        self._sample_at_ms = None

"""A simulated YKC pile, sans-IO: bytes in, bytes out, time handed in, and a script to live by.

It is a pile as the protocol wants it, down to its habit of sending a record again until it is acknowledged,
unless its plan says otherwise. Equal plans and seeds tell equal stories.

Source: YKC platform protocol V1.6, flows and timers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from gateway.simulator import wire
from gateway.simulator.charge import Story
from gateway.simulator.connector import Connector, Phase
from gateway.simulator.plan import ClockFault, PilePlan, RecordFate
from gateway.simulator.rates import Rates
from gateway.simulator.records import OwedRecord, RecordQueue
from protocol.dialects.ykc_frames import KNOWN, RECORD_FIVE
from protocol.dialects.ykc_times import pile_time, raw_time
from protocol.dialects.ykc_wire import HIGH_FIRST, LOW_FIRST, read_frame, write_frame
from protocol.framer import Framer

_EPOCH_2000_MS = 946_684_800_000
_HOUR_MS = 3_600_000
_CHECK_AGAIN_MS = 15_000
_HEARTBEATS_MISSED_MAX = 3
_AGAIN_MS = 10_000
_LOGIN_AGAIN_MS = 10_000
_BUFFER_BYTES = 4_096
_BCD_TIME = (2, 2, 2, 2, 2, 2)


class SimulatedPile:
    """One pile.

    Args:
        plan: its hardware and its script.
        seed: equal seeds, equal piles.
        now_ms: the present moment, Unix ms.
    """

    def __init__(self, plan: PilePlan, seed: int, now_ms: int) -> None:
        self.plan = plan
        self.rates: Rates | None = None
        self.is_ready = False
        self.is_refused = False
        self.wants_hang_up = False
        self.offline_cards = set(plan.offline_cards)
        self.civil_offset_ms = 0
        self.acknowledged = 0
        self._rng = random.Random(f"{seed}:{plan.pile_id}")
        self._set_clock_at_birth(now_ms)
        registers = plan.registers_e4kwh or tuple(self._rng.randrange(10_000, 900_000) * 10_000 for _ in plan.visits)
        self.connectors = [Connector(self, no, visits, registers[no - 1]) for no, visits in enumerate(plan.visits, 1)]
        self.records = RecordQueue(retry_ms=plan.retry_ms, last_retry_ms=plan.last_retry_ms)
        self._out: list[bytes] = []
        self._framer = Framer(KNOWN, _BUFFER_BYTES)
        self._sequence = 0
        self._serial_no = self._rng.randrange(1, 9_000)
        self._is_linked = False
        self._first_login_ms: int | None = None
        self._heartbeat_at_ms: int | None = None
        self._heartbeats_unanswered = 0
        self._check_at_ms: int | None = None
        self._login_at_ms: int | None = None
        self._retry_link_at_ms = now_ms
        self._is_dark = False
        self._parallel_no = ""
        self._parallel_granted: dict[int, dict[str, Any]] = {}
        self._now_ms = now_ms
        self._rebooting_at_ms: int | None = None

    def _set_clock_at_birth(self, now_ms: int) -> None:
        self.civil_offset_ms = self.plan.zone_offset_ms + self._rng.randrange(-1_500, 1_500)
        if self.plan.clock is ClockFault.EPOCH_2000:
            self.civil_offset_ms = _EPOCH_2000_MS - now_ms
        elif self.plan.clock is ClockFault.AHEAD_1H:
            self.civil_offset_ms += _HOUR_MS

    # -- looking --------------------------------------------------------------------------------------

    @property
    def is_clock_right(self) -> bool:
        """Whether the pile's clock shows the time."""
        return self.plan.clock is ClockFault.NONE

    @property
    def stories(self) -> list[Story]:
        """What truly happened, per connector and in order."""
        return [story for connector in self.connectors for story in connector.stories]

    @property
    def refused(self) -> int:
        """Cars that left without a charge."""
        return sum(connector.refused for connector in self.connectors)

    @property
    def is_finished(self) -> bool:
        """Every car has left and nothing more would be sent about it without a new login."""
        if self.is_refused:
            return True
        is_quiet = all(connector.is_finished for connector in self.connectors)
        return is_quiet and (not self.records or (self.is_ready and self.records.timer_at_ms is None))

    def wants_link(self, at_ms: int) -> bool:
        """Whether the pile would be connected now: neither dark nor cut off, and its pause is over."""
        if self.is_refused or self._gap_at(self.plan.power_losses, at_ms) or self._is_dark:
            return False
        return not self._gap_at(self.plan.link_losses, at_ms) and at_ms >= self._retry_link_at_ms

    def _gap_at(self, gaps: tuple[Any, ...], at_ms: int) -> bool:
        if self._first_login_ms is None:
            return False
        since_ms = at_ms - self._first_login_ms
        return any(gap.after_ms <= since_ms < gap.after_ms + gap.for_ms for gap in gaps)

    @property
    def timer_at_ms(self) -> int | None:
        """When ``on_timer`` is wanted next, Unix ms."""
        times = [self._gap_edge_after(self._now_ms)]
        if not self._is_dark:
            times += [connector.timer_at_ms for connector in self.connectors]
            times.append(self.records.timer_at_ms if self.is_ready else None)
            times += [self._login_at_ms, self._heartbeat_at_ms, self._check_at_ms, self._rebooting_at_ms]
        if not self._is_linked and self._retry_link_at_ms > self._now_ms:
            times.append(self._retry_link_at_ms)
        return min((at for at in times if at is not None), default=None)

    def _gap_edge_after(self, at_ms: int) -> int | None:
        if self._first_login_ms is None:
            return None
        gaps = (*self.plan.link_losses, *self.plan.power_losses)
        edges = [self._first_login_ms + edge for gap in gaps for edge in (gap.after_ms, gap.after_ms + gap.for_ms)]
        return min((edge for edge in edges if edge > at_ms), default=None)

    @property
    def has_outgoing(self) -> bool:
        """Whether frames wait to be sent."""
        return bool(self._out)

    def take_outgoing(self) -> list[bytes]:
        """The frames to send, oldest first; each is given out once."""
        out, self._out = self._out, []
        return out

    # -- the link -------------------------------------------------------------------------------------

    def on_link_opened(self, at_ms: int) -> None:
        """A connection stands: log in."""
        self._now_ms = at_ms
        self._is_linked = True
        self.wants_hang_up = False
        self._framer = Framer(KNOWN, _BUFFER_BYTES)
        self._sequence = 0
        self._heartbeats_unanswered = 0
        self._log_in(at_ms)

    def _log_in(self, at_ms: int) -> None:
        """Say who we are, and again until it is answered: behind a broker nobody may have heard it."""
        self._login_at_ms = at_ms + _LOGIN_AGAIN_MS
        plan = self.plan
        raw = {
            "pile_no": plan.pile_id,
            "pile_type": int(plan.current == "AC"),
            "gun_count": plan.connector_count,
            "proto_ver_raw": 0x10,
            "sw_version": plan.firmware.encode("ascii"),
            "net_type": 1,
            "sim": "0" * 20,
            "operator": 4,
        }
        self.send(0x01, raw)

    def on_link_closed(self, at_ms: int) -> None:
        """The connection is gone."""
        self._now_ms = at_ms
        self._is_linked = self.is_ready = False
        self._out.clear()
        self._login_at_ms = self._heartbeat_at_ms = self._check_at_ms = None
        self._retry_link_at_ms = at_ms + self.plan.reconnect_ms
        self.records.on_link_lost()
        self._parallel_granted.clear()
        for connector in self.connectors:
            connector.on_link_lost(at_ms)

    def send(self, kind: int, raw: Mapping[str, Any], sequence: int | None = None) -> None:
        """Send a frame, if there is a link. ``sequence``: that of the frame it answers."""
        if not self._is_linked or self._is_dark:
            return
        if sequence is None:
            sequence = self._sequence
            self._sequence = (self._sequence + 1) & 0xFFFF
        layout = RECORD_FIVE if kind == 0x3B and len(raw["tiers"]) == 5 else None
        crc = HIGH_FIRST if self.plan.is_high_first else LOW_FIRST
        self._out.append(write_frame(kind, raw, sequence=sequence, crc=crc, layout=layout))

    # -- time -----------------------------------------------------------------------------------------

    def on_timer(self, at_ms: int) -> None:
        """Do whatever is due."""
        self._now_ms = at_ms
        self._check_mains(at_ms)
        if self._is_dark:
            return
        if self._is_linked and self._gap_at(self.plan.link_losses, at_ms):
            self.wants_hang_up = True
        if self._rebooting_at_ms is not None and self._rebooting_at_ms <= at_ms:
            self._rebooting_at_ms = None
            self.wants_hang_up = True
        for connector in self.connectors:
            connector.on_timer(at_ms)
        if self._login_at_ms is not None and self._login_at_ms <= at_ms:
            self._log_in(at_ms)
        if self._check_at_ms is not None and self._check_at_ms <= at_ms:
            self._check_tariff(at_ms)
        if self._heartbeat_at_ms is not None and self._heartbeat_at_ms <= at_ms:
            self._beat(at_ms)
        if self.is_ready:
            self._send_records(at_ms)

    def _check_mains(self, at_ms: int) -> None:
        is_dark = self._gap_at(self.plan.power_losses, at_ms)
        if is_dark and not self._is_dark:
            for connector in self.connectors:
                connector.on_power_lost(at_ms)
            self._is_dark = self.wants_hang_up = True
        elif self._is_dark and not is_dark:
            self._is_dark = False
            self._retry_link_at_ms = at_ms

    def _beat(self, at_ms: int) -> None:
        if self._heartbeats_unanswered >= _HEARTBEATS_MISSED_MAX * len(self.connectors):
            self.wants_hang_up = True
            self._heartbeat_at_ms = None
            return
        for connector in self.connectors:
            self.send(0x03, {"pile_no": self.plan.pile_id, "gun": connector.no, "gun_status": 0})
            self._heartbeats_unanswered += 1
        self._heartbeat_at_ms = at_ms + self.plan.heartbeat_ms

    def _check_tariff(self, at_ms: int) -> None:
        model_no = self.rates.model_no if self.rates else "0000"
        self.send(0x05, {"pile_no": self.plan.pile_id, "model_no": model_no})
        self._check_at_ms = at_ms + _CHECK_AGAIN_MS

    # -- records --------------------------------------------------------------------------------------

    def owe(self, story: Story, raw: dict[str, Any], at_ms: int) -> None:
        """Owe the gateway a record; it goes out at once when there is a link."""
        self.records.add(OwedRecord(raw, story, at_ms if self.is_ready else None))
        if self.is_ready:
            self._send_records(at_ms)

    def _send_records(self, at_ms: int) -> None:
        for record in self.records.take_due(at_ms):
            self.send(0x3B, record.raw)

    def _on_acknowledged(self, serial: str) -> None:
        record = self.records.acknowledge(serial)
        if record is None:
            return
        self.acknowledged += 1
        if record.is_again:
            return
        fate = RecordFate(record.story.record)
        if fate in (RecordFate.TWICE, RecordFate.CONFLICTING):
            raw = dict(record.raw) if fate is RecordFate.TWICE else wire.contradicting(dict(record.raw))
            due_ms = self._now_ms + _AGAIN_MS
            self.records.add(OwedRecord(raw, record.story, due_ms, is_again=True))

    def new_serial(self, connector: int) -> str:
        """A transaction number of the pile's own: pile, connector, its clock's time, a counter."""
        self._serial_no = self._serial_no % 9_999 + 1
        return f"{self.plan.pile_id}{connector:02d}{self._clock_digits()}{self._serial_no:04d}"

    def _clock_digits(self) -> str:
        data = raw_time(self._now_ms + self.civil_offset_ms).to_bytes(7, "little")
        second = (data[0] | data[1] << 8) // 1000
        parts = (data[6], data[5], data[4], data[3], data[2], second)
        return "".join(f"{part:0{width}d}" for part, width in zip(parts, _BCD_TIME, strict=True))

    # -- parallel charging ----------------------------------------------------------------------------

    def on_parallel_ready(self, at_ms: int) -> None:
        """Ask for all connectors of the car together, once it is plugged in at each of them."""
        waiting = [c for c in self.connectors if c.visit is not None and c.visit.start == "parallel"]
        if len(waiting) < len(self.connectors) or any(c.phase is not Phase.PLUGGED for c in waiting):
            return
        self._parallel_no = self._clock_digits()
        self._parallel_granted.clear()
        for connector in waiting:
            raw = {**connector.request(), "role": int(connector.no != 1), "parallel_no": self._parallel_no}
            self.send(0xA1, raw)
            connector.await_parallel(at_ms)

    def _on_parallel_authorised(self, raw: dict[str, Any], at_ms: int) -> None:
        """Start when all connectors were accepted; refuse all when one was not."""
        self._parallel_granted[raw["gun"]] = raw
        if len(self._parallel_granted) < len(self.connectors):
            return
        is_granted = all(each["auth_ok"] == 1 for each in self._parallel_granted.values())
        for connector in self.connectors:
            granted = self._parallel_granted[connector.no]
            connector.on_authorised({**granted, "auth_ok": int(is_granted)}, at_ms)
        self._parallel_granted.clear()

    # -- what the gateway says ------------------------------------------------------------------------

    def receive(self, data: bytes, at_ms: int) -> None:
        """Take bytes of the gateway as they came in one read."""
        self._now_ms = at_ms
        for cut in self._framer.feed(data):
            frame = read_frame(cut.data) if not cut.reason else None
            if frame is not None and frame.raw is not None:
                handler = _HANDLERS.get(frame.type)
                if handler is not None:
                    handler(self, frame.raw, frame.sequence, at_ms)

    def _on_login_answer(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._login_at_ms = None
        if raw["result"] != 0:
            self.is_refused = self.wants_hang_up = True
            return
        if self._first_login_ms is None:
            self._first_login_ms = at_ms
        self._heartbeat_at_ms = at_ms
        self._check_tariff(at_ms)

    def _on_heartbeat_answer(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._heartbeats_unanswered = 0

    def _on_tariff_checked(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        if "result" not in raw:
            return
        if raw["result"] == 0 and self.rates is not None:
            self._become_ready(at_ms)
        else:
            self.send(0x09, {"pile_no": self.plan.pile_id})

    def _on_tariff(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self.rates = Rates.from_raw(raw)
        self._become_ready(at_ms)

    def _become_ready(self, at_ms: int) -> None:
        self._check_at_ms = None
        if self.is_ready:
            return
        self.is_ready = True
        self.records.on_ready(at_ms)
        self._send_records(at_ms)
        for connector in self.connectors:
            connector.on_ready(at_ms)

    def _on_tariff_set(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        is_idle = all(connector.charge is None for connector in self.connectors)
        if is_idle:
            self.rates = Rates.from_raw(raw)
        self._answer(0x57, sequence, ok=int(is_idle))

    def _on_time(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        civil_ms = pile_time(raw["time"]).civil_ms
        if civil_ms is not None and self.is_clock_right:
            self.civil_offset_ms = civil_ms - at_ms
        self._answer(0x55, sequence, time=wire.stamp(at_ms + self.civil_offset_ms, self.plan.clock))

    def _on_read(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        if (connector := self._connector(raw)) is not None:
            connector.report(at_ms)

    def _on_authorisation(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        connector = self._connector(raw)
        if connector is None:
            return
        if "parallel_no" not in raw:
            connector.on_authorised(raw, at_ms)
        elif raw["parallel_no"] == self._parallel_no and connector.is_parallel_asked:
            self._on_parallel_authorised(raw, at_ms)

    def _on_start(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        connector = self._connector(raw)
        if connector is not None and raw["pile_no"] == self.plan.pile_id:
            connector.on_start_order(raw, sequence, at_ms)
            return
        names = ("serial", "pile_no", "gun")
        self.send(0x33, {**{name: raw[name] for name in names}, "ok": 0, "fail_reason": 1}, sequence)

    def _on_stop(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        connector = self._connector(raw)
        charge = connector.charge if connector is not None else None
        fail_reason = 0 if charge is not None else 2
        self._answer(0x35, sequence, gun=raw["gun"], ok=int(charge is not None), fail_reason=fail_reason)
        if connector is not None:
            connector.on_stop_order(at_ms)

    def _on_record_answer(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._on_acknowledged(raw["serial"])

    def _on_balance(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        if (connector := self._connector(raw)) is not None:
            connector.on_balance(raw["balance_yuan"])
        self._answer(0x41, sequence, card=raw["card"], result=0 if connector is not None else 1)

    def _on_cards_sync(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self.offline_cards |= {card["card"] for card in raw["cards"]}
        self._answer(0x43, sequence, ok=1, fail_reason=0)

    def _on_cards_clear(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        cards = [card["card"] for card in raw["cards"]]
        self.offline_cards -= set(cards)
        self._answer(0x45, sequence, cards=[{"card": card, "ok": 1, "fail_reason": 0} for card in cards])

    def _on_cards_query(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        cards = [card["card"] for card in raw["cards"]]
        found = [{"card": card, "present": int(card in self.offline_cards)} for card in cards]
        self._answer(0x47, sequence, cards=found)

    def _on_work_params(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._answer(0x51, sequence, ok=1)

    def _on_lock(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._answer(0x63, sequence, gun=raw["gun"], ok=1, reserved=0)
        state = {
            "lock_status": raw["action"],
            "space_status": 0,
            "battery_pct": 90,
            "alarm": 0,
            "reserved": 0,
        }
        self.send(0x61, {"pile_no": self.plan.pile_id, "gun": raw["gun"], **state})

    def _on_reboot(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._answer(0x91, sequence, ok=1)
        if all(connector.charge is None for connector in self.connectors):
            self._rebooting_at_ms = at_ms + self.plan.reconnect_ms

    def _on_update(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._answer(0x93, sequence, status=0)

    def _on_qr(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._answer(0xF1, sequence, result=1)

    def _answer(self, kind: int, sequence: int, **values: Any) -> None:
        self.send(kind, {"pile_no": self.plan.pile_id, **values}, sequence)

    def _connector(self, raw: Mapping[str, Any]) -> Connector | None:
        no: int = raw["gun"]
        return self.connectors[no - 1] if 1 <= no <= len(self.connectors) else None


Handler = Callable[[SimulatedPile, dict[str, Any], int, int], None]
_HANDLERS: dict[int, Handler] = {
    0x02: SimulatedPile._on_login_answer,
    0x04: SimulatedPile._on_heartbeat_answer,
    0x06: SimulatedPile._on_tariff_checked,
    0x0A: SimulatedPile._on_tariff,
    0x12: SimulatedPile._on_read,
    0x32: SimulatedPile._on_authorisation,
    0x34: SimulatedPile._on_start,
    0x36: SimulatedPile._on_stop,
    0x40: SimulatedPile._on_record_answer,
    0x42: SimulatedPile._on_balance,
    0x44: SimulatedPile._on_cards_sync,
    0x46: SimulatedPile._on_cards_clear,
    0x48: SimulatedPile._on_cards_query,
    0x52: SimulatedPile._on_work_params,
    0x56: SimulatedPile._on_time,
    0x58: SimulatedPile._on_tariff_set,
    0x62: SimulatedPile._on_lock,
    0x85: SimulatedPile._on_tariff_set,
    0x92: SimulatedPile._on_reboot,
    0x94: SimulatedPile._on_update,
    0xA2: SimulatedPile._on_authorisation,
    0xA4: SimulatedPile._on_start,
    0xF0: SimulatedPile._on_qr,
}

"""A simulated pile of the AA F5 family, with the habits of firmware that was seen.

It lives the same life as any simulated pile; only what it says and hears is put into other frames here. Its habits:
energy and registers cut to what its records carry, booked into the half hour (or tariff period) in which the register
steps; prices cut to what its tariff frame carries; an amount cut to fen and clamped at the prepaid money; records in a
queue of which only the head is sent, every ten seconds, the newest first, and whose head goes when any acknowledgement
comes, whatever that says.

Source: docs/protocols/aaf5.md, "Habits of piles".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.simulator import wire
from gateway.simulator.charge import Charge, Story
from gateway.simulator.connector import BALANCE_USED_UP, POWER_LOST, STOPPED_BY_APP
from gateway.simulator.pile import SimulatedPile
from gateway.simulator.plan import PilePlan
from gateway.simulator.rates import SLOT_MS, Rates, fee_e4yuan
from gateway.simulator.records import OwedRecord
from protocol.dialects.aaf5 import is_own
from protocol.dialects.aaf5_bodies import BMS, HEARTBEAT, LOGIN, STATUS
from protocol.dialects.aaf5_frames import (
    CARD_QUERY,
    CONTROL_ANSWER,
    DOWN,
    KNOWN,
    RECORD,
    RECORD_MILLI,
    RESULT,
    SH26,
    SH52,
    START_ANSWER,
    TEXT_ANSWER,
    VIN_QUERY,
)
from protocol.dialects.aaf5_profiles import profile_named
from protocol.dialects.aaf5_tariffs import tariff_of
from protocol.dialects.aaf5_times import ABSENT, pile_time, raw_time
from protocol.dialects.aaf5_wire import enclose, read_frame, text_of
from protocol.dialects.ykc_times import pile_time as cp56_time
from protocol.fields import Op
from protocol.framer import Framer
from protocol.layout import Layout

_BUFFER_BYTES = 4_096
_QUEUE_MS = 10_000
_STOPS = {STOPPED_BY_APP: 311, 0x41: 30, BALANCE_USED_UP: 308, POWER_LOST: 2015}
_STATUS = {wire.IDLE: 0, wire.CHARGING: 2}
_MODES = {"card": 0, "app": 1, "vin": 3, "offline": 0}
_RSV = {"rsv1": 0, "rsv2": 0}


class HeadQueue:
    """Records that wait; only the newest is sent, and any acknowledgement removes it.

    Attributes:
        destroyed: records that went without ever having been sent.
        unasked: acknowledgements that came to an empty queue.
    """

    def __init__(self) -> None:
        self.destroyed = 0
        self.unasked = 0
        self._waiting: list[OwedRecord] = []  # the last one is the head
        self._tick_ms: int | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def timer_at_ms(self) -> int | None:
        """When the head is sent next, Unix ms."""
        return self._tick_ms if self._waiting else None

    def add(self, record: OwedRecord) -> None:
        """A new record becomes the head at the next tick."""
        self._waiting.append(record)
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
        if not self._waiting or self._tick_ms is None or self._tick_ms > at_ms:
            return []
        head = self._waiting[-1]
        head.sent += 1
        head.story.records_sent += 1
        self._tick_ms = at_ms + _QUEUE_MS
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


class Aaf5Pile(SimulatedPile):
    """One pile that speaks AA F5.

    Args:
        plan: as for any pile; ``plan.protocol`` names the profile, ``sh26`` or ``sh52``.

    Attributes:
        booked: what the records told, 0.0001 kWh by half hour of the day, per transaction.
        stored: records in its memory, whatever became of their upload.
        loses_uploads: it stores its records and sends none of its own accord.
    """

    def __init__(self, plan: PilePlan, seed: int, now_ms: int) -> None:
        super().__init__(plan, seed, now_ms)
        self.profile = profile_named(plan.protocol) or SH52
        self.queue = HeadQueue()
        self.booked: dict[str, dict[int, int]] = {}
        self.stored: list[Written] = []  # newest first
        self.loses_uploads = False
        self.records = self.queue  # type: ignore[assignment]
        self._down = Framer(KNOWN[DOWN], _BUFFER_BYTES)
        self._words: dict[int, int] = {}
        self._cards: dict[int, str] = {}
        self._prepaid_fen: dict[int, int] = {}
        self._counter = 0
        self._asked: int = 1

    @property
    def _step_e4kwh(self) -> int:
        """What a unit of energy in its frames is."""
        return 10 if self.profile == SH52 else 100

    # -- what it says -----------------------------------------------------------------------------------

    def on_link_opened(self, at_ms: int) -> None:
        """A connection stands: log in."""
        self._down = Framer(KNOWN[DOWN], _BUFFER_BYTES)
        super().on_link_opened(at_ms)

    def send(self, kind: int, raw: Mapping[str, Any], sequence: int | None = None) -> None:
        """Send what a frame of the other protocol would say, where this one has a frame for it."""
        if not self._is_linked or self._is_dark:
            return
        teller = _TELLERS.get(kind)
        if teller is not None:
            command, values, layout = teller(self, raw)
            self._out.append(enclose(command, layout.write(values), sequence=sequence or 0))

    def _head(self) -> dict[str, Any]:
        return {**_RSV, "pile_id": self.plan.pile_id.encode("ascii")}

    def _clock(self) -> str:
        return raw_time(self._now_ms + self.civil_offset_ms)

    def _login(self, raw: Mapping[str, Any]) -> Written:
        values = {
            **self._head(),
            "enc_support": 0,
            "sw_version": "00010400",
            "project_type": 0,
            "start_count": 1,
            "upload_mode": 2,
            "login_interval_min": 30,
            "run_mode": 0,
            "gun_count": self.plan.connector_count,
            "heartbeat_s": self.plan.heartbeat_ms // 1_000,
            "heartbeat_misses": 3,
            "record_count": 0,
            "pile_time": self._clock(),
            "rsv_a": "00" * 24,
            "random": 4_711,
            "proto_version": 52 if self.profile == SH52 else 26,
        }
        return 106, values, LOGIN

    def _beat_told(self, raw: Mapping[str, Any]) -> Written:
        self._counter = (self._counter + 1) & 0xFFFF
        return 102, {**self._head(), "counter": self._counter}, HEARTBEAT

    def _status(self, raw: Mapping[str, Any]) -> Written:
        gun = raw["gun"]
        charge = self.connectors[gun - 1].charge
        if charge is not None and not charge.story.transaction_id:
            charge.story.transaction_id = f"{self.plan.pile_id}-{gun:02d}-{raw_time(charge.started_civil_ms)[:14]}"
        values = {
            **self._head(),
            "rsv1": self._words.get(gun, 0),
            "gun_count": self.plan.connector_count,
            "gun": gun,
            "gun_type": 2 if self.plan.current == "AC" else 1,
            "state": _STATUS[raw["state"]] or (3 if raw["plugged"] else 0),
            "soc": raw["soc_pct"],
            "connection": 2 * raw["plugged"],
            "dc_voltage": raw["voltage_v"],
            "dc_current": raw["current_a"],
            "va": raw["voltage_v"],
            "ia": raw["current_a"],
            "duration_s": raw["charge_min"] * 60,
        }
        values = empty(STATUS, upto="service_fee" if self.profile == SH52 else "var_c") | values
        if charge is not None:
            values |= self._running(charge, gun)
        return 104, values, STATUS

    def _running(self, charge: Charge, gun: int) -> dict[str, Any]:
        start, now = self._registers(charge.register_e4kwh, charge.energy_e4kwh, step_e4kwh=100)
        story = charge.story
        values = {
            "amount": self._amount_fen(charge.rates, self._slots(charge, charge.at_ms), charge.balance_fen),
            "energy": now - start,
            "meter_start": start & 0xFFFFFFFF,
            "meter_now": now & 0xFFFFFFFF,
            "start_mode": _MODES.get(story.channel, 0),
            "card_no": self._card(story, gun),
            "start_time": raw_time(charge.started_civil_ms),
        }
        if self.profile == SH52:
            values["serial"] = story.transaction_id.encode() if is_own(story.transaction_id) else b""
        return values

    def _card(self, story: Story, gun: int) -> bytes:
        if story.channel == "app":
            return (self._cards.get(gun) or story.transaction_id).encode()
        return self._cards.get(gun, "").encode()

    def _request(self, raw: Mapping[str, Any]) -> Written:
        gun = raw["gun"]
        self._asked = gun
        if raw["start_mode"] == 3:
            vin = bytes(raw["vin"]).rstrip(b"\0")[::-1]
            self._cards[gun] = ""
            return 208, {**self._head(), "gun": gun, "vin": vin, "strategy": 0, "strategy_param": 0}, VIN_QUERY
        self._cards[gun] = raw["card"]
        values = {
            **self._head(),
            "card_no": raw["card"].encode(),
            "card_balance": 0,
            "card_black": 0,
            "password_md5": b"",
            "sector_random": b"",
        }
        if self.profile == SH52:
            values |= {"m1_serial": 0, "auth_kind": 0, "gun": gun}
        return 204, values, CARD_QUERY

    def _started(self, raw: Mapping[str, Any]) -> Written:
        reasons = {0: 0, 5: 1, 2: 13, 7: 80, 1: 100005}
        values = {**self._head(), "gun": raw["gun"], "result": reasons[raw["fail_reason"]]}
        if self.profile == SH52:
            values["serial"] = raw["serial"].encode()
        return 8, values, START_ANSWER

    def _stopped(self, raw: Mapping[str, Any]) -> Written:
        values = {**self._head(), "gun": raw["gun"], "address": 2, "count": 1, "result": 0}
        return 6, values, CONTROL_ANSWER

    def _rebooted(self, raw: Mapping[str, Any]) -> Written:
        values = {**self._head(), "gun": 0, "address": 11, "count": 1, "result": 1 if self.profile == SH26 else 0}
        return 6, values, CONTROL_ANSWER

    def _time_set(self, raw: Mapping[str, Any]) -> Written:
        return 4, {**self._head(), "op": 1, "address": 2, "result": 0, "data": ""}, TEXT_ANSWER

    def _tariff_set(self, raw: Mapping[str, Any]) -> Written:
        return (1106 if self.profile == SH52 else 1104), {"result": int(raw["ok"] != 1)}, RESULT

    def _bms_told(self, raw: Mapping[str, Any]) -> Written:
        values = empty(BMS)
        self._counter = (self._counter + 1) & 0xFFFF
        return 302, {**values, **self._head(), "counter": self._counter, "gun": raw["gun"]}, BMS

    # -- records --------------------------------------------------------------------------------------

    def owe(self, story: Story, raw: dict[str, Any], at_ms: int) -> None:
        """Owe the gateway a record; it goes out when it is the head of the queue."""
        gun = story.connector
        if not story.transaction_id:
            story.transaction_id = f"{self.plan.pile_id}-{gun:02d}-{_raw(raw['start_time'])[:14]}"
        raw = {**raw, "serial": story.transaction_id, "word": self._words.get(gun, 0)}
        if self.loses_uploads:
            self._record(raw)
        else:
            super().owe(story, raw, at_ms)

    def _record(self, raw: Mapping[str, Any]) -> Written:
        """202 or 222 of what 0x3B would have said."""
        written = self._written(raw)
        if written[1:] not in [each[1:] for each in self.stored]:
            self.stored.insert(0, written)
        return written

    def new_serial(self, connector: int) -> str:
        """It numbers nothing of its own accord: such a session goes by its start."""
        return ""

    def _heard_history(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        """401, 421: the record of that number, else the n-th newest, else "none"."""
        number = raw.get("serial", b"").split(b"\0", 1)[0]
        found = [each for each in self.stored if not number or each[1]["serial"] == number]
        index = 0 if number else raw["index"]
        command = 422 if self.profile == SH52 else 402
        if index < len(found):
            values, layout = found[index][1], found[index][2]
        else:
            layout = RECORD_MILLI if self.profile == SH52 else RECORD
            values = {**empty(layout, upto="serial"), **self._head(), "gun": 1, "record_index": -1}
        self._out.append(enclose(command, layout.write(values), sequence=sequence))

    def _written(self, raw: Mapping[str, Any]) -> Written:
        gun, step = raw["gun"], self._step_e4kwh
        story = next(story for story in self.stories if story.transaction_id == raw["serial"])
        start, stop = self._registers(raw["meter_start_kwh"], raw["energy_kwh"], step_e4kwh=step)
        slots = self._booked(story, raw, step)
        assert self.rates is not None
        own = story.transaction_id.encode() if is_own(story.transaction_id) else b""
        amount = self._amount_fen(self.rates, slots, 0)
        if story.stop_code == BALANCE_USED_UP:
            amount = min(amount, self._prepaid_fen[gun])
        values = {
            **self._head(),
            "rsv1": raw["word"],
            "gun_type": 2 if self.plan.current == "AC" else 1,
            "gun": gun,
            "card_no": raw["card"].encode() if story.channel == "offline" else self._card(story, gun),
            "start_time": _raw(raw["start_time"]),
            "end_time": _raw(raw["end_time"]),
            "duration_s": (story.ended_at_ms - story.started_at_ms) // 1_000,
            "soc_start": 20,
            "soc_end": 60,
            "stop_reason": _STOPS.get(raw["stop_reason"], 200),
            "energy": stop - start,
            "meter_start": start & 0xFFFFFFFF,
            "meter_end": stop & 0xFFFFFFFF,
            "amount": amount,
            "record_index": 0,
            "card_balance_before": 0,
            "current_record_no": 1,
            "record_total": 1,
            "rsv3": 0,
            "strategy": 0,
            "strategy_param": 0,
            "vin": bytes(raw["vin"]).rstrip(b"\0"),
            "plate": b"",
            "slots": [{"value": value} for value in self._in_slots(slots)],
            "start_mode": _MODES.get(story.channel, 0),
            "serial": own if self.profile == SH52 else b"",
        }
        if self.profile == SH52:
            return (
                222,
                {**values, "service_fee": 0, "energy_milli": 0, "parallel": 0, "direction_flag": 0},
                RECORD_MILLI,
            )
        return 202, values, RECORD

    def _registers(self, register_e4kwh: int, energy_e4kwh: int, *, step_e4kwh: int) -> tuple[int, int]:
        return register_e4kwh // step_e4kwh, (register_e4kwh + energy_e4kwh) // step_e4kwh

    def _slots(self, charge: Charge, at_ms: int) -> dict[int, int]:
        """Energy units per half hour of the pile's own clock."""
        return self._steps(charge.story.started_at_ms, at_ms, charge.power_w, charge.register_e4kwh, self._step_e4kwh)

    def _booked(self, story: Story, raw: Mapping[str, Any], step: int) -> dict[int, int]:
        duration_ms = max(story.ended_at_ms - story.started_at_ms, 1)
        slots = self._steps(
            story.started_at_ms,
            story.ended_at_ms,
            -(-story.energy_e4kwh * 360_000 // duration_ms),
            raw["meter_start_kwh"],
            step,
            most_e4kwh=raw["energy_kwh"],
        )
        missing = (
            (raw["meter_start_kwh"] + raw["energy_kwh"]) // step - raw["meter_start_kwh"] // step - sum(slots.values())
        )
        if slots:
            slots[max(slots)] += missing
        self.booked[story.transaction_id] = {slot: units * step for slot, units in slots.items()}
        story.energy_e4kwh = sum(slots.values()) * step
        return slots

    def _steps(
        self, from_ms: int, to_ms: int, power_w: int, register_e4kwh: int, step: int, *, most_e4kwh: int = 1 << 40
    ) -> dict[int, int]:
        slots: dict[int, int] = {}
        at_ms, before = from_ms, register_e4kwh // step
        while at_ms < to_ms:
            civil_ms = at_ms + self.civil_offset_ms
            next_ms = min(at_ms + SLOT_MS - civil_ms % SLOT_MS, to_ms)
            energy = min(power_w * (next_ms - from_ms) // 360_000, most_e4kwh)
            now = (register_e4kwh + energy) // step
            slot = civil_ms % (48 * SLOT_MS) // SLOT_MS
            slots[slot] = slots.get(slot, 0) + now - before
            at_ms, before = next_ms, now
        return slots

    def _in_slots(self, slots: Mapping[int, int]) -> list[int]:
        """48 numbers: half hours, or periods of the tariff where that came by 1105."""
        values = [0] * 48
        rates = self.rates
        for slot, units in slots.items():
            values[slot if self.profile != SH52 or rates is None else _period(rates, slot)] += units
        return values

    def _amount_fen(self, rates: Rates, slots: Mapping[int, int], balance_fen: int) -> int:
        """The pile's own arithmetic: cut prices, 0.009 yuan on top, cut to fen, clamped at what was prepaid."""
        total_e4 = sum(
            fee_e4yuan(units * self._step_e4kwh, rates.price_e5(rates.slots[slot])) for slot, units in slots.items()
        )
        fen = (total_e4 + 90) // 100
        return min(fen, balance_fen) if balance_fen else fen

    # -- what it hears --------------------------------------------------------------------------------

    def receive(self, data: bytes, at_ms: int) -> None:
        """Take bytes of the gateway as they came in one read."""
        self._now_ms = at_ms
        for cut in self._down.feed(data):
            frame = read_frame(cut.data, DOWN, self.profile) if not cut.reason else None
            if frame is not None and frame.raw is not None:
                hearer = _HEARERS.get(frame.type)
                if hearer is not None:
                    hearer(self, frame.raw, frame.sequence, at_ms)

    def _heard_login(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        super()._on_login_answer({"result": 0}, sequence, at_ms)
        self._check_at_ms = None
        if self.rates is not None:
            self._become_ready(at_ms)

    def _heard_alive(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._on_heartbeat_answer(raw, sequence, at_ms)

    def _heard_tariff(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        step_e5 = 10 if self.profile == SH52 else 1_000
        told = tariff_of(raw["periods"], step_e5=step_e5)
        is_idle = told is not None and all(connector.charge is None for connector in self.connectors)
        if is_idle and told is not None:
            self.rates = Rates("0000", told.prices_e5, told.slots)
        self.send(0x57, {"ok": int(is_idle)}, sequence)
        if is_idle:
            self._become_ready(at_ms)

    def _heard_start(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        connector = self._connector({"gun": raw["gun"] or 1})
        if connector is None:
            return
        card = text_of(raw["card_no"])
        number = text_of(raw.get("serial", b"")) or card
        self._words[connector.no] = raw["rsv1"]
        self._cards[connector.no] = card
        balance = raw["strategy_param"] if raw["strategy"] == 2 else 0
        self._prepaid_fen[connector.no] = balance
        connector.on_start_order({"serial": number, "gun": connector.no, "balance_yuan": balance}, sequence, at_ms)

    def _heard_control(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        if raw["address"] == 2:
            self._on_stop({"gun": raw["gun"] or 1}, sequence, at_ms)
        elif raw["address"] == 11:
            self._on_reboot(raw, sequence, at_ms)

    def _heard_text(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        civil_ms = pile_time(raw["data"][:16]).civil_ms if raw["address"] == 2 else None
        if civil_ms is not None and self.is_clock_right:
            self.civil_offset_ms = civil_ms - at_ms
        self.send(0x55, {}, sequence)

    def _heard_card(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        connector = self.connectors[(raw.get("gun") or self._asked) - 1]
        told = {"auth_ok": int(raw["result"] == 0), "serial": text_of(raw.get("serial", b""))}
        self._words[connector.no] = 0
        self._prepaid_fen[connector.no] = raw["balance"]
        connector.on_authorised({**told, "balance_yuan": raw["balance"]}, at_ms)

    def _heard_vin(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        told = {"auth_ok": int(raw["result"] == 1), "serial": text_of(raw["serial"])}
        self._words[raw["gun"]] = 0
        self._prepaid_fen[raw["gun"]] = raw["balance"]
        self.connectors[raw["gun"] - 1].on_authorised({**told, "balance_yuan": raw["balance"]}, at_ms)

    def _heard_acknowledgement(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._on_acknowledged("")


Written = tuple[int, dict[str, Any], Layout]
_TELLERS: dict[int, Callable[[Aaf5Pile, Mapping[str, Any]], Written]] = {
    0x01: Aaf5Pile._login,
    0x03: Aaf5Pile._beat_told,
    0x13: Aaf5Pile._status,
    0x25: Aaf5Pile._bms_told,
    0x31: Aaf5Pile._request,
    0x33: Aaf5Pile._started,
    0x35: Aaf5Pile._stopped,
    0x3B: Aaf5Pile._record,
    0x55: Aaf5Pile._time_set,
    0x57: Aaf5Pile._tariff_set,
    0x91: Aaf5Pile._rebooted,
}
_HEARERS: dict[int, Callable[[Aaf5Pile, dict[str, Any], int, int], None]] = {
    3: Aaf5Pile._heard_text,
    5: Aaf5Pile._heard_control,
    7: Aaf5Pile._heard_start,
    101: Aaf5Pile._heard_alive,
    105: Aaf5Pile._heard_login,
    201: Aaf5Pile._heard_acknowledgement,
    203: Aaf5Pile._heard_card,
    207: Aaf5Pile._heard_vin,
    221: Aaf5Pile._heard_acknowledgement,
    401: Aaf5Pile._heard_history,
    421: Aaf5Pile._heard_history,
    1103: Aaf5Pile._heard_tariff,
    1105: Aaf5Pile._heard_tariff,
}


def empty(layout: Layout, *, upto: str = "") -> dict[str, Any]:
    """Zeros in every field, up to one of them."""
    values: dict[str, Any] = {}
    for name, kind in layout.fields:
        match int(kind.op):
            case Op.HEX:
                values[name] = "00" * kind.width
            case Op.BYTES:
                values[name] = b""
            case Op.GROUP:
                values[name] = [{"value": 0}] * kind.width
            case _:
                values[name] = 0
        if name == upto:
            break
    return values


def _raw(stamp: int) -> str:
    """The BCD field of what a time field of the other protocol holds; an empty date stays empty."""
    civil_ms = cp56_time(stamp).civil_ms
    return ABSENT if civil_ms is None else raw_time(civil_ms)


def _period(rates: Rates, slot: int) -> int:
    """The number of the period that a half hour lies in, from 0."""
    return sum(1 for at in range(1, slot + 1) if rates.slots[at] != rates.slots[at - 1])

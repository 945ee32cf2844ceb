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
from gateway.simulator.aaf5_editions import EDITIONS, Body
from gateway.simulator.aaf5_update import RESTART, Flash
from gateway.simulator.charge import Charge, Story
from gateway.simulator.connector import BALANCE_USED_UP, Phase
from gateway.simulator.pile import SimulatedPile
from gateway.simulator.plan import PilePlan
from gateway.simulator.rates import SLOT_MS, Rates, fee_e4yuan
from gateway.simulator.records import HeadQueue
from protocol.commands import PileTariff
from protocol.dialects.aaf5 import CLOCK, REBOOT, STOP
from protocol.dialects.aaf5_frames import (
    CHUNK_ANSWER,
    CHUNK_ANSWER_OP30,
    DOWN,
    KNOWN,
    RESULT,
    SH26,
    SH52,
    TEXT_ANSWER,
)
from protocol.dialects.aaf5_profiles import profile_named
from protocol.dialects.aaf5_tariffs import named_tariff_of, tariff_of
from protocol.dialects.aaf5_times import ABSENT, pile_time, raw_time
from protocol.dialects.aaf5_wire import read_frame, text_of
from protocol.dialects.ykc_times import pile_time as cp56_time
from protocol.framer import Framer

_BUFFER_BYTES = 4_096
_LOGINS_MAX = 30
_STATUS = {wire.IDLE: 0, wire.CHARGING: 2}
_ACCEPTED_OP30 = 0x55
_RANDOM = 4_711
_FIRMWARE, _NEW_FIRMWARE = "00010400", "00020000"
_TEXT = Body(4, TEXT_ANSWER)
_TARIFF_SET, _TARIFF_SET_SERVICE = Body(1104, RESULT), Body(1106, RESULT)
_OWN_PRICES = Rates("0000", ((70_000, 0),), (0,) * 48)


class Aaf5Pile(SimulatedPile):
    """One pile that speaks AA F5.

    Args:
        plan: as for any pile; ``plan.protocol`` names the profile, such as ``aaf5-sh26``.

    Attributes:
        booked: what the records told, 0.0001 kWh by half hour of the day, per transaction.
        flash: where an update is written to.
        stored: records in its memory, whatever became of their upload.
        loses_uploads: it stores its records and sends none of its own accord.
    """

    def __init__(self, plan: PilePlan, seed: int, now_ms: int) -> None:
        super().__init__(plan, seed, now_ms)
        self.edition = EDITIONS[profile_named(plan.protocol) or SH52]
        self.queue = HeadQueue()
        self.booked: dict[str, dict[int, int]] = {}
        self.stored: list[dict[str, Any]] = []  # newest first
        self.loses_uploads = False
        self.records = self.queue  # type: ignore[assignment]
        self._down = Framer(KNOWN[DOWN], _BUFFER_BYTES)
        self._words: dict[int, int] = {}
        self._cards: dict[int, str] = {}
        self._prepaid_fen: dict[int, int] = {}
        self._counter = 0
        self._reader = 1
        self._logins = 0
        chunk = Body(1008, CHUNK_ANSWER_OP30 if self.edition.swaps_chunks else CHUNK_ANSWER)
        self.flash = Flash(plan.update, chunk, is_numbered=self.edition.profile != SH26)
        if self.edition.has_own_tariff:
            self.rates = _OWN_PRICES

    # -- what it says -----------------------------------------------------------------------------------

    def on_link_opened(self, at_ms: int) -> None:
        """A connection stands: log in."""
        self._down = Framer(KNOWN[DOWN], _BUFFER_BYTES)
        super().on_link_opened(at_ms)

    def _log_in(self, at_ms: int) -> None:
        """Nobody tells a pile of this family that it is not wanted: after so many attempts it knows."""
        self._logins += 1
        if self._logins > _LOGINS_MAX:
            self.is_refused = self.wants_hang_up = True
        else:
            super()._log_in(at_ms)

    def send(self, kind: int, raw: Mapping[str, Any], sequence: int | None = None) -> None:
        """Send what a frame of the other protocol would say, where this one has a frame for it."""
        if not self._is_linked or self._is_dark:
            return
        teller = _TELLERS.get(kind)
        body, values = teller(self, raw) if teller is not None else (None, {})
        if body is not None:
            told = {"pile_id": self.plan.pile_id.encode("ascii"), **values}
            self._out.append(body.frame(told, sequence or 0))

    def _clock(self) -> str:
        return raw_time(self._now_ms + self.civil_offset_ms)

    def _login(self, raw: Mapping[str, Any]) -> Told:
        edition = self.edition
        return edition.login, {
            "sw_version": _NEW_FIRMWARE if self.flash.is_applied else _FIRMWARE,
            "start_count": 1,
            "upload_mode": 2,
            "login_interval_min": 30,
            "gun_count": self.plan.connector_count,
            "heartbeat_s": self.plan.heartbeat_ms // 1_000,
            "heartbeat_misses": 3,
            "pile_time": self._clock(),
            "rsv_a": edition.display.encode().hex().ljust(48, "0"),
            "random": _RANDOM,
            "proto_version": edition.version,
        }

    def _beat_told(self, raw: Mapping[str, Any]) -> Told:
        self._counter = (self._counter + 1) & 0xFFFF
        return self.edition.beat, {"counter": self._counter}

    def _pull(self, raw: Mapping[str, Any]) -> Told:
        return self.edition.pull, {"gun": 1}

    def _status(self, raw: Mapping[str, Any]) -> Told:
        gun = raw["gun"]
        charge = self.connectors[gun - 1].charge
        if charge is not None and not charge.story.transaction_id:
            charge.story.transaction_id = self._named_by_start(gun, raw_time(charge.started_civil_ms))
        values = {
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
        return self.edition.status, values | (self._running(charge, gun) if charge is not None else {})

    def _running(self, charge: Charge, gun: int) -> dict[str, Any]:
        edition, story = self.edition, charge.story
        start, now = self._registers(charge.register_e4kwh, charge.energy_e4kwh, step_e4kwh=edition.sample_step_e4kwh)
        number = self._number(story) if edition.names_status else b""
        return {
            "amount": self._amount_fen(charge.rates, self._slots(charge, charge.at_ms), charge.balance_fen),
            "energy": now - start,
            "meter_start": start,
            "meter_now": now,
            "start_mode": edition.mode_of(story.channel),
            "card_no": self._card(story, gun),
            "start_time": raw_time(charge.started_civil_ms),
            "serial": number,
            "order_no": number,
        }

    def _named_by_start(self, gun: int, start: str) -> str:
        """What a session is called whose number no frame tells: its start says it."""
        return f"{self.plan.pile_id}-{gun:02d}-{start[:14]}"

    def _number(self, story: Story) -> bytes:
        """The session's number as frames carry it; none where it only goes by its start."""
        return b"" if "-" in story.transaction_id else story.transaction_id.encode()

    def _card(self, story: Story, gun: int) -> bytes:
        if story.channel == "app":
            return (self._cards.get(gun) or story.transaction_id).encode()
        return self._cards.get(gun, "").encode()

    def _request(self, raw: Mapping[str, Any]) -> Told:
        gun = raw["gun"]
        if raw["start_mode"] == 3:
            self._cards[gun] = ""
            return self.edition.vin, {"gun": gun, "vin": bytes(raw["vin"]).rstrip(b"\0")[::-1]}
        if not self._takes_reader(gun):
            return None, {}
        self._cards[gun] = raw["card"]
        return self.edition.card, {"card_no": raw["card"].encode(), "gun": gun}

    def _takes_reader(self, gun: int) -> bool:
        """Where a question names no connector the one reader serves one car, until that one charges."""
        if self.edition.card is not None and self.edition.card.upto and self._reader != gun:
            if self.connectors[self._reader - 1].phase in (Phase.ASKED, Phase.PREPARING):
                return False
            self._reader = gun
        return True

    def _started(self, raw: Mapping[str, Any]) -> Told:
        reasons = {0: 0, 5: 1, 2: 13, 7: 80, 1: 100005}
        result = reasons[raw["fail_reason"]]
        return self.edition.start, {"gun": raw["gun"], "result": result, "serial": raw["serial"].encode()}

    def _controlled(self, address: int, gun: int, result: int = 0) -> Told:
        return self.edition.control, {"gun": gun, "address": address, "count": 1, "result": result}

    def _stopped(self, raw: Mapping[str, Any]) -> Told:
        return self._controlled(STOP, raw["gun"])

    def _rebooted(self, raw: Mapping[str, Any]) -> Told:
        return self._controlled(REBOOT, 0, self.edition.reboot_result)

    def _time_set(self, raw: Mapping[str, Any]) -> Told:
        return _TEXT, {"op": 1, "address": CLOCK}

    def _bms_told(self, raw: Mapping[str, Any]) -> Told:
        self._counter = (self._counter + 1) & 0xFFFF
        return self.edition.bms, {"counter": self._counter, "gun": raw["gun"], "rest": "00" * 216}

    # -- records --------------------------------------------------------------------------------------

    def owe(self, story: Story, raw: dict[str, Any], at_ms: int) -> None:
        """Owe the gateway a record; it goes out when it is the head of the queue."""
        gun = story.connector
        if not story.transaction_id:
            story.transaction_id = self._named_by_start(gun, _raw(raw["start_time"]))
        raw = {**raw, "serial": story.transaction_id, "word": self._words.get(gun, 0)}
        if self.loses_uploads:
            self._record(raw)
        else:
            super().owe(story, raw, at_ms)

    def _record(self, raw: Mapping[str, Any]) -> Told:
        """What 0x3B would have said."""
        written = self._written(raw)
        if written not in self.stored:
            self.stored.insert(0, written)
        return self.edition.record, written

    def new_serial(self, connector: int) -> str:
        """Most number nothing of their own accord: such a session goes by its start."""
        return f"{self.plan.pile_id}{connector:02d}{self._clock_digits()}" if self.edition.numbers_itself else ""

    def _heard_history(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        """401, 421: the record of that number, else the n-th newest, else "none"."""
        body = self.edition.history
        if body is None:
            return
        number = raw.get("serial", b"").split(b"\0", 1)[0]
        found = [each for each in self.stored if not number or each["serial"] == number]
        index = 0 if number else raw["index"]
        told = found[index] if index < len(found) else {"gun": 1, "record_index": -1}
        self._out.append(body.frame({"pile_id": self.plan.pile_id.encode("ascii"), **told}, sequence))

    def _written(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        gun, edition = raw["gun"], self.edition
        told = self.connectors[gun - 1].stories  # a card's number may have been given to two of its cars
        story = next(story for story in reversed(told) if story.transaction_id == raw["serial"])
        start, stop = self._registers(raw["meter_start_kwh"], raw["energy_kwh"], step_e4kwh=edition.step_e4kwh)
        slots = self._booked(story, raw, edition.step_e4kwh)
        assert self.rates is not None
        amount = self._amount_fen(self.rates, slots, 0)
        if story.stop_code == BALANCE_USED_UP:
            amount = min(amount, self._prepaid_fen[gun])
        return {
            "rsv1": raw["word"],
            "gun_type": 2 if self.plan.current == "AC" else 1,
            "gun": gun,
            "card_no": raw["card"].encode() if story.channel == "offline" else self._card(story, gun),
            "start_time": _raw(raw["start_time"]),
            "end_time": _raw(raw["end_time"]),
            "duration_s": (story.ended_at_ms - story.started_at_ms) // 1_000,
            "soc_start": 20,
            "soc_end": 60,
            "stop_reason": edition.stop_of(raw["stop_reason"]),
            "energy": stop - start,
            "meter_start": start,
            "meter_end": stop,
            "amount": amount,
            "current_record_no": 1,
            "record_total": 1,
            "vin": bytes(raw["vin"]).rstrip(b"\0"),
            "slots": [{"value": value} for value in self._in_slots(slots)],
            "start_mode": edition.mode_of(story.channel),
            "serial": self._number(story) if edition.names_record else b"",
        }

    def _registers(self, register_e4kwh: int, energy_e4kwh: int, *, step_e4kwh: int) -> tuple[int, int]:
        return register_e4kwh // step_e4kwh, (register_e4kwh + energy_e4kwh) // step_e4kwh

    def _slots(self, charge: Charge, at_ms: int) -> dict[int, int]:
        """Energy units per half hour of the pile's own clock."""
        step_e4kwh = self.edition.step_e4kwh
        return self._steps(charge.story.started_at_ms, at_ms, charge.power_w, charge.register_e4kwh, step_e4kwh)

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
            values[slot if not self.edition.books_periods or rates is None else _period(rates, slot)] += units
        return values

    def _amount_fen(self, rates: Rates, slots: Mapping[int, int], balance_fen: int) -> int:
        """The pile's own arithmetic: cut prices, 0.009 yuan on top, cut to fen, clamped at what was prepaid."""
        total_e4 = sum(
            fee_e4yuan(units * self.edition.step_e4kwh, rates.price_e5(rates.slots[slot]))
            for slot, units in slots.items()
        )
        fen = (total_e4 + 90) // 100
        return min(fen, balance_fen) if balance_fen else fen

    # -- what it hears --------------------------------------------------------------------------------

    def receive(self, data: bytes, at_ms: int) -> None:
        """Take bytes of the gateway as they came in one read."""
        self._now_ms = at_ms
        for cut in self._down.feed(data):
            frame = read_frame(cut.data, DOWN, self.edition.profile) if not cut.reason else None
            if frame is not None and frame.raw is not None and frame.layout is not None:
                self._heard_step(frame.type, frame.raw, frame.sequence, at_ms)
                hearer = _HEARERS.get(frame.layout.name)
                if hearer is not None:
                    hearer(self, frame.raw, frame.sequence, at_ms)

    def _heard_step(self, command: int, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        """A step of an update; the last one restarts the pile."""
        is_idle = all(connector.charge is None for connector in self.connectors)
        answer = self.flash.hear(command, raw, sequence, is_idle=is_idle)
        if answer is not None:
            body, values = answer
            self._out.append(body.frame(values, sequence))
        if self.flash.wants_cut:
            self.flash.wants_cut, self.wants_hang_up = False, True
        if command == RESTART:
            self._rebooting_at_ms = at_ms + self.plan.reconnect_ms

    def _heard_login(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._logins = 0
        super()._on_login_answer({"result": int(raw["random"] != _RANDOM)}, sequence, at_ms)
        self._check_at_ms = None
        if self.rates is not None and not self.is_refused:
            self._become_ready(at_ms)

    def _heard_alive(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._on_heartbeat_answer(raw, sequence, at_ms)

    def _heard_tariff(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        is_taken = self._take_tariff(tariff_of(raw["periods"], step_e5=self.edition.price_step_e5))
        body = _TARIFF_SET_SERVICE if self.edition.books_periods else _TARIFF_SET
        self._out.append(body.frame({"result": int(not is_taken)}, sequence))
        if is_taken:
            self._become_ready(at_ms)

    def _heard_pulled(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        if self._take_tariff(named_tariff_of(raw)):
            self._become_ready(at_ms)

    def _take_tariff(self, told: PileTariff | None) -> bool:
        """Take a tariff, unless a car charges or it makes no day."""
        if told is None or any(connector.charge is not None for connector in self.connectors):
            return False
        self.rates = Rates("0000", told.prices_e5, told.slots)
        return True

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
        if raw["address"] == STOP:
            self._on_stop({"gun": raw["gun"] or 1}, sequence, at_ms)
        elif raw["address"] == REBOOT:
            self._on_reboot(raw, sequence, at_ms)

    def _heard_text(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        civil_ms = pile_time(raw["data"][:16]).civil_ms if raw["address"] == CLOCK else None
        if civil_ms is not None and self.is_clock_right:
            self.civil_offset_ms = civil_ms - at_ms
        self.send(0x55, {}, sequence)

    def _heard_card(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        connector = self.connectors[(raw.get("gun") or self._reader) - 1]
        told = {"auth_ok": int(raw["result"] == 0), "serial": text_of(raw.get("serial", b""))}
        self._words[connector.no] = 0
        self._prepaid_fen[connector.no] = raw["balance"]
        connector.on_authorised({**told, "balance_yuan": raw["balance"]}, at_ms)

    def _heard_op30(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        connector = self.connectors[raw["gun"] - 1]
        told = {"auth_ok": int(raw["result"] == _ACCEPTED_OP30), "serial": text_of(raw["order_no"])}
        self._words[connector.no] = 0
        self._prepaid_fen[connector.no] = raw.get("balance", 0)
        connector.on_authorised({**told, "balance_yuan": raw.get("balance", 0)}, at_ms)

    def _heard_vin(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        told = {"auth_ok": int(raw["result"] == 1), "serial": text_of(raw["serial"])}
        self._words[raw["gun"]] = 0
        self._prepaid_fen[raw["gun"]] = raw["balance"]
        self.connectors[raw["gun"] - 1].on_authorised({**told, "balance_yuan": raw["balance"]}, at_ms)

    def _heard_acknowledgement(self, raw: dict[str, Any], sequence: int, at_ms: int) -> None:
        self._on_acknowledged("")


Told = tuple[Body | None, dict[str, Any]]
_TELLERS: dict[int, Callable[[Aaf5Pile, Mapping[str, Any]], Told]] = {
    0x01: Aaf5Pile._login,
    0x03: Aaf5Pile._beat_told,
    0x05: Aaf5Pile._pull,
    0x13: Aaf5Pile._status,
    0x25: Aaf5Pile._bms_told,
    0x31: Aaf5Pile._request,
    0x33: Aaf5Pile._started,
    0x35: Aaf5Pile._stopped,
    0x3B: Aaf5Pile._record,
    0x55: Aaf5Pile._time_set,
    0x91: Aaf5Pile._rebooted,
}
# by the name of the body: numbers of commands mean one thing here and another there
_HEARERS: dict[str, Callable[[Aaf5Pile, dict[str, Any], int, int], None]] = {
    **dict.fromkeys(("login_answer", "login_answer_lv34"), Aaf5Pile._heard_login),
    "heartbeat_answer": Aaf5Pile._heard_alive,
    "text_order": Aaf5Pile._heard_text,
    **dict.fromkeys(("control", "control_op30"), Aaf5Pile._heard_control),
    "start": Aaf5Pile._heard_start,
    **dict.fromkeys(("record_answer", "record_answer_lv34", "record_answer_op30"), Aaf5Pile._heard_acknowledgement),
    "card_answer": Aaf5Pile._heard_card,
    "vin_answer": Aaf5Pile._heard_vin,
    **dict.fromkeys(("card_answer_op30", "vin_answer_op30"), Aaf5Pile._heard_op30),
    "history_order": Aaf5Pile._heard_history,
    **dict.fromkeys(("periods", "periods_service", "periods_lv34", "periods_op30"), Aaf5Pile._heard_tariff),
    "named_tariff": Aaf5Pile._heard_pulled,
}


def _raw(stamp: int) -> str:
    """The BCD field of what a time field of the other protocol holds; an empty date stays empty."""
    civil_ms = cp56_time(stamp).civil_ms
    return ABSENT if civil_ms is None else raw_time(civil_ms)


def _period(rates: Rates, slot: int) -> int:
    """The number of the period that a half hour lies in, from 0."""
    return sum(1 for at in range(1, slot + 1) if rates.slots[at] != rates.slots[at - 1])

"""Experimental: 安培快充 on one link. Never chosen by first bytes, only where a pile or a port names ``iec104-ap``.

What is carried: registration, keep-alive, clock, live data, start and stop by the platform, tariffs of four prices,
records and their acknowledgement. What is refused in words stands in docs/protocols/iec104-ap.md.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast

from protocol import commands as c
from protocol import events as e
from protocol.dialect import Cipher, Dialect, Traits
from protocol.dialects import ap_frames as f
from protocol.dialects.ap_frames import Kind
from protocol.dialects.ykc_times import pile_time, raw_time
from protocol.ear import Ear
from protocol.errors import LocalProtocolError
from protocol.framer import Cut, Framer
from protocol.repeats import Shape
from protocol.wire import WireFrame

PROTOCOL = "iec104-ap"
_ASKED_MAX = 32
_STATES = {0: e.ConnectorStatus.OFFLINE, 1: e.ConnectorStatus.FAULTED, 3: e.ConnectorStatus.CHARGING}
_STOPS = {
    0: ("unknown", "unclear", "未知"),
    1: ("battery full", "other", "充满"),
    2: ("stopped at the pile", "other", "本地停止"),
    3: ("stopped by the platform", "other", "平台停止"),
    4: ("emergency stop", "other", "急停"),
    5: ("pile fault", "other", "故障"),
    6: ("other, or the start failed", "other", "其他"),
}
_FROM, _TO = 1_577_836_800_000, 4_070_908_800_000  # civil 2020-01-01 and 2099-01-01: valid until replaced
_KEPT_DIGITS = 16
_FULL = 4


def turned(raw: str) -> str:
    """Digits of a reversed BCD field, either way."""
    return bytes.fromhex(raw)[::-1].hex().upper()


def order_of(raw: str, pile_id: str, connector: int) -> str | None:
    """The transaction in an order field. Records of platform starts keep its last 16 digits only; the rest follows."""
    digits = turned(raw)
    if not digits.strip("0"):
        return None
    if not digits[:_KEPT_DIGITS].strip("0"):
        return f"{pile_id[-14:]}{connector:02d}{digits[_KEPT_DIGITS:]}"
    return digits


class ApTalk:
    """The conversation of one link; one acknowledgement a record, since the pile reads no number in it."""

    def __init__(self, options: frozenset[str] = frozenset(), cipher: Cipher | None = None) -> None:
        self.check: str | None = None
        self.options = options
        self.ear = Ear()
        self._ref = 0
        self._asked: OrderedDict[int, tuple[int, Mapping[str, Any]]] = OrderedDict()
        self._owed: dict[int, int] = {}  # connector -> ref of its newest record
        self._running: dict[int, str] = {}
        self._pile_id = ""
        self._clock_ms: int | None = None
        self._notes = [f"{PROTOCOL} is experimental: known from firmware alone, proved on no pile"]

    @property
    def protocol(self) -> str:
        """There is one version of it."""
        return PROTOCOL

    def configure(self, protocol: str | None) -> None:
        """There is nothing to choose."""

    def shape_of(self, frame: bytes) -> Shape | None:
        """Every frame goes the long way."""
        return None

    def take_notes(self) -> list[str]:
        """That it is experimental, once."""
        notes, self._notes = self._notes, []
        return notes

    def logged_in(self, login: e.PileLoggedIn) -> None:
        """The link is this pile's."""
        self._pile_id = login.pile_id

    # -- frames of the pile ---------------------------------------------------------------------------

    def hear(self, cut: Cut, at_ms: int) -> e.PileEvent | e.FrameRefused:
        """The fact in a whole frame of the pile."""
        wire = f.read_frame(cut.data, f.UP)
        if wire.error is not None or wire.raw is None or wire.layout is None:
            return e.FrameRefused(at_ms, wire.code or "field", wire.error or "", cut.data, cut.offset)
        self._ref += 1
        self._asked[self._ref] = (wire.type, wire.raw)
        while len(self._asked) > _ASKED_MAX:
            self._asked.popitem(last=False)
        pile_id = turned(wire.raw["id"]) if "id" in wire.raw else self._pile_id
        if wire.layout is f.REGISTRATION:
            return self._registration(pile_id, at_ms, cut)
        self.check = f.NO_CHECK
        match wire.layout.name:
            case "nothing":
                return e.HeartbeatReceived(at_ms, pile_id, self._ref, None, False)
            case "live":
                return self._live(wire.raw, pile_id, at_ms)
            case "order_answer":
                return self._answer(wire.raw, pile_id, at_ms, f_show(wire))
            case "record" | "offline_record":
                return self._record(wire, wire.raw, pile_id, at_ms)
            case "clock":
                return self._done(c.SyncTime, pile_id, at_ms, {}, clock=pile_time(wire.raw["time"]))
            case "tariff_answer":
                return self._done(c.SetTariff, pile_id, at_ms, f_show(wire), result=wire.raw["result"])
        return e.PileReported(at_ms, pile_id, self._ref, None, wire.layout.name, f_show(wire))

    def _registration(self, pile_id: str, at_ms: int, cut: Cut) -> e.PileEvent | e.FrameRefused:
        """It has no length and no checksum, so it counts before a pile is known, and for that pile only."""
        if self._pile_id and pile_id != self._pile_id:
            return e.FrameRefused(at_ms, "unexpected", "a second pile registers on this link", cut.data, cut.offset)
        self.check = f.NO_CHECK
        return e.PileLoggedIn(at_ms, pile_id, self._ref, PROTOCOL, "DC", 0, "", 0, "", 0)

    def _live(self, raw: Mapping[str, Any], pile_id: str, at_ms: int) -> e.PileEvent:
        connector, state = raw["gun"] + 1, raw["state"]
        is_charging = state == 3
        number = order_of(raw["order_no"], pile_id, connector) if is_charging else None
        if number:
            self._running[connector] = number
        energy = raw["energy_total"] * 10 if is_charging else 0  # at rest it still shows the former session's
        return e.SampleReceived(
            at_ms=at_ms,
            pile_id=pile_id,
            reply_ref=self._ref,
            connector=connector,
            transaction_id=number,
            status=_STATES.get(state, e.ConnectorStatus.IDLE),
            is_plugged=raw["plugged"] != 0,
            is_homed=None,
            voltage_dv=raw["dc_voltage"],
            current_da=raw["dc_current"] // 10,
            energy_e4kwh=energy,
            loss_energy_e4kwh=energy,
            amount_e4yuan=(raw["electricity_fee"] + raw["service_fee"]) * 100 if is_charging else 0,
            soc_percent=raw["soc"],
            charge_min=raw["minutes"],
            remain_min=raw["remaining_min"],
            cable_temp_c=None,
            battery_temp_c=None,
            fault_bits=0,
        )

    def _answer(self, raw: Mapping[str, Any], pile_id: str, at_ms: int, detail: Mapping[str, object]) -> e.PileEvent:
        connector = raw["gun"] + 1
        if raw["order"] == 0:
            return self._done(c.StopCharging, pile_id, at_ms, detail, result=raw["result"], connector=connector)
        number = order_of(raw["order_no"], pile_id, connector) or self._running.get(connector, "")
        reason = int(raw["reason"]) if raw["reason"].isdecimal() else 0
        is_accepted = raw["result"] == 0
        return e.StartAnswered(at_ms, pile_id, self._ref, connector, number, is_accepted, reason, False)

    def _done(
        self,
        order: type[c.Command],
        pile_id: str,
        at_ms: int,
        detail: Mapping[str, object],
        *,
        result: int = 0,
        connector: int | None = None,
        clock: e.PileTime | None = None,
    ) -> e.PileEvent:
        return e.OrderAnswered(at_ms, pile_id, self._ref, order.__name__, connector, result == 0, result, detail, clock)

    def _record(self, wire: WireFrame, raw: Mapping[str, Any], pile_id: str, at_ms: int) -> e.PileEvent:
        assert wire.layout is not None
        connector = raw["gun"] + 1
        self._owed[connector] = self._ref
        is_offline = wire.layout is f.OFFLINE_RECORD
        energies = [tier["energy"] for tier in raw["tiers"]] if is_offline else [raw[name] for name in _RATES]
        english, kind, chinese = _STOPS.get(raw["stop_reason"], (f"code {raw['stop_reason']}", "unclear", "未知"))
        card = turned(raw["card"])
        return e.RecordReceived(
            at_ms=at_ms,
            pile_id=pile_id,
            reply_ref=self._ref,
            connector=connector,
            frame_type=wire.type >> 16,
            serial=order_of(raw["order_no"], pile_id, connector) or "",
            started=pile_time(raw["start"]),
            ended=pile_time(raw["end"]),
            traded=pile_time(raw["end"]),
            tiers=tuple(e.RecordTier(None, energy * 100, 0, 0) for energy in energies),
            meter_start_e4kwh=raw["meter_start"] * 100,
            meter_stop_e4kwh=raw["meter_end"] * 100,
            energy_e4kwh=raw["total"] * 100,
            loss_energy_e4kwh=raw["total"] * 100,
            amount_e4yuan=(raw["electricity_fee"] + raw["service_fee"]) * 100,
            vin=raw["vin"].split(b"\0", 1)[0].decode("ascii", "backslashreplace").strip() or None,
            start_flag=0,
            start_channel="offline_card" if is_offline else None,
            stop_code=raw["stop_reason"],
            stop_text=(english, chinese),
            card_uid=card if card.strip("0") else None,
            layout=wire.layout.name,
            body=wire.body,
            stop_kind=kind,
            stop_label=str(raw["stop_reason"]),
        )

    # -- frames of a gateway, in a log ----------------------------------------------------------------

    def overhear(self, cut: Cut, at_ms: int, pile_id: str) -> c.PileCommand | e.FrameRefused:
        """The order or answer in a whole frame that a gateway sent."""
        wire = f.read_frame(cut.data, f.DOWN)
        raw = wire.raw or {}
        if wire.error is not None or wire.layout is None:
            return e.FrameRefused(at_ms, wire.code or "field", wire.error or "", cut.data, cut.offset)
        pile = turned(raw["id"]) if "id" in raw else pile_id
        connector = raw.get("gun", 0) + 1
        match wire.layout.name:
            case "registration":
                return c.AnswerLogin(pile, 0, True)
            case "nothing":
                return c.AnswerHeartbeat(pile, 0, None)
            case "order" if raw["order"] == 0:
                return c.StopCharging(pile, 0, connector)
            case "order":
                number = order_of(raw["order_no"], pile, connector) or ""
                return c.StartCharging(pile, 0, number, connector, "0" * 16, None, 0)
            case "record_answer":
                return c.AcknowledgeRecord(pile, 0, order_of(raw["order_no"], pile, connector) or "", True)
            case "clock" if (civil_ms := pile_time(raw["time"]).civil_ms) is not None:
                return c.SyncTime(pile, 0, civil_ms)
        return c.OtherOrder(pile, 0, wire.layout.name)

    # -- frames to the pile ---------------------------------------------------------------------------

    def say(self, command: c.PileCommand, at_ms: int | None = None) -> bytes:
        """The frame; none for a refusal, which has no frame, and for an acknowledgement of nothing."""
        kind, asked = self._asked.get(command.reply_ref or 0, (0, {}))
        head = {"id": turned(command.pile_id.rjust(16, "0"))}
        match command:
            case c.AnswerLogin():
                return f.write_frame(Kind(f.REGISTER), dict(asked)) if command.is_accepted and asked else b""
            case c.AnswerHeartbeat():
                con = f.STARTDT_CON if kind >> 16 == f.STARTDT else f.TESTFR_CON
                return f.write_frame(Kind(con), {})
            case c.AcknowledgeRecord():
                return self._acknowledge(command, kind, asked)
            case c.SyncTime():
                return f.write_frame(Kind(0x67, 6), {"time": raw_time(command.civil_ms)})
            case c.SetTariff():
                return f.write_frame(Kind(0x85, 6, 0x05), {**head, **_tariff(command.tariff)})
            case c.StartCharging() if command.parallel_no is None:
                self._running[command.connector] = command.transaction_id
                return self._order(head, command.connector, command.transaction_id, start=1)
            case c.StopCharging():
                return self._order(head, command.connector, self._running.get(command.connector, ""), start=0)
        text = f"a pile of {PROTOCOL} cannot be told: {type(command).__name__}"
        raise LocalProtocolError("cannot_carry", text)

    def _order(self, head: Mapping[str, Any], connector: int, number: str, *, start: int) -> bytes:
        raw = {
            **head,
            "gun": connector - 1,
            "order": start,
            "condition": 0,
            "mode": _FULL,
            "amount": 0,
            "user": "0" * 16,
            "order_no": turned(number.rjust(32, "0")),
        }
        return f.write_frame(Kind(0x85, 6, 0x15), raw)

    def _acknowledge(self, command: c.AcknowledgeRecord, kind: int, asked: Mapping[str, Any]) -> bytes:
        ref = command.reply_ref or 0
        if not asked or self._owed.get(asked["gun"] + 1) != ref:
            return b""
        del self._owed[asked["gun"] + 1]
        raw = {"id": asked["id"], "gun": asked["gun"], "result": 0, "order_no": asked["order_no"]}
        return f.write_frame(Kind(0x82, 7, kind & 0xFF), raw)


_RATES = ("sharp", "peak", "flat", "valley")


def _tariff(tariff: c.PileTariff) -> dict[str, Any]:
    """Four prices by half hour and one service price in fen, as far as the site's tariff is like that."""
    services = {service for _, service in (tariff.prices_e5[rate] for rate in set(tariff.slots))}
    service_e5 = services.pop()
    if services or service_e5 % 1000:
        text = f"tariff {tariff.model_no} has several service prices, or parts of a fen; this pile takes one, in fen"
        raise LocalProtocolError("cannot_carry", text)
    prices = [{"price": energy} for energy, _ in tariff.prices_e5[:4]]
    return {
        "model_id": turned(tariff.model_no.rjust(16, "0")),
        "valid_from": raw_time(_FROM),
        "valid_to": raw_time(_TO),
        "state": 1,
        "metering": 2,
        "slots": "".join(f"{slot + 1:02X}" for slot in tariff.slots),
        "count": 4,
        "prices": prices + [{"price": 0}] * (4 - len(prices)),
        "service": service_e5 // 1000,
    }


def f_show(wire: WireFrame) -> dict[str, Any]:
    """Raw values, text as text."""
    raw = wire.raw or {}
    return {
        name: value.split(b"\0", 1)[0].decode("ascii", "backslashreplace") if isinstance(value, bytes) else value
        for name, value in raw.items()
    }


_TRAITS = Traits(register_decimals=2, asks_tariff=False, silence_ms=90_000, pace_ms=200, start_drops_record=True)

AP = Dialect(
    name=f.NAME,
    start=bytes((f.START,)),
    framer=lambda direction, most: cast(Framer, f.ApFramer(direction, most)),
    speak=ApTalk,
    is_sign=lambda frame: True,
    read=lambda frame, direction, protocol, options: f.read_frame(frame, direction),
    learn=lambda wire: None,
    show=f_show,
    type_text=f.type_text,
    traits=lambda protocol: _TRAITS,
    code_texts=lambda code: [],
)

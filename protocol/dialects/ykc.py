"""YKC (云快充) 1.5/1.6 and its relatives: frames to facts, orders to frames.

Source: YKC platform protocol V1.6; rulings on every ambiguity in docs/protocols/ykc.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from protocol import commands as c
from protocol import events as e
from protocol.dialects.ykc_codes import stop_kind, stop_text
from protocol.dialects.ykc_frames import FRAMES
from protocol.dialects.ykc_times import pile_time
from protocol.dialects.ykc_wire import NAME, render_fields, vin_text
from protocol.wire import WireFrame

TWO_DECIMALS_UPTO = 0x0D  # login versions up to 1.3 carry energy and money with two decimals
_ZERO_CARD = "0" * 16
_ZERO_SERIAL = "0" * 32
_METHODS = {1: "card", 2: "account", 3: "vin"}
_STATES = {
    0: e.ConnectorStatus.OFFLINE,
    1: e.ConnectorStatus.FAULTED,
    2: e.ConnectorStatus.IDLE,
    3: e.ConnectorStatus.CHARGING,
    4: e.ConnectorStatus.IDLE,  # dialects: plugged, not charging
    5: e.ConnectorStatus.IDLE,  # dialects: finished, still plugged
}
_CHANNELS = {1: "app", 2: "card", 4: "offline_card", 5: "vin"}
_LOCKS = {0x00: "between", 0x55: "raised", 0xFF: "lowered"}
_ALARMS = {0xFF: "forced", 0x55: "movement"}
_BMS = {
    0x15: "handshake",
    0x17: "config",
    0x1B: "bms_error",
    0x1D: "bms_abort",
    0x21: "charger_abort",
    0x23: "demand",
    0x25: "status",
}
_NOT_PLUGGED = 5

# type of an answer -> (order it answers, field of the result, value that means "done")
_ANSWERS: dict[int, tuple[type[c.Command], str, int | None]] = {
    0x35: (c.StopCharging, "ok", 1),
    0x41: (c.UpdateBalance, "result", 0),
    0x43: (c.SyncCards, "ok", 1),
    0x45: (c.ClearCards, "cards", None),
    0x47: (c.QueryCards, "cards", None),
    0x51: (c.SetWorkParams, "ok", 1),
    0x55: (c.SyncTime, "time", None),
    0x57: (c.SetTariff, "ok", 1),
    0x63: (c.ControlParkingLock, "ok", 1),
    0x91: (c.Reboot, "ok", 1),
    0x93: (c.UpdateFirmware, "status", 0),
    0xF1: (c.SetQrPrefix, "result", None),
}


# -- small conversions ----------------------------------------------------------------------------------


def gun_number(raw: int) -> int:
    """A connector's number; 0x10…0x19 are 10…19, as BCD writers of big piles send them."""
    return raw - 6 if 0x10 <= raw <= 0x19 else raw


def known_vin(raw: bytes) -> str | None:
    """A VIN that names a car: ``None`` when zeros, FF, blanks or ASCII zeros stand in its place."""
    text = vin_text(raw)
    return text if text and text.strip(" 0") else None


def _card(raw: str) -> str | None:
    return None if raw == _ZERO_CARD else raw


def _serial(raw: str) -> str | None:
    return None if raw == _ZERO_SERIAL else raw


def _version(raw: int) -> str:
    return f"{NAME}-{raw // 10}.{raw % 10}"


# -- pile to gateway ------------------------------------------------------------------------------------

Maker = Callable[[WireFrame, dict[str, Any], int, int, frozenset[str]], e.PileEvent]


def _login(wire: WireFrame, raw: dict[str, Any], at_ms: int, scale: int, options: frozenset[str]) -> e.PileEvent:
    return e.PileLoggedIn(
        at_ms=at_ms,
        pile_id=raw["pile_no"],
        reply_ref=wire.sequence,
        protocol=_version(raw["proto_ver_raw"]),
        current={0: "DC", 1: "AC"}.get(raw["pile_type"]),
        connector_count=raw["gun_count"],
        firmware_version=raw["sw_version"].rstrip(b"\0").decode("ascii", "backslashreplace"),
        network=raw["net_type"],
        sim=raw["sim"],
        carrier=raw["operator"],
    )


def _heartbeat(wire: WireFrame, raw: dict[str, Any], at_ms: int, scale: int, options: frozenset[str]) -> e.PileEvent:
    return e.HeartbeatReceived(at_ms, raw["pile_no"], wire.sequence, gun_number(raw["gun"]), raw["gun_status"] != 0)


def _tariff_check(wire: WireFrame, raw: dict[str, Any], at_ms: int, scale: int, options: frozenset[str]) -> e.PileEvent:
    return e.TariffChecked(at_ms, raw["pile_no"], wire.sequence, raw["model_no"])


def _tariff_request(
    wire: WireFrame, raw: dict[str, Any], at_ms: int, scale: int, options: frozenset[str]
) -> e.PileEvent:
    return e.TariffRequested(at_ms, raw["pile_no"], wire.sequence)


def _sample(wire: WireFrame, raw: dict[str, Any], at_ms: int, scale: int, options: frozenset[str]) -> e.PileEvent:
    bits = raw["fault_bits"]
    state = _STATES.get(raw["state"], e.ConnectorStatus.FAULTED)
    plugged = {0: False, 1: True}.get(raw["plugged"])
    return e.SampleReceived(
        at_ms=at_ms,
        pile_id=raw["pile_no"],
        reply_ref=wire.sequence,
        connector=gun_number(raw["gun"]),
        transaction_id=_serial(raw["serial"]),
        status=state,
        is_plugged=True if raw["state"] in (4, 5) else plugged,
        is_homed={0: False, 1: True}.get(raw["homed"]),
        voltage_dv=raw["voltage_v"],
        current_da=raw["current_a"],
        energy_e4kwh=raw["energy_kwh"] * scale,
        loss_energy_e4kwh=raw["loss_energy_kwh"] * scale,
        amount_e4yuan=raw["amount_yuan"] * scale,
        soc_percent=raw["soc_pct"],
        charge_min=raw["charge_min"],
        remain_min=raw["remain_min"],
        cable_temp_c=raw["cable_temp_c"] - 50 if raw["cable_temp_c"] else None,
        battery_temp_c=raw["batt_max_temp_c"] - 50 if raw["batt_max_temp_c"] else None,
        fault_bits=bits >> 1 if "fault-bit1-at-2" in options else bits,
    )


def _bms(wire: WireFrame, raw: dict[str, Any], at_ms: int, scale: int, options: frozenset[str]) -> e.PileEvent:
    return e.BmsReported(
        at_ms=at_ms,
        pile_id=raw["pile_no"],
        reply_ref=wire.sequence,
        connector=gun_number(raw["gun"]),
        transaction_id=_serial(raw["serial"]),
        kind=_BMS[wire.type],
        detail=render_fields(wire),
    )


def _bms_end(wire: WireFrame, raw: dict[str, Any], at_ms: int, scale: int, options: frozenset[str]) -> e.PileEvent:
    return e.BmsEnded(
        at_ms=at_ms,
        pile_id=raw["pile_no"],
        reply_ref=wire.sequence,
        connector=gun_number(raw["gun"]),
        transaction_id=_serial(raw["serial"]),
        soc_percent=raw["soc_pct"],
        charge_min=raw["charge_min"],
        energy_e1kwh=raw["energy_kwh"],
    )


def _start_request(
    wire: WireFrame, raw: dict[str, Any], at_ms: int, scale: int, options: frozenset[str]
) -> e.PileEvent:
    password = bytes.fromhex(raw["password_hex"]).rstrip(b"\0")
    return e.StartRequested(
        at_ms=at_ms,
        pile_id=raw["pile_no"],
        reply_ref=wire.sequence,
        connector=gun_number(raw["gun"]),
        method=_METHODS.get(raw["start_mode"], "unknown"),
        card_uid=_card(raw["card"]),
        password=password.decode("ascii", "backslashreplace") or None,
        vin=known_vin(raw["vin"].strip(b"\0")[::-1]),
        parallel_no=raw.get("parallel_no"),
        is_main_connector=raw["role"] == 0 if "role" in raw else None,
    )


def _start_answer(wire: WireFrame, raw: dict[str, Any], at_ms: int, scale: int, options: frozenset[str]) -> e.PileEvent:
    is_accepted = raw["ok"] == 1
    return e.StartAnswered(
        at_ms=at_ms,
        pile_id=raw["pile_no"],
        reply_ref=wire.sequence,
        connector=gun_number(raw["gun"]),
        transaction_id=raw["serial"],
        is_accepted=is_accepted,
        reason_code=raw["fail_reason"],
        may_still_start=not is_accepted and raw["fail_reason"] == _NOT_PLUGGED,
        parallel_no=raw.get("parallel_no"),
    )


def _lock_status(wire: WireFrame, raw: dict[str, Any], at_ms: int, scale: int, options: frozenset[str]) -> e.PileEvent:
    return e.ParkingLockReported(
        at_ms=at_ms,
        pile_id=raw["pile_no"],
        reply_ref=wire.sequence,
        connector=gun_number(raw["gun"]),
        lock=_LOCKS.get(raw["lock_status"], "unknown"),
        is_occupied=raw["space_status"] == 0xFF,
        battery_percent=raw["battery_pct"],
        alarm=_ALARMS.get(raw["alarm"]),
    )


def _order_answer(wire: WireFrame, raw: dict[str, Any], at_ms: int, scale: int, options: frozenset[str]) -> e.PileEvent:
    order, key, done = _ANSWERS[wire.type]
    if key == "cards":
        reason = 0
        is_accepted = all(card.get("ok", 1) == 1 for card in raw["cards"])
    elif done is None:
        reason, is_accepted = 0, True
    else:
        is_accepted = raw[key] == done
        reason = raw.get("fail_reason", 0 if is_accepted else raw[key])
    return e.OrderAnswered(
        at_ms=at_ms,
        pile_id=raw["pile_no"],
        reply_ref=wire.sequence,
        order=order.__name__,
        connector=gun_number(raw["gun"]) if "gun" in raw else None,
        is_accepted=is_accepted,
        reason_code=reason,
        detail=render_fields(wire),
        clock=pile_time(raw["time"]) if "time" in raw else None,
    )


def _record(wire: WireFrame, raw: dict[str, Any], at_ms: int, scale: int, options: frozenset[str]) -> e.PileEvent:
    assert wire.layout is not None
    start, stop = _registers(raw)
    is_plus2 = wire.layout.name == "standard" and "trailing_hex" in raw
    return e.RecordReceived(
        at_ms=at_ms,
        pile_id=raw["pile_no"],
        reply_ref=wire.sequence,
        connector=gun_number(raw["gun"]),
        frame_type=wire.type,
        serial=raw["serial"],
        started=pile_time(raw["start_time"]),
        ended=pile_time(raw["end_time"]),
        traded=pile_time(raw["trade_time"]),
        tiers=tuple(
            e.RecordTier(
                price_e5=tier["price_yuan_per_kwh"],
                energy_e4kwh=tier["energy_kwh"] * scale,
                loss_energy_e4kwh=tier["loss_energy_kwh"] * scale,
                amount_e4yuan=tier["amount_yuan"] * scale,
            )
            for tier in raw["tiers"]
        ),
        meter_start_e4kwh=start * scale,
        meter_stop_e4kwh=stop * scale,
        energy_e4kwh=raw["energy_kwh"] * scale,
        loss_energy_e4kwh=raw["loss_energy_kwh"] * scale,
        amount_e4yuan=raw["amount_yuan"] * scale,
        vin=known_vin(raw["vin"]),
        start_flag=raw["trade_flag"],
        start_channel=_CHANNELS.get(raw["trade_flag"]),
        stop_code=raw["stop_reason"],
        stop_text=stop_text(raw["stop_reason"]),
        card_uid=_card(raw["card"]),
        layout="plus2" if is_plus2 else wire.layout.name,
        body=wire.body,
        stop_kind=stop_kind(raw["stop_reason"]),
    )


def _registers(raw: Mapping[str, Any]) -> tuple[int, int]:
    """Start and stop register; one simulator puts a zero byte before four, which makes them × 256."""
    start, stop, total = raw["meter_start_kwh"], raw["meter_end_kwh"], raw["energy_kwh"]
    if stop - start != total and not (start | stop) & 0xFF and (stop >> 8) - (start >> 8) == total:
        return start >> 8, stop >> 8
    return start, stop


_MAKERS: dict[int, Maker] = {
    0x01: _login,
    0x03: _heartbeat,
    0x05: _tariff_check,
    0x09: _tariff_request,
    0x13: _sample,
    0x19: _bms_end,
    0x31: _start_request,
    0xA1: _start_request,
    0x33: _start_answer,
    0xA3: _start_answer,
    0x61: _lock_status,
    **dict.fromkeys((0x39, 0x3B, 0x3D, 0x3F), _record),
    **dict.fromkeys(_BMS, _bms),
    **dict.fromkeys(_ANSWERS, _order_answer),
}


def to_event(
    wire: WireFrame, at_ms: int, *, scale: int = 1, options: frozenset[str] = frozenset()
) -> e.PileEvent | None:
    """The fact in a frame of a pile; ``None`` for one that only a gateway sends.

    Args:
        wire: a frame without an error.
        at_ms: when it was received, Unix ms.
        scale: 100 for piles that carry energy and money with two decimals, else 1.
        options: deviations of the pile.
    """
    assert wire.error is None
    assert wire.raw is not None
    maker = _MAKERS.get(wire.type)
    return None if maker is None else maker(wire, wire.raw, at_ms, scale, options)


def direction_of(kind: int) -> str | None:
    """``up``, ``down``, or ``None`` for an unknown type."""
    return FRAMES[kind][0] if kind in FRAMES else None

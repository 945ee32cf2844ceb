"""YKC (云快充) 1.5/1.6 and its relatives: frames to facts, orders to frames.

Source: YKC platform protocol V1.6; rulings on every ambiguity in docs/protocols/ykc.md.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from protocol import commands as c
from protocol import events as e
from protocol.attributes import (
    BODY,
    MOMENT,
    SEQUENCE,
    Attribute,
    Choice,
    Each,
    Fact,
    Field,
    Given,
    Identifier,
    Made,
    Number,
    Pile,
    Register,
    Scaled,
    Shown,
    Surplus,
    Text,
    Time,
    Whole,
    attribute_of,
)
from protocol.dialects.ykc_codes import stop_kind, stop_text
from protocol.dialects.ykc_frames import FRAMES, LOGIN, PILE_NO
from protocol.dialects.ykc_wire import NAME, render_raw
from protocol.envelope import YKC_ENVELOPE
from protocol.facttable import Facts, FactTable
from protocol.flattening import fact_table
from protocol.layout import Layout

_TWO_DECIMALS_UPTO = 0x0D  # login versions up to 1.3 carry energy and money with two decimals
_TWO_MORE_DECIMALS = 100
_PILE_NO_BYTES = PILE_NO.width
_FAULT_BIT_2 = "fault-bit1-at-2"
_TOLD_OTHERWISE = frozenset({_FAULT_BIT_2})  # deviations that change what a frame of a pile tells
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
_NO_VIN = b" 0\xff"  # what fills the field of a VIN where no car is named, besides zeros

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


def scale_of(login: bytes) -> int:
    """What energy and money are multiplied by, as a login frame tells: 100 for two decimals, else 1."""
    version = LOGIN.read(login[YKC_ENVELOPE.head_bytes : -YKC_ENVELOPE.tail_bytes])["proto_ver_raw"]
    return _TWO_MORE_DECIMALS if version <= _TWO_DECIMALS_UPTO else 1


def gun_byte(speaker: bytes) -> int:
    """The byte by which a speaker's connector goes; 0 where none is named."""
    return speaker[_PILE_NO_BYTES] if len(speaker) > _PILE_NO_BYTES else 0


def gun_number(raw: int) -> int:
    """A connector's number; 0x10…0x19 are 10…19, as BCD writers of big piles send them."""
    return raw - 6 if 0x10 <= raw <= 0x19 else raw


def _version(raw: int) -> str:
    return f"{NAME}-{raw // 10}.{raw % 10}"


# -- pile to gateway ------------------------------------------------------------------------------------

_PILE: dict[str, Attribute] = {"at_ms": MOMENT, "pile_id": Pile("pile_no"), "reply_ref": SEQUENCE}
_GUN: dict[str, Attribute] = {**_PILE, "connector": Choice("gun", {raw: gun_number(raw) for raw in range(256)})}
_CHARGE: dict[str, Attribute] = {**_GUN, "transaction_id": Identifier("serial")}
_YES_NO = {0: False, 1: True}


def _speaker(layout: Layout) -> tuple[str, ...]:
    """Who speaks: a pile, and the connector that it names."""
    return tuple(name for name, _ in layout.fields if name in ("pile_no", "gun"))


def _has(layout: Layout, name: str) -> bool:
    return any(field == name for field, _ in layout.fields)


def _fact(event: type[e.Event], form: Layout, common: Mapping[str, Attribute], **more: object) -> Fact:
    told = {**common, **{name: attribute_of(value) for name, value in more.items()}}
    return Fact(event, told, _speaker(form))


def _login(kind: int, layout: Layout, options: frozenset[str]) -> Fact:
    told = _fact(
        e.PileLoggedIn,
        layout,
        _PILE,
        protocol=Choice("proto_ver_raw", {raw: _version(raw) for raw in range(256)}),
        current=Choice("pile_type", {0: "DC", 1: "AC"}),
        connector_count=Number("gun_count"),
        firmware_version=Text("sw_version"),
        network=Number("net_type"),
        sim=Field("sim"),
        carrier=Number("operator"),
    )
    return dataclasses.replace(told, speaker=())  # the link must look at each


def _heartbeat(kind: int, layout: Layout, options: frozenset[str]) -> Fact:
    return _fact(e.HeartbeatReceived, layout, _GUN, is_faulted=Choice("gun_status", {0: False}, True))


def _tariff_check(kind: int, layout: Layout, options: frozenset[str]) -> Fact:
    return _fact(e.TariffChecked, layout, _PILE, model_no=Field("model_no"))


def _tariff_request(kind: int, layout: Layout, options: frozenset[str]) -> Fact:
    return _fact(e.TariffRequested, layout, _PILE)


def _sample(kind: int, layout: Layout, options: frozenset[str]) -> Fact:
    return _fact(
        e.SampleReceived,
        layout,
        _CHARGE,
        status=Choice("state", _STATES, e.ConnectorStatus.FAULTED),
        is_plugged=Choice("state", {4: True, 5: True}, Choice("plugged", _YES_NO)),
        is_homed=Choice("homed", _YES_NO),
        voltage_dv=Number("voltage_v"),
        current_da=Number("current_a"),
        energy_e4kwh=Scaled("energy_kwh"),
        loss_energy_e4kwh=Scaled("loss_energy_kwh"),
        amount_e4yuan=Scaled("amount_yuan"),
        soc_percent=Number("soc_pct"),
        charge_min=Number("charge_min"),
        remain_min=Number("remain_min"),
        cable_temp_c=Number("cable_temp_c"),
        battery_temp_c=Number("batt_max_temp_c"),
        fault_bits=Made(lambda bits: bits >> 1, "fault_bits") if _FAULT_BIT_2 in options else Number("fault_bits"),
    )


def _bms(kind: int, layout: Layout, options: frozenset[str]) -> Fact:
    return _fact(e.BmsReported, layout, _CHARGE, kind=_BMS[kind], detail=Shown(partial(render_raw, layout)))


def _bms_end(kind: int, layout: Layout, options: frozenset[str]) -> Fact:
    return _fact(
        e.BmsEnded,
        layout,
        _CHARGE,
        soc_percent=Number("soc_pct"),
        charge_min=Number("charge_min"),
        energy_e1kwh=Number("energy_kwh"),
    )


def _start_request(kind: int, layout: Layout, options: frozenset[str]) -> Fact:
    return _fact(
        e.StartRequested,
        layout,
        _GUN,
        method=Choice("start_mode", _METHODS, "unknown"),
        card_uid=Identifier("card"),
        password=Text("password_hex", nothing=b""),
        vin=Text("vin", is_reversed=True, nothing=_NO_VIN),
        parallel_no=Field("parallel_no") if _has(layout, "parallel_no") else None,
        is_main_connector=Choice("role", {0: True}, False) if _has(layout, "role") else None,
    )


def _start_answer(kind: int, layout: Layout, options: frozenset[str]) -> Fact:
    return _fact(
        e.StartAnswered,
        layout,
        _GUN,
        transaction_id=Field("serial"),
        is_accepted=Choice("ok", {1: True}, False),
        reason_code=Number("fail_reason"),
        may_still_start=Choice("ok", {1: False}, Choice("fail_reason", {_NOT_PLUGGED: True}, False)),
        parallel_no=Field("parallel_no") if _has(layout, "parallel_no") else None,
    )


def _lock_status(kind: int, layout: Layout, options: frozenset[str]) -> Fact:
    return _fact(
        e.ParkingLockReported,
        layout,
        _GUN,
        lock=Choice("lock_status", _LOCKS, "unknown"),
        is_occupied=Choice("space_status", {0xFF: True}, False),
        battery_percent=Number("battery_pct"),
        alarm=Choice("alarm", _ALARMS),
    )


def _are_cards_taken(raw: Mapping[str, Any]) -> bool:
    return all(card.get("ok", 1) == 1 for card in raw["cards"])


def _order_answer(kind: int, layout: Layout, options: frozenset[str]) -> Fact:
    order, key, done = _ANSWERS[kind]
    is_accepted: object = True
    reason: object = 0
    if key == "cards":
        is_accepted = Whole(_are_cards_taken)
    elif done is not None:
        is_accepted = Choice(key, {done: True}, False)
        reason = Number("fail_reason") if _has(layout, "fail_reason") else Choice(key, {done: 0}, Number(key))
    return _fact(
        e.OrderAnswered,
        layout,
        _GUN if _has(layout, "gun") else {**_PILE, "connector": Given(None)},
        order=order.__name__,
        is_accepted=is_accepted,
        reason_code=reason,
        detail=Shown(partial(render_raw, layout)),
        clock=Time("time") if _has(layout, "time") else None,
    )


_METER = ("meter_start_kwh", "meter_end_kwh", "energy_kwh")
_TIER: dict[str, Attribute] = {
    "price_e5": Number("price_yuan_per_kwh"),
    "energy_e4kwh": Scaled("energy_kwh"),
    "loss_energy_e4kwh": Scaled("loss_energy_kwh"),
    "amount_e4yuan": Scaled("amount_yuan"),
}


def _record(kind: int, layout: Layout, options: frozenset[str]) -> Fact:
    return _fact(
        e.RecordReceived,
        layout,
        _GUN,
        frame_type=kind,
        serial=Field("serial"),
        started=Time("start_time"),
        ended=Time("end_time"),
        traded=Time("trade_time"),
        tiers=Each("tiers", e.RecordTier, _TIER),
        meter_start_e4kwh=Register(False, *_METER),
        meter_stop_e4kwh=Register(True, *_METER),
        energy_e4kwh=Scaled("energy_kwh"),
        loss_energy_e4kwh=Scaled("loss_energy_kwh"),
        amount_e4yuan=Scaled("amount_yuan"),
        vin=Text("vin", nothing=_NO_VIN),
        start_flag=Number("trade_flag"),
        start_channel=Choice("trade_flag", _CHANNELS),
        stop_code=Number("stop_reason"),
        stop_text=Choice("stop_reason", {code: stop_text(code) for code in range(256)}),
        card_uid=Identifier("card"),
        layout=Surplus("plus2", layout.name) if layout.name == "standard" else layout.name,
        body=BODY,
        stop_kind=Choice("stop_reason", {code: stop_kind(code) for code in range(256)}),
    )


Teller = Callable[[int, Layout, frozenset[str]], Fact]

# type -> what a body of it tells, of each of its layouts
_TELLERS: dict[int, Teller] = {
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


def declared(options: frozenset[str] = frozenset()) -> Iterator[tuple[int, Layout, Fact, bool]]:
    """(type, layout, what it tells, whether it is of this size alone) of every body of a pile."""
    for kind, tell in _TELLERS.items():
        _, usual, others = FRAMES[kind]
        for layout in others.values():
            yield kind, layout, tell(kind, layout, options), True
        yield kind, usual, tell(kind, usual, options), False


@functools.cache
def _facts(options: frozenset[str]) -> Facts:
    tables: dict[int, list[FactTable]] = {}
    for kind, layout, fact, is_exact in declared(options):
        tables.setdefault(kind, []).append(
            fact_table(layout, fact, sizes=frozenset({layout.size}) if is_exact else None)
        )
    return Facts(YKC_ENVELOPE, tables)


def facts_of(options: frozenset[str] = frozenset()) -> Facts:
    """What the frames of a pile tell, by its deviations."""
    return _facts(options & _TOLD_OTHERWISE)


def direction_of(kind: int) -> str | None:
    """``up``, ``down``, or ``None`` for an unknown type."""
    return FRAMES[kind][0] if kind in FRAMES else None

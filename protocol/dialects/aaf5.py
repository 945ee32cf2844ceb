"""The AA F5 family: frames of a pile to facts.

Source: the texts and firmware that docs/protocols/aaf5.md lists; every ruling on an ambiguity stands there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from protocol import commands as c
from protocol import events as e
from protocol.dialects.aaf5_codes import stop_kind, stop_text
from protocol.dialects.aaf5_frames import LV34, OP30, SH52, SL
from protocol.dialects.aaf5_profiles import profile_named
from protocol.dialects.aaf5_times import pile_time
from protocol.dialects.aaf5_wire import render_fields, text_of
from protocol.facttable import Rendering
from protocol.wire import WireFrame

_OWN = re.compile(r"[0-9A-Za-z]{13}\d{18}")
_CARD_DIGITS = 16
_CHANNELS = {0: "card", 1: "app", 3: "vin", 5: "vin"}
_CHANNELS_OP30 = {0: "card", 1: "app", 3: "vin", 4: "offline_card"}
_CHANNELS_LV34 = {0: "card", 1: "app", 3: "vin"}
_NUMBERED = {SH52, OP30, LV34, SL}  # their status names the order
STOP, REBOOT, REPORT_NOW, SUSPEND = 2, 11, 15, 23
CLOCK, QR_PREFIX, BALANCE = 2, 11, 91

# address of a control order -> the order it carried out
_CONTROLS: dict[int, type[c.Command]] = {
    STOP: c.StopCharging,
    REBOOT: c.Reboot,
    REPORT_NOW: c.ReadSample,
    SUSPEND: c.SetWorkParams,
}
_TEXTS: dict[int, type[c.Command]] = {CLOCK: c.SyncTime, QR_PREFIX: c.SetQrPrefix}


@dataclass(frozen=True, slots=True)
class Heard:
    """One frame of a pile, and what its link knows.

    Attributes:
        ref: what the answer hands back.
        connector_for: the connector that a card is for, when the frame names none.
        started: connector → (reserved word, number) of the newest start on this link.
        clock_ms: the local civil time that the pile was told last.
    """

    wire: WireFrame
    at_ms: int
    pile_id: str
    profile: str
    ref: int
    connector_for: Callable[[str], int]
    started: Mapping[int, tuple[int, str]]
    clock_ms: int | None
    options: frozenset[str]


# -- small conversions ----------------------------------------------------------------------------------


def connector_of(raw: Mapping[str, Any]) -> int:
    """A connector's number; single-gun piles may call theirs 0."""
    return int(raw["gun"]) or 1


def card_of(text: str) -> str | None:
    """A card's number for comparison: without the zeros on its left that some piles add, 16 characters at least."""
    bare = text.lstrip("0").upper()
    return bare.rjust(_CARD_DIGITS, "0") if bare else None


def is_own(number: str) -> bool:
    """Whether this is a transaction number that a gateway of ours issued."""
    return len(number) == 31 and _OWN.fullmatch(number) is not None


def _vin(raw: Mapping[str, Any]) -> str | None:
    text = text_of(raw["vin"]) if "vin" in raw else ""
    return text if text.strip(" 0") else None


def _numbers(raw: Mapping[str, Any]) -> tuple[str, str]:
    """(order number, card) that a status or a record names; an order number may travel as a card."""
    number = text_of(raw.get("serial") or raw.get("order_no") or b"")
    card = text_of(raw.get("card_no", b""))
    if not number and is_own(card):
        return card, ""
    return number, "" if card == number else card


def _session(heard: Heard, raw: Mapping[str, Any], number: str) -> str | None:
    """The transaction that a status or a record belongs to.

    Where the status carries no order number, a number that the pile invents for its record would tie it to nothing:
    a session goes by pile, connector and the start that the pile's clock gave it.
    """
    word, ordered = heard.started.get(connector_of(raw), (0, ""))
    if number and (is_own(number) or number == ordered or heard.profile in _NUMBERED):
        return number
    if not number and word and raw.get("rsv1") == word:
        return ordered
    start = raw.get("start_time", "")
    if not start.strip("0"):
        return None
    return f"{heard.pile_id}-{connector_of(raw):02d}-{start[:14]}"


def _scale(profile: str, *, is_record: bool, is_milli: bool = False) -> int:
    """What one unit of energy is, 0.0001 kWh."""
    if is_milli or profile == LV34 or (profile == OP30 and is_record):
        return 10
    return 100


def _shown(wire: WireFrame) -> Rendering:
    """The values of a frame as ``decode`` prints them, once somebody looks."""
    return Rendering(lambda body: render_fields(wire), wire.body)


# -- facts ----------------------------------------------------------------------------------------------


def login(heard: Heard, raw: dict[str, Any], protocol: str, pile_id: str) -> e.PileLoggedIn:
    """106."""
    return e.PileLoggedIn(
        at_ms=heard.at_ms,
        pile_id=pile_id,
        reply_ref=heard.ref,
        protocol=protocol,
        current=None,
        connector_count=raw["gun_count"],
        firmware_version=_firmware(raw["sw_version"], profile_named(protocol)),
        network=0,
        sim="",
        carrier=0,
        clock=pile_time(raw["pile_time"]),
    )


def _firmware(raw: str, profile: str | None) -> str:
    data = bytes.fromhex(raw)
    if profile == LV34:
        return f"{data[0]}.{data[1]}.{int.from_bytes(data[2:], 'big')}"
    if data[3] == 0 and data[2] == 0:
        number = int.from_bytes(data[:2], "little")
        return f"{number // 100}.{number % 100:02d}"
    return ".".join(map(str, data))


def _heartbeat(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    return e.HeartbeatReceived(heard.at_ms, heard.pile_id, heard.ref, None, False)


def _status(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    is_dc = raw["gun_type"] & 3 != 2
    state = raw["state"]
    number, card = _numbers(raw)
    is_charging = state == 2
    scale = _scale(heard.profile, is_record=False)
    energy = raw["energy"] * scale + raw.get("energy_milli", 0) * 10
    return e.SampleReceived(
        at_ms=heard.at_ms,
        pile_id=heard.pile_id,
        reply_ref=heard.ref,
        connector=connector_of(raw),
        transaction_id=_session(heard, raw, number) if is_charging else None,
        status=_STATES.get(state, e.ConnectorStatus.IDLE),
        is_plugged=raw["connection"] != 0,
        is_homed={0: True, 1: False}.get(raw.get("gun_home", -1)),
        voltage_dv=raw["dc_voltage"] if is_dc else raw["va"],
        current_da=max(raw["dc_current"], 0) if is_dc else raw.get("ia", 0),
        energy_e4kwh=energy,
        loss_energy_e4kwh=energy,
        amount_e4yuan=raw["amount"] * 100,
        soc_percent=raw["soc"],
        charge_min=raw["duration_s"] // 60,
        remain_min=raw.get("remaining_min", 0),
        cable_temp_c=raw["temp_gun"] - 50 if raw.get("temp_gun") else None,
        battery_temp_c=None,
        fault_bits=raw["alarm"],
        card_uid=card_of(card) if is_charging and card else None,
        wants_answer=True,
    )


_STATES = {
    2: e.ConnectorStatus.CHARGING,
    6: e.ConnectorStatus.FAULTED,
    7: e.ConnectorStatus.FAULTED,
}


def _bms(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    connector = raw.get("gun") or 1
    return e.BmsReported(
        at_ms=heard.at_ms,
        pile_id=heard.pile_id,
        reply_ref=heard.ref,
        connector=connector,
        transaction_id=heard.started.get(connector, (0, None))[1],
        kind="status",
        detail=_shown(heard.wire),
        wants_answer=True,
    )


def _told(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    assert heard.wire.layout is not None
    return e.PileReported(
        at_ms=heard.at_ms,
        pile_id=heard.pile_id,
        reply_ref=heard.ref,
        connector=raw.get("gun") or None,
        kind=heard.wire.layout.name,
        detail=_shown(heard.wire),
        wants_answer=heard.wire.type in WANTING,
    )


# reports that the text wants answered, besides status and BMS data
WANTING = {302, 602, 604, 606, 608, 610, 612}


def _start_answer(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    connector = connector_of(raw)
    number = text_of(raw.get("serial", b"")) or heard.started.get(connector, (0, ""))[1]
    return e.StartAnswered(
        at_ms=heard.at_ms,
        pile_id=heard.pile_id,
        reply_ref=heard.ref,
        connector=connector,
        transaction_id=number,
        is_accepted=raw["result"] == 0,
        reason_code=raw["result"],
        may_still_start=False,
    )


def _started(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    """110: the start ended well or not; only a failure says more than the next status will."""
    return _told(heard, raw) if raw["result"] == 0 else _start_answer(heard, raw)


def _answered(
    heard: Heard,
    raw: Mapping[str, Any],
    order: type[c.Command],
    *,
    is_accepted: bool,
    connector: int | None = None,
    clock: e.PileTime | None = None,
) -> e.PileEvent:
    return e.OrderAnswered(
        at_ms=heard.at_ms,
        pile_id=heard.pile_id,
        reply_ref=heard.ref,
        order=order.__name__,
        connector=connector,
        is_accepted=is_accepted,
        reason_code=raw.get("result", 0),
        detail=_shown(heard.wire),
        clock=clock,
    )


def _control_answer(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    order = _CONTROLS.get(raw["address"])
    if order is None:
        return _told(heard, raw)
    # one firmware answers a reboot with 1 and reboots all the same
    is_accepted = raw["result"] == 0 or (order is c.Reboot and raw["result"] == 1)
    has_connector = order in (c.StopCharging, c.ReadSample)
    return _answered(heard, raw, order, is_accepted=is_accepted, connector=connector_of(raw) if has_connector else None)


def _text_answer(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    order = _TEXTS.get(raw["address"])
    if order is None:
        return _told(heard, raw)
    clock = None
    if order is c.SyncTime and raw["result"] == 0 and heard.clock_ms is not None:
        clock = e.PileTime(heard.clock_ms, None, b"", heard.clock_ms % 86_400_000)  # it shows what it was told
    return _answered(heard, raw, order, is_accepted=raw["result"] == 0, clock=clock)


def _numbers_answer(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    if raw["address"] != BALANCE:
        return _told(heard, raw)
    return _answered(heard, raw, c.UpdateBalance, is_accepted=raw["result"] == 0)


def _tariff_answer(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    return _answered(heard, raw, c.SetTariff, is_accepted=raw["result"] == 0)


def _balance_answer(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    return _answered(heard, raw, c.UpdateBalance, is_accepted=raw["result"] == 0)


def _update_answer(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    return _answered(heard, raw, c.UpdateFirmware, is_accepted=raw["result"] == 0)


# answers to the steps of an update
STEPS = {1002: "erase", 1004: "name", 1006: "size", 1008: "chunk", 1010: "end", 1012: "restart"}
_TELLING = ("erase", "name")  # what they say is a figure, and no verdict


def _step_answer(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    step = STEPS.get(heard.wire.type)
    if step is None:
        return _told(heard, raw)
    code = raw.get("number", raw.get("percent", raw.get("result", 0)))
    return e.OrderAnswered(
        at_ms=heard.at_ms,
        pile_id=heard.pile_id,
        reply_ref=heard.ref,
        order=c.UpdateStep.__name__,
        connector=None,
        is_accepted=step in _TELLING or code == 0,
        reason_code=code,
        detail={"step": step, **render_fields(heard.wire)},
    )


def _request(heard: Heard, method: str, connector: int, *, card: str = "", vin: str | None = None) -> e.PileEvent:
    return e.StartRequested(
        at_ms=heard.at_ms,
        pile_id=heard.pile_id,
        reply_ref=heard.ref,
        connector=connector,
        method=method,
        card_uid=card_of(card) if card else None,
        password=None,
        vin=vin,
    )


def _card_request(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    """204, 502. Before V4.6 no connector is named: it is the one where a car waits."""
    card = text_of(raw["card_no"])
    connector = raw.get("gun") or heard.connector_for(card_of(card) or "")
    method = "account" if raw.get("auth_kind") == 1 else "card"
    return _request(heard, method, connector, card=card)


def _vin_request(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    return _request(heard, "vin", connector_of(raw), vin=_vin(raw))


def _tariff_request(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    return e.TariffRequested(heard.at_ms, heard.pile_id, heard.ref)


def _record(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    assert heard.wire.layout is not None
    profile = heard.profile
    is_milli = heard.wire.type in (222, 422) or (heard.wire.type == 502 and heard.wire.layout.name == "record_milli")
    scale = _scale(profile, is_record=True, is_milli=is_milli)
    number, card = _numbers(raw)
    stop = raw["stop_reason"]
    energy = raw["energy"] * scale + (raw.get("energy_milli", 0) * 10 if scale == 100 else 0)
    return e.RecordReceived(
        at_ms=heard.at_ms,
        pile_id=heard.pile_id,
        reply_ref=heard.ref,
        connector=connector_of(raw),
        frame_type=heard.wire.type,
        serial=_session(heard, raw, number) or "",
        started=pile_time(raw["start_time"]),
        ended=pile_time(raw["end_time"]),
        traded=pile_time(raw["end_time"]),
        tiers=(),
        meter_start_e4kwh=raw["meter_start"] * scale,
        meter_stop_e4kwh=raw["meter_end"] * scale,
        energy_e4kwh=energy,
        loss_energy_e4kwh=energy,
        amount_e4yuan=raw["amount"] * 100,
        vin=_vin(raw),
        start_flag=raw["start_mode"],
        start_channel=_channel(profile, raw["start_mode"], number),
        stop_code=stop,
        stop_text=stop_text(stop, profile),
        card_uid=card_of(card) if card else None,
        layout=heard.wire.layout.name,
        body=heard.wire.body,
        stop_kind=stop_kind(stop, profile),
        stop_label=str(stop),
        identity=_identity(heard.pile_id, raw),
        slots_e4kwh=tuple(slot["value"] * scale for slot in raw["slots"]),
        are_slots_periods=_are_periods(heard, raw),
        slot_step_e4kwh=scale,
    )


_TEN = (
    "card_no",
    "start_time",
    "end_time",
    "soc_start",
    "soc_end",
    "stop_reason",
    "energy",
    "meter_start",
    "vin",
    "serial",
)


def _identity(pile_id: str, raw: Mapping[str, Any]) -> bytes:
    """The ten fields by which the text knows a repeat; counters beside them restart after service."""
    parts = [text_of(raw[name]) if isinstance(raw.get(name), bytes) else str(raw.get(name)) for name in _TEN]
    return "|".join((pile_id, str(raw["gun"]), *parts)).encode()


def _channel(profile: str, mode: int, number: str) -> str | None:
    if profile == OP30:
        return _CHANNELS_OP30.get(mode)
    if profile == LV34:
        return _CHANNELS_LV34.get(mode)
    if mode == 3 and profile != SH52:
        return None  # the screen, before V4.6
    if mode == 0 and not is_own(number):
        return "offline_card"  # unless it turns out to have been allowed by an answer without a number
    return _CHANNELS.get(mode)


def _are_periods(heard: Heard, raw: Mapping[str, Any]) -> bool:
    """Slots are tariff periods where the tariff came by 1105; energy beyond the twelfth shows half hours."""
    if heard.profile != SH52 or "tariff-1103" in heard.options:
        return False
    return not any(slot["value"] for slot in raw["slots"][12:])


def _history(heard: Heard, raw: dict[str, Any]) -> e.PileEvent:
    if raw.get("record_index") == -1:  # the oldest body has no index
        return _answered(heard, raw, c.AskRecord, is_accepted=False, connector=connector_of(raw))
    return _record(heard, raw)


Maker = Callable[[Heard, dict[str, Any]], e.PileEvent]

# body name -> the fact in it; bodies that are not listed are told as they stand
MAKERS: dict[str, Maker] = {
    "heartbeat": _heartbeat,
    **dict.fromkeys(("status", "status_sh16", "status_op30", "status_lv34"), _status),
    "bms": _bms,
    "start_answer": _start_answer,
    "started": _started,
    "control_answer": _control_answer,
    "text_answer": _text_answer,
    "numbers_answer": _numbers_answer,
    "result": _tariff_answer,
    "balance_answer_f26": _balance_answer,
    "word_result": _update_answer,
    **dict.fromkeys(("number", "percent", "chunk_answer", "chunk_answer_op30"), _step_answer),
    **dict.fromkeys(("card_query", "card_query_op30"), _card_request),
    **dict.fromkeys(("vin_query", "vin_query_op30"), _vin_request),
    "tariff_pull": _tariff_request,
    **dict.fromkeys(("record", "record_milli", "record_sh16", "record_lv34"), _record),
}
_HISTORY = {402, 422, 602}
RECORDS = {"record", "record_milli", "record_sh16", "record_lv34"}


def is_history(wire: WireFrame) -> bool:
    """Whether a record was asked for: such a one is never acknowledged."""
    return wire.type in _HISTORY


def to_event(heard: Heard) -> e.PileEvent:
    """The fact in a frame without an error, other than a login."""
    wire = heard.wire
    assert wire.raw is not None
    assert wire.layout is not None
    if wire.layout.name in RECORDS and is_history(wire):
        return _history(heard, wire.raw)
    return MAKERS.get(wire.layout.name, _told)(heard, wire.raw)

"""The AA F5 family: what frames of a pile tell, declared for each profile.

Source: the texts and firmware that docs/protocols/aaf5.md lists; every ruling on an ambiguity stands there.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

from protocol import commands as c
from protocol import events as e
from protocol.attributes import (
    BODY,
    LINK,
    LINK_PILE,
    MOMENT,
    REFERENCE,
    Attribute,
    Blank,
    Choice,
    Either,
    Fact,
    Field,
    Given,
    Made,
    Number,
    Or,
    Shown,
    Sum,
    Text,
    Time,
    Values,
    attribute_of,
)
from protocol.dialects.aaf5_bodies import STATUS
from protocol.dialects.aaf5_codes import stop_kind, stop_text
from protocol.dialects.aaf5_frames import ENVELOPE, FORMS, LV34, OP30, SH52, SL, UP, Form
from protocol.dialects.aaf5_profiles import PERIODS_OPTION, profile_named
from protocol.dialects.aaf5_times import pile_time
from protocol.dialects.aaf5_wire import render_raw
from protocol.facttable import Facts, FactTable
from protocol.fields import Op
from protocol.flattening import fact_table, place_of
from protocol.layout import Layout

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


class Knowing(Protocol):
    """What a link knows besides what a frame says.

    Attributes:
        started: connector → (reserved word, number) of the newest start on this link.
        clock_ms: the local civil time that the pile was told last.
    """

    started: Mapping[int, tuple[int, str]]
    clock_ms: int | None

    def connector_for(self, card: str) -> int:
        """The connector that a card is for, when the frame names none."""


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


def _numbers(number: str, card: str) -> tuple[str, str]:
    """(order number, card) that a status or a record names; an order number may travel as a card."""
    if not number and is_own(card):
        return card, ""
    return number, "" if card == number else card


def _card(number: str, card: str) -> str | None:
    return card_of(_numbers(number, card)[1])


def _session(
    profile: str, link: Knowing, pile_id: str, connector: int, number: str, card: str, word: int, start: str
) -> str | None:
    """The transaction that a status or a record belongs to.

    Where the status carries no order number, a number that the pile invents for its record would tie it to nothing:
    a session goes by pile, connector and the start that the pile's clock gave it.
    """
    number, _ = _numbers(number, card)
    started_word, ordered = link.started.get(connector, (0, ""))
    if number and (is_own(number) or number == ordered or profile in _NUMBERED):
        return number
    if not number and started_word and word == started_word:
        return ordered
    if not start.strip("0"):
        return None
    return f"{pile_id}-{connector:02d}-{start[:14]}"


def _serial(*known: Any) -> str:
    return _session(*known) or ""


def _scale(profile: str, *, is_record: bool, is_milli: bool = False) -> int:
    """What one unit of energy is, 0.0001 kWh."""
    if is_milli or profile == LV34 or (profile == OP30 and is_record):
        return 10
    return 100


# -- words that bodies share ----------------------------------------------------------------------------

_PILE = Text("pile_id", is_cut=True, nothing=b"", otherwise=LINK_PILE)
_CONNECTOR = Choice("gun", {raw: raw or 1 for raw in range(256)})
_CARD_NO = Text("card_no", is_cut=True)


def _has(layout: Layout, name: str) -> bool:
    return any(field == name for field, _ in layout.fields)


def _maybe(layout: Layout, attribute: Field | Number | Text | Choice, otherwise: object) -> Attribute:
    """An attribute of a field that not every body has."""
    if not _has(layout, attribute.name):
        return attribute_of(otherwise)
    at, width = place_of(layout, attribute.name)
    return Or(attribute, otherwise) if 0 <= layout.least < at + width else attribute


def _common(layout: Layout) -> dict[str, Attribute]:
    pile = _PILE if _has(layout, "pile_id") else LINK_PILE
    return {"at_ms": MOMENT, "pile_id": pile, "reply_ref": REFERENCE}


def _fact(event: type[e.Event], form: Layout, **told: object) -> Fact:
    return Fact(event, {**_common(form), **{name: attribute_of(value) for name, value in told.items()}})


def _learnt(fact: Fact, layout: Layout, *names: str) -> Fact:
    """A fact of which a link must look at these fields, as far as the body has them."""
    return Fact(fact.kind, fact.attributes, learnt=tuple(name for name in names if _has(layout, name)))


def _number(layout: Layout) -> Attribute:
    """The order number of a status or a record."""
    return _maybe(layout, Text("serial" if _has(layout, "serial") else "order_no", is_cut=True), "")


def _named(layout: Layout) -> tuple[Attribute, ...]:
    """By what a session is known: pile, connector, number, card, reserved word, start."""
    start = _maybe(layout, Field("start_time"), "")
    card = _maybe(layout, _CARD_NO, "")
    return (_common(layout)["pile_id"], _CONNECTOR, _number(layout), card, Field("rsv1"), start)


# -- facts ----------------------------------------------------------------------------------------------


def login(raw: Mapping[str, Any], protocol: str, pile_id: str, *, at_ms: int, ref: int) -> e.PileLoggedIn:
    """106; what it says of the profile decides how it is read."""
    return e.PileLoggedIn(
        at_ms=at_ms,
        pile_id=pile_id,
        reply_ref=ref,
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


Told = Iterator[Fact]


def _heartbeat(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    yield _learnt(_fact(e.HeartbeatReceived, layout, connector=None, is_faulted=False), layout, "pile_id")


_STATES = {
    2: e.ConnectorStatus.CHARGING,
    6: e.ConnectorStatus.FAULTED,
    7: e.ConnectorStatus.FAULTED,
}
_CHARGING = {2}
_AC = {raw for raw in range(256) if raw & 3 == 2}
_TEMPERATURES = {raw: raw - 50 for raw in range(1, 256)}
_STATUS_LEARNT = ("rsv1", "pile_id", "gun", "state", "connection", "card_no", "start_time", "serial", "order_no")


def _energy(layout: Layout, scale: int, *, has_milli: bool) -> Attribute:
    """Energy; the part of it below 0.01 kWh stands in a field of its own, where it is told."""
    whole = Number("energy", times=scale)
    return Sum((whole, _maybe(layout, Number("energy_milli", times=10), 0))) if has_milli else whole


def _status(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    energy = _energy(layout, _scale(profile, is_record=False), has_milli=_has(layout, "energy_milli"))
    card = _maybe(layout, _CARD_NO, "")
    fact = _fact(
        e.SampleReceived,
        layout,
        connector=_CONNECTOR,
        transaction_id=Either("state", _CHARGING, Made(partial(_session, profile), LINK, *_named(layout)), None),
        status=Choice("state", _STATES, e.ConnectorStatus.IDLE),
        is_plugged=Choice("connection", {0: False}, True),
        is_homed=_maybe(layout, Choice("gun_home", {0: True, 1: False}), None),
        voltage_dv=Either("gun_type", _AC, Number("va"), Number("dc_voltage")),
        current_da=Either("gun_type", _AC, _maybe(layout, Number("ia"), 0), Number("dc_current", least=0)),
        energy_e4kwh=energy,
        loss_energy_e4kwh=energy,
        amount_e4yuan=Number("amount", times=100),
        soc_percent=Number("soc"),
        charge_min=Number("duration_s", per=60),
        remain_min=_maybe(layout, Number("remaining_min"), 0),
        cable_temp_c=_maybe(layout, Choice("temp_gun", _TEMPERATURES), None),
        battery_temp_c=None,
        fault_bits=Number("alarm"),
        card_uid=Either("state", _CHARGING, Made(_card, _number(layout), card), None),
        wants_answer=True,
    )
    yield _learnt(fact, layout, *_STATUS_LEARNT)


def _ordered(link: Knowing, connector: int) -> str | None:
    return link.started.get(connector, (0, None))[1]


def _bms(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    connector = Made(lambda gun: gun or 1, "gun")
    fact = _fact(
        e.BmsReported,
        layout,
        connector=connector,
        transaction_id=Made(_ordered, LINK, connector),
        kind="status",
        detail=Shown(partial(render_raw, layout)),
        wants_answer=True,
    )
    yield _learnt(fact, layout, "pile_id", "gun")


# reports that the text wants answered, besides status and BMS data
WANTING = {302, 602, 604, 606, 608, 610, 612}
_NAMED_CONNECTOR = Choice("gun", {raw: raw or None for raw in range(256)})


def _told(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    yield _fact(
        e.PileReported,
        layout,
        connector=_maybe(layout, _NAMED_CONNECTOR, None),
        kind=layout.name,
        detail=Shown(partial(render_raw, layout)),
        wants_answer=command in WANTING,
    )


def _ordered_number(link: Knowing, number: str, connector: int) -> str:
    return number or link.started.get(connector, (0, ""))[1]


def _start_answer(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    number = _maybe(layout, Text("serial", is_cut=True), "")
    yield _fact(
        e.StartAnswered,
        layout,
        connector=_CONNECTOR,
        transaction_id=Made(_ordered_number, LINK, number, _CONNECTOR),
        is_accepted=Made(lambda result: result == 0, "result"),
        reason_code=Number("result"),
        may_still_start=False,
    )


def _when(facts: Told, only: tuple[str, int]) -> Told:
    """Facts of bodies that have a certain value in a field."""
    for fact in facts:
        yield Fact(fact.kind, fact.attributes, only=only)


def _started(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    """110: the start ended well or not; only a failure says more than the next status will."""
    yield from _when(_told(layout, command, profile, options), ("result", 0))
    yield from _start_answer(layout, command, profile, options)


def _answered(
    layout: Layout,
    order: type[c.Command],
    *,
    is_accepted: object,
    reason: object = Number("result"),
    connector: object = None,
    clock: object = None,
    detail: object = None,
) -> Fact:
    return _fact(
        e.OrderAnswered,
        layout,
        order=order.__name__,
        connector=connector,
        is_accepted=is_accepted,
        reason_code=reason,
        detail=detail or Shown(partial(render_raw, layout)),
        clock=clock,
    )


_IS_DONE = Choice("result", {0: True}, False)


def _control_answer(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    for address, order in _CONTROLS.items():
        # one firmware answers a reboot with 1 and reboots all the same
        is_accepted = Choice("result", {0: True, 1: True}, False) if order is c.Reboot else _IS_DONE
        connector = _CONNECTOR if order in (c.StopCharging, c.ReadSample) else None
        answered = _answered(layout, order, is_accepted=is_accepted, connector=connector)
        yield from _when(iter((answered,)), ("address", address))
    yield from _told(layout, command, profile, options)


def _shown_clock(link: Knowing, result: int) -> e.PileTime | None:
    if result != 0 or link.clock_ms is None:
        return None
    return e.PileTime(link.clock_ms, None, b"", link.clock_ms % 86_400_000)  # it shows what it was told


def _text_answer(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    for address, order in _TEXTS.items():
        clock = Made(_shown_clock, LINK, "result") if order is c.SyncTime else None
        answered = _answered(layout, order, is_accepted=_IS_DONE, clock=clock)
        yield from _when(iter((answered,)), ("address", address))
    yield from _told(layout, command, profile, options)


def _numbers_answer(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    answered = _answered(layout, c.UpdateBalance, is_accepted=_IS_DONE)
    yield from _when(iter((answered,)), ("address", BALANCE))
    yield from _told(layout, command, profile, options)


def _answer_of(order: type[c.Command]) -> Teller:
    def tell(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
        yield _answered(layout, order, is_accepted=_IS_DONE)

    return tell


# answers to the steps of an update
STEPS = {1002: "erase", 1004: "name", 1006: "size", 1008: "chunk", 1010: "end", 1012: "restart"}
_TELLING = ("erase", "name")  # what they say is a figure, and no verdict


def _step_answer(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    step = STEPS[command]
    code = next(name for name in ("number", "percent", "result") if _has(layout, name))
    yield _answered(
        layout,
        c.UpdateStep,
        is_accepted=True if step in _TELLING else Made(lambda told: told == 0, code),
        reason=Number(code),
        detail=Shown(lambda raw: {"step": step, **render_raw(layout, raw)}),
    )


def _request(layout: Layout, method: object, connector: Attribute, *, card: object = None, vin: object = None) -> Fact:
    return _fact(e.StartRequested, layout, connector=connector, method=method, card_uid=card, password=None, vin=vin)


def _meant(link: Knowing, gun: int, card: str) -> int:
    return gun or link.connector_for(card_of(card) or "")


def _card_request(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    """204, 502. Before V4.6 no connector is named: it is the one where a car waits."""
    connector = Made(_meant, LINK, _maybe(layout, Field("gun"), 0), _CARD_NO)
    method = _maybe(layout, Choice("auth_kind", {1: "account"}, "card"), "card")
    yield _request(layout, method, connector, card=Made(card_of, _CARD_NO))


_VIN = Text("vin", is_cut=True, nothing=b" 0")


def _vin_request(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    yield _request(layout, "vin", _CONNECTOR, vin=_VIN)


def _tariff_request(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    yield _fact(e.TariffRequested, layout)


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


def _identity(*parts: object) -> bytes:
    return "|".join(map(str, parts)).encode()


def _identifying(layout: Layout) -> Made:
    """The ten fields by which the text knows a repeat; counters beside them restart after service."""
    kinds = dict(layout.fields)
    texts = {name for name in _TEN if name in kinds and kinds[name].op is Op.BYTES}
    ten = (Text(name, is_cut=True) if name in texts else Field(name) for name in _TEN)
    return Made(_identity, _PILE, "gun", *(_maybe(layout, word, None) for word in ten))


def _channel(profile: str, mode: int, number: str, card: str) -> str | None:
    if profile == OP30:
        return _CHANNELS_OP30.get(mode)
    if profile == LV34:
        return _CHANNELS_LV34.get(mode)
    if mode == 3 and profile != SH52:
        return None  # the screen, before V4.6
    if mode == 0 and not is_own(_numbers(number, card)[0]):
        return "offline_card"  # unless it turns out to have been allowed by an answer without a number
    return _CHANNELS.get(mode)


def _are_periods(profile: str, options: frozenset[str]) -> object:
    """Slots are tariff periods where the tariff came by 1105; energy beyond the twelfth shows half hours."""
    return Blank("slots", 12) if profile == SH52 and PERIODS_OPTION not in options else False


_CODES_KEPT = 512  # a pile may send any number as its reason


def _record(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    is_milli = command in (222, 422) or (command == 502 and layout.name == "record_milli")
    scale = _scale(profile, is_record=True, is_milli=is_milli)
    energy = _energy(layout, scale, has_milli=scale == 100 and _has(layout, "energy_milli"))
    number, stopped = _number(layout), Field("stop_reason")
    yield _fact(
        e.RecordReceived,
        layout,
        connector=_CONNECTOR,
        frame_type=command,
        serial=Made(partial(_serial, profile), LINK, *_named(layout)),
        started=Time("start_time"),
        ended=Time("end_time"),
        traded=Time("end_time"),
        tiers=Given(()),
        meter_start_e4kwh=Number("meter_start", times=scale),
        meter_stop_e4kwh=Number("meter_end", times=scale),
        energy_e4kwh=energy,
        loss_energy_e4kwh=energy,
        amount_e4yuan=Number("amount", times=100),
        vin=_maybe(layout, _VIN, None),
        start_flag=Number("start_mode"),
        start_channel=Made(partial(_channel, profile), "start_mode", number, _CARD_NO),
        stop_code=Number("stop_reason"),
        stop_text=Made(functools.lru_cache(_CODES_KEPT)(partial(stop_text, profile=profile)), stopped),
        card_uid=Made(_card, number, _CARD_NO),
        layout=layout.name,
        body=BODY,
        stop_kind=Made(functools.lru_cache(_CODES_KEPT)(partial(stop_kind, profile=profile)), stopped),
        stop_label=Made(str, stopped),
        identity=_identifying(layout),
        slots_e4kwh=Values("slots", scale),
        are_slots_periods=_are_periods(profile, options),
        slot_step_e4kwh=scale,
    )


_HISTORY = {402, 422, 602}


def _stored(layout: Layout, command: int, profile: str, options: frozenset[str]) -> Told:
    """A record, or that there is none of the kind that was asked for."""
    if command in _HISTORY and _has(layout, "record_index"):
        reason = 0 if not _has(layout, "result") else Number("result")
        none = _answered(layout, c.AskRecord, is_accepted=False, reason=reason, connector=_CONNECTOR)
        yield from _when(iter((none,)), ("record_index", -1))
    yield from _record(layout, command, profile, options)


Teller = Callable[[Layout, int, str, frozenset[str]], Told]

# body name -> the facts in it; bodies that are not listed are told as they stand
_TELLERS: dict[str, Teller] = {
    "heartbeat": _heartbeat,
    **dict.fromkeys(("status", "status_sh16", "status_op30", "status_lv34"), _status),
    "bms": _bms,
    "start_answer": _start_answer,
    "started": _started,
    "control_answer": _control_answer,
    "text_answer": _text_answer,
    "numbers_answer": _numbers_answer,
    "result": _answer_of(c.SetTariff),
    "balance_answer_f26": _answer_of(c.UpdateBalance),
    "word_result": _answer_of(c.UpdateFirmware),
    **dict.fromkeys(("number", "percent", "chunk_answer", "chunk_answer_op30"), _step_answer),
    **dict.fromkeys(("card_query", "card_query_op30"), _card_request),
    **dict.fromkeys(("vin_query", "vin_query_op30"), _vin_request),
    "tariff_pull": _tariff_request,
    **dict.fromkeys(("record", "record_milli", "record_sh16", "record_lv34"), _stored),
}
LOGIN_COMMAND = 106
_TOLD_OTHERWISE = frozenset({PERIODS_OPTION})  # deviations that change what a frame of a pile tells


def declared(profile: str, options: frozenset[str] = frozenset()) -> Iterator[tuple[int, Form, Fact]]:
    """(command, form, what it tells) of every body of a pile but its login, in the order in which they are tried."""
    for (direction, command), forms in FORMS.items():
        if direction != UP or command == LOGIN_COMMAND:
            continue
        for form in forms:
            if profile in form.profiles:
                for fact in _TELLERS.get(form.layout.name, _told)(form.layout, command, profile, options):
                    yield command, form, fact


@functools.cache
def _facts(profile: str, options: frozenset[str]) -> Facts:
    tables: dict[int, list[FactTable]] = {}
    for command, form, fact in declared(profile, options):
        assert form.has_mark is None
        tables.setdefault(command, []).append(fact_table(form.layout, fact, sizes=form.sizes))
    return Facts(ENVELOPE, tables)


def facts_of(profile: str, options: frozenset[str] = frozenset()) -> Facts:
    """What the frames of a pile tell, by its profile and deviations."""
    return _facts(profile, options & _TOLD_OTHERWISE)


def is_history(record: e.RecordReceived) -> bool:
    """Whether a record was asked for: such a one is never acknowledged."""
    return record.frame_type in _HISTORY


_STATE_AT = ENVELOPE.head_bytes + place_of(STATUS, "state")[0]


def state_of(status: bytes) -> int:
    """The raw state in a whole frame of any status."""
    return status[_STATE_AT]

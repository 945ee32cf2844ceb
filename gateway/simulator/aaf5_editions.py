"""What the editions of the AA F5 family look like from the pile's side: bodies, units, codes.

One entry per profile. A pile of an edition sends the bodies named here and nothing else, each up to the last field
that its version knew.

Source: docs/protocols/aaf5.md, "Profiles".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.simulator.connector import BALANCE_USED_UP, POWER_LOST, STOPPED_BY_APP
from protocol.dialects import aaf5_bodies as b
from protocol.dialects import aaf5_frames as f
from protocol.dialects.aaf5_frames import LV34, OP30, SH16, SH26, SH40, SH52, SL
from protocol.dialects.aaf5_wire import enclose
from protocol.fields import Op
from protocol.layout import Layout

FULL = 0x41
_CARD, _APP, _VIN = 0, 1, 3
_MODES = {"card": _CARD, "app": _APP, "vin": _VIN, "offline": _CARD}
_STOPS = {STOPPED_BY_APP: 311, FULL: 30, BALANCE_USED_UP: 308, POWER_LOST: 2015}
_STOPS_LV34 = {STOPPED_BY_APP: 258, FULL: 275, BALANCE_USED_UP: 259, POWER_LOST: 261}
_BY_USER, _BY_USER_LV34 = 200, 260


@dataclass(frozen=True, slots=True)
class Body:
    """One body that a pile sends.

    Attributes:
        upto: the last field that this version has; empty for all.
    """

    command: int
    layout: Layout
    upto: str = ""

    def frame(self, values: Mapping[str, Any], sequence: int = 0) -> bytes:
        """A whole frame; zeros where nothing is told, and nothing behind the last field."""
        raw = empty(self.layout, upto=self.upto)
        raw |= {name: values[name] for name in raw if name in values}
        return enclose(self.command, self.layout.write(raw), sequence=sequence)


@dataclass(frozen=True, slots=True)
class Edition:
    """One generation or maker.

    Attributes:
        version: the version word of its login.
        display: what it shows as its software's version, where the login has room for that.
        step_e4kwh: a unit of energy in its records; ``sample_step_e4kwh``: in its status.
        price_step_e5: a unit of price in its tariffs.
        names_status: its status carries the order number; ``names_record``: its record does.
        numbers_itself: what starts without a gateway gets a number of the pile's own.
        books_periods: energy is booked per period of the tariff, otherwise per half hour.
        has_own_tariff: nobody sends it one.
        history: its answer to a question for a stored record; ``None`` when it cannot be asked.
        swaps_chunks: the answer to a chunk of an update holds its result first.
    """

    profile: str
    version: int
    login: Body
    beat: Body
    status: Body
    record: Body
    start: Body
    control: Body
    card: Body | None
    vin: Body | None
    bms: Body | None
    history: Body | None = None
    pull: Body | None = None
    display: str = ""
    step_e4kwh: int = 100
    sample_step_e4kwh: int = 100
    price_step_e5: int = 1_000
    names_status: bool = False
    names_record: bool = False
    numbers_itself: bool = False
    books_periods: bool = False
    has_own_tariff: bool = False
    reboot_result: int = 0
    offline_mode: int = _CARD
    stops: Mapping[int, int] | None = None
    stopped_by_user: int = _BY_USER
    swaps_chunks: bool = False

    def mode_of(self, channel: str) -> int:
        """How a session began, in this edition's numbers."""
        return self.offline_mode if channel == "offline" else _MODES.get(channel, 0)

    def stop_of(self, code: int) -> int:
        """Why a session ended, in this edition's numbers, from a stop code of the other protocol."""
        return (self.stops or _STOPS).get(code, self.stopped_by_user)


_LOGIN = Body(106, b.LOGIN, "proto_version")
_BEAT, _BEAT_LONG = Body(102, b.HEARTBEAT, "counter"), Body(102, b.HEARTBEAT)
_BMS = Body(302, b.BMS)
_START, _START_NUMBERED = Body(8, f.START_ANSWER, "result"), Body(8, f.START_ANSWER)
_CONTROL = Body(6, f.CONTROL_ANSWER, "result")
_CARD_V2 = Body(204, f.CARD_QUERY, "sector_random")

EDITIONS: Mapping[str, Edition] = {
    SH16: Edition(
        SH16,
        16,
        _LOGIN,
        _BEAT,
        Body(104, b.STATUS_SH16, "var_c"),
        Body(202, f.RECORD_SH16),
        _START,
        _CONTROL,
        card=Body(204, f.CARD_QUERY, "card_black"),
        vin=None,
        bms=_BMS,
    ),
    SH26: Edition(
        SH26,
        26,
        _LOGIN,
        _BEAT,
        Body(104, b.STATUS, "var_c"),
        Body(202, f.RECORD, "serial"),
        _START,
        _CONTROL,
        card=_CARD_V2,
        vin=None,
        bms=_BMS,
        history=Body(402, f.RECORD, "serial"),
        reboot_result=1,
    ),
    SH40: Edition(
        SH40,
        40,
        Body(106, b.LOGIN, "whitelist_version"),
        _BEAT,
        Body(104, b.STATUS, "door_flags"),
        Body(202, f.RECORD, "service_fee"),
        _START_NUMBERED,
        _CONTROL,
        card=_CARD_V2,
        vin=None,
        bms=_BMS,
        history=Body(402, f.RECORD, "service_fee"),
        names_record=True,
    ),
    SH52: Edition(
        SH52,
        52,
        Body(106, b.LOGIN),
        _BEAT_LONG,
        Body(104, b.STATUS, "service_fee"),
        Body(222, f.RECORD_MILLI, "direction_flag"),
        _START_NUMBERED,
        _CONTROL,
        card=Body(204, f.CARD_QUERY),
        vin=Body(208, f.VIN_QUERY),
        bms=_BMS,
        history=Body(422, f.RECORD_MILLI, "direction_flag"),
        step_e4kwh=10,
        price_step_e5=10,
        names_status=True,
        names_record=True,
        books_periods=True,
    ),
    OP30: Edition(
        OP30,
        30,
        _LOGIN,
        _BEAT,
        Body(104, b.STATUS_OP30),
        Body(206, f.RECORD_MILLI, "serial"),
        _START_NUMBERED,
        Body(6, f.CONTROL_ANSWER),
        card=Body(502, f.CARD_QUERY_OP30),
        vin=Body(504, f.VIN_QUERY_OP30),
        bms=Body(302, b.REST),
        pull=Body(11, f.TARIFF_PULL_OP30),
        display="10410",
        step_e4kwh=10,
        names_status=True,
        names_record=True,
        numbers_itself=True,
        offline_mode=4,
        swaps_chunks=True,
    ),
    LV34: Edition(
        LV34,
        34,
        Body(106, b.LOGIN, "whitelist_version"),
        _BEAT_LONG,
        Body(109, b.STATUS_LV34),
        Body(203, f.RECORD_LV34),
        _START_NUMBERED,
        _CONTROL,
        card=None,
        vin=None,
        bms=None,
        step_e4kwh=10,
        sample_step_e4kwh=10,
        price_step_e5=10,
        names_status=True,
        names_record=True,
        numbers_itself=True,
        stops=_STOPS_LV34,
        stopped_by_user=_BY_USER_LV34,
    ),
    SL: Edition(
        SL,
        28,
        _LOGIN,
        _BEAT,
        Body(504, b.STATUS, "serial"),
        Body(502, f.RECORD_MILLI, "serial"),
        _START,
        _CONTROL,
        card=_CARD_V2,
        vin=None,
        bms=_BMS,
        step_e4kwh=10,
        names_status=True,
        names_record=True,
        has_own_tariff=True,
    ),
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
            case Op.REST_HEX:
                values[name] = ""
            case Op.GROUP:
                values[name] = [{"value": 0}] * kind.width
            case _:
                values[name] = 0
        if name == upto:
            break
    return values

"""YKC frames, each declared once.

Field names are the wire keys that ``decode`` prints; offsets follow from the order. Layouts of one type are told
apart by the length of the body, the only mark that can be relied on.

Source: YKC platform protocol V1.6 with its V1.7 and field variants; rulings in docs/protocols/ykc.md.
"""

from __future__ import annotations

from construct import Struct

from protocol.fields import Chars, CountedChars, CountedGroup, GreedyGroup, Group, Hex, Show, Uint
from protocol.framer import KnownFrames
from protocol.layout import Layout

# -- vocabulary of this dialect -------------------------------------------------------------------------

U8 = Uint(1)
U16 = Uint(2)
PILE_NO = Hex(7)
SERIAL = Hex(16)
CARD = Hex(8)
VIN = Chars(17, show=Show.VIN)
TIME = Uint(7, show=Show.TIME)
PRICE = Uint(4, decimals=5)
ENERGY = Uint(4, decimals=4)
MONEY = Uint(4, decimals=4)
BALANCE = Uint(4, decimals=2)
TENTHS = Uint(2, decimals=1)
HUNDREDTHS = Uint(2, decimals=2)
BMS_CURRENT = Uint(2, decimals=1, offset=-4000)
TEMPERATURE = Uint(1, offset=-50)
SAMPLE_TEMPERATURE = Uint(1, offset=-50, blank=0)
NUMBERED = Uint(1, offset=1)
PARALLEL_NO = Hex(6)
SLOTS = Hex(48)
SLOTS.show = Show.SLOTS

_GUN = ("pile_no" / PILE_NO, "gun" / U8)
_SESSION = ("serial" / SERIAL, *_GUN)


def _layout(name: str, *fields: object) -> Layout:
    return Layout(name, Struct(*fields))


# -- registration, heartbeat, tariff --------------------------------------------------------------------

LOGIN = _layout(
    "login",
    "pile_no" / PILE_NO,
    "pile_type" / U8,
    "gun_count" / U8,
    "proto_ver_raw" / U8,
    "sw_version" / Chars(8),
    "net_type" / U8,
    "sim" / Hex(10),
    "operator" / U8,
)
LOGIN_ANSWER = _layout("login_answer", "pile_no" / PILE_NO, "result" / U8)
HEARTBEAT = _layout("heartbeat", *_GUN, "gun_status" / U8)
HEARTBEAT_ANSWER = _layout("heartbeat_answer", *_GUN, "ack" / U8)
TARIFF_CHECK = _layout("tariff_check", "pile_no" / PILE_NO, "model_no" / Hex(2))
TARIFF_CHECK_ANSWER = _layout("tariff_check_answer", "pile_no" / PILE_NO, "model_no" / Hex(2), "result" / U8)
PILE_ONLY = _layout("tariff_request", "pile_no" / PILE_NO)
PILE_OK = _layout("answer", "pile_no" / PILE_NO, "ok" / U8)


def _tariff(name: str, count: int) -> Layout:
    return _layout(
        name,
        "pile_no" / PILE_NO,
        "model_no" / Hex(2),
        "rates" / Group(count, Struct("elec" / PRICE, "service" / PRICE)),
        "loss_ratio_raw" / U8,
        "slots" / SLOTS,
    )


TARIFF = _tariff("tariff", 4)
TARIFF_FIVE = _tariff("tariff_five_rates", 5)

# -- live data and BMS ----------------------------------------------------------------------------------

READ_SAMPLE = _layout("read_sample", *_GUN)
SAMPLE = _layout(
    "sample",
    *_SESSION,
    "state" / U8,
    "homed" / U8,
    "plugged" / U8,
    "voltage_v" / TENTHS,
    "current_a" / TENTHS,
    "cable_temp_c" / SAMPLE_TEMPERATURE,
    "cable_code" / Hex(8),
    "soc_pct" / U8,
    "batt_max_temp_c" / SAMPLE_TEMPERATURE,
    "charge_min" / U16,
    "remain_min" / U16,
    "energy_kwh" / ENERGY,
    "loss_energy_kwh" / ENERGY,
    "amount_yuan" / MONEY,
    "fault_bits" / U16,
)
BMS_HANDSHAKE = _layout(
    "bms_handshake",
    *_SESSION,
    "bms_ver_hex" / Hex(3),
    "battery_type" / U8,
    "rated_capacity_ah" / TENTHS,
    "rated_voltage_v" / TENTHS,
    "maker" / Chars(4),
    "pack_serial_hex" / Hex(4),
    "prod_year_raw" / U8,
    "prod_month" / U8,
    "prod_day" / U8,
    "charge_count" / Uint(3),
    "ownership" / U8,
    "reserved" / U8,
    "vin" / VIN,
    "bms_sw_hex" / Hex(8),
)
BMS_CONFIG = _layout(
    "bms_config",
    *_SESSION,
    "cell_max_v" / HUNDREDTHS,
    "max_current_a" / BMS_CURRENT,
    "nominal_energy_kwh" / TENTHS,
    "max_voltage_v" / TENTHS,
    "max_temp_c" / TEMPERATURE,
    "soc_pct" / TENTHS,
    "pack_voltage_v" / TENTHS,
    "out_max_v" / TENTHS,
    "out_min_v" / TENTHS,
    "out_max_a" / BMS_CURRENT,
    "out_min_a" / BMS_CURRENT,
)
BMS_END = _layout(
    "bms_end",
    *_SESSION,
    "soc_pct" / U8,
    "cell_min_v" / HUNDREDTHS,
    "cell_max_v" / HUNDREDTHS,
    "temp_min_c" / TEMPERATURE,
    "temp_max_c" / TEMPERATURE,
    "charge_min" / U16,
    "energy_kwh" / TENTHS,
    "charger_no_raw" / Uint(4),
)
BMS_ERROR = _layout("bms_error", *_SESSION, "flags_hex" / Hex(8))
ABORT = _layout("abort", *_SESSION, "reason" / U8, "fault" / U16, "error" / U8)
BMS_DEMAND = _layout(
    "bms_demand",
    *_SESSION,
    "demand_v" / TENTHS,
    "demand_a" / BMS_CURRENT,
    "mode" / U8,
    "meas_v" / TENTHS,
    "meas_a" / BMS_CURRENT,
    "cell_max" / Uint(2, show=Show.CELL),
    "soc_pct" / U8,
    "remain_min" / U16,
    "out_v" / TENTHS,
    "out_a" / BMS_CURRENT,
    "charge_min" / U16,
)


def _bms_status(name: str, flag_bytes: int) -> Layout:
    return _layout(
        name,
        *_SESSION,
        "cell_max_no" / NUMBERED,
        "temp_max_c" / TEMPERATURE,
        "temp_max_point" / NUMBERED,
        "temp_min_c" / TEMPERATURE,
        "temp_min_point" / NUMBERED,
        "flags_hex" / Hex(flag_bytes),
    )


BMS_STATUS = _bms_status("bms_status", 2)
BMS_STATUS_WIDE = _bms_status("bms_status_wide_flags", 16)

# -- start, stop, record --------------------------------------------------------------------------------

_REQUEST = (
    *_GUN,
    "start_mode" / U8,
    "need_password" / U8,
    "card" / CARD,
    "password_hex" / Hex(16),
    "vin" / VIN,
)
START_REQUEST = _layout("start_request", *_REQUEST)
PARALLEL_REQUEST = _layout("parallel_request", *_REQUEST, "role" / U8, "parallel_no" / PARALLEL_NO)


def _authorisation(name: str, *tail: object, is_big: bool = False) -> Layout:
    return _layout(
        name,
        *_SESSION,
        "logic_card" / CARD,
        "balance_yuan" / (Uint(4, decimals=2, is_big=True) if is_big else BALANCE),
        "auth_ok" / U8,
        "fail_reason" / U8,
        *tail,
    )


AUTHORISATION = _authorisation("authorisation")
AUTHORISATION_BIG = _authorisation("authorisation_big_endian_balance", is_big=True)
PARALLEL_AUTHORISATION = _authorisation("parallel_authorisation", "parallel_no" / PARALLEL_NO)
_ORDER = (*_SESSION, "logic_card" / CARD, "card" / CARD, "balance_yuan" / BALANCE)
START_ORDER = _layout("start_order", *_ORDER)
PARALLEL_ORDER = _layout("parallel_order", *_ORDER, "parallel_no" / PARALLEL_NO)
_ANSWER = (*_SESSION, "ok" / U8, "fail_reason" / U8)
START_ANSWER = _layout("start_answer", *_ANSWER)
PARALLEL_ANSWER = _layout("parallel_answer", *_ANSWER, "role" / U8, "parallel_no" / PARALLEL_NO)
PARALLEL_ANSWER_LONG = _layout("parallel_answer_long_number", *_ANSWER, "role" / U8, "parallel_no" / Hex(7))
STOP_ORDER = _layout("stop_order", *_GUN)
STOP_ANSWER = _layout("stop_answer", *_GUN, "ok" / U8, "fail_reason" / U8)

_TIER = Struct(
    "price_yuan_per_kwh" / PRICE,
    "energy_kwh" / ENERGY,
    "loss_energy_kwh" / ENERGY,
    "amount_yuan" / MONEY,
)
_METER_INFO = (
    "meter_no" / Hex(6),
    "meter_cipher_hex" / Hex(34),
    "meter_version_hex" / Hex(2),
    "meter_encryption" / U8,
)


def _record(name: str, *, tiers: int = 4, meter_bytes: int = 5, meter_info: tuple[object, ...] = ()) -> Layout:
    register = Uint(meter_bytes, decimals=4)
    return _layout(
        name,
        *_SESSION,
        "start_time" / TIME,
        "end_time" / TIME,
        *meter_info,
        "tiers" / Group(tiers, _TIER),
        "meter_start_kwh" / register,
        "meter_end_kwh" / register,
        "energy_kwh" / ENERGY,
        "loss_energy_kwh" / ENERGY,
        "amount_yuan" / MONEY,
        "vin" / VIN,
        "trade_flag" / U8,
        "trade_time" / TIME,
        "stop_reason" / U8,
        "card" / CARD,
    )


RECORD = _record("standard")
RECORD_METER4 = _record("meter4", meter_bytes=4)
RECORD_FIVE = _record("five-rate", tiers=5)
RECORD_V17 = _record("v1.7", meter_info=_METER_INFO)
RECORD_ANSWER = _layout("record_answer", "serial" / SERIAL, "result" / U8)

# -- balance, cards, settings, maintenance --------------------------------------------------------------

BALANCE_ORDER = _layout("balance_order", *_GUN, "card" / CARD, "balance_yuan" / BALANCE)
BALANCE_ANSWER = _layout("balance_answer", "pile_no" / PILE_NO, "card" / CARD, "result" / U8)
_COUNTED = ("pile_no" / PILE_NO, "count" / U8)
_ONE_CARD = Struct("card" / CARD)
CARDS_SYNC = _layout(
    "cards_sync", *_COUNTED, "cards" / CountedGroup("count", Struct("logic_card" / CARD, "card" / CARD))
)
CARDS_SYNC_ANSWER = _layout("cards_sync_answer", "pile_no" / PILE_NO, "ok" / U8, "fail_reason" / U8)
CARDS_LISTED = _layout("cards_listed", *_COUNTED, "cards" / CountedGroup("count", _ONE_CARD))
CARDS_CLEAR_ANSWER = _layout(
    "cards_clear_answer",
    "pile_no" / PILE_NO,
    "cards" / GreedyGroup(Struct("card" / CARD, "ok" / U8, "fail_reason" / U8)),
)
CARDS_QUERY_ANSWER = _layout(
    "cards_query_answer", "pile_no" / PILE_NO, "cards" / GreedyGroup(Struct("card" / CARD, "present" / U8))
)
WORK_PARAMS = _layout("work_params", "pile_no" / PILE_NO, "disabled" / U8, "max_power_pct" / U8)
TIME_SYNC = _layout("time_sync", "pile_no" / PILE_NO, "time" / TIME)
LOCK_STATUS = _layout(
    "lock_status",
    *_GUN,
    "lock_status" / U8,
    "space_status" / U8,
    "battery_pct" / U8,
    "alarm" / U8,
    "reserved" / Uint(4),
)
LOCK_ORDER = _layout("lock_order", *_GUN, "action" / U8, "reserved" / Uint(4))
LOCK_ANSWER = _layout("lock_answer", *_GUN, "ok" / U8, "reserved" / Uint(4))
REBOOT = _layout("reboot", "pile_no" / PILE_NO, "control" / U8)
REBOOT_WIDE = _layout("reboot_wide_control", "pile_no" / PILE_NO, "control" / Uint(4, is_big=True))
UPDATE = _layout(
    "update",
    "pile_no" / PILE_NO,
    "model" / U8,
    "power_kw" / U16,
    "host" / Chars(16),
    "port" / U16,
    "user" / Chars(16),
    "password" / Chars(16),
    "path" / Chars(32),
    "control" / U8,
    "timeout_min" / U8,
)
UPDATE_ANSWER = _layout("update_answer", "pile_no" / PILE_NO, "status" / U8)
QR_PREFIX = _layout(
    "qr_prefix", "pile_no" / PILE_NO, "format" / U8, "prefix_len" / U8, "prefix" / CountedChars("prefix_len")
)
QR_ANSWER = _layout("qr_answer", "pile_no" / PILE_NO, "result" / U8)

# -- which layouts a type has ---------------------------------------------------------------------------

UP = "up"
DOWN = "down"

# type -> (direction, the layout for any other length, exact body length -> layout)
FRAMES: dict[int, tuple[str, Layout, dict[int, Layout]]] = {
    0x01: (UP, LOGIN, {}),
    0x02: (DOWN, LOGIN_ANSWER, {}),
    0x03: (UP, HEARTBEAT, {}),
    0x04: (DOWN, HEARTBEAT_ANSWER, {}),
    0x05: (UP, TARIFF_CHECK, {}),
    0x06: (DOWN, TARIFF_CHECK_ANSWER, {17: RECORD_ANSWER}),  # seen: an acknowledgement with the wrong type
    0x09: (UP, PILE_ONLY, {}),
    0x0A: (DOWN, TARIFF, {98: TARIFF_FIVE}),
    0x12: (DOWN, READ_SAMPLE, {}),
    0x13: (UP, SAMPLE, {}),
    0x15: (UP, BMS_HANDSHAKE, {}),
    0x17: (UP, BMS_CONFIG, {}),
    0x19: (UP, BMS_END, {}),
    0x1B: (UP, BMS_ERROR, {}),
    0x1D: (UP, ABORT, {}),
    0x21: (UP, ABORT, {}),
    0x23: (UP, BMS_DEMAND, {}),
    0x25: (UP, BMS_STATUS, {45: BMS_STATUS_WIDE}),
    0x31: (UP, START_REQUEST, {}),
    0x32: (DOWN, AUTHORISATION, {44: PARALLEL_AUTHORISATION}),  # seen: 0xA2 printed as 0x32
    0x33: (UP, START_ANSWER, {}),
    0x34: (DOWN, START_ORDER, {}),
    0x35: (UP, STOP_ANSWER, {}),
    0x36: (DOWN, STOP_ORDER, {}),
    0x39: (UP, RECORD, {156: RECORD_METER4, 174: RECORD_FIVE}),
    0x3B: (UP, RECORD, {156: RECORD_METER4, 174: RECORD_FIVE, 201: RECORD_V17}),
    0x3D: (UP, RECORD_V17, {}),
    0x3F: (UP, RECORD, {156: RECORD_METER4, 174: RECORD_FIVE}),
    0x40: (DOWN, RECORD_ANSWER, {}),
    0x41: (UP, BALANCE_ANSWER, {}),
    0x42: (DOWN, BALANCE_ORDER, {}),
    0x43: (UP, CARDS_SYNC_ANSWER, {}),
    0x44: (DOWN, CARDS_SYNC, {}),
    0x45: (UP, CARDS_CLEAR_ANSWER, {}),
    0x46: (DOWN, CARDS_LISTED, {}),
    0x47: (UP, CARDS_QUERY_ANSWER, {}),
    0x48: (DOWN, CARDS_LISTED, {}),
    0x51: (UP, PILE_OK, {}),
    0x52: (DOWN, WORK_PARAMS, {}),
    0x55: (UP, TIME_SYNC, {}),
    0x56: (DOWN, TIME_SYNC, {}),
    0x57: (UP, PILE_OK, {}),
    0x58: (DOWN, TARIFF, {98: TARIFF_FIVE}),
    0x61: (UP, LOCK_STATUS, {}),
    0x62: (DOWN, LOCK_ORDER, {}),
    0x63: (UP, LOCK_ANSWER, {}),
    0x85: (DOWN, TARIFF_FIVE, {}),
    0x91: (UP, PILE_OK, {}),
    0x92: (DOWN, REBOOT, {11: REBOOT_WIDE}),
    0x93: (UP, UPDATE_ANSWER, {}),
    0x94: (DOWN, UPDATE, {}),
    0xA1: (UP, PARALLEL_REQUEST, {}),
    0xA2: (DOWN, PARALLEL_AUTHORISATION, {}),
    0xA3: (UP, PARALLEL_ANSWER, {34: PARALLEL_ANSWER_LONG}),
    0xA4: (DOWN, PARALLEL_ORDER, {}),
    0xF0: (DOWN, QR_PREFIX, {}),
    0xF1: (UP, QR_ANSWER, {}),
}

_HEAD = 4  # what the length byte counts besides the body
_BODY_MAX = 0xFF - _HEAD


def layout_of(kind: int, size: int, options: frozenset[str] = frozenset()) -> Layout | None:
    """The layout of a type and body length, ``None`` for an unknown type."""
    found = FRAMES.get(kind)
    if found is None:
        return None
    if kind == 0x32 and size == AUTHORISATION.size and "balance-be" in options:
        return AUTHORISATION_BIG
    return found[2].get(size, found[1])


def least_size(kind: int) -> int | None:
    """Bytes of the shortest body of a type, ``None`` for an unknown type."""
    found = FRAMES.get(kind)
    return None if found is None else min(layout.size for layout in (found[1], *found[2].values()))


def _known_pairs() -> list[tuple[int, int]]:
    """A body may be longer than its layout, never shorter."""
    return [(kind, size + _HEAD) for kind in FRAMES for size in range(least_size(kind) or 0, _BODY_MAX + 1)]


KNOWN = KnownFrames(_known_pairs())

"""AA F5 bodies that piles tell of themselves with: login, heartbeat, status, alarms, modules, BMS.

Field names are the wire keys that ``decode`` prints, values stand raw. The ``sh`` line only ever appended fields, so
its bodies are declared once, at their longest, and read as far as they go (``least`` is the first version's size).

Source: the AA F5 texts and firmware that docs/protocols/aaf5.md lists, with its rulings.
"""

from __future__ import annotations

from construct import Struct

from protocol.fields import Chars, GreedyGroup, Group, Hex, Rest, Show, Sint, Uint, Wide
from protocol.layout import Layout

U8, U16, U24, U32 = Uint(1), Uint(2), Uint(3), Uint(4)
I16, I32 = Sint(2), Sint(4)
U64 = Wide()
ID = Chars(32)
VIN = Chars(17)
BCD8 = Hex(8)
BCD8.show = Show.BCD_TIME

RSV = ("rsv1" / U16, "rsv2" / U16)
HEAD = (*RSV, "pile_id" / ID)


def layout(name: str, *fields: object, least: int = -1) -> Layout:
    """A layout of fields; ``least`` for one that grew."""
    return Layout(name, Struct(*fields), least)


def numbers(count: int, width: int) -> Group:
    """A list of integers of one width."""
    return Group(count, Struct("value" / Uint(width)), show=Show.LIST)


def entries(body: Struct, count: int | None = None) -> Group | GreedyGroup:
    """A list of entries, as many as there are when no ``count`` is given."""
    return GreedyGroup(body, show=Show.LIST) if count is None else Group(count, body, show=Show.LIST)


# -- login, heartbeat -----------------------------------------------------------------------------------

LOGIN = layout(
    "login",
    *HEAD,
    "enc_support" / U8,
    "sw_version" / Hex(4),
    "project_type" / U16,
    "start_count" / U32,
    "upload_mode" / U8,
    "login_interval_min" / U16,
    "run_mode" / U8,
    "gun_count" / U8,
    "heartbeat_s" / U8,
    "heartbeat_misses" / U8,
    "record_count" / U32,
    "pile_time" / BCD8,
    "rsv_a" / Hex(24),
    "random" / U32,
    "proto_version" / U16,
    "whitelist_version" / U32,
    "device_kind" / U8,
    "asset_no" / ID,
    least=96,
)
LOGIN_ANSWER = layout(
    "login_answer",
    *RSV,
    "random" / U32,
    "login_verify" / U8,
    "encrypt" / U8,
    "rsa_modulus" / Hex(128),
    "rsa_exponent" / U32,
    "service_state" / U8,
    "server_time" / BCD8,
    "milli_orders" / U8,
    "aes_key" / ID,
    least=142,
)
LOGIN_ANSWER_LV34 = layout("login_answer_lv34", *RSV, "random" / U32, "result" / U8)
HEARTBEAT = layout("heartbeat", *HEAD, "counter" / U16, "gun_bits" / Hex(16), least=38)
HEARTBEAT_ANSWER = layout("heartbeat_answer", *RSV, "counter" / U16)

# -- status ---------------------------------------------------------------------------------------------

_GUN = (*HEAD, "gun_count" / U8, "gun" / U8, "gun_type" / U8, "state" / U8, "soc" / U8, "alarm" / U32)
_DC = ("dc_voltage" / U16, "dc_current" / I16, "bms_voltage" / U16, "bms_current" / I16, "bms_mode" / U8)
_AC = ("va" / U16, "vb" / U16, "vc" / U16, "ia" / U16, "ib" / U16, "ic" / U16)
_SESSION_BEGIN = (
    *_GUN,
    "connection" / U8,
    "amount" / U32,
    "var2" / U32,
    "var3" / U32,
    *_DC,
    *_AC,
)
_SESSION_REST = (
    "duration_s" / U32,
    "energy" / U32,
    "meter_start" / U32,
    "meter_now" / U32,
    "start_mode" / U8,
    "strategy" / U8,
    "strategy_param" / U32,
    "reserved_flag" / U8,
    "card_no" / ID,
    "reserve_timeout_min" / U8,
    "start_time" / BCD8,
    "card_balance" / U32,
    "rsv3" / U32,
    "power" / U32,
    "var_a" / U32,
    "var_b" / U32,
    "var_c" / U32,
)
STATUS = layout(
    "status",
    *_SESSION_BEGIN,
    "remaining_min" / U16,
    *_SESSION_REST,
    "temp_outlet" / U8,
    "temp_ambient" / U8,
    "temp_gun" / U8,
    "vin" / Chars(18),
    "door_flags" / U8,
    "serial" / ID,
    "electricity_fee" / U32,
    "service_fee" / U32,
    "gun_home" / U8,
    "ground_lock" / U8,
    "energy_milli" / U8,
    "ac_meter" / U32,
    "parallel" / U8,
    "direction_flag" / U8,
    least=169,
)
STATUS_SH16 = layout("status_sh16", *_SESSION_BEGIN, *_SESSION_REST, "start_mode_again" / U8, least=167)
STATUS_OP30 = layout(
    "status_op30",
    *_SESSION_BEGIN,
    "remaining_min" / U16,
    *_SESSION_REST,
    "temp_board" / U8,
    "temp_module" / U8,
    "temp_gun_pos" / U8,
    "temp_gun_neg" / U8,
    "order_no" / ID,
    "ground_lock" / U8,
    least=169,
)
STATUS_LV34 = layout(
    "status_lv34",
    *_GUN,
    "connection" / U8,
    "amount" / U32,
    "time" / BCD8,
    *_DC,
    "va" / U16,
    "vb" / U16,
    "vc" / U16,
    "rsv_a" / U16,
    "rsv_b" / U16,
    "rsv_c" / U16,
    "remaining_min" / U16,
    "duration_s" / U32,
    "energy" / U32,
    "meter_start" / U64,
    "meter_now" / U64,
    "start_mode" / U8,
    "rsv_d" / U8,
    "rsv_e" / U32,
    "rsv_f" / U8,
    "serial" / ID,
    "rsv_g" / U8,
    "rsv_h" / Hex(8),
    "electricity_fee" / U32,
    "service_fee" / U32,
    "power" / U32,
    "rsv_i" / Hex(12),
    "temp_outlet" / U8,
    "temp_ambient" / U8,
    "temp_gun" / U8,
    "vin" / Chars(18),
    "rsv_j" / U8,
)
STATUS_ANSWER = layout("status_answer", *RSV, "gun" / U8, "report_now" / U8)
STATUS_ANSWER_SH16 = layout("status_answer_sh16", *RSV, "gun" / U8, "card_no" / ID, "tail" / Hex(8))
STATUS_ANSWER_OP30 = layout("status_answer_op30", *RSV, "gun" / U8, "amount" / U32, "balance" / U32, "order_no" / ID)
STATUS_ANSWER_LV34 = layout("status_answer_lv34", *RSV, "gun" / U8)

# -- alarms, modules, BMS -------------------------------------------------------------------------------

ALARMS = layout("alarms", *HEAD, "alarm_bits" / Hex(32))
MODULES = layout("modules", *HEAD, "kind" / U8, "module_count" / U8, "module_type" / U8, "modules" / Rest())
MODULES_ORDER = layout("modules_order", *RSV, "kind" / U8)
SLOTS_ORDER = layout("slots_order", *RSV, "gun" / U8, "flag" / U8)
SLOTS_TOLD = layout("slots_told", *HEAD, "gun" / U8, "state" / U8, "start_time" / BCD8, "slots" / numbers(48, 2))
_BRM = (
    "brm_version" / Hex(3),
    "brm_battery_type" / U8,
    "brm_capacity" / U32,
    "brm_rated_voltage" / U32,
    "brm_maker" / Chars(4),
    "brm_pack_no" / U32,
    "brm_year" / Hex(2),
    "brm_month" / U8,
    "brm_day" / U8,
    "brm_charge_count" / U32,
    "brm_ownership" / U8,
    "brm_rsv" / U8,
    "vin" / VIN,
    "brm_sw" / Hex(8),
)
_BCP = (
    "bcp_cell_max" / U32,
    "bcp_current_max" / U32,
    "bcp_energy" / U32,
    "bcp_voltage_max" / U32,
    "bcp_temp_max" / U8,
    "bcp_soc" / U16,
    "bcp_voltage_now" / U32,
)
STARTED = layout(
    "started",
    *HEAD,
    "gun" / U8,
    "result" / U32,
    "cause" / U16,
    "rsv_a" / U16,
    "rsv_b" / U32,
    *_BRM,
    *_BCP,
    "serial" / ID,
    least=49,
)
BMS = layout(
    "bms",
    *RSV,
    "counter" / U16,
    "gun" / U16,
    "pile_id" / ID,
    "state" / U8,
    "connection" / U8,
    *_BRM,
    *_BCP,
    "bro_ready" / U8,
    "bcl_voltage" / U32,
    "bcl_current" / U32,
    "bcl_mode" / U8,
    "bcs_voltage" / U32,
    "bcs_current" / U32,
    "bcs_cell_max" / U32,
    "bcs_cell_group" / U8,
    "bcs_soc" / U16,
    "remaining_min" / U32,
    "bsm_cell_no" / U8,
    "bsm_temp_max" / U8,
    "bsm_temp_max_no" / U8,
    "bsm_temp_min" / U8,
    "bsm_temp_min_no" / U8,
    "bsm_flags" / Hex(7),
    "bst_flags" / Hex(14),
    "bsd_soc" / U16,
    "bsd_cell_min" / U32,
    "bsd_cell_max" / U32,
    "bsd_temp_min" / U8,
    "bsd_temp_max" / U8,
    "bem_flags" / Hex(8),
    least=42,
)
REST = layout("undescribed", *RSV, "rest" / Rest())
RSV_ONLY = layout("reserved_words", *RSV)

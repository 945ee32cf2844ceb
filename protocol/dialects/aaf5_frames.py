"""AA F5 orders, records, cards and tariffs, and which body a command has in which profile.

A *profile* is a set of bodies of one generation or maker. Direction, command, profile and, where they must, the size
of the body choose the layout; parity of the command decides nothing.

Source: the AA F5 texts and firmware that docs/protocols/aaf5.md lists, with its rulings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from construct import Renamed, Struct

from protocol.dialects import aaf5_bodies as b
from protocol.dialects.aaf5_bodies import (
    BCD8,
    HEAD,
    I32,
    ID,
    RSV,
    U8,
    U16,
    U24,
    U32,
    U64,
    VIN,
    entries,
    layout,
    numbers,
)
from protocol.envelope import SUM_8, Envelope
from protocol.fields import Chars, Hex, Rest, Show, Uint
from protocol.framer import KnownSpans
from protocol.layout import Layout

SH16, SH26, SH40, SH52, OP30, LV34, SL = "sh16", "sh26", "sh40", "sh52", "op30", "lv34", "sl"
PROFILES = (SH16, SH26, SH40, SH52, OP30, LV34, SL)
SH = frozenset({SH16, SH26, SH40, SH52, SL})
UP, DOWN = "up", "down"
AROUND_BODY = 9

# -- parameters, control, start -------------------------------------------------------------------------

START = layout(
    "start",
    *RSV,
    "gun" / U8,
    "start_type" / U32,
    "stop_password" / U32,
    "strategy" / U32,
    "strategy_param" / U32,
    "start_time" / BCD8,
    "reserve_timeout_min" / U8,
    "card_no" / ID,
    "offline_allowed" / U8,
    "offline_energy" / U32,
    "serial" / ID,
    "aux_voltage" / U8,
    "balance" / U32,
    "direction_flag" / U8,
    least=67,
)
START_ANSWER = layout("start_answer", *HEAD, "gun" / U8, "result" / U32, "serial" / ID, least=41)
_ADDRESSED = ("gun" / U8, "address" / U32, "count" / U8, "param_len" / U16)
CONTROL = layout("control", *RSV, *_ADDRESSED, "params" / Rest())
CONTROL_OP30 = layout("control_op30", "rsv1" / U16, "stop_cause" / U16, *_ADDRESSED, "param" / U32, "order_no" / ID)
CONTROL_ANSWER = layout(
    "control_answer", *HEAD, "gun" / U8, "address" / U32, "count" / U8, "result" / U8, "order_no" / ID, least=43
)
NUMBERS_ORDER = layout(
    "numbers_order", *RSV, "op" / U8, "address" / U32, "count" / U8, "data_len" / U16, "data" / Rest()
)
NUMBERS_ANSWER = layout(
    "numbers_answer", *HEAD, "op" / U8, "address" / U32, "count" / U8, "result" / U8, "data" / Rest()
)
TEXT_ORDER = layout("text_order", *RSV, "op" / U8, "address" / U32, "data_len" / U16, "data" / Rest())
TEXT_ANSWER = layout("text_answer", *HEAD, "op" / U8, "address" / U32, "result" / U8, "data" / Rest())
CLOCK_LV34 = layout("clock_lv34", "pile_id" / ID, "cp56" / Uint(7, show=Show.TIME))
VERSIONS_ORDER = layout("versions_order", *HEAD, "device" / U16)
VERSIONS = layout("versions", *HEAD, "device" / U16, "versions" / Rest())
PAID_ORDER = layout(
    "request_answer", *RSV, "gun" / U8, "result" / U32, "address" / U32, "data_len" / U32, "data" / Rest()
)
PAID_REQUEST = layout("request", *HEAD, "gun" / U8, "address" / U32, "data" / Rest())
NOTICE_OP30 = layout("update_notice", *HEAD, "gun" / U8, "update" / U8)
TARIFF_PULL_OP30 = layout("tariff_pull", *HEAD, "gun" / U8)
QR_PULL_OP30 = layout("qr_pull", *HEAD, "gun_count" / U8)
QR_OP30 = layout("qr_and_time", *HEAD, "time" / BCD8, "texts" / Rest())
LIMITS_OP30 = layout("limits", *HEAD, "rsv_a" / U32, "gun_temp_limit" / U32, "module_temp_limit" / U32)
LIMITS_ANSWER_OP30 = layout("limits_answer", *HEAD, "result" / U32)

# -- records --------------------------------------------------------------------------------------------

_CAR = (*HEAD, "gun_type" / U8, "gun" / U8, "card_no" / ID, "start_time" / BCD8, "end_time" / BCD8)
_COUNTED = (
    *_CAR,
    "duration_s" / U32,
    "soc_start" / U8,
    "soc_end" / U8,
    "stop_reason" / U32,
    "energy" / U32,
)
_METERED = (*_COUNTED, "meter_start" / U32, "meter_end" / U32, "amount" / U32)


def _record(name: str, slot_bytes: int) -> Layout:
    return layout(
        name,
        *_METERED,
        "record_index" / I32,
        "card_balance_before" / U32,
        "current_record_no" / U32,
        "record_total" / U32,
        "rsv3" / U8,
        "strategy" / U8,
        "strategy_param" / U32,
        "vin" / VIN,
        "plate" / Chars(8),
        "slots" / numbers(48, slot_bytes),
        "start_mode" / U8,
        "serial" / ID,
        "service_fee" / U32,
        "energy_milli" / U8,
        "parallel" / U8,
        "direction_flag" / U8,
        "meter_secret" / Hex(34),
        "meter_no" / Hex(6),
        "meter_proto" / Hex(2),
        "meter_enc" / U8,
        least=160 + 48 * slot_bytes,
    )


RECORD = _record("record", 2)
RECORD_MILLI = _record("record_milli", 4)
RECORD_SH16 = layout(
    "record_sh16",
    *_METERED,
    "not_swiped" / U32,
    "balance_before" / U32,
    "balance_after" / U32,
    "service_fee" / U32,
    "offline_paid" / U8,
    "strategy" / U8,
    "strategy_param" / U32,
    "vin" / VIN,
    "plate" / Chars(8),
    "slots" / numbers(48, 2),
    "start_mode" / U8,
)
RECORD_LV34 = layout(
    "record_lv34",
    *_COUNTED,
    "meter_start" / U64,
    "meter_end" / U64,
    "amount" / U32,
    "record_index" / I32,
    "rsv_a" / U32,
    "rsv_b" / U32,
    "rsv_c" / U32,
    "rsv_d" / U8,
    "rsv_e" / U8,
    "rsv_f" / U32,
    "vin" / VIN,
    "plate" / Chars(8),
    "slots" / numbers(48, 4),
    "start_mode" / U8,
    "serial" / ID,
    "service_fee" / U32,
)
RECORD_ANSWER = layout(
    "record_answer",
    *RSV,
    "gun" / U8,
    "card_no" / ID,
    "record_index" / I32,
    "discount_valid" / U8,
    "amount_before" / U32,
    "discount" / U32,
    "amount_paid" / U32,
    "balance" / U32,
    "electricity_paid" / U32,
    "service_paid" / U32,
    least=37,
)
RECORD_ANSWER_LV34 = layout("record_answer_lv34", *RSV, "gun" / U8, "serial" / ID, "record_index" / I32)
RECORD_ANSWER_OP30 = layout(
    "record_answer_op30",
    "enc_len" / U16,
    "rsv2" / U16,
    "gun" / U8,
    "pile_id" / ID,
    "amount" / U32,
    "balance" / U32,
    "order_no" / ID,
)
HISTORY_ORDER = layout("history_order", *RSV, "index" / U32, "serial" / ID, least=8)

# -- cards, VINs ----------------------------------------------------------------------------------------

CARD_QUERY = layout(
    "card_query",
    *HEAD,
    "card_no" / ID,
    "card_balance" / U32,
    "card_black" / U8,
    "password_md5" / ID,
    "sector_random" / Chars(48),
    "m1_serial" / U32,
    "auth_kind" / U8,
    "gun" / U8,
    least=68,
)
CARD_ANSWER = layout(
    "card_answer",
    *RSV,
    "result" / U32,
    "balance" / U32,
    "energy_rate" / U16,
    "service_rate" / U16,
    "check_password" / U8,
    "check_vin" / U8,
    "check_plate" / U8,
    "rsv3" / U8,
    "serial" / ID,
    "vin" / VIN,
    "gun" / U8,
    least=20,
)
VIN_QUERY = layout("vin_query", *HEAD, "gun" / U8, "vin" / VIN, "strategy" / U8, "strategy_param" / U32)
VIN_ANSWER = layout(
    "vin_answer",
    *HEAD,
    "gun" / U8,
    "vin" / VIN,
    "account" / ID,
    "serial" / ID,
    "result" / U8,
    "cause" / U8,
    "balance" / U32,
    "stop_password" / Chars(6),
)
CARD_QUERY_OP30 = layout("card_query_op30", *HEAD, "gun" / U8, "card_no" / ID, "rsv_a" / Hex(32))
CARD_ANSWER_OP30 = layout(
    "card_answer_op30", *HEAD, "gun" / U8, "card_no" / ID, "balance" / U32, "order_no" / ID, "result" / U8
)
VIN_QUERY_OP30 = layout("vin_query_op30", *HEAD, "gun" / U8, "vin" / ID, "rsv_a" / Hex(32))
VIN_ANSWER_OP30 = layout("vin_answer_op30", *HEAD, "gun" / U8, "vin" / ID, "order_no" / ID, "result" / U8)
CARD_INFO_OP30 = layout("card_info_op30", *HEAD, "card_no" / ID, "phone" / Chars(16), "balance" / U32, "result" / U8)
LOCK_ORDER = layout(
    "lock_order", *HEAD, "gun" / U8, "action" / U8, "province" / U8, "plate" / Chars(7), "plate_kind" / U8
)
LOCK_ANSWER = layout("lock_answer", *HEAD, "gun" / U8, "lock_state" / U8)
PLATE_ORDER = layout("plate_order", *HEAD, "gun" / U8)
PLATE_TOLD = layout(
    "plate_told",
    *HEAD,
    "gun" / U8,
    "province" / U8,
    "plate" / Chars(7),
    "plate_kind" / U8,
    "plate_colour" / U8,
    "recognised" / U8,
)
PLATE_ANSWER = layout("plate_answer", *HEAD, "gun" / U8, "plate16" / Chars(16), "order_no" / ID, "result" / U8)
PLATE_QUERY = layout("plate_query", *HEAD, "gun" / U8, "plate16" / Chars(16), "rsv_a" / Hex(32))
WHITELIST = layout("whitelist", *HEAD, "kind" / U8, "op" / U8, "version" / U32, "count" / U32, "entries" / Rest())
WHITELIST_ANSWER = layout("whitelist_answer", *HEAD, "kind" / U8, "op" / U8, "version" / U32, "result" / U8)
BALANCE_F26 = layout("balance_f26", *RSV, "user_no" / U16, "balance" / U32)
BALANCE_ANSWER_F26 = layout("balance_answer_f26", *RSV, "user_no" / U16, "former" / U32, "balance" / U32, "result" / U8)

# -- tariffs --------------------------------------------------------------------------------------------

_CLOCK = ("from_h" / U8, "from_min" / U8, "to_h" / U8, "to_min" / U8)
PERIODS = layout("periods", "periods" / entries(Struct(*_CLOCK, "price" / U32), 12))
PERIODS_SERVICE = layout("periods_service", "periods" / entries(Struct(*_CLOCK, "price" / U32, "service" / U32), 12))
PERIODS_LV34 = layout("periods_lv34", "periods" / entries(Struct(*_CLOCK, "price" / U32, "service" / U32), 48))
PERIODS_OP30 = layout("periods_op30", "periods" / entries(Struct(*_CLOCK, "price" / U32, "service" / U32, "kind" / U8)))
RESULT = layout("result", "result" / U8)
NOTHING = layout("nothing")
NAMED = ("sharp", "peak", "flat", "valley", "general")
_WINDOWS = tuple(f"{name}_{number}" for name in NAMED[:4] for number in (1, 2))
NAMED_TARIFF = layout(
    "named_tariff",
    *HEAD,
    "gun" / U16,
    *(Renamed(U24, f"{name}_{part}") for name in NAMED for part in ("price", "service")),
    *(Renamed(Hex(4), name) for name in _WINDOWS),
    "parking" / U16,
)

# -- upgrade, logs --------------------------------------------------------------------------------------

_FTP = ("ftp_host" / ID, "ftp_user" / Chars(16), "ftp_password" / Chars(16))
NUMBER = layout("number", "number" / U32)
PERCENT = layout("percent", "percent" / U8)
DATA = layout("data", "data" / Rest())
CHUNK_ANSWER = layout("chunk_answer", "seq" / U8, "result" / U8, "rsv" / Hex(6), least=2)
CHUNK_ANSWER_OP30 = layout("chunk_answer_op30", "result" / U8, "seq" / U8, "rsv" / Hex(6), least=2)
FTP_UPDATE = layout("ftp_update", *RSV, "version" / U16, *_FTP, "path" / Chars(64), "mode" / U8, "device" / U8)
FTP_LOG = layout("ftp_log", *RSV, "log_kind" / U8, *_FTP, "path" / ID, "mode" / U8)
WORD_RESULT = layout("word_result", *RSV, "result" / U8)
UPDATE_ASKED = layout(
    "update_asked",
    "device" / U32,
    "project" / U32,
    "version" / U32,
    "size_max" / U32,
    "text" / ID,
    "resume" / U32,
    "offset" / U32,
    "seq" / U8,
    "chunk_max" / U32,
)
UPDATE_ALLOWED = layout("update_allowed", "result" / U32, "text" / ID)
UPDATE_TOLD = layout("update_told", "rsv_a" / U32, "version" / U32, "result" / U8)
UPDATE_TOLD_ANSWER = layout("update_told_answer", "rsv_a" / U32, "result" / U8)
LOG_FILE = layout("log_file", *HEAD, "file" / Chars(128))
LOG_RESULT = layout("log_result", *RSV, "result" / U32)
LOG_CHUNK = layout("log_chunk", *RSV, "data_len" / U32, "number" / U32, "data" / Rest())
LOG_CHUNK_RESULT = layout("log_chunk_result", *RSV, "result" / U32, "number" / U32)

# -- which body a command has ---------------------------------------------------------------------------

EVERY = frozenset(PROFILES)
_OP, _LV, _SL, _S16 = frozenset({OP30}), frozenset({LV34}), frozenset({SL}), frozenset({SH16})


@dataclass(frozen=True, slots=True)
class Form:
    """One body of one command.

    Attributes:
        sizes: the body sizes it has, ``None`` for any.
        has_mark: what must hold of the body besides.
    """

    layout: Layout
    profiles: frozenset[str] = EVERY
    sizes: frozenset[int] | None = None
    has_mark: Callable[[bytes], bool] | None = None

    def fits(self, body: bytes) -> bool:
        """Whether a body can be this one."""
        if self.sizes is not None and len(body) not in self.sizes:
            return False
        return self.has_mark is None or self.has_mark(body)


def _only(*sizes: int) -> frozenset[int]:
    return frozenset(sizes)


def _is_named(body: bytes) -> bool:
    """A pile's id stands where reserved words should."""
    return 0x20 < body[0] < 0x7F


_STATUS = (
    Form(b.STATUS_SH16, SH, _only(167, 168)),
    Form(b.STATUS_OP30, _OP),
    Form(b.STATUS_OP30, EVERY, _only(206)),
    Form(b.STATUS, EVERY),
)
_RECORD = (Form(RECORD_SH16, SH, _only(256)), Form(RECORD))
_ACKNOWLEDGED = (
    Form(RECORD_ANSWER_LV34, _LV),
    Form(RECORD_ANSWER_OP30, _OP, _only(77)),
    Form(RECORD_ANSWER_OP30, EVERY, _only(77)),
    Form(RECORD_ANSWER),
)
_SIZES_OP30 = frozenset(13 * count for count in range(12, 49))

FORMS: dict[tuple[str, int], tuple[Form, ...]] = {
    (DOWN, 1): (Form(NUMBERS_ORDER),),
    (UP, 2): (Form(NUMBERS_ANSWER),),
    (DOWN, 3): (Form(CLOCK_LV34, EVERY, _only(39), _is_named), Form(TEXT_ORDER)),
    (UP, 4): (Form(TEXT_ANSWER),),
    (DOWN, 5): (Form(CONTROL_OP30, _OP, _only(48)), Form(CONTROL_OP30, EVERY, _only(48)), Form(CONTROL)),
    (UP, 6): (Form(CONTROL_ANSWER),),
    (DOWN, 7): (Form(START),),
    (UP, 8): (Form(START_ANSWER),),
    (DOWN, 9): (Form(NOTICE_OP30, _OP), Form(PAID_ORDER)),
    (UP, 10): (Form(PAID_REQUEST),),
    (DOWN, 11): (Form(VERSIONS_ORDER),),
    (UP, 11): (Form(TARIFF_PULL_OP30, _OP),),
    (UP, 12): (Form(VERSIONS),),
    (DOWN, 12): (Form(NAMED_TARIFF, _OP),),
    (DOWN, 13): (Form(QR_OP30, _OP),),
    (UP, 14): (Form(QR_PULL_OP30, _OP),),
    (DOWN, 101): (Form(b.HEARTBEAT_ANSWER),),
    (UP, 102): (Form(b.HEARTBEAT),),
    (DOWN, 103): (
        Form(b.STATUS_ANSWER_OP30, _OP, _only(45)),
        Form(b.STATUS_ANSWER_SH16, EVERY, _only(45)),
        Form(b.STATUS_ANSWER_LV34, EVERY, _only(5)),
        Form(b.STATUS_ANSWER),
    ),
    (UP, 104): _STATUS,
    (DOWN, 105): (Form(b.LOGIN_ANSWER_LV34, EVERY, _only(9)), Form(b.LOGIN_ANSWER)),
    (UP, 106): (Form(b.LOGIN),),
    (UP, 108): (Form(b.ALARMS),),
    (UP, 109): (Form(b.STATUS_LV34, _LV),),
    (DOWN, 109): (Form(LIMITS_OP30, EVERY, _only(48)), Form(b.REST)),
    (UP, 110): (Form(b.STARTED),),
    (DOWN, 111): (Form(b.MODULES_ORDER),),
    (UP, 112): (Form(b.MODULES),),
    (DOWN, 113): (Form(b.SLOTS_ORDER),),
    (UP, 114): (Form(b.SLOTS_TOLD),),
    (UP, 514): (Form(b.SLOTS_TOLD, _SL),),
    (UP, 200): (Form(LIMITS_ANSWER_OP30, _OP),),
    (DOWN, 201): _ACKNOWLEDGED,
    (UP, 202): _RECORD,
    (DOWN, 203): (Form(CARD_ANSWER),),
    (UP, 203): (Form(RECORD_LV34, _LV),),
    (UP, 204): (Form(CARD_QUERY),),
    (DOWN, 205): _ACKNOWLEDGED,
    (UP, 206): (Form(RECORD_MILLI, _OP),),
    (DOWN, 207): (Form(VIN_ANSWER),),
    (UP, 208): (Form(VIN_QUERY),),
    (DOWN, 221): _ACKNOWLEDGED,
    (UP, 222): (Form(RECORD_MILLI),),
    (DOWN, 301): (Form(b.RSV_ONLY),),
    (UP, 302): (Form(b.REST, _OP), Form(b.BMS)),
    (DOWN, 303): (Form(b.REST),),
    (UP, 304): (Form(b.REST),),
    (DOWN, 401): (Form(HISTORY_ORDER),),
    (UP, 402): _RECORD,
    (DOWN, 421): (Form(HISTORY_ORDER),),
    (UP, 422): (Form(RECORD_MILLI),),
    (DOWN, 501): (Form(CARD_ANSWER_OP30, _OP), Form(RECORD_ANSWER, _SL)),
    (UP, 502): (Form(CARD_QUERY_OP30, _OP), Form(RECORD_MILLI, _SL)),
    (DOWN, 503): (Form(VIN_ANSWER_OP30, _OP), Form(b.STATUS_ANSWER, _SL)),
    (UP, 504): (Form(VIN_QUERY_OP30, _OP), Form(b.STATUS, _SL)),
    (DOWN, 505): (Form(CARD_INFO_OP30, _OP),),
    (UP, 506): (Form(b.REST, _OP),),
    (DOWN, 507): (Form(LOCK_ORDER, _OP),),
    (UP, 508): (Form(LOCK_ANSWER, _OP),),
    (DOWN, 509): (Form(PLATE_ORDER, _OP),),
    (UP, 510): (Form(PLATE_TOLD, _OP),),
    (DOWN, 511): (Form(PLATE_ANSWER, _OP),),
    (UP, 512): (Form(PLATE_QUERY, _OP),),
    (UP, 602): (Form(RECORD, _SL), Form(b.REST)),
    (DOWN, 701): (Form(BALANCE_F26),),
    (UP, 702): (Form(BALANCE_ANSWER_F26),),
    (DOWN, 1001): (Form(NUMBER),),
    (UP, 1002): (Form(PERCENT),),
    (DOWN, 1003): (Form(DATA),),
    (UP, 1004): (Form(NUMBER),),
    (DOWN, 1005): (Form(NUMBER),),
    (UP, 1006): (Form(NUMBER),),
    (DOWN, 1007): (Form(DATA),),
    (UP, 1008): (Form(CHUNK_ANSWER_OP30, _OP), Form(CHUNK_ANSWER)),
    (DOWN, 1009): (Form(NUMBER),),
    (UP, 1010): (Form(NUMBER),),
    (DOWN, 1011): (Form(NUMBER),),
    (UP, 1012): (Form(NUMBER),),
    (DOWN, 1013): (Form(UPDATE_TOLD_ANSWER, _OP),),
    (UP, 1014): (Form(UPDATE_TOLD, _OP),),
    (DOWN, 1021): (Form(UPDATE_ALLOWED),),
    (UP, 1022): (Form(UPDATE_ASKED),),
    (DOWN, 1101): (Form(NOTHING),),
    (UP, 1102): (
        Form(PERIODS_LV34, EVERY, _only(576)),
        Form(PERIODS_OP30, _OP, _SIZES_OP30),
        Form(PERIODS_OP30, EVERY, _SIZES_OP30),
        Form(PERIODS),
    ),
    (DOWN, 1103): (
        Form(PERIODS_LV34, EVERY, _only(576)),
        Form(PERIODS_OP30, EVERY, _SIZES_OP30),
        Form(PERIODS),
    ),
    (UP, 1104): (Form(RESULT),),
    (DOWN, 1105): (Form(PERIODS_SERVICE),),
    (UP, 1106): (Form(RESULT),),
    (DOWN, 1107): (Form(NOTHING),),
    (UP, 1108): (Form(PERIODS_SERVICE),),
    (DOWN, 1301): (Form(WHITELIST),),
    (UP, 1302): (Form(WHITELIST_ANSWER),),
    (DOWN, 1401): (Form(FTP_UPDATE),),
    (UP, 1402): (Form(WORD_RESULT),),
    (UP, 1403): (Form(WORD_RESULT),),
    (DOWN, 1406): (Form(FTP_LOG),),
    (UP, 1407): (Form(WORD_RESULT),),
    (UP, 1501): (Form(LOG_FILE),),
    (DOWN, 1502): (Form(LOG_RESULT),),
    (UP, 1503): (Form(LOG_CHUNK),),
    (DOWN, 1504): (Form(LOG_CHUNK_RESULT),),
    (UP, 1505): (Form(b.RSV_ONLY),),
    (DOWN, 1506): (Form(b.RSV_ONLY),),
}


def form_of(direction: str, command: int, body: bytes, profile: str | None) -> Form | None:
    """The body that a command has; ``None`` when it has none in this profile and direction.

    Without a profile the size decides; between equals what all profiles share, then the first that is declared.
    """
    forms = FORMS.get((direction, command), ())
    if profile is not None:
        forms = tuple(form for form in forms if profile in form.profiles)
    fitting = [form for form in forms if form.fits(body)]
    if profile is None:
        fitting.sort(key=lambda form: (not _is_size_known(form.layout, len(body)), form.profiles != EVERY))
    return fitting[0] if fitting else None


def _is_size_known(known: Layout, size: int) -> bool:
    least = known.least if known.least >= 0 else known.size
    return least <= size and (known.is_open or size <= known.size)


# -- framing --------------------------------------------------------------------------------------------

_LONGER_MOST = 64  # bytes by which a frame behind a waiting candidate may exceed what is known of it
ENVELOPE = Envelope(
    b"\xaa\xf5",
    length_at=2,
    length_width=2,
    around=0,
    least=AROUND_BODY,
    most=8192,
    check=SUM_8,
    check_from=6,
    type_at=6,
    type_width=2,
    flag_at=4,
    flag_most=0xFF,
    secret=0x80,
)


def _spans(direction: str) -> dict[int, tuple[int, int]]:
    spans: dict[int, tuple[int, int]] = {}
    for (side, command), forms in FORMS.items():
        if side != direction:
            continue
        layouts = [form.layout for form in forms]
        least = min(each.least if each.least >= 0 else each.size for each in layouts)
        most = max(ENVELOPE.most if each.is_open else each.size + _LONGER_MOST for each in layouts)
        spans[command] = (least + AROUND_BODY, min(most + AROUND_BODY, ENVELOPE.most))
    return spans


KNOWN = {direction: KnownSpans(_spans(direction), ENVELOPE) for direction in (UP, DOWN)}

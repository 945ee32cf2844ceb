"""The AA F5 family: orders and answers to frames, and, for logs, frames of a gateway back to orders and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from protocol import commands as c
from protocol.codec import checksum
from protocol.dialects import aaf5_bodies as b
from protocol.dialects import aaf5_frames as f
from protocol.dialects.aaf5 import BALANCE, CLOCK, QR_PREFIX, REBOOT, REPORT_NOW, STOP, SUSPEND, is_own
from protocol.dialects.aaf5_frames import LV34, OP30, SH16, SH26, SH40, SH52, SL
from protocol.dialects.aaf5_profiles import F26_OPTION, LV34_START_OPTION, PERIODS_OPTION
from protocol.dialects.aaf5_tariffs import half_hours, named_periods, periods, periods_op30, with_service
from protocol.dialects.aaf5_times import ABSENT, raw_time
from protocol.errors import LocalProtocolError
from protocol.layout import Layout

_DO = 0x55
_SUCCESS_OP30 = 0x55
_ONE_YUAN_FEN = 100
_MONEY, _FULL = 2, 0
_CANNOT = "cannot_carry"
RSV = {"rsv1": 0, "rsv2": 0}

# reasons of commands.AuthoriseStart -> result of 203, cause of 207, result of 501 and 503
_CARD_REASONS = {1: 5, 2: 1, 3: 2}
_VIN_REASONS = {1: 4, 2: 2, 3: 1, 9: 4}
_CARD_REASONS_OP30 = {1: 0, 3: 1, 8: 2}
_VIN_REASONS_OP30 = {1: 0, 9: 0, 3: 1}


@dataclass(frozen=True, slots=True)
class Speech:
    """What a link knows when it speaks.

    Attributes:
        aux: number that the answered frame wants back: the counter of 102, the random word of 106.
        asked: raw values of the frame that is answered, where more than a number of it must be repeated.
        number: of the session that runs on the command's connector, empty when none is known.
        version: the login's version word.
    """

    profile: str
    options: frozenset[str]
    version: int = 0
    aux: int = 0
    command_no: int = 0
    asked: Mapping[str, Any] | None = None
    number: str = ""


# (command, raw values, layout)
Written = tuple[int, dict[str, Any], Layout]


def _id(text: str) -> bytes:
    data = text.encode("ascii", "strict")
    if len(data) > 32:
        raise LocalProtocolError("field_unfit", f"{text!r} is longer than the 32 characters of an id")
    return data


def refuse(what: str, profile: str) -> LocalProtocolError:
    """An order that this profile has no frame for."""
    return LocalProtocolError(_CANNOT, f"a pile of profile {profile} cannot be told: {what}")


# -- answers --------------------------------------------------------------------------------------------


def _login(m: c.AnswerLogin, s: Speech) -> Written:
    if s.profile == LV34:
        return 105, {**RSV, "random": s.aux if m.is_accepted else 0, "result": 0}, b.LOGIN_ANSWER_LV34
    raw = {
        **RSV,
        "random": s.aux,
        "login_verify": 0,
        "encrypt": 0,
        "rsa_modulus": "00" * 128,
        "rsa_exponent": 0,
    }
    if s.profile == SH52 and s.version >= 46 and m.civil_ms is not None:
        raw |= {"service_state": 0, "server_time": raw_time(m.civil_ms), "milli_orders": 0xDE}
    return 105, raw, b.LOGIN_ANSWER


def _report(m: c.AnswerReport, s: Speech) -> Written:
    gun = (s.asked or {}).get("gun", m.connector or 1)
    if s.command_no == 302:
        return 301, dict(RSV), b.RSV_ONLY
    if s.command_no not in (104, 109, 504):
        return s.command_no - 1, dict(RSV), b.RSV_ONLY
    number = 503 if s.command_no == 504 else 103
    if s.profile == LV34:
        return number, {**RSV, "gun": gun}, b.STATUS_ANSWER_LV34
    if s.profile == OP30:
        money = {"amount": m.amount_e4yuan // 100, "balance": m.balance_fen, "order_no": _id(m.transaction_id or "")}
        return number, {**RSV, "gun": gun, **money}, b.STATUS_ANSWER_OP30
    if s.profile == SH16:
        return number, {**RSV, "gun": gun, "card_no": b"", "tail": "00" * 8}, b.STATUS_ANSWER_SH16
    return number, {**RSV, "gun": gun, "report_now": 0}, b.STATUS_ANSWER


def acknowledgement(asked: Mapping[str, Any], command_no: int, profile: str) -> Written:
    """201 and its relatives for a record, by the record's own fields."""
    number = {202: 201, 203: 201, 206: 205, 222: 221, 502: 501}[command_no]
    if profile == LV34:
        raw = {"serial": asked["serial"], "record_index": asked["record_index"]}
        return number, {**RSV, "gun": asked["gun"], **raw}, f.RECORD_ANSWER_LV34
    if profile == OP30:
        raw = {
            "enc_len": 0,
            "rsv2": 0,
            "gun": asked["gun"],
            "pile_id": asked["pile_id"],
            "amount": asked["amount"],
            "balance": 0,
            "order_no": asked.get("serial", b""),
        }
        return number, raw, f.RECORD_ANSWER_OP30
    raw = {**RSV, "gun": asked["gun"], "card_no": asked["card_no"]}
    if "record_index" in asked:
        raw["record_index"] = asked["record_index"]
    return number, raw, f.RECORD_ANSWER


def _authorise(m: c.AuthoriseStart, s: Speech) -> Written:
    asked = s.asked or {}
    head = {**RSV, "pile_id": _id(m.pile_id), "gun": asked.get("gun", m.connector)}
    number = _id(m.transaction_id if m.is_accepted else "")
    if s.command_no == 208:
        raw = {
            **head,
            "vin": asked.get("vin", b""),
            "account": b"",
            "serial": number,
            "result": 1 if m.is_accepted else 2,
            "cause": 0 if m.is_accepted else _VIN_REASONS.get(m.reason_code, 6),
            "balance": max(m.balance_fen, 0),
            "stop_password": b"",
        }
        return 207, raw, f.VIN_ANSWER
    if s.command_no == 502:
        result = _SUCCESS_OP30 if m.is_accepted else _CARD_REASONS_OP30.get(m.reason_code, 3)
        card = {"card_no": asked.get("card_no", b""), "balance": max(m.balance_fen, 0), "order_no": number}
        return 501, {**head, **card, "result": result}, f.CARD_ANSWER_OP30
    if s.command_no == 504:
        result = _SUCCESS_OP30 if m.is_accepted else _VIN_REASONS_OP30.get(m.reason_code, 4)
        return 503, {**head, "vin": asked.get("vin", b""), "order_no": number, "result": result}, f.VIN_ANSWER_OP30
    raw = {
        **RSV,
        "result": 0 if m.is_accepted else _CARD_REASONS.get(m.reason_code, 9),
        "balance": max(m.balance_fen, 0),
        **dict.fromkeys(("energy_rate", "service_rate", "check_password", "check_vin", "check_plate", "rsv3"), 0),
    }
    if s.profile in (SH40, SH52):
        raw |= {"serial": number, "vin": b""}
        if "gun" in asked:
            raw["gun"] = asked["gun"]
    return 203, raw, f.CARD_ANSWER


# -- start and stop -------------------------------------------------------------------------------------


def session_word(number: str) -> int:
    """A number from 1 to 65535 for piles that repeat one word of the start in all that belongs to it."""
    return checksum(number.encode()) % 0xFFFF + 1


def _start(m: c.StartCharging, s: Speech) -> Written:
    if m.parallel_no is not None:
        raise refuse("charge one car at several connectors", s.profile)
    if s.profile == LV34 and LV34_START_OPTION not in s.options:
        raise refuse(f"start; nobody published how. The option {LV34_START_OPTION} sends what the sh line takes", LV34)
    card = (m.card_uid or m.transaction_id) if s.profile in (SH52, OP30, LV34) else m.transaction_id
    is_limited = m.balance_fen >= _ONE_YUAN_FEN
    raw = {
        "rsv1": session_word(m.transaction_id),
        "rsv2": 0,
        "gun": m.connector,
        "start_type": 0,
        "stop_password": 0,
        "strategy": _MONEY if is_limited else _FULL,
        "strategy_param": m.balance_fen if is_limited else 0,
        "start_time": ABSENT,
        "reserve_timeout_min": 0,
        "card_no": _id(card),
        "offline_allowed": 0,
        "offline_energy": 0,
    }
    if s.profile != SH16 and F26_OPTION not in s.options:
        raw["serial"] = _id(m.transaction_id)
    if s.profile == SH52:
        raw |= {"aux_voltage": 0, "balance": max(m.balance_fen, 0), "direction_flag": 0}
    return 7, raw, f.START


def _control(address: int, value: int, gun: int, s: Speech) -> Written:
    raw: dict[str, Any] = {**RSV, "gun": gun, "address": address, "count": 1, "param_len": 4}
    if s.profile == OP30:
        del raw["rsv2"]
        return 5, {**raw, "stop_cause": 0, "param": value, "order_no": _id(s.number)}, f.CONTROL_OP30
    return 5, {**raw, "params": value.to_bytes(4, "little").hex()}, f.CONTROL


def _work_params(m: c.SetWorkParams, s: Speech) -> Written:
    if m.max_power_percent != 100:
        raise refuse("a power limit in percent; it takes kW of one running session", s.profile)
    return _control(SUSPEND, _DO if m.is_disabled else 0, 0, s)


def _reboot(m: c.Reboot, s: Speech) -> Written:
    if not m.is_immediate:
        raise refuse("reboot when idle; it reboots at once or not at all", s.profile)
    return _control(REBOOT, _DO, 0, s)


# -- texts, numbers, records, upgrade -------------------------------------------------------------------


def _text(address: int, data: bytes) -> Written:
    raw = {**RSV, "op": 1, "address": address, "data_len": len(data), "data": data.hex()}
    return 3, raw, f.TEXT_ORDER


def _qr_prefix(m: c.SetQrPrefix, s: Speech) -> Written:
    data = m.prefix.encode("ascii", "strict")
    if s.profile in (LV34, OP30) or len(data) > 128:
        raise refuse("a QR prefix of up to 128 characters", s.profile)
    return _text(QR_PREFIX, data)


def _balance(m: c.UpdateBalance, s: Speech) -> Written:
    if F26_OPTION in s.options:
        return 701, {**RSV, "user_no": session_word(s.number), "balance": m.balance_fen}, f.BALANCE_F26
    if s.profile != SH52:
        raise refuse("a new balance while it charges", s.profile)
    data = m.connector.to_bytes(4, "little") + (m.balance_fen * 100).to_bytes(4, "little")
    raw = {**RSV, "op": 1, "address": BALANCE, "count": 2, "data_len": len(data), "data": data.hex()}
    return 1, raw, f.NUMBERS_ORDER


def _ask_record(m: c.AskRecord, s: Speech) -> Written:
    if s.profile not in (SH26, SH40, SH52) or F26_OPTION in s.options:
        raise refuse("send a stored record again", s.profile)
    raw: dict[str, Any] = {**RSV, "index": 0}
    if s.profile == SH52:
        raw["serial"] = _id(m.transaction_id if is_own(m.transaction_id) else "")
    return 421 if s.profile == SH52 else 401, raw, f.HISTORY_ORDER


def _set_tariff(m: c.SetTariff, s: Speech) -> Written:
    if s.profile == LV34:
        return 1103, {"periods": half_hours(m.tariff)}, f.PERIODS_LV34
    if s.profile == OP30:
        return 1103, {"periods": periods_op30(m.tariff)}, f.PERIODS_OP30
    if s.profile == SH52 and PERIODS_OPTION not in s.options:
        return 1105, {"periods": with_service(m.tariff)}, f.PERIODS_SERVICE
    return 1103, {"periods": periods(m.tariff)}, f.PERIODS


def _send_tariff(m: c.SendTariff, s: Speech) -> Written:
    if s.profile != OP30:
        raise refuse("its tariff as an answer", s.profile)
    return 12, {**RSV, "pile_id": _id(m.pile_id), "gun": 0, **named_periods(m.tariff), "parking": 0}, f.NAMED_TARIFF


def _update(m: c.UpdateFirmware, s: Speech) -> Written:
    if s.profile not in (SH40, SH52) or m.port != 21:
        raise refuse("an update by FTP from any port but 21", s.profile)
    texts = {"host": 32, "user": 16, "password": 16, "path": 64}
    for name, width in texts.items():
        if len(getattr(m, name)) > width:
            raise LocalProtocolError("field_unfit", f"{name} is longer than {width} characters", field=name)
    raw = {
        **RSV,
        "version": 0,
        "ftp_host": m.host.encode("ascii", "strict"),
        "ftp_user": m.user.encode("ascii", "strict"),
        "ftp_password": m.password.encode("ascii", "strict"),
        "path": m.path.encode("ascii", "strict"),
        "mode": int(m.is_immediate),
        "device": 0,
    }
    return 1401, raw, f.FTP_UPDATE


_ERASE = 0xAA55
_STEPS = {"size": 1005, "erase": 1001, "name": 1003, "chunk": 1007, "end": 1009, "restart": 1011}


def _update_step(m: c.UpdateStep, s: Speech) -> Written:
    if s.profile in (LV34, SL):
        raise refuse("an update in chunks", s.profile)
    command = _STEPS[m.step]
    if m.step in ("name", "chunk"):
        return command, {"data": m.data.hex()}, f.DATA
    return command, {"number": {"size": m.number, "erase": _ERASE}.get(m.step, 0)}, f.NUMBER


Writer = Callable[[Any, Speech], Written]
WRITERS: dict[type, Writer] = {
    c.AnswerLogin: _login,
    c.AnswerHeartbeat: lambda m, s: (101, {**RSV, "counter": s.aux}, b.HEARTBEAT_ANSWER),
    c.AnswerReport: _report,
    c.AuthoriseStart: _authorise,
    c.StartCharging: _start,
    c.StopCharging: lambda m, s: _control(STOP, _DO, m.connector, s),
    c.ReadSample: lambda m, s: _control(REPORT_NOW, _DO, m.connector, s),
    c.SetWorkParams: _work_params,
    c.Reboot: _reboot,
    c.SyncTime: lambda m, s: _text(CLOCK, bytes.fromhex(raw_time(m.civil_ms))),
    c.SetQrPrefix: _qr_prefix,
    c.UpdateBalance: _balance,
    c.AskRecord: _ask_record,
    c.SetTariff: _set_tariff,
    c.SendTariff: _send_tariff,
    c.UpdateFirmware: _update,
    c.UpdateStep: _update_step,
}


def from_command(command: c.PileCommand, speech: Speech) -> Written:
    """(command number, raw values, layout) of an order or answer.

    Raises ``LocalProtocolError`` for what no frame of the profile can carry.
    """
    writer = WRITERS.get(type(command))
    if writer is None or (
        speech.profile == SL
        and not isinstance(command, c.AnswerLogin | c.AnswerHeartbeat)
        and type(command) in (c.SetTariff, c.AskRecord)
    ):
        raise refuse(type(command).__name__, speech.profile)
    return writer(command, speech)

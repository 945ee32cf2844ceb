"""The AA F5 family: frames of a gateway, as a log holds them, back to orders and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from protocol import commands as c
from protocol.dialects.aaf5 import BALANCE, CLOCK, QR_PREFIX, REBOOT, REPORT_NOW, STOP, SUSPEND, card_of, connector_of
from protocol.dialects.aaf5_tariffs import named_tariff_of, tariff_of
from protocol.dialects.aaf5_times import pile_time
from protocol.dialects.aaf5_wire import text_of
from protocol.dialects.ykc_times import pile_time as cp56_time
from protocol.wire import WireFrame

_DO = 0x55
_SUCCESS_OP30 = 0x55
_FEN_E5, _E4_E5 = 1_000, 10


@dataclass(frozen=True, slots=True)
class Overheard:
    """One frame of a gateway, and what the link knows.

    Attributes:
        asked_connector: of the request to start on this link that the frame answers, if it answers one.
        waiting: (pile, connector, serial) of records that wait for their acknowledgement, oldest first.
    """

    wire: WireFrame
    pile_id: str
    asked_connector: int
    waiting: tuple[tuple[str, int, str], ...]

    @property
    def head(self) -> tuple[str, int]:
        """Pile and what an answer would hand back."""
        return self.pile_id, self.wire.sequence


Reader = Callable[[Overheard, dict[str, Any]], c.PileCommand | None]


def _login(o: Overheard, raw: dict[str, Any]) -> c.PileCommand:
    is_refused = o.wire.layout is not None and o.wire.layout.name == "login_answer_lv34" and raw["random"] == 0
    return c.AnswerLogin(*o.head, not is_refused)


def _authorise(
    o: Overheard, number: bytes, connector: int, balance_fen: int, *, is_accepted: bool, reason: int
) -> c.PileCommand:
    return c.AuthoriseStart(
        *o.head,
        transaction_id=text_of(number),
        connector=connector,
        logic_card="0" * 16,
        balance_fen=balance_fen,
        is_accepted=is_accepted,
        reason_code=reason,
    )


def _card_answer(o: Overheard, raw: dict[str, Any]) -> c.PileCommand:
    connector = raw.get("gun") or o.asked_connector
    is_accepted = raw["result"] == 0
    number = raw.get("serial", b"")
    return _authorise(o, number, connector, raw["balance"], is_accepted=is_accepted, reason=raw["result"])


def _vin_answer(o: Overheard, raw: dict[str, Any]) -> c.PileCommand:
    is_accepted = raw["result"] == 1
    return _authorise(o, raw["serial"], connector_of(raw), raw["balance"], is_accepted=is_accepted, reason=raw["cause"])


def _answer_op30(o: Overheard, raw: dict[str, Any]) -> c.PileCommand:
    is_accepted = raw["result"] == _SUCCESS_OP30
    balance_fen = raw.get("balance", 0)
    return _authorise(o, raw["order_no"], connector_of(raw), balance_fen, is_accepted=is_accepted, reason=raw["result"])


def start_number(raw: Mapping[str, Any], pile_id: str) -> str:
    """The number of a start: its own, or one made of what the pile will repeat of it."""
    number = text_of(raw.get("serial", b"")) or text_of(raw["card_no"])
    if len(number) >= 8 or not raw["rsv1"]:
        return number
    return f"{pile_id}-{connector_of(raw):02d}-{raw['rsv1']}-{raw['start_time'][:14]}"


def _start(o: Overheard, raw: dict[str, Any]) -> c.PileCommand:
    number = start_number(raw, o.pile_id)
    card = text_of(raw["card_no"])
    return c.StartCharging(
        *o.head,
        transaction_id=number,
        connector=connector_of(raw),
        logic_card="0" * 16,
        card_uid=None if card == number else card_of(card),
        balance_fen=raw.get("balance") or (raw["strategy_param"] if raw["strategy"] == 2 else 0),
    )


def _control(o: Overheard, raw: dict[str, Any]) -> c.PileCommand | None:
    value = raw["param"] if "param" in raw else int.from_bytes(bytes.fromhex(raw["params"])[:4], "little")
    match raw["address"]:
        case address if address == STOP:
            return c.StopCharging(*o.head, connector_of(raw))
        case address if address == REPORT_NOW:
            return c.ReadSample(*o.head, connector_of(raw))
        case address if address == REBOOT:
            return c.Reboot(*o.head, True)
        case address if address == SUSPEND:
            return c.SetWorkParams(*o.head, value == _DO, 100)
    return None


def _text(o: Overheard, raw: dict[str, Any]) -> c.PileCommand | None:
    data = bytes.fromhex(raw["data"])
    if raw["address"] == CLOCK and len(data) == 8:
        civil_ms = pile_time(data.hex().upper()).civil_ms
        return None if civil_ms is None else c.SyncTime(*o.head, civil_ms)
    if raw["address"] == QR_PREFIX:
        return c.SetQrPrefix(*o.head, text_of(data), True)
    return None


def _clock_lv34(o: Overheard, raw: dict[str, Any]) -> c.PileCommand | None:
    civil_ms = cp56_time(raw["cp56"]).civil_ms
    return None if civil_ms is None else c.SyncTime(*o.head, civil_ms)


def _number(o: Overheard, raw: dict[str, Any]) -> c.PileCommand | None:
    data = bytes.fromhex(raw["data"])
    if raw["address"] != BALANCE or len(data) != 8:
        return None
    connector, e4yuan = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:], "little")
    return c.UpdateBalance(*o.head, connector or 1, None, e4yuan // 100)


def _acknowledged(o: Overheard, raw: dict[str, Any]) -> c.PileCommand | None:
    connector = connector_of(raw)
    serial = next((serial for _, at, serial in o.waiting if at == connector), None)
    return None if serial is None else c.AcknowledgeRecord(*o.head, serial, True)


def _periods(step_e5: int) -> Reader:
    def read(o: Overheard, raw: dict[str, Any]) -> c.PileCommand | None:
        tariff = tariff_of(raw["periods"], step_e5=step_e5)
        return None if tariff is None else c.SetTariff(*o.head, tariff)

    return read


def _named_tariff(o: Overheard, raw: dict[str, Any]) -> c.PileCommand | None:
    tariff = named_tariff_of(raw)
    return None if tariff is None else c.SendTariff(*o.head, tariff)


def _report(o: Overheard, raw: dict[str, Any]) -> c.PileCommand:
    return c.AnswerReport(*o.head, raw.get("gun") or None)


def _history(o: Overheard, raw: dict[str, Any]) -> c.PileCommand:
    return c.AskRecord(*o.head, 1, text_of(raw.get("serial", b"")))


_READERS: dict[str, Reader] = {
    **dict.fromkeys(("login_answer", "login_answer_lv34"), _login),
    "heartbeat_answer": lambda o, raw: c.AnswerHeartbeat(*o.head, None),
    **dict.fromkeys(
        ("status_answer", "status_answer_sh16", "status_answer_op30", "status_answer_lv34", "reserved_words"), _report
    ),
    "card_answer": _card_answer,
    "vin_answer": _vin_answer,
    **dict.fromkeys(("card_answer_op30", "vin_answer_op30"), _answer_op30),
    "start": _start,
    **dict.fromkeys(("control", "control_op30"), _control),
    "text_order": _text,
    "clock_lv34": _clock_lv34,
    "numbers_order": _number,
    **dict.fromkeys(("record_answer", "record_answer_lv34", "record_answer_op30"), _acknowledged),
    "periods": _periods(_FEN_E5),
    "periods_service": _periods(_E4_E5),
    "periods_lv34": _periods(_E4_E5),
    "periods_op30": _periods(_FEN_E5),
    "named_tariff": _named_tariff,
    "history_order": _history,
}
ACKNOWLEDGING = {"record_answer", "record_answer_lv34", "record_answer_op30"}


def to_command(overheard: Overheard) -> c.PileCommand | None:
    """The order or answer in a frame without an error.

    ``None`` for an acknowledgement that answers no record of this link.
    """
    wire = overheard.wire
    assert wire.raw is not None
    assert wire.layout is not None
    name = wire.layout.name
    reader = _READERS.get(name)
    found = reader(overheard, wire.raw) if reader is not None else None
    if found is None and name not in ACKNOWLEDGING:
        return c.OtherOrder(*overheard.head, name)
    return found

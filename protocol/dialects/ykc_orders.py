"""YKC frames of a gateway: orders and answers to frames, and, for logs, frames back to orders and answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocol import commands as c
from protocol.dialects.ykc import gun_number
from protocol.dialects.ykc_frames import AUTHORISATION_BIG, FRAMES
from protocol.dialects.ykc_times import pile_time, raw_time
from protocol.errors import LocalProtocolError
from protocol.layout import Layout
from protocol.wire import WireFrame

_ZERO_CARD = "0" * 16
_RAISE, _LOWER = 0x55, 0xFF
_NOW, _WHEN_IDLE = 1, 2
_MODELS = {"DC": 1, "AC": 2}

# (type, raw values, layout when it is not the usual one)
Written = tuple[int, dict[str, Any], Layout | None]


def _card(uid: str | None) -> str:
    return uid or _ZERO_CARD


def _session(command: Any) -> dict[str, Any]:
    return {"serial": command.transaction_id, "pile_no": command.pile_id, "gun": command.connector}


def _tariff(command: c.SendTariff | c.SetTariff) -> dict[str, Any]:
    tariff = command.tariff
    return {
        "pile_no": command.pile_id,
        "model_no": tariff.model_no,
        "rates": [{"elec": energy, "service": service} for energy, service in tariff.prices_e5],
        "loss_ratio_raw": tariff.loss_ratio_percent,
        "slots": "".join(f"{slot:02X}" for slot in tariff.slots),
    }


def _send_tariff(m: c.SendTariff, o: frozenset[str]) -> Written:
    layout = FRAMES[0x85][1] if len(m.tariff.prices_e5) == 5 else None
    return 0x0A, _tariff(m), layout


def _set_tariff(m: c.SetTariff, o: frozenset[str]) -> Written:
    return (0x85 if len(m.tariff.prices_e5) == 5 else 0x58), _tariff(m), None


def _authorise(m: c.AuthoriseStart, o: frozenset[str]) -> Written:
    raw = {
        **_session(m),
        "logic_card": m.logic_card,
        "balance_yuan": m.balance_fen,
        "auth_ok": int(m.is_accepted),
        "fail_reason": 0 if m.is_accepted else m.reason_code,
    }
    if m.parallel_no is not None:
        return 0xA2, {**raw, "parallel_no": m.parallel_no}, None
    return 0x32, raw, AUTHORISATION_BIG if "balance-be" in o else None


def _start(m: c.StartCharging, o: frozenset[str]) -> Written:
    raw = {
        **_session(m),
        "logic_card": m.logic_card,
        "card": _card(m.card_uid),
        "balance_yuan": m.balance_fen,
    }
    if m.parallel_no is not None:
        return 0xA4, {**raw, "parallel_no": m.parallel_no}, None
    return 0x34, raw, None


def _listed_cards(kind: int, m: c.ClearCards | c.QueryCards, most: int) -> Written:
    if len(m.card_uids) > most:
        raise LocalProtocolError("too_long", f"{len(m.card_uids)} cards, {most} fit one frame", frame_type=kind)
    cards = [{"card": uid} for uid in m.card_uids]
    return kind, {"pile_no": m.pile_id, "count": len(cards), "cards": cards}, None


def _sync_cards(m: c.SyncCards, o: frozenset[str]) -> Written:
    if len(m.cards) > 15:
        raise LocalProtocolError("too_long", f"{len(m.cards)} cards, 15 fit one frame", frame_type=0x44)
    cards = [{"logic_card": card.logic_card, "card": card.card_uid} for card in m.cards]
    return 0x44, {"pile_no": m.pile_id, "count": len(cards), "cards": cards}, None


def _update(m: c.UpdateFirmware, o: frozenset[str]) -> Written:
    texts = {name: getattr(m, name).encode("ascii", "strict") for name in ("host", "user", "password", "path")}
    numbers = {
        "model": _MODELS[m.current],
        "power_kw": m.power_kw,
        "port": m.port,
        "timeout_min": m.timeout_min,
    }
    return (
        0x94,
        {"pile_no": m.pile_id, **texts, **numbers, "control": _NOW if m.is_immediate else _WHEN_IDLE},
        None,
    )


def _qr_prefix(m: c.SetQrPrefix, o: frozenset[str]) -> Written:
    prefix = m.prefix.encode("ascii", "strict")
    if len(prefix) > 200:
        raise LocalProtocolError("too_long", "a QR prefix has at most 200 characters", frame_type=0xF0)
    raw = {"pile_no": m.pile_id, "format": int(m.has_connector), "prefix_len": len(prefix), "prefix": prefix}
    return 0xF0, raw, None


def _lock(m: c.ControlParkingLock, o: frozenset[str]) -> Written:
    action = _RAISE if m.is_raise else _LOWER
    return 0x62, {"pile_no": m.pile_id, "gun": m.connector, "action": action, "reserved": 0}, None


_WRITERS: dict[type, Callable[[Any, frozenset[str]], Written]] = {
    c.AnswerLogin: lambda m, o: (0x02, {"pile_no": m.pile_id, "result": int(not m.is_accepted)}, None),
    c.AnswerHeartbeat: lambda m, o: (0x04, {"pile_no": m.pile_id, "gun": m.connector, "ack": 0}, None),
    c.AnswerTariffCheck: lambda m, o: (
        0x06,
        {"pile_no": m.pile_id, "model_no": m.model_no, "result": int(not m.is_same)},
        None,
    ),
    c.SendTariff: _send_tariff,
    c.SetTariff: _set_tariff,
    c.ReadSample: lambda m, o: (0x12, {"pile_no": m.pile_id, "gun": m.connector}, None),
    c.AuthoriseStart: _authorise,
    c.StartCharging: _start,
    c.StopCharging: lambda m, o: (0x36, {"pile_no": m.pile_id, "gun": m.connector}, None),
    c.AcknowledgeRecord: lambda m, o: (0x40, {"serial": m.serial, "result": int(not m.is_accepted)}, None),
    c.UpdateBalance: lambda m, o: (
        0x42,
        {"pile_no": m.pile_id, "gun": m.connector, "card": _card(m.card_uid), "balance_yuan": m.balance_fen},
        None,
    ),
    c.SyncCards: _sync_cards,
    c.ClearCards: lambda m, o: _listed_cards(0x46, m, 24),
    c.QueryCards: lambda m, o: _listed_cards(0x48, m, 26),
    c.SetWorkParams: lambda m, o: (
        0x52,
        {"pile_no": m.pile_id, "disabled": int(m.is_disabled), "max_power_pct": m.max_power_percent},
        None,
    ),
    c.SyncTime: lambda m, o: (0x56, {"pile_no": m.pile_id, "time": raw_time(m.civil_ms)}, None),
    c.ControlParkingLock: _lock,
    c.Reboot: lambda m, o: (
        0x92,
        {"pile_no": m.pile_id, "control": _NOW if m.is_immediate else _WHEN_IDLE},
        None,
    ),
    c.UpdateFirmware: _update,
    c.SetQrPrefix: _qr_prefix,
}


def from_command(command: c.PileCommand, options: frozenset[str] = frozenset()) -> Written:
    """(type, raw values, layout or ``None`` for the usual one) of an order or answer.

    Raises ``LocalProtocolError`` for what no frame can carry.
    """
    writer = _WRITERS.get(type(command))
    if writer is None:
        raise LocalProtocolError("cannot_carry", f"no frame of this protocol carries {type(command).__name__}")
    return writer(command, options)


# -- frames of a gateway, as a log holds them -------------------------------------------------------------


def _read_tariff(raw: dict[str, Any]) -> c.PileTariff:
    return c.PileTariff(
        model_no=raw["model_no"],
        prices_e5=tuple((rate["elec"], rate["service"]) for rate in raw["rates"]),
        slots=tuple(bytes.fromhex(raw["slots"])),
        loss_ratio_percent=raw["loss_ratio_raw"],
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("ascii", "backslashreplace")


def _some_card(uid: str) -> str | None:
    return None if uid == _ZERO_CARD else uid


def _read_authorisation(p: str, r: int, raw: dict[str, Any]) -> c.PileCommand:
    return c.AuthoriseStart(
        p,
        r,
        transaction_id=raw["serial"],
        connector=gun_number(raw["gun"]),
        logic_card=raw["logic_card"],
        balance_fen=raw["balance_yuan"],
        is_accepted=raw["auth_ok"] == 1,
        reason_code=raw["fail_reason"],
        parallel_no=raw.get("parallel_no"),
    )


def _read_start(p: str, r: int, raw: dict[str, Any]) -> c.PileCommand:
    return c.StartCharging(
        p,
        r,
        transaction_id=raw["serial"],
        connector=gun_number(raw["gun"]),
        logic_card=raw["logic_card"],
        card_uid=_some_card(raw["card"]),
        balance_fen=raw["balance_yuan"],
        parallel_no=raw.get("parallel_no"),
    )


def _read_update(p: str, r: int, raw: dict[str, Any]) -> c.PileCommand:
    return c.UpdateFirmware(
        p,
        r,
        current="AC" if raw["model"] == _MODELS["AC"] else "DC",
        power_kw=raw["power_kw"],
        host=_text(raw["host"]),
        port=raw["port"],
        user=_text(raw["user"]),
        password=_text(raw["password"]),
        path=_text(raw["path"]),
        is_immediate=raw["control"] == _NOW,
        timeout_min=raw["timeout_min"],
    )


def _read_cards(raw: dict[str, Any]) -> tuple[c.OfflineCard, ...]:
    return tuple(c.OfflineCard(card["logic_card"], card["card"]) for card in raw["cards"])


def _uids(raw: dict[str, Any]) -> tuple[str, ...]:
    return tuple(card["card"] for card in raw["cards"])


_READERS: dict[int, Callable[[str, int, dict[str, Any]], c.PileCommand | None]] = {
    0x02: lambda p, r, raw: c.AnswerLogin(p, r, raw["result"] == 0),
    0x04: lambda p, r, raw: c.AnswerHeartbeat(p, r, gun_number(raw["gun"])),
    0x06: lambda p, r, raw: (
        c.AnswerTariffCheck(p, r, raw["model_no"], raw["result"] == 0)
        if "pile_no" in raw
        else c.AcknowledgeRecord(p, r, raw["serial"], raw["result"] == 0)  # seen: 0x40 with the wrong type
    ),
    0x0A: lambda p, r, raw: c.SendTariff(p, r, _read_tariff(raw)),
    0x58: lambda p, r, raw: c.SetTariff(p, r, _read_tariff(raw)),
    0x85: lambda p, r, raw: c.SetTariff(p, r, _read_tariff(raw)),
    0x12: lambda p, r, raw: c.ReadSample(p, r, gun_number(raw["gun"])),
    0x32: _read_authorisation,
    0xA2: _read_authorisation,
    0x34: _read_start,
    0xA4: _read_start,
    0x36: lambda p, r, raw: c.StopCharging(p, r, gun_number(raw["gun"])),
    0x40: lambda p, r, raw: c.AcknowledgeRecord(p, r, raw["serial"], raw["result"] == 0),
    0x42: lambda p, r, raw: c.UpdateBalance(p, r, gun_number(raw["gun"]), _some_card(raw["card"]), raw["balance_yuan"]),
    0x44: lambda p, r, raw: c.SyncCards(p, r, _read_cards(raw)),
    0x46: lambda p, r, raw: c.ClearCards(p, r, _uids(raw)),
    0x48: lambda p, r, raw: c.QueryCards(p, r, _uids(raw)),
    0x52: lambda p, r, raw: c.SetWorkParams(p, r, raw["disabled"] != 0, raw["max_power_pct"]),
    0x56: lambda p, r, raw: c.SyncTime(p, r, civil) if (civil := pile_time(raw["time"]).civil_ms) is not None else None,
    0x62: lambda p, r, raw: c.ControlParkingLock(p, r, gun_number(raw["gun"]), raw["action"] == _RAISE),
    0x92: lambda p, r, raw: c.Reboot(p, r, raw["control"] == _NOW),
    0x94: _read_update,
    0xF0: lambda p, r, raw: c.SetQrPrefix(p, r, _text(raw["prefix"]), raw["format"] == 1),
}


def to_command(wire: WireFrame, pile_id: str = "") -> c.PileCommand | None:
    """The order or answer in a frame of a gateway; ``None`` for one that only a pile sends.

    Args:
        wire: a frame without an error.
        pile_id: the pile of the link, for frames that do not name it (0x40).
    """
    assert wire.error is None
    assert wire.raw is not None
    reader = _READERS.get(wire.type)
    return None if reader is None else reader(wire.raw.get("pile_no", pile_id), wire.sequence, wire.raw)

"""Which profile a pile of the AA F5 family speaks, why, and what it can carry.

Source: docs/protocols/aaf5.md, "Profiles".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from protocol.dialect import Traits
from protocol.dialects.aaf5_frames import LV34, OP30, PROFILES, SH16, SH26, SH40, SH52, SL

PERIODS_OPTION = "tariff-1103"  # an sh52 pile that takes 1103 only
LV34_START_OPTION = "lv34-start"
F26_OPTION = "f26"

_PILE_DIGITS = 13  # 13 + connector 2 + moment 12 + counter 4 = 31 characters, all that an order number holds
_TOTAL_E4YUAN = 500  # amounts are cut to fen, by some firmware slot for slot
_SILENCE_MS = 90_000  # heartbeats stop while a status comes at least every 30 s
_CHUNK_BYTES = 4_096
_CHUNK_BYTES_OLD = 880  # firmware was seen that holds 1,024 bytes, and throws all away when it is full
_START_MS = 130_000  # 120 s that a pile may take, and its answer


def _traits(decimals: int, **more: Any) -> Traits:
    return Traits(
        register_decimals=decimals,
        pile_digits=_PILE_DIGITS,
        asks_tariff=False,
        rates_max=5,
        amount_total_e4yuan=_TOTAL_E4YUAN,
        silence_ms=_SILENCE_MS,
        start_deadline_ms=_START_MS,
        **more,
    )


_OLD = _traits(
    2,
    price_decimals=2,
    has_service_price=False,
    periods_max=12,
    names_card_starts=False,
    chunk_bytes_max=_CHUNK_BYTES_OLD,
)
TRAITS: Mapping[str, Traits] = {
    SH16: _OLD,
    SH26: dataclasses.replace(_OLD, can_ask_record=True),
    SH40: _traits(
        2,
        price_decimals=2,
        has_service_price=False,
        periods_max=12,
        can_ask_record=True,
        chunk_bytes_max=_CHUNK_BYTES,
    ),
    SH52: _traits(2, price_decimals=4, periods_max=12, can_ask_record=True, chunk_bytes_max=_CHUNK_BYTES),
    SL: dataclasses.replace(_OLD, chunk_bytes_max=0),
    OP30: _traits(3, price_decimals=2, periods_max=48, chunk_bytes_max=_CHUNK_BYTES),
    LV34: _traits(3, price_decimals=4, periods_max=48),
}

NOTES: Mapping[str, str] = {
    SH16: "sh16: known from servers only; the short status body is used for bodies of exactly 167 or 168 bytes",
    SL: "sl: known from one server only; as sh with other command numbers, nothing else is assumed",
    OP30: "op30: records are read in 0.001 kWh, status in 0.01; the text contradicts itself, compare the first record",
    LV34: "lv34: a remote start is nowhere published; it is refused unless the pile's options name lv34-start",
}


def profile_named(protocol: str | None) -> str | None:
    """The profile in a protocol's name, such as ``aaf5-op30``; ``None`` when it names none."""
    profile = (protocol or "").partition("-")[2]
    return profile if profile in PROFILES else None


def traits_of(protocol: str) -> Traits:
    """What piles of a protocol such as ``aaf5-sh52`` can carry."""
    return TRAITS[profile_named(protocol) or SH26]


def by_login(raw: Mapping[str, Any]) -> tuple[str, str]:
    """(profile, reason) that the version word of a login suggests."""
    version = raw["proto_version"]
    if version == 34:
        return LV34, "version 34"
    if version == 30 and raw["rsv_a"][:16].strip("0"):
        return OP30, "version 30 with a display version"
    for profile, upto in ((SH16, 24), (SH26, 29), (SH40, 44)):
        if version <= upto:
            return profile, f"version {version}"
    return SH52, f"version {version}"


def by_frame(command: int, size: int) -> tuple[str, str] | None:
    """(profile, reason) that an uplink frame proves, whatever the version word says; ``None`` for most."""
    if command == 109 or (command == 203 and size >= 396):
        return LV34, f"uplink {command}"
    if command == 11 or (command == 206 and size == 384) or (command in (502, 504) and size == 101):
        return OP30, f"uplink {command} of {size} bytes"
    if (command == 504 and size >= 169) or (command == 502 and size >= 288):
        return SL, f"uplink {command} of {size} bytes"
    if command in (208, 222):
        return SH52, f"uplink {command}"
    return None

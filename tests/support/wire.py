"""YKC frames made by hand with ``struct``: a second pair of hands that shares nothing with ``protocol/``.

Numbers are raw wire integers: energies and amounts 1e-4, prices 1e-5, balances 1e-2.
"""

import struct
from datetime import datetime


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS, bit by bit."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


def frame(kind: int, body: bytes, *, sequence: int = 0, is_high_first: bool = False, enc: int = 0) -> bytes:
    """A whole frame around a body."""
    covered = struct.pack("<HBB", sequence, enc, kind) + body
    check = crc16(covered)
    order = ">" if is_high_first else "<"
    return bytes([0x68, len(covered)]) + covered + struct.pack(order + "H", check)


def bcd(digits: str) -> bytes:
    return bytes.fromhex(digits)


def cp56(text: str | None) -> bytes:
    """``2026-03-03T11:40:16`` to seven bytes; ``None`` to seven zeros."""
    if text is None:
        return bytes(7)
    at = datetime.fromisoformat(text)
    millis = at.second * 1000 + at.microsecond // 1000
    return struct.pack("<HBBBBB", millis, at.minute, at.hour, at.day, at.month, at.year - 2000)


def login(pile: str, *, guns: int = 2, version: int = 16, kind: int = 0, software: bytes = b"V1.0.0") -> bytes:
    tail = struct.pack("<BBB8sB10sB", kind, guns, version, software, 1, bytes(10), 4)
    return frame(0x01, bcd(pile) + tail)


def heartbeat(pile: str, gun: int = 1, status: int = 0) -> bytes:
    return frame(0x03, bcd(pile) + bytes([gun, status]))


def tariff_check(pile: str, model: str) -> bytes:
    return frame(0x05, bcd(pile) + bcd(model))


def sample(
    serial: str,
    pile: str,
    *,
    gun: int = 1,
    state: int = 3,
    plugged: int = 1,
    energy: int = 0,
    amount: int = 0,
    minutes: int = 0,
    volts: int = 4000,
    amps: int = 1500,
    soc: int = 50,
    faults: int = 0,
) -> bytes:
    if state != 3:
        volts = amps = soc = 0
    body = (
        bcd(serial)
        + bcd(pile)
        + struct.pack(
            "<BBBBHHB8sBBHHIIIH",
            gun,
            state,
            2,
            plugged,
            volts,
            amps,
            80,
            bytes(8),
            soc,
            75,
            minutes,
            30,
            energy,
            energy,
            amount,
            faults,
        )
    )
    return frame(0x13, body)


def bms_end(serial: str, pile: str, *, gun: int = 1, soc: int = 90, minutes: int = 60, energy_tenths: int = 0) -> bytes:
    body = bcd(serial) + bcd(pile) + struct.pack("<BBHHBBHHI", gun, soc, 350, 360, 70, 80, minutes, energy_tenths, 1)
    return frame(0x19, body)


def start_request(pile: str, *, gun: int = 1, mode: int = 1, card: str = "0" * 16, vin: str = "") -> bytes:
    wire_vin = vin[::-1].encode().ljust(17, b"\0")
    return frame(0x31, bcd(pile) + bytes([gun, mode, 0]) + bcd(card) + bytes(16) + wire_vin)


def start_answer(serial: str, pile: str, *, gun: int = 1, ok: int = 1, reason: int = 0) -> bytes:
    return frame(0x33, bcd(serial) + bcd(pile) + bytes([gun, ok, reason]))


def authorise(serial: str, pile: str, *, gun: int = 1, balance: int = 10_000, ok: int = 1, reason: int = 0) -> bytes:
    return frame(0x32, bcd(serial) + bcd(pile) + bytes([gun]) + bytes(8) + struct.pack("<IBB", balance, ok, reason))


def start_order(serial: str, pile: str, *, gun: int = 1, balance: int = 10_000, card: str = "0" * 16) -> bytes:
    return frame(0x34, bcd(serial) + bcd(pile) + bytes([gun]) + bytes(8) + bcd(card) + struct.pack("<I", balance))


def record(
    serial: str,
    pile: str,
    *,
    gun: int = 1,
    start: str | None,
    end: str | None,
    tiers: list[tuple[int, int, int]],
    meter: tuple[int, int],
    energy: int | None = None,
    amount: int | None = None,
    vin: str = "",
    flag: int = 1,
    trade: str | None = None,
    reason: int = 0x41,
    card: str = "0" * 16,
    losses: list[int] | None = None,
    kind: int = 0x3B,
    meter_bytes: int = 5,
    extra: bytes = b"",
    meter_info: bytes = b"",
) -> bytes:
    """A transaction record; ``tiers`` are (price, energy, amount), totals are their sums unless given."""
    losses = losses if losses is not None else [tier[1] for tier in tiers]
    energy = sum(tier[1] for tier in tiers) if energy is None else energy
    amount = sum(tier[2] for tier in tiers) if amount is None else amount
    body = bcd(serial) + bcd(pile) + bytes([gun]) + cp56(start) + cp56(end) + meter_info
    for (price, kwh, money), loss in zip(tiers, losses, strict=True):
        body += struct.pack("<IIII", price, kwh, loss, money)
    body += b"".join(reading.to_bytes(meter_bytes, "little") for reading in meter)
    body += struct.pack("<III17sB", energy, sum(losses), amount, vin.encode(), flag)
    body += cp56(trade or end) + bytes([reason]) + bcd(card) + extra
    return frame(kind, body)


def acknowledge(serial: str, result: int = 0) -> bytes:
    return frame(0x40, bcd(serial) + bytes([result]))


def time_answer(pile: str, text: str) -> bytes:
    return frame(0x55, bcd(pile) + cp56(text))


def time_order(pile: str, text: str) -> bytes:
    return frame(0x56, bcd(pile) + cp56(text))


def card_sync(pile: str, cards: list[str]) -> bytes:
    return frame(0x44, bcd(pile) + bytes([len(cards)]) + b"".join(bytes(8) + bcd(card) for card in cards))


def card_sync_answer(pile: str, ok: int = 1) -> bytes:
    return frame(0x43, bcd(pile) + bytes([ok, 0]))

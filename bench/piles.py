"""Frames, logs and sites to measure with; all made from the project's own declarations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from gateway.framelog import capture
from protocol.codec import checksum
from protocol.dialects.ykc_frames import FRAMES
from protocol.dialects.ykc_times import raw_time
from protocol.dialects.ykc_wire import write_frame

FIRST_PILE = 55_000_000_000_000
START_MS = 1_772_467_200_000  # 2026-03-03T00:00 in Shanghai
SHANGHAI_MS = 8 * 3_600_000
_ENERGY_AT, _AMOUNT_AT = 6 + 46, 6 + 54  # within a whole sample frame; asserted where they are used
_PRICE_E5 = 150_000
_CHARGE_S = 1_800

_FIXTURES = Path(__file__).parents[1] / "fixtures" / "frames"

TARIFF = """
[[tariff]]
model_no = "0100"
valid_from = "2020-01-01T00:00:00+08:00"
scope = ["*"]
loss_ratio_percent = 0
[tariff.rates]
flat = { energy = "1.00000", service = "0.50000" }
[[tariff.slot]]
from = "00:00"
to = "24:00"
rate = "flat"
"""


@dataclass(frozen=True, slots=True)
class KnownFrame:
    """One frame of the fixtures: its type and body by name, what its link speaks, its bytes."""

    type: str
    layout: str
    protocol: str
    frame: bytes


def pile_no(index: int) -> str:
    """The number of one pile."""
    return f"{FIRST_PILE + index:014d}"


def site_text(piles: int) -> str:
    """A tariff of one price and a list of piles."""
    listed = "".join(f'[[pile]]\nid = "{pile_no(index)}"\nstation = "bench"\n' for index in range(piles))
    return f'[site]\nname = "bench"\ntimezone = "Asia/Shanghai"\n{TARIFF}\n{listed}'


def serial_of(pile: int, number: int) -> str:
    """A transaction of one pile."""
    return f"{pile_no(pile)}01260303114000{number:04d}"


def sample_frame(pile: int = 0, number: int = 0, *, energy_e4kwh: int = 0, state: int = 3) -> bytes:
    """A realtime frame, 68 bytes."""
    raw = {
        "serial": serial_of(pile, number) if state == 3 else "0" * 32,
        "pile_no": pile_no(pile),
        "gun": 1,
        "state": state,
        "homed": 2,
        "plugged": 1 if state == 3 else 0,
        "voltage_v": 3800,
        "current_a": 190,
        "cable_temp_c": 80,
        "cable_code": "00" * 8,
        "soc_pct": 50,
        "batt_max_temp_c": 75,
        "charge_min": energy_e4kwh // 1200,
        "remain_min": 30,
        "energy_kwh": energy_e4kwh,
        "loss_energy_kwh": energy_e4kwh,
        "amount_yuan": energy_e4kwh * 3 // 2,
        "fault_bits": 0,
    }
    return write_frame(0x13, raw)


def samples(count: int) -> list[bytes]:
    """So many realtime frames of one transaction, energy rising."""
    return [sample_frame(energy_e4kwh=10 * index) for index in range(count)]


def charges(count: int) -> list[bytes]:
    """So many frames of one pile that charges half an hour at a time, each in the share that a charge has of it.

    A heartbeat every 10 s; a sample and two reports of the battery every 15 s; at the start its answer, handshake and
    parameters, at the end the battery's word and the record.
    """
    frames: list[bytes] = []
    number = 0
    while len(frames) < count:
        from_ms = START_MS + number * _CHARGE_S * 1000
        frames += [blank_frame(kind, 0, number) for kind in (0x33, 0x15, 0x17)]
        for second in range(0, _CHARGE_S, 5):
            if second % 10 == 0:
                frames.append(blank_frame(0x03, 0))
            if second % 15 == 0:
                frames.append(sample_frame(number=number, energy_e4kwh=second * 20))
                frames += [blank_frame(kind, 0, number) for kind in (0x23, 0x25)]
        frames.append(blank_frame(0x19, 0, number))
        frames.append(record_frame(0, number, from_ms, from_ms + _CHARGE_S * 1000, _CHARGE_S * 20))
        number += 1
    return frames[:count]


def blank_frame(kind: int, pile: int, number: int = 0, **values: object) -> bytes:
    """A frame of any type for one pile, zeros where nothing else is said."""
    layout = FRAMES[kind][1]
    raw: dict[str, object] = layout.read(bytes(layout.size))
    raw |= {key: value for key, value in (("pile_no", pile_no(pile)), ("gun", 1)) if key in raw}
    if "serial" in raw:
        raw["serial"] = serial_of(pile, number)
    return write_frame(kind, raw | values)


def record_frame(pile: int, number: int, from_ms: int, to_ms: int, energy_e4kwh: int) -> bytes:
    """A record whose sums are right, all of it at the flat rate."""
    amount = energy_e4kwh * _PRICE_E5 // 100_000
    tiers = [
        {
            "price_yuan_per_kwh": _PRICE_E5,
            "energy_kwh": energy_e4kwh if index == 2 else 0,
            "loss_energy_kwh": energy_e4kwh if index == 2 else 0,
            "amount_yuan": amount if index == 2 else 0,
        }
        for index in range(4)
    ]
    raw = {
        "serial": serial_of(pile, number),
        "pile_no": pile_no(pile),
        "gun": 1,
        "start_time": raw_time(from_ms + SHANGHAI_MS),
        "end_time": raw_time(to_ms + SHANGHAI_MS),
        "tiers": tiers,
        "meter_start_kwh": number * energy_e4kwh,
        "meter_end_kwh": (number + 1) * energy_e4kwh,
        "energy_kwh": energy_e4kwh,
        "loss_energy_kwh": energy_e4kwh,
        "amount_yuan": amount,
        "vin": b"",
        "trade_flag": 1,
        "trade_time": raw_time(to_ms + SHANGHAI_MS),
        "stop_reason": 0x41,
        "card": "0" * 16,
    }
    return write_frame(0x3B, raw)


def known_frames(dialect: str) -> list[KnownFrame]:
    """A frame of every type and body that piles send, from the fixtures."""
    found: dict[tuple[str, str], KnownFrame] = {}
    for path in sorted((_FIXTURES / dialect).glob("*.jsonl")):
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if row["direction"] == "up" and row.get("layout") and path.stem != "odd":
                frame = bytes.fromhex(row["frame_hex"])
                protocol = f"aaf5-{row['profile']}" if dialect == "aaf5" else dialect
                found.setdefault((row["type"], row["layout"]), KnownFrame(row["type"], row["layout"], protocol, frame))
    return list(found.values())


def _patched(frame: bytearray, energy_e4kwh: int) -> bytes:
    frame[_ENERGY_AT : _ENERGY_AT + 4] = energy_e4kwh.to_bytes(4, "little")
    frame[_AMOUNT_AT : _AMOUNT_AT + 4] = (energy_e4kwh * 3 // 2).to_bytes(4, "little")
    frame[-2:] = checksum(bytes(frame[2:-2])).to_bytes(2, "little")
    return bytes(frame)


class _Pile:
    """One pile of the log: four hours over and over, an hour of them charging."""

    _PERIOD_S, _CHARGE_S, _STEP_S = 14_400, 3_600, 5

    def __init__(self, index: int) -> None:
        self.index = index
        self.beat = blank_frame(0x03, index)
        self.beat_answer = blank_frame(0x04, index)
        self.idle = sample_frame(index, state=2)
        self.first_s = 60 + index * 67 % self._PERIOD_S // self._STEP_S * self._STEP_S

    def _take_transaction(self, number: int) -> list[tuple[int, bytes]]:
        self.number = number
        self.sample = bytearray(sample_frame(self.index, number, energy_e4kwh=20))
        assert self.sample == _patched(bytearray(self.sample), 20), "the places of energy and amount"
        self.bms = (blank_frame(0x23, self.index, number), blank_frame(0x25, self.index, number))
        order = blank_frame(0x34, self.index, number, balance_yuan=100_000)
        return [(1, order), (0, blank_frame(0x33, self.index, number, ok=1))]

    def at(self, elapsed_s: int) -> list[tuple[int, bytes]]:
        """(direction, bytes) of one step of five seconds; 0 up, 1 down."""
        told: list[tuple[int, bytes]] = []
        if elapsed_s % 10 == 0:
            told += [(0, self.beat), (1, self.beat_answer)]
        number, within_s = divmod(elapsed_s - self.first_s, self._PERIOD_S)
        now_ms = START_MS + elapsed_s * 1000
        if number >= 0 and within_s == 0:
            told += self._take_transaction(number)
        elif number >= 0 and within_s < self._CHARGE_S:
            if within_s % 15 == 0:
                told += [(0, _patched(self.sample, within_s * 20)), (0, self.bms[0]), (0, self.bms[1])]
        elif number >= 0 and within_s == self._CHARGE_S:
            from_ms = now_ms - self._CHARGE_S * 1000
            told += [(0, record_frame(self.index, self.number, from_ms, now_ms, self._CHARGE_S * 20))]
            told += [(1, blank_frame(0x40, self.index, self.number))]
        elif within_s % 300 == 0:
            told.append((0, self.idle))
        return told


def write_log(path: Path, frames: int, piles: int) -> int:
    """A capture of so many frames: heartbeats and answers, samples, BMS reports, records; returns its count."""
    members = [_Pile(index) for index in range(piles)]
    count = 0
    with path.open("wb", buffering=1 << 20) as out:
        out.write(capture.file_header())
        for member in members:
            name = f"10.0.{member.index // 250}.{member.index % 250}:4001".encode()
            out.write(capture.pack(START_MS, member.index + 1, "open", name))
            login = blank_frame(0x01, member.index, proto_ver_raw=16, gun_count=1)
            out.write(capture.pack(START_MS, member.index + 1, "up", login, "ykc"))
            out.write(capture.pack(START_MS, member.index + 1, "down", blank_frame(0x02, member.index), "ykc"))
            count += 2
        elapsed_s = 0
        while count < frames:
            elapsed_s += 5
            for member in members:
                for way, data in member.at(elapsed_s):
                    at_ms = START_MS + elapsed_s * 1000 + member.index
                    out.write(capture.pack_record(at_ms, member.index + 1, way, data, 1))
                    count += 1
    return count

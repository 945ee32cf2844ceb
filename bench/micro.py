"""Codec, session machine and rating by themselves, with pyperf: compiled, by construct alone, and in plain Python.

``python -m bench.micro [pyperf options]``; ``pyperf compare_to`` lays two files of ``-o`` beside each other.
"""

from __future__ import annotations

import struct

import pyperf

from bench.piles import START_MS, sample_frame, serial_of
from billing_core.fixed import energy_fee_e4yuan
from billing_core.pricing import Line, billed
from billing_core.session import ChargingSession
from billing_core.tariff import Rate
from billing_core.timers import Timers
from protocol.dialects.ykc_frames import SAMPLE

_BODY = sample_frame(energy_e4kwh=70_000)[6:-2]
_ENERGIES_E4KWH = (123_456, 77_777, 200_001, 40)
_SAMPLES = 1_000
_plain = struct.Struct("<16s7sBBBBHHB8sBBHHIIIH").unpack


def codec_plain() -> dict[str, object]:
    """A body with ``struct`` and a dict, as one would write it by hand."""
    values = _plain(_BODY)
    return {
        name: value.hex().upper() if isinstance(value, bytes) else value
        for name, value in zip(SAMPLE.table.names, values, strict=True)
    }


class PlainSession:
    """What ``ChargingSession.take_sample`` does, without the table's checks."""

    def __init__(self) -> None:
        self.state = 0
        self.anchors: list[tuple[int, int]] = []
        self.energy_e4kwh = self.amount_e4yuan = 0

    def take_sample(self, at_ms: int, energy_e4kwh: int, amount_e4yuan: int) -> None:
        """Feed one charging sample."""
        self.state = 1
        self.anchors.append((at_ms, energy_e4kwh))
        self.energy_e4kwh = energy_e4kwh
        self.amount_e4yuan = amount_e4yuan


def session_compiled() -> None:
    """A thousand samples."""
    session = ChargingSession(serial_of(0, 0), "", 1, START_MS, Timers())
    for step in range(_SAMPLES):
        session.take_sample(START_MS + step, step, step, 3800, 190, 50)


def session_plain() -> None:
    """The same."""
    session = PlainSession()
    for step in range(_SAMPLES):
        session.take_sample(START_MS + step, step, step)


def rating_compiled() -> int:
    """Four lines and their total, by the engine."""
    lines = [Line(Rate(index), energy, 110_000, 80_000) for index, energy in enumerate(_ENERGIES_E4KWH)]
    return int(billed(lines).amount_fen)


def rating_plain() -> int:
    """The same sums with Python's integers, without the engine's bounds."""
    whole_e4yuan = 0
    for energy in _ENERGIES_E4KWH:
        for price in (110_000, 80_000):
            whole_e4yuan += (energy * price + 50_000) // 100_000
    return (whole_e4yuan + 50) // 100


def main() -> None:
    """Run them all."""
    assert rating_plain() == rating_compiled()
    assert codec_plain() == SAMPLE.table.read(_BODY)
    assert energy_fee_e4yuan(10_000, 100_000, 10_000) == 10_000
    runner = pyperf.Runner(program_args=("-m", "bench.micro"))
    runner.bench_func("codec: op table", SAMPLE.table.read, _BODY)
    runner.bench_func("codec: construct", SAMPLE.body.parse, _BODY)
    runner.bench_func("codec: plain Python", codec_plain)
    runner.bench_func("session: compiled, 1,000 samples", session_compiled)
    runner.bench_func("session: plain Python, 1,000 samples", session_plain)
    runner.bench_func("rating: compiled, 4 lines", rating_compiled)
    runner.bench_func("rating: plain Python, 4 lines", rating_plain)


if __name__ == "__main__":
    main()

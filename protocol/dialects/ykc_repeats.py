"""Which YKC frames are worth remembering, and what of them may change from one to the next.

A sample may bring new measurements; its charge, its connector and their state may not change. A report of the battery
side moves nothing here but the proof that the pile is there.
"""

from __future__ import annotations

from protocol.dialects.ykc_frames import (
    BMS_DEMAND,
    BMS_STATUS,
    BMS_STATUS_WIDE,
    HEARTBEAT,
    HEARTBEAT_ANSWER,
    SAMPLE,
)
from protocol.envelope import YKC_ENVELOPE
from protocol.repeats import BEAT, REPORT, SENT, Shape
from protocol.repeats import SAMPLE as IS_SAMPLE

_SESSION = ("serial", "pile_no", "gun")
_STATES = ("state", "homed", "plugged", "cable_code", "fault_bits")
# what a taker of samples gets, in this order: 0.0001 kWh, 0.0001 yuan, 0.1 V, 0.1 A, per cent
VALUES = ("energy_kwh*", "amount_yuan*", "voltage_v", "current_a", "soc_pct")


_SHAPES = {
    (kind, len(shape.mask)): shape
    for kind, shape in (
        (0x03, Shape(BEAT, HEARTBEAT, YKC_ENVELOPE, ("pile_no", "gun", "gun_status"))),
        (0x04, Shape(SENT, HEARTBEAT_ANSWER, YKC_ENVELOPE, ("pile_no", "gun", "ack"))),
        (0x13, Shape(IS_SAMPLE, SAMPLE, YKC_ENVELOPE, (*_SESSION, *_STATES), VALUES)),
        (0x23, Shape(REPORT, BMS_DEMAND, YKC_ENVELOPE, _SESSION)),
        (0x25, Shape(REPORT, BMS_STATUS, YKC_ENVELOPE, _SESSION)),
        (0x25, Shape(REPORT, BMS_STATUS_WIDE, YKC_ENVELOPE, _SESSION)),
    )
}
_TYPE_AT, _FLAG_AT = 5, 4


def shape_of(frame: bytes) -> Shape | None:
    """The shape of a whole, plain frame; ``None`` when its like is not remembered."""
    return None if frame[_FLAG_AT] else _SHAPES.get((frame[_TYPE_AT], len(frame)))

"""The goals by name; each function measures both sides and returns what it saw."""

from __future__ import annotations

from bench.goals.codec import measure_p1, measure_p2
from bench.goals.durable import measure_p7
from bench.goals.growth import measure_p8
from bench.goals.live import measure_p4, measure_p5, measure_p6
from bench.goals.mqtt import measure_m1
from bench.goals.replaying import measure_p3
from bench.goals.stack import measure_p9

GOALS = {
    "P1": measure_p1,
    "P2": measure_p2,
    "P3": measure_p3,
    "P4": measure_p4,
    "P5": measure_p5,
    "P6": measure_p6,
    "P7": measure_p7,
    "P8": measure_p8,
    "P9": measure_p9,
    "M1": measure_m1,
}

"""Who plays in the demo: six piles, and what befalls each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.simulator.faults import NONE
from gateway.simulator.plan import Gap, PilePlan, RecordFate, Visit
from gateway.simulator.scripts import Cast, site_tables

START_MS = 1_772_509_500_000  # 2026-03-03T11:45:00+08:00: a quarter of an hour before the peak ends
SPEED = 100
MINUTE_MS = 60_000
UPSTREAM_DOWN_MS = 14 * MINUTE_MS
CARD, OFFLINE_CARD, VIN = "00000000CA000001", "00000000CA000002", "LSIM2026000000001"
STRANGER = "00000000CA0000FF"
APP, PLUG_AND_CHARGE, AC, PAIR, DARK, FAR = (f"9900000000000{n}" for n in (1, 2, 3, 4, 5, 6))
PILES = 6


@dataclass(frozen=True, slots=True)
class Part:
    """What a session of the demo shows, by pile and connector, and what must become of its bill."""

    pile_id: str
    connector: int
    text: str
    status: str = "normal"
    anomaly: str | None = None


PARTS = (
    Part(APP, 1, "app start across a rate boundary"),
    Part(APP, 2, "card start, record sent twice"),
    Part(PLUG_AND_CHARGE, 1, "VIN start"),
    Part(AC, 1, "offline charge, uploaded later", "provisional", "late_upload"),
    Part(PAIR, 1, "two guns, one car: main"),
    Part(PAIR, 2, "two guns, one car: auxiliary"),
    Part(DARK, 1, "mains failed, record came later"),
    Part(DARK, 2, "mains failed, record lost", "provisional", "record_missing"),
    Part(FAR, 1, "offline charge, unknown card", "review", "record_orphan_serial"),
)


def _visit(start: str, minutes: int, **more: Any) -> Visit:
    usual: dict[str, Any] = {"wait_ms": 15_000, "power_w": 57_300, "vin": VIN, "card_uid": CARD}
    return Visit(start=start, charge_ms=minutes * MINUTE_MS, **(usual | more))


def demo_cast() -> list[Cast]:
    """The piles of the demo and their scripts."""
    plans = (
        PilePlan(
            APP,
            "DC",
            (
                (_visit("app", 25),),
                (_visit("card", 9, record=RecordFate.TWICE, power_w=43_100),),
            ),
        ),
        PilePlan(PLUG_AND_CHARGE, "DC", ((_visit("vin", 12, wait_ms=40_000),), ()), is_high_first=True),
        PilePlan(
            AC,
            "AC",
            ((_visit("offline", 8, power_w=6_900, card_uid=OFFLINE_CARD, wait_ms=60_000),),),
            offline_cards=frozenset({OFFLINE_CARD}),
            link_losses=(Gap(3 * MINUTE_MS, 12 * MINUTE_MS),),
        ),
        PilePlan(
            FAR,
            "AC",
            ((_visit("offline", 6, power_w=6_900, card_uid=STRANGER, wait_ms=60_000),),),
            offline_cards=frozenset({STRANGER}),
            link_losses=(Gap(3 * MINUTE_MS, 12 * MINUTE_MS),),
        ),
        PilePlan(
            PAIR,
            "DC",
            (
                (_visit("parallel", 11, power_w=31_700),),
                (_visit("parallel", 11, power_w=31_700, wait_ms=25_000),),
            ),
        ),
        PilePlan(
            DARK,
            "DC",
            (
                (_visit("card", 30),),
                (_visit("card", 30, record=RecordFate.NONE, power_w=48_200),),
            ),
            power_losses=(Gap(7 * MINUTE_MS, 2 * MINUTE_MS),),
        ),
    )
    return [Cast(plan, NONE) for plan in plans]


def config_text(directory: str, upstream_port: int) -> str:
    """The configuration of the demo's daemon."""
    return f"""# Written by `pilegate demo`.
[site]
name = "demo"
timezone = "Asia/Shanghai"
{TARIFF}
[[tolerance]]
arrival_ms = {500 * SPEED}  # a busy machine's half second is long on a fast clock

{site_tables(PILES)}
[[card]]
uid = "{OFFLINE_CARD}"

[[listen]]
host = "127.0.0.1"
port = 0

[store]
path = "{directory}/pilegate.db"

[capture]
directory = "{directory}/capture"

[api]
host = "127.0.0.1"
port = 0

[[upstream]]
name = "demo"
url = "http://127.0.0.1:{upstream_port}/events"
secret_envs = ["PILEGATE_DEMO_SECRET"]
"""


TARIFF = """
[[tariff]]
model_no = "0100"
valid_from = "2026-01-01T00:00:00+08:00"
scope = ["*"]
loss_ratio_percent = 0
[tariff.rates]
sharp = { energy = "1.30000", service = "0.80000" }
peak = { energy = "1.10000", service = "0.80000" }
flat = { energy = "0.70000", service = "0.80000" }
valley = { energy = "0.30000", service = "0.80000" }
[[tariff.slot]]
from = "00:00"
to = "08:00"
rate = "valley"
[[tariff.slot]]
from = "08:00"
to = "10:00"
rate = "flat"
[[tariff.slot]]
from = "10:00"
to = "12:00"
rate = "peak"
[[tariff.slot]]
from = "12:00"
to = "24:00"
rate = "flat"
"""

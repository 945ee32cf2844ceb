"""Evidence by hand: one clean charge, and what a test changes of it.

The clean charge: a DC pile of 60 kW, 30 kW into a car from 10:00:00 to 10:40:00 at the peak price of 1.10250 + 0.45000
yuan, a sample a minute, then a state of rest, then the record: 20 kWh, 31.05 yuan. The meter moves from 1000 to 1020.
"""

from __future__ import annotations

import dataclasses

from billing_core import evidence as core
from billing_core.civil import Zone
from billing_core.issue import Reckoning, reckon
from billing_core.tariff import Rate, Tariff, TariffBook
from billing_core.tolerances import Tolerances

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
TEN = 1_772_503_200_000  # 2026-03-03T10:00:00+08:00: the first sample
AUTHORISED, START, LAST, END, ARRIVED = TEN - 10_000, TEN - 5_000, TEN + 39 * MINUTE, TEN + 40 * MINUTE, TEN + 2_410_000
MIDNIGHT = TEN - 10 * HOUR
PILE, SERIAL = "55031412782305", "55031412782305012603030959500001"
CHINA = Zone(((0, 8 * HOUR),))
PRICES = {
    Rate.SHARP: (135_810, 50_000),
    Rate.PEAK: (110_250, 45_000),
    Rate.FLAT: (65_830, 40_000),
    Rate.VALLEY: (26_120, 35_000),
}
SLOTS = (
    (0, 480, Rate.VALLEY),
    (480, 600, Rate.FLAT),
    (600, 720, Rate.PEAK),
    (720, 840, Rate.FLAT),
    (840, 1140, Rate.PEAK),
    (1140, 1440, Rate.FLAT),
)
PEAK_E5 = 155_250
SUMS_E5 = (185_810, 155_250, 105_830, 61_120)


def tariff(**changes) -> Tariff:
    """The tariff SZ-1 of the worked examples."""
    values = {"model_no": "0001", "valid_from_ms": 0, "scope": ("*",), "prices_e5": PRICES, "slots": SLOTS, **changes}
    return Tariff(**values)


def book(*tariffs: Tariff, campaigns=()) -> TariffBook:
    return TariffBook(tariffs or (tariff(),), tuple(campaigns))


def sample(minute: int, energy: int | None = None, **changes) -> core.Sample:
    """A charging sample at a minute past ten; 30 kW unless told otherwise."""
    energy = 5_000 * minute if energy is None else energy
    values = {
        "at_ms": TEN + minute * MINUTE,
        "energy_e4kwh": energy,
        "amount_e4yuan": max(energy, 0) * PEAK_E5 // 100_000,
        "voltage_dv": 5_000,
        "current_da": 600,
        "soc_percent": 20 + minute,
        "is_charging": True,
        "is_plugged": True,
        **changes,
    }
    return core.Sample(**values)


def rest(minute: int, **changes) -> core.Sample:
    """A state of rest at a minute past ten."""
    values = {"amount_e4yuan": 0, "voltage_dv": 0, "current_da": 0, "soc_percent": 0, "is_charging": False, **changes}
    return sample(minute, 0, **values)


def charging(first: int = 0, last: int = 39, **changes) -> tuple[core.Sample, ...]:
    return tuple(sample(minute, **changes) for minute in range(first, last + 1))


def tiers(**energies) -> tuple[core.Tier, ...]:
    """Tiers at the tariff's prices: ``tiers(peak=200_000)``."""
    found = []
    for rate, price_e5 in zip(("sharp", "peak", "flat", "valley"), SUMS_E5, strict=True):
        energy = energies.get(rate, 0)
        found.append(core.Tier(price_e5, energy, 0, (energy * price_e5 + 50_000) // 100_000))
    return tuple(found)


def record(**changes) -> core.Record:
    """The clean record; ``energy`` moves total, tiers, amount and stop register together."""
    energy = changes.pop("energy", 200_000)
    start = changes.get("meter_start_e4kwh", 10_000_000)
    values = {
        "rx_ms": ARRIVED,
        "serial": SERIAL,
        "pile_id": PILE,
        "connector": 1,
        "started_ms": TEN,
        "started_fault": None,
        "started_time_of_day_ms": None,
        "ended_ms": END,
        "ended_fault": None,
        "ended_time_of_day_ms": None,
        "traded_ms": END,
        "tiers": tiers(peak=energy),
        "meter_start_e4kwh": start,
        "meter_stop_e4kwh": start + energy,
        "energy_e4kwh": energy,
        "loss_energy_e4kwh": 0,
        "vin": None,
        "card_uid": None,
        "start_channel": "app",
        "stop_code": 0x45,
        "stop_text_en": "stopped by the app",
        "stop_text_zh": "APP停止",
        "content_hash": "a" * 64,
        **changes,
    }
    values.setdefault("amount_e4yuan", sum(tier.amount_e4yuan for tier in values["tiers"]))
    return core.Record(**values)


def before(**changes) -> core.ChainLink:
    """The charge that stood before: 08:00 to 09:00, up to the reading at which the clean one begins."""
    values = {
        "transaction_id": "before",
        "meter_start_e4kwh": 9_500_000,
        "meter_stop_e4kwh": 10_000_000,
        "started_ms": TEN - 2 * HOUR,
        "stopped_ms": TEN - HOUR,
        "account": "somebody else",
        "was_unplugged": True,
        **changes,
    }
    return core.ChainLink(**values)


def evidence(**changes) -> core.Evidence:
    """The clean charge with changes.

    ``record``, ``pile``, ``authorisation`` and ``tolerances`` may be given as mappings of what is different;
    ``record=None`` leaves the record out.
    """
    one = changes.pop("record", {})
    pile = {
        "pile_id": PILE,
        "connector": 1,
        "station": "demo",
        "protocol": "ykc-1.6",
        "rated_w": 60_000,
        "commissioned_ms": None,
        "register_decimals": None,
        **changes.pop("pile", {}),
    }
    auth = changes.pop("authorisation", {})
    if isinstance(auth, dict):
        values = {"at_ms": AUTHORISED, "channel": "app", "balance_fen": 20_000, "account_id": "somebody", **auth}
        auth = core.Authorisation(card_uid=values.pop("card_uid", None), vin=values.pop("vin", None), **values)
    given = {
        "transaction_id": SERIAL,
        "order_no": "20260303095950000001",
        "pile": core.PileFacts(**pile),
        "authorisation": auth,
        "start_channel": "app",
        "opened_at_ms": AUTHORISED,
        "start_accepted_at_ms": START,
        "refusal_code": None,
        "samples": (*charging(), rest(40)),
        "records": () if one is None else (record(**one),),
        "tariffs": book(),
        "tariff_binding": "session_start",
        "zone": CHINA,
        "at_ms": ARRIVED,
        "tolerances": Tolerances(**changes.pop("tolerances", {})),
        "previous": before(),
        **changes,
    }
    return core.Evidence(**given)


def reckoned(**changes) -> Reckoning:
    return reckon(evidence(**changes))


def codes(**changes) -> set[str]:
    """The anomalies of the changed charge."""
    return {anomaly.code for anomaly in reckoned(**changes).held}


def found(predicate, **changes):
    """What one predicate says of the changed charge: (English, Chinese) or ``None``."""
    changed = evidence(**changes)
    return predicate(changed, reckon(changed).findings)


def other_content(one: core.Record, **changes) -> core.Record:
    """A further record of the same number."""
    return dataclasses.replace(one, content_hash="b" * 64, **changes)

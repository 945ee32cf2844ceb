"""Raw values of the frames a simulated pile sends about a session."""

from __future__ import annotations

from typing import Any

from gateway.simulator.charge import Charge
from gateway.simulator.plan import ClockFault
from protocol.dialects.ykc_times import raw_time

ZERO_SERIAL = "0" * 32
ZERO_CARD = "0" * 16
IDLE, CHARGING = 2, 3
_CLOCK_BITS = 0xFFFF_FFFF  # milliseconds, minute and hour; day, month and year above
FLAGS = {"app": 1, "card": 2, "parallel": 2, "offline": 4, "vin": 5}


def stamp(civil_ms: int, fault: ClockFault) -> int:
    """A time field as the pile's clock shows it."""
    return raw_time(civil_ms) & _CLOCK_BITS if fault is ClockFault.ZERO_DATE else raw_time(civil_ms)


def vin_bytes(vin: str, *, is_reversed: bool = False) -> bytes:
    """The VIN field: 17 bytes, zeros when unknown."""
    return (vin[::-1] if is_reversed else vin).encode("ascii").ljust(17, b"\0")


def sample(
    head: dict[str, Any], charge: Charge | None, *, is_plugged: bool, state: int, volts_dv: int
) -> dict[str, Any]:
    """0x13. Without a charge everything electrical is zero."""
    raw = {
        **head,
        "state": state,
        "homed": int(not is_plugged),
        "plugged": int(is_plugged),
        "cable_code": ZERO_CARD,
        "fault_bits": 0,
    }
    names = (
        "voltage_v",
        "current_a",
        "cable_temp_c",
        "soc_pct",
        "batt_max_temp_c",
        "charge_min",
        "remain_min",
    )
    raw |= dict.fromkeys((*names, "energy_kwh", "loss_energy_kwh", "amount_yuan"), 0)
    if charge is not None:
        minutes = (charge.at_ms - charge.story.started_at_ms) // 60_000
        raw |= {
            "voltage_v": volts_dv,
            "current_a": charge.power_w * 100 // volts_dv,
            "cable_temp_c": 82,
            "batt_max_temp_c": 80,
            "soc_pct": charge.soc_percent,
            "charge_min": minutes,
            "remain_min": 30,
            "energy_kwh": charge.energy_e4kwh,
            "loss_energy_kwh": charge.energy_e4kwh,
            "amount_yuan": charge.amount_e4yuan,
        }
    return raw


def record(
    charge: Charge,
    head: dict[str, Any],
    *,
    card: str | None,
    vin: str,
    trade_civil_ms: int,
    fault: ClockFault,
) -> dict[str, Any]:
    """0x3B of a closed charge."""
    story = charge.story
    amounts = charge.rates.tier_amounts_e4yuan(charge.tiers_e4kwh)
    tiers = [
        {
            "price_yuan_per_kwh": charge.rates.price_e5(index),
            "energy_kwh": energy,
            "loss_energy_kwh": energy,
            "amount_yuan": amount,
        }
        for index, (energy, amount) in enumerate(zip(charge.tiers_e4kwh, amounts, strict=True))
    ]
    return {
        **head,
        "start_time": stamp(charge.started_civil_ms, fault),
        "end_time": stamp(story.ended_at_ms + charge.civil_offset_ms, fault),
        "tiers": tiers,
        "meter_start_kwh": story.meter_start_e4kwh,
        "meter_end_kwh": story.meter_stop_e4kwh,
        "energy_kwh": story.energy_e4kwh,
        "loss_energy_kwh": story.energy_e4kwh,
        "amount_yuan": sum(amounts),
        "vin": vin_bytes(vin),
        "trade_flag": FLAGS[story.channel],
        "trade_time": stamp(trade_civil_ms, fault),
        "stop_reason": story.stop_code,
        "card": card or ZERO_CARD,
    }


def contradicting(raw: dict[str, Any]) -> dict[str, Any]:
    """The same record with more energy in its first used rate, as of a pile that went on counting."""
    tiers = [dict(tier) for tier in raw["tiers"]]
    used = next((tier for tier in tiers if tier["energy_kwh"]), tiers[0])
    more_e4kwh = 10_000
    used["energy_kwh"] += more_e4kwh
    used["loss_energy_kwh"] += more_e4kwh
    changed = {**raw, "tiers": tiers}
    for key in ("meter_end_kwh", "energy_kwh", "loss_energy_kwh"):
        changed[key] = raw[key] + more_e4kwh
    return changed


def bms_handshake(vin: str) -> dict[str, Any]:
    """0x15."""
    return {
        "bms_ver_hex": "010100",
        "battery_type": 3,
        "rated_capacity_ah": 1_500,
        "rated_voltage_v": 4_000,
        "maker": b"SIMU",
        "pack_serial_hex": "00000001",
        "prod_year_raw": 38,
        "prod_month": 6,
        "prod_day": 1,
        "charge_count": 120,
        "ownership": 1,
        "reserved": 0,
        "vin": vin_bytes(vin),
        "bms_sw_hex": "010106E707FFFFFF",
    }


def bms_config(soc_percent: int) -> dict[str, Any]:
    """0x17."""
    return {
        "cell_max_v": 365,
        "max_current_a": 1_500,
        "nominal_energy_kwh": 600,
        "max_voltage_v": 4_500,
        "max_temp_c": 105,
        "soc_pct": soc_percent * 10,
        "pack_voltage_v": 3_900,
        "out_max_v": 7_500,
        "out_min_v": 2_000,
        "out_max_a": 1_500,
        "out_min_a": 3_990,
    }


def bms_demand(charge: Charge, volts_dv: int) -> dict[str, Any]:
    """0x23."""
    amps_raw = 4_000 - charge.power_w * 100 // volts_dv
    return {
        "demand_v": volts_dv,
        "demand_a": amps_raw,
        "mode": 2,
        "meas_v": volts_dv,
        "meas_a": amps_raw,
        "cell_max": 1 << 12 | 345,
        "soc_pct": charge.soc_percent,
        "remain_min": 30,
        "out_v": volts_dv,
        "out_a": amps_raw,
        "charge_min": (charge.at_ms - charge.story.started_at_ms) // 60_000,
    }


def bms_status() -> dict[str, Any]:
    """0x25."""
    return {
        "cell_max_no": 11,
        "temp_max_c": 80,
        "temp_max_point": 2,
        "temp_min_c": 76,
        "temp_min_point": 4,
        "flags_hex": "0010",
    }


def bms_end(charge: Charge) -> dict[str, Any]:
    """0x19."""
    return {
        "soc_pct": charge.soc_percent,
        "cell_min_v": 338,
        "cell_max_v": 345,
        "temp_min_c": 76,
        "temp_max_c": 80,
        "charge_min": (charge.at_ms - charge.story.started_at_ms) // 60_000,
        "energy_kwh": charge.energy_e4kwh // 1_000,
        "charger_no_raw": 1,
    }

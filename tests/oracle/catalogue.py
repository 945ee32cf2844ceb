"""The kinds of abnormal bills: family, severity, decision, and which kind explains which."""

from __future__ import annotations

SEVERITIES = ("i", "m", "M", "C")
FAMILIES = ("record", "energy", "amount", "time", "occupancy", "stop")

_TABLE = {
    "time": """
        time_zero_date M A, time_epoch_reset M A, time_invalid_field M A, time_future M A, time_reversed M A,
        time_clock_skew m A, time_step_mid_session m A, duration_mismatch m A, zero_duration_with_energy m A,
        late_upload i A, serial_time_conflict i A""",
    "record": """
        record_missing M A, pile_power_cut M A, stuck_charging M A, record_due_late i A,
        record_after_platform_settlement C A, record_duplicate_identical i A, record_duplicate_conflict C A,
        serial_reused C H, record_orphan_serial C H, serial_zero C H, serial_mismatch_stream M A,
        record_wrong_connector C A, authorised_never_started i A, start_failed_billed C A, charge_without_order C H,
        overlap_sessions C H, merged_sessions C H, split_session i A, parallel_guns i A, concurrent_account i A""",
    "energy": """
        energy_lost C A, zero_energy_with_time i A, energy_mismatch_platform C A, meter_rollback C F,
        meter_rollover m A, meter_replaced M A, meter_placeholder_zero C A, meter_gap_between_sessions M A,
        meter_total_mismatch M A, period_sum_mismatch m A, energy_exceeds_rated C A, energy_exceeds_battery m A,
        bms_energy_mismatch i A, vi_integral_mismatch m A, soc_inconsistent m A, unit_scale_error C A,
        samples_reset m A, samples_frozen m A, idle_while_charging m A, loss_ratio_mismatch m A""",
    "amount": """
        amount_zero_with_energy C A, amount_without_energy C A, negative_amount C A, amount_recompute_mismatch m A,
        rounding_drift i A, price_not_in_tariff C A, tou_split_mismatch C A, tariff_changed_mid_session i A,
        amount_clamped_at_balance i A, discount_misapplied C A""",
    "occupancy": """
        occupancy_duration_mismatch M A, occupancy_day_rollover C A, occupancy_false_end C A,
        occupancy_unobserved M A""",
    "stop": "stop_reason_inconsistent m A, stop_ignored C A, order_closed_early C A",
}

SEVERITY: dict[str, str] = {}
DECISION: dict[str, str] = {}
RANK: dict[str, tuple[int, int]] = {}  # (family, place in its table)
for _family, _rows in _TABLE.items():
    for _place, _row in enumerate(_rows.split(",")):
        _code, SEVERITY[_code], DECISION[_code] = _row.split()
        RANK[_code] = (FAMILIES.index(_family), _place)

_CLOCK = {"tou_split_mismatch", "duration_mismatch", "serial_time_conflict"}
EXPLAINS: dict[str, set[str]] = {
    "meter_placeholder_zero": {
        "energy_exceeds_rated",
        "energy_mismatch_platform",
        "meter_replaced",
        "vi_integral_mismatch",
        "tou_split_mismatch",
    },
    "time_epoch_reset": _CLOCK,
    "time_clock_skew": _CLOCK,
    "time_step_mid_session": _CLOCK,
    "authorised_never_started": {"time_zero_date", "zero_energy_with_time"},
    "start_failed_billed": {
        "amount_without_energy",
        "amount_recompute_mismatch",
        "authorised_never_started",
        "zero_energy_with_time",
    },
    "occupancy_day_rollover": {"occupancy_duration_mismatch"},
}


def explained(codes: set[str], is_consistent_with_own_price: bool) -> set[str]:
    """Those that another present kind explains."""
    present = [EXPLAINS[code] for code in codes if code in EXPLAINS]
    if "price_not_in_tariff" in codes and is_consistent_with_own_price:
        present.append({"amount_recompute_mismatch"})
    return codes & set().union(*present)


def in_order(codes: set[str]) -> list[str]:
    return sorted(codes, key=RANK.__getitem__)


def primary(codes: set[str], hidden: set[str]) -> str | None:
    """The most severe of the unexplained; the order of families, then of the table, breaks ties."""
    open_codes = in_order(codes - hidden)
    return min(open_codes, key=lambda code: -SEVERITIES.index(SEVERITY[code]), default=None)

"""Anomalies of energy and registers."""

from __future__ import annotations

from billing_core.evidence import Evidence
from billing_core.findings import SUM_E4KWH, Findings, agrees_with_losses, filled_losses
from billing_core.fixed import loss_adjusted_e4kwh_half_up
from billing_core.kinds.presence import soc_drop, waited_minutes
from billing_core.kinds.words import Found, both, kwh
from billing_core.samples import has_rest_within, soc_rise
from billing_core.sources import gap_of, is_inside

_SOC_RISE_PERCENT = 10
_IDLE_FRAMES = 2
_WATT_MS = 360_000


def energy_lost(evidence: Evidence, findings: Findings) -> Found | None:
    """The record has no energy although the samples had."""
    record, half = findings.record, findings.half_e4kwh
    if record is None or record.energy_e4kwh > half or findings.seen.last_e4kwh <= half:
        return None
    return both(
        "The record has no energy, the last live reading was {e} kWh.",
        "账单电量为零,最后一次上报电量{e}度。",
        e=kwh(findings.seen.last_e4kwh),
    )


def zero_energy_with_time(evidence: Evidence, findings: Findings) -> Found | None:
    """Connected for a minute or more, but nothing was drawn."""
    record, half = findings.record, findings.half_e4kwh
    if record is None or record.energy_e4kwh > half or any(energy > half for _, energy in findings.seen.anchors):
        return None
    if abs(record.meter_stop_e4kwh - record.meter_start_e4kwh) > half or waited_minutes(findings) < 1:
        return None
    return both(
        "The vehicle was connected for {m} minutes but drew no energy.",
        "车辆连接{m}分钟,但未取电。",
        m=waited_minutes(findings),
    )


def energy_mismatch_platform(evidence: Evidence, findings: Findings) -> Found | None:
    """The record's energy is not what the samples admit."""
    record = findings.record
    if record is None or is_inside(record.energy_e4kwh, findings.window):
        return None
    return both(
        "The record's {e} kWh do not fit the live readings, which ended at {last} kWh.",
        "账单电量{e}度与实时数据不符,最后一次上报{last}度。",
        e=kwh(record.energy_e4kwh),
        last=kwh(findings.seen.last_e4kwh),
    )


def meter_rollback(evidence: Evidence, findings: Findings) -> Found | None:
    """The register runs backwards."""
    record = findings.record
    if record is None or not findings.registers.is_rollback:
        return None
    return both(
        "The register runs back from {a} to {b} kWh.",
        "电表示数从{a}倒走到{b}。",
        a=kwh(record.meter_start_e4kwh),
        b=kwh(record.meter_stop_e4kwh),
    )


def meter_rollover(evidence: Evidence, findings: Findings) -> Found | None:
    """The register passed its full scale."""
    record = findings.record
    if record is None or not findings.registers.is_rollover:
        return None
    return both(
        "The register passed its maximum, from {a} to {b} kWh.",
        "电表翻转:{a}到{b}。",
        a=kwh(record.meter_start_e4kwh),
        b=kwh(record.meter_stop_e4kwh),
    )


def meter_replaced(evidence: Evidence, findings: Findings) -> Found | None:
    """The register jumped by more than any use since the former charge can explain."""
    gap = gap_of(evidence, findings.record, findings.seen.t_start_ms)
    if gap is None or abs(gap[0]) <= gap[1]:
        return None
    assert evidence.previous is not None
    assert findings.record is not None
    return both(
        "The register stood at {a} kWh after the former charge and at {b} kWh before this one.",
        "上一单止码{a},本单起码{b},电表可能被更换或清零。",
        a=kwh(evidence.previous.meter_stop_e4kwh),
        b=kwh(findings.record.meter_start_e4kwh),
    )


def meter_placeholder_zero(evidence: Evidence, findings: Findings) -> Found | None:
    """The start register is a zero that was written because the reading failed."""
    if not findings.registers.is_placeholder:
        return None
    assert evidence.previous is not None
    return both(
        "The charger sent 0 as start reading; the previous stop reading {a} was used.",
        "充电桩起始表底上传为0,已用上一单止码{a}作为起始值。",
        a=kwh(evidence.previous.meter_stop_e4kwh),
    )


def meter_gap_between_sessions(evidence: Evidence, findings: Findings) -> Found | None:
    """Energy passed the register since the former charge, and belongs to no bill."""
    gap = gap_of(evidence, findings.record, findings.seen.t_start_ms)
    if gap is None or not findings.half_e4kwh < gap[0] <= gap[1]:
        return None
    if evidence.previous is not None and evidence.previous.has_orders_since:
        return None  # a charge without a record lies between: the energy is its own
    return both(
        "{e} kWh passed the meter between the former charge and this one; they are on no bill.",
        "上一单与本单之间电表走了{e}度,不计入本单。",
        e=kwh(gap[0]),
    )


def meter_total_mismatch(evidence: Evidence, findings: Findings) -> Found | None:
    """Register difference and total energy disagree."""
    record = findings.record
    if record is None or not record.has_registers:
        return None
    moved = findings.registers.difference_e4kwh
    if not findings.registers.is_rollover:
        moved = record.meter_stop_e4kwh - record.meter_start_e4kwh
    assert moved is not None
    if abs(moved - record.energy_e4kwh) <= findings.half_e4kwh:
        return None
    return both(
        "The register moved by {d} kWh, the record claims {e} kWh.",
        "电表示数差为{d}度,账单总电量为{e}度。",
        d=kwh(moved),
        e=kwh(record.energy_e4kwh),
    )


def period_sum_mismatch(evidence: Evidence, findings: Findings) -> Found | None:
    """The energies per rate do not add up to the total."""
    record = findings.record
    if record is None:
        return None
    total = sum(tier.energy_e4kwh for tier in record.tiers)
    if abs(total - record.energy_e4kwh) <= SUM_E4KWH:
        return None
    return both(
        "The energies per price period add up to {s} kWh, the total says {e} kWh.",
        "分时电量合计{s}度,总电量{e}度。",
        s=kwh(total),
        e=kwh(record.energy_e4kwh),
    )


def energy_exceeds_rated(evidence: Evidence, findings: Findings) -> Found | None:
    """More energy than the connector can deliver in that time."""
    record, seen, rated_w = findings.record, findings.seen, evidence.pile.rated_w
    if record is None or rated_w is None or seen.t_start_ms is None:
        return None
    idle_ms = seen.t_idle_ms if seen.t_idle_ms is not None else evidence.at_ms
    took_ms = max(idle_ms - seen.t_start_ms, 0) + evidence.tolerances.arrival_ms
    most = 105 * rated_w * took_ms // (100 * _WATT_MS) + findings.half_e4kwh
    if record.energy_e4kwh <= most:
        return None
    return both(
        "The record's {e} kWh are more than {p} kW can deliver in that time.",
        "账单电量{e}度超过额定功率{p}千瓦可输出的电量。",
        e=kwh(record.energy_e4kwh),
        p=f"{rated_w // 1000}",
    )


def energy_exceeds_battery(evidence: Evidence, findings: Findings) -> Found | None:
    """More energy than the battery holds."""
    record, nominal = findings.record, evidence.nominal_e4kwh
    if record is None or not nominal or 4 * record.energy_e4kwh <= 5 * nominal:
        return None
    return both(
        "The record's {e} kWh are more than the battery's {n} kWh.",
        "账单电量{e}度超过电池容量{n}度。",
        e=kwh(record.energy_e4kwh),
        n=kwh(nominal),
    )


def bms_energy_mismatch(evidence: Evidence, findings: Findings) -> Found | None:
    """The battery side counted another energy."""
    record, end = findings.record, evidence.bms_end
    if record is None or end is None:
        return None
    if abs(record.energy_e4kwh - end.energy_e4kwh) <= evidence.tolerances.bms(record.energy_e4kwh):
        return None
    return both(
        "The battery counted {b} kWh, the record {e} kWh.",
        "BMS电量{b}度,账单{e}度。",
        b=kwh(end.energy_e4kwh),
        e=kwh(record.energy_e4kwh),
    )


def vi_integral_mismatch(evidence: Evidence, findings: Findings) -> Found | None:
    """Voltage times current over the session makes another energy."""
    record, seen = findings.record, findings.seen
    if record is None or len(seen.anchors) < 2 or not seen.duration_ms:
        return None
    covered_ms = seen.anchors[-1][0] - seen.anchors[0][0]
    if 10 * covered_ms <= 9 * seen.duration_ms:
        return None
    if abs(record.energy_e4kwh - seen.integral_e4kwh) <= evidence.tolerances.integral(record.energy_e4kwh):
        return None
    return both(
        "Voltage and current make {v} kWh, the record says {e} kWh.",
        "电压电流积分为{v}度,账单{e}度。",
        v=kwh(seen.integral_e4kwh),
        e=kwh(record.energy_e4kwh),
    )


def soc_inconsistent(evidence: Evidence, findings: Findings) -> Found | None:
    """The state of charge moves against the energy."""
    dropped = soc_drop(findings)
    if dropped is not None:
        return both(
            "The battery fell from {a} % to {b} % while energy flowed.",
            "电量增长时SOC由{a}%降至{b}%。",
            a=dropped[0],
            b=dropped[1],
        )
    risen = soc_rise(findings.seen.charging, _SOC_RISE_PERCENT)
    if risen is None:
        return None
    return both(
        "The battery rose from {a} % to {b} % while the energy stood still.",
        "电量不变时SOC由{a}%升至{b}%。",
        a=risen[0],
        b=risen[1],
    )


def unit_scale_error(evidence: Evidence, findings: Findings) -> Found | None:
    """The record's decimal point is in the wrong place."""
    if findings.scale is None:
        return None
    times, over = findings.scale
    factor = str(times) if over == 1 else f"1/{over}"
    return both(
        "The charger reported energy with a wrong decimal place; it was multiplied by {f}.",
        "充电桩上传的电量小数位错误,已乘以{f}更正。",
        f=factor,
    )


def samples_reset(evidence: Evidence, findings: Findings) -> Found | None:
    """The live counter ran back within the order."""
    if not findings.seen.has_reset:
        return None
    return "The live counter restarted during the charge.", "充电中实时电量回退。"


def samples_frozen(evidence: Evidence, findings: Findings) -> Found | None:
    """The live counter stood still while power flowed."""
    if not findings.seen.has_frozen:
        return None
    return "The live counter stood still while power flowed.", "有功率输出但实时电量冻结。"


def idle_while_charging(evidence: Evidence, findings: Findings) -> Found | None:
    """Two or more states of rest in a row, and then it charged on."""
    if not has_rest_within(evidence.samples, _IDLE_FRAMES):
        return None
    return "The charger reported rest in the middle of the charge.", "充电中上送空闲状态后继续充电。"


def loss_ratio_mismatch(evidence: Evidence, findings: Findings) -> Found | None:
    """The loss-adjusted energies are not those of the tariff's ratio."""
    record, tariff = findings.record, findings.tariff
    if record is None or tariff is None or not filled_losses(record):
        return None
    for tier in record.tiers:
        told, ratio_e4 = tier.loss_energy_e4kwh, tariff.loss_ratio_e4
        if not (agrees_with_losses(told, tier.energy_e4kwh, ratio_e4) if ratio_e4 else told == tier.energy_e4kwh):
            return both(
                "The loss-adjusted energy is {a} kWh, tariff {no} makes {b} kWh of it.",
                "计损电量{a}度,按计费模型{no}应为{b}度。",
                a=kwh(tier.loss_energy_e4kwh),
                no=tariff.model_no,
                b=kwh(loss_adjusted_e4kwh_half_up(tier.energy_e4kwh, ratio_e4)),
            )
    return None

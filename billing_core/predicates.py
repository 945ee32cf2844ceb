"""One predicate per anomaly: evidence and findings to words with numbers, or ``None``.

Names and tolerances are those of docs/billing.md.
"""

from __future__ import annotations

from billing_core import findings as f
from billing_core.civil import iso_local
from billing_core.evidence import Evidence, Record
from billing_core.fixed import (
    energy_fee_e4yuan,
    format_e4,
    format_e5,
    format_fen,
    loss_adjusted_e4kwh_half_up,
    share_half_up,
)
from billing_core.pricing import Line, billed
from billing_core.tariff import RATE_NAMES, Rate

Found = tuple[str, str]

_RATE_ZH = ("尖", "峰", "平", "谷", "深谷")
_MINUTE_MS = 60_000
_ZERO_SERIAL_DIGITS = "0"
_AMOUNT_TOTAL_E4YUAN = 100
_START_FAILED = range(0x4A, 0x6A)


def _at(evidence: Evidence, at_ms: int) -> str:
    return iso_local(at_ms, evidence.zone)[:19].replace("T", " ")


def _both(template_en: str, template_zh: str, **values: object) -> Found:
    return template_en.format(**values), template_zh.format(**values)


# -- time -----------------------------------------------------------------------------------------------


def _fault(record: Record, fault: str) -> str | None:
    which = [name for name, found in (("start", record.started_fault), ("end", record.ended_fault)) if found == fault]
    return " and ".join(which) or None


def time_zero_date(evidence: Evidence, findings: f.Findings) -> Found | None:
    """Day or month bits of the record's start or end are zero."""
    record = evidence.record
    which = _fault(record, "zero_date") if record else None
    if which is None:
        return None
    return f"The charger sent an empty date as {which} time.", "充电桩上传的起止时间日期为空。"


def time_invalid_field(evidence: Evidence, findings: f.Findings) -> Found | None:
    """A field of the record's start or end is out of its range."""
    record = evidence.record
    which = _fault(record, "invalid_field") if record else None
    if which is None:
        return None
    return f"The charger sent an impossible {which} time.", "充电桩上传的起止时间字段非法。"


def _record_times(record: Record) -> list[int]:
    return [at_ms for at_ms in (record.started_ms, record.ended_ms) if at_ms is not None]


def time_epoch_reset(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The record's times lie before the pile was commissioned."""
    record = evidence.record
    if record is None or not any(f.is_before_life(evidence, at_ms) for at_ms in _record_times(record)):
        return None
    return (
        "The charger's clock had been reset: its times lie before it was put into service.",
        "充电桩时钟被复位:记录时间早于投运日期。",
    )


def time_future(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The record's times lie more than 180 s behind its arrival."""
    record = evidence.record
    if record is None or not any(at_ms > record.rx_ms + f.CLOCK_MS for at_ms in _record_times(record)):
        return None
    ahead_s = (max(_record_times(record)) - record.rx_ms) // 1000
    return _both(
        "The charger's times lie {s} s after the record's arrival.", "充电桩时间晚于账单到达时间{s}秒。", s=ahead_s
    )


def time_reversed(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The record ends before it starts."""
    record = evidence.record
    if record is None or record.started_ms is None or record.ended_ms is None:
        return None
    if record.ended_ms >= record.started_ms:
        return None
    return "The record ends before it starts.", "账单结束时间早于开始时间。"


def _offsets(evidence: Evidence, findings: f.Findings) -> tuple[int, int] | None:
    """(start, end) of the record minus what the gateway saw; ``None`` unless both sides are known and plausible."""
    record = evidence.record
    if record is None or not findings.times_hold or not evidence.anchors or not evidence.is_end_observed:
        return None
    if findings.t_start_ms is None or findings.t_end_ms is None:
        return None
    assert record.started_ms is not None
    assert record.ended_ms is not None
    return record.started_ms - findings.t_start_ms, record.ended_ms - findings.t_end_ms


def time_clock_skew(evidence: Evidence, findings: f.Findings) -> Found | None:
    """Start and end are off by the same amount."""
    offsets = _offsets(evidence, findings)
    if offsets is None or min(map(abs, offsets)) <= f.CLOCK_MS or abs(offsets[0] - offsets[1]) > 60_000:
        return None
    return _both("The charger's clock was off by {s} s.", "充电桩时钟偏差{s}秒。", s=offsets[0] // 1000)


def time_step_mid_session(evidence: Evidence, findings: f.Findings) -> Found | None:
    """Exactly one end is off."""
    offsets = _offsets(evidence, findings)
    if offsets is None or sum(abs(offset) > f.CLOCK_MS for offset in offsets) != 1:
        return None
    index = 0 if abs(offsets[0]) > f.CLOCK_MS else 1
    return (
        f"The record's {('start', 'end')[index]} is {abs(offsets[index]) // 1000} s away from what the gateway saw.",
        f"账单{('开始', '结束')[index]}时间与网关记录相差{abs(offsets[index]) // 1000}秒。",
    )


def duration_mismatch(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The record's duration differs from the gateway's by more than two minutes."""
    record = evidence.record
    if record is None or record.started_ms is None or record.ended_ms is None or not evidence.is_end_observed:
        return None
    if not evidence.anchors or findings.t_start_ms is None or findings.t_end_ms is None:
        return None
    told_ms = record.ended_ms - record.started_ms
    seen_ms = findings.t_end_ms - findings.t_start_ms
    if abs(told_ms - seen_ms) <= f.DURATION_MS:
        return None
    return _both(
        "The record claims {a} minutes, the gateway saw {b}.",
        "账单时长{a}分钟,网关记录{b}分钟。",
        a=told_ms // _MINUTE_MS,
        b=seen_ms // _MINUTE_MS,
    )


def zero_duration_with_energy(evidence: Evidence, findings: f.Findings) -> Found | None:
    """Start equals end although energy flowed."""
    record = evidence.record
    if record is None or record.started_ms is None or record.started_ms != record.ended_ms:
        return None
    if record.energy_e4kwh <= findings.half_width_e4kwh:
        return None
    return _both(
        "The record has {kwh} kWh in no time.", "账单时长为零但电量为{kwh}度。", kwh=format_e4(record.energy_e4kwh)
    )


def late_upload(evidence: Evidence, findings: f.Findings) -> Found | None:
    """An otherwise clean record came more than 30 s after the end."""
    record = evidence.record
    if record is None or not findings.is_late:
        return None
    return _both("The record arrived late, at {at}.", "账单于{at}补传。", at=_at(evidence, record.rx_ms))


# -- record presence and identity -----------------------------------------------------------------------


def record_missing(evidence: Evidence, findings: f.Findings) -> Found | None:
    """Charging samples, but no record in time."""
    if evidence.record is not None or not evidence.anchors:
        return None
    return _both(
        "No record arrived; the last live reading is {kwh} kWh.",
        "充电桩未上传账单,最后一次上报电量{kwh}度。",
        kwh=format_e4(evidence.anchors[-1][1]),
    )


def record_due_late(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The record came 30 s to 30 min after the end."""
    record = evidence.record
    if record is None or findings.t_end_ms is None:
        return None
    late_ms = record.rx_ms - findings.t_end_ms
    if not f.RECORD_DUE_MS < late_ms <= f.RECORD_LOST_MS:
        return None
    return _both("The record came {s} s after the end.", "账单在结束{s}秒后到达。", s=late_ms // 1000)


def record_duplicate_conflict(evidence: Evidence, findings: f.Findings) -> Found | None:
    """A second record of the same transaction has another content."""
    if len(evidence.records) < 2:
        return None
    first, newest = evidence.records[0], evidence.records[-1]
    return _both(
        "The charger sent two different records, {a} kWh and {b} kWh.",
        "充电桩两次上传的账单不一致:{a}度与{b}度。",
        a=format_e4(first.energy_e4kwh),
        b=format_e4(newest.energy_e4kwh),
    )


def _is_zero_serial(record: Record) -> bool:
    return not record.serial.strip(_ZERO_SERIAL_DIGITS)


def record_orphan_serial(evidence: Evidence, findings: f.Findings) -> Found | None:
    """A record of a transaction that nobody authorised here, and no known card started offline."""
    record = evidence.record
    if record is None or evidence.authorisation is not None or evidence.is_offline_card_known:
        return None
    if _is_zero_serial(record):
        return None
    return (
        "The record belongs to no start known here.",
        "账单流水号不存在:本系统没有对应的启动记录。",
    )


def serial_zero(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The record's transaction number is all zeros."""
    record = evidence.record
    if record is None or not _is_zero_serial(record):
        return None
    return "The record's transaction number is all zeros.", "账单流水号全为零。"


def record_wrong_connector(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The record names another connector than the one that was authorised."""
    record = evidence.record
    pile = evidence.pile
    if record is None or (record.pile_id, record.connector) == (pile.pile_id, pile.connector):
        return None
    return _both(
        "The record names connector {a} of {p}, the start was on connector {b} of {q}.",
        "账单枪号为{p}的{a}号枪,启动在{q}的{b}号枪。",
        a=record.connector,
        p=record.pile_id,
        b=pile.connector,
        q=pile.pile_id,
    )


def authorised_never_started(evidence: Evidence, findings: f.Findings) -> Found | None:
    """Authorised, no charging sample, and no energy recorded."""
    record = evidence.record
    if evidence.authorisation is None or evidence.anchors or (record is not None and record.energy_e4kwh):
        return None
    return (
        "The start was authorised, but the charger delivered no energy.",
        "已授权启动,但充电桩未开始输出电能。",
    )


def start_failed_billed(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The start failed, and yet the record asks for money."""
    record = evidence.record
    if record is None or record.amount_e4yuan == 0 or findings.energy_e4kwh:
        return None
    if evidence.refusal_code is None and record.stop_code not in _START_FAILED:
        return None
    return _both(
        "The start failed, but the record asks for {y} yuan.",
        "启动失败,但账单金额为{y}元。",
        y=format_e4(record.amount_e4yuan),
    )


def charge_without_order(evidence: Evidence, findings: f.Findings) -> Found | None:
    """Charging samples of a transaction that nobody authorised, and no record of it."""
    if evidence.record is not None or evidence.authorisation is not None or not evidence.anchors:
        return None
    return "The charger delivered energy without a start known here.", "充电桩在没有启动记录的情况下输出了电能。"


# -- energy ---------------------------------------------------------------------------------------------


def energy_lost(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The record has no energy although the samples had."""
    record = evidence.record
    if record is None or not evidence.anchors or record.energy_e4kwh > findings.half_width_e4kwh:
        return None
    last_e4kwh = evidence.anchors[-1][1]
    if last_e4kwh <= findings.half_width_e4kwh:
        return None
    return _both(
        "The record has no energy, the last live reading was {kwh} kWh.",
        "账单电量为零,最后一次上报电量{kwh}度。",
        kwh=format_e4(last_e4kwh),
    )


def zero_energy_with_time(evidence: Evidence, findings: f.Findings) -> Found | None:
    """Connected for a minute or more, but nothing was drawn."""
    record = evidence.record
    half = findings.half_width_e4kwh
    if record is None or record.energy_e4kwh > half or any(energy > half for _, energy in evidence.anchors):
        return None
    if abs(f.register_difference(record) or 0) > half:
        return None
    told_ms = (record.ended_ms or 0) - (record.started_ms or 0) if findings.times_hold else 0
    seen_ms = (findings.t_end_ms or 0) - (findings.t_start_ms or 0) if findings.t_end_ms else 0
    minutes = max(told_ms, seen_ms) // _MINUTE_MS
    if minutes < 1:
        return None
    return _both(
        "The vehicle was connected for {m} minutes but drew no energy.",
        "车辆连接{m}分钟,但未取电。",
        m=minutes,
    )


def energy_mismatch_platform(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The record's energy is not what the samples admit."""
    record = evidence.record
    if record is None or findings.least_e4kwh is None:
        return None
    energy = record.energy_e4kwh
    most = findings.most_e4kwh
    if findings.least_e4kwh <= energy and (most is None or energy <= most):
        return None
    return _both(
        "The record's {kwh} kWh do not fit the live readings, which ended at {last} kWh.",
        "账单电量{kwh}度与实时数据不符,最后一次上报{last}度。",
        kwh=format_e4(energy),
        last=format_e4(evidence.anchors[-1][1]),
    )


def meter_rollback(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The register runs backwards."""
    record = evidence.record
    difference = f.register_difference(record) if record else None
    if record is None or difference is None or difference >= -findings.half_width_e4kwh:
        return None
    return _both(
        "The register runs back from {a} to {b} kWh.",
        "电表示数从{a}倒走到{b}。",
        a=format_e4(record.meter_start_e4kwh),
        b=format_e4(record.meter_stop_e4kwh),
    )


def meter_total_mismatch(evidence: Evidence, findings: f.Findings) -> Found | None:
    """Register difference and total energy disagree."""
    record = evidence.record
    difference = f.register_difference(record) if record else None
    if record is None or difference is None:
        return None
    if abs(difference - record.energy_e4kwh) <= findings.half_width_e4kwh:
        return None
    return _both(
        "The register moved by {d} kWh, the record claims {e} kWh.",
        "电表示数差为{d}度,账单总电量为{e}度。",
        d=format_e4(difference),
        e=format_e4(record.energy_e4kwh),
    )


def period_sum_mismatch(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The energies per rate do not add up to the total."""
    record = evidence.record
    if record is None:
        return None
    total = sum(tier.energy_e4kwh for tier in record.tiers)
    if abs(total - record.energy_e4kwh) <= f.SUM_E4KWH:
        return None
    return _both(
        "The energies per price period add up to {s} kWh, the total says {e} kWh.",
        "分时电量合计{s}度,总电量{e}度。",
        s=format_e4(total),
        e=format_e4(record.energy_e4kwh),
    )


def loss_ratio_mismatch(evidence: Evidence, findings: f.Findings) -> Found | None:
    """Loss-adjusted energies do not follow from the tariff's ratio; unfilled ones say nothing."""
    record = evidence.record
    if record is None or findings.tariff is None or not f.filled_losses(record):
        return None
    for index, tier in enumerate(record.tiers):
        wanted = loss_adjusted_e4kwh_half_up(tier.energy_e4kwh, findings.tariff.loss_ratio_e4)
        if abs(tier.loss_energy_e4kwh - wanted) > f.LOSS_E4KWH:
            return _both(
                "The loss-adjusted energy of {rate} is {a} kWh, the tariff makes it {b} kWh.",
                "{zh}时段计损电量{a}度,按计费模型应为{b}度。",
                rate=RATE_NAMES[index],
                zh=_RATE_ZH[index],
                a=format_e4(tier.loss_energy_e4kwh),
                b=format_e4(wanted),
            )
    return None


# -- price and amount -----------------------------------------------------------------------------------


def tariff_missing(evidence: Evidence, findings: f.Findings) -> Found | None:
    """No tariff is known for this pile at that time, and there is energy to price."""
    if findings.tariff is not None or findings.energy_e4kwh == 0:
        return None
    return "No tariff is known for this charger at that time.", "该时间没有适用的计费模型。"


def amount_zero_with_energy(evidence: Evidence, findings: f.Findings) -> Found | None:
    """Energy, but no amount."""
    record = evidence.record
    if record is None or record.amount_e4yuan or record.energy_e4kwh <= findings.half_width_e4kwh:
        return None
    if findings.tariff is not None and not any(sum(pair) for pair in findings.tariff.prices_e5.values()):
        return None
    return _both(
        "The record has {kwh} kWh but no amount.", "账单电量{kwh}度但金额为零。", kwh=format_e4(record.energy_e4kwh)
    )


def amount_without_energy(evidence: Evidence, findings: f.Findings) -> Found | None:
    """An amount, but no energy."""
    record = evidence.record
    if record is None or not record.amount_e4yuan or findings.energy_e4kwh > findings.half_width_e4kwh:
        return None
    return _both(
        "The record asks for {y} yuan without energy.", "账单无电量但金额为{y}元。", y=format_e4(record.amount_e4yuan)
    )


def _line_tolerance(record: Record) -> int:
    """0.0001 yuan, or 0.01 yuan for piles whose amounts are all whole fen."""
    amounts = [tier.amount_e4yuan for tier in record.tiers if tier.amount_e4yuan]
    return 100 if amounts and all(amount % 100 == 0 for amount in amounts) else 1


def _rated_energy(record: Record, index: int) -> int:
    tier = record.tiers[index]
    return tier.loss_energy_e4kwh if f.filled_losses(record) else tier.energy_e4kwh


def amount_recompute_mismatch(evidence: Evidence, findings: f.Findings) -> Found | None:
    """An amount is not energy × the record's own price, or the total is not the sum."""
    record = evidence.record
    if record is None:
        return None
    tolerance_nano = _line_tolerance(record) * 100_000
    for index, tier in enumerate(record.tiers):
        exact_nano = _rated_energy(record, index) * tier.price_e5
        if abs(tier.amount_e4yuan * 100_000 - exact_nano) > tolerance_nano:
            return _both(
                "The amount of {rate} is {a} yuan, energy times price makes {b} yuan.",
                "{zh}时段金额{a}元,电量乘单价为{b}元。",
                rate=RATE_NAMES[index],
                zh=_RATE_ZH[index],
                a=format_e4(tier.amount_e4yuan),
                b=format_e4(energy_fee_e4yuan(_rated_energy(record, index), tier.price_e5)),
            )
    total = sum(tier.amount_e4yuan for tier in record.tiers)
    if abs(total - record.amount_e4yuan) > _AMOUNT_TOTAL_E4YUAN:
        return _both(
            "The amounts add up to {s} yuan, the total says {a} yuan.",
            "分时金额合计{s}元,总金额{a}元。",
            s=format_e4(total),
            a=format_e4(record.amount_e4yuan),
        )
    return None


def _gross_lines(evidence: Evidence, findings: f.Findings) -> list[Line] | None:
    """The record's energies at the tariff's prices, without campaigns; ``None`` when a rate has no price."""
    record = evidence.record
    if record is None or findings.tariff is None:
        return None
    lines = []
    for index, tier in enumerate(record.tiers):
        prices = findings.tariff.prices_e5.get(Rate(index))
        if tier.energy_e4kwh and prices is None:
            return None
        if tier.energy_e4kwh and prices is not None:
            energy = loss_adjusted_e4kwh_half_up(tier.energy_e4kwh, findings.tariff.loss_ratio_e4)
            lines.append(Line(Rate(index), energy, *prices))
    return lines


def rounding_drift(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The pile's amount differs from ours by no more than roundings can explain."""
    record = evidence.record
    lines = _gross_lines(evidence, findings)
    if record is None or not lines:
        return None
    gross_fen = billed(lines).amount_fen
    told_fen = (record.amount_e4yuan + 50) // 100
    if not 0 < abs(told_fen - gross_fen) <= len(lines) + 1:
        return None
    return _both(
        "The charger rounds differently: {a} yuan against {b} yuan.",
        "充电桩取整方式不同:{a}元,复算{b}元。",
        a=format_e4(record.amount_e4yuan),
        b=format_fen(gross_fen),
    )


def price_not_in_tariff(evidence: Evidence, findings: f.Findings) -> Found | None:
    """A price of the record is not that of the tariff."""
    record = evidence.record
    if record is None or findings.tariff is None:
        return None
    for index, tier in enumerate(record.tiers):
        prices = findings.tariff.prices_e5.get(Rate(index))
        if tier.energy_e4kwh and (prices is None or tier.price_e5 != sum(prices)):
            return _both(
                "The record prices {rate} at {a} yuan/kWh, tariff {no} says {b}.",
                "{zh}时段单价{a}元/度,计费模型{no}为{b}。",
                rate=RATE_NAMES[index],
                zh=_RATE_ZH[index],
                a=format_e5(tier.price_e5),
                no=findings.tariff.model_no,
                b="nothing" if prices is None else format_e5(sum(prices)),
            )
    return None


def tou_split_mismatch(evidence: Evidence, findings: f.Findings) -> Found | None:
    """The energies per rate are not what the live readings show for those hours."""
    record = evidence.record
    if record is None or not findings.sampled or not evidence.is_end_observed:
        return None
    tolerance = 1000 + share_half_up(record.energy_e4kwh, 1, 100)
    seen = f.sampled_by_rate(findings)
    for index, tier in enumerate(record.tiers):
        by_samples = seen.get(Rate(index), 0)
        if abs(tier.energy_e4kwh - by_samples) > tolerance:
            return _both(
                "The record books {a} kWh as {rate}, the live readings show {b} kWh.",
                "账单{zh}时段{a}度,实时数据为{b}度。",
                rate=RATE_NAMES[index],
                zh=_RATE_ZH[index],
                a=format_e4(tier.energy_e4kwh),
                b=format_e4(by_samples),
            )
    return None


# -- control --------------------------------------------------------------------------------------------


def order_closed_early(evidence: Evidence, findings: f.Findings) -> Found | None:
    """A bill said that nothing was charged, then a record with energy came."""
    if not evidence.was_closed_unstarted or findings.energy_e4kwh == 0:
        return None
    return (
        "The order had been closed as never started before this energy was reported.",
        "订单曾按未启动关闭,之后又收到电量。",
    )

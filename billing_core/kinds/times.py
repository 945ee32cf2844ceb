"""Anomalies of the record's times."""

from __future__ import annotations

from billing_core.civil import civil_of
from billing_core.evidence import Evidence, Record
from billing_core.findings import RECORD_DUE_MS, Findings, is_before_life
from billing_core.kinds.words import Found, both, kwh, local_time, minutes

_AGREE_MS = 60_000
_ZONE_STEP_MS = 1_800_000
_ZONE_SLACK_MS = 90_000
_DAY_MS = 86_400_000


def _faulty(record: Record | None, fault: str) -> str | None:
    if record is None or (record.started_fault != fault and record.ended_fault != fault):
        return None
    which = [name for name, found in (("start", record.started_fault), ("end", record.ended_fault)) if found == fault]
    return " and ".join(which)


def time_zero_date(evidence: Evidence, findings: Findings) -> Found | None:
    """Day or month bits of the record's start or end are zero."""
    which = _faulty(findings.record, "zero_date")
    if which is None:
        return None
    return f"The charger sent an empty date as {which} time.", "充电桩上传的起止时间日期为空。"


def time_invalid_field(evidence: Evidence, findings: Findings) -> Found | None:
    """A field of the record's start or end is out of its range."""
    which = _faulty(findings.record, "invalid_field")
    if which is None:
        return None
    return f"The charger sent an impossible {which} time.", "充电桩上传的起止时间字段非法。"


def _decoded(record: Record | None) -> list[int]:
    if record is None:
        return []
    if record.started_ms is not None and record.ended_ms is not None:
        return [record.started_ms, record.ended_ms]
    return [at_ms for at_ms in (record.started_ms, record.ended_ms) if at_ms is not None]


def time_epoch_reset(evidence: Evidence, findings: Findings) -> Found | None:
    """The record's times lie before the pile was commissioned, or before any such pile."""
    for at_ms in _decoded(findings.record):
        if is_before_life(evidence, at_ms):
            return (
                "The charger's clock had been reset: its times lie before it was put into service.",
                "充电桩时钟被复位:记录时间早于投运日期。",
            )
    return None


def time_future(evidence: Evidence, findings: Findings) -> Found | None:
    """The record's times lie behind its arrival by more than a clock may be off."""
    record = findings.record
    times = _decoded(record)
    if record is None or not times or max(times) <= record.rx_ms + evidence.tolerances.clock_ms:
        return None
    return both(
        "The charger's times lie {s} s after the record's arrival.",
        "充电桩时间晚于账单到达时间{s}秒。",
        s=(max(times) - record.rx_ms) // 1000,
    )


def time_reversed(evidence: Evidence, findings: Findings) -> Found | None:
    """The record ends before it starts."""
    times = _decoded(findings.record)
    if len(times) < 2 or times[1] >= times[0]:
        return None
    return "The record ends before it starts.", "账单结束时间早于开始时间。"


def end_offset_ms(evidence: Evidence, findings: Findings) -> int | None:
    """The record's end minus the gateway's.

    Where the end was not seen it lies between the last sample and the proof of rest, so that a record's end in
    there, give or take a clock's tolerance, is off by nothing.
    """
    record, seen = findings.record, findings.seen
    if record is None or record.ended_ms is None or seen.t_end_ms is None:
        return None
    if seen.is_end_observed:
        return record.ended_ms - seen.t_end_ms
    assert seen.t_idle_ms is not None
    slack_ms = evidence.tolerances.clock_ms
    if record.ended_ms < seen.t_end_ms - slack_ms:
        return record.ended_ms - seen.t_end_ms
    return max(record.ended_ms - seen.t_idle_ms, 0) if record.ended_ms > seen.t_idle_ms + slack_ms else 0


def offsets_ms(evidence: Evidence, findings: Findings) -> tuple[int, int] | None:
    """(start, end) of the record minus what the gateway saw; ``None`` unless both are known."""
    record, seen = findings.record, findings.seen
    end_ms = end_offset_ms(evidence, findings)
    if record is None or record.started_ms is None or end_ms is None or seen.t_start_ms is None:
        return None
    return record.started_ms - seen.t_start_ms, end_ms


def time_clock_skew(evidence: Evidence, findings: Findings) -> Found | None:
    """Both plausible, and off by the same amount."""
    offsets = offsets_ms(evidence, findings) if findings.times_hold else None
    if offsets is None or min(map(abs, offsets)) <= evidence.tolerances.clock_ms:
        return None
    if abs(offsets[0] - offsets[1]) > _AGREE_MS:
        return None
    hint_en, hint_zh = "", ""
    steps = (abs(offsets[0]) + _ZONE_STEP_MS // 2) // _ZONE_STEP_MS
    if steps and abs(abs(offsets[0]) - steps * _ZONE_STEP_MS) <= _ZONE_SLACK_MS:
        hint_en, hint_zh = " (perhaps its time zone)", "(可能为时区设置错误)"
    return both(
        "The charger's clock was off by {s} s{en}.",
        "充电桩时钟偏差{s}秒{zh}。",
        s=offsets[0] // 1000,
        en=hint_en,
        zh=hint_zh,
    )


def time_step_mid_session(evidence: Evidence, findings: Findings) -> Found | None:
    """Exactly one end is off."""
    offsets = offsets_ms(evidence, findings)
    if offsets is None:
        return None
    clock_ms = evidence.tolerances.clock_ms
    is_start_off, is_end_off = abs(offsets[0]) > clock_ms, abs(offsets[1]) > clock_ms
    if is_start_off == is_end_off:
        return None
    index = 0 if is_start_off else 1
    return (
        f"The record's {('start', 'end')[index]} is {abs(offsets[index]) // 1000} s away from what the gateway saw.",
        f"账单{('开始', '结束')[index]}时间与网关记录相差{abs(offsets[index]) // 1000}秒。",
    )


def duration_mismatch(evidence: Evidence, findings: Findings) -> Found | None:
    """The record's duration is not what the gateway saw; an end that was not seen leaves room up to the proof."""
    seen, times = findings.seen, _decoded(findings.record)
    if len(times) < 2 or seen.duration_ms is None or seen.t_start_ms is None:
        return None
    told_ms, tolerance_ms = times[1] - times[0], evidence.tolerances.longest_duration_ms
    most_ms = seen.duration_ms
    if not seen.is_end_observed:
        assert seen.t_idle_ms is not None
        most_ms = seen.t_idle_ms - seen.t_start_ms
    if seen.duration_ms - tolerance_ms <= told_ms <= most_ms + tolerance_ms:
        return None
    return both(
        "The record claims {a} minutes, the gateway saw {b}.",
        "账单时长{a}分钟,网关记录{b}分钟。",
        a=minutes(told_ms),
        b=minutes(seen.duration_ms),
    )


def zero_duration_with_energy(evidence: Evidence, findings: Findings) -> Found | None:
    """Start equals end although energy flowed."""
    record, times = findings.record, _decoded(findings.record)
    if record is None or len(times) < 2 or times[0] != times[1] or record.energy_e4kwh <= findings.half_e4kwh:
        return None
    return both("The record has {e} kWh in no time.", "账单时长为零但电量为{e}度。", e=kwh(record.energy_e4kwh))


def late_upload(evidence: Evidence, findings: Findings) -> Found | None:
    """The record came more than 30 s after the end; the catalogue lists it only where nothing else is wrong."""
    record = findings.record
    if record is None or findings.behind_end_ms is None or findings.behind_end_ms <= RECORD_DUE_MS:
        return None
    return both("The record arrived late, at {at}.", "账单于{at}补传。", at=local_time(evidence, record.rx_ms))


def _serial_ms(evidence: Evidence) -> int | None:
    """The time in a number of the usual layout, as an instant."""
    serial = evidence.transaction_id
    if len(serial) != 32 or not serial.isdecimal() or not serial.startswith(evidence.pile.pile_id):
        return None
    stamped_ms = civil_of(serial[16:28])
    return None if stamped_ms is None else int(evidence.zone.instants(stamped_ms)[0])


def serial_time_conflict(evidence: Evidence, findings: Findings) -> Found | None:
    """The time in the transaction number is more than a day away from the record's plausible start."""
    record = findings.record
    if record is None or record.started_ms is None:
        return None
    stamped_ms = _serial_ms(evidence)
    if stamped_ms is None:
        return None
    is_plausible = not is_before_life(evidence, record.started_ms) and (
        record.started_ms <= record.rx_ms + evidence.tolerances.clock_ms
    )
    if not is_plausible or abs(stamped_ms - record.started_ms) <= _DAY_MS:
        return None
    return (
        "The time in the transaction number is more than a day away from the charge.",
        "流水号中的时间与充电时间相差超过一天。",
    )

"""Anomalies of the record's presence and identity."""

from __future__ import annotations

from billing_core.evidence import ChainLink, Evidence, Record
from billing_core.findings import RECORD_DUE_MS, RECORD_LOST_MS, Findings
from billing_core.fixed import format_e4
from billing_core.kinds.words import Found, both, kwh, local_time, minutes
from billing_core.samples import soc_fall, was_replugged
from billing_core.sources import is_inside

POWER_LOST = 0x83
_SOC_DROP_PERCENT = 5
_SPLIT_MS = 120_000
_OVERLAP_MS = 60_000


def record_missing(evidence: Evidence, findings: Findings) -> Found | None:
    """Charging samples, but no record in time."""
    if evidence.records or not findings.seen.anchors:
        return None
    return both(
        "No record arrived; the last live reading is {e} kWh.",
        "充电桩未上传账单,最后一次上报电量{e}度。",
        e=kwh(findings.seen.last_e4kwh),
    )


def pile_power_cut(evidence: Evidence, findings: Findings) -> Found | None:
    """The pile fell silent while it charged, logged in again, and sent no record within ten minutes."""
    login_ms, last_ms = evidence.login_at_ms, findings.seen.last_ms
    if evidence.records or login_ms is None or last_ms is None or login_ms <= last_ms:
        return None
    if findings.seen.is_end_observed or evidence.at_ms - login_ms < evidence.tolerances.power_cut_ms:
        return None
    return both(
        "The charger fell silent while charging and came back at {at} without a record.",
        "充电中掉线,桩于{at}重新登录后未补传账单。",
        at=local_time(evidence, login_ms),
    )


def stuck_charging(evidence: Evidence, findings: Findings) -> Found | None:
    """An order that nobody ended, without a sample for half a day."""
    last_ms = findings.seen.last_ms
    if evidence.records or last_ms is None or findings.seen.is_end_observed:
        return None
    if evidence.at_ms - last_ms < evidence.tolerances.stuck_ms or findings.seen.t_idle_ms != evidence.at_ms:
        return None
    return both(
        "Nothing was heard of this charge since {at}; it was closed there.",
        "自{at}起未再收到充电数据,按该时间结束。",
        at=local_time(evidence, last_ms),
    )


def record_due_late(evidence: Evidence, findings: Findings) -> Found | None:
    """The record came 30 s to 30 min after the end."""
    behind_ms = findings.behind_end_ms
    if behind_ms is None or not RECORD_DUE_MS < behind_ms <= RECORD_LOST_MS:
        return None
    return both("The record came {s} s after the end.", "账单在结束{s}秒后到达。", s=behind_ms // 1000)


def record_after_platform_settlement(evidence: Evidence, findings: Findings) -> Found | None:
    """A bill had been made without the record, and now it came."""
    if evidence.former is None or not evidence.former.is_substitute or not evidence.records:
        return None
    if not findings.seen.anchors or evidence.was_closed_early:
        return None
    return (
        "The charger's record came after the bill had been made without it.",
        "平台出账后充电桩补传了账单。",
    )


def record_duplicate_conflict(evidence: Evidence, findings: Findings) -> Found | None:
    """A second record of the same transaction has another content."""
    if len(evidence.records) < 2:
        return None
    first, newest = evidence.records[0], evidence.records[-1]
    return both(
        "The charger sent two different records, {a} kWh and {b} kWh.",
        "充电桩两次上传的账单不一致:{a}度与{b}度。",
        a=kwh(first.energy_e4kwh),
        b=kwh(newest.energy_e4kwh),
    )


def serial_reused(evidence: Evidence, findings: Findings) -> Found | None:
    """The number already belongs to another charge, whose registers end where these begin."""
    if not evidence.is_serial_reused:
        return None
    return "The transaction number was used for an earlier charge already.", "流水号被重复使用。"


def is_zero_serial(record: Record) -> bool:
    """Whether a record's number is all zeros."""
    return not record.serial.strip("0")


def record_orphan_serial(evidence: Evidence, findings: Findings) -> Found | None:
    """A record of a transaction that nobody authorised here, and no known card started offline."""
    record = findings.record
    if record is None or evidence.authorisation is not None or evidence.is_offline_card_known:
        return None
    if evidence.is_serial_reused:
        return None
    return "The record belongs to no start known here.", "账单流水号不存在:本系统没有对应的启动记录。"


def serial_zero(evidence: Evidence, findings: Findings) -> Found | None:
    """The record's transaction number is all zeros."""
    record = findings.record
    if record is None or not is_zero_serial(record):
        return None
    return "The record's transaction number is all zeros.", "账单流水号全为零。"


def serial_mismatch_stream(evidence: Evidence, findings: Findings) -> Found | None:
    """Samples and record of one charge carry different numbers."""
    record = findings.record
    if record is None or (evidence.stream_serial is None and record.serial == evidence.transaction_id):
        return None
    if is_zero_serial(record) or (evidence.stream_serial is None and not evidence.charging):
        return None
    if evidence.is_serial_reused:
        return None
    return (
        "The live data carried another transaction number than the record.",
        "过程数据与账单的流水号不一致。",
    )


def has_other_connector(evidence: Evidence, findings: Findings) -> bool:
    """Whether the record names another place than the one that was authorised."""
    record, pile = findings.record, evidence.pile
    return record is not None and (record.pile_id, record.connector) != (pile.pile_id, pile.connector)


def is_rebound(evidence: Evidence, findings: Findings) -> bool:
    """Whether samples and register prove the record's connector, and nothing was seen on the authorised one."""
    record = findings.record
    if record is None or not has_other_connector(evidence, findings) or record.pile_id != evidence.pile.pile_id:
        return False
    if evidence.sample_connector != record.connector or not evidence.charging:
        return False
    previous, following, half = evidence.previous, evidence.meter_start_next_e4kwh, findings.half_e4kwh
    joins_former = previous is None or abs(record.meter_start_e4kwh - previous.meter_stop_e4kwh) <= half
    joins_next = following is None or abs(record.meter_stop_e4kwh - following) <= half
    return joins_former and joins_next and is_inside(record.energy_e4kwh, findings.window)


def record_wrong_connector(evidence: Evidence, findings: Findings) -> Found | None:
    """The record names another connector than the one that was authorised."""
    record, pile = findings.record, evidence.pile
    if record is None or not has_other_connector(evidence, findings):
        return None
    return both(
        "The record names connector {a} of {p}, the start was on connector {b} of {q}.",
        "账单枪号为{p}的{a}号枪,启动在{q}的{b}号枪。",
        a=record.connector,
        p=record.pile_id,
        b=pile.connector,
        q=pile.pile_id,
    )


def authorised_never_started(evidence: Evidence, findings: Findings) -> Found | None:
    """Authorised, no charging sample, and no energy recorded."""
    record = findings.record
    if evidence.authorisation is None or findings.seen.anchors or (record is not None and record.energy_e4kwh):
        return None
    return (
        "The start was authorised, but the charger delivered no energy.",
        "已授权启动,但充电桩未开始输出电能。",
    )


def start_failed_billed(evidence: Evidence, findings: Findings) -> Found | None:
    """The start failed, and yet the record asks for money."""
    record = findings.record
    if record is None or record.amount_e4yuan == 0 or findings.energy_e4kwh:
        return None
    if evidence.refusal_code is None and record.stop_kind != "start_failed":
        return None
    return both(
        "The start failed, but the record asks for {y} yuan.",
        "启动失败,但账单金额为{y}元。",
        y=format_e4(record.amount_e4yuan),
    )


def charge_without_order(evidence: Evidence, findings: Findings) -> Found | None:
    """Charging samples of a transaction that nobody authorised."""
    if evidence.authorisation is not None or evidence.is_offline_card_known or not evidence.charging:
        return None
    return "The charger delivered energy without a start known here.", "充电桩在没有启动记录的情况下输出了电能。"


def overlap_sessions(evidence: Evidence, findings: Findings) -> Found | None:
    """This charge and the former one on the connector share time or register."""
    former = evidence.previous
    if former is None or former.transaction_id == evidence.transaction_id:
        return None
    if not (_shares_time(findings, former) or _shares_register(findings, evidence)):
        return None
    return both(
        "This charge overlaps the one of order {tx} on the same connector.",
        "与同枪订单{tx}的时间或电表示数重叠。",
        tx=former.transaction_id,
    )


def _shares_time(findings: Findings, former: ChainLink) -> bool:
    """Whether both charged for more than a minute at the same time."""
    record, seen = findings.record, findings.seen
    span = (seen.t_start_ms, seen.t_end_ms)
    if not seen.anchors and record is not None and findings.has_clock:
        span = (record.started_ms, record.ended_ms)
    start_ms, end_ms = span
    if start_ms is None or end_ms is None:
        return False
    return min(end_ms, former.stopped_ms) - max(start_ms, former.started_ms) > _OVERLAP_MS


def _shares_register(findings: Findings, evidence: Evidence) -> bool:
    record, former = findings.record, evidence.previous
    assert former is not None
    if record is None or not record.has_registers or former.meter_stop_e4kwh == 0:
        return False
    if findings.registers.is_placeholder or findings.registers.is_rollback or findings.registers.is_rollover:
        return False
    shared = min(record.meter_stop_e4kwh, former.meter_stop_e4kwh) - max(
        record.meter_start_e4kwh, former.meter_start_e4kwh
    )
    return shared > findings.half_e4kwh


def merged_sessions(evidence: Evidence, findings: Findings) -> Found | None:
    """Within one record the cable was pulled and plugged again, or the car changed."""
    if findings.record is None:
        return None
    if was_replugged(evidence.samples):
        return "The cable was pulled and plugged in again within this record.", "同一账单内枪被拔出后再次插入。"
    if len(_cars(evidence)) > 1:
        return "The car changed within this record.", "同一账单内车辆发生变化。"
    dropped = soc_drop(findings)
    if dropped is None:
        return None
    return both(
        "The battery fell from {a} % to {b} % while energy flowed: perhaps two charges in one record.",
        "充电中SOC由{a}%降至{b}%,可能两单并一单。",
        a=dropped[0],
        b=dropped[1],
    )


def _cars(evidence: Evidence) -> set[str]:
    """The cars that the battery side named; a car that only the record names is no change."""
    return set(evidence.vins)


def soc_drop(findings: Findings) -> tuple[int, int] | None:
    """(before, after) where the state of charge falls by more than five points while energy grows."""
    return soc_fall(findings.seen.charging, _SOC_DROP_PERCENT)


def split_session(evidence: Evidence, findings: Findings) -> Found | None:
    """The same account went on on the same connector within two minutes, the cable still in."""
    former, record = evidence.previous, findings.record
    if former is None or record is None or former.account is None or former.account != evidence.account:
        return None
    start_ms = findings.seen.t_start_ms if findings.seen.t_start_ms is not None else record.started_ms
    if start_ms is None or former.was_unplugged or not 0 <= start_ms - former.stopped_ms < _SPLIT_MS:
        return None
    if not record.has_registers or abs(record.meter_start_e4kwh - former.meter_stop_e4kwh) > findings.half_e4kwh:
        return None
    return both(
        "This charge goes on from order {tx} without unplugging.",
        "与订单{tx}为同一次连接的连续充电。",
        tx=former.transaction_id,
    )


def parallel_guns(evidence: Evidence, findings: Findings) -> Found | None:
    """Two connectors charge one car."""
    if not evidence.has_parallel:
        return None
    return "Two connectors charged one car together.", "双枪并充。"


def concurrent_account(evidence: Evidence, findings: Findings) -> Found | None:
    """The account has another open order elsewhere."""
    if not evidence.has_concurrent:
        return None
    return "The account had another charge open at the same time.", "同一账户同时有其他充电订单。"


def waited_minutes(findings: Findings) -> int:
    """How long the vehicle was connected, by the record or by the gateway, whole minutes."""
    record = findings.record
    told_ms = 0
    if record is not None and record.started_ms is not None and record.ended_ms is not None:
        told_ms = max(record.ended_ms - record.started_ms, 0)
    return max(minutes(told_ms), minutes(findings.seen.duration_ms or 0))

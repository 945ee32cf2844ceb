"""The report of abnormal bills as JSON, and as a workbook."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_core.civil import Zone, iso_local
from billing_core.fixed import format_e4, format_fen, format_scaled
from gateway.reports.abnormal import AbnormalReport, Meter, Story, Tally
from gateway.reports.workbook import Column, Sheet, kwh, local, share, write_workbook, yuan

_SLICE_ZH = {"pile": "桩编号", "model": "型号", "firmware": "固件", "station": "站点", "code": "异常代码"}
_DECIDED_ZH = {"rule": "规则", "person": "人工", "waiting": "待人工"}


def as_json(report: AbnormalReport, zone: Zone) -> dict[str, Any]:
    """The report's object: amounts in yuan, energies in kWh, as decimal strings."""
    return {
        "since": iso_local(report.since_ms, zone),
        "until": iso_local(report.until_ms, zone),
        "by": report.by,
        "sessions_without_bill": report.without_bill,
        "total": tally_json(report.total),
        "groups": [{"key": tally.key, **tally_json(tally)} for tally in report.groups],
        "connectors": [_meter_json(meter) for meter in report.meters],
        "bills": [_story_json(story, zone) for story in report.stories],
    }


def tally_json(tally: Tally) -> dict[str, Any]:
    """Sums over some sessions."""
    return {
        "sessions": tally.sessions,
        "abnormal": tally.abnormal,
        "abnormal_per_1000": format_scaled(tally.per_1000_e1, 1),
        "decided_by_rule": tally.by_rule,
        "decided_by_people": tally.by_person,
        "waiting_for_people": tally.waiting,
        "amount_first": format_fen(tally.first_fen),
        "amount_newest": format_fen(tally.newest_fen),
        "amount_change": format_fen(tally.newest_fen - tally.first_fen),
        "amount_waiting": format_fen(tally.waiting_fen),
        "energy_kwh": format_e4(tally.energy_e4kwh),
        "codes": dict(sorted(tally.codes.items(), key=lambda pair: (-pair[1], pair[0]))),
    }


def _meter_json(meter: Meter) -> dict[str, Any]:
    return {
        "pile_id": meter.pile_id,
        "connector": meter.connector,
        "station": meter.station,
        "model": meter.model,
        "firmware_version": meter.firmware,
        "sessions": meter.sessions,
        "register_moved_kwh": format_e4(meter.moved_e4kwh),
        "billed_kwh": format_e4(meter.billed_e4kwh),
        "waiting_kwh": format_e4(meter.waiting_e4kwh),
        "unbilled_kwh": format_e4(meter.unbilled_e4kwh),
    }


def _story_json(story: Story, zone: Zone) -> dict[str, Any]:
    return {
        "transaction_id": story.transaction_id,
        "pile_id": story.pile_id,
        "connector": story.connector,
        "station": story.station,
        "model": story.model,
        "firmware_version": story.firmware,
        "opened_at": iso_local(story.opened_at_ms, zone),
        "status": story.status,
        "codes": list(story.codes),
        "decided": story.decided,
        "amount_first": format_fen(story.first_fen),
        "amount_newest": format_fen(story.newest_fen),
    }


def as_workbook(report: AbnormalReport, zone: Zone, *, made_at: datetime) -> bytes:
    """The report as an .xlsx file of four sheets."""
    period = f"{iso_local(report.since_ms, zone)[:16]} – {iso_local(report.until_ms, zone)[:16]}"
    return write_workbook(
        (
            _summary(report, period),
            Sheet(
                f"按{_SLICE_ZH[report.by]} by {report.by}",
                [Column(_SLICE_ZH[report.by], report.by), *_TALLY_COLUMNS],
                ([tally.key, *_tally_cells(tally)] for tally in report.groups),
                period,
            ),
            Sheet("枪 connectors", _METER_COLUMNS, (_meter_cells(meter) for meter in report.meters), period),
            Sheet("账单 bills", _BILL_COLUMNS, (_story_cells(story, zone) for story in report.stories), period),
        ),
        made_at=made_at,
    )


_TALLY_COLUMNS = (
    Column("充电次数", "sessions", "count"),
    Column("异常账单", "abnormal bills", "count"),
    Column("每千次异常", "abnormal per 1,000", "rate"),
    Column("规则处理", "decided by rule", "count"),
    Column("人工处理", "decided by people", "count"),
    Column("待人工", "waiting for people", "count"),
    Column("首版金额(元)", "first amount, yuan", "money"),
    Column("现行金额(元)", "newest amount, yuan", "money"),
    Column("差额(元)", "change, yuan", "money"),
    Column("待处理金额(元)", "amount waiting, yuan", "money"),
    Column("已计电量(度)", "energy billed, kWh", "energy"),
    Column("异常类型", "codes", width=60),
)


def _tally_cells(tally: Tally) -> list[Any]:
    codes = ", ".join(f"{code} × {count}" for code, count in tally.codes.most_common())
    return [
        tally.sessions,
        tally.abnormal,
        Decimal(tally.per_1000_e1).scaleb(-1),
        tally.by_rule,
        tally.by_person,
        tally.waiting,
        yuan(tally.first_fen),
        yuan(tally.newest_fen),
        yuan(tally.newest_fen - tally.first_fen),
        yuan(tally.waiting_fen),
        kwh(tally.energy_e4kwh),
        codes,
    ]


def _summary(report: AbnormalReport, period: str) -> Sheet:
    total = report.total
    moved = sum(meter.moved_e4kwh for meter in report.meters)
    billed = sum(meter.billed_e4kwh for meter in report.meters)
    rows: Iterator[tuple[str, str, Any, Any]] = iter(
        (
            ("充电次数", "sessions with a bill", total.sessions, None),
            ("未出账", "sessions without a bill yet", report.without_bill, None),
            ("异常账单", "abnormal bills", total.abnormal, share(total.abnormal, total.sessions)),
            ("规则处理", "decided by rule", total.by_rule, share(total.by_rule, total.abnormal)),
            ("人工处理", "decided by people", total.by_person, share(total.by_person, total.abnormal)),
            ("待人工", "waiting for people", total.waiting, share(total.waiting, total.abnormal)),
            ("首版金额(元)", "first amount of abnormal bills, yuan", yuan(total.first_fen), None),
            ("现行金额(元)", "their newest amount, yuan", yuan(total.newest_fen), None),
            ("差额(元)", "change, yuan", yuan(total.newest_fen - total.first_fen), None),
            ("待处理金额(元)", "of which waiting, yuan", yuan(total.waiting_fen), None),
            ("电表走字(度)", "registers moved, kWh", kwh(moved), None),
            ("已计电量(度)", "energy billed, kWh", kwh(billed), share(billed, moved)),
            ("未计电量(度)", "unbilled energy, kWh", kwh(moved - billed), None),
        )
    )
    columns = (Column("项目", "item", width=24), Column("", "in English", width=40),
               Column("数值", "value", "number"), Column("占比", "share", "percent"))  # fmt: skip
    return Sheet("汇总 summary", columns, rows, period)


_METER_COLUMNS = (
    Column("桩编号", "pile"),
    Column("枪号", "connector", "count"),
    Column("站点", "station"),
    Column("型号", "model"),
    Column("固件", "firmware"),
    Column("充电次数", "sessions", "count"),
    Column("电表走字(度)", "register moved, kWh", "energy"),
    Column("已计电量(度)", "billed, kWh", "energy"),
    Column("待处理电量(度)", "waiting, kWh", "energy"),
    Column("未计电量(度)", "unbilled, kWh", "energy"),
    Column("计费比例", "billed share", "percent"),
)


def _meter_cells(meter: Meter) -> list[Any]:
    return [
        meter.pile_id,
        meter.connector,
        meter.station,
        meter.model,
        meter.firmware,
        meter.sessions,
        kwh(meter.moved_e4kwh),
        kwh(meter.billed_e4kwh),
        kwh(meter.waiting_e4kwh),
        kwh(meter.unbilled_e4kwh),
        share(meter.billed_e4kwh, meter.moved_e4kwh),
    ]


_BILL_COLUMNS = (
    Column("流水号", "transaction", width=36),
    Column("桩编号", "pile"),
    Column("枪号", "connector", "count"),
    Column("站点", "station"),
    Column("型号", "model"),
    Column("固件", "firmware"),
    Column("开始", "opened", "time"),
    Column("状态", "status"),
    Column("异常类型", "codes", width=44),
    Column("处理", "decided by"),
    Column("首版金额(元)", "first amount, yuan", "money"),
    Column("现行金额(元)", "newest amount, yuan", "money"),
    Column("差额(元)", "change, yuan", "money"),
)


def _story_cells(story: Story, zone: Zone) -> list[Any]:
    return [
        story.transaction_id,
        story.pile_id,
        story.connector,
        story.station,
        story.model,
        story.firmware,
        local(story.opened_at_ms, zone),
        story.status,
        ", ".join(story.codes),
        f"{_DECIDED_ZH[story.decided]} {story.decided}",
        yuan(story.first_fen),
        yuan(story.newest_fen),
        yuan(story.newest_fen - story.first_fen),
    ]

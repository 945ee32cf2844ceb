"""A bill in at most two sentences, in English and in Chinese: what happened, and what it comes to.

Source: docs/billing.md, explanations.
"""

from __future__ import annotations

from dataclasses import dataclass

from billing_core.adjust import Adjustment
from billing_core.anomalies import Anomaly, is_grave, unexplained
from billing_core.civil import Zone, iso_local
from billing_core.evidence import Evidence
from billing_core.findings import Findings
from billing_core.fixed import format_e4, format_fen
from billing_core.pricing import Total
from billing_core.tariff import Tariff

Said = tuple[str, str]  # English, Chinese
Sentences = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Matter:
    """What a bill comes to, before it is put into words; units and names as in the bill.

    Attributes:
        main: the primary anomaly.
    """

    status: str
    main: Anomaly | None
    anomalies: tuple[Anomaly, ...]
    started_at_ms: int | None
    ended_at_ms: int | None
    energy_e4kwh: int
    total: Total
    payable_fen: int
    adjustments: tuple[Adjustment, ...]
    tariff: Tariff | None
    zone: Zone


def explain(evidence: Evidence, findings: Findings, matter: Matter) -> Sentences:
    """((English sentences), (Chinese sentences)); never a date that did not happen."""
    happened = _happened(evidence, findings, matter, matter.main)
    comes_to = _comes_to(evidence, matter)
    return (happened[0], comes_to[0]), (happened[1], comes_to[1])


# -- what happened --------------------------------------------------------------------------------------


def _happened(evidence: Evidence, findings: Findings, matter: Matter, main: Anomaly | None) -> Said:
    if matter.status == "review":
        return _with_others(matter, main)
    if matter.status == "void":
        return _void(evidence, main)
    if matter.status == "normal" or main is None:
        return _charged(matter)
    maker = _MENDED.get(main.code)
    said = maker(evidence, findings, matter) if maker is not None else None
    return said if said is not None else _with_others(matter, main)


def _with_others(matter: Matter, main: Anomaly | None) -> Said:
    """The main finding, and how many grave ones stand beside it."""
    if main is None:
        if matter.started_at_ms is None:
            return "Nothing is known of this charge.", "无充电信息。"
        return _charged(matter)
    others = [each for each in unexplained(matter.anomalies) if each is not main and is_grave((each,))]
    if not others:
        return main.detail_en, main.detail_zh
    en = f"{main.detail_en.removesuffix('.')} (also: {', '.join(each.code.replace('_', ' ') for each in others)})."
    zh = f"{main.detail_zh.removesuffix('。')}(另有{len(others)}项异常)。"
    return en, zh


def _charged(matter: Matter) -> Said:
    kwh = format_e4(matter.energy_e4kwh)
    assert matter.started_at_ms is not None
    assert matter.ended_at_ms is not None
    start, end = _local(matter, matter.started_at_ms), _local(matter, matter.ended_at_ms)
    return f"You charged {kwh} kWh from {start} to {end}.", f"您于{start}至{end}充电{kwh}度。"


def _void(evidence: Evidence, main: Anomaly | None) -> Said:
    if main is not None and main.code == "start_failed_billed":
        return "The start failed and no energy was delivered.", "充电启动失败,未产生电量。"
    if main is not None and main.code == "zero_energy_with_time":
        return main.detail_en, main.detail_zh
    if evidence.refusal_code is not None:
        return "The start failed and no energy was delivered.", "充电启动失败,未产生电量。"
    if evidence.authorisation is not None:
        at = iso_local(evidence.authorisation.at_ms, evidence.zone)[:16].replace("T", " ")
        return (
            f"You asked to start at {at}, but the charger delivered no energy: no live data, no move of the meter.",
            f"您于{at}申请充电,充电桩未输出电能(无过程数据,电表未走字)。",
        )
    return "The record shows no energy.", "账单电量为0。"


def _local(matter: Matter, at_ms: int) -> str:
    return iso_local(at_ms, matter.zone)[:16].replace("T", " ")


def _clock_wrong(evidence: Evidence, findings: Findings, matter: Matter) -> Said | None:
    if matter.started_at_ms is None or matter.ended_at_ms is None:
        return None
    start, end = _local(matter, matter.started_at_ms), _local(matter, matter.ended_at_ms)
    return (
        f"The charger's clock was wrong; by the gateway's records the charge lasted from {start} to {end}, and the "
        "price periods follow those times.",
        f"充电桩时钟错误,已按网关记录的{start}至{end}重新划分计费时段。",
    )


def _zero_date(evidence: Evidence, findings: Findings, matter: Matter) -> Said | None:
    if matter.started_at_ms is None:
        return None
    start = _local(matter, matter.started_at_ms)
    return (
        f"The charger sent an empty date, so the time is the gateway's: the charge began at {start}.",
        f"充电桩上传的日期为空,时间已按网关记录更正为{start}。",
    )


def _record_missing(evidence: Evidence, findings: Findings, matter: Matter) -> Said:
    kwh = format_e4(matter.energy_e4kwh)
    if findings.energy_basis == "register_chain" and evidence.previous is not None:
        before = format_e4(evidence.previous.meter_stop_e4kwh)
        after = format_e4(evidence.meter_start_next_e4kwh or 0)
        return (
            f"The charger never sent its record; its meter moved from {before} to {after} between the charges before "
            f"and after yours, which is {kwh} kWh.",
            f"充电桩未上传账单,按本枪前后两次电表示数{before}至{after},本次电量为{kwh}度。",
        )
    return (
        f"The charger never sent its record, so the last reading it reported, {kwh} kWh, is billed; should later data "
        "show less, the difference comes back to you.",
        f"充电桩未上传账单,按最后一次上报的{kwh}度结算,如后续数据更低,差额自动退还。",
    )


def _scale(evidence: Evidence, findings: Findings, matter: Matter) -> Said:
    kwh = format_e4(matter.energy_e4kwh)
    return (
        f"The charger put the decimal point in the wrong place; live data and meter show {kwh} kWh.",
        f"充电桩上传的小数位错误,已按实时数据和电表更正为{kwh}度。",
    )


def _baseline(evidence: Evidence, findings: Findings, matter: Matter) -> Said | None:
    if evidence.previous is None:
        return None
    before, kwh = format_e4(evidence.previous.meter_stop_e4kwh), format_e4(matter.energy_e4kwh)
    return (
        f"The charger sent 0 as start reading; from the previous stop reading {before} on you charged {kwh} kWh.",
        f"充电桩起始表底上传为0,按上一单止码{before}起算,本次电量为{kwh}度。",
    )


def _conflict(evidence: Evidence, findings: Findings, matter: Matter) -> Said:
    kwh = format_e4(matter.energy_e4kwh)
    return (
        f"The charger sent different records of this charge; the one that agrees with meter and live data, {kwh} kWh, "
        "is billed.",
        f"充电桩上传了不一致的账单,采用与电表和实时数据相符的{kwh}度。",
    )


def _price(evidence: Evidence, findings: Findings, matter: Matter) -> Said | None:
    if matter.tariff is None:
        return None
    return (
        f"The charger used prices that were not in force; you pay those published when you started (tariff "
        f"{matter.tariff.model_no}).",
        f"充电桩使用的单价有误,按您开始充电时公布的价格(计费模型{matter.tariff.model_no})结算。",
    )


def _stop_ignored(evidence: Evidence, findings: Findings, matter: Matter) -> Said:
    loss = sum(each.energy_e4kwh for each in matter.adjustments)
    return (
        f"The charger went on after you stopped it; the {format_e4(loss)} kWh that followed are not charged to you.",
        f"停机后充电桩仍继续输出,其后{format_e4(loss)}度由运营商承担。",
    )


_MENDED = {
    "time_epoch_reset": _clock_wrong,
    "time_invalid_field": _clock_wrong,
    "time_future": _clock_wrong,
    "time_reversed": _clock_wrong,
    "time_zero_date": _zero_date,
    "record_missing": _record_missing,
    "pile_power_cut": _record_missing,
    "stuck_charging": _record_missing,
    "unit_scale_error": _scale,
    "meter_placeholder_zero": _baseline,
    "record_duplicate_conflict": _conflict,
    "price_not_in_tariff": _price,
    "stop_ignored": _stop_ignored,
}


# -- what it comes to -----------------------------------------------------------------------------------


def _comes_to(evidence: Evidence, matter: Matter) -> Said:
    total = matter.total
    amount = format_fen(matter.payable_fen)
    if matter.status == "review":
        return (
            f"A person decides on this bill; {amount} yuan is proposed, nothing has been charged.",
            f"本单需人工确认,建议金额{amount}元,尚未扣款。",
        )
    former = evidence.former
    if former is not None and former.posted_fen is not None and former.posted_fen != matter.payable_fen:
        return _corrected(former.posted_fen, matter.payable_fen)
    if matter.status == "void":
        return "This bill is 0.00 yuan, and any amount held is released.", "本单金额为0.00元,冻结金额已退回。"
    parts_en = (
        f"{format_fen(total.energy_fee_fen)} yuan for energy and {format_fen(total.service_fee_fen)} yuan for service"
    )
    parts_zh = f"电费{format_fen(total.energy_fee_fen)}元,服务费{format_fen(total.service_fee_fen)}元"
    beside_en, beside_zh = _beside(matter)
    model = matter.tariff.model_no if matter.tariff else "-"
    return (
        f"At the prices of tariff {model} that is {parts_en}{beside_en}, {amount} yuan in all.",
        f"按计费模型{model}计算,{parts_zh}{beside_zh},合计{amount}元。",
    )


def _corrected(posted_fen: int, payable_fen: int) -> Said:
    old, new = format_fen(posted_fen), format_fen(payable_fen)
    delta = format_fen(abs(payable_fen - posted_fen))
    done = ("is returned to you", "已退回") if payable_fen < posted_fen else ("was collected", "已补收")
    return (
        f"This bill corrects an earlier one from {old} to {new} yuan; the difference of {delta} yuan {done[0]}.",
        f"本单将此前的{old}元更正为{new}元,差额{delta}元{done[1]}。",
    )


def _beside(matter: Matter) -> Said:
    """Operator-borne money and occupancy, as parts of the second sentence."""
    en, zh = "", ""
    for each in matter.adjustments:
        money = format_fen(abs(each.amount_fen))
        if each.kind == "operator_borne":
            en += f", less {money} yuan above your balance that the operator bears"
            zh += f",超出余额的{money}元由运营商承担"
        elif each.kind == "occupancy":
            assert each.to_ms is not None
            until = _local(matter, each.to_ms)
            en += f", plus {money} yuan for {each.minutes} minutes of occupying the place until {until}"
            zh += f",占位至{_local(matter, each.to_ms)}共{each.minutes}分钟{money}元"
    return en, zh

"""How a bill was reached, step by step and with every number, from the bill and its computation.

Each step is one line in English and one in Chinese. Together they mention everything grave that held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Step = tuple[str, str]  # English, Chinese
Json = Mapping[str, Any]

_SOURCES = {
    "register_pair": ("the meter's start and stop readings", "电表起止示数"),
    "record_total": ("the record's total, which the meter bears out", "与电表一致的账单总电量"),
    "register_chain": ("the meter between the charges before and after", "前后两单的电表示数"),
    "record_alone": ("the record's total alone", "仅账单总电量"),
    "last_sample": ("the last live reading", "最后一次实时数据"),
    "bms_total": ("the battery's own count", "BMS电量"),
    "vi_integral": ("voltage and current over time", "电压电流积分"),
    "soc_estimate": ("the battery's state of charge", "SOC估算"),
    "never_started": ("proof that nothing was charged", "未充电的证据"),
    "none": ("no source", "无来源"),
    "assigned_elsewhere": ("nothing: its record belongs to another charge", "无(账单已归入另一笔充电)"),
}
_TIMES = {
    "record": ("the charger's record", "充电桩账单"),
    "shifted": ("the record, shifted by the charger's clock error", "按时钟偏差平移的账单时间"),
    "mixed": ("the record where it fits, the gateway elsewhere", "账单与网关时间结合"),
    "swapped": ("the record with its two ends exchanged", "账单起止时间对调"),
    "gateway": ("the gateway's own observation", "网关观测"),
    "authorisation": ("the moment the start was authorised", "授权时刻"),
}
_SPLITS = {
    "record": ("as the charger booked it", "按充电桩账单"),
    "samples": ("by the live readings at each border of price periods", "按实时数据在时段边界插值"),
    "even": ("evenly over the time of the record", "按账单时间均匀分摊"),
    None: ("not at all", "无"),
}
_DECISIONS = {
    "auto": ("a rule settles it", "按规则自动处理"),
    "favour": (
        "a rule settles it in the customer's favour, open to later evidence",
        "按有利于客户的下限处理,可据后续数据下调",
    ),
    "human": ("a person must decide", "需人工处理"),
}
_REASONS = {
    "gate": ("the total is more than the customer was shown", "金额高于向客户显示的金额"),
    "confidence_low": ("the evidence is not sure enough", "证据置信度不足"),
    "energy_unproven": ("no source of energy is proven", "电量来源无法证实"),
    "downward": ("a posted bill would fall by too much", "下调金额过大"),
    "age": ("the charge is too long ago", "订单时间过久"),
    "decided_before": ("a person has decided this bill before", "此单已由人工处理过"),
    "balance_exceeded": ("the total exceeds the balance by more than the operator bears", "超出余额部分过大"),
    "stay_too_long": ("the car stayed unusually long", "占位时间过长"),
}


def steps(bill: Json, computation: Json) -> list[Step]:
    """Every step of a bill, in the order of the reckoning.

    Args:
        bill: the bill as it leaves the program.
        computation: what was kept beside it; empty for bills of other makers.
    """
    if not computation:
        return []
    return [
        *_seen(computation),
        *_energy(bill, computation),
        *_times(bill, computation),
        *_lines(bill),
        *_beside(bill),
        *_anomalies(bill, computation),
        *_decision(bill, computation),
        *_person(bill, computation),
    ]


def _seen(computation: Json) -> Iterator[Step]:
    seen = computation["seen"]
    if not seen["samples"]:
        yield "The gateway saw no live data of this charge.", "网关未收到本次充电的实时数据。"
        return
    end_en, end_zh = ("as it happened", "实时观测") if seen["is_end_observed"] else ("at the earliest", "下限")
    yield (
        f"The gateway saw {seen['samples']} live readings, from {seen['start']} to {seen['end']} ({end_en}); the last "
        f"one showed {seen['last_kwh']} kWh.",
        f"网关收到{seen['samples']}条实时数据,{seen['start']}至{seen['end']}({end_zh}),最后电量{seen['last_kwh']}度。",
    )


def _energy(bill: Json, computation: Json) -> Iterator[Step]:
    window, registers = computation["window_kwh"], computation["registers"]
    if window is not None:
        most = window[1] or "∞"
        yield (
            f"So the energy lies between {window[0]} and {most} kWh: the last reading at least, rated power until "
            f"{computation['seen']['idle']} at most.",
            f"因此电量应在{window[0]}至{most}度之间(下限为最后读数,上限为按额定功率至{computation['seen']['idle']})。",
        )
    if registers["before"] is not None or bill["meter_start_kwh"] is not None:
        known = [registers["before"], bill["meter_start_kwh"], bill["meter_stop_kwh"], registers["after"]]
        shown = " → ".join(text if text is not None else "?" for text in known)
        yield (
            f"The meter: {shown} kWh (former charge, start, stop, next charge).",
            f"电表:{shown}度(上一单止码、起码、止码、下一单起码)。",
        )
    for source in computation["sources"]:
        name_en, name_zh = _SOURCES[source["name"]]
        yield (
            f"Source {source['rank']}: {name_en}, {source['kwh']} kWh, {source['percent']} % sure.",
            f"来源{source['rank']}:{name_zh},{source['kwh']}度,可信度{source['percent']}%。",
        )
    name_en, name_zh = _SOURCES[bill["basis"]["energy"]]
    yield (
        f"Accepted: {computation['energy_kwh']} kWh, from {name_en}.",
        f"采用{computation['energy_kwh']}度,来源为{name_zh}。",
    )


def _times(bill: Json, computation: Json) -> Iterator[Step]:
    if bill["started_at"] is None:
        return
    name_en, name_zh = _TIMES[bill["basis"]["time"]]
    clock_en, clock_zh = "", ""
    if bill["pile_amount"] is not None:
        is_right = computation["has_trusted_clock"]
        clock_en = f"; the charger's clock {'can' if is_right else 'cannot'} be trusted"
        clock_zh = f";充电桩时钟{'可信' if is_right else '不可信'}"
    yield (
        f"It lasted from {bill['started_at']} to {bill['ended_at']}, by {name_en}{clock_en}.",
        f"时间为{bill['started_at']}至{bill['ended_at']},依据{name_zh}{clock_zh}。",
    )


def _lines(bill: Json) -> Iterator[Step]:
    name_en, name_zh = _SPLITS[bill["basis"]["split"]]
    if bill["lines"]:
        yield (
            f"It is split over the price periods {name_en}, at the prices of tariff {bill['tariff_model_no']}:",
            f"分时电量{name_zh},按计费模型{bill['tariff_model_no']}的单价计算:",
        )
    for segment in bill["segments"] or ():
        text = f"{segment['from']} – {segment['to']}  {segment['rate']}  {segment['energy_kwh']} kWh"
        yield text, text
    for line in bill["lines"] or ():
        energy = f"{line['energy_kwh']} × {line['energy_price']}{_times_factor(line.get('energy_factor'))}"
        service = f"{line['energy_kwh']} × {line['service_price']}{_times_factor(line['service_factor'])}"
        yield (
            f"{line['rate']}: energy {energy} = {line['energy_fee']}, service {service} = {line['service_fee']} yuan.",
            f"{line['rate']}:电费{energy}={line['energy_fee']}元,服务费{service}={line['service_fee']}元。",
        )
    if bill["amount"] is not None:
        yield (
            f"All fees together, rounded half up to fen once: {bill['amount']} yuan; energy fee {bill['energy_fee']}, "
            f"service fee the rest, {bill['service_fee']}. Campaigns took off {bill['discount']}.",
            f"合计四舍五入到分:{bill['amount']}元,其中电费{bill['energy_fee']}元,服务费为余额{bill['service_fee']}元;"
            f"优惠{bill['discount']}元。",
        )


def _times_factor(factor: str | None) -> str:
    return "" if factor in (None, "1") else f" × {factor}"


def _beside(bill: Json) -> Iterator[Step]:
    for each in bill.get("adjustments") or ():
        if each["kind"] == "operator_loss":
            yield (
                f"{each['energy_kwh']} kWh behind an ignored stop are the operator's loss.",
                f"停机无效后的{each['energy_kwh']}度由运营商承担。",
            )
        elif each["kind"] == "operator_borne":
            yield (
                f"The operator bears what exceeds the balance: {each['amount']} yuan.",
                f"超出余额部分由运营商承担:{each['amount']}元。",
            )
        elif each["kind"] == "decided":
            yield (
                f"A person decided on another amount: {each['amount']} yuan beside the fees.",
                f"人工核定金额,调整{each['amount']}元。",
            )
        elif each["kind"] == "waived":
            yield f"A person waived the bill: {each['amount']} yuan.", f"人工免收:{each['amount']}元。"
        else:
            span = f"{each['from']} – {each['to']}"
            yield (
                f"Occupancy {span}: {each['minutes']} chargeable minutes, {each['amount']} yuan.",
                f"占位{span}:计费{each['minutes']}分钟,{each['amount']}元。",
            )


def _anomalies(bill: Json, computation: Json) -> Iterator[Step]:
    for anomaly in bill["anomalies"]:
        detail = anomaly["detail"]
        yield (
            f"{anomaly['code']} ({anomaly['severity']}): {detail['en']}",
            f"{anomaly['code']} ({anomaly['severity']}):{detail['zh']}",
        )
    for expected in computation["expected"]:
        yield f"Nothing wrong: {expected['detail']['en']}", f"正常情况:{expected['detail']['zh']}"


def _decision(bill: Json, computation: Json) -> Iterator[Step]:
    gate, percent = computation["gate"], computation["confidence_percent"]
    if gate["shown"] is not None:
        verdict_en, verdict_zh = ("within", "未超过") if gate["is_passed"] else ("above", "超过")
        yield (
            f"The customer had been shown {gate['shown']} yuan; the total of {gate['total']} is {verdict_en} the limit "
            f"of {gate['limit']}.",
            f"曾向客户显示{gate['shown']}元,本单{gate['total']}元{verdict_zh}限额{gate['limit']}元。",
        )
    decision_en, decision_zh = _DECISIONS[computation["decision"]]
    why_en = "; ".join(_REASONS.get(each, (each, each))[0] for each in computation["reasons"])
    why_zh = ";".join(_REASONS.get(each, (each, each))[1] for each in computation["reasons"])
    yield (
        f"Sure to {bill['confidence_percent']} % (energy {percent['energy']}, time {percent['time']}, tariff "
        f"{percent['tariff']}, identity {percent['identity']}): {decision_en}{': ' + why_en if why_en else ''}.",
        f"可信度{bill['confidence_percent']}%(电量{percent['energy']}、时间{percent['time']}、费率{percent['tariff']}、"
        f"身份{percent['identity']}):{decision_zh}{':' + why_zh if why_zh else ''}。",
    )


def _person(bill: Json, computation: Json) -> Iterator[Step]:
    """What a person decided, where one did, and what is to be paid."""
    person = computation.get("person")
    if person is None:
        return
    payable = bill.get("payable", bill["amount"])
    yield (
        f"Decided by {person['actor']} ({person['kind'].replace('_', ' ')}), because: {person['reason']}. "
        f"To be paid: {payable} yuan.",
        f"由{person['actor']}人工处理({person['kind']}),原因:{person['reason']}。应付{payable}元。",
    )

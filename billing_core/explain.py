"""A bill in at most two sentences, in English and in Chinese."""

from __future__ import annotations

from billing_core.anomalies import Anomaly
from billing_core.civil import iso_local
from billing_core.evidence import Evidence
from billing_core.findings import Findings
from billing_core.fixed import format_e4, format_fen
from billing_core.pricing import Total

Sentences = tuple[tuple[str, ...], tuple[str, ...]]


def explain(
    evidence: Evidence,
    findings: Findings,
    *,
    status: str,
    total: Total,
    main: Anomaly | None,
    started_ms: int | None,
    ended_ms: int | None,
) -> Sentences:
    """((English sentences), (Chinese sentences)); never a date that did not happen."""
    if status == "review":
        assert main is not None
        return _review(main, total)
    if status == "void":
        return _void(evidence, main)
    return _normal(evidence, findings, total, started_ms, ended_ms)


def _review(main: Anomaly, total: Total) -> Sentences:
    amount = format_fen(total.amount_fen)
    return (
        (main.detail_en, f"A person decides on this bill; {amount} yuan is proposed, nothing has been charged."),
        (main.detail_zh, f"本单需人工确认,建议金额{amount}元,尚未扣款。"),
    )


def _void(evidence: Evidence, main: Anomaly | None) -> Sentences:
    if main is not None and main.code == "zero_energy_with_time":
        return (
            (main.detail_en, "No charging fee applies."),
            (main.detail_zh, "电量为0,不收取充电费。"),
        )
    if evidence.refusal_code is not None:
        return (
            ("Starting failed, no energy was delivered.", "Nothing is charged."),
            ("充电启动失败,未产生电量。", "不收费。"),
        )
    if evidence.authorisation is not None:
        at = _local(evidence, evidence.authorisation.at_ms)
        return (
            (f"You asked to start at {at}; the charger delivered no energy.", "This bill is 0.00 yuan."),
            (f"您于{at}申请充电,充电桩未开始输出电能。", "本单金额为0元。"),
        )
    return (
        ("The record shows no energy.", "Nothing is charged."),
        ("账单电量为0。", "不收费。"),
    )


def _normal(
    evidence: Evidence, findings: Findings, total: Total, started_ms: int | None, ended_ms: int | None
) -> Sentences:
    kwh = format_e4(findings.energy_e4kwh)
    amount, energy_fee, service_fee = (
        format_fen(value) for value in (total.amount_fen, total.energy_fee_fen, total.service_fee_fen)
    )
    assert started_ms is not None
    assert ended_ms is not None
    start, end = _local(evidence, started_ms), _local(evidence, ended_ms)
    model = findings.tariff.model_no if findings.tariff else "-"
    return (
        (
            f"You charged {kwh} kWh from {start} to {end}.",
            f"At the prices of tariff {model} that is {energy_fee} yuan for energy and {service_fee} yuan for service, "
            f"{amount} yuan in all.",
        ),
        (
            f"您于{start}至{end}充电{kwh}度。",
            f"按计费模型{model}计算,电费{energy_fee}元,服务费{service_fee}元,合计{amount}元。",
        ),
    )


def _local(evidence: Evidence, at_ms: int) -> str:
    return iso_local(at_ms, evidence.zone)[:16].replace("T", " ")

"""Anomalies of stops and closings."""

from __future__ import annotations

from billing_core.evidence import Evidence
from billing_core.findings import Findings, stop_limit_ms
from billing_core.kinds.words import Found, both, kwh
from billing_core.samples import soc_ends
from billing_core.seen import energy_at

_SOC_FULL_PERCENT = 95
_GROWTH_E4KWH = 5_000
_WATT_MS = 360_000
_MINUTE_MS = 60_000
_YUAN_E4 = 10_000


def stop_reason_inconsistent(evidence: Evidence, findings: Findings) -> Found | None:
    """The stop code says what nothing else bears out."""
    record = findings.record
    if record is None:
        return None
    kind, why = record.stop_kind, None
    state = _last_soc_percent(evidence) if kind == "soc_full" else None
    if state and state < _SOC_FULL_PERCENT:
        why = f"the battery stood at {state} %", f"SOC为{state}%"
    elif kind == "balance" and _has_balance_left(evidence, record.amount_e4yuan):
        why = "the balance was not used up", "余额并未用尽"
    elif kind == "start_failed" and record.energy_e4kwh > findings.half_e4kwh:
        why = f"{kwh(record.energy_e4kwh)} kWh were charged", f"已充电{kwh(record.energy_e4kwh)}度"
    elif kind == "unclear":
        why = "the code is reserved or unknown", "代码为预留或未知"
    if why is None:
        return None
    return both(
        "Stop reason {c} is not confirmed: {en}.", "停止原因{c}未确认:{zh}。", c=record.stop_name, en=why[0], zh=why[1]
    )


def _last_soc_percent(evidence: Evidence) -> int | None:
    """By the battery's report of the end, else by the last sample; ``None`` where neither tells."""
    if evidence.bms_end is not None and evidence.bms_end.soc_percent:
        return evidence.bms_end.soc_percent
    return soc_ends(evidence.charging)[1] or None


def _has_balance_left(evidence: Evidence, amount_e4yuan: int) -> bool:
    authorisation = evidence.authorisation
    return authorisation is not None and 100 * authorisation.balance_fen > amount_e4yuan + _YUAN_E4


def stop_ignored(evidence: Evidence, findings: Findings) -> Found | None:
    """The pile said that it stopped, and went on."""
    accepted_ms, limit_ms = evidence.stop_accepted_at_ms, stop_limit_ms(evidence)
    if accepted_ms is None or limit_ms is None or not findings.seen.anchors:
        return None
    grown = findings.seen.last_e4kwh - energy_at(findings.seen.anchors, accepted_ms)
    by_power = (evidence.pile.rated_w or 0) * _MINUTE_MS // _WATT_MS
    if grown <= max(_GROWTH_E4KWH, by_power):
        return None
    return both(
        "The charger confirmed a remote stop and delivered {e} kWh more.",
        "远程停机已确认,但之后仍充电{e}度。",
        e=kwh(grown),
    )


def order_closed_early(evidence: Evidence, findings: Findings) -> Found | None:
    """The order had been closed as never started, and then it charged."""
    if not evidence.was_closed_early or not (findings.seen.anchors or findings.energy_e4kwh):
        return None
    return (
        "The order had been closed as never started before this energy was reported.",
        "订单曾按未启动关闭,之后又收到电量。",
    )

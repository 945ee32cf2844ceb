"""Anomalies of prices and amounts."""

from __future__ import annotations

from billing_core.apportion import best_factors
from billing_core.evidence import Evidence, Record
from billing_core.findings import Findings, filled_losses, sampled_by_rate
from billing_core.fixed import energy_fee_e4yuan, format_e4, format_e5, format_fen
from billing_core.kinds.words import RATE_ZH, Found, both, kwh, local_time
from billing_core.tariff import RATE_NAMES, RATES, Rate, rate_cuts

_SIGN_BIT = 2**31
_FACTOR_ONE_E4 = 10_000
_DAY_MS = 86_400_000


def tariff_missing(evidence: Evidence, findings: Findings) -> Found | None:
    """No tariff of the site was in force."""
    if findings.tariff is not None or not findings.energy_e4kwh:
        return None
    return "No tariff was in force for this charger.", "该充电桩没有有效的计费模型。"


def amount_zero_with_energy(evidence: Evidence, findings: Findings) -> Found | None:
    """Energy, but no amount."""
    record = findings.record
    if record is None or record.amount_e4yuan or record.energy_e4kwh <= findings.half_e4kwh:
        return None
    if findings.tariff is not None and not _has_price(record, findings):
        return None
    return both("The record has {e} kWh but no amount.", "账单电量{e}度但金额为零。", e=kwh(record.energy_e4kwh))


def _has_price(record: Record, findings: Findings) -> bool:
    """Whether the rates that were used cost anything; where the record names none, whether any rate does."""
    assert findings.tariff is not None
    prices = findings.tariff.prices_e5
    used = [RATES[index] for index, tier in enumerate(record.tiers) if tier.energy_e4kwh]
    return any(sum(prices.get(rate, (1, 0))) for rate in used or prices)


def amount_without_energy(evidence: Evidence, findings: Findings) -> Found | None:
    """An amount, but no energy."""
    record = findings.record
    if record is None or not record.amount_e4yuan or findings.energy_e4kwh > findings.half_e4kwh:
        return None
    return both(
        "The record asks for {y} yuan without energy.", "账单无电量但金额为{y}元。", y=format_e4(record.amount_e4yuan)
    )


def _prices(findings: Findings, index: int) -> tuple[int, int] | None:
    return findings.tariff.prices_e5.get(RATES[index]) if findings.tariff is not None else None


def negative_amount(evidence: Evidence, findings: Findings) -> Found | None:
    """A number above 31 bits is a negative one; a price below the service price makes a negative energy fee."""
    record = findings.record
    if record is None:
        return None
    if record.amount_e4yuan >= _SIGN_BIT or _has_negative(record):
        return "The record holds a negative amount or price.", "账单含有负金额或负单价。"
    for index, tier in enumerate(record.tiers):
        if not tier.energy_e4kwh or tier.price_e5 is None:
            continue
        prices = _prices(findings, index)
        if prices is not None and tier.price_e5 < prices[1]:
            return both(
                "The price of {rate}, {a} yuan/kWh, is below the service price {b}: its energy fee would be negative.",
                "{zh}时段单价{a}元/度低于服务费单价{b},电费为负。",
                rate=RATE_NAMES[index],
                zh=RATE_ZH[index],
                a=format_e5(tier.price_e5),
                b=format_e5(prices[1]),
            )
    return None


def _has_negative(record: Record) -> bool:
    for tier in record.tiers:
        if tier.amount_e4yuan >= _SIGN_BIT or (tier.price_e5 is not None and tier.price_e5 >= _SIGN_BIT):
            return True
    return False


def line_tolerance(evidence: Evidence, record: Record) -> int:
    """0.0001 yuan, or 0.01 yuan for piles whose amounts are all whole fen, unless configured."""
    if evidence.tolerances.amount_line_e4yuan is not None:
        return evidence.tolerances.amount_line_e4yuan
    amounts = [tier.amount_e4yuan for tier in record.tiers if tier.amount_e4yuan]
    return 100 if amounts and all(amount % 100 == 0 for amount in amounts) else 1


def amount_recompute_mismatch(evidence: Evidence, findings: Findings) -> Found | None:
    """An amount is not energy × the record's own price, or the total is not the sum."""
    record = findings.record
    if record is None or is_clamped(evidence, findings):
        return None
    tolerance_nano, has_losses = line_tolerance(evidence, record) * 100_000, filled_losses(record)
    for index, tier in enumerate(record.tiers):
        if tier.price_e5 is None:
            continue
        rated_e4kwh = tier.loss_energy_e4kwh if has_losses else tier.energy_e4kwh
        exact_nano = rated_e4kwh * tier.price_e5
        if abs(tier.amount_e4yuan * 100_000 - exact_nano) > tolerance_nano:
            return both(
                "The amount of {rate} is {a} yuan, energy times price makes {b} yuan.",
                "{zh}时段金额{a}元,电量乘单价为{b}元。",
                rate=RATE_NAMES[index],
                zh=RATE_ZH[index],
                a=format_e4(tier.amount_e4yuan),
                b=format_e4(energy_fee_e4yuan(rated_e4kwh, tier.price_e5)),
            )
    total = sum(tier.amount_e4yuan for tier in record.tiers)
    if abs(total - record.amount_e4yuan) > evidence.tolerances.amount_total_e4yuan:
        return both(
            "The amounts add up to {s} yuan, the total says {a} yuan.",
            "分时金额合计{s}元,总金额{a}元。",
            s=format_e4(total),
            a=format_e4(record.amount_e4yuan),
        )
    return None


def gross_fen(findings: Findings) -> int | None:
    """What the accepted energy costs without campaigns, fen; ``None`` without a tariff."""
    return findings.gross_fen


def rounding_drift(evidence: Evidence, findings: Findings) -> Found | None:
    """The pile's amount differs from ours by no more than roundings can explain."""
    record, gross = findings.record, gross_fen(findings)
    if record is None or gross is None or not findings.gross_lines:
        return None
    told_fen = (record.amount_e4yuan + 50) // 100
    if not 0 < abs(told_fen - gross) <= findings.gross_lines + 1:
        return None
    return both(
        "The charger rounds differently: {a} yuan against {b} yuan.",
        "充电桩取整方式不同:{a}元,复算{b}元。",
        a=format_e4(record.amount_e4yuan),
        b=format_fen(gross),
    )


def _told_e5(evidence: Evidence, price_e5: int) -> int:
    """A price as the pile keeps it: cut to its decimals, five unless it is known to keep fewer."""
    decimals = evidence.pile.price_decimals
    step = 10 ** (5 - decimals) if decimals is not None and decimals < 5 else 1
    return price_e5 // step * step


def _is_in_force(evidence: Evidence, findings: Findings, rate: Rate, price_e5: int) -> bool:
    """Whether a price is that of the tariff; where each slot has its own tariff, that of any during the session."""
    tariffs, span, pile = [findings.tariff], _span_ms(findings), evidence.pile
    if evidence.tariff_binding == "instant" and span is not None:
        book, place = evidence.tariffs, {"pile_id": pile.pile_id, "station": pile.station}
        changes = book.changes(**place, from_ms=span[0], to_ms=span[1])
        tariffs += [book.in_force(**place, at_ms=at_ms) for at_ms in changes]
    prices = [tariff.prices_e5[rate] for tariff in tariffs if tariff is not None and rate in tariff.prices_e5]
    return any(price_e5 == _told_e5(evidence, sum(pair)) for pair in prices)


def price_not_in_tariff(evidence: Evidence, findings: Findings) -> Found | None:
    """A price of the record is not that of the tariff."""
    record, tariff = findings.record, findings.tariff
    if record is None or tariff is None:
        return None
    for index, tier in enumerate(record.tiers):
        if tier.price_e5 is None or not tier.energy_e4kwh:
            continue
        if not _is_in_force(evidence, findings, RATES[index], tier.price_e5):
            prices = _prices(findings, index)
            return both(
                "The record prices {rate} at {a} yuan/kWh, tariff {no} says {b}.",
                "{zh}时段单价{a}元/度,计费模型{no}为{b}。",
                rate=RATE_NAMES[index],
                zh=RATE_ZH[index],
                a=format_e5(tier.price_e5),
                no=tariff.model_no,
                b="-" if prices is None else format_e5(sum(prices)),
            )
    return None


def tou_split_mismatch(evidence: Evidence, findings: Findings) -> Found | None:
    """The energies per rate are not what the live readings show for those hours."""
    record = findings.record
    if record is None or not findings.sampled:
        return None
    tolerance, seen = evidence.tolerances.period(record.energy_e4kwh), sampled_by_rate(findings)
    for index, tier in enumerate(record.tiers):
        by_samples = seen.get(RATES[index], 0)
        if abs(tier.energy_e4kwh - by_samples) > tolerance:
            return both(
                "The record books {a} kWh as {rate}, the live readings show {b} kWh.",
                "账单{zh}时段{a}度,实时数据为{b}度。",
                rate=RATE_NAMES[index],
                zh=RATE_ZH[index],
                a=kwh(tier.energy_e4kwh),
                b=kwh(by_samples),
            )
    return None


def _span_ms(findings: Findings) -> tuple[int, int] | None:
    """(start, end) of the session as far as it is known."""
    if findings.seen.anchors:
        assert findings.seen.t_start_ms is not None
        assert findings.seen.t_end_ms is not None
        return findings.seen.t_start_ms, findings.seen.t_end_ms
    record = findings.record
    if record is None or not findings.times_hold:
        return None
    assert record.started_ms is not None
    assert record.ended_ms is not None
    return record.started_ms, record.ended_ms


def tariff_changed_mid_session(evidence: Evidence, findings: Findings) -> Found | None:
    """Another tariff came into force while it charged."""
    span, tariff, pile = _span_ms(findings), findings.tariff, evidence.pile
    if span is None or tariff is None:
        return None
    changes = evidence.tariffs.changes(pile_id=pile.pile_id, station=pile.station, from_ms=span[0], to_ms=span[1])
    for at_ms in changes:
        newer = evidence.tariffs.in_force(pile_id=pile.pile_id, station=pile.station, at_ms=at_ms)
        if newer is not None and newer != tariff:
            return both(
                "Tariff {no} came into force at {at}; the prices of the start hold.",
                "{at}起启用计费模型{no},本单仍按开始时的价格。",
                no=newer.model_no,
                at=local_time(evidence, at_ms),
            )
    return None


def is_clamped(evidence: Evidence, findings: Findings) -> bool:
    """Whether the pile cut the amount at the balance: by its stop code, and both sums agree."""
    record, authorisation, gross = findings.record, evidence.authorisation, gross_fen(findings)
    if record is None or authorisation is None or gross is None or record.stop_kind != "balance":
        return False
    if not authorisation.balance_fen:
        return False  # not told
    is_balance = abs(record.amount_e4yuan - 100 * authorisation.balance_fen) <= 100
    return is_balance and record.amount_e4yuan < 100 * gross


def amount_clamped_at_balance(evidence: Evidence, findings: Findings) -> Found | None:
    """The pile cut the amount at the balance."""
    if not is_clamped(evidence, findings):
        return None
    assert evidence.authorisation is not None
    return both(
        "The charger cut the amount at the balance of {b} yuan.",
        "充电桩按余额{b}元截断了金额。",
        b=format_fen(evidence.authorisation.balance_fen),
    )


def discount_misapplied(evidence: Evidence, findings: Findings) -> Found | None:
    """A campaign takes off the service fee, and the record's price takes off the energy fee too."""
    record, span = findings.record, _span_ms(findings)
    if record is None or span is None:
        return None
    campaigns = evidence.tariffs.campaigns_for(pile_id=evidence.pile.pile_id, station=evidence.pile.station)
    for index, tier in enumerate(record.tiers if campaigns else ()):
        prices = _prices(findings, index)
        if not tier.energy_e4kwh or prices is None or tier.price_e5 is None:
            continue
        service_e4, energy_e4, _ = best_factors(campaigns, span[0], prices)
        if service_e4 == _FACTOR_ONE_E4 or energy_e4 != _FACTOR_ONE_E4:
            continue
        if tier.price_e5 * 10_000 < prices[0] * 10_000 + prices[1] * service_e4:
            return both(
                "The record's price of {rate}, {a} yuan/kWh, discounts the energy fee; the campaign is on the service.",
                "{zh}时段单价{a}元/度连电费一并打折,而活动仅针对服务费。",
                rate=RATE_NAMES[index],
                zh=RATE_ZH[index],
                a=format_e5(tier.price_e5),
            )
    return None


# -- what is expected, listed so that nobody takes it for a fault -----------------------------------------


def service_split_missing(evidence: Evidence, findings: Findings) -> Found | None:
    """The record has one price for energy and service."""
    if findings.record is None or findings.tariff is None:
        return None
    return "The record has one summed price; the tariff splits it.", "账单仅有合计单价,按计费模型拆分电费和服务费。"


def cross_period(evidence: Evidence, findings: Findings) -> Found | None:
    """The session spans a border of price periods."""
    span, tariff = _span_ms(findings), findings.tariff
    if span is None or tariff is None or not rate_cuts(tariff, evidence.zone, *span):
        return None
    return "The charge crossed price periods.", "充电跨越计费时段。"


def cross_midnight(evidence: Evidence, findings: Findings) -> Found | None:
    """The session spans midnight."""
    span = _span_ms(findings)
    if span is None or evidence.zone.civil_ms(span[0]) // _DAY_MS == evidence.zone.civil_ms(span[1]) // _DAY_MS:
        return None
    return "The charge crossed midnight.", "充电跨越零点。"

"""Section 4.4: what the record says of money, against the tariff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from tests.oracle.case import Case
from tests.oracle.catalogue import RANK, SEVERITY
from tests.oracle.predicates import BALANCE_EXHAUSTED, holding
from tests.oracle.rating import Charge, half_up
from tests.oracle.tariffs import Tariff

CENT = Fraction(1, 100)
AMOUNT_FAMILY = RANK["amount_zero_with_energy"][0]


@dataclass(frozen=True)
class Priced:
    """What the amount predicates compare with."""

    accepted: Fraction
    charge: Charge
    versions: tuple[Tariff, ...]  # those that price the session
    sampled: Mapping[str, Fraction] | None  # S[k]
    changed: bool  # another version took effect in between


def tol_line(case: Case) -> Fraction:
    return CENT if case.story.pile.amount_decimals == 2 else Fraction(1, 10_000)


def price_of(price_e5: int) -> Fraction:
    return Fraction(price_e5, 100_000)


def is_consistent_with_own_price(case: Case) -> bool:
    """Every rate's amount is its billed energy times the record's own price."""
    tiers = case.rec.tiers.values()
    return all(abs(t.amount - t.lossy_kwh * price_of(t.price_e5)) <= tol_line(case) for t in tiers)


def is_price_foreign(case: Case, priced: Priced) -> bool:
    step = 10 ** (5 - case.story.pile.price_decimals)
    for rate, tier in case.rec.tiers.items():
        known = {version.unit_price_e5(rate) for version in priced.versions} - {None}
        if tier.kwh > 0 and tier.price_e5 not in {price // step * step for price in known}:
            return True
    return False


def is_split_wrong(case: Case, sampled: Mapping[str, Fraction] | None) -> bool:
    if sampled is None:
        return False
    tolerance = Fraction(1, 10) + case.rec.kwh / 100
    rates = {*sampled, *case.rec.tiers}
    nothing = Fraction(0)
    return any(
        abs((case.rec.tiers[rate].kwh if rate in case.rec.tiers else nothing) - sampled.get(rate, nothing)) > tolerance
        for rate in rates
    )


def has_negative(case: Case, version: Tariff) -> bool:
    rec = case.rec
    if rec.amount < 0 or any(tier.amount < 0 or tier.price_e5 < 0 for tier in rec.tiers.values()):
        return True
    return any(
        tier.kwh > 0 and rate in version.prices_e5 and tier.price_e5 < version.prices_e5[rate][1]
        for rate, tier in rec.tiers.items()
    )


def is_clamped(case: Case, priced: Priced) -> bool:
    auth = case.story.authorisation
    if case.record.stop_code != BALANCE_EXHAUSTED or auth is None:
        return False
    limits = [Fraction(fen, 100) for fen in (auth.balance_fen, auth.hold_fen or None) if fen is not None]
    is_at_limit = any(abs(case.rec.amount - limit) <= CENT for limit in limits)
    return is_at_limit and case.rec.amount < priced.charge.gross.total


def amount_codes(case: Case, priced: Priced) -> set[str]:
    changed = {"tariff_changed_mid_session"} if priced.changed else set()
    if case.rec is None:
        return changed
    rec = case.rec
    prices = priced.versions[0].prices_e5
    used = {rate for rate, tier in rec.tiers.items() if tier.kwh > 0 and rate in prices} or set(prices)
    has_price = any(sum(prices[rate]) > 0 for rate in used)
    is_clamp = is_clamped(case, priced)
    total = sum((tier.amount for tier in rec.tiers.values()), Fraction(0))
    is_off = not is_consistent_with_own_price(case) or abs(rec.amount - total) > CENT
    codes = changed | holding(
        [
            ("amount_zero_with_energy", rec.kwh > case.r and has_price and rec.amount == 0),
            ("amount_without_energy", priced.accepted <= case.r and rec.amount > 0),
            ("negative_amount", has_negative(case, priced.versions[0])),
            ("amount_recompute_mismatch", is_off and not is_clamp),
            ("price_not_in_tariff", is_price_foreign(case, priced)),
            ("tou_split_mismatch", is_split_wrong(case, priced.sampled)),
            ("amount_clamped_at_balance", is_clamp),
            ("discount_misapplied", is_discount_misapplied(case, priced)),
        ]
    )
    gap = abs(half_up(rec.amount, 2) - priced.charge.gross.total)
    is_alone = not any(
        RANK[code][0] == AMOUNT_FAMILY and (SEVERITY[code] != "i" or code == "amount_clamped_at_balance")
        for code in codes
    )
    if is_alone and 0 < gap <= CENT * (len(priced.charge.gross.lines) + 1):
        codes.add("rounding_drift")
    return codes


def is_discount_misapplied(case: Case, priced: Priced) -> bool:
    posted = case.story.posted
    if posted is None or posted.energy_fee_fen is None:
        return False
    targets_service = any(
        line.terms.service_factor != 1 and line.terms.energy_factor == 1 for line in priced.charge.lines
    )
    is_same_energy = Fraction(posted.energy_e4kwh, 10_000) == priced.accepted
    return targets_service and is_same_energy and Fraction(posted.energy_fee_fen, 100) != priced.charge.gross.energy_fee

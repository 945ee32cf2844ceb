"""Rule B-1 and what follows it: lines, totals, floor and ceiling price, coupon, prepaid money. All in fractions.

Energies are kWh, prices yuan per kWh, money yuan; every number is a ``Fraction``, and ``half_up`` is the only rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

RATES = ("sharp", "peak", "flat", "valley", "deep_valley")
ONE = Fraction(1)
HALF = Fraction(1, 2)


def half_up(value: Fraction, decimals: int) -> Fraction:
    """Round half away from zero; amounts of corrections may be negative."""
    scale = 10**decimals
    sign = -1 if value < 0 else 1
    return Fraction(sign * ((abs(value) * scale + HALF) // 1), scale)


def round_up(value: Fraction, decimals: int) -> Fraction:
    scale = 10**decimals
    return Fraction(-((-value * scale) // 1), scale)


def text(value: Fraction, decimals: int) -> str:
    """A fraction that has at most so many decimals, written out."""
    whole = value * 10**decimals
    assert whole.denominator == 1, f"{value} has more than {decimals} decimals"
    digits = str(abs(whole.numerator)).rjust(decimals + 1, "0")
    return f"{'-' if whole < 0 else ''}{digits[: len(digits) - decimals]}.{digits[len(digits) - decimals :]}"


@dataclass(frozen=True)
class Terms:
    """Why a stretch of energy costs what it costs: one (tariff version, rate, campaign state)."""

    version: str
    rate: str
    energy_price: Fraction
    service_price: Fraction
    energy_factor: Fraction = ONE
    service_factor: Fraction = ONE
    campaign: str | None = None

    @property
    def unit_price(self) -> Fraction:
        return self.energy_price + self.service_price

    @property
    def net_price(self) -> Fraction:
        return self.energy_price * self.energy_factor + self.service_price * self.service_factor

    @property
    def key(self) -> tuple:
        """What two stretches must share to stand on one line."""
        return self.rate, self.energy_price, self.service_price, self.energy_factor, self.service_factor

    @property
    def gross(self) -> Terms:
        """The same stretch without any campaign."""
        return Terms(self.version, self.rate, self.energy_price, self.service_price)


@dataclass(frozen=True)
class Line:
    terms: Terms
    kwh: Fraction  # as delivered
    billed_kwh: Fraction  # with losses

    @property
    def energy_fee(self) -> Fraction:
        return half_up(self.billed_kwh * self.terms.energy_price * self.terms.energy_factor, 4)

    @property
    def service_fee(self) -> Fraction:
        return half_up(self.billed_kwh * self.terms.service_price * self.terms.service_factor, 4)


@dataclass(frozen=True)
class Charge:
    """Lines and the three numbers of B-1."""

    lines: tuple[Line, ...]

    @property
    def exact(self) -> Fraction:
        return sum((line.energy_fee + line.service_fee for line in self.lines), Fraction(0))

    @property
    def total(self) -> Fraction:
        return half_up(self.exact, 2)

    @property
    def energy_fee(self) -> Fraction:
        return half_up(sum((line.energy_fee for line in self.lines), Fraction(0)), 2)

    @property
    def service_fee(self) -> Fraction:
        return self.total - self.energy_fee

    @property
    def gross(self) -> Charge:
        """The same energy without campaigns: states of one rate fall together again."""
        return charge([(line.terms.gross, line.kwh, line.billed_kwh) for line in self.lines])

    @property
    def discount(self) -> Fraction:
        return self.gross.total - self.total


def charge(parts) -> Charge:
    """Merge (terms, kwh, billed kWh) by rate, prices and factors; order the lines by rate, then as they came."""
    merged: dict[tuple, Line] = {}
    for terms, kwh, billed in parts:
        known = merged.get(terms.key, Line(terms, Fraction(0), Fraction(0)))
        merged[terms.key] = Line(known.terms, known.kwh + kwh, known.billed_kwh + billed)
    lines = [line for line in merged.values() if line.kwh or len(merged) == 1]
    return Charge(tuple(sorted(lines, key=lambda line: RATES.index(line.terms.rate))))


def with_losses(kwh: Fraction, ratio: Fraction, reported: Fraction | None = None) -> Fraction:
    """Billed energy of one line; what the record says wins when it agrees within 0.0002 kWh."""
    if ratio == 0:
        return kwh
    exact = kwh * (1 + ratio)
    if reported is not None and abs(reported - exact) <= Fraction(2, 10000):
        return reported
    return half_up(exact, 4)


def fen_per_line(amounts: list[Fraction], total: Fraction) -> list[Fraction]:
    """Show 4-decimal amounts in fen so that they add up: largest remainder first."""
    cent = Fraction(1, 100)
    floors = [amount // cent * cent for amount in amounts]  # never negative here
    missing = int((total - sum(floors, Fraction(0))) / cent)
    by_remainder = sorted(range(len(amounts)), key=lambda i: (floors[i] - amounts[i], i))
    for index in by_remainder[:missing]:
        floors[index] += cent
    return floors


# --- order of application ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Coupon:
    face: Fraction
    threshold: Fraction
    scope: str  # "charging" or "service"


@dataclass(frozen=True)
class Payable:
    start_fee: Fraction
    adjustment: Fraction  # of the minimum or maximum price
    charging: Fraction  # after the adjustment
    coupon_used: Fraction
    occupancy: Fraction
    payable: Fraction


def apply_order(
    charging_total: Fraction,
    service_fee: Fraction,
    *,
    kwh: Fraction,
    start_fee: Fraction = Fraction(0),
    minimum: Fraction | None = None,
    maximum: Fraction | None = None,
    coupon: Coupon | None = None,
    occupancy: Fraction = Fraction(0),
) -> Payable:
    """Steps 2 to 6: start fee, minimum and maximum, coupon, occupancy, what is to be paid."""
    fee = start_fee if kwh > 0 else Fraction(0)
    before = charging_total + fee
    after = before
    if kwh > 0 and minimum is not None:
        after = max(after, minimum)
    if kwh > 0 and maximum is not None:
        after = min(after, maximum)
    used = Fraction(0)
    if coupon is not None and after >= coupon.threshold:
        used = min(coupon.face, after if coupon.scope == "charging" else min(service_fee, after))
    return Payable(fee, after - before, after, used, occupancy, after - used + occupancy)


# --- prepaid -------------------------------------------------------------------------------------------------


def interval_cost(rated_kw: Fraction, interval_s: int, unit_price: Fraction) -> Fraction:
    """What one sample period at rated power costs, rounded up to the fen."""
    return round_up(rated_kw * interval_s / 3600 * unit_price, 2)


def must_stop(live: Fraction, available: Fraction, margin: Fraction) -> bool:
    return live + margin >= available


def borne_by_operator(total: Fraction, available: Fraction, one_interval: Fraction) -> tuple[Fraction, bool]:
    """(excess above the money available, whether the operator may bear it without a person)."""
    excess = max(Fraction(0), total - available)
    return excess, excess <= max(HALF, one_interval)

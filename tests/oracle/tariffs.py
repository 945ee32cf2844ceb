"""Tariffs and campaigns on the local wall clock: what a kilowatt hour costs at an instant, and where that changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from math import gcd
from zoneinfo import ZoneInfo

from tests.oracle.rating import ONE, Terms, half_up


@dataclass(frozen=True)
class Tariff:
    """One immutable version. ``slots`` are (from minute, to minute, rate) of the civil day."""

    model_no: str
    valid_from_ms: int
    slots: tuple[tuple[int, int, str], ...]
    prices_e5: Mapping[str, tuple[int, int]]  # rate -> (energy, service)
    loss_ratio: Fraction = Fraction(0)

    def price(self, rate: str) -> tuple[Fraction, Fraction]:
        energy, service = self.prices_e5[rate]
        return Fraction(energy, 100_000), Fraction(service, 100_000)

    def unit_price_e5(self, rate: str) -> int | None:
        return sum(self.prices_e5[rate]) if rate in self.prices_e5 else None


@dataclass(frozen=True)
class Campaign:
    """``factor`` is what remains of the price."""

    id: str
    component: str  # "service", "energy" or "both"
    factor: Fraction
    valid_from_ms: int
    valid_to_ms: int


def local(at_ms: int, zone: str) -> datetime:
    seconds, ms = divmod(at_ms, 1000)
    return datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(zone)).replace(microsecond=ms * 1000)


def minute_of_day(at_ms: int, zone: str) -> int:
    moment = local(at_ms, zone)
    return moment.hour * 60 + moment.minute


@dataclass(frozen=True)
class Price:
    """How a session is priced at any instant: locked to one version, or by the version then in force."""

    zone: str
    tariffs: tuple[Tariff, ...]
    campaigns: tuple[Campaign, ...] = ()
    locked: Tariff | None = None

    def version(self, at_ms: int) -> Tariff:
        return self.locked or in_force(self.tariffs, at_ms)

    def rate(self, at_ms: int) -> str:
        minute = minute_of_day(at_ms, self.zone)
        return next(rate for start, end, rate in self.version(at_ms).slots if start <= minute < end)

    def terms(self, at_ms: int) -> Terms:
        return self.terms_of(self.rate(at_ms), at_ms)

    def terms_of(self, rate: str, at_ms: int) -> Terms:
        """Terms of a rate under the version and the campaign of an instant; the best campaign wins, ties by id."""
        version = self.version(at_ms)
        energy, service = version.price(rate)
        plain = Terms(version.model_no, rate, energy, service)
        offers = [
            Terms(
                version.model_no,
                rate,
                energy,
                service,
                campaign.factor if campaign.component in ("energy", "both") else ONE,
                campaign.factor if campaign.component in ("service", "both") else ONE,
                campaign.id,
            )
            for campaign in self.campaigns
            if campaign.valid_from_ms <= at_ms < campaign.valid_to_ms
        ]
        best = min(offers, key=lambda offer: (offer.net_price, offer.campaign), default=plain)
        return best if best.net_price < plain.net_price else plain

    def boundaries(self, start_ms: int, end_ms: int) -> list[int]:
        """Instants strictly between the two at which the terms change, or at which a wall-clock slot begins."""
        step = 15
        for version in self.tariffs if self.locked is None else (self.locked,):
            for start, end, _ in version.slots:
                step = gcd(gcd(step, start), end)
        step_ms = step * 60_000
        candidates = set(range((start_ms // step_ms + 1) * step_ms, end_ms, step_ms))
        if self.locked is None:
            candidates |= {version.valid_from_ms for version in self.tariffs}
        for campaign in self.campaigns:
            candidates |= {campaign.valid_from_ms, campaign.valid_to_ms}
        inside = sorted(at_ms for at_ms in candidates if start_ms < at_ms < end_ms)
        return [at_ms for at_ms in inside if self.terms(at_ms) != self.terms(at_ms - 1)]


def in_force(tariffs: tuple[Tariff, ...], at_ms: int) -> Tariff | None:
    """The newest version that has begun."""
    begun = [tariff for tariff in tariffs if tariff.valid_from_ms <= at_ms]
    return max(begun, key=lambda tariff: tariff.valid_from_ms, default=None)


# --- energy over time ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Segment:
    from_ms: int
    to_ms: int
    terms: Terms
    kwh: Fraction


def interpolate(anchors: list[tuple[int, Fraction]], at_ms: int) -> Fraction:
    """Cumulative energy at an instant, on the straight line between its two neighbours (anchors stand in order)."""
    before = [anchor for anchor in anchors if anchor[0] <= at_ms][-1]
    after = next((anchor for anchor in anchors if anchor[0] > at_ms), None)
    if after is None:
        return before[1]
    return before[1] + (after[1] - before[1]) * Fraction(at_ms - before[0], after[0] - before[0])


def split(price: Price, anchors: list[tuple[int, Fraction]], end_ms: int, kwh: Fraction) -> list[Segment]:
    """Segments between the first anchor and the end; the last one closes to ``kwh``.

    The cumulative energy at each border is rounded, never falls and never passes the whole.
    """
    start_ms = anchors[0][0]
    borders = [*price.boundaries(start_ms, end_ms), end_ms]
    segments, at_ms, done = [], start_ms, Fraction(0)
    for border_ms in borders:
        reached = kwh
        if border_ms != end_ms:
            reached = min(kwh, max(done, half_up(interpolate(anchors, border_ms), 4)))
        segments.append(Segment(at_ms, border_ms, price.terms(at_ms), reached - done))
        at_ms, done = border_ms, reached
    return segments


def cheapest_touched(price: Price, from_ms: int, to_ms: int) -> Terms:
    """The terms of the cheapest rate of any slot that the closed interval touches; the earlier one on a tie."""
    instants = [from_ms, *price.boundaries(from_ms, to_ms + 1)]
    return min((price.terms(at_ms) for at_ms in instants), key=lambda terms: terms.unit_price)

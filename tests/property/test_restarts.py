"""Random days of one pile: a restart before any input leads to the same bills."""

import random

import pytest

from gateway.outcome import BillIssued
from protocol.commands import StopCharging
from protocol.events import BmsEnded, PileLoggedIn
from tests.support.yard import (
    DAY_MS,
    HOUR,
    MINUTE,
    OCCUPANCY,
    PILE,
    SECOND,
    SITE,
    Yard,
    clock,
    record,
    resting,
    sample,
    time_of,
)

RESTART_CHANCE = 0.3
SEEDS = [*range(25), 639]  # 639: a start has its bill before its samples prove another charge's


class Day:
    """Inputs of some charges on two connectors, in order of time, each a call on a yard.

    Args:
        seed: equal seeds, equal days.
        own_number_chance: how often a pile puts a number of its own into samples and record.
    """

    def __init__(self, seed: int, own_number_chance: float = 0.15) -> None:
        self.own_number_chance = own_number_chance
        self.rng = random.Random(seed)
        self.inputs = []
        self.meters = {1: 1_000.0, 2: 5_000.0}
        self.at_ms = time_of(6)
        for number in range(self.rng.randrange(2, 6)):
            self._charge(number)
        self.inputs.sort(key=lambda each: each[0])

    def _maybe(self, chance, at_ms, call):
        if self.rng.random() < chance:
            self.inputs.append((at_ms, lambda yard: call(yard, at_ms)))

    def _charge(self, number):
        rng, ordered = self.rng, self.rng.choice((1, 1, 2))
        serial = f"{PILE}{ordered:02d}260303062900{number:04d}"
        other = f"{PILE}{ordered:02d}260303000000{9_000 + number:04d}"
        stream = other if rng.random() < self.own_number_chance else serial
        place = ordered if rng.random() < 0.9 else 3 - ordered
        card, is_taken = rng.choice((None, "C1")), rng.random() < 0.9
        begin = self.at_ms + 4 * SECOND
        self._maybe(0.85, self.at_ms, lambda y, t: y.start(t, serial, connector=ordered, card_uid=card))
        answered = self.at_ms + 2 * SECOND
        self._maybe(0.8, answered, lambda y, t: y.answer(t, serial, connector=ordered, is_accepted=is_taken))
        end = self._power(begin, ordered, stream, place)
        kwh = round(48 * (end - begin) / HOUR, 4)
        self._maybe(0.3, end, lambda y, t: y.tell(BmsEnded(DAY_MS + t, PILE, 0, place, stream, 70, 50, int(10 * kwh))))
        is_in = rng.random() < 0.7
        self._maybe(0.8, end + 5 * SECOND, lambda y, t: y.tell(resting(t, connector=place, plugged=is_in)))
        self._maybe(0.5, end + 20 * MINUTE, lambda y, t: y.tell(resting(t, connector=place, plugged=False)))
        self._record(begin, end, kwh, rng.choice((stream, stream, serial)), place)
        self.at_ms = end + rng.choice((30 * SECOND, 10 * MINUTE, HOUR, HOUR, 25 * HOUR))

    def _power(self, begin, ordered, stream, place):
        """Samples, and what disturbs them; returns the end."""
        now, end = begin, begin + self.rng.randrange(2, 30) * MINUTE
        while now < end:
            kwh, is_in = 48 * (now - begin) / HOUR, self.rng.random() < 0.7
            self._maybe(0.9, now, lambda y, t, k=kwh: y.tell(sample(t, k, transaction_id=stream, connector=place)))
            self._maybe(0.04, now + 1, lambda y, t: y.lose_link(t))
            self._maybe(0.04, now + 2, lambda y, t: y.tell(login(t)))
            self._maybe(0.05, now + 3, lambda y, t, p=is_in: y.tell(resting(t, connector=place, plugged=p)))
            self._maybe(0.05, now + 4, lambda y, t: y.order(t, StopCharging(PILE, None, ordered)))
            now += self.rng.choice((15, 60, 240)) * SECOND
        return now

    def _record(self, begin, end, kwh, serial, place):
        told = {"serial": serial, "connector": place, "begin": begin, "end": end, "kwh": kwh, "m0": self.meters[place]}
        self.meters[place] = round(self.meters[place] + kwh, 4)
        if self.rng.random() < 0.75:
            behind = end + self.rng.choice((8 * SECOND, 8 * SECOND, HOUR, 3 * HOUR, 20 * HOUR))
            self._maybe(1.0, behind, lambda y, t: y.tell(record(t, **told)))
            self._maybe(0.3, behind + HOUR, lambda y, t: y.tell(record(t, **told)))
            self._maybe(0.2, behind + 2 * HOUR, lambda y, t: y.tell(record(t, **told | {"kwh": kwh + 1})))


def login(of_day_ms):
    return PileLoggedIn(DAY_MS + of_day_ms, PILE, 0, "ykc-1.6", "DC", 2, "V4", 0, "0" * 20, 4, clock(of_day_ms))


def bills(seed, site, *, restart_chance=0.0, **given):
    yard, rng, day = Yard(site), random.Random(seed + 1), Day(seed, **given)
    for _, call in day.inputs:
        if rng.random() < restart_chance:
            yard.restart()
        call(yard)
    yard.wait(day.at_ms + 400 * HOUR)
    return [row for row in yard.rows if isinstance(row, BillIssued)]


@pytest.mark.parametrize("site", [SITE, SITE + OCCUPANCY], ids=["plain", "occupancy"])
@pytest.mark.parametrize("seed", SEEDS)
def test_restarts_change_no_bill(seed, site):
    never = bills(seed, site)
    assert never
    assert bills(seed, site, restart_chance=RESTART_CHANCE) == never


@pytest.mark.parametrize("seed", SEEDS)
def test_every_charge_has_one_row_of_revisions(seed):
    found = {}
    for row in bills(seed, SITE):
        found.setdefault(row.transaction_id, []).append(row.revision)
    for revisions in found.values():
        assert revisions == list(range(1, len(revisions) + 1))


@pytest.mark.soak
def test_a_thousand_more_days():
    for seed in range(1_000, 2_000):
        for site in (SITE, SITE + OCCUPANCY):
            never = bills(seed, site)
            assert bills(seed, site, restart_chance=RESTART_CHANCE) == never, seed

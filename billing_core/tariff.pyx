"""Tariffs and campaigns: immutable, refused when they do not cover a day exactly once."""

from libc.stdint cimport int64_t

from enum import IntEnum

from billing_core.civil cimport Zone
from billing_core.errors import TariffError

cdef enum:
    DAY_MS = 86_400_000
    MINUTE_MS = 60_000

_DAY_MIN = 1440
_SLOT_MIN = 30


class Rate(IntEnum):
    """Price kinds, in the order of bills and records."""

    SHARP = 0
    PEAK = 1
    FLAT = 2
    VALLEY = 3
    DEEP_VALLEY = 4


RATES = tuple(Rate)  # by number: to call the class costs as much as ten looks into a tuple
RATE_NAMES = tuple(rate.name.lower() for rate in RATES)


cdef class Tariff:
    """One immutable version of a price model.

    Args:
        model_no: what piles know it by.
        valid_from_ms: Unix ms; it holds until the next tariff of the same scope begins.
        scope: stations, piles, or ``*``.
        prices_e5: rate → (energy price, service price), 0.00001 yuan per kWh.
        slots: (from minute, to minute, rate) covering 0…1440 exactly once.
        loss_ratio_e4: what is added to metered energy, 1e-4.

    Raises ``TariffError`` for a gap, an overlap, or a rate without prices.
    """

    def __init__(self, model_no, valid_from_ms, scope, prices_e5, slots, loss_ratio_e4=0, path="tariff"):
        self.model_no = model_no
        self.valid_from_ms = valid_from_ms
        self.scope = tuple(scope)
        self.prices_e5 = {Rate(rate): tuple(pair) for rate, pair in prices_e5.items()}
        self.slots = tuple((start, stop, Rate(rate)) for start, stop, rate in slots)
        self.loss_ratio_e4 = loss_ratio_e4
        self._check(path)

    def _check(self, str path):
        if not self.slots:
            raise TariffError("slots_missing", f"{path}.slot", "a tariff needs slots that cover the 24 hours")
        order = sorted(range(len(self.slots)), key=lambda index: self.slots[index][0])
        reached = 0
        for index in order:
            start, stop, rate = self.slots[index]
            where = f"{path}.slot[{index}]"
            if start >= stop:
                raise TariffError("slot_empty", f"{where}.to", f"the slot ends at {_clock(stop)}, not after its begin")
            if start > reached:
                text = f"no slot covers {_clock(reached)} to {_clock(start)}"
                raise TariffError("slot_gap", f"{where}.from", text)
            if start < reached:
                text = f"{_clock(start)} to {_clock(min(reached, stop))} is covered twice"
                raise TariffError("slot_overlap", f"{where}.from", text)
            if rate not in self.prices_e5:
                raise TariffError("rate_missing", f"{where}.rate", f"the rate {rate.name.lower()} has no prices")
            reached = stop
        if reached != _DAY_MIN:
            text = f"no slot covers {_clock(reached)} to 24:00"
            raise TariffError("slot_gap", f"{path}.slot[{order[len(order) - 1]}].to", text)
        self.slots = tuple(self.slots[index] for index in order)
        self._begins_ms = tuple(start * MINUTE_MS for start, _, _ in self.slots)

    def _key(self):
        prices = tuple(sorted(self.prices_e5.items()))
        return self.model_no, self.valid_from_ms, self.scope, prices, self.slots, self.loss_ratio_e4

    def __eq__(self, other):
        return isinstance(other, Tariff) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        return f"Tariff({self.model_no}, valid_from_ms={self.valid_from_ms}, scope={self.scope})"

    @classmethod
    def from_pile(cls, str model_no, object valid_from_ms, *, prices_e5, slots):
        """The tariff that a frame of 48 half-hour slots carries."""
        prices = {Rate(index): pair for index, pair in enumerate(prices_e5)}
        spans = [(index * _SLOT_MIN, (index + 1) * _SLOT_MIN, Rate(rate)) for index, rate in enumerate(slots)]
        return cls(model_no, valid_from_ms, ("*",), prices, spans)

    cpdef object rate_at(self, int64_t civil_ms):
        """The rate at a local civil time, ms since 1970 of the same calendar; slots are half-open."""
        cdef int64_t minute = civil_ms % DAY_MS // MINUTE_MS
        for start, stop, rate in self.slots:
            if start <= minute < stop:
                return rate
        raise AssertionError("slots cover the day")

    def boundaries_min(self):
        """Minutes of the day at which a slot begins."""
        return tuple(start for start, _, _ in self.slots)


def _clock(int minute):
    return f"{minute // 60:02d}:{minute % 60:02d}"


def pile_slots(Tariff tariff not None):
    """48 rate numbers, slot 0 = 00:00–00:30. Raises ``TariffError`` for a boundary off the half hour."""
    slots = []
    for index, (start, stop, rate) in enumerate(tariff.slots):
        if start % _SLOT_MIN or stop % _SLOT_MIN:
            text = f"{_clock(start)} to {_clock(stop)}: piles know half-hour slots only"
            raise TariffError("slot_off_half_hour", f"slot[{index}]", text)
        slots += [int(rate)] * ((stop - start) // _SLOT_MIN)
    return slots


cpdef list rate_cuts(Tariff tariff, Zone zone, object from_ms, object to_ms):
    """Instants within (from_ms, to_ms) at which the rate may change: slot borders on local wall time, and
    changes of the zone's offset."""
    cdef int64_t first_ms = from_ms, last_ms = to_ms, civil_ms, at_ms
    cdef int64_t day = zone.civil_ms(first_ms) // DAY_MS - 1, last = zone.civil_ms(last_ms) // DAY_MS + 1
    cdef list cuts = zone.changes(first_ms, last_ms)
    while day <= last:
        for begin_ms in tariff._begins_ms:
            civil_ms = day * DAY_MS + <int64_t>begin_ms
            if civil_ms - zone.least_ms <= first_ms or civil_ms - zone.most_ms >= last_ms:
                continue  # whatever the offset
            for at_ms in zone.instants(civil_ms):
                if first_ms < at_ms < last_ms:
                    cuts.append(at_ms)
        day += 1
    return sorted(set(cuts)) if cuts else cuts


cdef class Campaign:
    """A discount within a window of time.

    Args:
        component: ``service``, ``energy`` or ``both``.
        factor_e4: what remains of the price, 0…10,000.
        valid_from_ms, valid_to_ms: Unix ms, half-open.
    """

    def __init__(self, id, component, factor_e4, valid_from_ms, valid_to_ms, scope):
        assert component in ("service", "energy", "both")
        assert 0 <= factor_e4 <= 10_000
        self.id = id
        self.component = component
        self.factor_e4 = factor_e4
        self.valid_from_ms = valid_from_ms
        self.valid_to_ms = valid_to_ms
        self.scope = tuple(scope)

    def _key(self):
        return self.id, self.component, self.factor_e4, self.valid_from_ms, self.valid_to_ms, self.scope

    def __eq__(self, other):
        return isinstance(other, Campaign) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        return f"Campaign({self.id}, {self.component} x {self.factor_e4})"


cdef int _reach(tuple scope, str pile_id, str station) except -1:
    """How closely a scope names a pile: 3 itself, 2 its station, 1 everybody, 0 not at all."""
    if pile_id in scope:
        return 3
    if station and station in scope:
        return 2
    return 1 if "*" in scope else 0


cdef class TariffBook:
    """All tariffs and campaigns of a site.

    Raises ``TariffError`` when two tariffs of one scope begin at the same time, or two campaigns share an id.
    """

    def __init__(self, tuple tariffs not None, tuple campaigns not None):
        self.tariffs = tariffs
        self.campaigns = campaigns
        seen = {}
        for index, tariff in enumerate(tariffs):
            for name in tariff.scope:
                former = seen.setdefault((name, tariff.valid_from_ms), index)
                if former != index:
                    text = f"tariff[{former}] begins at the same time for {name!r}"
                    raise TariffError("tariff_twice", f"tariff[{index}].valid_from", text)
        ids = set()
        for index, campaign in enumerate(campaigns):
            if campaign.id in ids:
                raise TariffError("campaign_twice", f"campaign[{index}].id", f"{campaign.id!r} is used twice")
            ids.add(campaign.id)

    def __eq__(self, other):
        return isinstance(other, TariffBook) and (self.tariffs, self.campaigns) == (other.tariffs, other.campaigns)

    def __hash__(self):
        return hash((self.tariffs, self.campaigns))

    def __repr__(self):
        return f"TariffBook({len(self.tariffs)} tariffs, {len(self.campaigns)} campaigns)"

    def in_force(self, *, str pile_id, str station, object at_ms):
        """The tariff of a pile at an instant: the most specific scope, then the newest begin; ``None`` if none."""
        cdef Tariff tariff, best = None
        cdef int reach, nearest = 0
        for tariff in self.tariffs:
            reach = _reach(tariff.scope, pile_id, station)
            if reach and reach >= nearest and tariff.valid_from_ms <= at_ms:
                if reach > nearest or best is None or tariff.valid_from_ms > best.valid_from_ms:
                    best, nearest = tariff, reach
        return best

    def changes(self, *, str pile_id, str station, object from_ms, object to_ms):
        """Instants within (from_ms, to_ms) at which another tariff comes into force for a pile."""
        cdef Tariff tariff
        cdef list found = []
        for tariff in self.tariffs:
            if from_ms < tariff.valid_from_ms < to_ms and _reach(tariff.scope, pile_id, station):
                found.append(tariff.valid_from_ms)
        return sorted(set(found)) if found else found

    def campaigns_for(self, *, str pile_id, str station):
        """The campaigns that reach a pile, by id."""
        cdef Campaign campaign
        if not self.campaigns:
            return ()
        found = [campaign for campaign in self.campaigns if _reach(campaign.scope, pile_id, station)]
        return tuple(sorted(found, key=lambda campaign: campaign.id))

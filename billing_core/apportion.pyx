"""Energy over time to segments; loses no unit.

Cumulative energy at a border is interpolated linearly between its two neighbouring anchors and rounded half up;
a segment's energy is the difference of two borders, so the pieces always sum to the whole.

Source: rule E-4, docs/billing.md.
"""

from billing_core.fixed import share_half_up
from billing_core.tariff import rate_cuts


cdef class Segment:
    """A stretch of time with one tariff, one rate and one campaign state.

    Attributes:
        from_ms, to_ms: half-open.
        service_factor_e4, energy_factor_e4: what remains of the prices, 10,000 = all.
        energy_e4kwh: delivered within it.
    """

    cdef readonly object from_ms
    cdef readonly object to_ms
    cdef readonly object tariff
    cdef readonly object rate
    cdef readonly object service_factor_e4
    cdef readonly object energy_factor_e4
    cdef readonly tuple campaigns
    cdef readonly object energy_e4kwh

    def __init__(
        self, from_ms, to_ms, tariff, rate, service_factor_e4, energy_factor_e4, campaigns, energy_e4kwh
    ):
        assert from_ms <= to_ms
        self.from_ms = from_ms
        self.to_ms = to_ms
        self.tariff = tariff
        self.rate = rate
        self.service_factor_e4 = service_factor_e4
        self.energy_factor_e4 = energy_factor_e4
        self.campaigns = campaigns
        self.energy_e4kwh = energy_e4kwh

    def with_energy(self, energy_e4kwh):
        """The same stretch with another energy."""
        return Segment(
            self.from_ms, self.to_ms, self.tariff, self.rate, self.service_factor_e4, self.energy_factor_e4,
            self.campaigns, energy_e4kwh,
        )

    def key(self):
        """What two segments must share to be one line of a bill."""
        return self.tariff, self.rate, self.service_factor_e4, self.energy_factor_e4

    def __repr__(self):
        return f"Segment({self.from_ms}..{self.to_ms}, {self.rate.name}, {self.energy_e4kwh})"


def cumulative_e4kwh(anchors, object at_ms):
    """Cumulative energy at an instant, half up to 0.1 Wh; outside the anchors that of the nearest one."""
    before = anchors[0]
    if at_ms <= before[0]:
        return before[1]
    for after in anchors:
        if at_ms == after[0]:
            before = after
        elif at_ms < after[0]:
            if before[0] == at_ms:
                return before[1]
            rise = after[1] - before[1]
            return before[1] + share_half_up(rise, at_ms - before[0], after[0] - before[0])
        else:
            before = after
    return before[1]


def risen(tuple anchors not None, from_ms, to_ms, energy_e4kwh):
    """Readings as a line that never falls: from zero at ``from_ms`` to the energy at ``to_ms``, if that lies behind.

    Args:
        anchors: (moment, cumulative energy) as they came; of several at one moment the last one stands.
        from_ms: before the first of them.
    """
    reached_ms, reached = from_ms, 0
    line = [(from_ms, 0)]
    for at_ms, energy in anchors:
        reached = max(reached, energy)
        if at_ms > reached_ms:
            line.append((at_ms, reached))
        else:
            line[len(line) - 1] = (at_ms, reached)
        reached_ms = at_ms
    if to_ms > reached_ms:
        line.append((to_ms, energy_e4kwh))
    return line


def split(anchors, cuts):
    """Energies of the pieces between the first anchor, the cuts, and the last anchor."""
    first, last = anchors[0], anchors[len(anchors) - 1]
    borders = [first[1], *(cumulative_e4kwh(anchors, cut) for cut in cuts), last[1]]
    pieces = [borders[i + 1] - borders[i] for i in range(len(borders) - 1)]
    assert sum(pieces) == last[1] - first[1], "no unit is lost"
    return pieces


def best_factors(campaigns, object at_ms, prices_e5):
    """(service factor, energy factor, ids) in force at an instant: one campaign, the best for the customer.

    Args:
        campaigns: by id; the first of equals wins.
        prices_e5: (energy price, service price) of the rate then in force.
    """
    energy_e5, service_e5 = prices_e5
    best = (10_000 * (energy_e5 + service_e5), 10_000, 10_000, ())
    for campaign in campaigns:
        if campaign.valid_from_ms <= at_ms < campaign.valid_to_ms:
            service = campaign.factor_e4 if campaign.component in ("service", "both") else 10_000
            energy = campaign.factor_e4 if campaign.component in ("energy", "both") else 10_000
            cost = energy * energy_e5 + service * service_e5
            if cost < best[0]:
                best = (cost, service, energy, (campaign.id,))
    return best[1:]


def segments_of(anchors, *, tariff, book, zone, str pile_id, str station, bint is_instant):
    """The segments of a session, in order of time, neighbours that are alike merged.

    Args:
        anchors: (moment, cumulative energy), ascending in time; at least two.
        tariff: bound at the session's start.
        book: further tariffs, for ``is_instant``, and campaigns.
        is_instant: price each stretch by the tariff then in force.
    """
    from_ms, to_ms = anchors[0][0], anchors[len(anchors) - 1][0]
    campaigns = book.campaigns_for(pile_id=pile_id, station=station)
    cuts = {edge for c in campaigns for edge in (c.valid_from_ms, c.valid_to_ms) if from_ms < edge < to_ms}
    changes = book.changes(pile_id=pile_id, station=station, from_ms=from_ms, to_ms=to_ms) if is_instant else []
    cuts.update(changes)
    for start in [from_ms, *changes]:
        cuts.update(rate_cuts(_bound(tariff, book, pile_id, station, start, is_instant), zone, from_ms, to_ms))
    ordered = sorted(cuts)
    borders = [from_ms, *ordered, to_ms]
    merged = []
    for index, energy in enumerate(split(anchors, ordered)):
        start = borders[index]
        bound = _bound(tariff, book, pile_id, station, start, is_instant)
        rate = bound.rate_at(zone.civil_ms(start))
        factors = best_factors(campaigns, start, bound.prices_e5[rate])
        piece = Segment(start, borders[index + 1], bound, rate, *factors, energy)
        if merged and merged[len(merged) - 1].key() == piece.key():
            former = merged.pop()
            piece = Segment(
                former.from_ms, piece.to_ms, bound, rate, piece.service_factor_e4, piece.energy_factor_e4,
                tuple(sorted({*former.campaigns, *piece.campaigns})), former.energy_e4kwh + energy,
            )
        merged.append(piece)
    return merged


cdef object _bound(tariff, book, str pile_id, str station, at_ms, bint is_instant):
    if not is_instant:
        return tariff
    return book.in_force(pile_id=pile_id, station=station, at_ms=at_ms) or tariff


def by_rate(segments):
    """Energy per rate, 0.1 Wh."""
    totals = {}
    for segment in segments:
        totals[segment.rate] = totals.get(segment.rate, 0) + segment.energy_e4kwh
    return totals


def spread(segments, energies_e4kwh):
    """Lay given energies per rate over the segments of that rate, in proportion to what these hold.

    Segments without any energy share by their length. Returns ``None`` when a rate has energy but no segment.
    """
    placed = {}
    for rate, total in energies_e4kwh.items():
        own = [index for index, segment in enumerate(segments) if segment.rate == rate]
        if total and not own:
            return None
        weights = [max(segments[index].energy_e4kwh, 0) for index in own]
        if not sum(weights):
            weights = [max(segments[index].to_ms - segments[index].from_ms, 1) for index in own]
        done_weight = done = 0
        for index, weight in zip(own, weights):
            done_weight += weight
            upto = share_half_up(total, done_weight, sum(weights))
            placed[index] = upto - done
            done = upto
    spread_out = [segment.with_energy(placed.get(index, 0)) for index, segment in enumerate(segments)]
    assert sum(segment.energy_e4kwh for segment in spread_out) == sum(energies_e4kwh.values()), "no unit is lost"
    return spread_out

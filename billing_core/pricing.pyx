"""Segments × prices to fees: rule B-1.

Each line's energy fee and service fee are rounded half up to four decimals; one half-up step takes their total to
fen; the energy fee is rounded to fen by itself and the service fee is the remainder, so the two always add up.

Source: rule B-1 and the order of application, docs/billing.md.
"""

from billing_core.fixed import e4yuan_to_fen_half_up, energy_fee_e4yuan, loss_adjusted_e4kwh_half_up


cdef class Line:
    """One line of a bill: everything of one rate at one pair of prices and one campaign state.

    Attributes:
        energy_e4kwh: billed energy, loss ratio included.
    """

    cdef readonly object rate
    cdef readonly object energy_e4kwh
    cdef readonly object energy_price_e5
    cdef readonly object service_price_e5
    cdef readonly object service_factor_e4
    cdef readonly object energy_factor_e4
    cdef readonly object energy_fee_e4yuan
    cdef readonly object service_fee_e4yuan

    def __init__(
        self, rate, energy_e4kwh, energy_price_e5, service_price_e5, service_factor_e4=10_000, energy_factor_e4=10_000
    ):
        assert energy_e4kwh >= 0 and energy_price_e5 >= 0 and service_price_e5 >= 0
        assert 0 <= service_factor_e4 <= 10_000 and 0 <= energy_factor_e4 <= 10_000
        self.rate = rate
        self.energy_e4kwh = energy_e4kwh
        self.energy_price_e5 = energy_price_e5
        self.service_price_e5 = service_price_e5
        self.service_factor_e4 = service_factor_e4
        self.energy_factor_e4 = energy_factor_e4
        self.energy_fee_e4yuan = energy_fee_e4yuan(energy_e4kwh, energy_price_e5, energy_factor_e4)
        self.service_fee_e4yuan = energy_fee_e4yuan(energy_e4kwh, service_price_e5, service_factor_e4)

    def __repr__(self):
        return f"Line({self.rate!r}, {self.energy_e4kwh}, {self.energy_fee_e4yuan} + {self.service_fee_e4yuan})"


cdef class Total:
    """Fees of a bill, fen; energy fee + service fee = amount."""

    cdef readonly object energy_fee_fen
    cdef readonly object service_fee_fen
    cdef readonly object amount_fen

    def __init__(self, energy_fee_fen, service_fee_fen, amount_fen):
        assert energy_fee_fen + service_fee_fen == amount_fen
        assert service_fee_fen >= 0
        self.energy_fee_fen = energy_fee_fen
        self.service_fee_fen = service_fee_fen
        self.amount_fen = amount_fen


def lines_of(segments):
    """Lines of segments whose energy is metered: merged by rate, prices and factors, in the order of rates.

    The loss ratio is added per line. Lines without energy are left out.
    """
    sums = {}
    for segment in segments:
        energy_price_e5, service_price_e5 = segment.tariff.prices_e5[segment.rate]
        key = (
            int(segment.rate), -segment.service_factor_e4, -segment.energy_factor_e4, energy_price_e5, service_price_e5,
            segment.tariff.loss_ratio_e4,
        )
        sums[key] = (segment.rate, sums.get(key, (None, 0))[1] + segment.energy_e4kwh)
    lines = []
    for key, (rate, energy_e4kwh) in sorted(sums.items()):
        _, service_factor, energy_factor, energy_price_e5, service_price_e5, loss_ratio_e4 = key
        if energy_e4kwh > 0:
            lines.append(
                Line(
                    rate, loss_adjusted_e4kwh_half_up(energy_e4kwh, loss_ratio_e4), energy_price_e5, service_price_e5,
                    -service_factor, -energy_factor,
                )
            )
    return lines


def billed(lines):
    """The total of lines by rule B-1."""
    energy_e4yuan = sum(line.energy_fee_e4yuan for line in lines)
    service_e4yuan = sum(line.service_fee_e4yuan for line in lines)
    amount_fen = e4yuan_to_fen_half_up(energy_e4yuan + service_e4yuan)
    energy_fee_fen = e4yuan_to_fen_half_up(energy_e4yuan)
    return Total(energy_fee_fen, amount_fen - energy_fee_fen, amount_fen)


def undiscounted_fen(lines):
    """What the same energy would have cost without campaigns, fen: one line for each rate and pair of prices."""
    return billed(undiscounted(lines)).amount_fen


def undiscounted(lines):
    """The lines of the same energy without campaigns, merged by rate and prices."""
    sums = {}
    for line in lines:
        key = (line.rate, line.energy_price_e5, line.service_price_e5)
        sums[key] = sums.get(key, 0) + line.energy_e4kwh
    return [Line(rate, energy, *prices) for (rate, *prices), energy in sums.items()]


def occupancy(busy_s, *, grace_min, bint is_threshold, price_per_min_e5, cap_fen, free_s):
    """(chargeable minutes, fee in fen) of a car that stays plugged in.

    Args:
        busy_s: (from, to) seconds between the end of charging and the unplugging.
        grace_min: minutes that are free; all of them are owed once exceeded when ``is_threshold``.
        price_per_min_e5: 0.00001 yuan per minute.
        cap_fen: highest fee, ``None`` for none.
        free_s: (from, to) seconds that are never charged.
    """
    chargeable_s = 0
    for start, stop in busy_s:
        if is_threshold:
            if stop - start <= 60 * grace_min:
                continue
        else:
            start = min(stop, start + 60 * grace_min)
        chargeable_s += stop - start
        for free_start, free_stop in free_s:
            chargeable_s -= max(0, min(stop, free_stop) - max(start, free_start))
    minutes = chargeable_s // 60
    fee_fen = (minutes * price_per_min_e5 + 500) // 1000
    return minutes, fee_fen if cap_fen is None else min(fee_fen, cap_fen)


def adjusted_fen(total_fen, *, energy_e4kwh, least_fen, most_fen):
    """The charging total within its minimum and maximum, fen; a bill without energy has no minimum."""
    if energy_e4kwh == 0:
        return total_fen
    if least_fen is not None:
        total_fen = max(total_fen, least_fen)
    return total_fen if most_fen is None else min(total_fen, most_fen)


def coupon_fen(face_fen, threshold_fen, *, charging_fen, service_fen, bint is_service_only):
    """How much of a coupon is used, fen; no change is given."""
    if charging_fen < threshold_fen:
        return 0
    return min(face_fen, service_fen if is_service_only else charging_fen)


def stop_margin_fen(*, rated_w, interval_s, price_e5):
    """What one sample period at rated power costs at most, fen, rounded up.

    W × s ÷ 3,600,000 = kWh; × 0.00001 yuan; ÷ 1000 = fen.
    """
    product = rated_w * interval_s * price_e5
    return -(-product // 3_600_000_000)

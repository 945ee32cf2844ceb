"""Energy that a pile booked by time, turned into energy by rate.

Some protocols tell a record's energy per half hour of the day, or per period of the tariff, and neither prices nor
amounts of its rates. What a rate got follows from the tariff that the pile was given; so do the prices it computed
with, cut to the decimals it carries. The record's total amount stays the pile's own, to be held against them.
"""

from __future__ import annotations

from billing_core.errors import TariffError
from billing_core.fixed import energy_fee_e4yuan
from billing_core.tariff import Rate, Tariff, pile_slots
from protocol.commands import runs_of
from protocol.dialect import Traits
from protocol.events import RecordReceived, RecordTier


def tiers_of(event: RecordReceived, tariff: Tariff | None, traits: Traits) -> tuple[RecordTier, ...]:
    """The record's energies by rate, in the order of rates.

    Energies that came by rate, but without a price, get the price alone.
    What the cutting of each slot hides is booked with the last one that was touched, as long as cutting alone can
    explain it. None without a tariff, or when energy was booked where the tariff has nothing.
    """
    if tariff is not None and not event.slots_e4kwh:
        return tuple(_tier(tariff, rate, tier.energy_e4kwh, traits) for rate, tier in enumerate(event.tiers))
    rates = _rates(tariff, are_periods=event.are_slots_periods)
    if tariff is None or rates is None:
        return ()
    touched = [at for at, energy in enumerate(event.slots_e4kwh) if energy]
    if touched and touched[-1] >= len(rates):
        return ()
    energies: dict[int, int] = {}
    for at in touched:
        energies[rates[at]] = energies.get(rates[at], 0) + event.slots_e4kwh[at]
    hidden = event.energy_e4kwh - sum(energies.values())
    if touched and 0 < hidden <= (len(touched) + 1) * event.slot_step_e4kwh:
        energies[rates[touched[-1]]] += hidden
    elif not touched and 0 < hidden <= event.slot_step_e4kwh:
        energies[rates[0]] = hidden
    count = max(tariff.prices_e5, default=0) + 1
    return tuple(_tier(tariff, rate, energies.get(rate, 0), traits) for rate in range(max(count, 4)))


def _rates(tariff: Tariff | None, *, are_periods: bool) -> list[int] | None:
    """The rate of every slot of a record."""
    if tariff is None:
        return None
    try:
        slots = pile_slots(tariff)
    except TariffError:
        return None
    return [rate for _, _, rate in runs_of(slots)] if are_periods else list(slots)


def _tier(tariff: Tariff, rate: int, energy_e4kwh: int, traits: Traits) -> RecordTier:
    energy_e5, service_e5 = tariff.prices_e5.get(Rate(rate), (0, 0))
    step_e5 = 10 ** (5 - traits.price_decimals)
    price_e5 = energy_e5 // step_e5 * step_e5 + (service_e5 // step_e5 * step_e5 if traits.has_service_price else 0)
    whole_e5 = (energy_e5 + service_e5) // step_e5 * step_e5
    return RecordTier(
        price_e5=price_e5 if price_e5 == whole_e5 else None,
        energy_e4kwh=energy_e4kwh,
        loss_energy_e4kwh=0,
        amount_e4yuan=energy_fee_e4yuan(energy_e4kwh, price_e5),
    )

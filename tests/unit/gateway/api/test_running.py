"""Live figures of a session."""

import asyncio
from decimal import Decimal

from gateway.clock import ScaledClock
from tests.support.desk import in_process
from tests.support.deskgateway import START_MS


def test_energy_time_and_fee_grow_with_the_samples(tmp_path):
    async def story():
        async with in_process(tmp_path, clock=ScaledClock(START_MS, 1)) as (desk, _):
            pile = await desk.pile(1)
            serial = await desk.start(pile)
            nothing = (await desk.get(f"/sessions/{serial}"))["live"]
            assert (nothing["energy_kwh"], nothing["amount"], nothing["duration_s"]) == ("0.0000", "0.00", 0)
            for energy, amount in ((10_000, "1.90"), (25_000, "4.75")):  # peak: 1.10 + 0.80 yuan
                pile.charge(serial, energy)
                shown = await desk.until(
                    f"/sessions/{serial}", lambda one, kwh=energy: one["live"]["energy_kwh"] == f"{kwh / 10_000:.4f}"
                )
                live = shown["live"]
                assert live["amount"] == amount
                assert Decimal(live["energy_fee"]) + Decimal(live["service_fee"]) == Decimal(amount)
            assert shown["state"] == "charging"

    asyncio.run(story())

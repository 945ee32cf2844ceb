"""Units and bounds, with the proof that every stored number fits 64 bits.

Energy is counted in 1e-4 kWh, prices in 1e-5 yuan per kWh, so their product is exact in 1e-9 yuan. What the wire
can carry bounds everything: 32 bits of energy and price per rate, five rates, a factor of at most one.
"""

from __future__ import annotations

E4 = 10_000
E5 = 100_000

ENERGY_E4KWH_MAX = 2**32 * 5  # five rates of a record, each of 32 bits
PRICE_E5_MAX = 2**32
FACTOR_E4_MAX = E4  # a campaign never raises a price
INT64_MAX = 2**63 - 1

FEE_NANO_MAX = ENERGY_E4KWH_MAX * PRICE_E5_MAX  # needs more than 64 bits: products are Python integers
AMOUNT_E4YUAN_MAX = 2 * FEE_NANO_MAX // 100_000 + 1
AMOUNT_FEN_MAX = AMOUNT_E4YUAN_MAX // 100 + 1

assert AMOUNT_E4YUAN_MAX < INT64_MAX, "amounts are stored in 64 bits"
assert AMOUNT_FEN_MAX < INT64_MAX, "amounts are stored in 64 bits"

DAY_MS = 86_400_000
MINUTE_MS = 60_000

"""The pile's tariff and its arithmetic."""

from gateway.simulator.rates import SLOT_MS, Rates, fee_e4yuan, next_slot_ms

RAW = {
    "model_no": "0100",
    "rates": [{"elec": 130_000, "service": 80_000}, {"elec": 110_000, "service": 80_000}],
    "slots": "00" * 20 + "01" * 28,
}


def test_fee_is_half_up():
    assert fee_e4yuan(1, 50_000) == 1
    assert fee_e4yuan(1, 49_999) == 0
    assert fee_e4yuan(100_000, 190_000) == 190_000


def test_rates_by_civil_time():
    rates = Rates.from_raw(RAW)
    assert rates.index_at(0) == 0
    assert rates.index_at(10 * 3_600_000 - 1) == 0
    assert rates.index_at(10 * 3_600_000) == 1
    assert rates.price_e5(1) == 190_000


def test_next_slot_is_later():
    assert next_slot_ms(0) == SLOT_MS
    assert next_slot_ms(SLOT_MS - 1) == SLOT_MS


def test_bill_rounds_each_line_then_the_total():
    rates = Rates.from_raw(RAW)
    # 12.3456 kWh: 16.04928 + 9.87648 -> 16.0493 + 9.8765 = 25.9258 -> 25.93
    assert rates.bill_fen([123_456, 0]) == 2_593
    assert rates.tier_amounts_e4yuan([123_456, 0]) == [259_258, 0]

from billing_core import units
from billing_core.pricing import Line, billed


def test_the_dearest_bill_of_the_widest_record_fits_64_bits():
    line = Line(0, units.ENERGY_E4KWH_MAX, units.PRICE_E5_MAX, units.PRICE_E5_MAX)
    assert line.energy_fee_e4yuan + line.service_fee_e4yuan <= units.AMOUNT_E4YUAN_MAX
    assert billed([line]).amount_fen <= units.AMOUNT_FEN_MAX < units.INT64_MAX


def test_the_scales_are_what_their_names_say():
    assert (units.E4, units.E5, units.MINUTE_MS, units.DAY_MS) == (10**4, 10**5, 60 * 1000, 24 * 60 * 60 * 1000)
    assert units.ENERGY_E4KWH_MAX == 5 * 2**32

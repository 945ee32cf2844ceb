"""Raw values of session frames."""

from gateway.simulator.plan import ClockFault
from gateway.simulator.wire import contradicting, stamp, vin_bytes
from protocol.dialects.ykc_times import pile_time
from protocol.events import TimeFault


def test_stamp_with_a_zero_date_keeps_the_time_of_day():
    reading = pile_time(stamp(86_400_000 * 20_000 + 3_723_000, ClockFault.ZERO_DATE))
    assert reading.fault is TimeFault.ZERO_DATE
    assert reading.time_of_day_ms == 3_723_000


def test_vin_bytes():
    assert vin_bytes("") == bytes(17)
    assert vin_bytes("LSIM1234567890123", is_reversed=True) == b"3210987654321MISL"


def test_contradicting_record_still_adds_up_and_leaves_the_original():
    tier = {"price_yuan_per_kwh": 1, "energy_kwh": 5, "loss_energy_kwh": 5, "amount_yuan": 1}
    raw = {
        "tiers": [dict(tier, energy_kwh=0), tier],
        "meter_end_kwh": 9,
        "energy_kwh": 5,
        "loss_energy_kwh": 5,
    }
    changed = contradicting(raw)
    assert sum(each["energy_kwh"] for each in changed["tiers"]) == changed["energy_kwh"] == 10_005
    assert changed["meter_end_kwh"] == 10_009
    assert raw["energy_kwh"] == 5
    assert tier["energy_kwh"] == 5

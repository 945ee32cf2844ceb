import pytest

from billing_core.live import LiveFee, live_fee, must_stop, stop_margin
from tests.support.evidence import END, MINUTE, START, TEN, book, charging, evidence, sample, tariff

RUNNING = {"record": None, "samples": charging(last=20)}


def test_what_a_running_charge_has_come_to():
    # 10 kWh at 1.10250 + 0.45000
    assert live_fee(evidence(**RUNNING)) == LiveFee(100_000, (TEN + 20 * MINUTE - START) // 1000, 1_103, 450, 1_553)


def test_before_anything_flows_it_has_come_to_nothing():
    assert live_fee(evidence(record=None, samples=())) == LiveFee(0, 0, 0, 0, 0)


def test_without_a_tariff_there_is_no_fee():
    found = live_fee(evidence(**RUNNING, tariffs=book(tariff(valid_from_ms=END))))
    assert found == LiveFee(100_000, 1205, None, None, None)


def test_a_counter_that_ran_back_costs_nothing_negative():
    samples = (sample(0, 0), sample(10, 50_000), sample(11, 10_000))
    found = live_fee(evidence(record=None, samples=samples))
    assert found.amount_fen >= 0
    assert found.energy_e4kwh == 10_000


@pytest.mark.parametrize(("rated_w", "margin"), [(60_000, 47), (120_000, 93), (7_000, 6), (None, 0)])
def test_the_margin_is_a_sample_period_at_the_dearest_price(rated_w, margin):
    # 60 kW over 15 s is 0.25 kWh; sharp costs 1.85810
    one = evidence(pile={"rated_w": rated_w})
    assert stop_margin(one, tariff()) == margin


@pytest.mark.parametrize(
    ("balance_fen", "stops"),
    [(1_601, False), (1_600, True), (1_599, True), (1, True), (0, False), (-1, False), (20_000, False)],
)
def test_a_charge_stops_a_margin_before_its_balance(balance_fen, stops):
    # 15.53 yuan and 0.47 make 16.00
    assert must_stop(evidence(**RUNNING), balance_fen) is stops


def test_nothing_stops_without_price_or_sample():
    assert not must_stop(evidence(record=None, samples=()), 1)
    assert not must_stop(evidence(**RUNNING, tariffs=book(tariff(valid_from_ms=END))), 1)


def test_the_quick_bound_never_stops_later_than_the_fee_would():
    for minute in range(21):
        one = evidence(record=None, samples=charging(last=minute))
        fee = live_fee(one).amount_fen
        for balance_fen in range(max(fee + 30, 1), fee + 60):
            assert must_stop(one, balance_fen) is (fee + 47 >= balance_fen)

import dataclasses

import pytest

from billing_core.kinds import amounts
from billing_core.tariff import Campaign, Rate, TariffBook
from tests.support.evidence import (
    AUTHORISED,
    END,
    HOUR,
    MIDNIGHT,
    MINUTE,
    PRICES,
    START,
    TEN,
    book,
    codes,
    found,
    rest,
    sample,
    tariff,
    tiers,
)


def held(predicate, **changes):
    return found(predicate, **changes) is not None


def peak(**changes):
    """The tiers with another peak."""
    one = tiers(peak=200_000)
    return (one[0], dataclasses.replace(one[1], **changes), *one[2:])


def test_no_tariff_in_force_is_told_only_where_there_is_energy():
    later = book(tariff(valid_from_ms=END))
    assert held(amounts.tariff_missing, tariffs=later)
    assert held(amounts.tariff_missing, tariffs=TariffBook((), ()))
    assert not held(amounts.tariff_missing)
    assert not held(amounts.tariff_missing, tariffs=later, samples=(), record=None)


@pytest.mark.parametrize(("energy", "holds"), [(100, False), (101, True)])
def test_energy_without_an_amount_is_more_than_a_register_hides(energy, holds):
    samples = (sample(0, 0), sample(39, 50), rest(40))
    changes = {"record": {"energy": energy, "amount_e4yuan": 0}, "samples": samples}
    assert held(amounts.amount_zero_with_energy, **changes) is holds


def test_free_energy_has_no_amount():
    free = book(tariff(prices_e5={**PRICES, Rate.PEAK: (0, 0)}))
    assert not held(amounts.amount_zero_with_energy, record={"amount_e4yuan": 0}, tariffs=free)
    assert held(amounts.amount_zero_with_energy, record={"amount_e4yuan": 0, "tiers": tiers()}, tariffs=free)
    assert held(amounts.amount_zero_with_energy, record={"amount_e4yuan": 0}, tariffs=TariffBook((), ()))
    assert held(amounts.amount_zero_with_energy, record={"amount_e4yuan": 0})


@pytest.mark.parametrize(("amount", "holds"), [(0, False), (1, True)])
def test_an_amount_needs_energy(amount, holds):
    changes = {"record": {"energy": 0, "amount_e4yuan": amount}, "samples": ()}
    assert held(amounts.amount_without_energy, **changes) is holds
    assert not held(amounts.amount_without_energy)


@pytest.mark.parametrize(("value", "holds"), [(2**31 - 1, False), (2**31, True)])
@pytest.mark.parametrize("field", ["amount_e4yuan", "price_e5"])
def test_above_31_bits_a_number_is_negative(field, value, holds):
    assert held(amounts.negative_amount, record={"tiers": peak(**{field: value}), "amount_e4yuan": 1}) is holds
    assert held(amounts.negative_amount, record={"amount_e4yuan": value}) is holds


@pytest.mark.parametrize(("price_e5", "holds"), [(44_999, True), (45_000, False), (0, True), (None, False)])
def test_a_price_below_the_service_price_is_negative(price_e5, holds):
    assert held(amounts.negative_amount, record={"tiers": peak(price_e5=price_e5)}) is holds


def test_an_unused_rate_has_no_price_to_be_wrong():
    one = tiers(peak=200_000)
    unused = {"tiers": (dataclasses.replace(one[0], price_e5=0), *one[1:])}
    assert codes(record=unused) == set()


@pytest.mark.parametrize(
    ("amount", "holds"),
    [(310_501, False), (310_502, True), (310_499, False), (310_498, True)],
)
def test_a_line_is_exact_to_a_ten_thousandth(amount, holds):
    assert held(amounts.amount_recompute_mismatch, record={"tiers": peak(amount_e4yuan=amount)}) is holds


@pytest.mark.parametrize(("amount", "holds"), [(310_600, False), (310_400, False), (310_700, True), (310_300, True)])
def test_whole_fen_may_be_a_fen_off(amount, holds):
    assert held(amounts.amount_recompute_mismatch, record={"tiers": peak(amount_e4yuan=amount)}) is holds


@pytest.mark.parametrize(("tolerance", "holds"), [(200, False), (199, True)])
def test_a_configured_tolerance_of_a_line_stands(tolerance, holds):
    changes = {"record": {"tiers": peak(amount_e4yuan=310_700)}, "tolerances": {"amount_line_e4yuan": tolerance}}
    assert held(amounts.amount_recompute_mismatch, **changes) is holds


@pytest.mark.parametrize(("total", "holds"), [(310_600, False), (310_601, True), (310_400, False), (310_399, True)])
def test_the_total_is_the_sum_to_a_fen(total, holds):
    assert held(amounts.amount_recompute_mismatch, record={"amount_e4yuan": total}) is holds


def test_a_line_is_reckoned_on_what_the_pile_adjusted_for_losses():
    adjusted = {"tiers": peak(loss_energy_e4kwh=206_000, amount_e4yuan=319_815)}
    assert not held(amounts.amount_recompute_mismatch, record=adjusted)
    assert held(amounts.amount_recompute_mismatch, record={"tiers": peak(loss_energy_e4kwh=206_000)})


def test_a_price_that_was_not_told_is_not_reckoned_with():
    assert not held(amounts.amount_recompute_mismatch, record={"tiers": peak(price_e5=None)})
    assert not held(amounts.price_not_in_tariff, record={"tiers": peak(price_e5=None)})


@pytest.mark.parametrize(
    ("amount", "holds"),
    [
        (310_549, False),
        (310_550, True),
        (310_749, True),
        (310_750, False),
        (310_450, False),
        (310_449, True),
        (310_250, True),
        (310_249, False),
    ],
)
def test_a_drift_is_at_most_a_fen_a_line_and_one(amount, holds):
    # one line: up to two fen
    assert held(amounts.rounding_drift, record={"amount_e4yuan": amount}) is holds


def test_a_drift_gives_way_to_every_graver_fault_of_amounts():
    assert codes(record={"amount_e4yuan": 310_550}) == {"rounding_drift"}
    assert codes(record={"amount_e4yuan": 311_500}) == {"amount_recompute_mismatch"}


@pytest.mark.parametrize(("price_e5", "holds"), [(155_250, False), (155_251, True), (155_249, True)])
def test_a_price_is_the_tariff_s_to_the_last_digit(price_e5, holds):
    assert held(amounts.price_not_in_tariff, record={"tiers": peak(price_e5=price_e5)}) is holds


@pytest.mark.parametrize(
    ("decimals", "price_e5", "holds"),
    [
        (3, 155_200, False),
        (3, 155_250, True),
        (4, 155_250, False),
        (2, 155_000, False),
        (5, 155_250, False),
        (6, 155_250, False),
        (None, 155_200, True),
    ],
)
def test_a_pile_that_keeps_fewer_decimals_cuts_its_prices(decimals, price_e5, holds):
    changes = {"record": {"tiers": peak(price_e5=price_e5)}, "pile": {"price_decimals": decimals}}
    assert held(amounts.price_not_in_tariff, **changes) is holds


DEARER = tariff(model_no="0002", valid_from_ms=TEN + 20 * MINUTE, prices_e5={**PRICES, Rate.PEAK: (110_250, 45_001)})


def test_where_each_slot_has_its_own_tariff_any_of_the_session_counts():
    newer = {"record": {"tiers": peak(price_e5=155_251)}, "tariffs": book(tariff(), DEARER)}
    assert held(amounts.price_not_in_tariff, **newer)
    assert not held(amounts.price_not_in_tariff, **newer, tariff_binding="instant")
    newer["record"] = {"tiers": peak(price_e5=155_252)}
    assert held(amounts.price_not_in_tariff, **newer, tariff_binding="instant")


# 20 kWh: 0.1 kWh and one percent are 0.3 kWh
@pytest.mark.parametrize(("moved", "holds"), [(3_000, False), (3_001, True)])
def test_a_rate_s_energy_is_what_the_samples_show(moved, holds):
    changes = {"tiers": tiers(peak=200_000 - moved, flat=moved)}
    assert held(amounts.tou_split_mismatch, record=changes) is holds
    assert not held(amounts.tou_split_mismatch, record=changes, samples=())


@pytest.mark.parametrize(("from_ms", "holds"), [(START, False), (START + 1, True), (END - 1, True), (END, False)])
def test_a_tariff_that_comes_into_force_meanwhile_is_told(from_ms, holds):
    newer = tariff(model_no="0002", valid_from_ms=from_ms)
    bound_before = {"authorisation": {"at_ms": AUTHORISED}}
    assert held(amounts.tariff_changed_mid_session, tariffs=book(tariff(), newer), **bound_before) is holds


def test_a_tariff_for_others_changes_nothing():
    other = tariff(model_no="0002", valid_from_ms=TEN + MINUTE, scope=("elsewhere",))
    assert not held(amounts.tariff_changed_mid_session, tariffs=book(tariff(), other))


BALANCE = {"authorisation": {"balance_fen": 3_000}}


@pytest.mark.parametrize(
    ("amount", "holds"), [(300_000, True), (300_100, True), (300_101, False), (299_900, True), (299_899, False)]
)
def test_a_clamp_is_the_balance_to_a_fen(amount, holds):
    one = {"stop_kind": "balance", "amount_e4yuan": amount}
    assert held(amounts.amount_clamped_at_balance, record=one, **BALANCE) is holds
    assert held(amounts.amount_recompute_mismatch, record=one, **BALANCE) is not holds
    assert not held(amounts.amount_clamped_at_balance, record={**one, "stop_kind": "other"}, **BALANCE)
    assert not held(amounts.amount_clamped_at_balance, record=one, authorisation=None)


def test_a_balance_of_zero_is_not_told_and_clamps_nothing():
    one = {"stop_kind": "balance", "amount_e4yuan": 50}
    assert not held(amounts.amount_clamped_at_balance, record=one, authorisation={"balance_fen": 0})
    assert held(amounts.amount_clamped_at_balance, record=one, authorisation={"balance_fen": 1})


def test_nothing_is_clamped_below_what_was_due():
    one = {"stop_kind": "balance"}
    assert not held(amounts.amount_clamped_at_balance, record=one, authorisation={"balance_fen": 3_105})
    one["amount_e4yuan"] = 310_499
    assert held(amounts.amount_clamped_at_balance, record=one, authorisation={"balance_fen": 3_105})


HALF_PRICE = Campaign("half", "service", 5_000, TEN - HOUR, TEN + HOUR, ("*",))


@pytest.mark.parametrize(("price_e5", "holds"), [(132_749, True), (132_750, False), (155_250, False), (None, False)])
def test_a_campaign_on_the_service_leaves_the_energy_fee(price_e5, holds):
    # 1.10250 + 0.45000 / 2 = 1.32750
    changes = {"record": {"tiers": peak(price_e5=price_e5)}, "tariffs": book(campaigns=[HALF_PRICE])}
    assert held(amounts.discount_misapplied, **changes) is holds


@pytest.mark.parametrize(
    "campaign",
    [
        Campaign("half", "both", 5_000, TEN - HOUR, TEN + HOUR, ("*",)),
        Campaign("half", "energy", 5_000, TEN - HOUR, TEN + HOUR, ("*",)),
        Campaign("half", "service", 5_000, START + 1, TEN + HOUR, ("*",)),
        Campaign("half", "service", 5_000, TEN - HOUR, START, ("*",)),
        Campaign("half", "service", 5_000, TEN - HOUR, TEN + HOUR, ("elsewhere",)),
    ],
)
def test_only_a_service_campaign_at_the_start_can_be_misapplied(campaign):
    changes = {"record": {"tiers": peak(price_e5=77_625)}, "tariffs": book(campaigns=[campaign])}
    assert not held(amounts.discount_misapplied, **changes)


def test_what_is_normal_is_told_as_normal():
    assert held(amounts.service_split_missing)
    assert not held(amounts.service_split_missing, record=None)
    assert not held(amounts.service_split_missing, tariffs=TariffBook((), ()))
    assert held(amounts.cross_period), "from 09:59:55 on"
    assert not held(amounts.cross_period, start_accepted_at_ms=TEN)
    assert not held(amounts.cross_midnight)


@pytest.mark.parametrize(("ended_ms", "holds"), [(MIDNIGHT, True), (MIDNIGHT - 1, False)])
def test_midnight_belongs_to_the_new_day(ended_ms, holds):
    changes = {
        "samples": (),
        "start_accepted_at_ms": None,
        "record": {"started_ms": MIDNIGHT - HOUR, "ended_ms": ended_ms},
    }
    assert held(amounts.cross_midnight, **changes) is holds


def test_times_that_cannot_be_span_nothing():
    changes = {"samples": (), "record": {"started_ms": MIDNIGHT - HOUR, "ended_ms": MIDNIGHT - 2 * HOUR}}
    assert not held(amounts.cross_midnight, **changes)
    assert not held(amounts.cross_period, **changes)


def test_no_record_has_no_amounts():
    names = [name for name, each in vars(amounts).items() if getattr(each, "__module__", "") == amounts.__name__]
    told = {
        name for name in names if not name.startswith("_") and name not in ("line_tolerance", "gross_fen", "is_clamped")
    }
    assert len(told) == 14
    assert {name for name in told if held(getattr(amounts, name), record=None)} == {"cross_period"}

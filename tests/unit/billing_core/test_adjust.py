import pytest

from billing_core.adjust import Adjustment, adjustments_of, billed_energy, excess_fen, is_stay_too_long, occupied
from billing_core.occupancy import OccupancyFee, OccupancyTerms
from billing_core.pricing import Line
from tests.support.evidence import DAY, END, HOUR, MINUTE, TEN, evidence, reckoned

TERMS = OccupancyTerms(price_per_min_e5=20_000, cap_fen=3_000)
FEE = OccupancyFee(END, END + HOUR, 45, 900)
PEAK = [Line(1, 200_000, 110_250, 45_000)]


def excess(total_fen, *, balance_fen=2_000, lines=PEAK, **changes):
    return excess_fen(evidence(authorisation={"balance_fen": balance_fen}, **changes), lines, total_fen)


@pytest.mark.parametrize(
    ("total_fen", "wanted"),
    [(1_999, (0, False)), (2_000, (0, False)), (2_001, (1, False)), (2_050, (50, False)), (2_051, (0, True))],
)
def test_half_a_yuan_above_the_balance_is_the_operator_s(total_fen, wanted):
    assert excess(total_fen) == wanted


@pytest.mark.parametrize(("total_fen", "wanted"), [(2_078, (78, False)), (2_079, (0, True))])
def test_or_one_sample_period_at_rated_power(total_fen, wanted):
    # 120 kW over 15 s is 0.5 kWh at 1.55250: 0.77625, rounded up
    assert excess(total_fen, pile={"rated_w": 120_000}) == wanted
    assert excess(total_fen, pile={"rated_w": None}) == (0, True)
    assert excess(total_fen, pile={"rated_w": 120_000}, lines=[]) == (0, True)


def test_the_dearest_line_counts():
    lines = [*PEAK, Line(0, 1, 310_500, 0)]
    assert excess(2_078, lines=lines) == (78, False)


def test_no_balance_bounds_nothing():
    assert excess(10**6, balance_fen=0) == (0, False)
    assert excess_fen(evidence(authorisation=None), PEAK, 10**6) == (0, False)


def test_energy_is_billed_until_a_minute_behind_an_ignored_stop():
    one = evidence(stop_accepted_at_ms=TEN + 19 * MINUTE)
    findings = reckoned(stop_accepted_at_ms=TEN + 19 * MINUTE).findings
    assert billed_energy(one, findings, {"stop_ignored"}) == 100_000
    assert billed_energy(one, findings, set()) == 200_000
    assert billed_energy(evidence(), findings, {"stop_ignored"}) == 200_000


@pytest.mark.parametrize(("left_ms", "is_fee"), [(END - 1, False), (END, False), (END + 1, True), (None, False)])
def test_a_stay_begins_behind_the_end(left_ms, is_fee):
    findings = reckoned().findings
    assert (occupied(evidence(occupancy=TERMS, unplugged_at_ms=left_ms), findings) is not None) is is_fee
    assert occupied(evidence(unplugged_at_ms=left_ms), findings) is None


def test_the_fee_of_a_stay():
    one = {"occupancy": TERMS, "unplugged_at_ms": END + HOUR}
    assert occupied(evidence(**one), reckoned().findings) == FEE
    assert occupied(evidence(**one, samples=()), reckoned(samples=()).findings) is None


@pytest.mark.parametrize(("length_ms", "holds"), [(DAY, False), (DAY + 1, True)])
def test_a_stay_of_more_than_a_day_is_for_a_person(length_ms, holds):
    one = evidence(occupancy=TERMS)
    assert is_stay_too_long(one, OccupancyFee(END, END + length_ms, 0, 0)) is holds
    assert not is_stay_too_long(one, None)
    assert not is_stay_too_long(evidence(), OccupancyFee(END, END + length_ms, 0, 0))
    told = reckoned(occupancy=TERMS, unplugged_at_ms=END + length_ms).verdict.reasons
    assert ("stay_too_long" in told) is holds


def test_the_lines_beside_the_fees_in_their_order():
    assert adjustments_of(0, 0, None) == ()
    assert adjustments_of(0, 0, OccupancyFee(END, END + MINUTE, 0, 0)) == ()
    assert adjustments_of(5, 18, FEE) == (
        Adjustment("operator_loss", energy_e4kwh=5),
        Adjustment("operator_borne", amount_fen=-18),
        Adjustment("occupancy", amount_fen=900, minutes=45, from_ms=END, to_ms=END + HOUR),
    )


def test_x12_what_exceeds_a_prepaid_balance():
    # 13.0000 kWh at peak prices are 20.18 yuan
    samples = tuple(each for each in evidence().samples if each.energy_e4kwh <= 127_000 and each.is_charging)
    one = {"energy": 130_000, "ended_ms": samples[-1].at_ms + 30_000, "rx_ms": samples[-1].at_ms + 40_000}
    done = reckoned(samples=samples, record=one, authorisation={"balance_fen": 2_000})
    assert [(each.kind, each.amount_fen) for each in done.adjustments] == [("operator_borne", -18)]
    assert "balance_exceeded" not in done.verdict.reasons

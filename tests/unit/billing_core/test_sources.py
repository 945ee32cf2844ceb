import dataclasses

import pytest

from billing_core.evidence import BmsEnd
from billing_core.findings import derive
from billing_core.sources import (
    Registers,
    Source,
    chain_of,
    choose_record,
    gap_of,
    is_inside,
    proves_zero,
    record_sources,
    registers_of,
    scale_of,
    scaled,
)
from tests.support.evidence import (
    END,
    HOUR,
    TEN,
    before,
    evidence,
    other_content,
    reckoned,
    record,
    rest,
    sample,
    tiers,
)

HALF = 100
WINDOW = (194_900, 205_100)


def ranks(**changes):
    """(rank, name, energy, percent) of every source, best first."""
    return [dataclasses.astuple(source) for source in derive(evidence(**changes)).sources]


def accepted(**changes):
    found = derive(evidence(**changes))
    return found.energy_basis, found.energy_e4kwh, found.energy_percent


def must_weigh(**changes):
    return derive(evidence(**changes)).must_weigh


@pytest.mark.parametrize(("energy", "holds"), [(194_899, False), (194_900, True), (205_100, True), (205_101, False)])
def test_a_window_holds_its_borders(energy, holds):
    assert is_inside(energy, WINDOW) is holds
    assert is_inside(energy, None)
    assert is_inside(energy, (194_900, None)) is (energy >= 194_900)


def test_every_source_of_the_clean_charge():
    told = ranks(
        meter_start_next_e4kwh=10_200_050,
        bms_end=BmsEnd(END, 60, 201_000),
        nominal_e4kwh=500_000,
    )
    assert told == [
        (1, "register_pair", 200_000, 99),
        (3, "register_chain", 200_050, 97),
        (4, "record_alone", 200_000, 90),
        (5, "last_sample", 195_000, 90),
        (6, "bms_total", 200_000, 75),
        (7, "vi_integral", 185_250, 60),
        (8, "soc_estimate", 195_000, 40),
    ]


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        ({}, ("register_pair", 200_000, 99)),
        ({"previous": before(meter_stop_e4kwh=10_000_000 - HALF)}, ("register_pair", 200_000, 99)),
        ({"previous": before(meter_stop_e4kwh=10_000_000 - HALF - 1)}, ("record_total", 200_000, 97)),
        ({"previous": None}, ("record_total", 200_000, 97)),
        ({"previous": None, "meter_start_next_e4kwh": 10_200_000 + HALF}, ("register_pair", 200_000, 99)),
        ({"previous": None, "meter_start_next_e4kwh": 10_200_000 + HALF + 1}, ("record_total", 200_000, 97)),
        ({"record": {"meter_stop_e4kwh": 10_200_000 + HALF}}, ("register_pair", 200_100, 99)),
        # register and total disagree: the smaller one that the samples admit
        ({"record": {"meter_stop_e4kwh": 10_200_000 + HALF + 1}}, ("record_alone", 200_000, 90)),
        ({"record": {"meter_stop_e4kwh": 10_200_000 - HALF - 1}}, ("register_pair", 199_899, 90)),
        ({"record": {"energy_e4kwh": 300_000}}, ("register_pair", 200_000, 90)),
        ({"record": {"meter_start_e4kwh": 0, "meter_stop_e4kwh": 0}}, ("record_alone", 200_000, 90)),
        ({"record": {"energy": 300_000}}, ("last_sample", 195_000, 90)),
        ({"record": None}, ("last_sample", 195_000, 90)),
        ({"record": None, "meter_start_next_e4kwh": 10_199_000}, ("register_chain", 199_000, 97)),
        ({"record": None, "meter_start_next_e4kwh": 10_205_101}, ("last_sample", 195_000, 90)),
        ({"record": None, "meter_start_next_e4kwh": 9_999_999}, ("last_sample", 195_000, 90)),
    ],
)
def test_the_first_source_that_the_samples_admit_is_accepted(changes, source):
    assert accepted(**changes) == source


def test_a_record_that_lost_its_energy_goes_to_the_chain_then_to_the_last_sample():
    lost = {"energy_e4kwh": HALF, "tiers": tiers(), "meter_stop_e4kwh": 10_200_000}
    assert accepted(record=lost) == ("last_sample", 195_000, 90)
    assert accepted(record=lost, meter_start_next_e4kwh=10_200_500) == ("register_chain", 200_500, 97)
    assert accepted(record={**lost, "energy_e4kwh": HALF + 1}) == ("register_pair", 200_000, 90)


@pytest.mark.parametrize(("following", "holds"), [(10_199_800, False), (10_199_799, True)])
def test_a_pair_above_the_chain_is_more_than_the_meter_counted(following, holds):
    assert must_weigh(meter_start_next_e4kwh=following) is holds


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, False),
        ({"previous": None}, False),
        ({"record": {"meter_start_e4kwh": 0, "meter_stop_e4kwh": 0}}, True),
        ({"record": None, "meter_start_next_e4kwh": 10_200_000}, False),
        ({"record": None, "bms_end": BmsEnd(END, 60, 201_000)}, True),
    ],
)
def test_without_samples_rank_four_and_worse_are_for_a_person(changes, holds):
    assert must_weigh(samples=(), **changes) is holds


def test_nothing_at_all_is_for_a_person():
    nothing = {"samples": (), "record": None, "authorisation": None}
    assert accepted(**nothing) == ("none", 0, 0)
    assert must_weigh(**nothing)


def test_a_state_of_charge_alone_is_always_for_a_person():
    back = before(meter_stop_e4kwh=10_300_000)
    assert ranks(record=None, previous=back)[-1][1] == "vi_integral"
    estimate = {"samples": (), "record": None, "authorisation": None, "bms_end": BmsEnd(END, 60, 500)}
    assert ranks(**estimate) == [(6, "bms_total", 0, 75)]


@pytest.mark.parametrize(
    ("first", "last", "nominal", "told"),
    [
        (20, 60, 500_000, [200_000]),
        (60, 20, 500_000, []),
        (20, 20, 500_000, [0]),
        (20, 60, None, []),
        (0, 60, 500_000, []),
    ],
)
def test_an_estimate_needs_two_states_that_do_not_fall(first, last, nominal, told):
    samples = (sample(0, soc_percent=first), sample(39, soc_percent=last), rest(40))
    assert [
        energy for _, name, energy, _ in ranks(samples=samples, nominal_e4kwh=nominal) if name == "soc_estimate"
    ] == told


# -- scale ----------------------------------------------------------------------------------------------


def tenth(**changes):
    values = {"meter_start_e4kwh": 1_000_000, "meter_stop_e4kwh": 1_020_000, "energy_e4kwh": 20_000, **changes}
    return record(tiers=tiers(peak=20_000), **values)


@pytest.mark.parametrize(
    ("one", "factor"),
    [
        (record(), None),
        (tenth(), (10, 1)),
        (tenth(meter_start_e4kwh=0, meter_stop_e4kwh=0), None),
        # the former reading bears it out to half a digit, the difference need not
        (tenth(meter_stop_e4kwh=1_500_000), (10, 1)),
        (tenth(meter_start_e4kwh=1_000_010, meter_stop_e4kwh=1_500_000), (10, 1)),
        (tenth(meter_start_e4kwh=1_000_011, meter_stop_e4kwh=1_500_000), None),
        # or the difference does
        (tenth(meter_start_e4kwh=5_000_000, meter_stop_e4kwh=5_020_010), (10, 1)),
        (tenth(meter_start_e4kwh=5_000_000, meter_stop_e4kwh=5_020_011), None),
        (tenth(energy_e4kwh=19_489), None),  # ten times it is a unit below the window
        (tenth(energy_e4kwh=19_490, meter_stop_e4kwh=1_019_490), (10, 1)),
        (tenth(energy_e4kwh=20_510, meter_stop_e4kwh=1_020_510), (10, 1)),
        (tenth(energy_e4kwh=20_511, meter_stop_e4kwh=1_020_511), None),
    ],
)
def test_a_decimal_error_needs_samples_and_registers(one, factor):
    assert scale_of(evidence(), one, WINDOW, HALF) == factor
    assert scale_of(evidence(), one, None, HALF) is None


@pytest.mark.parametrize("factor", [(1, 1000), (1, 100), (1, 10), (10, 1), (100, 1), (1000, 1)])
def test_every_factor_of_ten_is_tried(factor):
    times, over = factor
    energy, start = 200_000 * over // times, 10_000_000 * over // times
    one = record(energy=energy, meter_start_e4kwh=start)
    assert scale_of(evidence(), one, WINDOW, HALF) == factor
    mended = scaled(one, factor)
    assert (mended.energy_e4kwh, mended.meter_start_e4kwh, mended.meter_stop_e4kwh) == (200_000, 10_000_000, 10_200_000)
    assert abs(mended.amount_e4yuan - 310_500) <= 500
    assert [tier.price_e5 for tier in mended.tiers] == [tier.price_e5 for tier in one.tiers]
    assert sum(tier.energy_e4kwh for tier in mended.tiers) == 200_000


def test_a_register_that_joins_the_former_one_needs_no_factor():
    lost = (0, 20_000)  # a single reading of nothing: a thousandth of any charge would fit
    assert scale_of(evidence(), record(), lost, HALF) is None
    assert scale_of(evidence(), record(meter_start_e4kwh=10_000_000 + HALF), lost, HALF) is None
    assert scale_of(evidence(), record(meter_start_e4kwh=10_000_000 + HALF + 1), lost, HALF) == (1, 1000)
    found = derive(evidence(samples=(sample(39, 0), rest(40)), record={}))
    assert (found.energy_basis, found.energy_e4kwh, found.scale) == ("last_sample", 0, None)


def test_without_rated_power_only_the_former_register_bears_a_factor_out():
    open_above = (194_900, None)
    short = record(energy=194_000)  # a little less than the last sample, and no decimal error at all
    assert scale_of(evidence(), short, open_above, HALF) is None
    assert scale_of(evidence(), tenth(), open_above, HALF) == (10, 1)
    assert scale_of(evidence(previous=None), tenth(), open_above, HALF) is None
    found = derive(evidence(record={"energy": 194_000}, pile={"rated_w": None}))
    assert (found.energy_basis, found.energy_e4kwh, found.scale) == ("last_sample", 195_000, None)


def test_of_several_factors_the_smallest():
    # 0 kWh to 2 kWh: a hundredth and a tenth fit
    assert scale_of(evidence(), record(energy=100_000, meter_start_e4kwh=0), (0, 20_000), HALF) == (1, 1000)


def test_a_mended_decimal_is_97_percent_sure():
    one = dataclasses.asdict(tenth())
    changes = {name: one[name] for name in ("meter_start_e4kwh", "meter_stop_e4kwh", "energy_e4kwh")}
    assert accepted(record=changes) == ("register_pair", 200_000, 97)


# -- registers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "stop", "registers"),
    [
        (0, 0, Registers(None)),
        (10_000_000, 10_200_000, Registers(200_000)),
        (0, 10_200_000, Registers(200_000, is_placeholder=True)),
        (10_000_000, 10_000_000 - HALF, Registers(-HALF)),
        (10_000_000, 10_000_000 - HALF - 1, Registers(None, is_rollback=True)),
        (999_900_000, 100_000, Registers(200_000, is_rollover=True)),
        (999_900_000, 300_000, Registers(None, is_rollback=True)),
    ],
)
def test_how_far_a_register_moved(start, stop, registers):
    one = record(meter_start_e4kwh=start, meter_stop_e4kwh=stop)
    assert registers_of(evidence(), one, WINDOW, HALF) == registers


def test_without_a_window_no_register_rolls_over():
    one = record(meter_start_e4kwh=999_900_000, meter_stop_e4kwh=100_000)
    assert registers_of(evidence(), one, None, HALF).is_rollback


def test_a_negative_difference_is_no_source():
    found = record_sources(evidence(previous=None), record(energy_e4kwh=0, meter_stop_e4kwh=9_999_950), None, HALF)
    assert [source.energy_e4kwh for source in found] == [0, 0]


@pytest.mark.parametrize(
    ("changes", "gap"),
    [
        ({}, (0, 599_166)),
        ({"previous": before(stopped_ms=END)}, (0, 10_000)),
        ({"pile": {"rated_w": None}}, (0, 10_000)),
        ({"previous": before(meter_stop_e4kwh=9_000_000)}, (1_000_000, 599_166)),
        ({"previous": None}, None),
        ({"record": None}, None),
        ({"record": {"meter_start_e4kwh": 0, "meter_stop_e4kwh": 0}}, None),
    ],
)
def test_the_gap_before_a_charge(changes, gap):
    changed = evidence(**changes)
    found = derive(changed)
    assert gap_of(changed, found.record, found.seen.t_start_ms) == gap


def test_without_a_sight_of_the_start_the_record_s_own_counts_then_the_opening():
    one = evidence(previous=before(stopped_ms=TEN - HOUR))
    assert gap_of(one, record(), None) == (0, 600_000)
    assert gap_of(one, record(started_ms=None), None) == (0, 598_333)  # 59:50 at 60 kW


def test_a_chain_needs_both_neighbours():
    assert chain_of(evidence()) is None
    assert chain_of(evidence(previous=None, meter_start_next_e4kwh=10_200_000)) is None
    assert chain_of(evidence(meter_start_next_e4kwh=10_200_000)) == 200_000


def test_a_register_that_ran_back_takes_the_chain_out():
    changes = {"record": {"meter_stop_e4kwh": 9_000_000}, "meter_start_next_e4kwh": 10_200_000}
    assert [rank for rank, *_ in ranks(**changes)] == [4, 5, 7]
    jumped = {"previous": before(meter_stop_e4kwh=1_000_000), "meter_start_next_e4kwh": 1_200_000}
    assert [name for _, name, *_ in ranks(**jumped)] == ["record_total", "record_alone", "last_sample", "vi_integral"]


def test_a_placeholder_is_billed_from_the_former_reading():
    changes = {"record": {"meter_start_e4kwh": 0, "meter_stop_e4kwh": 10_200_000, "energy_e4kwh": 10_200_000}}
    assert accepted(**changes) == ("register_pair", 200_000, 97)
    assert must_weigh(**changes, samples=())
    assert accepted(record={"meter_start_e4kwh": 0, "meter_stop_e4kwh": 10_200_000}) == ("register_pair", 200_000, 97)


# -- nothing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({"record": None}, True),
        ({"record": None, "authorisation": None}, False),
        ({"record": None, "bms_end": BmsEnd(END, 60, 0)}, False),
        ({"record": None, "meter_start_next_e4kwh": 10_000_000 + HALF}, True),
        ({"record": None, "meter_start_next_e4kwh": 10_000_000 + HALF + 1}, False),
        ({"record": {"energy": 0}}, True),
        ({"record": {"energy": HALF}}, True),
        ({"record": {"energy": HALF + 1}}, False),
        ({"record": {"energy_e4kwh": 0}}, True),
        ({"record": {"energy_e4kwh": 5, "meter_start_e4kwh": 0, "meter_stop_e4kwh": 0}}, False),
        ({}, False),
    ],
)
def test_nothing_was_charged(changes, holds):
    one = evidence(samples=(), **changes)
    found = derive(one)
    assert proves_zero(one, found.record, found.seen, HALF) is holds
    assert (found.energy_basis == "never_started") is holds


def test_a_sample_refutes_that_nothing_was_charged():
    one = evidence(record={"energy": 0})
    assert not proves_zero(one, record(energy=0), derive(one).seen, HALF)


# -- several records ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("energies", "index", "must"),
    [
        ((200_000,), 0, False),
        ((), None, False),
        ((200_000, 300_000), 0, False),
        ((300_000, 200_000), 1, False),
        ((200_000, 201_000), 0, True),
        ((300_000, 400_000), 0, True),
    ],
)
def test_of_different_records_the_best_source_wins(energies, index, must):
    records = [other_content(record(energy=energy)) for energy in energies]
    assert choose_record(evidence(), records, WINDOW, HALF) == (index, must)


def test_a_better_rank_wins_over_an_earlier_arrival():
    worse = record(meter_start_e4kwh=10_000_500)
    assert choose_record(evidence(), [worse, record()], WINDOW, HALF) == (1, False)
    both = (worse, other_content(record(energy=201_000)))
    assert reckoned(records=both).findings.energy_e4kwh == 201_000


def test_a_source_is_what_it_says():
    assert Source(1, "register_pair", 5, 99) == derive(evidence(record={"energy": 5}, samples=())).sources[0]

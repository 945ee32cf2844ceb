import pytest

from billing_core.findings import (
    EPOCH_2016_MS,
    are_times_plausible,
    derive,
    energy_until,
    filled_losses,
    sampled_by_rate,
    stop_limit_ms,
    timeline_of,
)
from billing_core.tariff import Rate
from tests.support.evidence import (
    ARRIVED,
    AUTHORISED,
    END,
    HOUR,
    LAST,
    MINUTE,
    START,
    TEN,
    book,
    evidence,
    record,
    rest,
    sample,
    tariff,
    tiers,
)

CLOCK = 180_000


def findings(**changes):
    return derive(evidence(**changes))


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"started_ms": None}, False),
        ({"ended_ms": None}, False),
        ({"ended_ms": TEN}, True),
        ({"ended_ms": TEN - 1}, False),
        ({"ended_ms": ARRIVED + CLOCK}, True),
        ({"ended_ms": ARRIVED + CLOCK + 1}, False),
        ({"started_ms": EPOCH_2016_MS}, True),
        ({"started_ms": EPOCH_2016_MS - 1}, False),
    ],
)
def test_plausible_times(changes, holds):
    assert are_times_plausible(evidence(), record(**changes)) is holds
    assert findings(record=changes).times_hold is holds


@pytest.mark.parametrize(
    ("changes", "offset_ms", "holds"),
    [
        ({}, None, True),
        ({"started_ms": START - CLOCK}, None, True),
        ({"started_ms": START - CLOCK - 1}, None, False),
        ({"ended_ms": END - CLOCK}, None, True),
        ({"ended_ms": END - CLOCK - 1}, None, False),
        ({"ended_ms": END - CLOCK - 1}, 0, True),  # a sync vouches for it
        ({"ended_ms": END - CLOCK - 1}, CLOCK, True),
        ({"ended_ms": END - CLOCK - 1}, -CLOCK - 1, False),
        ({"started_ms": START - CLOCK - 1}, 0, False),  # but not against what the gateway saw
        ({"ended_ms": None}, 0, False),
    ],
)
def test_a_clock_is_trusted_by_agreement_or_by_a_sync(changes, offset_ms, holds):
    assert findings(record=changes, clock_offset_ms=offset_ms).has_clock is holds


def test_without_samples_or_a_record_the_sync_alone_decides():
    assert findings(record=None, clock_offset_ms=0).has_clock
    assert not findings(record=None).has_clock
    assert findings(samples=(), clock_offset_ms=0).has_clock
    assert not findings(samples=()).has_clock


@pytest.mark.parametrize(
    ("changes", "behind_ms"),
    [
        ({}, ARRIVED - END),
        ({"record": None}, None),
        ({"samples": ()}, ARRIVED - END),
        ({"samples": (), "record": {"ended_ms": TEN + MINUTE}}, ARRIVED - TEN - MINUTE),
        ({"samples": (), "record": {"ended_ms": TEN}}, None),
        ({"samples": (), "record": {"ended_ms": None}}, None),
    ],
)
def test_how_late_a_record_came(changes, behind_ms):
    assert findings(**changes).behind_end_ms == behind_ms


NEWER = {"model_no": "0002", "prices_e5": dict.fromkeys(Rate, (1, 1))}


@pytest.mark.parametrize(
    ("changes", "from_ms", "is_newer"),
    [
        ({}, AUTHORISED, True),
        ({}, AUTHORISED + 1, False),
        ({"authorisation": None}, TEN, True),
        ({"authorisation": None}, TEN + 1, False),
        ({"authorisation": None, "samples": (), "record": {"started_ms": TEN + 5}}, TEN + 5, True),
        ({"authorisation": None, "samples": (), "record": {"started_ms": TEN + 5}}, TEN + 6, False),
        ({"authorisation": None, "samples": (), "record": {"ended_ms": None}, "opened_at_ms": 7}, 7, True),
        ({"authorisation": None, "samples": (), "record": {"ended_ms": None}, "opened_at_ms": 7}, 8, False),
    ],
)
def test_the_tariff_is_bound_at_the_authorisation_the_first_sample_or_the_record(changes, from_ms, is_newer):
    found = findings(**changes, tariffs=book(tariff(), tariff(valid_from_ms=from_ms, **NEWER)))
    assert (found.tariff.model_no == "0002") is is_newer


# -- nothing drawn ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("told_ms", "basis"), [(59_999, "register_pair"), (60_000, "record_total")])
def test_standing_still_takes_a_minute(told_ms, basis):
    one = {"energy": 100, "ended_ms": TEN + told_ms, "amount_e4yuan": 0}
    changes = {"samples": (sample(0, 0, current_da=0),), "at_ms": TEN + 30_000, "start_accepted_at_ms": None}
    found = findings(record={**one, "rx_ms": TEN + HOUR}, **changes)
    assert found.energy_basis == basis
    assert found.energy_e4kwh == (0 if basis == "record_total" else 100)


@pytest.mark.parametrize(("energy", "billed"), [(100, 0), (101, 101)])
def test_what_a_register_hides_is_no_energy_where_money_is_asked_for_it(energy, billed):
    found = findings(record={"energy": energy, "ended_ms": TEN + 30_000}, samples=())
    assert found.energy_e4kwh in (0, billed)
    short = {"samples": (sample(0, 90, at_ms=TEN),), "at_ms": TEN + 20_000, "start_accepted_at_ms": None}
    one = {"energy": energy, "ended_ms": TEN + 30_000, "rx_ms": TEN + 20_000, "amount_e4yuan": 1}
    assert findings(record=one, **short).energy_e4kwh == billed


def test_an_amount_without_energy_is_billed_as_nothing():
    found = findings(
        record={"energy": 100, "amount_e4yuan": 1}, samples=(sample(0, 90), sample(1, 90)), at_ms=TEN + MINUTE
    )
    assert (found.energy_e4kwh, found.energy_percent) == (0, 99)


# -- energy over time ---------------------------------------------------------------------------------------


def test_the_timeline_runs_from_the_start_to_the_end():
    found = findings()
    timeline = timeline_of(found.seen, 200_000)
    assert timeline[0] == (START, 0)
    assert timeline[1] == (TEN, 0)
    assert timeline[-2:] == [(LAST, 195_000), (END, 200_000)]
    assert timeline_of(findings(samples=()).seen, 5) == []


def test_an_answer_behind_the_first_sample_anchors_no_energy():
    found = findings(start_accepted_at_ms=TEN + MINUTE)
    assert timeline_of(found.seen, 200_000)[0] == (TEN - 1, 0)


def test_samples_of_one_moment_and_readings_that_fall_keep_the_highest():
    samples = (sample(0, 0), sample(1, 500), sample(1, 700), sample(2, 650), rest(3))
    timeline = timeline_of(findings(samples=samples, record=None).seen, 800)
    assert timeline[2:] == [(TEN + MINUTE, 700), (TEN + 2 * MINUTE, 700), (TEN + 3 * MINUTE, 800)]


@pytest.mark.parametrize(
    ("at_ms", "energy"),
    [(START, 0), (TEN + 90_000, 7_500), (LAST, 195_000), (LAST + 30_000, 197_500), (END, 200_000), (END + 1, 200_000)],
)
def test_energy_until_a_moment(at_ms, energy):
    assert energy_until(findings().seen, 200_000, at_ms) == energy
    assert energy_until(findings(samples=()).seen, 200_000, at_ms) == 200_000
    assert energy_until(findings().seen, 6_000, at_ms) == min(energy, 6_000)


def laid(**changes):
    return [(each.rate, each.energy_e4kwh) for each in findings(**changes).sampled if each.energy_e4kwh]


NOON = TEN + 2 * HOUR


def ending_at_noon(last_ms):
    """The last sample, with the link lost there: the rest of the energy is a tail."""
    return {
        "samples": (sample(0, 0), sample(1, 190_000, at_ms=last_ms)),
        "record": {"rx_ms": NOON + HOUR, "ended_ms": NOON},
        "at_ms": NOON + HOUR,
    }


@pytest.mark.parametrize(
    ("last_ms", "wanted"),
    [
        (NOON - 30_001, [(Rate.PEAK, 200_000)]),
        (NOON - 30_000, [(Rate.PEAK, 190_000), (Rate.FLAT, 10_000)]),
        (NOON - 1, [(Rate.PEAK, 190_000), (Rate.FLAT, 10_000)]),
    ],
)
def test_a_tail_costs_the_cheapest_rate_of_the_next_half_minute(last_ms, wanted):
    assert laid(**ending_at_noon(last_ms)) == wanted


def test_a_tail_at_the_last_rate_joins_it():
    samples = (sample(0, 0, at_ms=TEN - HOUR), sample(0, 50_000), sample(30, 190_000))
    one = {"started_ms": TEN - HOUR, "ended_ms": TEN + 35 * MINUTE, "rx_ms": TEN + 2 * HOUR}
    changes = {"samples": samples, "start_accepted_at_ms": TEN - HOUR, "record": one, "at_ms": TEN + 2 * HOUR}
    assert laid(**changes) == [(Rate.FLAT, 50_000), (Rate.PEAK, 150_000)]


def test_what_is_too_much_comes_off_the_end():
    # the link was lost behind 20 kWh at 12:05, the record has 19.5: it fits no window, the chain does
    samples = (sample(0, 0), sample(1, 190_000, at_ms=NOON), sample(2, 195_000, at_ms=NOON + 5 * MINUTE))
    changes = {"samples": samples, "record": None, "meter_start_next_e4kwh": 10_194_950, "at_ms": NOON + HOUR}
    assert laid(**changes) == [(Rate.PEAK, 190_000), (Rate.FLAT, 4_950)]


def test_a_reading_that_fell_below_the_border_gives_back():
    # the counter restarted and nothing bears it out: 2 kWh before ten, 0.5 kWh is what is accepted
    samples = (sample(0, 0, at_ms=TEN - HOUR), sample(0, 20_000, at_ms=TEN - 1), sample(10, 0), sample(11, 5_000))
    changes = {"samples": samples, "record": None, "previous": None, "start_accepted_at_ms": TEN - HOUR}
    found = findings(**changes, at_ms=TEN + HOUR)
    assert sum(each.energy_e4kwh for each in found.sampled) == found.energy_e4kwh == 5_000
    assert all(each.energy_e4kwh >= 0 for each in found.sampled)


def test_by_rate_and_by_nothing():
    assert sampled_by_rate(findings()) == {Rate.FLAT: 0, Rate.PEAK: 200_000}
    assert findings(tariffs=book(tariff(valid_from_ms=END))).sampled == ()
    assert findings(samples=()).sampled == ()


def test_losses_are_filled_where_any_is():
    assert not filled_losses(record())
    one = tiers(peak=5)[1]
    assert filled_losses(record(tiers=(type(one)(1, 0, 1, 0),)))


def test_a_confirmed_stop_leaves_a_minute():
    assert stop_limit_ms(evidence()) is None
    assert stop_limit_ms(evidence(stop_accepted_at_ms=TEN)) == TEN + 60_000

import dataclasses
import itertools

import pytest

from gateway.chain import RegisterChains
from gateway.outcome import ChainKept

PLACE = ("p1", 1)


def link(transaction_id, order_ms, start, stop, **changes):
    """A charge that moved the register from ``start`` to ``stop``."""
    values = {"started_ms": order_ms, "stopped_ms": order_ms + 5, "account": "car", **changes}
    return ChainKept("p1", values.pop("connector", 1), transaction_id, order_ms, start, stop, **values)


FIRST, SECOND, THIRD = link("a", 100, 0, 10), link("b", 200, 10, 30), link("c", 300, 30, 60)


def chained(*links):
    chains = RegisterChains()
    for each in links:
        chains.put(each)
    return chains


def test_a_charge_knows_the_one_before_and_the_register_behind_it():
    chains = chained(FIRST, SECOND, THIRD)
    former = chains.previous(PLACE, "b", 200)
    assert (former.transaction_id, former.meter_start_e4kwh, former.meter_stop_e4kwh) == ("a", 0, 10)
    assert (former.started_ms, former.stopped_ms, former.account) == (100, 105, "car")
    assert former.has_orders_since is False
    assert chains.following(PLACE, "b", 200, is_waiting=False) == 30
    assert chains.previous(PLACE, "a", 100) is None
    assert chains.following(PLACE, "c", 300, is_waiting=False) is None


@pytest.mark.parametrize("order", list(itertools.permutations((FIRST, SECOND, THIRD))))
def test_the_order_of_the_charges_counts_not_that_of_their_records(order):
    chains = chained(*order)
    assert chains.previous(PLACE, "c", 300).transaction_id == "b"
    assert chains.following(PLACE, "a", 100, is_waiting=False) == 10
    assert chains.newest(PLACE) == THIRD


def test_charges_of_one_moment_are_told_apart_by_their_numbers():
    chains = chained(link("y", 100, 10, 20), link("x", 100, 0, 10))
    assert chains.previous(PLACE, "y", 100).transaction_id == "x"
    assert chains.previous(PLACE, "x", 100) is None
    assert chains.following(PLACE, "x", 100, is_waiting=False) == 10


def test_every_connector_has_a_register_of_its_own():
    chains = chained(FIRST, link("z", 150, 7_000, 7_010, connector=2))
    assert chains.previous(PLACE, "b", 200).transaction_id == "a"
    assert chains.previous(("p1", 2), "b", 200).transaction_id == "z"
    assert chains.newest(("p2", 1)) is None


def test_a_record_accepted_anew_takes_the_place_of_the_former_one():
    chains = chained(FIRST, SECOND, dataclasses.replace(FIRST, meter_stop_e4kwh=9))
    assert chains.previous(PLACE, "b", 200).meter_stop_e4kwh == 9
    assert chains.previous(PLACE, "a", 100) is None


def test_a_charge_that_waits_in_between_hides_the_register_from_both_sides():
    chains = chained(FIRST, THIRD)
    assert not chains.previous(PLACE, "c", 300).has_orders_since
    assert chains.following(PLACE, "a", 100, is_waiting=False) == 30
    chains.wait(PLACE, "b", 200)
    assert chains.previous(PLACE, "c", 300).has_orders_since
    assert chains.following(PLACE, "a", 100, is_waiting=False) is None
    chains.put(SECOND)
    assert not chains.previous(PLACE, "c", 300).has_orders_since
    assert chains.following(PLACE, "a", 100, is_waiting=False) == 10


def test_one_waiting_charge_between_two_records_knows_both_registers():
    chains = chained(FIRST, THIRD)
    chains.wait(PLACE, "b", 200)
    assert chains.previous(PLACE, "b", 200).meter_stop_e4kwh == 10
    assert not chains.previous(PLACE, "b", 200).has_orders_since
    assert chains.following(PLACE, "b", 200, is_waiting=True) == 30


@pytest.mark.parametrize(("order_ms", "is_known"), [(50, True), (150, False), (250, False), (350, True)])
def test_of_two_waiting_charges_none_knows_its_share(order_ms, is_known):
    chains = chained(FIRST, THIRD)
    chains.wait(PLACE, "b", 200)
    chains.wait(PLACE, "other", order_ms)
    assert (chains.following(PLACE, "b", 200, is_waiting=True) == 30) is is_known


def test_a_record_tells_those_whose_view_it_changed():
    chains = chained(FIRST)
    chains.wait(PLACE, "b2", 210)
    chains.wait(PLACE, "b1", 200)
    chains.wait(PLACE, "later", 400)
    chains.wait(PLACE, "early", 50)
    chains.put(THIRD)
    assert chains.neighbours(PLACE, "c", 300) == ["a", "b1", "b2"]
    assert chains.neighbours(PLACE, "a", 100) == ["early"]


@pytest.mark.parametrize("is_linked", [True, False])
def test_a_charge_that_took_place_elsewhere_is_forgotten(is_linked):
    chains = chained(FIRST, THIRD)
    if is_linked:
        chains.put(SECOND)
    else:
        chains.wait(PLACE, "b", 200)
    chains.forget(PLACE, "b")
    assert chains.recent(PLACE) == ["c", "a"]
    former = chains.previous(PLACE, "c", 300)
    assert (former.transaction_id, former.has_orders_since) == ("a", False)


def test_a_register_keeps_its_newest_sixty_four_charges():
    chains = chained(*(link(f"t{number:03}", number, number * 10, number * 10 + 10) for number in range(70)))
    assert chains.previous(PLACE, "t006", 6) is None
    assert chains.previous(PLACE, "t007", 7).transaction_id == "t006"
    assert chains.newest(PLACE).transaction_id == "t069"


def test_what_a_former_run_kept_is_taken_up_when_it_is_looked_at():
    chains, asked = RegisterChains(), []

    def recall(place):
        asked.append(place)
        waiting = dataclasses.replace(SECOND, meter_start_e4kwh=None, meter_stop_e4kwh=None)
        return [FIRST, waiting, THIRD] if place == PLACE else []

    chains.recall = recall
    assert asked == []
    assert chains.newest(PLACE) == THIRD
    assert chains.previous(PLACE, "c", 300).has_orders_since
    assert chains.neighbours(PLACE, "c", 300) == ["a", "b"]
    assert chains.newest(("p1", 2)) is None
    assert asked == [PLACE, ("p1", 2)]


def test_who_charged_last_may_still_stand_there():
    chains = chained(FIRST, SECOND)
    assert chains.last(PLACE) == "b"
    assert (chains.last(PLACE, "b", 200), chains.last(PLACE, "a", 100)) == ("a", None)
    chains.wait(PLACE, "w", 150)
    assert (chains.last(PLACE), chains.last(PLACE, "b", 200), chains.last(PLACE, "w", 150)) == ("b", "w", "a")
    chains.wait(PLACE, "w", 250)
    assert chains.last(PLACE) == "w"
    assert chains.last(("p1", 2)) is None


def test_a_car_that_was_seen_to_leave_stands_there_no_longer():
    chains = chained(FIRST, dataclasses.replace(SECOND, was_unplugged=True))
    assert chains.last(PLACE) is None
    assert chains.last(PLACE, "b", 200) == "a"
    chains.wait(PLACE, "w", 250)
    assert chains.last(PLACE) == "w"


def test_the_newest_sixteen_of_a_connector_with_a_record_or_without():
    chains = chained(*(link(f"t{number:02}", number, number, number + 1) for number in range(20)))
    chains.wait(PLACE, "w", 18)
    assert chains.recent(PLACE) == ["t19", "w", "t18", *(f"t{number:02}" for number in range(17, 4, -1))]
    assert chains.recent(("p1", 2)) == []

"""Which piles belong together, and who had company, from the notes of several parts."""

import pytest

from gateway.company import ACCOUNT, CAR
from gateway.parting import LINE_BYTES, Stay
from gateway.touching import Companies, Groups


def groups_of(*piles, named=(), has_nameless=False):
    groups = Groups()
    groups.take([dict(each) for each in piles], named, has_nameless=has_nameless)
    return sorted(sorted(group) for group in groups.all().values())


def alone(*piles):
    return {pile: {pile} for pile in piles}


def test_piles_on_links_of_their_own_stay_apart():
    assert groups_of(alone("a", "b"), alone("c")) == [["a"], ["b"], ["c"]]


def test_piles_that_share_a_link_stay_together_whoever_saw_it():
    assert groups_of({"a": {"a"}, "b": {"a", "b"}}, {"c": {"b"}}) == [["a", "b", "c"]]


def test_piles_that_name_one_transaction_stay_together():
    named = [("7", "a"), ("7", "c"), ("8", "b")]
    assert groups_of(alone("a", "b", "c"), named=named) == [["a", "c"], ["b"]]


@pytest.mark.parametrize("owner", ["12345678901234", "x2345678901234"])
def test_a_pile_that_names_a_transaction_of_another_belongs_to_it(owner):
    assert groups_of(alone(owner, "b"), named=[("2345678901234-5" if owner[0] == "x" else f"{owner}5", "b")]) == [
        sorted([owner, "b"])
    ]


def test_piles_whose_transactions_could_have_one_name_stay_together():
    assert groups_of(alone("12345678901234", "92345678901234", "3")) == [["12345678901234", "92345678901234"], ["3"]]
    assert groups_of(alone("12", "123", "2")) == [["12", "123"], ["2"]]


def test_what_has_no_name_is_everybodys():
    assert groups_of(alone("a"), alone("b"), has_nameless=True) == [["a", "b"]]
    assert groups_of({}) == []


def at(moment):
    return bytes([moment]).rjust(LINE_BYTES, b"\0") + bytes(8)


def stay(key, since, until, *, kind=ACCOUNT, pile=None, car=None, is_start=True):
    return Stay(kind, "n", at(since), at(until), is_start, key, pile or key, car)


def company(*stays, runs=None):
    companies = Companies()
    companies.take(sorted(stays), runs or {each.pile_id: 0 for each in stays})
    return companies


def met(kind=ACCOUNT, **since):
    return {(key, kind): at(moment) for key, moment in since.items()}


def test_who_starts_while_another_is_open_keeps_company_with_it_from_then_on():
    found = company(stay("a", 1, 5), stay("b", 3, 9), stay("c", 4, 9))
    assert found.true == found.seen == met(a=3, b=3, c=4)
    assert company(stay("a", 1, 3), stay("b", 3, 9)).true == {}


def test_a_part_sees_only_what_it_follows_and_is_unaware_of_the_rest():
    runs = {"a": 0, "b": 1, "c": 0}
    found = company(stay("a", 1, 9), stay("b", 3, 9), stay("c", 4, 9), runs=runs)
    assert (found.true, found.seen) == (met(a=3, b=3, c=4), met(a=4, c=4))
    assert found.unaware(lambda pile: None) == {"a", "b"}
    assert found.unaware(lambda pile: found.true if runs[pile] else None) == {"a"}
    assert found.unaware(lambda pile: found.true) == set()


def test_on_one_pile_its_part_knows():
    assert company(stay("a", 1, 5, pile="p"), stay("b", 3, 9, pile="p")).true == {}


def test_one_car_is_not_one_account_twice():
    stays = [stay(key, when, 9, kind=kind, car="c") for key, when in (("a", 1), ("b", 2)) for kind in (ACCOUNT, CAR)]
    assert company(*stays).true == met(CAR, a=2, b=2)


def test_who_only_comes_back_is_met_and_meets_nobody():
    assert company(stay("a", 1, 5), stay("b", 3, 9, is_start=False)).true == {}
    assert company(stay("a", 1, 5, is_start=False), stay("b", 3, 9)).true == met(a=3, b=3)

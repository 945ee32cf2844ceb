"""Sessions that share a car or an account, while they are open."""

from types import SimpleNamespace

import pytest

from gateway.company import ACCOUNT, CAR, Company, mark, names_of


def session(key, *, account="A", car=None, place=None, is_authorised=True):
    return SimpleNamespace(
        transaction_id=key,
        account=account,
        parallel_no=car,
        place=place or (key, 1),
        authorisation=is_authorised or None,
        has_parallel=False,
        has_concurrent=False,
    )


def company_of(*sessions):
    company = Company()
    for each in sessions:
        company.note(each)
    return company


def told(*sessions):
    return [(each.has_parallel, each.has_concurrent) for each in sessions]


def test_one_account_at_two_places_is_noted_in_both():
    one, two, other = session("1"), session("2"), session("3", account="B")
    company = company_of(one, other)
    assert company.note(two) == [one]
    assert told(one, two, other) == [(False, True), (False, True), (False, False)]


def test_one_car_at_two_connectors_is_no_second_charge_of_its_account():
    one, two = session("1", car="7"), session("2", car="7")
    company_of(one, two)
    assert told(one, two) == [(True, False)] * 2


@pytest.mark.parametrize(
    "other",
    [
        session("2", place=("1", 1)),
        session("2", account=None),
        session("2", account="B", car="8"),
    ],
    ids=["the same place", "no account", "another car"],
)
def test_these_keep_no_company(other):
    one = session("1", car="7")
    company_of(one, other)
    assert told(one, other) == [(False, False)] * 2


def test_who_left_is_no_company_and_who_comes_back_is():
    one, two, three = session("1"), session("2"), session("3")
    company = company_of(one)
    company.leave(one)
    company.leave(one)
    assert company.note(two) == []
    company.join(one)
    assert company.note(three) == [two, one]


def test_a_session_that_nobody_authorised_has_no_name():
    stray = session("1", is_authorised=False)
    assert names_of(stray) == ()
    company = company_of(stray)
    assert company.note(session("2")) == []


def test_company_is_news_once():
    one = session("1")
    assert [mark(one, kind) for kind in (CAR, ACCOUNT, CAR, ACCOUNT)] == [True, True, False, False]
    assert told(one) == [(True, True)]

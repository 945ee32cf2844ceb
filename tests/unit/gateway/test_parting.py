"""A part's share of the piles, and its notes."""

from types import SimpleNamespace

import pytest

from gateway.company import ACCOUNT, CAR
from gateway.parting import Part, Share, is_own_name
from protocol.commands import AuthoriseStart, StartCharging
from protocol.events import StartAnswered

PILE, OTHER = "55031412782305", "55031412782306"


def part(told=None):
    made = Part(Share(0, 1, told=told or {}), ["a", "b"])
    made.moments = iter(range(100))
    made.moment = lambda: (next(made.moments), 0, 0, 0)
    return made


def test_every_pile_is_of_one_share():
    shares = [Share(no, 3) for no in range(3)]
    for number in range(50):
        assert sum(share.takes(f"pile {number}") for share in shares) == 1
    assert [Share(0, 3, frozenset({PILE})).takes(pile) for pile in (PILE, OTHER)] == [True, False]


@pytest.mark.parametrize(
    ("name", "is_own"), [(PILE + "01", True), (PILE[1:] + "01", True), (OTHER + "01", False), ("7", False)]
)
def test_a_transaction_is_named_after_its_pile_or_not(name, is_own):
    assert is_own_name(name, PILE) is is_own


def order(transaction_id, **changes):
    values = dict.fromkeys(StartCharging.__dataclass_fields__) | {"transaction_id": transaction_id}
    return StartCharging(**values | changes)


def test_strange_names_are_noted_once_with_who_used_them():
    notes = part()
    for pile, name in ((PILE, "9"), (PILE, "9"), (OTHER, "9"), (PILE, PILE + "1"), (PILE, ""), (OTHER, PILE + "2")):
        notes.note(pile, pile, order(name))
    assert list(notes.named()) == [(PILE + "2", OTHER), ("9", PILE), ("9", OTHER)]
    assert notes.piles == {PILE: {PILE}, OTHER: {OTHER}}


def test_a_pile_on_the_link_of_another_is_noted():
    notes = part()
    notes.begin(PILE)
    notes.note(OTHER, PILE, object())
    assert notes.piles == {PILE: {PILE}, OTHER: {PILE}}


@pytest.mark.parametrize(
    ("fact", "is_nameless"),
    [
        (order("000"), True),
        (AuthoriseStart(PILE, 0, "000", 1, "0", 5, True, 0), True),
        (AuthoriseStart(PILE, 0, "000", 1, "0", 0, False, 2), False),
        (StartAnswered(1, PILE, 0, 1, "000", False, 5, False), False),
    ],
)
def test_a_number_of_zeros_is_nobodys_name_once_a_session_goes_by_it(fact, is_nameless):
    notes = part()
    notes.note(PILE, PILE, fact)
    assert notes.has_nameless is is_nameless
    assert list(notes.named()) == []


def session(key, pile, account="A", car=None):
    return SimpleNamespace(
        transaction_id=key,
        account=account,
        parallel_no=car,
        core=SimpleNamespace(pile_id=pile),
        place=(pile, 1),
        authorisation=True,
        has_parallel=False,
        has_concurrent=False,
    )


def test_every_stay_is_noted_with_its_moments():
    notes = part()
    one, two = session("1", PILE), session("2", OTHER, car="7")
    notes.company.note(one)
    notes.company.note(two)
    notes.company.leave(one)
    notes.company.leave(one)
    notes.company.join(one)
    stays = list(notes.stays())
    assert [(s.kind, s.name, s.is_start, s.transaction_id, s.pile_id, s.car) for s in stays] == [
        ("account", "A", 1, "1", PILE, None),
        ("account", "A", 1, "2", OTHER, "7"),
        ("account", "A", 0, "1", PILE, None),
        ("car", "7", 1, "2", OTHER, "7"),
    ]
    assert stays[0].since < stays[1].since < stays[0].until < stays[2].since < stays[1].until
    assert list(notes.stays()) == stays
    assert one.has_concurrent
    assert two.has_concurrent


def test_company_elsewhere_is_told_when_its_time_has_come():
    clock = part()
    told = {("one", CAR): clock.key((5, 0, 7, 0)), ("two", ACCOUNT): clock.key((9, 1, 0, 0))}
    notes = part(told)
    notes.moment = lambda: (5, 0, 7, 0)
    one, two = session("one", PILE, account="B"), session("two", OTHER)
    notes.company.note(one)
    notes.company.note(two)
    assert [(each.has_parallel, each.has_concurrent) for each in (one, two)] == [(True, False), (False, False)]
    assert list(notes.take_told((5, 0, 7, 0))) == []
    assert list(notes.take_told((9, 1, 0, 0))) == [(5, ("one", CAR))]
    assert list(notes.take_told((9, 1, 0, 1))) == [(9, ("two", ACCOUNT))]
    assert list(notes.take_told((99, 0, 0, 0))) == []


def test_moments_sort_as_one_process_would_come_by():
    notes = part()
    moments = [(-(2**62), 0, 0, 0), (5, -1, 0, 0), (5, 0, 7, 0), (5, 0, 7, 1), (5, 1, 3, 0), (6, 0, 0, 0)]
    notes.moment = iter(moments).__next__
    keys = [notes.key() for _ in moments]
    assert keys == sorted(keys)

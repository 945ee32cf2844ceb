"""A few days of a few piles, with the faults of the field: the full month is ``make truth``."""

import random

from tests.truth.account import account_of, check
from tests.truth.month import Month


def test_every_charge_has_one_explained_bill_and_no_fen_goes_astray():
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    month = Month(range(1, 13), 3, seed)
    month.run(3)
    found = account_of(month)
    assert check(found) == []
    assert found.faults == [], "nobody pays more than was delivered"
    assert found.sessions > 60
    assert found.by_rule > found.sessions * 9 // 10


def test_equal_seeds_make_equal_bills():
    def bodies():
        month = Month(range(1, 4), 2, 7)
        month.run(2)
        return [row.body for row in month.revisions]

    assert bodies() == bodies()

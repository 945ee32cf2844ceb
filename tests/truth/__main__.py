"""``python -m tests.truth [PILES [DAYS [SEED]]]``: a month of piles with faults, and what became of their bills."""

import functools
import multiprocessing
import operator
import sys

from tests.truth.account import account_of, check, table
from tests.truth.month import Month

GROUP = 20


def one_group(task):
    numbers, days, seed = task
    month = Month(numbers, days, seed)
    month.run(days)
    return account_of(month)


def main(piles=200, days=30, seed=20260302):
    tasks = [(range(first, min(first + GROUP, piles + 1)), days, seed) for first in range(1, piles + 1, GROUP)]
    with multiprocessing.Pool() as pool:
        found = functools.reduce(operator.add, pool.imap(one_group, tasks))
    print(f"{piles} piles, {days} days, seed {seed}\n")
    print("| | |\n|---|---|")
    for name, value in table(found):
        print(f"| {name} | {value} |")
    print("\nanomalies: " + ", ".join(f"{code} {count}" for code, count in found.codes.most_common()))
    print("spoiled records: " + ", ".join(f"{kind} {count}" for kind, count in found.spoiled.most_common()))
    for fault in found.faults[:10]:
        print("above the truth:", *fault)
    wrong = check(found)
    print("\n" + ("everything holds" if not wrong else "\n".join(wrong)))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))

"""``python -m tests.truth.ledger FILE [PILES [DAYS [STORIES]]]``: everything that bills are, as text to compare.

Every row of a simulated month with its faults, in the order in which the engine hands them out, and the bills of random
stories with whatever may go wrong. Written before a change and after it, the two files are equal byte for byte, or the
change was more than one of speed: ``cmp before.txt after.txt``.
"""

import json
import sys
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from gateway.outcome import SamplesTaken
from tests.oracle.adapter import bill_of
from tests.oracle.strategies import stories
from tests.truth.month import Month

SEED = 20260302


class _Ledger(Month):
    """The month, with each row written down as it comes."""

    def __init__(self, out, piles: int, days: int) -> None:
        super().__init__(range(1, piles + 1), days, SEED)
        self._out = out

    def _keep(self, outcome) -> None:
        for row in (*outcome.lazy_rows, *outcome.rows):
            if not isinstance(row, SamplesTaken):
                values = {name: getattr(row, name) for name in row.__slots__}
                print(type(row).__name__, _text(values), file=self._out)
        for each in (*outcome.replies, *outcome.notices):
            print(each, file=self._out)
        super()._keep(outcome)


def _text(value) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda each: each.hex())


def write_stories(out, count: int) -> None:
    """The bills of so many random stories."""

    @seed(SEED)
    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(stories(most=5))
    def told(story):
        bill = bill_of(story)
        print(_text(bill.to_json_dict()), _text(bill.computation), file=out)

    told()


def main(path: str, piles: int = 40, days: int = 8, count: int = 3_000) -> None:
    with Path(path).open("w", encoding="utf-8") as out:
        month = _Ledger(out, piles, days)
        month.run(days)
        write_stories(out, count)
        print(f"{len(month.revisions)} revisions and the bills of {count} stories are in {path}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))

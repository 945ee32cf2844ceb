"""The register of each connector as a chain of charges, so that every charge knows its neighbours.

No I/O: links come in, and the rows that keep them go out with the bills they belong to.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable

from billing_core.evidence import ChainLink
from gateway.outcome import ChainKept

Place = tuple[str, int]  # pile_id, connector

_KEPT_MAX = 64
_NEVER_MS = 2**62
_RECENT = 16  # charges among which one is looked for by something else than its number


class RegisterChains:
    """Accepted records of every connector in the order of their charges, and charges that wait for theirs."""

    def __init__(self) -> None:
        self._links: dict[Place, list[ChainKept]] = defaultdict(list)
        self._waiting: dict[Place, dict[str, int]] = defaultdict(dict)  # transaction -> order_ms

    def restore(self, links: Iterable[ChainKept]) -> None:
        """Take up what a former run kept."""
        for link in links:
            if link.meter_stop_e4kwh is None:
                self._waiting[(link.pile_id, link.connector)][link.transaction_id] = link.order_ms
            else:
                self._insert(link)

    def put(self, link: ChainKept) -> None:
        """A record was accepted; it takes the place of a former one of the same charge."""
        place = (link.pile_id, link.connector)
        self.forget(place, link.transaction_id)
        self._insert(link)

    def wait(self, place: Place, transaction_id: str, order_ms: int) -> None:
        """A charge takes place, and its record has not come: the register moves by what nobody told yet."""
        self._waiting[place][transaction_id] = order_ms

    def forget(self, place: Place, transaction_id: str) -> None:
        """A charge did not take place here, whatever was taken for its record."""
        self._waiting[place].pop(transaction_id, None)
        self._links[place] = [each for each in self._links[place] if each.transaction_id != transaction_id]

    def _insert(self, link: ChainKept) -> None:
        links = self._links[(link.pile_id, link.connector)]
        bisect.insort(links, link, key=lambda each: (each.order_ms, each.transaction_id))
        del links[: max(0, len(links) - _KEPT_MAX)]

    def previous(self, place: Place, transaction_id: str, order_ms: int) -> ChainLink | None:
        """The accepted record before a charge."""
        before = [each for each in self._links[place] if self._is_before(each, transaction_id, order_ms)]
        if not before:
            return None
        link = before[-1]
        assert link.meter_start_e4kwh is not None
        assert link.meter_stop_e4kwh is not None
        return ChainLink(
            link.transaction_id,
            link.meter_start_e4kwh,
            link.meter_stop_e4kwh,
            link.started_ms,
            link.stopped_ms,
            link.account,
            link.was_unplugged,
            any(link.order_ms <= ms <= order_ms for tx, ms in self._waiting[place].items() if tx != transaction_id),
        )

    @staticmethod
    def _is_before(link: ChainKept, transaction_id: str, order_ms: int) -> bool:
        return link.transaction_id != transaction_id and (link.order_ms, link.transaction_id) < (
            order_ms,
            transaction_id,
        )

    def following(self, place: Place, transaction_id: str, order_ms: int, *, is_waiting: bool) -> int | None:
        """The next record's start register, 0.1 Wh, when no charge without a record lies between.

        For a charge that itself waits for its record, none may lie between the former record and it either.
        """
        after = [
            each for each in self._links[place] if (each.order_ms, each.transaction_id) > (order_ms, transaction_id)
        ]
        after = [each for each in after if each.transaction_id != transaction_id]
        if not after:
            return None
        former = self.previous(place, transaction_id, order_ms)
        from_ms = order_ms
        if is_waiting and former is not None:
            from_ms = next(each.order_ms for each in self._links[place] if each.transaction_id == former.transaction_id)
        others = (ms for tx, ms in self._waiting[place].items() if tx != transaction_id)
        if any(from_ms <= ms <= after[0].order_ms for ms in others):
            return None
        return after[0].meter_start_e4kwh

    def neighbours(self, place: Place, transaction_id: str, order_ms: int) -> list[str]:
        """Charges whose view changed because this one's record came: the one before, and those that wait between."""
        former = self.previous(place, transaction_id, order_ms)
        found = [] if former is None else [former.transaction_id]
        from_ms = -1
        if former is not None:
            from_ms = next(each.order_ms for each in self._links[place] if each.transaction_id == former.transaction_id)
        found += [tx for tx, ms in sorted(self._waiting[place].items()) if from_ms <= ms <= order_ms]
        return [each for each in found if each != transaction_id]

    def last(self, place: Place, transaction_id: str = "", order_ms: int = _NEVER_MS) -> str | None:
        """Who charged last on a connector, or last before a charge; ``None`` if the cable was seen out behind it."""
        before = [each for each in self._links[place] if self._is_before(each, transaction_id, order_ms)]
        newest = before[-1] if before else None
        waiting = [(ms, tx) for tx, ms in self._waiting[place].items() if tx != transaction_id and ms <= order_ms]
        if waiting and (newest is None or max(waiting) > (newest.order_ms, newest.transaction_id)):
            return max(waiting)[1]
        return None if newest is None or newest.was_unplugged else newest.transaction_id

    def recent(self, place: Place) -> list[str]:
        """The newest charges of a connector, with a record or without, newest first."""
        links = [(each.order_ms, each.transaction_id) for each in self._links[place][-_RECENT:]]
        waiting = [(ms, tx) for tx, ms in self._waiting[place].items()]
        return list(dict.fromkeys(tx for _, tx in sorted([*links, *waiting], reverse=True)))[:_RECENT]

    def newest(self, place: Place) -> ChainKept | None:
        """The newest accepted record of a connector."""
        links = self._links[place]
        return links[-1] if links else None

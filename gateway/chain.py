"""The register of each connector as a chain of charges, so that every charge knows its neighbours.

No I/O: links come in, and the rows that keep them go out with the bills they belong to. What a former run kept of a
connector is fetched through ``recall`` when the connector is first looked at.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable

from billing_core.evidence import ChainLink
from gateway.outcome import ChainKept

Place = tuple[str, int]  # pile_id, connector

_KEPT_MAX = 64
_NEVER_MS = 2**62
_RECENT = 16  # charges among which one is looked for by something else than its number


class _Chain:
    """One register: accepted records in the order of their charges, and charges that wait for theirs."""

    __slots__ = ("keys", "links", "order_of", "waiting")

    def __init__(self, kept: Iterable[ChainKept]) -> None:
        self.keys: list[tuple[int, str]] = []  # (order_ms, transaction_id) of each link, ascending
        self.links: list[ChainKept] = []
        self.order_of: dict[str, int] = {}  # transaction -> order_ms of its link
        self.waiting: dict[str, int] = {}  # transaction -> order_ms
        for link in kept:
            if link.meter_stop_e4kwh is None:
                self.waiting[link.transaction_id] = link.order_ms
            else:
                self.put(link)

    def put(self, link: ChainKept) -> None:
        """Take a link; it takes the place of whatever was known of the same charge."""
        self.forget(link.transaction_id)
        key = (link.order_ms, link.transaction_id)
        at = bisect.bisect_left(self.keys, key)
        self.keys.insert(at, key)
        self.links.insert(at, link)
        self.order_of[link.transaction_id] = link.order_ms
        if len(self.links) > _KEPT_MAX:
            del self.order_of[self.links[0].transaction_id]
            self._drop(0)

    def forget(self, transaction_id: str) -> None:
        """Drop a charge, whether it waits or has its link."""
        self.waiting.pop(transaction_id, None)
        order_ms = self.order_of.pop(transaction_id, None)
        if order_ms is not None:
            self._drop(bisect.bisect_left(self.keys, (order_ms, transaction_id)))

    def _drop(self, index: int) -> None:
        del self.keys[index], self.links[index]

    def before(self, transaction_id: str, order_ms: int) -> ChainKept | None:
        """The newest link before a charge, itself apart."""
        at = bisect.bisect_left(self.keys, (order_ms, transaction_id)) - 1
        if at >= 0 and self.keys[at][1] == transaction_id:
            at -= 1
        return self.links[at] if at >= 0 else None

    def behind(self, transaction_id: str, order_ms: int) -> ChainKept | None:
        """The oldest link behind a charge, itself apart."""
        at = bisect.bisect_right(self.keys, (order_ms, transaction_id))
        if at < len(self.keys) and self.keys[at][1] == transaction_id:
            at += 1
        return self.links[at] if at < len(self.keys) else None

    def has_waiting(self, from_ms: int, to_ms: int, transaction_id: str) -> bool:
        """Whether another charge waits for its record within (both included)."""
        return any(from_ms <= ms <= to_ms for tx, ms in self.waiting.items() if tx != transaction_id)


class RegisterChains:
    """Accepted records of every connector in the order of their charges, and charges that wait for theirs.

    Attributes:
        recall: the newest links of a connector that a former run kept, oldest first; called once for each.
    """

    def __init__(self) -> None:
        self.recall: Callable[[Place], Iterable[ChainKept]] = lambda place: ()
        self._chains: dict[Place, _Chain] = {}

    def _of(self, place: Place) -> _Chain:
        found = self._chains.get(place)
        if found is None:
            found = self._chains[place] = _Chain(self.recall(place))
        return found

    def put(self, link: ChainKept) -> None:
        """A record was accepted; it takes the place of a former one of the same charge."""
        self._of((link.pile_id, link.connector)).put(link)

    def wait(self, place: Place, transaction_id: str, order_ms: int) -> None:
        """A charge takes place, and its record has not come: the register moves by what nobody told yet."""
        self._of(place).waiting[transaction_id] = order_ms

    def forget(self, place: Place, transaction_id: str) -> None:
        """A charge did not take place here, whatever was taken for its record."""
        self._of(place).forget(transaction_id)

    def previous(self, place: Place, transaction_id: str, order_ms: int) -> ChainLink | None:
        """The accepted record before a charge."""
        chain = self._of(place)
        link = chain.before(transaction_id, order_ms)
        if link is None:
            return None
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
            chain.has_waiting(link.order_ms, order_ms, transaction_id),
        )

    def following(self, place: Place, transaction_id: str, order_ms: int, *, is_waiting: bool) -> int | None:
        """The next record's start register, 0.1 Wh, when no charge without a record lies between.

        For a charge that itself waits for its record, none may lie between the former record and it either.
        """
        chain = self._of(place)
        after = chain.behind(transaction_id, order_ms)
        if after is None:
            return None
        former = chain.before(transaction_id, order_ms) if is_waiting else None
        from_ms = order_ms if former is None else former.order_ms
        if chain.has_waiting(from_ms, after.order_ms, transaction_id):
            return None
        return after.meter_start_e4kwh

    def neighbours(self, place: Place, transaction_id: str, order_ms: int) -> list[str]:
        """Charges whose view changed because this one's record came: the one before, and those that wait between."""
        chain = self._of(place)
        former = chain.before(transaction_id, order_ms)
        found = [] if former is None else [former.transaction_id]
        from_ms = -1 if former is None else former.order_ms
        found += [tx for tx, ms in sorted(chain.waiting.items()) if from_ms <= ms <= order_ms]
        return [each for each in found if each != transaction_id]

    def last(self, place: Place, transaction_id: str = "", order_ms: int = _NEVER_MS) -> str | None:
        """Who charged last on a connector, or last before a charge; ``None`` if the cable was seen out behind it."""
        chain = self._of(place)
        newest = chain.before(transaction_id, order_ms)
        waiting = [(ms, tx) for tx, ms in chain.waiting.items() if tx != transaction_id and ms <= order_ms]
        if waiting and (newest is None or max(waiting) > (newest.order_ms, newest.transaction_id)):
            return max(waiting)[1]
        return None if newest is None or newest.was_unplugged else newest.transaction_id

    def recent(self, place: Place) -> list[str]:
        """The newest charges of a connector, with a record or without, newest first."""
        chain = self._of(place)
        waiting = [(ms, tx) for tx, ms in chain.waiting.items()]
        return list(dict.fromkeys(tx for _, tx in sorted([*chain.keys[-_RECENT:], *waiting], reverse=True)))[:_RECENT]

    def newest(self, place: Place) -> ChainKept | None:
        """The newest accepted record of a connector."""
        links = self._of(place).links
        return links[-1] if links else None

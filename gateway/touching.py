"""Who touches whom among the piles of a log, from the notes of all its parts (``parting.py``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from gateway.company import ACCOUNT
from gateway.parting import LINE_BYTES, Met, Stay, own_names


class Groups:
    """Piles that can only be replayed together; whom two parts told of stays together for good."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def of(self, pile_id: str) -> str:
        """The name of a pile's group."""
        root = pile_id
        while (above := self._above.setdefault(root, root)) != root:
            root = above
        while self._above[pile_id] != root:
            self._above[pile_id], pile_id = root, self._above[pile_id]
        return root

    def join(self, piles: Iterable[str]) -> None:
        """Put piles into one group."""
        roots = {self.of(pile_id) for pile_id in piles}
        if roots:
            first = min(roots)
            for other in roots - {first}:
                self._above[other] = first

    def all(self) -> dict[str, set[str]]:
        """The piles of every group."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for pile_id in list(self._above):
            found[self.of(pile_id)].add(pile_id)
        return found

    def take(
        self, piles: Iterable[Mapping[str, Iterable[str]]], named: Iterable[tuple[str, str]], *, has_nameless: bool
    ) -> None:
        """Join piles that share a link, and those that name one transaction.

        Args:
            piles: from every part, which piles each pile's links began with.
            named: (transaction, pile) from all parts, in order.
            has_nameless: some session goes by a number of zeros.
        """
        for each in piles:
            for pile_id, leads in each.items():
                self.join((pile_id, *leads))
        known = list(self._above)
        if has_nameless:
            self.join(known)
        owners = _owners(known)
        self._join_namesakes(owners)
        for name, entries in groupby(named, key=lambda entry: entry[0]):
            self.join((*(pile_id for _, pile_id in entries), *_owners_of(name, owners)))

    def _join_namesakes(self, owners: Mapping[str, list[str]]) -> None:
        """Piles after which one transaction could be named."""
        for name, piles in owners.items():
            self.join((*piles, *_owners_of(name, owners)))


def _owners(piles: Iterable[str]) -> dict[str, list[str]]:
    owners: defaultdict[str, list[str]] = defaultdict(list)
    for pile_id in piles:
        for name in own_names(pile_id):
            owners[name].append(pile_id)
    return owners


def _owners_of(transaction_id: str, owners: Mapping[str, list[str]]) -> Iterator[str]:
    """The piles that a transaction may be named after."""
    for upto in range(len(transaction_id) + 1):
        yield from owners.get(transaction_id[:upto], ())


@dataclass(slots=True)
class Companies:
    """Since when which transactions have what company.

    Attributes:
        true: as one process would find it.
        seen: what a part saw by itself, when it followed both piles.
        pile_of: where each of these transactions is.
    """

    true: dict[Met, bytes] = field(default_factory=dict)
    seen: dict[Met, bytes] = field(default_factory=dict)
    pile_of: dict[str, str] = field(default_factory=dict)

    def take(self, stays: Iterable[Stay], run_of: Mapping[str, int]) -> None:
        """All stays of all piles, by kind and name, in order of time; ``run_of``: which part followed each pile."""
        for _, group in groupby(stays, key=lambda stay: stay[:2]):
            present: list[Stay] = []
            for stay in group:
                present = [each for each in present if each.until > stay.since]
                if stay.is_start:
                    for other in present:
                        self._meet(stay, other, run_of)
                present.append(stay)

    def _meet(self, stay: Stay, other: Stay, run_of: Mapping[str, int]) -> None:
        is_one_car = stay.car is not None and stay.car == other.car
        if stay.pile_id == other.pile_id or (stay.kind == ACCOUNT and is_one_car):
            return  # on one pile the place decides, and its part knows; and of a car it was told already
        for each in (stay, other):
            met = (each.transaction_id, stay.kind)
            self.pile_of[each.transaction_id] = each.pile_id
            self.true[met] = min(self.true.get(met, stay.since), stay.since)
            if run_of[stay.pile_id] == run_of[other.pile_id]:
                self.seen[met] = min(self.seen.get(met, stay.since), stay.since)

    def unaware(self, known_of: Callable[[str], Mapping[Met, bytes] | None]) -> set[str]:
        """The piles whose charges had company that their part did not know of at the time.

        Args:
            known_of: what the part that followed a pile was told; ``None`` if nothing, so that it knows what it saw.
        """
        found = set()
        for met, since in self.true.items():
            pile_id = self.pile_of[met[0]]
            told = known_of(pile_id)
            if (self.seen if told is None else told).get(met, b"")[:LINE_BYTES] != since[:LINE_BYTES]:
                found.add(pile_id)
        return found

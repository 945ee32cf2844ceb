"""Whose cable is still in: of every connector the newest charge that ended there, until the cable is seen out."""

from __future__ import annotations

from gateway.chain import Place, RegisterChains
from gateway.opensession import OpenSession


class Cables:
    """Charges that are over while their car may still stand there.

    Args:
        chains: the registers of all connectors; they remember across restarts who charged last.
    """

    def __init__(self, chains: RegisterChains) -> None:
        self._chains = chains
        self._in: dict[Place, str] = {}
        self._known: set[Place] = set()  # connectors of which a former run's charge was looked up

    def stay(self, session: OpenSession, *, is_newest: bool = True) -> None:
        """A charge is over; ``is_newest``: no other one that is over stands in its place."""
        if not session.core.sample_count or session.unplugged_at_ms is not None:
            return
        if is_newest or session.place not in self._in:
            self._in[session.place] = session.transaction_id

    def restore(self, session: OpenSession) -> None:
        """A former run left this session behind, its charge over."""
        newest = self._chains.newest(session.place)
        self.stay(session, is_newest=newest is None or newest.order_ms <= session.begins_at_ms)

    def find(self, place: Place) -> str | None:
        """The charge whose cable was not seen out."""
        return self._in.get(place) or self._last(place)

    def take(self, place: Place) -> str | None:
        """The same, as somebody else begins: it is told once."""
        if place not in self._known:
            self._known.add(place)
            self._in.setdefault(place, self._last(place) or "")
        return self._in.pop(place, None) or None

    def leave(self, place: Place) -> None:
        """The cable was seen out, or charges again."""
        self._in.pop(place, None)

    def rename(self, place: Place, former: str, transaction_id: str) -> None:
        """What ended there belongs to another transaction."""
        if self._in.get(place) == former:
            self._in[place] = transaction_id

    def _last(self, place: Place) -> str | None:
        newest = self._chains.newest(place)
        return None if newest is None or newest.was_unplugged else newest.transaction_id

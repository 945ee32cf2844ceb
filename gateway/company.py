"""Who charges beside whom: one car at several connectors, or one account at several places."""

from __future__ import annotations

from collections import defaultdict

from gateway.opensession import OpenSession

Name = tuple[str, str]  # what kind of name, and the name


class Company:
    """Open sessions that somebody authorised, by the names that they share."""

    def __init__(self) -> None:
        self._members: dict[Name, dict[str, OpenSession]] = defaultdict(dict)

    def join(self, session: OpenSession) -> None:
        """A session is open; one that nobody authorised keeps no company."""
        for name in names_of(session):
            self._members[name].setdefault(session.transaction_id, session)

    def leave(self, session: OpenSession) -> None:
        """A session is open no longer."""
        for name in names_of(session):
            members = self._members.get(name)
            if members is not None and members.pop(session.transaction_id, None) is not None and not members:
                del self._members[name]

    def note(self, session: OpenSession) -> list[OpenSession]:
        """A session was authorised: note it and its company in each other; returns those it joined."""
        self.join(session)
        found: dict[str, OpenSession] = {}
        for name in names_of(session):
            for key, other in self._members[name].items():
                if other is session or other.place == session.place or key in found:
                    continue
                found[key] = other
                if name[0] == "car":
                    session.has_parallel = other.has_parallel = True
                else:
                    session.has_concurrent = other.has_concurrent = True
        return list(found.values())


def names_of(session: OpenSession) -> tuple[Name, ...]:
    """The car first: who charges one car at several connectors has nothing else to explain."""
    if session.authorisation is None:
        return ()
    car, account = session.parallel_no, session.account
    return (*((("car", car),) if car is not None else ()), *((("account", account),) if account is not None else ()))

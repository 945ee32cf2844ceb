"""Who charges beside whom: one car at several connectors, or one account at several places."""

from __future__ import annotations

from collections import defaultdict

from gateway.opensession import OpenSession

Name = tuple[str, str]  # what kind of name, and the name
CAR, ACCOUNT = KINDS = ("car", "account")


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
                mark(session, name[0])
                mark(other, name[0])
        return list(found.values())


def mark(session: OpenSession, kind: str) -> bool:
    """Note in a session that it has company of a kind; False if that is known."""
    had = session.has_parallel if kind == CAR else session.has_concurrent
    if kind == CAR:
        session.has_parallel = True
    else:
        session.has_concurrent = True
    return not had


def names_of(session: OpenSession) -> tuple[Name, ...]:
    """The car first: who charges one car at several connectors has nothing else to explain."""
    if session.authorisation is None:
        return ()
    car, account = session.parallel_no, session.account
    return (*(((CAR, car),) if car is not None else ()), *(((ACCOUNT, account),) if account is not None else ()))

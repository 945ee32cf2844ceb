"""The table of one pile connection: what a link may be in, and what moves it.

A link that has not logged in still decodes: logs begin where they begin. What a gateway does with facts from
such a link is the gateway's policy.
"""

from __future__ import annotations

from enum import Enum

from protocol.errors import LocalProtocolError


class LinkState(Enum):
    """What a link is in."""

    CONNECTED = "connected"
    LOGGED_IN = "logged_in"


class LinkEvent(Enum):
    """What moves a link."""

    LOGIN_SEEN = "login_seen"
    LOGIN_REFUSED = "login_refused"


TRANSITIONS: tuple[tuple[LinkState, LinkEvent, LinkState, str], ...] = (
    (LinkState.CONNECTED, LinkEvent.LOGIN_SEEN, LinkState.LOGGED_IN, "YKC V1.6 §4.1"),
    (LinkState.LOGGED_IN, LinkEvent.LOGIN_SEEN, LinkState.LOGGED_IN, "logins are repeated until answered"),
    (LinkState.LOGGED_IN, LinkEvent.LOGIN_REFUSED, LinkState.CONNECTED, "YKC V1.6 §4.2"),
    (LinkState.CONNECTED, LinkEvent.LOGIN_REFUSED, LinkState.CONNECTED, "a log may begin with the answer"),
)

_TABLE = {(state, event): after for state, event, after, _ in TRANSITIONS}


def after(state: LinkState, event: LinkEvent) -> LinkState:
    """The state that follows. Raises ``LocalProtocolError`` for a pair the table lacks."""
    found = _TABLE.get((state, event))
    if found is None:
        raise LocalProtocolError("illegal_transition", f"a link in {state.value} cannot take {event.value}")
    return found

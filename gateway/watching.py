"""What somebody watches in a running charge: that the money lasts, and that the pile obeys a stop."""

from __future__ import annotations

from billing_core.live import must_stop
from gateway.billing import Billing
from gateway.opensession import OpenSession
from gateway.outcome import Outcome
from gateway.sessionrows import notice
from gateway.site import Site
from protocol.events import SampleReceived

_SMALL_BALANCE_FEN = 1_000  # every sample of such a charge is looked at
_STOP_GROWTH_E4KWH = 5_000


def unwatched_e4kwh(session: OpenSession, pile_id: str, site: Site) -> int | None:
    """Up to which energy the money cannot be spent, at the dearest price; ``None`` when nothing is to be spent."""
    balance_fen = session.balance_fen
    if not site.stops_prepaid or session.is_stop_due_told or not balance_fen or session.authorisation is None:
        return None
    station = site.station_of(pile_id)
    tariff = site.book.in_force(pile_id=pile_id, station=station, at_ms=session.authorisation.at_ms)
    if tariff is None:
        return None
    dearest_e5 = max(sum(pair) for pair in tariff.prices_e5.values())
    if balance_fen <= _SMALL_BALANCE_FEN or not dearest_e5:
        return -1 if dearest_e5 else None
    return (balance_fen * 10_000_000 - 1) // (2 * dearest_e5)  # not half of it is spent: no need to reckon


def watch(session: OpenSession, event: SampleReceived, billing: Billing, outcome: Outcome) -> None:
    """Stop before the money ends; notice a stop that the pile ignores."""
    if _is_money_spent(session, event, billing):
        session.is_stop_due_told = True
        outcome.notices.append(notice("balance_reached", session, event.at_ms, balance_fen=session.balance_fen))
    accepted_ms = session.stop_accepted_at_ms
    if accepted_ms is None or session.is_stop_ignored_told:
        return
    before = max((row[1] for row in session.core.rows() if row[6] and row[0] <= accepted_ms), default=0)
    if event.energy_e4kwh - before > _STOP_GROWTH_E4KWH:
        session.is_stop_ignored_told = True
        outcome.notices.append(notice("stop_ignored", session, event.at_ms, stop_accepted_at_ms=accepted_ms))


def _is_money_spent(session: OpenSession, event: SampleReceived, billing: Billing) -> bool:
    unwatched = unwatched_e4kwh(session, event.pile_id, billing.site)
    if unwatched is None or event.energy_e4kwh <= unwatched:
        return False
    assert session.balance_fen is not None
    return must_stop(billing.evidence(session, event.at_ms), session.balance_fen)

"""What the routes work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.forwarders.base import Forwarder
from gateway.metrics import Metrics
from gateway.orders import Orders
from gateway.routine import Routine
from gateway.site import Site
from gateway.store import Store
from gateway.switchboard import Switchboard
from gateway.transfer import Transfers


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The running daemon, as far as HTTP may reach."""

    store: Store
    switchboard: Switchboard
    orders: Orders
    routine: Routine
    transfers: Transfers
    metrics: Metrics
    clock: Clock
    forwarder: Forwarder
    version: str
    reload_site: Callable[[], None]

    @property
    def site(self) -> Site:
        """The site as it is now."""
        return self.switchboard.engine.sessions.site

"""What the routes work with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastjsonschema

import billing_core
from gateway.clock import Clock
from gateway.forwarders.base import Forwarder
from gateway.metrics import Metrics
from gateway.orders import Orders
from gateway.routine import Routine
from gateway.site import Site
from gateway.store import Store
from gateway.switchboard import Switchboard

_SCHEMA = Path(billing_core.__file__).with_name("bill.schema.json")


def bill_validator() -> Callable[[Any], Any]:
    """Checks a bill against its JSON Schema; raises ``fastjsonschema.JsonSchemaValueException``."""
    compiled: Callable[[Any], Any] = fastjsonschema.compile(json.loads(_SCHEMA.read_text(encoding="utf-8")))
    return compiled


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The running daemon, as far as HTTP may reach."""

    store: Store
    switchboard: Switchboard
    orders: Orders
    routine: Routine
    metrics: Metrics
    clock: Clock
    forwarder: Forwarder
    version: str
    reload_site: Callable[[], None]

    @property
    def site(self) -> Site:
        """The site as it is now."""
        return self.switchboard.engine.sessions.site

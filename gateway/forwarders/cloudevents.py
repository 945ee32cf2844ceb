"""What goes upstream, by whatever way: the body of an event, made once.

Source: CloudEvents 1.0.2, JSON format, structured mode; docs/upstream.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import structlog

from billing_core.civil import Zone, iso_local
from gateway.billschema import fault_of
from gateway.forwarders.base import DrainConfig
from gateway.jsontext import json_bytes
from gateway.outcome import EventRaised

log = structlog.get_logger()

BILL_SCHEMA = "urn:pilegate:bill:1"
OMITTABLE = frozenset({"vin", "card_uid", "meter_start_kwh", "meter_stop_kwh", "pile_amount", "stop_reason"})


class Endpoint(Protocol):
    """A receiver, as far as it decides on contents."""

    @property
    def name(self) -> str:
        """What the outbox calls it."""

    @property
    def types(self) -> tuple[str, ...]:
        """Event types it wants."""

    @property
    def omit(self) -> tuple[str, ...]:
        """Fields that it must not learn."""

    @property
    def drain(self) -> DrainConfig:
        """How it is drained."""


def wants(types: Sequence[str], kind: str) -> bool:
    """Whether somebody who asked for ``types``, such as ``pilegate.bill.*``, wants events of a type; all when empty."""
    return not types or any(
        kind == wanted or (wanted.endswith(".*") and kind.startswith(wanted[:-1])) for wanted in types
    )


def refuse_omissions(omit: Sequence[str]) -> None:
    """Raise ``ValueError`` for fields that a bill cannot be without."""
    if unknown := set(omit) - OMITTABLE:
        raise ValueError(f"omit: {', '.join(sorted(unknown))} cannot be left out, only {', '.join(sorted(OMITTABLE))}")


class CloudEvents:
    """Makes the body of an event once; those bytes are stored, signed and sent.

    Args:
        source: ``/pilegate/<site>``.
        zone: of the times.
    """

    def __init__(self, endpoints: Sequence[Endpoint], *, source: str, zone: Zone) -> None:
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._source = source
        self._zone = zone

    def __call__(self, endpoint: str, event: EventRaised, sequence: int) -> tuple[bytes, int] | None:
        """(body, when it expires, Unix ms), or ``None`` when the endpoint does not want it."""
        wish = self._endpoints[endpoint]
        if not wants(wish.types, event.type):
            return None
        data = {key: (None if key in wish.omit else value) for key, value in event.data.items()}
        if event.type.startswith("pilegate.bill.") and (fault := fault_of(data)) is not None:
            log.error("bill_invalid", event_id=event.event_id, fault=fault)  # told all the same: no bill is lost
        body = {
            "specversion": "1.0",
            "id": event.event_id,
            "source": self._source,
            "type": event.type,
            "subject": event.subject,
            "time": iso_local(event.at_ms, self._zone),
            "datacontenttype": "application/json",
            **({"dataschema": BILL_SCHEMA} if event.type.startswith("pilegate.bill.") else {}),
            "sequence": str(sequence),
            "partitionkey": event.partition,
            "data": data,
        }
        drain = wish.drain
        lives_s = drain.perishable_expires_s if event.is_perishable else drain.expires_s
        return json_bytes(body), event.at_ms + lives_s * 1000

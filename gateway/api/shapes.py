"""How rows and states look in JSON, and how cursors and amounts are read."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from billing_core.civil import Zone, iso_local
from billing_core.fixed import format_e4, format_fen, format_scaled, parse_scaled
from gateway.api.problem import Problem
from gateway.piles import ConnectorState, PileState
from protocol.detect import DEFAULT, dialect_named


def at(at_ms: int | None, zone: Zone) -> str | None:
    """An instant with the site's offset."""
    return None if at_ms is None else iso_local(at_ms, zone)


def cursor_of(at_ms: int, key: str) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps([at_ms, key]).encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> tuple[int, str] | None:
    """What ``cursor_of`` made. Raises ``Problem`` 400 for anything else."""
    if text is None:
        return None
    try:
        at_ms, key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if isinstance(at_ms, int) and isinstance(key, str):
            return at_ms, key
    except (ValueError, TypeError, binascii.Error):
        pass
    raise Problem(400, "cursor_invalid", "the cursor is not one that this interface gave out")


def page(
    items: Sequence[Any], limit: int, cursor_at: Callable[[Any], str], show: Callable[[Any], Any]
) -> dict[str, Any]:
    """One page of a list that was asked for with one item more than ``limit``."""
    shown = items[:limit]
    return {
        "items": [show(item) for item in shown],
        "next_cursor": cursor_at(shown[-1]) if len(items) > limit else None,
    }


def keyed_page(
    items: Iterable[Mapping[str, Any]], key: str, limit: int, cursor: str | None, show: Callable[[Any], Any]
) -> dict[str, Any]:
    """One page of a list that is held whole, in order of a text ``key``."""
    after = read_cursor(cursor)
    ordered = sorted(items, key=lambda item: str(item[key]))
    rest = [item for item in ordered if after is None or str(item[key]) > after[1]]
    return page(rest, limit, lambda item: cursor_of(0, str(item[key])), show)


def listed_page(items: Sequence[Any], limit: int, cursor: str | None) -> dict[str, Any]:
    """One page of a list that is held whole, in its own order."""
    after = read_cursor(cursor)
    start = after[0] if after else 0
    return page(items[start : start + limit + 1], limit, lambda _: cursor_of(start + limit, ""), dict)


def read_instant(text: str | None, name: str) -> int | None:
    """ISO 8601 with offset to Unix ms. Raises ``Problem`` 400."""
    if text is None:
        return None
    try:
        # a plus sign in a query string arrives as a space
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError as error:
        raise Problem(400, "time_invalid", f"{name} is not an ISO 8601 time") from error
    if moment.tzinfo is None:
        raise Problem(400, "time_invalid", f"{name} has no offset, such as +08:00")
    return round(moment.timestamp() * 1000)


def read_fen(text: str, name: str) -> int:
    """Yuan with two decimals to fen. Raises ``Problem`` 422."""
    try:
        return parse_scaled(text, 2)
    except ValueError as error:
        raise Problem(422, "amount_invalid", f"{name}: {error}") from error


def session(row: Mapping[str, Any], zone: Zone) -> dict[str, Any]:
    """A session's row."""
    return {
        "transaction_id": row["transaction_id"],
        "order_no": row["order_no"],
        "pile_id": row["pile_id"],
        "connector": row["connector"],
        "state": row["state"],
        "start_channel": row["start_channel"],
        "opened_at": at(row["opened_at_ms"], zone),
        "ended_at": at(row["ended_at_ms"], zone),
        "energy_kwh": format_e4(row["energy_e4kwh"]),
    }


def sample(row: Mapping[str, Any], zone: Zone) -> dict[str, Any]:
    """A charging sample."""
    return {
        "at": at(row["at_ms"], zone),
        "energy_kwh": format_e4(row["energy_e4kwh"]),
        "amount": format_e4(row["amount_e4yuan"]),
        "voltage_v": format_scaled(row["voltage_dv"], 1),
        "current_a": format_scaled(row["current_da"], 1),
        "soc_percent": row["soc_percent"],
    }


def order(row: Mapping[str, Any], zone: Zone) -> dict[str, Any]:
    """An order and how far it came."""
    return {
        "order_id": row["order_id"],
        "pile_id": row["pile_id"],
        "connector": row["connector"],
        "kind": row["kind"],
        "transaction_id": row["transaction_id"],
        "state": row["state"],
        "actor": row["actor"],
        "created_at": at(row["created_at_ms"], zone),
        "deadline_at": at(row["deadline_at_ms"], zone),
        "request": row["request"],
        "result": row["result"],
    }


def outbox_entry(row: Mapping[str, Any], zone: Zone) -> dict[str, Any]:
    """An outbox row without its body."""
    return {
        "id": row["id"],
        "upstream": row["endpoint"],
        "event_id": row["event_id"],
        "type": row["type"],
        "partition": row["partition"],
        "sequence": row["sequence"],
        "state": row["state"],
        "attempts": row["attempts"],
        "created_at": at(row["created_at_ms"], zone),
        "due_at": at(row["due_at_ms"], zone),
        "delivered_at": at(row["delivered_at_ms"], zone),
        "last_status": row["last_status"],
        "last_error": row["last_error"],
    }


def connector(state: ConnectorState, zone: Zone, protocol: str) -> dict[str, Any]:
    """The live state of a connector; its faults are told in the words of the pile's protocol."""
    dialect = dialect_named(protocol) or DEFAULT
    return {
        "no": state.no,
        "status": state.status,
        "is_plugged": state.is_plugged,
        "is_faulted": state.is_faulted,
        "faults": dialect.code_texts(state.fault_bits),
        "transaction_id": state.transaction_id,
        "sampled_at": at(state.sampled_at_ms, zone),
        "voltage_v": format_scaled(state.lane.voltage_dv, 1),
        "current_a": format_scaled(state.lane.current_da, 1),
        "soc_percent": state.lane.soc_percent,
        "parking_lock": state.lock,
    }


def pile(state: PileState, station: str, zone: Zone, *, has_link: bool) -> dict[str, Any]:
    """A pile with its connectors."""
    return {
        "pile_id": state.pile_id,
        "station": station,
        "protocol": state.protocol,
        "firmware_version": state.firmware_version,
        "current": state.current,
        "connector_count": state.connector_count,
        "is_online": state.is_online,
        "has_link": has_link,
        "logged_in_at": at(state.logged_in_at_ms, zone),
        "heard_at": at(state.heard_at_ms, zone),
        "tariff_model_no": state.model_no,
        "clock_offset_s": None if state.clock_offset_ms is None else state.clock_offset_ms // 1000,
        "clock_checked_at": at(state.clock_checked_at_ms, zone),
        "connectors": [connector(state.connectors[no], zone, state.protocol) for no in sorted(state.connectors)],
    }


def account(row: Mapping[str, Any]) -> dict[str, Any]:
    """An account."""
    return {
        "account_id": row["account_id"],
        "name": row["name"],
        "balance": format_fen(row["balance_fen"]),
        "is_frozen": bool(row["is_frozen"]),
    }


def unfrozen(row: Mapping[str, Any]) -> dict[str, Any]:
    """A card's or VIN's row, its flag as a boolean."""
    return {**row, "is_frozen": bool(row["is_frozen"])}


def unknown_pile(row: Mapping[str, Any], zone: Zone) -> dict[str, Any]:
    """A pile that was refused."""
    return {
        "pile_id": row["pile_id"],
        "address": row["address"],
        "protocol": row["protocol"],
        "firmware_version": row["firmware_version"],
        "connector_count": row["connector_count"],
        "attempts": row["attempts"],
        "first_seen_at": at(row["first_seen_at_ms"], zone),
        "last_seen_at": at(row["last_seen_at_ms"], zone),
    }


def revision(row: Mapping[str, Any], zone: Zone) -> dict[str, Any]:
    """A revision of a bill."""
    return {
        "revision": row["revision"],
        "reason": row["reason"],
        "actor": row["actor"],
        "created_at": at(row["created_at_ms"], zone),
        "bill": json.loads(row["body"]),
    }


def record(row: Mapping[str, Any], zone: Zone) -> dict[str, Any]:
    """A record as evidence."""
    return {"content_hash": row["content_hash"], "received_at": at(row["rx_ms"], zone)}


def upstream(row: Mapping[str, Any], breakers: Mapping[str, str], zone: Zone) -> dict[str, Any]:
    """How many entries of one state an upstream has."""
    return {
        "upstream": row["endpoint"],
        "state": row["state"],
        "entries": row["entries"],
        "oldest_at": at(row["oldest_at_ms"], zone),
        "breaker": breakers.get(row["endpoint"]),
    }

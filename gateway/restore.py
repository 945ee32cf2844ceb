"""Taking up what a former run left: running sessions, registers, clocks, orders that were never sent."""

from __future__ import annotations

import structlog

from gateway.engine import Engine
from gateway.outcome import Outcome
from gateway.store import Store
from protocol.commands import AuthoriseStart, StartCharging
from protocol.events import StartRequested

log = structlog.get_logger()


def restore_engine(engine: Engine, store: Store) -> Outcome:
    """Fill a fresh engine from the store; what must be written because of it is in the outcome."""
    outcome = Outcome()
    reader = store.reader
    sessions = engine.sessions
    sessions.chains.recall = reader.register_chain
    sessions.pile_clocks.update(reader.pile_clocks())
    for pile_id, cards in reader.offline_cards().items():
        sessions.offline_cards[pile_id] = set(cards)
    for row in reader.piles():
        state = engine.piles.state(row["pile_id"])
        state.protocol = row["protocol"] or state.protocol
        state.firmware_version = row["firmware_version"] or ""
        state.model_no = row["tariff_model_no"]
        state.current = row["current"]
        state.connector_count = row["connector_count"] or 0
        state.clock_checked_at_ms = row["clock_checked_at_ms"]
        state.clock_offset_ms = row["clock_offset_ms"]
        if row["protocol"]:
            sessions.protocols[row["pile_id"]] = row["protocol"]
            sessions.firmware[row["pile_id"]] = state.firmware_version
    count = 0
    for frozen, states in reader.open_sessions():
        session = sessions.restore(frozen, states)
        engine.arm_session(session.transaction_id)
        count += 1
    for order in reader.start_orders_without_session():
        command = _command_of(order)
        if isinstance(command, AuthoriseStart):
            sessions.requests[(command.pile_id, command.connector)] = _request_of(order)
        outcome.absorb(engine.on_command(command, order["created_at_ms"]))
    if count:
        log.info("sessions_restored", sessions=count)
    return outcome


def _command_of(order: dict[str, object]) -> StartCharging | AuthoriseStart:
    """The start that was written down before the former run ended, sent or not."""
    request = dict(order["request"])  # type: ignore[call-overload]
    common = {
        "pile_id": request["pile_id"],
        "reply_ref": None,
        "transaction_id": request["transaction_id"],
        "connector": request["connector"],
        "logic_card": request["logic_card"],
        "balance_fen": request["balance_fen"],
        "parallel_no": request["parallel_no"],
    }
    if order["kind"] == "AuthoriseStart":
        return AuthoriseStart(**common, is_accepted=True, reason_code=0)
    return StartCharging(**common, card_uid=request["card_uid"])


def _request_of(order: dict[str, object]) -> StartRequested:
    """What the pile had asked for when an authorisation was written down."""
    request = dict(order["request"])  # type: ignore[call-overload]
    return StartRequested(
        at_ms=int(str(order["created_at_ms"])),
        pile_id=request["pile_id"],
        reply_ref=0,
        connector=request["connector"],
        method=str(order["actor"]),
        card_uid=request["card_uid"],
        password=None,
        vin=request["vin"],
        parallel_no=request["parallel_no"],
    )

"""May this card or car start here? The answer to a pile's own request, from the local list.

The list (accounts, cards, VINs) is in the database. An accepted start is written down before the pile is told.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from gateway.outcome import OrderSaved
from gateway.switchboard import Switchboard
from gateway.transactions import TransactionNumbers
from protocol.commands import AuthoriseStart
from protocol.events import StartRequested

log = structlog.get_logger()

ACCEPTED = 0
NO_SUCH_ACCOUNT = 1
ACCOUNT_FROZEN = 2
BALANCE_TOO_LOW = 3
PILE_BUSY = 8
VIN_UNKNOWN = 9


class AuthorisationList(Protocol):
    """Read access to accounts, cards and VINs."""

    def find_card(self, card_uid: str) -> Mapping[str, Any] | None:
        """The card's row, or ``None``."""

    def find_vin(self, vin: str) -> Mapping[str, Any] | None:
        """The VIN's row, or ``None``."""

    def find_account(self, account_id: str) -> Mapping[str, Any] | None:
        """The account's row, or ``None``."""


class Authoriser:
    """Answers the requests of piles to start.

    Args:
        listed: the local authorisation list.
    """

    def __init__(self, switchboard: Switchboard, numbers: TransactionNumbers, listed: AuthorisationList) -> None:
        self._switchboard = switchboard
        self._numbers = numbers
        self._listed = listed
        self._tasks: set[asyncio.Task[None]] = set()

    def on_event(self, event: object) -> None:
        """Answer a request to start; other facts are not for this room."""
        if isinstance(event, StartRequested):
            task = asyncio.get_running_loop().create_task(self._answer(event))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, event: StartRequested) -> None:
        code, account, logic_card = self.decide(event)
        now_ms = self._switchboard.clock.now_ms()
        transaction_id = self._numbers.next(event.pile_id, event.connector, now_ms)
        command = AuthoriseStart(
            pile_id=event.pile_id,
            reply_ref=event.reply_ref,
            transaction_id=transaction_id,
            connector=event.connector,
            logic_card=logic_card,
            balance_fen=account["balance_fen"] if account else 0,
            is_accepted=code == ACCEPTED,
            reason_code=code,
            parallel_no=event.parallel_no,
        )
        if code == ACCEPTED:
            await self._switchboard.save([self._saved(event, command, account, now_ms)])
        log.info(
            "start_authorised" if code == ACCEPTED else "start_refused",
            pile_id=event.pile_id,
            connector=event.connector,
            method=event.method,
            reason_code=code,
            transaction_id=transaction_id,
        )
        self._switchboard.send(command)

    def decide(self, event: StartRequested) -> tuple[int, Mapping[str, Any] | None, str]:
        """(reason code, the account, the card's printed number); reason 0 means accepted."""
        card: Mapping[str, Any] | None = None
        if event.method == "vin":
            entry = self._listed.find_vin(event.vin) if event.vin else None
            if entry is None:
                return VIN_UNKNOWN, None, "0" * 16
        else:
            entry = card = self._find_card(event.card_uid)
            if entry is None:
                return NO_SUCH_ACCOUNT, None, "0" * 16
        logic_card = card["logic_card"] if card else "0" * 16
        account = self._listed.find_account(entry["account_id"])
        if account is None:
            return NO_SUCH_ACCOUNT, None, logic_card
        if account["is_frozen"] or entry.get("is_frozen"):
            return ACCOUNT_FROZEN, account, logic_card
        if account["balance_fen"] <= 0:
            return BALANCE_TOO_LOW, account, logic_card
        if self._is_busy(event):
            return PILE_BUSY, account, logic_card
        return ACCEPTED, account, logic_card

    def _find_card(self, card_uid: str | None) -> Mapping[str, Any] | None:
        """Readers disagree on the byte order of a card's UID, so both are looked up."""
        if card_uid is None:
            return None
        turned = card_uid[:8] + bytes.fromhex(card_uid[8:])[::-1].hex().upper()
        return self._listed.find_card(card_uid) or self._listed.find_card(turned)

    def _is_busy(self, event: StartRequested) -> bool:
        active = self._switchboard.engine.sessions.active_on(event.pile_id, event.connector)
        return active is not None and active.core.sample_count > 0

    def _saved(
        self, event: StartRequested, command: AuthoriseStart, account: Mapping[str, Any] | None, now_ms: int
    ) -> OrderSaved:
        return OrderSaved(
            order_id=secrets.token_hex(8),
            pile_id=event.pile_id,
            connector=event.connector,
            kind="AuthoriseStart",
            transaction_id=command.transaction_id,
            created_at_ms=now_ms,
            deadline_at_ms=now_ms,
            state="accepted",
            actor=event.method,
            request={
                "transaction_id": command.transaction_id,
                "pile_id": event.pile_id,
                "connector": event.connector,
                "logic_card": command.logic_card,
                "card_uid": event.card_uid,
                "vin": event.vin,
                "balance_fen": command.balance_fen,
                "account_id": account["account_id"] if account else None,
                "parallel_no": event.parallel_no,
            },
        )

"""May this card or car start here? The answer to a pile's own request, from the local list.

The list (accounts, cards, VINs) is in the database. An accepted start is written down before the pile is told.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from billing_core.transitions import State
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
_ASKS_AGAIN_MS = 60_000
_HEX = set("0123456789ABCDEFabcdef")
_BALANCE_FEN_MAX = 0xFFFF_FFFF  # what the field of a frame can hold


def both_orders(card_uid: str) -> tuple[str, str]:
    """A UID of 16 hex digits as it came, and with its bytes turned round: 4 of them, or 7 when the field holds 7."""
    if not set(card_uid) <= _HEX:
        return card_uid, card_uid
    width = 8 if card_uid.startswith("0" * 8) else 14
    return card_uid, card_uid[:-width] + bytes.fromhex(card_uid[-width:])[::-1].hex().upper()


def _who(event: StartRequested) -> tuple[str, str | None, str | None, str | None]:
    return event.method, event.card_uid, event.vin, event.parallel_no


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
        self._given: dict[tuple[str, int], tuple[StartRequested, AuthoriseStart]] = {}
        self._newest: dict[str, asyncio.Task[None]] = {}  # pile -> the answer that its next one must not overtake

    def on_event(self, event: object) -> None:
        """Answer a request to start; other facts are not for this room."""
        if isinstance(event, StartRequested):
            task = asyncio.get_running_loop().create_task(self._in_turn(event, self._newest.get(event.pile_id)))
            self._newest[event.pile_id] = task
            task.add_done_callback(lambda done: self._forget(event.pile_id, done))

    def _forget(self, pile_id: str, done: asyncio.Task[None]) -> None:
        if self._newest.get(pile_id) is done:
            del self._newest[pile_id]

    async def _in_turn(self, event: StartRequested, former: asyncio.Task[None] | None) -> None:
        """Where an answer names neither transaction nor connector, its place among the answers is all that tells."""
        if former is not None:
            await asyncio.wait((former,))
        await self._answer(event)

    async def _answer(self, event: StartRequested) -> None:
        given = self._given_to(event)
        session = self._switchboard.engine.sessions.find(given.transaction_id) if given else None
        if given is not None and not given.transaction_id:
            given = None  # nothing on the wire ties the answer to one request: each is decided anew
        if given is not None and session is None:
            return  # the first answer is still being written down, and follows
        if given is not None and session is not None and session.core.state is State.OPENED:
            log.info("start_authorised_again", pile_id=event.pile_id, transaction_id=given.transaction_id)
            self._switchboard.send(dataclasses.replace(given, reply_ref=event.reply_ref))
            return
        code, account, logic_card = self.decide(event)
        now_ms = self._switchboard.clock.now_ms()
        traits = self._switchboard.engine.piles.traits(event.pile_id)
        transaction_id = ""
        if traits.names_card_starts or event.method == "vin":
            transaction_id = self._numbers.next(event.pile_id, event.connector, now_ms, pile_digits=traits.pile_digits)
        command = AuthoriseStart(
            pile_id=event.pile_id,
            reply_ref=event.reply_ref,
            transaction_id=transaction_id,
            connector=event.connector,
            logic_card=logic_card,
            balance_fen=min(max(account["balance_fen"], 0), _BALANCE_FEN_MAX) if account else 0,
            is_accepted=code == ACCEPTED,
            reason_code=code,
            parallel_no=event.parallel_no,
        )
        if code == ACCEPTED:
            self._given[(event.pile_id, event.connector)] = event, command
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

    def _given_to(self, event: StartRequested) -> AuthoriseStart | None:
        """What this very request was answered before: piles ask again every 15 s when the answer was lost."""
        asked, given = self._given.get((event.pile_id, event.connector), (None, None))
        if asked is None or _who(asked) != _who(event) or event.at_ms - asked.at_ms > _ASKS_AGAIN_MS:
            return None
        return given

    def decide(self, event: StartRequested) -> tuple[int, Mapping[str, Any] | None, str]:
        """(reason code, the account, the card's printed number); reason 0 means accepted."""
        card: Mapping[str, Any] | None = None
        if event.method == "vin":
            entry = self._listed.find_vin(event.vin.upper()) if event.vin else None
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
        for candidate in both_orders(card_uid):
            found = self._listed.find_card(candidate)
            if found is not None:
                return found
        return None

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
            transaction_id=command.transaction_id or None,
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

"""What people change by hand, by API or command line alike: piles, accounts, cards, VINs, tokens, the outbox.

Every function hands one piece of work to a ``Writer`` and returns its future.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from gateway.site import PileEntry, Site
from gateway.store import Store

Call = Callable[[Callable[[sqlite3.Connection], Any]], "Future[Any]"]
_TOKEN_BYTES = 32
_DAY_MS = 86_400_000
_KEEP_UNKNOWN_DAYS = 30
_UNKNOWN_PILES_MAX = 10_000  # whoever makes up numbers must not fill the disk
FORGET_ROWS_MAX = 20_000  # of one transaction: acknowledgements wait behind it
# Samples, frames and outbox rows are numbered as they came, so their ends are found without an index on time.
_FORGET_SAMPLES = """DELETE FROM sample_block WHERE rowid IN (SELECT rowid FROM sample_block ORDER BY rowid LIMIT :most)
 AND at_ms < :before_ms AND NOT EXISTS
 (SELECT 1 FROM session WHERE session.transaction_id = sample_block.transaction_id AND state <> 'billed')"""
_FORGET_FRAMES = """DELETE FROM frame_block WHERE id IN (SELECT id FROM frame_block ORDER BY id LIMIT :most)
 AND from_ms < :before_ms"""
_FORGET_DELIVERED = """DELETE FROM outbox WHERE created_at_ms < :before_ms AND id IN
 (SELECT id FROM outbox WHERE state = 'delivered' ORDER BY id LIMIT :most)"""
_FORGET_DEAD = """DELETE FROM outbox WHERE created_at_ms < :before_ms AND id IN
 (SELECT id FROM outbox WHERE state = 'dead' ORDER BY id LIMIT :most)"""
_FORGET_ORDERS = """DELETE FROM order_log WHERE order_id IN
 (SELECT order_id FROM order_log WHERE created_at_ms < :before_ms ORDER BY created_at_ms LIMIT :most)"""
_FORGET_ANSWERS = """DELETE FROM idempotency WHERE key IN
 (SELECT key FROM idempotency WHERE created_at_ms < :before_ms LIMIT :most)"""
_FORGET_UNKNOWN = """DELETE FROM unknown_pile WHERE pile_id IN
 (SELECT pile_id FROM unknown_pile WHERE last_seen_at_ms < :before_ms LIMIT :most)"""
_BOUND_UNKNOWN = """DELETE FROM unknown_pile WHERE pile_id IN
 (SELECT pile_id FROM unknown_pile ORDER BY last_seen_at_ms DESC LIMIT -1 OFFSET :most)"""


def merged_site(site: Site, store: Store) -> Site:
    """The configured site, and the piles that were adopted into the database; the file wins."""
    piles = {row["pile_id"]: _entry(row) for row in store.reader.adopted_piles()}
    return dataclasses.replace(site, piles={**piles, **site.piles})


def _entry(row: dict[str, Any]) -> PileEntry:
    body = json.loads(row["body"]) if row["body"] else {}
    return PileEntry(id=row["pile_id"], station=row["station"], **body)


def adopt_pile(call: Call, pile_id: str, *, station: str, at_ms: int) -> Future[Any]:
    """Let a pile in."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            """INSERT INTO pile (pile_id, station, adopted_at_ms) VALUES (?,?,?) ON CONFLICT (pile_id) DO UPDATE SET
             station = excluded.station, adopted_at_ms = coalesce(pile.adopted_at_ms, excluded.adopted_at_ms)""",
            (pile_id, station, at_ms),
        )
        connection.execute("DELETE FROM unknown_pile WHERE pile_id = ?", (pile_id,))

    return call(work)


def dismiss_pile(call: Call, pile_id: str) -> Future[Any]:
    """Take an adopted pile out again; its bills stay."""
    return call(_changing("UPDATE pile SET adopted_at_ms = NULL WHERE pile_id = ?", (pile_id,), f"pile {pile_id}"))


def _changing(sql: str, values: tuple[object, ...], what: str) -> Callable[[sqlite3.Connection], None]:
    """Work that fails when it changes nothing."""

    def work(connection: sqlite3.Connection) -> None:
        if connection.execute(sql, values).rowcount == 0:
            raise ValueError(f"{what} does not exist")

    return work


def save_account(call: Call, account_id: str, *, name: str, balance_fen: int, is_frozen: bool) -> Future[Any]:
    """Make or replace an account."""
    values = (account_id, name, balance_fen, int(is_frozen))
    return call(
        lambda connection: (
            connection.execute(
                """INSERT INTO account VALUES (?,?,?,?) ON CONFLICT (account_id) DO UPDATE SET
             name = excluded.name, balance_fen = excluded.balance_fen, is_frozen = excluded.is_frozen""",
                values,
            ).rowcount
        )
    )


def save_card(call: Call, card_uid: str, *, logic_card: str, account_id: str, is_frozen: bool) -> Future[Any]:
    """Make or replace a card; its account must exist."""
    values = (card_uid.upper().rjust(16, "0"), logic_card.rjust(16, "0"), account_id, int(is_frozen))
    return call(
        lambda connection: (
            connection.execute(
                """INSERT INTO card VALUES (?,?,?,?)
                   ON CONFLICT (card_uid) DO UPDATE SET logic_card = excluded.logic_card,
             account_id = excluded.account_id, is_frozen = excluded.is_frozen""",
                values,
            ).rowcount
        )
    )


def save_vin(call: Call, vin: str, *, account_id: str, is_frozen: bool) -> Future[Any]:
    """Make or replace a VIN; its account must exist."""
    values = (vin.upper(), account_id, int(is_frozen))
    return call(
        lambda connection: (
            connection.execute(
                """INSERT INTO vin VALUES (?,?,?) ON CONFLICT (vin) DO UPDATE SET
             account_id = excluded.account_id, is_frozen = excluded.is_frozen""",
                values,
            ).rowcount
        )
    )


_REMOVABLE = {"account": "account_id", "card": "card_uid", "vin": "vin"}


def remove(call: Call, what: str, key: str) -> Future[Any]:
    """Delete an account, card or VIN. The future fails with ``ValueError`` text when it does not exist."""
    sql = f"DELETE FROM {what} WHERE {_REMOVABLE[what]} = ?"
    return call(_changing(sql, (key,), f"{what} {key}"))


# -- tokens ---------------------------------------------------------------------------------------------


def token_hash(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def create_token(call: Call, name: str, *, at_ms: int) -> tuple[str, Future[Any]]:
    """(the token, shown this once; the future of storing its hash)."""
    token = "pg_" + secrets.token_urlsafe(_TOKEN_BYTES)
    values = (name, token_hash(token), at_ms)
    sql = "INSERT INTO token (name, sha256, created_at_ms) VALUES (?,?,?)"
    return token, call(lambda connection: connection.execute(sql, values).rowcount)


def revoke_token(call: Call, name: str, *, at_ms: int) -> Future[Any]:
    """Make a token worthless."""
    sql = "UPDATE token SET revoked_at_ms = ? WHERE name = ? AND revoked_at_ms IS NULL"
    return call(_changing(sql, (at_ms, name), f"token {name}"))


# -- outbox ---------------------------------------------------------------------------------------------


def retry_delivery(call: Call, outbox_id: int, *, at_ms: int, expires_at_ms: int) -> Future[Any]:
    """Send an entry again, with the same id and the same bytes."""
    sql = """UPDATE outbox SET state = 'pending', due_at_ms = ?, expires_at_ms = max(expires_at_ms, ?), attempts = 0
     WHERE id = ?"""
    return call(_changing(sql, (at_ms, expires_at_ms, outbox_id), f"outbox entry {outbox_id}"))


# -- retention ------------------------------------------------------------------------------------------


def forget_old(call: Call, store: Store, *, at_ms: int) -> Future[Any]:
    """Delete what is older than the configured days; bills and records are never deleted.

    One short transaction: of each kind at most ``FORGET_ROWS_MAX`` rows are looked at, oldest first. The result
    tells whether more may be left, so that the caller comes again soon.
    """
    config = store.config

    def work(connection: sqlite3.Connection) -> bool:
        is_full = False
        for sql, days in (
            (_FORGET_SAMPLES, config.keep_samples_days),
            (_FORGET_FRAMES, config.keep_frames_days),
            (_FORGET_DELIVERED, config.keep_delivered_days),
            (_FORGET_DEAD, config.keep_delivered_days),
            (_FORGET_ORDERS, config.keep_orders_days),
            (_FORGET_ANSWERS, 1),
            (_FORGET_UNKNOWN, _KEEP_UNKNOWN_DAYS),
        ):
            values = {"before_ms": at_ms - days * _DAY_MS, "most": FORGET_ROWS_MAX}
            is_full |= connection.execute(sql, values).rowcount >= FORGET_ROWS_MAX
        connection.execute(_BOUND_UNKNOWN, {"most": _UNKNOWN_PILES_MAX})
        return is_full

    return call(work)

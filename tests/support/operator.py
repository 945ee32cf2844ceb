"""What an operator does before piles come: an account with money, its cards and VINs, a token."""

from collections.abc import Iterable
from pathlib import Path

from gateway import manage
from gateway.store import Store, StoreConfig

BALANCE_FEN = 1_000_000


def list_accounts(directory: Path, *, cards: Iterable[str] = (), vins: Iterable[str] = ()) -> str:
    """One account for all cards and VINs; returns a token for the API. The daemon must not run."""
    store = Store(StoreConfig(path=str(directory / "pilegate.db")))
    call = store.writer.call
    try:
        work = [manage.save_account(call, "a1", name="", balance_fen=BALANCE_FEN, is_frozen=False)]
        work += [manage.save_card(call, uid, logic_card="1", account_id="a1", is_frozen=False) for uid in cards]
        work += [manage.save_vin(call, vin, account_id="a1", is_frozen=False) for vin in vins]
        token, stored = manage.create_token(call, "tests", at_ms=0)
        for each in (*work, stored):
            each.result(30)
    finally:
        store.close()
    return token

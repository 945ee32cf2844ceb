"""The local list decides: each refusal in its order, each answer once."""

import asyncio
import dataclasses
from types import SimpleNamespace

import pytest

from billing_core.transitions import State
from gateway import authorisation as a
from gateway.authorisation import Authoriser, both_orders
from protocol.events import StartRequested
from tests.support.switchboard import PILE, T0_MS, Numbers, StubSwitchboard

CARD, VIN = "00000000D14B0A54", "LSVNV2182E2100001"


class Listed:
    """A list in memory."""

    def __init__(self):
        self.accounts = {"a": {"account_id": "a", "balance_fen": 500, "is_frozen": 0}}
        self.cards = {CARD: {"card_uid": CARD, "logic_card": "7", "account_id": "a", "is_frozen": 0}}
        self.vins = {VIN: {"vin": VIN, "account_id": "a", "is_frozen": 0}}

    def find_card(self, uid):
        return self.cards.get(uid)

    def find_vin(self, vin):
        return self.vins.get(vin)

    def find_account(self, account_id):
        return self.accounts.get(account_id)


def request(method="card", card=CARD, vin=None, at_ms=T0_MS, ref=1):
    return StartRequested(at_ms, PILE, ref, 1, method, card if method == "card" else None, None, vin, None, None)


def room():
    board, listed = StubSwitchboard(), Listed()
    return board, listed, Authoriser(board, Numbers(), listed)


def decide(change=None, **asked):
    async def whole():
        board, listed, desk = room()
        if change:
            change(board, listed)
        return desk.decide(request(**asked))

    return asyncio.run(whole())


def test_a_known_card_and_a_known_car():
    assert decide()[0] == a.ACCEPTED
    assert decide(method="vin", vin=VIN.lower())[0] == a.ACCEPTED


@pytest.mark.parametrize(
    ("change", "asked", "code"),
    [
        (None, {"card": "00000000000000FF"}, a.NO_SUCH_ACCOUNT),
        (None, {"card": None}, a.NO_SUCH_ACCOUNT),
        (lambda b, li: li.accounts.clear(), {}, a.NO_SUCH_ACCOUNT),
        (lambda b, li: li.cards[CARD].update(is_frozen=1), {}, a.ACCOUNT_FROZEN),
        (lambda b, li: li.accounts["a"].update(is_frozen=1, balance_fen=0), {}, a.ACCOUNT_FROZEN),
        (lambda b, li: li.accounts["a"].update(balance_fen=0), {}, a.BALANCE_TOO_LOW),
        (lambda b, li: li.accounts["a"].update(balance_fen=-1), {}, a.BALANCE_TOO_LOW),
        (
            lambda b, li: b.held.update({(PILE, 1): SimpleNamespace(core=SimpleNamespace(sample_count=1))}),
            {},
            a.PILE_BUSY,
        ),
        (None, {"method": "vin", "vin": None}, a.VIN_UNKNOWN),
        (None, {"method": "vin", "vin": "L" * 17}, a.VIN_UNKNOWN),
    ],
)
def test_each_refusal_has_its_reason(change, asked, code):
    assert decide(change, **asked)[0] == code


@pytest.mark.parametrize(
    ("uid", "turned"),
    [
        ("00000000D14B0A54", "00000000540A4BD1"),
        ("0004A1B2C3D4E5F6", "00F6E5D4C3B2A104"),
        ("1104A1B2C3D4E5F6", "11F6E5D4C3B2A104"),
        ("a card of words", "a card of words"),
    ],
)
def test_a_uid_in_both_orders(uid, turned):
    assert both_orders(uid) == (uid, turned)


async def settle():
    for _ in range(6):
        await asyncio.sleep(0)


def test_an_accepted_start_is_written_down_before_it_is_told():
    async def story():
        board, listed, desk = room()
        listed.accounts["a"]["balance_fen"] = 10**12
        desk.on_event(object())
        desk.on_event(request())
        await settle()
        (saved,) = board.saved
        (told,) = board.sent
        assert saved.transaction_id == told.transaction_id
        assert (told.is_accepted, told.reply_ref, told.balance_fen) == (True, 1, 0xFFFF_FFFF)
        assert saved.request["account_id"] == "a"

    asyncio.run(story())


def test_a_refusal_is_told_and_not_written_down():
    async def story():
        board, _, desk = room()
        desk.on_event(request(card="00000000000000FF"))
        await settle()
        (told,) = board.sent
        assert (told.is_accepted, told.reason_code, board.saved) == (False, a.NO_SUCH_ACCOUNT, [])

    asyncio.run(story())


def test_a_refusal_does_not_overtake_what_is_still_written_down():
    async def story():
        board, _, desk = room()
        desk.on_event(request())
        desk.on_event(request(card="00000000000000FF", ref=2))
        await settle()
        assert [(told.reply_ref, told.is_accepted) for told in board.sent] == [(1, True), (2, False)]

    asyncio.run(story())


def test_asked_again_it_answers_as_before_until_the_charge_begins():
    async def story():
        board, _, desk = room()
        desk.on_event(request())
        await settle()
        (first,) = board.sent
        desk.on_event(request(at_ms=T0_MS + 1, ref=2))
        await settle()
        assert len(board.sent) == 1, "the first answer is on its way"
        session = SimpleNamespace(core=SimpleNamespace(state=State.OPENED))
        board.engine.sessions.find = lambda transaction_id: session
        desk.on_event(request(at_ms=T0_MS + 15_000, ref=3))
        await settle()
        assert board.sent[1] == dataclasses.replace(first, reply_ref=3)
        desk.on_event(request(at_ms=T0_MS + 60_001, ref=4))
        await settle()
        assert board.sent[2].transaction_id != first.transaction_id, "a minute later it is another request"
        session.core.state = State.BILLED
        desk.on_event(request(at_ms=T0_MS + 61_000, ref=5))
        await settle()
        assert len({command.transaction_id for command in board.sent}) == 3

    asyncio.run(story())

"""What a gateway does of its own accord."""

import asyncio
from types import SimpleNamespace

from structlog.testing import capture_logs

from gateway.outcome import EventRaised, Notice
from gateway.routine import Routine, RoutineConfig
from protocol import commands as c
from protocol.events import PileLoggedIn
from tests.support.switchboard import PILE, T0_MS, StubSwitchboard, orders_on

TARIFF = c.PileTariff("0100", ((1, 1),) * 4, (0,) * 48)
LOGIN = PileLoggedIn(T0_MS, PILE, 0, "ykc-1.6", "DC", 2, "V1", 0, "0", 4)


def run(story, **config):
    async def whole():
        board = StubSwitchboard()
        board.tariff = TARIFF
        await story(board, Routine(board, orders_on(board, speed=1_000), RoutineConfig(**config)))

    asyncio.run(whole())


async def sent(board):
    """Kinds sent since the last look."""
    for _ in range(5):
        await asyncio.sleep(0)
    kinds = [type(command).__name__ for command in board.sent]
    board.sent.clear()
    return kinds


def test_a_login_sets_the_clock_and_repeats_the_prefix():
    async def story(board, routine):
        routine.on_event(object())
        assert await sent(board) == []
        routine.on_event(LOGIN)
        assert await sent(board) == ["SyncTime", "SetQrPrefix"]

    run(story, qr_prefix="https://q/")


def told(kind, **data):
    place = {"pile_id": PILE, "connector": 1}
    return Notice(f"pilegate.session.{kind}", "tx", T0_MS, {**place, **data})


def test_a_charge_is_stopped_when_its_money_ends():
    async def story(board, routine):
        routine.watch(told("balance_reached", balance_fen=100))
        assert await sent(board) == ["StopCharging"]
        routine.watch(told("progress", soc_percent=50))
        with capture_logs() as logs:
            routine.watch(told("stop_ignored"))
        assert await sent(board) == []
        assert [line["event"] for line in logs] == ["stop_ignored"]

    run(story)


def test_a_bill_that_shows_a_wrong_clock_sets_it_once_an_hour():
    def bill(code, at_ms):
        data = {"pile_id": PILE, "anomalies": [{"code": code}]}
        return EventRaised("e", "pilegate.bill.created", "tx", "tx", at_ms, data)

    async def story(board, routine):
        routine.watch(bill("record_missing", T0_MS))
        assert await sent(board) == []
        routine.watch(bill("time_clock_skew", T0_MS))
        routine.watch(bill("time_clock_skew", T0_MS + 3_600_000))
        assert await sent(board) == ["SyncTime"]

    run(story)


def test_the_clock_is_set_again_when_its_check_is_old():
    async def story(board, routine):
        routine.on_event(LOGIN)
        await sent(board)
        board.state.clock_checked_at_ms = T0_MS
        await asyncio.sleep(0.05)  # the order's deadline, a thousand times as fast
        routine.tick(T0_MS + 86_399_999)
        assert await sent(board) == []
        routine.tick(T0_MS + 86_400_000)
        assert await sent(board) == ["SyncTime"]
        routine.tick(T0_MS + 86_400_001)
        assert await sent(board) == [], "tried just now"

    run(story)


def test_a_tariff_goes_to_idle_piles_that_are_stale_and_not_too_often():
    async def story(board, routine):
        board.state.clock_checked_at_ms = T0_MS
        routine.tick(T0_MS + 60_000)
        assert await sent(board) == [], "it holds the one in force"
        board.stale = True
        routine.tick(T0_MS + 59_999)
        assert await sent(board) == [], "it will ask by itself"
        board.state.connectors = {1: SimpleNamespace(status="charging")}
        routine.tick(T0_MS + 60_000)
        assert await sent(board) == [], "it charges"
        board.state.connectors = {1: SimpleNamespace(status="idle")}
        board.held[(PILE, 1)] = object()
        routine.tick(T0_MS + 60_000)
        assert await sent(board) == [], "it is about to charge"
        board.held.clear()
        routine.tick(T0_MS + 60_000)
        assert await sent(board) == ["SetTariff"]
        await asyncio.sleep(0.05)
        routine.tick(T0_MS + 359_999)
        assert await sent(board) == [], "it refused a moment ago"
        routine.tick(T0_MS + 360_000)
        assert await sent(board) == ["SetTariff"]

    run(story)


def test_pushing_can_be_turned_off():
    async def story(board, routine):
        board.state.clock_checked_at_ms = T0_MS
        board.stale = True
        routine.tick(T0_MS + 600_000)
        assert await sent(board) == []

    run(story, pushes_tariffs=False)


def test_a_pile_that_has_gone_is_skipped():
    async def story(board, routine):
        board.connected.clear()
        routine.on_event(LOGIN)
        assert await sent(board) == []

    run(story)

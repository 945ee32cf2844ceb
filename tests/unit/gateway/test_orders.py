"""Orders: one answer, one result, whatever happens."""

import asyncio
import dataclasses
from types import SimpleNamespace

import pytest

from gateway.orders import OrderError
from gateway.outcome import OrderSaved
from protocol import commands as c
from protocol import events as e
from protocol.dialect import Traits
from protocol.errors import LocalProtocolError
from tests.support.switchboard import PILE, T0_MS, StubSwitchboard, orders_on


def answered(order, connector=None, *, is_accepted=True, reason=0, **detail):
    return e.OrderAnswered(T0_MS, PILE, 0, order, connector, is_accepted, reason, detail)


def start_answered(serial, *, ok=True, reason=0, connector=1):
    may_still = not ok and reason == 5
    return e.StartAnswered(T0_MS, PILE, 0, connector, serial, ok, reason, may_still)


def run(story, speed=1):
    async def whole():
        board = StubSwitchboard()
        await story(board, orders_on(board, speed))

    asyncio.run(whole())


async def under_way(work):
    """A task that has come as far as it can without an answer."""
    task = asyncio.create_task(work)
    for _ in range(5):
        await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("is_accepted", [True, False])
def test_an_answer_becomes_the_result(is_accepted):
    async def story(board, orders):
        task = await under_way(orders.place(c.StopCharging(PILE, None, 2), actor="me"))
        orders.on_event(answered("StopCharging", 1))
        orders.on_event(answered("Reboot"))
        assert not task.done(), "somebody else's answer"
        orders.on_event(answered("StopCharging", 2, is_accepted=is_accepted, reason=3, gun=2))
        saved = await task
        assert saved.state == ("accepted" if is_accepted else "refused")
        assert saved.result == {"reason_code": 3, "gun": 2}
        assert board.saved == [saved], "durable before anybody is told"
        orders.on_event(answered("StopCharging", 2))
        assert board.saved == [saved], "one result only"

    run(story)


def test_no_answer_in_time():
    async def story(board, orders):
        saved = await orders.place(c.Reboot(PILE, None, True), actor="me", timeout_ms=1_000)
        assert (saved.state, saved.deadline_at_ms) == ("timed_out", T0_MS + 1_000)
        assert board.notices[-1].data["state"] == "timed_out"

    run(story, speed=100)


def test_a_link_that_closes_fails_everything_but_starts():
    async def story(board, orders):
        task = await under_way(orders.place(c.Reboot(PILE, None, True), actor="me"))
        (start,) = await orders.start(PILE, [1], actor="me", balance_fen=100)
        orders.on_link_lost(PILE)
        assert (await task).state == "failed"
        assert orders.pending_of(start.transaction_id).state == "sent", "the pile may start all the same"
        orders.on_event(start_answered(start.transaction_id))
        assert board.lazy[-1].state == "accepted"

    run(story)


def test_who_cannot_be_ordered():
    async def story(board, orders):
        async def refused(pile, work):
            with pytest.raises(OrderError) as caught:
                await work
            return caught.value.code

        assert await refused("x", orders.place(c.Reboot("x", None, True), actor="me")) == "pile_unknown"
        assert await refused(PILE, orders.place(c.StopCharging(PILE, None, 3), actor="me")) == "connector_unknown"
        task = await under_way(orders.place(c.Reboot(PILE, None, True), actor="me"))
        assert await refused(PILE, orders.place(c.Reboot(PILE, None, False), actor="me")) == "order_pending"
        orders.on_event(answered("Reboot"))
        await task
        board.connected.clear()
        assert await refused(PILE, orders.place(c.Reboot(PILE, None, True), actor="me")) == "pile_offline"
        assert await refused(PILE, orders.start(PILE, [1], actor="me", balance_fen=1)) == "pile_offline"

    run(story)


def test_one_balance_at_a_time_because_its_answer_names_no_connector():
    async def story(board, orders):
        task = await under_way(orders.place(c.UpdateBalance(PILE, None, 1, None, 5), actor="me"))
        with pytest.raises(OrderError, match="UpdateBalance"):
            await orders.place(c.UpdateBalance(PILE, None, 2, None, 5), actor="me")
        orders.on_event(answered("UpdateBalance"))
        assert (await task).connector == 1

    run(story)


def test_what_no_frame_can_carry_is_failed_and_forgotten():
    async def story(board, orders):
        def refuse(command):
            raise LocalProtocolError("too_long", "prefix", frame_type=0xF0)

        board.send = refuse
        for _ in range(2):
            with pytest.raises(LocalProtocolError):
                await orders.place(c.SetQrPrefix(PILE, None, "x", True), actor="me")
        assert board.lazy == [] or all(row.state == "failed" for row in board.lazy)

    run(story)


def test_a_start_is_written_down_before_it_is_sent():
    async def story(board, orders):
        seen = []

        async def save(rows, work=None):
            seen.append(list(board.sent))
            board.saved += rows

        board.save = save
        first, second = await orders.start(PILE, [1, 2], actor="me", balance_fen=100, parallel_no="260303114000")
        assert seen == [[]]
        assert [row.state for row in board.saved] == ["queued", "queued"]
        assert [command.connector for command in board.sent] == [1, 2]
        assert {command.parallel_no for command in board.sent} == {"260303114000"}
        assert first.transaction_id != second.transaction_id

    run(story)


def test_a_start_waits_for_the_record_that_it_would_make_the_pile_drop():
    async def story(board, orders):
        core = SimpleNamespace(pile_id=PILE, connector=1, ended_at_ms=T0_MS)
        board.running = [SimpleNamespace(core=core, transaction_id="T1")]
        board.traits = Traits(start_drops_record=True)
        with pytest.raises(OrderError, match="T1 has not come") as caught:
            await orders.start(PILE, [1], actor="me", balance_fen=100)
        assert caught.value.code == "record_pending"
        await orders.start(PILE, [2], actor="me", balance_fen=100)
        board.traits = Traits()
        await orders.start(PILE, [1], actor="me", balance_fen=100)

    run(story)


def test_several_connectors_start_all_or_none():
    async def story(board, orders):
        board.held[(PILE, 2)] = object()
        with pytest.raises(OrderError) as caught:
            await orders.start(PILE, [1, 2], actor="me", balance_fen=100, parallel_no="1")
        assert caught.value.code == "connector_busy"
        assert board.saved == board.sent == []
        del board.held[(PILE, 2)]
        await orders.start(PILE, [1, 2], actor="me", balance_fen=100, parallel_no="1")

    run(story)


def test_a_start_that_cannot_be_written_down_is_not_sent_and_can_be_tried_again():
    async def story(board, orders):
        keep = board.save

        async def full(rows, work=None):
            raise OSError("disk full")

        board.save = full
        with pytest.raises(OSError, match="disk full"):
            await orders.start(PILE, [1], actor="me", balance_fen=100)
        assert board.sent == []
        board.save = keep
        await orders.start(PILE, [1], actor="me", balance_fen=100)

    run(story)


def test_not_plugged_in_is_provisional_for_60_s():
    async def story(board, orders):
        (first,) = await orders.start(PILE, [1], actor="me", balance_fen=100)
        orders.on_event(start_answered(first.transaction_id, ok=False, reason=5))
        assert orders.pending_of(first.transaction_id).result["detail"] == "not plugged in yet"
        orders.on_event(start_answered(first.transaction_id))
        assert board.lazy[-1].state == "accepted"
        (second,) = await orders.start(PILE, [2], actor="me", balance_fen=100)
        orders.on_event(start_answered(second.transaction_id, ok=False, reason=5, connector=2))
        async with asyncio.timeout(5):
            while orders.pending_of(second.transaction_id).state == "sent":
                await asyncio.sleep(0.01)
        assert (board.lazy[-1].state, board.lazy[-1].result["reason_code"]) == ("refused", 5)

    run(story, speed=200)


def test_an_answer_with_another_number_is_not_ours():
    async def story(board, orders):
        (order,) = await orders.start(PILE, [1], actor="me", balance_fen=100)
        orders.on_event(start_answered("9" * 32))
        assert orders.pending_of(order.transaction_id).state == "sent"
        orders.on_event(start_answered(order.transaction_id, ok=False, reason=3))
        assert (board.lazy[-1].state, board.lazy[-1].result) == ("refused", {"reason_code": 3})

    run(story)


def test_what_a_former_run_left():
    async def story(board, orders):
        start = OrderSaved(
            "o1", PILE, 1, "StartCharging", "T1", T0_MS - 1_000, T0_MS + 89_000, "sent", "me",
            {"pile_id": PILE, "transaction_id": "T1", "connector": 1, "logic_card": "0" * 16, "card_uid": None,
             "balance_fen": 5, "parallel_no": None, "account_id": "a"},
        )  # fmt: skip
        late = dataclasses.replace(start, order_id="o2", transaction_id="T2", connector=2, deadline_at_ms=T0_MS - 1)
        reboot = OrderSaved("o3", PILE, None, "Reboot", None, T0_MS, T0_MS + 9, "sent", "me", {"is_immediate": True})
        orders.restore([{name: getattr(row, name) for name in OrderSaved.__slots__} for row in (start, late, reboot)])
        assert {row.order_id: row.state for row in board.lazy} == {"o2": "timed_out", "o3": "failed"}
        orders.on_event(start_answered("T1"))
        assert (board.lazy[-1].order_id, board.lazy[-1].state) == ("o1", "accepted")

    run(story)

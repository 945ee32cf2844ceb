"""Start and stop by HTTP: from the order to the bill, and every way a start can fail."""

import json

from tests.support import wire
from tests.support.desk import play, start_answer


def record_of(pile, serial, energy=10_000, **more):
    tiers = [(0, 0, 0), (0, 0, 0), (150_000, energy, energy * 3 // 2), (0, 0, 0)]
    times = {"start": "2026-03-03T13:00:00", "end": "2026-03-03T13:30:00"}
    return wire.record(serial, pile.pile_id, **times, tiers=tiers, meter=(500, 500 + energy), **more)


def test_from_the_order_to_the_bill(now):
    async def story(desk, pile):
        async with desk.events() as events:
            serial = await desk.start(pile)
            pile.charge(serial, 4_000, amount=6_000)
            await events.wait("pilegate.session.started", serial)
            pile.charge(serial, 8_000, amount=12_000)
            progress = await events.wait("pilegate.session.progress", serial)
            while progress.body["data"]["energy_kwh"] != "0.8000":
                progress = await events.wait("pilegate.session.progress", serial)
            assert progress.id is None
            assert set(progress.body["data"]) >= {"duration_s", "energy_kwh", "amount", "energy_fee", "service_fee"}
            live = (await desk.get(f"/sessions/{serial}"))["live"]
            assert live["energy_kwh"] == "0.8000"
            assert float(live["amount"]) > 0

            call = await desk.order(f"/piles/{pile.pile_id}/connectors/1/stop")
            stop = await pile.expect(0x36)
            assert stop.body == wire.bcd(pile.pile_id) + b"\x01"
            pile.answer(0x35, stop, b"\x01\x01\x00")
            assert (await call)["state"] == "accepted"
            pile.send(wire.bms_end(serial, pile.pile_id), wire.sample("0" * 32, pile.pile_id, state=2))
            ended = await events.wait("pilegate.session.ended", serial)
            assert ended.id
            pile.send(record_of(pile, serial, 8_000, reason=0x40))
            ack = await pile.expect(0x40)
            assert ack.body == wire.bcd(serial) + b"\0"
            bill = await events.wait("pilegate.bill.created", serial)
            assert bill.body["id"] == f"bill-{serial}-r1"
        shown = await desk.get(f"/bills/{serial}")
        assert (shown["energy_kwh"], shown["start_channel"]) == ("0.8000", "app")
        assert (await desk.get(f"/bills/{serial}/revisions"))["items"][0]["bill"] == shown
        assert (await desk.get(f"/sessions/{serial}"))["state"] == "billed"
        curve = (await desk.get(f"/sessions/{serial}/samples"))["items"]
        assert [point["energy_kwh"] for point in curve] == ["0.4000", "0.8000"]
        listed = (await desk.get("/bills", pile=pile.pile_id))["items"]
        assert [bill["transaction_id"] for bill in listed] == [serial]
        # sent again: answered again, changes nothing
        pile.send(record_of(pile, serial, 8_000, reason=0x40))
        await pile.expect(0x40)
        assert len((await desk.get(f"/bills/{serial}/revisions"))["items"]) == 1

    play(now, story)


def test_a_watcher_who_comes_back_is_told_what_it_missed(now):
    async def story(desk, pile):
        async with desk.events() as events:
            serial = await desk.start(pile)
            pile.charge(serial, 4_000)
            seen = await events.wait("pilegate.session.started", serial)
        pile.send(wire.bms_end(serial, pile.pile_id), record_of(pile, serial))
        await pile.expect(0x40)
        async with desk.events(seen.id) as events:
            await events.wait("pilegate.session.ended", serial)
            await events.wait("pilegate.bill.created", serial)
        async with desk.events("another-1") as events:
            assert (await events.wait("pilegate.stream.gap")).body["detail"]

    play(now, story)


def test_not_plugged_in_is_provisional_and_a_plug_within_60_s_starts(now):
    async def story(desk, pile):
        made = await desk.post(f"/piles/{pile.pile_id}/connectors/1/start", {"balance": "9.00"}, 202)
        serial = made["transaction_id"]
        order = await pile.expect(0x34)
        pile.send(start_answer(pile, serial, 1, order.sequence, ok=0, reason=5))
        shown = await desk.until(f"/sessions/{serial}", lambda one: (one["order"]["result"] or {}).get("reason_code"))
        assert (shown["order"]["state"], shown["order"]["result"]["detail"]) == ("sent", "not plugged in yet")
        pile.send(start_answer(pile, serial, 1, order.sequence))
        shown = await desk.until(f"/sessions/{serial}", lambda one: one["order"]["state"] != "sent")
        assert shown["order"]["state"] == "accepted"
        pile.charge(serial, 100)
        await desk.until(f"/sessions/{serial}", lambda one: one["state"] == "charging")

    play(now, story)


def test_nobody_plugs_in_within_60_s_and_the_start_is_refused(fast):
    async def story(desk, pile):
        made = await desk.post(f"/piles/{pile.pile_id}/connectors/1/start", {"balance": "9.00"}, 202)
        serial = made["transaction_id"]
        order = await pile.expect(0x34)
        pile.send(start_answer(pile, serial, 1, order.sequence, ok=0, reason=5))
        shown = await desk.until(f"/sessions/{serial}", lambda one: one["order"]["state"] == "refused")
        assert shown["order"]["result"]["reason_code"] == 5
        # a start is owed a record; without one nothing is owed
        bill = await desk.until(f"/bills/{serial}", lambda one: True, within_s=20)
        assert (bill["status"], bill["amount"]) == ("void", "0.00")

    play(fast, story)


def test_a_silent_pile_times_the_start_out(fast):
    async def story(desk, pile):
        async with desk.events() as events:
            made = await desk.post(f"/piles/{pile.pile_id}/connectors/1/start", {"balance": "9.00"}, 202)
            serial = made["transaction_id"]
            await pile.expect(0x34)
            finished = await events.wait("pilegate.order.finished", pile.pile_id, within_s=20)
            while finished.body["data"]["kind"] != "StartCharging":
                finished = await events.wait("pilegate.order.finished", pile.pile_id, within_s=20)
            assert finished.body["data"]["state"] == "timed_out"
        shown = await desk.until(f"/sessions/{serial}", lambda one: one["state"] in ("not_started", "billed"))
        assert shown["order"]["state"] == "timed_out"

    play(fast, story)


def test_a_refused_start_says_why(now):
    async def story(desk, pile):
        made = await desk.post(f"/piles/{pile.pile_id}/connectors/2/start", {"balance": "9.00"}, 202)
        serial = made["transaction_id"]
        order = await pile.expect(0x34)
        pile.send(start_answer(pile, serial, 2, order.sequence, ok=0, reason=3))
        shown = await desk.until(f"/sessions/{serial}", lambda one: one["order"]["state"] == "refused")
        assert shown["order"]["result"]["reason_code"] == 3
        assert shown["state"] == "not_started"
        again = await desk.post(f"/piles/{pile.pile_id}/connectors/2/start", {"balance": "9.00"}, 202)
        assert again["transaction_id"] != serial

    play(now, story)


def test_a_key_starts_one_charge_however_often_it_is_sent(now):
    async def story(desk, pile):
        path = f"/piles/{pile.pile_id}/connectors/1/start"
        first = await desk.post(path, {"balance": "9.00"}, 202, **{"Idempotency-Key": '"k-1"'})
        again = await desk.post(path, {"balance": "9.00"}, 202, **{"Idempotency-Key": "k-1"})
        assert first == again
        await pile.expect(0x34)
        assert await pile.quiet(0x34, 0.2)
        problem = await desk.post(path, {"balance": "8.00"}, 422, **{"Idempotency-Key": "k-1"})
        assert problem["type"].endswith("key_reused")

    play(now, story)


def test_two_connectors_charge_one_car_on_order(now):
    async def story(desk, pile):
        made = await desk.post(
            f"/piles/{pile.pile_id}/connectors/1/start", {"balance": "99.00", "parallel_with": [2]}, 202
        )
        number = wire.bcd(made["parallel_no"])
        serials = [order["transaction_id"] for order in made["orders"]]
        for gun, serial in enumerate(serials, 1):
            order = await pile.expect(0xA4)
            assert order.body[:24] == wire.bcd(serial) + wire.bcd(pile.pile_id) + bytes([gun])
            assert order.body[44:] == number
            body = wire.bcd(serial) + wire.bcd(pile.pile_id) + bytes([gun, 1, 0, gun - 1]) + number
            pile.send(wire.frame(0xA3, body, sequence=order.sequence))
        for gun, serial in enumerate(serials, 1):
            await desk.until(f"/sessions/{serial}", lambda one: one["order"]["state"] == "accepted")
            pile.send(record_of(pile, serial, gun=gun))
            await pile.expect(0x40)
        assert all([(await desk.get(f"/bills/{serial}"))["energy_kwh"] == "1.0000" for serial in serials])

    play(now, story)


def test_an_order_without_an_answer_is_a_504_after_30_s(fast):
    async def story(desk, pile):
        problem = await desk.post(f"/piles/{pile.pile_id}/reboot", None, 504)
        order = await desk.get(f"/orders/{problem['order_id']}")
        assert (order["state"], order["result"]) == ("timed_out", {"detail": "no answer in time"})
        heard = await pile.expect(0x92)
        pile.answer(0x91, heard, b"\1")  # too late, and told to nobody
        pile.send(wire.heartbeat(pile.pile_id))
        await pile.expect(0x04)
        assert (await desk.get(f"/orders/{problem['order_id']}"))["state"] == "timed_out"

    play(fast, story)


def test_a_start_survives_the_gateway_and_other_orders_say_that_it_stopped(tmp_path):
    import asyncio

    from tests.support.daemon import Daemon
    from tests.support.desk import desk_of
    from tests.support.operator import list_accounts
    from tests.support.site import write_config

    async def story():
        daemon = Daemon(write_config(tmp_path, 1))
        token = list_accounts(tmp_path)
        try:
            await asyncio.to_thread(daemon.start)
            async with desk_of(daemon, token) as desk:
                pile = await desk.pile(1)
                made = await desk.post(f"/piles/{pile.pile_id}/connectors/1/start", {"balance": "9.00"}, 202)
                order = await pile.expect(0x34)
                reboot = asyncio.create_task(desk.client.post(f"/piles/{pile.pile_id}/reboot"))
                await pile.expect(0x92)
                async with asyncio.timeout(10):
                    while not daemon.rows("SELECT 1 FROM order_log WHERE kind = 'Reboot' AND state = 'sent'"):
                        await asyncio.sleep(0.02)
                await asyncio.to_thread(daemon.kill)
                reboot.cancel()
                await asyncio.gather(reboot, return_exceptions=True)
            await asyncio.to_thread(daemon.start)
            async with desk_of(daemon, token) as desk:
                pile = await desk.pile(1)
                serial = made["transaction_id"]
                assert (await desk.get(f"/sessions/{serial}"))["order"]["state"] == "sent"
                pile.send(start_answer(pile, serial, 1, order.sequence))
                await desk.until(f"/sessions/{serial}", lambda one: one["order"]["state"] == "accepted")
                orders = await desk.until("/orders", lambda page: "gateway stopped" in json.dumps(page))
                failed = next(each for each in orders["items"] if each["kind"] == "Reboot")
                assert failed["state"] == "failed"
            assert await asyncio.to_thread(daemon.stop) == 0
        finally:
            daemon.close()

    asyncio.run(story())

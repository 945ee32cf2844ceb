"""Orders by HTTP to a pile that answers by hand."""

import struct

import pytest

from tests.support import wire
from tests.support.desk import start_answer


def path_of(pile, tail):
    return f"/piles/{pile.pile_id}/{tail}"


# what is ordered, its frame, the answer's frame and body, the answer in words
SIMPLE = [
    ("connectors/1/stop", None, 0x36, 0x35, b"\x01\x01\x00", "accepted", 0),
    ("connectors/1/stop", None, 0x36, 0x35, b"\x01\x00\x02", "refused", 2),
    ("connectors/1/balance", {"balance": "12.34"}, 0x42, 0x41, bytes(8) + b"\0", "accepted", 0),
    ("connectors/1/balance", {"balance": "12.34"}, 0x42, 0x41, bytes(8) + b"\2", "refused", 2),
    ("connectors/2/lock", {"action": "raise"}, 0x62, 0x63, b"\x02\x01" + bytes(4), "accepted", 0),
    ("connectors/2/lock", {"action": "lower"}, 0x62, 0x63, b"\x02\x00" + bytes(4), "refused", 0),
    ("tariff", None, 0x58, 0x57, b"\1", "accepted", 0),
    ("tariff", None, 0x58, 0x57, b"\0", "refused", 0),
    ("reboot", None, 0x92, 0x91, b"\1", "accepted", 0),
    ("reboot", {"is_immediate": True}, 0x92, 0x91, b"\0", "refused", 0),
    ("work", {"is_disabled": True, "max_power_percent": 50}, 0x52, 0x51, b"\1", "accepted", 0),
    ("qr", {"prefix": "https://example.org/q/"}, 0xF0, 0xF1, b"\1", "accepted", 0),
    ("update", {"current": "DC", "power_kw": 120, "host": "10.0.0.9", "path": "/fw.bin"}, 0x94, 0x93, b"\2",
     "refused", 2),
]  # fmt: skip


def test_every_simple_order_has_one_answer(shared):
    async def story(desk, app, pile):
        for tail, body, kind, answer_kind, answer, state, reason in SIMPLE:
            call = await desk.order(path_of(pile, tail), body)
            pile.answer(answer_kind, await pile.expect(kind), answer)
            order = await call
            assert order["state"] == state, (tail, order)
            assert order["result"]["reason_code"] == reason or state == "refused"
            assert order["actor"] == "tests"
            kept = await desk.until(f"/orders/{order['order_id']}", lambda one, wanted=state: one["state"] == wanted)
            assert kept["result"] == order["result"]

    shared.tell(story)


def test_the_frames_carry_what_was_asked(shared):
    async def story(desk, app, pile):
        async def frame_of(tail, body, kind, answer_kind, answer):
            call = await desk.order(path_of(pile, tail), body)
            heard = await pile.expect(kind)
            pile.answer(answer_kind, heard, answer)
            await call
            return heard.body[7:]

        card = {"balance": "12.34", "card_uid": "d14b0a54"}
        told = await frame_of("connectors/2/balance", card, 0x42, 0x41, bytes(9))
        assert told == b"\x02" + bytes.fromhex("00000000D14B0A54") + struct.pack("<I", 1234)
        assert await frame_of("work", {"max_power_percent": 80}, 0x52, 0x51, b"\1") == bytes([0, 80])
        assert await frame_of("reboot", {"is_immediate": True}, 0x92, 0x91, b"\1") == b"\1"
        assert await frame_of("reboot", {}, 0x92, 0x91, b"\1") == b"\2"
        assert await frame_of("qr", {"prefix": "ab", "has_connector": False}, 0xF0, 0xF1, b"\1") == b"\0\2ab"
        update = {"current": "AC", "power_kw": 7, "host": "ftp", "port": 2121, "user": "u", "password": "p",
                  "path": "/f", "is_immediate": True, "timeout_min": 5}  # fmt: skip
        told = await frame_of("update", update, 0x94, 0x93, b"\0")
        assert told == (b"\x02" + struct.pack("<H16sH16s16s32s", 7, b"ftp", 2121, b"u", b"p", b"/f") + b"\x01\x05")
        orders = (await desk.get("/orders", pile=pile.pile_id))["items"]
        assert "password" not in str(next(each for each in orders if each["kind"] == "UpdateFirmware"))

    shared.tell(story)


def test_a_sample_is_asked_for_and_answered_by_a_sample(shared):
    async def story(desk, app, pile):
        call = await desk.order(path_of(pile, "connectors/2/sample"))
        assert (await pile.expect(0x12)).body == wire.bcd(pile.pile_id) + b"\x02"
        pile.send(wire.sample("0" * 32, pile.pile_id, gun=2, state=2, plugged=0))
        assert (await call)["result"] == {"status": "idle"}

    shared.tell(story)


def test_a_clock_is_set_and_its_answer_kept(shared):
    async def story(desk, app, pile):
        call = await desk.order(path_of(pile, "time"))
        order = await pile.expect(0x56)
        pile.answer(0x55, order, order.body[7:])
        assert (await call)["state"] == "accepted"
        shown = await desk.get(f"/piles/{pile.pile_id}")
        assert abs(shown["clock_offset_s"]) <= 1
        assert shown["clock_checked_at"]

    shared.tell(story)


def test_lists_longer_than_a_frame_are_split(shared):
    async def story(desk, app, pile):
        uids = [f"{n:08X}" for n in range(1, 41)]
        call = await desk.order(path_of(pile, "cards"), {"cards": [{"card_uid": uid} for uid in uids]})
        counts = []
        for _ in range(3):
            frame = await pile.expect(0x44)
            counts.append(frame.body[7])
            pile.answer(0x43, frame, b"\1\0")
        assert counts == [15, 15, 10]
        assert [order["state"] for order in (await call)["orders"]] == ["accepted"] * 3

        call = await desk.order(path_of(pile, "cards/query"), {"card_uids": uids})
        for size in (26, 14):
            frame = await pile.expect(0x48)
            assert frame.body[7] == size
            cards = [frame.body[8 + 8 * n : 16 + 8 * n] for n in range(size)]
            pile.answer(0x47, frame, b"".join(card + bytes([card[-1] % 2]) for card in cards))
        held = (await call)["cards"]
        assert [card["is_present"] for card in held] == [n % 2 == 1 for n in range(1, 41)]
        assert held[0]["card_uid"] == "0000000000000001"

        call = await desk.order(path_of(pile, "cards/clear"), {"card_uids": uids})
        for size in (24, 16):
            frame = await pile.expect(0x46)
            assert frame.body[7] == size
            cards = [frame.body[8 + 8 * n : 16 + 8 * n] for n in range(size)]
            pile.answer(0x45, frame, b"".join(card + b"\1\0" for card in cards))
        assert len((await call)["orders"]) == 2

    shared.tell(story)


def test_a_part_without_an_answer_says_what_was_done_before(shared):
    async def story(desk, app, pile):
        cards = [{"card_uid": f"{n:X}"} for n in range(1, 41)]
        call = await desk.order(path_of(pile, "cards"), {"cards": cards}, 502)
        pile.answer(0x43, await pile.expect(0x44), b"\1\0")
        await pile.expect(0x44)
        await pile.close()
        problem = await call
        assert problem["type"] == "urn:pilegate:problem:order_failed"
        assert [order["state"] for order in problem["orders"]] == ["accepted"]
        assert problem["orders_not_sent"] == 1

    shared.tell(story)


def test_a_start_answers_at_once_and_the_pile_later(shared):
    async def story(desk, app, pile):
        path = path_of(pile, "connectors/1/start")
        made = await desk.post(path, {"balance": "50.00", "card_uid": "D14B0A54"}, 202)
        serial = made["transaction_id"]
        assert serial.startswith(pile.pile_id + "01")
        assert made["orders"][0]["state"] == "queued"
        order = await pile.expect(0x34)
        assert order.body[32:40].hex().upper() == "00000000D14B0A54"
        assert struct.unpack_from("<I", order.body, 40) == (5000,)
        assert (await desk.get(f"/sessions/{serial}"))["order"]["state"] == "sent"
        pile.send(start_answer(pile, serial, 1, order.sequence))
        shown = await desk.until(f"/sessions/{serial}", lambda one: one["order"]["state"] == "accepted")
        assert (shown["state"], shown["start_channel"]) == ("opened", "app")
        busy = await desk.post(path, {"balance": "1.00"}, 409)
        assert busy["type"] == "urn:pilegate:problem:connector_busy"

    shared.tell(story)


def test_two_connectors_for_one_car_start_together_or_not_at_all(shared):
    async def story(desk, app, pile):
        path = path_of(pile, "connectors/1/start")
        await desk.start(pile, 2)
        await desk.post(path, {"balance": "50.00", "parallel_with": [2]}, 409)
        assert await pile.quiet(0xA4, 0.1)
        orders = (await desk.get("/orders", pile=pile.pile_id))["items"]
        assert sum(order["kind"] == "StartCharging" for order in orders) == 1

    shared.tell(story)


def test_what_cannot_be_ordered_says_why(shared):
    async def story(desk, app, pile):
        gone = desk.bare_pile(shared.number()).pile_id
        cases = [
            (f"/piles/{gone}/reboot", None, 409, "pile_offline"),
            ("/piles/12345678901234/reboot", None, 404, "pile_unknown"),
            (path_of(pile, "connectors/3/stop"), None, 404, "connector_unknown"),
            (path_of(pile, "connectors/3/start"), {"balance": "1.00"}, 404, "connector_unknown"),
            (path_of(pile, "connectors/0/stop"), None, 422, "invalid_request"),
            (path_of(pile, "connectors/x/stop"), None, 422, "invalid_request"),
            (path_of(pile, "connectors/1/start"), {}, 422, "balance_missing"),
            (path_of(pile, "connectors/1/start"), {"balance": "0.00"}, 422, "balance_missing"),
            (path_of(pile, "connectors/1/start"), {"balance": "1.001"}, 422, "invalid_request"),
            (path_of(pile, "connectors/1/start"), {"balance": "99999999.00"}, 422, "amount_invalid"),
            (path_of(pile, "connectors/1/start"), {"balance": "1.00", "colour": 1}, 422, "invalid_request"),
            (path_of(pile, "connectors/1/start"), {"account_id": "nobody"}, 404, "account_unknown"),
            (path_of(pile, "work"), {"max_power_percent": 20}, 422, "invalid_request"),
            (path_of(pile, "qr"), {"prefix": "é"}, 422, "invalid_request"),
            (path_of(pile, "update"), {"current": "DC", "power_kw": 1, "host": "é", "path": "x"}, 422,
             "invalid_request"),
            (path_of(pile, "cards"), {"cards": []}, 422, "invalid_request"),
            (path_of(pile, "cards/query"), {"card_uids": ["xyz"]}, 422, "invalid_request"),
        ]  # fmt: skip
        for path, body, status, code in cases:
            problem = await desk.post(path, body, status)
            assert problem["type"] == f"urn:pilegate:problem:{code}", (path, problem)
            assert problem["status"] == status
            assert problem["detail"]

    shared.tell(story)


def test_an_account_lends_its_balance_unless_frozen(shared):
    async def story(desk, app, pile):
        await desk.client.put("/accounts/rich", json={"balance": "99999999.00"})
        await desk.client.put("/accounts/cold", json={"balance": "5.00", "is_frozen": True})
        path = path_of(pile, "connectors/1/start")
        assert (await desk.post(path, {"account_id": "cold"}, 409))["title"] == "account frozen"
        await desk.post(path, {"account_id": "rich"}, 202)
        assert (await pile.expect(0x34)).body[40:] == b"\xff\xff\xff\xff"

    shared.tell(story)


def test_prices_do_not_change_under_a_charge(shared):
    async def story(desk, app, pile):
        serial = await desk.start(pile)
        pile.charge(serial, 1_000)
        await desk.until(f"/sessions/{serial}", lambda one: one["state"] == "charging")
        problem = await desk.post(path_of(pile, "tariff"), None, 409)
        assert problem["type"] == "urn:pilegate:problem:pile_charging"

    shared.tell(story)


def test_the_same_order_twice_at_once_is_refused(shared):
    async def story(desk, app, pile):
        call = await desk.order(path_of(pile, "reboot"))
        order = await pile.expect(0x92)
        assert (await desk.post(path_of(pile, "reboot"), None, 409))["title"] == "order pending"
        pile.answer(0x91, order, b"\1")
        assert (await call)["state"] == "accepted"

    shared.tell(story)


@pytest.mark.parametrize("tail", ["reboot", "connectors/1/stop"])
def test_a_lost_link_fails_what_waits(shared, tail):
    async def story(desk, app, pile):
        call = await desk.order(path_of(pile, tail), None, 502)
        await pile.expect(0x92 if tail == "reboot" else 0x36)
        await pile.close()
        assert "link closed" in (await call)["detail"]

    shared.tell(story)

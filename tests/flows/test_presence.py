"""Timers of the link and of the record."""

from tests.support import wire
from tests.support.desk import play


def test_three_missed_heartbeats_are_an_offline_pile(fast):
    async def story(desk, pile):
        async with desk.events() as events:
            pile.send(wire.heartbeat(pile.pile_id))
            beat = await pile.expect(0x04)
            assert beat.body == wire.bcd(pile.pile_id) + b"\1\0"
            offline = await events.wait("pilegate.pile.offline", pile.pile_id)
            heard = (await desk.get(f"/piles/{pile.pile_id}"))["heard_at"]
            assert seconds(offline.body["time"]) - seconds(heard) == 30
            shown = await desk.get(f"/piles/{pile.pile_id}")
            assert (shown["is_online"], shown["has_link"]) == (False, True)
            pile.send(wire.heartbeat(pile.pile_id))
            await events.wait("pilegate.pile.online", pile.pile_id)

    play(fast, story)


def seconds(text):
    from datetime import datetime

    return round(datetime.fromisoformat(text).timestamp(), 3)


def test_a_closed_link_is_an_offline_pile_at_once(now):
    async def story(desk, pile):
        async with desk.events() as events:
            await pile.close()
            await events.wait("pilegate.pile.offline", pile.pile_id)
        assert not (await desk.get(f"/piles/{pile.pile_id}"))["has_link"]

    play(now, story)


def test_a_fault_is_told_when_it_comes_and_when_it_goes(now):
    async def story(desk, pile):
        async with desk.events() as events:
            pile.send(wire.sample("0" * 32, pile.pile_id, gun=2, state=1, faults=0x0040))
            fault = (await events.wait("pilegate.connector.fault", pile.pile_id)).body["data"]
            assert (fault["connector"], fault["is_faulted"], fault["fault_bits"]) == (2, True, 0x40)
            shown = await desk.get(f"/piles/{pile.pile_id}")
            (connector,) = shown["connectors"]
            assert connector["status"] == "faulted"
            assert "meter" in str(connector["faults"])
            pile.send(wire.sample("0" * 32, pile.pile_id, gun=2, state=2))
            fault = (await events.wait("pilegate.connector.fault", pile.pile_id)).body["data"]
            assert not fault["is_faulted"]

    play(now, story)


def test_a_parking_lock_is_told(now):
    async def story(desk, pile):
        async with desk.events() as events:
            pile.send(wire.frame(0x61, wire.bcd(pile.pile_id) + bytes([1, 0x55, 0xFF, 80, 0xFF]) + bytes(4)))
            told = (await events.wait("pilegate.lock.changed", pile.pile_id)).body["data"]
        assert told == {
            "connector": 1, "lock": "raised", "is_occupied": True, "battery_percent": 80, "alarm": "forced",
        }  # fmt: skip
        assert (await desk.get(f"/piles/{pile.pile_id}"))["connectors"][0]["parking_lock"] == "raised"

    play(now, story)


def test_a_record_is_overdue_after_30_s_and_lost_in_the_end(fast):
    async def story(desk, pile):
        serial = await desk.start(pile)
        pile.charge(serial, 5_000)
        pile.send(wire.bms_end(serial, pile.pile_id), wire.sample("0" * 32, pile.pile_id, state=2))
        await desk.until(f"/sessions/{serial}", lambda one: one["state"] == "ended")
        await desk.until(f"/sessions/{serial}", lambda one: one["live"]["is_record_overdue"])
        assert (await desk.client.get(f"/bills/{serial}")).status_code == 404
        bill = await desk.until(f"/bills/{serial}", lambda one: True, within_s=45)
        assert bill["primary_anomaly"] == "record_missing"
        assert bill["status"] in ("provisional", "review")
        found = await desk.get("/bills", status=bill["status"], anomaly="record_missing", pile=pile.pile_id)
        assert [each["transaction_id"] for each in found["items"]] == [serial]

    play(fast, story)

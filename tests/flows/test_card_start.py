"""Cards and cars that ask to start: the local list decides."""

import asyncio
import struct

import pytest

from tests.support import wire
from tests.support.desk import desk_of, play

CARD, VIN = "00000000D14B0A54", "LSVNV2182E2100001"


@pytest.fixture(scope="module")
def listed(now):
    """Accounts of every kind, each with a card."""

    async def list_them():
        async with desk_of(now.daemon, now.token) as desk:
            for name, body in {
                "rich": {"balance": "123.45"},
                "poor": {"balance": "0.00"},
                "cold": {"balance": "9.00", "is_frozen": True},
            }.items():
                assert (await desk.client.put(f"/accounts/{name}", json=body)).status_code == 200
            for uid, name, frozen in (
                (CARD, "rich", False), ("B1", "poor", False), ("B2", "cold", False), ("B3", "rich", True),
                ("04A1B2C3D4E5F6", "rich", False),
            ):  # fmt: skip
                body = {"account_id": name, "logic_card": "7788", "is_frozen": frozen}
                assert (await desk.client.put(f"/cards/{uid}", json=body)).status_code == 200
            assert (await desk.client.put(f"/vins/{VIN}", json={"account_id": "rich"})).status_code == 200

    asyncio.run(list_them())


async def ask(pile, **request):
    """(accepted, reason, balance, serial) of the answer to a request."""
    pile.send(wire.start_request(pile.pile_id, **request))
    body = (await pile.expect(0x32)).body
    assert body[16:24] == wire.bcd(pile.pile_id) + bytes([request.get("gun", 1)])
    return body[36], body[37], struct.unpack_from("<I", body, 32)[0], body[:16].hex()


@pytest.mark.usefixtures("listed")
class TestCards:
    @pytest.mark.parametrize("uid", [CARD, "00000000540A4BD1", "0004A1B2C3D4E5F6", "00F6E5D4C3B2A104"])
    def test_a_known_card_starts_in_either_byte_order(self, now, uid):
        async def story(desk, pile):
            accepted, reason, balance, serial = await ask(pile, card=uid)
            assert (accepted, reason, balance) == (1, 0, 12_345)
            shown = await desk.get(f"/sessions/{serial}")
            assert (shown["state"], shown["start_channel"]) == ("opened", "card")
            assert shown["order"]["request"]["account_id"] == "rich"
            pile.charge(serial, 1_000)
            await desk.until(f"/sessions/{serial}", lambda one: one["state"] == "charging")

        play(now, story)

    @pytest.mark.parametrize(
        ("request_", "reason"),
        [
            ({"card": "00000000000000FF"}, 1),
            ({"card": "00000000000000B2"}, 2),
            ({"card": "00000000000000B3"}, 2),
            ({"card": "00000000000000B1"}, 3),
            ({"card": "0" * 16}, 1),
            ({"mode": 2, "card": "00000000000000B1"}, 3),
            ({"mode": 3, "vin": "LSVNV2182E2109999"}, 9),
            ({"mode": 3, "vin": ""}, 9),
        ],
        ids=lambda value: str(value),
    )
    def test_a_refusal_says_why(self, now, request_, reason):
        async def story(desk, pile):
            accepted, told, _, serial = await ask(pile, **request_)
            assert (accepted, told) == (0, reason)
            assert (await desk.client.get(f"/sessions/{serial}")).status_code == 404

        play(now, story)

    def test_a_car_starts_by_its_vin(self, now):
        async def story(desk, pile):
            accepted, _, balance, serial = await ask(pile, mode=3, vin=VIN)
            assert (accepted, balance) == (1, 12_345)
            shown = await desk.get(f"/sessions/{serial}")
            assert (shown["start_channel"], shown["order"]["request"]["vin"]) == ("vin", VIN)

        play(now, story)

    def test_a_busy_connector_is_not_given_twice(self, now):
        async def story(desk, pile):
            _, _, _, serial = await ask(pile, card=CARD)
            pile.charge(serial, 1_000)
            await desk.until(f"/sessions/{serial}", lambda one: one["state"] == "charging")
            assert (await ask(pile, card=CARD))[:2] == (0, 8)
            assert (await ask(pile, card=CARD, gun=2))[0] == 1

        play(now, story)

    def test_a_request_that_is_repeated_gets_the_same_transaction(self, now):
        async def story(desk, pile):
            first = await ask(pile, card=CARD)
            assert await ask(pile, card=CARD) == first
            page = await desk.until("/sessions", lambda page: page["items"], pile=pile.pile_id)
            assert [one["transaction_id"] for one in page["items"]] == [first[3]]
            pile.charge(first[3], 500)
            pile.send(wire.bms_end(first[3], pile.pile_id))
            await desk.until(f"/sessions/{first[3]}", lambda one: one["state"] == "ended")
            assert (await ask(pile, card=CARD))[3] != first[3], "a new charge has a number of its own"

        play(now, story)

    def test_two_connectors_ask_for_one_car(self, now):
        async def story(desk, pile):
            number = bytes.fromhex("260303114016")
            serials = []
            for gun in (1, 2):
                request = wire.start_request(pile.pile_id, gun=gun, card=CARD)
                body = request[6:-2] + bytes([gun - 1]) + number
                pile.send(wire.frame(0xA1, body, sequence=gun))
                answer = await pile.expect(0xA2)
                assert (answer.sequence, answer.body[36:38], answer.body[38:]) == (gun, b"\1\0", number)
                serials.append(answer.body[:16].hex())
            assert len(set(serials)) == 2
            for serial in serials:
                shown = await desk.get(f"/sessions/{serial}")
                assert shown["order"]["request"]["parallel_no"] == "260303114016"

        play(now, story)

    def test_a_refused_car_is_told_on_both_connectors(self, now):
        async def story(desk, pile):
            for gun in (1, 2):
                request = wire.start_request(pile.pile_id, gun=gun, card="00000000000000FF")
                pile.send(wire.frame(0xA1, request[6:-2] + bytes([gun - 1]) + bytes(6)))
                assert (await pile.expect(0xA2)).body[36:38] == b"\0\1"

        play(now, story)

"""What the site knows, changed by hand."""

import asyncio

from tests.support.desk import in_process
from tests.support.site import TARIFF

CAMPAIGN = """
[[campaign]]
id = "half"
component = "service"
factor = "0.5"
valid_from = "2026-03-01T00:00:00+08:00"
valid_to = "2026-03-08T00:00:00+08:00"
scope = ["*"]
"""


def test_tariffs_and_campaigns_are_shown_as_they_are_written(tmp_path):
    async def story():
        more = TARIFF.replace('"0100"', '"0200"').replace("2020-", "2021-") + CAMPAIGN
        async with in_process(tmp_path, more=more) as (desk, _):
            page = await desk.get("/tariffs", limit=1)
            (first,) = page["items"]
            (second,) = (await desk.get("/tariffs", limit=1, cursor=page["next_cursor"]))["items"]
            assert {first["model_no"], second["model_no"]} == {"0100", "0200"}
            assert first["rates"]["peak"] == {"energy": "1.10000", "service": "0.80000"}
            assert first["slots"][0] == {"from": "00:00", "to": "08:00", "rate": "valley"}
            assert first["slots"][-1]["to"] == "24:00"
            (campaign,) = (await desk.get("/campaigns"))["items"]
            assert (campaign["id"], campaign["factor"], campaign["component"]) == ("half", "0.5", "service")

    asyncio.run(story())


def test_accounts_cards_and_cars(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, _):
            client = desk.client
            reply = await client.put("/accounts/b", json={"name": "车", "balance": "5.00"})
            assert reply.json() == {"account_id": "b", "name": "车", "balance": "5.00", "is_frozen": False}
            reply = await client.put("/cards/d14b0a54", json={"account_id": "b", "logic_card": "77"})
            card = {"card_uid": "00000000D14B0A54", "logic_card": "0000000000000077", "account_id": "b",
                    "is_frozen": False}  # fmt: skip
            assert reply.json() == card
            assert (await desk.get("/cards"))["items"] == [card]
            reply = await client.put("/vins/lsvnv2182e2100001", json={"account_id": "b", "is_frozen": True})
            assert reply.json()["vin"] == "LSVNV2182E2100001"
            assert (await desk.get("/vins"))["items"][0]["is_frozen"] is True
            assert [each["account_id"] for each in (await desk.get("/accounts"))["items"]] == ["a1", "b"]
            assert len((await desk.get("/accounts", limit=1))["items"]) == 1
            assert (await client.delete("/accounts/b")).status_code == 409, "a card names it"
            for path in ("/cards/d14b0a54", "/vins/LSVNV2182E2100001", "/accounts/b"):
                assert (await client.delete(path)).status_code == 204
                assert (await client.delete(path)).status_code == 404
            for path, body in (
                ("/cards/D14B0A54", {"account_id": "nobody"}),
                ("/vins/LSVNV2182E2100001", {"account_id": "nobody"}),
            ):
                assert (await client.put(path, json=body)).status_code == 409
            for path, body in (
                ("/cards/xyz", {"account_id": "a1"}),
                ("/vins/SHORT", {"account_id": "a1"}),
                ("/accounts/c", {"balance": "-1.00"}),
                ("/accounts/c", {"balance": 1.5}),
            ):
                assert (await client.put(path, json=body)).status_code == 422, path

    asyncio.run(story())


def test_a_pile_is_adopted_once_and_for_all(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, _):
            path = "/piles/55031412782305/adopt"
            assert await desk.post(path, {"station": "north"}) == {"pile_id": "55031412782305", "station": "north"}
            await desk.post(path)
            assert (await desk.get("/piles/55031412782305"))["is_online"] is False

    asyncio.run(story())

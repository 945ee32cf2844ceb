"""Start, stop and reboot by HTTP on piles of the AA F5 family, and what they cannot do told in words."""

import asyncio
import dataclasses

import httpx
import pytest

from gateway.simulator.fleet import Fleet
from gateway.simulator.scripts import cast_fleet
from tests.flows.conftest import SPEED
from tests.support.daemon import Daemon, FastClock
from tests.support.deskgateway import START_MS
from tests.support.operator import list_accounts
from tests.support.site import stalls, write_config

SEED = 11
COUNT = 2


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the API answered, per pile, in a day where both generations were started, stopped and rebooted."""
    directory = tmp_path_factory.mktemp("ordered")
    clock = FastClock(START_MS, SPEED)
    daemon = Daemon(write_config(directory, COUNT, protocol="aaf5", more=stalls(SPEED)), clock)
    token = list_accounts(directory)
    cast = []
    for each in cast_fleet(COUNT, seed=SEED, charge_ms=(900_000, 900_001), protocol="aaf5"):
        visit = dataclasses.replace(each.plan.visits[0][0], start="app", wait_ms=1_000)
        cast.append(dataclasses.replace(each, plan=dataclasses.replace(each.plan, visits=((visit,),))))
    told = {}

    async def one(client, pile_id):
        async def until(path, holds):
            async with asyncio.timeout(20):
                while not holds(found := (await client.get(path)).json()):
                    await asyncio.sleep(0.05)
            return found

        pile = f"/piles/{pile_id}"
        await until(pile, lambda found: any(each["is_plugged"] for each in found.get("connectors", [])))
        answer = await client.post(f"{pile}/connectors/1/start", json={"balance": "50.00"})
        assert answer.status_code in (200, 202), answer.text
        number = answer.json()["transaction_id"]
        await until(f"/sessions/{number}", lambda found: found.get("state") == "charging")
        stop = (await client.post(f"{pile}/connectors/1/stop")).json()
        bill = await until(f"/bills/{number}", lambda found: "status" in found and "amount" in found)
        reboot = (await client.post(f"{pile}/reboot", json={"is_immediate": True})).json()
        later = await client.post(f"{pile}/reboot", json={"is_immediate": False})
        told[pile_id] = {"number": number, "stop": stop, "bill": bill, "reboot": reboot, "later": later}

    async def live():
        daemon.start()
        fleet = Fleet(
            cast, host="127.0.0.1", port=daemon.port, seed=SEED, now_ms=clock.now_ms, speed=SPEED, lingers=True
        )
        running = asyncio.create_task(fleet.run())
        base = f"http://127.0.0.1:{daemon.api_port}/api/v1"
        async with httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=40) as client:
            await asyncio.gather(*(one(client, each.plan.pile_id) for each in cast))
        fleet.stop()
        await running

    try:
        asyncio.run(live())
        assert daemon.stop() == 0
        yield told
    finally:
        daemon.close()


def test_a_start_is_a_session_with_a_number_that_fits_the_pile(told):
    for pile_id, each in told.items():
        assert len(each["number"]) == 31
        assert each["number"].startswith(pile_id[-13:])


def test_a_stop_is_answered_and_the_bill_tells_why(told):
    for each in told.values():
        assert each["stop"]["state"] == "accepted"
        assert each["bill"]["status"] == "normal", each["bill"]["anomalies"]
        assert each["bill"]["stop_reason"] == {
            "code": "311",
            "text": "stopped by the platform",
        }
        assert each["bill"]["start_channel"] == "app"


def test_a_reboot_is_taken_at_once_and_not_otherwise(told):
    for each in told.values():
        assert each["reboot"]["state"] == "accepted"
        assert each["later"].status_code >= 400
        assert "at once or not at all" in each["later"].text

"""The machine's clock is set back while cars charge: moments keep their order, deadlines pass, replay agrees."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from gateway.app import App
from gateway.clock import Clock
from gateway.config import load
from gateway.framelog import read_log
from gateway.framelog.merging import merged
from gateway.replay import Replay
from gateway.simulator.scripts import pile_id
from tests.support import desk, wire
from tests.support.deskgateway import START_MS
from tests.support.goodpile import GoodPile
from tests.support.site import write_config

HOUR_MS = 3_600_000


class Wall:
    """A wall clock that somebody can set."""

    def __init__(self):
        self.offset_ms = START_MS - time.monotonic_ns() // 1_000_000

    def now_ms(self):
        return time.monotonic_ns() // 1_000_000 + self.offset_ms

    def set_back(self, by_ms):
        self.offset_ms -= by_ms


def stamps(directory):
    return [line.at_ms for path in sorted((directory / "capture").iterdir()) for line in read_log(path)]


def replayed(config, until_ms):
    told = load(config)
    replay = Replay(told.site, told.session, silence_ms_max=told.presence.silence_ms_max, on_finding=lambda _: None)
    replay.run(merged(sorted((config.parent / "capture").iterdir())), until_ms=until_ms)
    return {bill.transaction_id: bill.body for bill in replay.bills()}


@pytest.mark.parametrize("by_ms", [5_000, HOUR_MS, 24 * HOUR_MS])
def test_a_step_back_within_a_charge_changes_no_order(tmp_path, by_ms):
    wall = Wall()

    async def run():
        async with desk.in_process(tmp_path, clock=Clock(wall.now_ms)) as (one, app):
            pile = await one.pile(1)
            serial = await one.start(pile)
            pile.charge(serial, 10_000)
            await one.until(f"/sessions/{serial}", lambda found: found["energy_kwh"] == "1.0000")
            wall.set_back(by_ms)
            pile.charge(serial, 20_000)
            await one.until(f"/sessions/{serial}", lambda found: found["energy_kwh"] == "2.0000")
            assert app.clock.ahead_ms() > by_ms - 5_000
            samples = await one.get(f"/sessions/{serial}/samples")
            moments = [each["at"] for each in samples["items"]]
            assert moments == sorted(moments)
            helper = GoodPile(pile.pile_id)
            late, frame = helper.record(7, app.clock.now_ms())
            pile.send(frame)
            reply = await pile.expect(0x40)
            assert reply.body == wire.acknowledge(late)[6:-2]
            bill = await one.until(f"/bills/{late.upper()}", lambda found: True)
            assert bill["revision"] == 1
            return bill

    asyncio.run(run())
    moments = stamps(tmp_path)
    assert moments == sorted(moments)


def test_deadlines_pass_while_the_clock_waits_for_the_wall(tmp_path):
    wall = Wall()
    more = "[session]\nstart_deadline_ms = 600\nrecord_due_ms = 300\nrecord_lost_ms = 300\n"

    async def run():
        async with desk.in_process(tmp_path, clock=Clock(wall.now_ms), more=more) as (one, app):
            pile = await one.pile(1)
            made = await one.post(f"/piles/{pile.pile_id}/connectors/1/start", {"balance": "50.00"}, 202)
            wall.set_back(HOUR_MS)
            serial = made["transaction_id"]
            bill = await one.until(f"/bills/{serial}", lambda found: True, within_s=20)
            assert bill["status"] == "void"
            assert app.clock.ahead_ms() > HOUR_MS // 2
            return serial, app.clock.now_ms()

    serial, now_ms = asyncio.run(run())
    assert list(replayed(tmp_path / "gateway.toml", now_ms)) == [serial]


def test_a_restart_after_a_step_back_takes_the_wall_as_it_is_and_says_so(tmp_path):
    wall = Wall()
    config = write_config(tmp_path, 1)

    async def life(number):
        app = App(load(config), clock=Clock(wall.now_ms))
        await app.start()
        pile = GoodPile(pile_id(1))
        await pile.log_in(app.ports[0])
        await pile.bill(number, app.clock.now_ms())
        await pile.close()
        await app.stop()
        return app.clock.now_ms()

    with capture_logs() as logs:
        before_ms = asyncio.run(life(1))
        assert not [line for line in logs if line["event"] == "clock_behind_store"]
        wall.set_back(HOUR_MS)
        assert asyncio.run(life(2)) < before_ms
    (told,) = [line for line in logs if line["event"] == "clock_behind_store"]
    assert 0 < told["behind_ms"] <= HOUR_MS
    assert len(list((tmp_path / "capture").iterdir())) == 2

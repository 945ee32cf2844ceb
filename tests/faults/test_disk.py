"""The disk is full, or somebody else holds the database: no acknowledgement, no loss, and nobody is stopped."""

import asyncio
import sqlite3
import time

import httpx
import pytest

from gateway.framelog import LogDamage, read_log
from gateway.simulator.scripts import pile_id
from tests.support import wire
from tests.support.daemon import Daemon
from tests.support.goodpile import GoodPile, served
from tests.support.operator import list_accounts
from tests.support.site import write_config
from tests.support.smalldisk import small_disk

WAIT_S = 20


def now_ms():
    return time.time_ns() // 1_000_000


class House:
    """A daemon whose database and capture may lie on another disk than its configuration."""

    def __init__(self, directory, disk):
        self.token = list_accounts(disk or directory)
        config = write_config(directory, 3)
        if disk is not None:
            for old in ("pilegate.db", "capture"):
                config.write_text(config.read_text().replace(f"{directory}/{old}", f"{disk}/{old}"))
        self.daemon = Daemon(config)
        self.db = (disk or directory) / "pilegate.db"
        self.daemon.start()

    def get(self, path):
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.get(f"http://127.0.0.1:{self.daemon.api_port}{path}", headers=headers, trust_env=False, timeout=20)

    def metric(self, name):
        line = next(line for line in self.get("/metrics").text.splitlines() if line.startswith(f"pilegate_{name} "))
        return float(line.split()[1])

    def bills(self):
        connection = sqlite3.connect(self.db)
        try:
            return connection.execute("SELECT transaction_id, revision FROM bill ORDER BY 1").fetchall()
        finally:
            connection.close()

    async def until(self, name, is_so):
        async with asyncio.timeout(WAIT_S):
            while not is_so(await asyncio.to_thread(self.metric, name)):
                await asyncio.sleep(0.02)


async def unanswered_while_failing(house, pile, serial_and_frame):
    """Send a record while the store fails: heartbeats are answered, the record is not."""
    _, frame = serial_and_frame
    pile.send(frame)
    await house.until("store_failing", bool)
    for _ in range(5):
        pile.send(wire.heartbeat(pile.pile_id))
        await pile.expect(0x04)
    health = await asyncio.to_thread(house.get, "/healthz")
    assert health.status_code == 503
    assert not [heard for heard in pile.heard if heard.kind == 0x40]


async def acknowledged(pile, serial):
    reply = await pile.expect(0x40, within_s=WAIT_S)
    assert reply.body == wire.acknowledge(serial)[6:-2]


@pytest.mark.parametrize("kind", ["tmpfs", "limit"])
def test_a_full_disk_holds_back_acknowledgements_until_it_has_room(tmp_path, kind):
    async def run(house, disk):
        async with served(pile_id(1), house.daemon.port) as good:
            early = await good.bill(1, now_ms())
            pile = GoodPile(pile_id(2))
            await pile.log_in(house.daemon.port)
            disk.fill(house.daemon.pid)
            serial, frame = pile.record(1, now_ms())
            await unanswered_while_failing(house, pile, (serial, frame))
            await house.until("capture_lost_bytes", bool)
            pile.send(frame)  # as piles do when nobody answers
            disk.free(house.daemon.pid)
            await acknowledged(pile, serial)
            await acknowledged(pile, serial)
            await house.until("store_failing", lambda value: not value)
            late = await good.bill(2, now_ms())
            await pile.close()
        return {early, serial, late}

    with small_disk(tmp_path, kind=kind) as disk:
        house = House(tmp_path, disk.directory)
        try:
            promised = asyncio.run(run(house, disk))
            assert house.daemon.stop() == 0
            assert house.bills() == sorted((serial.upper(), 1) for serial in promised)
            told = [each for path in (disk.directory / "capture").iterdir() for each in read_log(path)]
            assert any(isinstance(each, LogDamage) for each in told), "the capture does not tell of its gap"
            if disk.name == "tmpfs":  # under the limit the log could not be written either
                assert {line["reason"] for line in house.daemon.log_lines("store_failed")}
                assert len(house.daemon.log_lines("capture_troubled")) >= 2
        finally:
            house.daemon.close()


def test_another_process_holds_the_database(tmp_path):
    async def run(house, locker):
        async with served(pile_id(1), house.daemon.port) as good:
            early = await good.bill(1, now_ms())
            pile = GoodPile(pile_id(2))
            await pile.log_in(house.daemon.port)
            locker.execute("BEGIN EXCLUSIVE")
            serial, frame = pile.record(1, now_ms())
            await unanswered_while_failing(house, pile, (serial, frame))
            locker.execute("ROLLBACK")
            await acknowledged(pile, serial)
            late = await good.bill(2, now_ms())
            await pile.close()
        return {early, serial, late}

    house = House(tmp_path, None)
    locker = sqlite3.connect(house.db, isolation_level=None, timeout=10)
    try:
        promised = asyncio.run(run(house, locker))
        assert {"database is locked"} == {line["reason"] for line in house.daemon.log_lines("store_failed")}
        assert house.daemon.stop() == 0
        assert house.bills() == sorted((serial.upper(), 1) for serial in promised)
    finally:
        locker.close()
        house.daemon.close()


def test_a_kill_while_the_disk_is_full_loses_nothing_that_was_promised(tmp_path):
    async def promise(house, disk):
        pile = GoodPile(pile_id(1))
        await pile.log_in(house.daemon.port)
        early = await pile.bill(1, now_ms())
        disk.fill(house.daemon.pid)
        late = pile.record(2, now_ms())
        pile.heard.clear()
        await unanswered_while_failing(house, pile, late)
        await pile.close()
        return early, late

    async def again(house, frame, serial):
        pile = GoodPile(pile_id(1))
        await pile.log_in(house.daemon.port)
        pile.send(frame)
        await acknowledged(pile, serial)
        await pile.close()

    with small_disk(tmp_path, kind="tmpfs") as disk:
        house = House(tmp_path, disk.directory)
        try:
            early, (serial, frame) = asyncio.run(promise(house, disk))
            house.daemon.kill()
            assert house.bills() == [(early.upper(), 1)]
            if disk.name == "tmpfs":
                disk.free(0)
            house.daemon.start()
            asyncio.run(again(house, frame, serial))
            assert house.daemon.stop() == 0
            assert house.bills() == [(early.upper(), 1), (serial.upper(), 1)]
        finally:
            house.daemon.close()

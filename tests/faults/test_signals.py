"""SIGTERM leaves in order and owes nobody; SIGHUP takes up what may change and survives a bad file."""

import asyncio
import os
import signal
import sqlite3
import time

import pytest

from gateway.simulator.scripts import pile_id
from tests.support import wire
from tests.support.daemon import Daemon
from tests.support.goodpile import GoodPile
from tests.support.site import write_config

WAIT_S = 20


def now_ms():
    return time.time_ns() // 1_000_000


@pytest.fixture
def daemon(tmp_path):
    daemon = Daemon(write_config(tmp_path, 3))
    daemon.start()
    yield daemon
    daemon.close()


async def logged(daemon, event, times=1):
    async with asyncio.timeout(WAIT_S):
        while len(daemon.log_lines(event)) < times:
            await asyncio.sleep(0.01)
    return daemon.log_lines(event)


async def signalled(daemon, number, event, times=1):
    os.kill(daemon.pid, number)
    return await logged(daemon, event, times)


async def owe(daemon):
    """A pile whose record waits for a commit, and the lock that it waits for."""
    pile = GoodPile(pile_id(1))
    await pile.log_in(daemon.port)
    locker = sqlite3.connect(daemon.directory / "pilegate.db", isolation_level=None, timeout=10)
    locker.execute("BEGIN IMMEDIATE")
    serial, frame = pile.record(1, now_ms())
    pile.send(frame, wire.heartbeat(pile.pile_id))
    await pile.expect(0x04)  # the record before it was read
    return pile, locker, serial


def test_sigterm_takes_nobody_new_answers_what_is_owed_and_leaves_with_0(daemon):
    async def run():
        pile, locker, serial = await owe(daemon)
        await signalled(daemon, signal.SIGTERM, "daemon_stopping")
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", daemon.port)
        assert not [heard for heard in pile.heard if heard.kind == 0x40]
        locker.execute("ROLLBACK")
        locker.close()
        reply = await pile.expect(0x40)
        assert reply.body == wire.acknowledge(serial)[6:-2]
        await pile.expect_end()
        await pile.close()
        return serial

    serial = asyncio.run(run())
    assert daemon.wait(WAIT_S) == 0
    assert list(daemon.bills()) == [serial.upper()]
    assert [line["owed"] for line in daemon.log_lines("daemon_stopped")] == [0]


def test_sigterm_reads_nothing_more(daemon):
    async def run():
        pile, locker, _ = await owe(daemon)
        await signalled(daemon, signal.SIGTERM, "daemon_stopping")
        beats = len([heard for heard in pile.heard if heard.kind == 0x04])
        pile.send(*[wire.heartbeat(pile.pile_id)] * 5)
        assert await pile.quiet(0x04, 1.5)  # longer than a tick, which once began to read again
        locker.execute("ROLLBACK")
        locker.close()
        await pile.expect(0x40)
        await pile.expect_end()
        assert len([heard for heard in pile.heard if heard.kind == 0x04]) == beats
        await pile.close()

    asyncio.run(run())
    assert daemon.wait(WAIT_S) == 0


@pytest.mark.soak
def test_sigterm_gives_up_a_store_that_fails_and_says_so(daemon):
    async def run():
        pile, locker, _ = await owe(daemon)
        await signalled(daemon, signal.SIGTERM, "daemon_stopping")
        await pile.expect_end(within_s=15)
        assert not [heard for heard in pile.heard if heard.kind == 0x40]
        status = await asyncio.to_thread(daemon.wait, 28)
        locker.execute("ROLLBACK")
        locker.close()
        await pile.close()
        return status

    assert asyncio.run(run()) == 3
    assert daemon.bills() == {}
    assert "could not be written" in daemon.log_tail()


def change(daemon, old, new):
    text = daemon.config.read_text()
    assert old in text
    daemon.config.write_text(text.replace(old, new))


def test_sighup_takes_up_piles_tariffs_and_limits(daemon):
    async def run():
        stranger = GoodPile("31000000000099")
        await stranger.connect(daemon.port)
        stranger.send(wire.login(stranger.pile_id))
        await stranger.expect_end()
        change(daemon, "[[listen]]", f'[[pile]]\nid = "{stranger.pile_id}"\n[limits]\nframes_per_s_max = 1\n[[listen]]')
        change(daemon, 'model_no = "0100"', 'model_no = "0200"')
        await signalled(daemon, signal.SIGHUP, "configuration_reloaded")
        known = GoodPile(stranger.pile_id)
        await known.connect(daemon.port)
        known.send(wire.login(known.pile_id))
        assert (await known.expect(0x02)).body[-1] == 0
        known.send(wire.tariff_check(known.pile_id, "0200"))
        known.send(wire.frame(0x09, wire.bcd(known.pile_id)))
        assert (await known.expect(0x0A)).body[7:9].hex() == "0200"
        known.send(*[wire.heartbeat(known.pile_id)] * 11)
        await known.expect_end()
        await known.close()
        await stranger.close()

    asyncio.run(run())
    assert daemon.log_lines("link_closed")[-1]["reason"] == "more frames than a pile may send"
    assert daemon.stop() == 0


def test_sighup_with_a_bad_file_changes_nothing(daemon):
    good = daemon.config.read_text()

    async def run():
        pile = GoodPile(pile_id(1))
        await pile.log_in(daemon.port)
        for number, (old, new, words) in enumerate(
            (
                ('to = "10:00"', 'to = "09:00"', "slot"),
                ("[[listen]]", "[limits]\nlinks_maxx = 1\n[[listen]]", "links_max?"),
                ('timezone = "Asia/Shanghai"', "timezone = ", "not valid TOML"),
            ),
            start=1,
        ):
            daemon.config.write_text(good.replace(old, new))
            refused = await signalled(daemon, signal.SIGHUP, "configuration_refused", number)
            assert words in refused[-1]["reason"], refused[-1]
            assert str(daemon.config) in refused[-1]["reason"]
        daemon.config.unlink()
        refused = await signalled(daemon, signal.SIGHUP, "configuration_refused", 4)
        assert "No such file" in refused[-1]["reason"]
        await pile.bill(1, now_ms())
        await pile.close()

    asyncio.run(run())
    assert daemon.log_lines("configuration_reloaded") == []
    assert daemon.stop() == 0


def test_sighup_names_what_waits_for_a_restart(daemon):
    async def run():
        change(daemon, "[api]", "[presence]\nheartbeats_missed_max = 9\n[api]")
        await signalled(daemon, signal.SIGHUP, "configuration_reloaded")

    asyncio.run(run())
    assert [line["tables"] for line in daemon.log_lines("configuration_needs_restart")] == [["presence"]]
    assert daemon.stop() == 0


def test_sigint_is_as_good(daemon):
    os.kill(daemon.pid, signal.SIGINT)
    assert daemon.wait(WAIT_S) == 0
    assert len(daemon.log_lines("daemon_stopped")) == 1

"""The daemon starts in order, takes up what must stay, and leaves nothing owed."""

import asyncio
import contextlib
import dataclasses

import pytest
from structlog.testing import capture_logs

from gateway.app import App
from gateway.config import load
from gateway.errors import ConfigError
from gateway.outcome import EventRaised, Outcome, TariffPriced
from gateway.priced import key_of, terms_of
from gateway.store import Store
from protocol.commands import AcknowledgeRecord
from tests.support import wire
from tests.support.bills import bill_row
from tests.support.site import write_config
from tests.support.yard import DAY_MS


@pytest.fixture
def path(tmp_path):
    return write_config(tmp_path, 2)


def daemon(path):
    return App(load(path), config_path=path)


def run(work):
    return asyncio.run(asyncio.wait_for(work, 30))


@contextlib.asynccontextmanager
async def started(path):
    app = daemon(path)
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


def steps_of(parts):
    """Note the order in which parts of the daemon are called."""
    seen = []

    def watch(owner, name, label):
        original = getattr(owner, name)

        def wrapped(*args, **kwargs):
            seen.append(label)
            return original(*args, **kwargs)

        setattr(owner, name, wrapped)

    for owner, name, label in parts:
        watch(owner, name, label)
    return seen


def test_it_listens_when_what_ran_before_is_taken_up(path):
    async def work():
        app = daemon(path)
        steps = ("_open_capture", "_note_site", "_listen", "_serve_api")
        seen = steps_of([(app, name, name) for name in steps])
        with capture_logs() as logs:
            await app.start()
        await app.stop()
        assert seen == list(steps)
        assert (app.ports[0] > 0, app.api_port > 0) == (True, True)
        (told,) = [entry for entry in logs if entry["event"] == "daemon_started"]
        assert (told["ports"], told["api_port"]) == (app.ports, app.api_port)

    run(work())


def test_it_stops_in_order_ticks_first_store_last(path):
    async def work():
        app = daemon(path)
        await app.start()
        (listener,) = app.listeners
        seen = steps_of(
            [
                (listener, "stop_accepting", "no new links"),
                (app.api, "stop", "api"),
                (listener, "close_all", "links"),
                (app.forwarder, "stop", "upstream"),
                (app.witness, "hand_over", "evidence"),
                (app.engine, "take_fed", "samples"),
                (app.switchboard, "stop", "deadlines"),
                (app.capture, "close", "capture"),
                (app.store, "close", "store"),
            ],
        )
        tasks = list(app._tasks)
        await app.stop()
        last = ["evidence", "samples", "deadlines", "capture", "store"]
        assert seen == ["no new links", "api", "links", "upstream", *last]
        assert all(task.cancelled() for task in tasks)

    run(work())


def test_what_is_owed_is_answered_before_links_are_closed(path):
    async def work():
        app = daemon(path)
        await app.start()
        pile_id = next(iter(app.config.site.piles))
        said = []

        class Speaker:
            def say(self, command, at_ms):
                said.append(type(command).__name__)
                return True

        app.switchboard.carry_out(
            Outcome(replies=[AcknowledgeRecord(pile_id, 1, "1", True)], is_durable=True), Speaker()
        )
        assert (said, app.switchboard.owed) == ([], 1)
        with capture_logs() as logs:
            await app.stop()
        assert (said, app.switchboard.owed) == (["AcknowledgeRecord"], 0)
        assert logs[-1] == {"event": "daemon_stopped", "owed": 0, "log_level": "info"}

    run(work())


def test_a_pile_logs_in_over_a_real_link_and_hears_the_gateway_leave(path):
    async def work():
        async with started(path) as app:
            pile_id = next(iter(app.config.site.piles))
            reader, writer = await asyncio.open_connection("127.0.0.1", app.ports[0])
            writer.write(wire.login(pile_id))
            answer = await reader.readexactly(1)
            assert answer == b"\x68"
            assert app.switchboard.is_connected(pile_id)
            assert app.metrics.gauges["links"][1]() == 1
        await reader.read()  # to the end of the stream
        writer.close()

    run(work())


def test_tariffs_piles_and_limits_are_taken_up_without_a_restart(path):
    async def work():
        async with started(path) as app:
            text = path.read_text()
            path.write_text(text + '[[pile]]\nid = "99999999999999"\n[limits]\nframes_per_s_max = 7\n')
            app.reload_site()
            assert app.engine.piles.is_listed("99999999999999")
            assert (app.config.limits.frames_per_s_max, app.listeners[0].limits.frames_per_s_max) == (7, 7)

    run(work())


def test_what_needs_a_restart_is_named_and_what_is_broken_is_refused(path):
    async def work():
        async with started(path) as app:
            good = path.read_text()
            path.write_text(good.replace('level = "info"', 'level = "debug"'))
            with capture_logs() as logs:
                app._on_hangup()
            assert [entry["tables"] for entry in logs if entry["event"] == "configuration_needs_restart"] == [["log"]]
            site = app.config.site
            path.write_text(good + "[limitz]\n")
            with capture_logs() as logs:
                app._on_hangup()
            assert [entry["event"] for entry in logs] == ["configuration_refused"]
            assert app.config.site == site

    run(work())


def test_a_site_that_edits_what_priced_a_bill_is_refused_at_the_start(path):
    config = load(path)
    tariff = config.site.book.tariffs[0]
    store = Store(config.store)
    store.writer.submit([TariffPriced(*key_of(tariff), terms_of(tariff))]).result(30)
    store.close()
    path.write_text(path.read_text().replace('"0.70000"', '"0.70001"'))

    async def work():
        app = daemon(path)
        with pytest.raises(ConfigError):
            await app.start()
        app.store.close()
        app.capture.close()

    run(work())


def test_a_clock_behind_what_was_written_is_told_at_once(path):
    store = Store(load(path).store)
    far_ms = DAY_MS + 10 * 365 * 86_400_000
    store.writer.submit([bill_row("t1", created_at_ms=far_ms)]).result(30)
    store.close()

    async def work():
        with capture_logs() as logs:
            async with started(path):
                pass
        return [entry["event"] for entry in logs]

    assert "clock_behind_store" in run(work())


def test_bills_are_counted_by_status_and_wake_the_forwarder(path):
    async def work():
        async with started(path) as app:
            woken = []
            app.forwarder.wake = lambda: woken.append(1)
            for status in ("normal", "review", "normal"):
                app._watch(EventRaised("e", "pilegate.bill.created", "t", "t", 1, {"status": status}))
            app._watch(EventRaised("e", "pilegate.pile.online", "p", "pile:p", 1, {}))
            assert (app.metrics.bills["normal"], app.metrics.bills["review"], len(woken)) == (2, 1, 4)

    run(work())


def test_a_number_that_was_ever_ordered_is_taken(path):
    async def work():
        async with started(path) as app:
            assert not app._is_taken("1")
            app.engine.sessions.open("1", next(iter(app.config.site.piles)), 1, DAY_MS)
            assert app._is_taken("1")

    run(work())


def test_without_capture_and_http_it_runs_as_well(path):
    config = load(path)
    config = dataclasses.replace(
        config,
        capture=dataclasses.replace(config.capture, is_enabled=False),
        api=dataclasses.replace(config.api, is_enabled=False),
    )

    async def work():
        app = App(config)
        await app.start()
        app.reload_site()
        await app.stop()
        return app.api_port

    assert run(work()) is None
    assert not (path.parent / "capture").exists()

"""The server: health, metrics, its address, its end."""

import asyncio
import socket

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.errors import ListenerError
from gateway.outcome import EventRaised
from tests.support.desk import in_process

UPSTREAM = '[[upstream]]\nname = "u"\nurl = "http://127.0.0.1:9/"\n'


def test_metrics_are_prometheus_text(tmp_path):
    async def story():
        async with in_process(tmp_path, more=UPSTREAM) as (desk, app):
            pile = await desk.pile(1)
            hour_ago_ms = app.clock.now_ms() - 3_600_000
            app.store.writer.submit([EventRaised("e1", "pilegate.test", "s", "s", hour_ago_ms, {})]).result(10)
            call = await desk.order(f"/piles/{pile.pile_id}/reboot")
            pile.answer(0x91, await pile.expect(0x92), b"\1")
            await call
            reply = await desk.stranger.get("/metrics", headers={"Authorization": f"Bearer {desk.token}"})
            assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
            families = {family.name: family for family in text_string_to_metric_families(reply.text)}
            for family in families.values():
                assert family.documentation, family.name

            def value(name, **labels):
                (sample,) = [
                    each
                    for each in families[name].samples
                    if each.labels.items() >= labels.items() and not each.name.endswith("_created")
                ]
                return sample.value

            assert value("pilegate_links") == 1
            assert value("pilegate_piles_online") == 1
            assert value("pilegate_orders", kind="Reboot", result="accepted") == 1
            assert value("pilegate_outbox_entries", upstream="u", state="pending") >= 1
            assert value("pilegate_outbox_oldest_pending_seconds", upstream="u") >= 3_600

    asyncio.run(story())


def test_health_says_what_is_wrong(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, app):
            app.store.writer.is_failing = True
            reply = await desk.stranger.get("/healthz")
            assert (reply.status_code, reply.json()["status"]) == (503, "degraded")
            assert reply.json()["checks"]["store"] != "ok"
            app.store.writer.is_failing = False
            assert (await desk.stranger.get("/healthz")).status_code == 200

    asyncio.run(story())


def test_an_address_that_is_taken_is_said_plainly(tmp_path):
    async def story():
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            async with in_process(tmp_path) as (_, app):
                from dataclasses import replace

                from gateway.api.server import ApiServer

                second = ApiServer(app.api._context, replace(app.config.api, port=taken.getsockname()[1]))
                with pytest.raises(ListenerError, match="cannot serve HTTP"):
                    await second.start()

    asyncio.run(story())


def test_who_follows_nothing_watches_nothing(tmp_path):
    async def story():
        async with in_process(tmp_path) as (_, app):
            assert not app.api.is_watched

    asyncio.run(story())


def test_streams_end_when_the_daemon_stops(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, app), desk.events() as events:
            assert app.api.is_watched
            await app.api.stop()
            assert await events.comment() == "the stream ends here; connect again"

    asyncio.run(story())

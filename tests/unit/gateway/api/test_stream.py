"""Server-sent events: numbered, kept, enriched, bounded."""

import asyncio

from gateway.api.config import ApiConfig
from gateway.api.stream import Feed, Watch
from gateway.outcome import EventRaised, Notice
from tests.support.desk import in_process


def raised(number):
    return EventRaised(f"e{number}", "pilegate.test", "s", "s", 1_000 * number, {"n": number})


async def read(queue):
    return [queue.get_nowait() for _ in range(queue.qsize())]


def test_what_goes_upstream_is_numbered_and_notices_are_not(tmp_path):
    async def story():
        async with in_process(tmp_path) as (desk, app), desk.events() as events:
            app.switchboard._tell(type("O", (), {"lazy_rows": [raised(1)], "rows": [], "notices": []}))
            first = await events.wait("pilegate.test")
            assert (first.body["id"], first.body["data"], bool(first.id)) == ("e1", {"n": 1}, True)
            assert first.body["time"] == "1970-01-01T08:00:01.000+08:00"
            notice = Notice("pilegate.lock.changed", "p", 5, {})
            app.switchboard._tell(type("O", (), {"lazy_rows": [], "rows": [], "notices": [notice]}))
            told = await events.wait("pilegate.lock.changed")
            assert told.id is None
            assert "id" not in told.body

    asyncio.run(story())


def test_a_feed_tells_what_was_missed_as_far_as_it_is_kept(tmp_path):
    async def story():
        async with in_process(tmp_path) as (_, app):
            feed = Feed(app.api._context, 3)
            watch = Watch(100)
            feed.watches.add(watch)
            for number in range(1, 6):
                feed(raised(number))
            texts = await read(watch.queue)
            ids = [text.split("\n")[0].removeprefix("id: ") for text in texts]
            assert len(set(ids)) == 5
            assert feed.missed(ids[4]) == []
            assert feed.missed(ids[2]) == texts[3:]
            assert feed.missed(ids[1]) == texts[2:]
            for lost in (ids[0], "other-1", "", "x", ids[0].split("-")[0] + "-99"):
                (gap,) = feed.missed(lost)
                assert gap.startswith("event: pilegate.stream.gap\n")

    asyncio.run(story())


def test_a_watcher_that_is_too_slow_is_dropped_and_harms_nobody(tmp_path):
    async def story():
        slow, quick = Watch(2), Watch(100)
        for number in range(10):
            for watch in (slow, quick):
                watch.put(str(number))
        assert slow.is_dropped
        assert await read(slow.queue) == ["0", "1", None]
        assert len(await read(quick.queue)) == 10
        slow.end()
        assert slow.queue.empty()

    asyncio.run(story())


def test_streams_are_limited(tmp_path):
    async def story():
        async with in_process(tmp_path, more="") as (desk, app):
            app.api._app.state.config = ApiConfig(watchers_max=1)
            async with desk.events():
                reply = await desk.client.get("/events")
                assert (reply.status_code, reply.json()["title"]) == (503, "too many watchers")
            async with asyncio.timeout(5):
                while app.api._app.state.feed.watches:
                    await asyncio.sleep(0.01)
            async with desk.events():
                pass

    asyncio.run(story())

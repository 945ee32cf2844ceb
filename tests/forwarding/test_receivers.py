"""The outbox drained towards real HTTP receivers that are down, slow, broken or wrong."""

import asyncio
import contextlib
import json
import random
import time

import pytest
from standardwebhooks.webhooks import Webhook
from structlog.testing import capture_logs

from gateway import manage
from gateway.clock import Clock, ScaledClock
from gateway.forwarders.base import Drain, DrainConfig, Forwarder
from gateway.forwarders.cloudevents import CloudEvents
from gateway.forwarders.webhook import UpstreamConfig, WebhookSender
from gateway.metrics import Metrics
from gateway.outcome import EventRaised
from gateway.store import Store, StoreConfig
from tests.support import receiver as r

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
SPEED = 60
SCHEDULE = (5, 5, 30, 60)


class Post:
    """A store, its forwarder and one or more receivers; daemon time runs ``SPEED`` times as fast."""

    def __init__(self, directory, clock=None):
        self.directory = directory
        self.clock = clock or ScaledClock(1_772_509_200_000, SPEED)
        self.metrics = Metrics()
        self.upstreams = []
        self.store = None
        self.forwarder = None
        self.count = 0

    def add(self, name, url, **more):
        config = {"drain": DrainConfig(schedule_s=SCHEDULE, breaker_failures=1_000), "timeout_ms": 500, **more}
        self.upstreams.append(UpstreamConfig(name, url, secret_envs=("SECRET",), **config))

    def start(self):
        events = CloudEvents(self.upstreams, source="/pilegate/test", zone=zone())
        names = tuple(each.name for each in self.upstreams)
        self.store = Store(StoreConfig(path=str(self.directory / "p.db")), endpoints=names, envelope=events)
        self.forwarder = Forwarder(
            [
                Drain(one.name, WebhookSender(one, self.clock, {"SECRET": SECRET}), one.drain, self.store, self.clock,
                      self.metrics)
                for one in self.upstreams
            ]
        )  # fmt: skip
        self.forwarder.start()

    async def stop(self):
        await self.forwarder.stop()
        await asyncio.to_thread(self.store.close)

    def put(self, partition="t1", **more):
        self.count += 1
        event = EventRaised(f"e{self.count}", "pilegate.session.started", partition, partition, self.clock.now_ms(),
                            {"n": self.count}, **more)  # fmt: skip
        self.store.writer.submit([event]).result(10)
        self.forwarder.wake()
        return event.event_id

    def rows(self):
        return self.store.reader.all("SELECT * FROM outbox ORDER BY id")

    async def until(self, test, within_s=20):
        async with asyncio.timeout(within_s):
            while not test():
                await asyncio.sleep(0.01)

    async def delivered(self, within_s=20):
        await self.until(lambda: all(row["state"] == "delivered" for row in self.rows()), within_s)


def zone():
    from gateway.site import Site

    return Site().zone


@contextlib.asynccontextmanager
async def post(directory, **upstream):
    one = Post(directory)
    async with r.receiver() as taker:
        one.add("first", taker.url, **upstream)
        one.start()
        try:
            yield one, taker
        finally:
            await one.stop()


def run(story):
    asyncio.run(story())


def test_a_delivery_is_a_signed_cloud_event(tmp_path):
    async def story():
        async with post(tmp_path) as (out, taker):
            event_id = out.put()
            await out.delivered()
            (request,) = taker.requests
            event = Webhook(SECRET).verify(request.body, request.headers)
            assert request.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
            assert request.headers["user-agent"].startswith("pilegate/")
            assert {k: event[k] for k in ("specversion", "id", "source", "type", "subject", "sequence")} == {
                "specversion": "1.0",
                "id": event_id,
                "source": "/pilegate/test",
                "type": "pilegate.session.started",
                "subject": "t1",
                "sequence": "1",
            }
            assert event["time"].endswith("+08:00")
            assert event["data"] == {"n": 1}

    run(story)


BAD = {
    "500": r.reply(500),
    "503": r.reply(503),
    "a redirect": r.reply(302, "Location: http://127.0.0.1:1/elsewhere"),
    "404": r.reply(404),
    "422": r.reply(422),
    "a close without a word": r.drop,
    "a close behind the headers": r.break_off,
    "no HTTP": r.babble,
    "no answer": r.hang,
    "a byte now and then": r.drip,
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_success_is_tried_again_with_equal_id_and_bytes(tmp_path, name):
    async def story():
        async with post(tmp_path) as (out, taker):
            taker.script = [BAD[name]]
            event_id = out.put()
            await out.delivered()
            first, second = taker.requests
            assert first.event_id == second.event_id == event_id
            assert first.body == second.body
            (row,) = out.rows()
            assert row["attempts"] == 2
            for request in (first, second):
                Webhook(SECRET).verify(request.body, request.headers)

    run(story)


GOOD = {
    "200": r.reply(200, body=b"thanks"),
    "202": r.reply(202),
    "two answers": r.twice,
    "ten megabytes": r.flood,
    "HTTP/1.0": r.reply(200, version="1.0"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_success_is_a_success_whatever_else_it_says(tmp_path, name):
    async def story():
        async with post(tmp_path) as (out, taker):
            taker.script = [GOOD[name]]
            out.put()
            await out.delivered()
            assert len(taker.requests) == 1
            (row,) = out.rows()
            assert len(row["last_answer"] or "") <= 2_048

    run(story)


def test_retry_after_is_a_lower_bound_for_the_whole_receiver(tmp_path):
    async def story():
        async with post(tmp_path) as (out, taker):
            taker.script = [r.reply(429, "Retry-After: 60")]
            out.put("a")
            await out.until(lambda: len(taker.requests) == 1)
            await out.until(lambda: out.rows()[0]["attempts"] == 1)
            out.put("b")
            await out.delivered()
            waited_s = [(one.at_s - taker.requests[0].at_s) * SPEED for one in taker.requests[1:]]
            assert min(waited_s) >= 59, waited_s

    run(story)


@pytest.mark.parametrize("value", ["soon", "-5", "Mon, 01 Jan 1990 00:00:00 GMT"])
def test_a_retry_after_that_says_nothing_leaves_the_schedule(tmp_path, value):
    async def story():
        async with post(tmp_path) as (out, taker):
            taker.script = [r.reply(503, f"Retry-After: {value}")]
            out.put()
            await out.delivered()
            waited_s = (taker.requests[1].at_s - taker.requests[0].at_s) * SPEED
            assert 4 <= waited_s < 120, waited_s

    run(story)


def test_order_holds_per_transaction_and_nobody_else_waits(tmp_path):
    async def story():
        async with post(tmp_path) as (out, taker):

            async def sulk(request, writer):
                status = 500 if b'"partitionkey":"a"' in request.body and len(taker.requests) < 6 else 204
                await r.reply(status)(request, writer)

            taker.usual = sulk
            for _ in range(3):
                out.put("a")
                out.put("b")
            await out.delivered()
            events = [json.loads(request.body) for request in taker.requests]
            b_ids = [event["id"] for event in events if event["partitionkey"] == "b"]
            assert b_ids == ["e2", "e4", "e6"]
            done, seen = [], set()
            for event in events:
                if event["partitionkey"] == "a":
                    assert event["id"] in seen or len(seen) == len(done), "a later event overtook"
                    seen.add(event["id"])
                    done = sorted(seen)
            assert [event["sequence"] for event in events if event["id"] == "e5"][-1] == "3"
            last_a = max(n for n, event in enumerate(events) if event["id"] == "e1")
            assert events.index(next(e for e in events if e["id"] == "e3")) > last_a

    run(story)


def test_a_dead_receiver_does_not_slow_the_other(tmp_path):
    async def story():
        out = Post(tmp_path)
        async with r.receiver() as good, r.receiver() as bad:
            bad.usual = r.hang
            out.add("bad", bad.url)
            out.add("good", good.url)
            out.start()
            try:
                began_s = time.monotonic()
                for number in range(20):
                    out.put(f"t{number}")
                await out.until(lambda: len(good.requests) == 20)
                assert time.monotonic() - began_s < 5
                states = {(row["endpoint"], row["state"]) for row in out.rows()}
                assert ("bad", "pending") in states
            finally:
                await out.stop()

    run(story)


def test_a_poisoned_event_is_set_aside_and_sent_again_by_hand(tmp_path):
    async def story():
        drain = DrainConfig(schedule_s=(1, 1, 2), expires_s=10)
        async with post(tmp_path, drain=drain) as (out, taker):

            async def choosy(request, writer):
                await r.reply(422 if request.event_id == "e1" else 204)(request, writer)

            taker.usual = choosy
            out.put("a")
            out.put("a")
            out.put("b")
            await out.until(lambda: [row["state"] for row in out.rows()] == ["dead", "delivered", "delivered"])
            tries = taker.ids().count("e1")
            assert tries >= 3
            taker.usual = r.reply(204)
            row = out.rows()[0]
            now_ms = out.clock.now_ms()
            again = manage.retry_delivery(out.store.writer.call, row["id"], at_ms=now_ms, expires_at_ms=now_ms + 1_000)
            again.result(10)
            out.forwarder.wake()
            await out.delivered()
            assert taker.ids().count("e1") == tries + 1
            bodies = {request.body for request in taker.requests if request.event_id == "e1"}
            assert bodies == {row["body"]}

    run(story)


def test_five_days_of_failure_disable_the_receiver_and_keep_the_queue(tmp_path):
    async def story():
        drain = DrainConfig(
            schedule_s=(1,), breaker_failures=2, breaker_first_s=1, breaker_max_s=1, disabled_after_s=30
        )
        with capture_logs() as logs:
            async with post(tmp_path, drain=drain) as (out, taker):
                out.put("a")
                await out.delivered()
                taker.usual = r.reply(500)
                out.put("b")
                await out.until(lambda: out.forwarder.states(0)["first"] == "disabled")
                tries = len(taker.requests)
                out.put("c")
                await asyncio.sleep(0.2)
                assert len(taker.requests) == tries
                assert [row["state"] for row in out.rows()] == ["delivered", "pending", "pending"]
                taker.usual = r.reply(204)
                await out.stop()
                out.start()
                await out.delivered()
        told = [line["event"] for line in logs if line["event"].startswith("upstream_")]
        assert told[-1] == "upstream_disabled"
        assert set(told[:-1]) == {"upstream_failing"}

    run(story)


def test_gone_disables_the_receiver_and_keeps_the_queue(tmp_path):
    async def story():
        async with post(tmp_path) as (out, taker):
            taker.script = [r.reply(410)]
            out.put("a")
            await out.until(lambda: out.forwarder.states(0)["first"] == "disabled")
            out.put("b")
            await asyncio.sleep(0.2)
            assert len(taker.requests) == 1
            assert [row["state"] for row in out.rows()] == ["pending", "pending"]
            await out.stop()
            out.start()
            await out.delivered()

    run(story)


def test_a_conflict_is_asked_once_more_and_then_done(tmp_path):
    async def story():
        async with post(tmp_path) as (out, taker):
            taker.usual = r.reply(409)
            out.put()
            await out.delivered()
            first, second = taker.requests
            assert (second.at_s - first.at_s) * SPEED >= 59

    run(story)


def test_a_receiver_that_is_down_gets_everything_once_it_is_back(tmp_path):
    async def story():
        drain = DrainConfig(schedule_s=SCHEDULE, breaker_failures=2, breaker_first_s=20)
        async with post(tmp_path, drain=drain) as (out, taker):
            await taker.stop()
            ids = [out.put(f"t{number}") for number in range(12)]
            await out.until(lambda: out.forwarder.states(out.clock.now_ms())["first"] == "open")
            attempts = sum(row["attempts"] for row in out.rows())
            assert attempts <= 6, "waiting for the breaker is no attempt"
            await taker.start()
            await out.delivered()
            assert sorted(set(taker.ids())) == sorted(ids)
            assert taker.busy_max <= 4

    run(story)


def test_the_sender_is_restarted_and_goes_on_where_it_was(tmp_path):
    async def story():
        async with post(tmp_path) as (out, taker):
            taker.script = [r.reply(500), r.reply(500)]
            out.put()
            await out.until(lambda: out.rows()[0]["attempts"] == 2)
            await out.stop()
            out.start()
            await out.delivered()
            (row,) = out.rows()
            assert row["attempts"] == 3
            assert len({request.body for request in taker.requests}) == 1

    run(story)


def test_the_receiver_verifies_old_and_new_key_during_rotation(tmp_path):
    async def story():
        other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        async with r.receiver() as taker:
            config = UpstreamConfig("u", taker.url, secret_envs=("OLD", "NEW"))
            sender = WebhookSender(config, Clock(), {"OLD": SECRET, "NEW": other})
            delivery = await sender.send("e1", b'{"a":"\xe7\xa4\xba"}')
            await sender.close()
            assert delivery.is_done
            (request,) = taker.requests
            for secret in (SECRET, other):
                Webhook(secret).verify(request.body, request.headers)

    run(story)


def test_a_thousand_waiting_events_arrive_in_order_within_the_limit(tmp_path):
    async def story():
        seed = random.SystemRandom().randrange(1_000_000)
        print(f"seed {seed}")
        rng = random.Random(seed)
        async with post(tmp_path) as (out, taker):
            await taker.stop()
            events = []
            for number in range(1_000):
                key = f"t{rng.randrange(200)}"
                events.append(EventRaised(f"e{number}", "pilegate.session.started", key, key, out.clock.now_ms(), {}))
            out.store.writer.submit(events).result(30)
            await taker.start()
            await out.delivered(60)
            assert taker.busy_max <= 4
            sequences = {}
            for request in taker.requests:
                event = json.loads(request.body)
                assert int(event["sequence"]) == sequences.get(event["partitionkey"], 0) + 1
                sequences[event["partitionkey"]] = int(event["sequence"])

    run(story)

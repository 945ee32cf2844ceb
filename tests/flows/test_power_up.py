"""Login, clock, tariff; piles that nobody knows."""

import asyncio
import struct

from gateway.clock import ScaledClock
from tests.support import wire
from tests.support.desk import desk_of, in_process, play
from tests.support.deskgateway import START_MS
from tests.support.handpile import HandPile
from tests.support.site import TARIFF


def alone(running, story):
    async def whole():
        async with desk_of(running.daemon, running.token) as desk:
            await story(desk)

    asyncio.run(whole())


def test_a_pile_without_a_tariff_gets_its_clock_and_then_its_tariff(now):
    async def story(desk):
        pile = desk.bare_pile(now.number())
        await pile.connect(desk.port)
        pile.send(wire.login(pile.pile_id))
        await pile.expect(0x02)
        clock = await pile.expect(0x56)
        assert [heard.kind for heard in pile.heard] == [0x02, 0x56], "the clock is set before the tariff is checked"
        pile.answer(0x55, clock, clock.body[7:])
        pile.send(wire.tariff_check(pile.pile_id, "0000"))
        assert (await pile.expect(0x06)).body == wire.bcd(pile.pile_id) + b"\0\0\1"
        pile.send(wire.frame(0x09, wire.bcd(pile.pile_id), sequence=77))
        tariff = await pile.expect(0x0A)
        assert tariff.sequence == 77
        assert len(tariff.body) == 90
        assert tariff.body[7:9] == b"\x01\x00"
        prices = struct.unpack_from("<8I", tariff.body, 9)
        assert prices == (130_000, 80_000, 110_000, 80_000, 70_000, 80_000, 30_000, 80_000)
        assert tariff.body[41] == 0
        assert tariff.body[42:] == bytes([3] * 16 + [2] * 4 + [1] * 4 + [2] * 24)
        pile.send(wire.tariff_check(pile.pile_id, "0100"))
        assert (await pile.expect(0x06)).body[-1] == 0
        shown = await desk.get(f"/piles/{pile.pile_id}")
        assert (shown["is_online"], shown["has_link"], shown["tariff_model_no"]) == (True, True, "0100")
        assert (shown["protocol"], shown["connector_count"]) == ("ykc-1.6", 2)

    alone(now, story)


def test_an_unknown_pile_is_refused_listed_adopted_and_let_in(now):
    async def story(desk):
        stranger = HandPile("55031412782399")
        await stranger.connect(desk.port)
        stranger.send(wire.login(stranger.pile_id))
        assert (await stranger.expect(0x02)).body[-1] == 1
        await stranger.expect_end()

        def is_listed(page):
            return any(item["pile_id"] == stranger.pile_id for item in page["items"])

        page = await desk.until("/piles/unknown", is_listed)
        (item,) = (each for each in page["items"] if each["pile_id"] == stranger.pile_id)
        assert (item["attempts"], item["protocol"], item["connector_count"]) == (1, "ykc-1.6", 2)
        assert (await desk.client.get(f"/piles/{stranger.pile_id}")).status_code == 404
        await desk.post(f"/piles/{stranger.pile_id}/adopt", {"station": "yard"})
        await stranger.log_in(desk.port)
        assert (await desk.get(f"/piles/{stranger.pile_id}"))["station"] == "yard"
        assert not is_listed(await desk.get("/piles/unknown"))
        await stranger.close()

    alone(now, story)


def test_what_comes_before_the_login_is_not_answered(now):
    async def story(desk):
        pile = desk.bare_pile(now.number())
        await pile.connect(desk.port)
        pile.send(wire.heartbeat(pile.pile_id), wire.login(pile.pile_id), wire.heartbeat(pile.pile_id, 2))
        beat = await pile.expect(0x04)
        assert [heard.kind for heard in pile.heard][:1] == [0x02]
        assert beat.body == wire.bcd(pile.pile_id) + b"\x02\x00"

    alone(now, story)


def test_the_newest_login_wins(now):
    async def story(desk, pile):
        newer = HandPile(pile.pile_id)
        await newer.log_in(desk.port)
        await pile.expect_end()
        assert (await desk.get(f"/piles/{pile.pile_id}"))["has_link"]
        call = await desk.order(f"/piles/{pile.pile_id}/reboot")
        newer.answer(0x91, await newer.expect(0x92), b"\1")
        await call
        await newer.close()

    play(now, story)


def test_the_clock_is_set_again_in_time_and_the_prefix_after_each_login(tmp_path):
    async def story():
        more = '[routine]\ntime_sync_interval_ms = 60000\nqr_prefix = "https://q.example/"\nqr_has_connector = true\n'
        clock = ScaledClock(START_MS, 60)
        async with in_process(tmp_path, more=more, clock=clock) as (desk, _):
            pile = await desk.pile(1)
            prefix = await pile.expect(0xF0)
            assert prefix.body[7:] == b"\x01\x12https://q.example/"
            pile.answer(0xF1, prefix, b"\1")
            again = await pile.expect(0x56)
            millis = struct.unpack_from("<H", again.body, 7)[0]
            assert 0 <= millis < 60_000
            pile.answer(0x55, again, again.body[7:])
            await pile.close()
            await pile.log_in(desk.port)
            await pile.expect(0xF0)

    asyncio.run(story())


def test_a_new_tariff_is_pushed_when_the_pile_is_idle(tmp_path):
    async def story():
        clock = ScaledClock(START_MS, 200)
        async with in_process(tmp_path, more="[limits]\nidle_timeout_ms = 36000000\n", clock=clock) as (desk, app):
            pile = await desk.pile(1)
            serial = await desk.start(pile)
            pile.charge(serial, 1_000)
            await desk.until(f"/sessions/{serial}", lambda one: one["state"] == "charging")
            config = tmp_path / "gateway.toml"
            newer = TARIFF.replace('"0100"', '"0200"').replace("2020-01-01", "2026-03-03").replace("0.70000", "0.71000")
            config.write_text(config.read_text() + newer)
            app.reload_site()
            assert await pile.quiet(0x58, 0.6), "prices must not change under a charge"
            pile.send(wire.sample("0" * 32, pile.pile_id, state=2, plugged=1))
            pushed = await pile.expect(0x58)
            assert pushed.body[7:9] == b"\x02\x00"
            pile.answer(0x57, pushed, b"\0")
            assert await pile.quiet(0x58, 0.8), "not at once again"
            pushed = await pile.expect(0x58)
            pile.answer(0x57, pushed, b"\1")
            await desk.until(f"/piles/{pile.pile_id}", lambda one: one["tariff_model_no"] == "0200")
            assert await pile.quiet(0x58, 1.8), "it holds it now"

    asyncio.run(story())

"""What piles in the field do against the letter, met by the daemon over a real socket."""

import httpx

from tests.support import wire
from tests.support.desk import play


async def refused(desk, reason):
    """How many frames were refused for a reason."""
    reply = await desk.stranger.get("/metrics", headers={"Authorization": f"Bearer {desk.token}"})
    assert reply.status_code == httpx.codes.OK
    line = f'pilegate_refused_frames_total{{reason="{reason}"}} '
    return next((float(one.removeprefix(line)) for one in reply.text.splitlines() if one.startswith(line)), 0)


def test_an_encrypted_frame_is_counted_and_costs_nothing_else(now):
    async def story(desk, pile):
        before = await refused(desk, "encrypted")
        pile.send(wire.frame(0x13, bytes(64), enc=1) + wire.heartbeat(pile.pile_id))
        await pile.expect(0x04)
        assert await refused(desk, "encrypted") == before + 1

    play(now, story)


def test_the_tenth_connector_is_called_as_the_pile_calls_it(now):
    async def story(desk, pile):
        pile.send(wire.heartbeat(pile.pile_id, 0x10))
        assert (await pile.expect(0x04)).body[7] == 0x10
        shown = await desk.get(f"/piles/{pile.pile_id}")
        assert [connector["no"] for connector in shown["connectors"]] == [10]

    play(now, story)


def test_noise_half_frames_and_a_false_start_cost_no_good_frame(now):
    async def story(desk, pile):
        beat = wire.heartbeat(pile.pile_id)
        pile.send(b"\x68\xff" + beat[:5])
        pile.send(beat[5:] + b"\r\n" + beat + b"\x01\x02\x03" + beat)
        for _ in range(3):
            assert (await pile.expect(0x04)).body == wire.bcd(pile.pile_id) + b"\1\0"

    play(now, story)

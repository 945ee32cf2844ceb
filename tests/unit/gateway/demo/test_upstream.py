"""The demo's receiver, with the real sender at the other end."""

import asyncio
import contextlib

import httpx

from gateway.clock import Clock
from gateway.demo.upstream import DemoUpstream
from gateway.forwarders.webhook import UpstreamConfig, WebhookSender

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def test_it_fails_then_takes_and_never_takes_a_forgery():
    async def story():
        upstream = DemoUpstream(SECRET)
        await upstream.start()
        url = f"http://127.0.0.1:{upstream.port}/events"
        sender = WebhookSender(UpstreamConfig("u", url, secret_envs=("S",)), Clock(), {"S": SECRET})
        try:
            assert (await sender.send("e1", b'{"n": 1}')).status == 503
            upstream.is_down = False
            assert (await sender.send("e1", b'{"n": 1}')).status == 204
            async with httpx.AsyncClient(trust_env=False) as client:
                forged = {"webhook-id": "e2", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
                assert (await client.post(url, content=b"{}", headers=forged)).status_code == 401
            assert (upstream.taken, upstream.refused, upstream.forged) == ([{"n": 1}], 1, 1)
        finally:
            await sender.close()
            await upstream.stop()

    asyncio.run(story())


def test_a_conversation_that_is_still_open_ends_with_the_receiver():
    async def story():
        upstream = DemoUpstream(SECRET)
        await upstream.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        try:
            writer.write(b"POST /events HTTP/1.1\r\nContent-Length: 9\r\n\r\n")  # and the body does not come
            await writer.drain()
            async with asyncio.timeout(10):
                while not upstream.conversations:
                    await asyncio.sleep(0.01)
                await upstream.stop()
                with contextlib.suppress(ConnectionResetError):  # what it had not read yet is thrown away
                    assert await reader.read() == b""
            assert upstream.conversations == 0
        finally:
            writer.close()

    asyncio.run(story())

"""The operator's side of a daemon: its HTTP interface over a real socket, and piles played by hand."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import httpx

from gateway.app import App
from gateway.clock import Clock
from gateway.config import load
from gateway.simulator.scripts import pile_id
from tests.support.daemon import Daemon
from tests.support.handpile import HandPile
from tests.support.openapi import Contract
from tests.support.operator import list_accounts
from tests.support.site import write_config

_CONTRACT: list[Contract] = []  # the document is made of the code alone, so it is read once


class Event(NamedTuple):
    """One server-sent event."""

    id: str | None
    kind: str
    body: dict


class Events:
    """A stream of server-sent events, read with a deadline."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.seen: list[Event] = []

    async def comment(self) -> str:
        line = await anext(self._lines)
        assert line.startswith(": ")
        assert await anext(self._lines) == ""
        return line[2:]

    async def wait(self, kind: str, subject: str | None = None, within_s: float = 10) -> Event:
        """The next event of a type, about somebody."""
        async with asyncio.timeout(within_s):
            while True:
                event = await self._next()
                self.seen.append(event)
                if event.kind == kind and subject in (None, event.body.get("subject")):
                    return event

    async def _next(self) -> Event:
        fields: dict[str, str] = {}
        async for line in self._lines:
            if not line and "data" in fields:
                return Event(fields.get("id"), fields["event"], json.loads(fields["data"]))
            name, _, value = line.partition(": ")
            fields[name] = value
        raise AssertionError(f"the stream ended; seen: {[event.kind for event in self.seen]}")


class Desk:
    """A client of one daemon.

    Attributes:
        client: carries the token; paths are below ``/api/v1``.
        port: where piles connect.
    """

    def __init__(self, port: int, api_port: int, token: str) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{api_port}"
        self.token = token
        headers = {"Authorization": f"Bearer {token}"}
        self.client = httpx.AsyncClient(
            base_url=f"{self.url}/api/v1",
            headers=headers,
            timeout=20,
            trust_env=False,
            event_hooks={"response": [self._hold_to_contract]},
        )
        self.stranger = httpx.AsyncClient(base_url=self.url, timeout=20, trust_env=False)
        self._piles: list[HandPile] = []

    async def _hold_to_contract(self, reply: httpx.Response) -> None:
        """Every answer to every test is one that the OpenAPI document allows."""
        if reply.headers.get("content-type", "").startswith("text/event-stream"):
            return
        if not _CONTRACT:
            _CONTRACT.append(Contract(await self.document()))
        await reply.aread()
        request = reply.request
        _CONTRACT[0].check(
            request.method, request.url.path, reply.status_code, reply.headers.get("content-type", ""), reply.text
        )

    async def document(self) -> dict:
        """The OpenAPI document."""
        reply = await self.stranger.get("/openapi.json", headers={"Authorization": f"Bearer {self.token}"})
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def pile(self, number: int, *, guns: int = 2, model_no: str = "0100") -> HandPile:
        """A pile of the site, logged in."""
        one = HandPile(pile_id(number), guns=guns)
        self._piles.append(one)
        await one.log_in(self.port, model_no)
        return one

    def bare_pile(self, number: int) -> HandPile:
        """A pile that has not connected."""
        one = HandPile(pile_id(number))
        self._piles.append(one)
        return one

    async def get(self, path: str, **params: object) -> dict:
        reply = await self.client.get(path, params=params)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def post(self, path: str, body: object = None, status: int = 200, **headers: str) -> dict:
        reply = await self.client.post(path, json=body, headers=headers)
        assert reply.status_code == status, (reply.status_code, reply.text)
        return reply.json()

    async def order(self, path: str, body: object = None, status: int = 200) -> asyncio.Task:
        """A call that waits for the pile's answer, under way."""
        return asyncio.create_task(self.post(path, body, status))

    async def start(self, pile: HandPile, gun: int = 1, **body: object) -> str:
        """Start remotely and let the pile agree; the transaction's id."""
        path = f"/piles/{pile.pile_id}/connectors/{gun}/start"
        made = await self.post(path, {"balance": "50.00", **body}, 202)
        order = await pile.expect(0x34)
        serial = made["transaction_id"]
        assert order.body[:16].hex() == serial.lower()
        pile.send(start_answer(pile, serial, gun, order.sequence))
        return serial

    @contextlib.asynccontextmanager
    async def events(self, last_id: str | None = None) -> AsyncIterator["Events"]:
        """The live events."""
        headers = {"Last-Event-ID": last_id} if last_id else {}
        async with self.client.stream("GET", "/events", headers=headers) as reply:
            assert reply.status_code == 200
            async with contextlib.aclosing(reply.aiter_lines()) as lines:
                stream = Events(lines)
                assert await stream.comment() == "connected"
                yield stream

    async def until(self, path: str, test, within_s: float = 10, **params: object) -> dict:
        """Ask until the answer passes a test."""
        async with asyncio.timeout(within_s):
            while True:
                reply = await self.client.get(path, params=params)
                if reply.status_code == 200 and test(reply.json()):
                    return reply.json()
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        for pile in self._piles:
            await pile.close()
        await self.client.aclose()
        await self.stranger.aclose()


def start_answer(pile: HandPile, serial: str, gun: int, sequence: int, ok: int = 1, reason: int = 0) -> bytes:
    """0x33 with the sequence of its order."""
    from tests.support import wire

    body = wire.bcd(serial) + wire.bcd(pile.pile_id) + bytes([gun, ok, reason])
    return wire.frame(0x33, body, sequence=sequence)


@contextlib.asynccontextmanager
async def in_process(
    directory: Path, piles: int = 3, *, more: str = "", clock: Clock | None = None
) -> AsyncIterator[tuple[Desk, App]]:
    """A daemon within this process and loop, on free ports; its API over a real socket."""
    config = write_config(directory, piles, more=more)
    token = await asyncio.to_thread(list_accounts, directory)
    app = App(load(config), config_path=config, clock=clock)
    await app.start()
    assert app.api_port is not None
    desk = Desk(app.ports[0], app.api_port, token)
    try:
        yield desk, app
    finally:
        await desk.close()
        await app.stop()


@contextlib.asynccontextmanager
async def desk_of(daemon: Daemon, token: str) -> AsyncIterator[Desk]:
    """A client of a daemon in a process of its own."""
    desk = Desk(daemon.port, daemon.api_port, token)
    try:
        yield desk
    finally:
        await desk.close()


def play(running, story, **pile):
    """Tell a story of one fresh pile at a running daemon: ``story(desk, pile)``."""

    async def whole() -> None:
        async with desk_of(running.daemon, running.token) as desk:
            await story(desk, await desk.pile(running.number(), **pile))

    asyncio.run(whole())

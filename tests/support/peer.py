"""A gateway in miniature behind a real TCP port: grants everything, keeps what it hears."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from protocol import events as e
from protocol.link import Link
from tests.support.deskgateway import answers


class Peer:
    """What the other end heard."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.events: list[e.PileEvent] = []
        self.refused: list[e.FrameRefused] = []
        self.port = 0
        self.links = 0
        self.acknowledges = True
        self.accepts_login = True
        self._now_ms = now_ms
        self._count = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link()
        self.links += 1
        try:
            while data := await reader.read(4096):
                for event in link.receive(data, self._now_ms()):
                    if isinstance(event, e.FrameRefused):
                        self.refused.append(event)
                        continue
                    self.events.append(event)
                    self._count += 1
                    for command in answers(
                        event,
                        self._now_ms(),
                        self._count,
                        acknowledges=self.acknowledges,
                        accepts_login=self.accepts_login,
                    ):
                        writer.write(link.send(command))
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def peer(now_ms: Callable[[], int]) -> AsyncIterator[Peer]:
    """A listening peer on a free port of the loopback interface."""
    one = Peer(now_ms)
    server = await asyncio.start_server(one.talk, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        await server.wait_closed()

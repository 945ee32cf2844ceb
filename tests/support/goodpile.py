"""A pile that does nothing wrong, while others do: does the gateway still serve it?"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

from tests.support import wire
from tests.support.handpile import HandPile

_PAUSE_S = 0.02
_CHINA = timezone(timedelta(hours=8))


class GoodPile(HandPile):
    """Sends heartbeats for as long as it is watched, and remembers how long answers took.

    Attributes:
        waits_s: how long each heartbeat waited for its answer.
    """

    def __init__(self, pile_id: str) -> None:
        super().__init__(pile_id)
        self.waits_s: list[float] = []
        self._turn = asyncio.Lock()  # one conversation at a time

    async def beat(self) -> None:
        while True:
            async with self._turn:
                sent_at = time.monotonic()
                self.send(wire.heartbeat(self.pile_id))
                await self.expect(0x04, within_s=20)
                self.waits_s.append(time.monotonic() - sent_at)
            await asyncio.sleep(_PAUSE_S)

    async def bill(self, number: int, at_ms: int) -> str:
        """Send the record of a charge of 30 kWh that nobody heard of; returns its serial once it is acknowledged."""
        serial, frame = self.record(number, at_ms)
        async with self._turn:
            self.send(frame)
            reply = await self.expect(0x40, within_s=20)
        assert reply.body == wire.acknowledge(serial)[6:-2]
        return serial

    def record(self, number: int, at_ms: int) -> tuple[str, bytes]:
        """(serial, frame) of such a record, an hour long and over at ``at_ms``."""
        end = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(_CHINA).replace(tzinfo=None)
        start = end - timedelta(hours=1)
        serial = f"{self.pile_id}01{start:%y%m%d%H%M%S}{number:04d}"
        tiers = [(210_000, 0, 0), (190_000, 0, 0), (150_000, 300_000, 450_000), (110_000, 0, 0)]
        meter = (1_000_000 + number * 300_000, 1_300_000 + number * 300_000)
        return serial, wire.record(
            serial, self.pile_id, start=start.isoformat(), end=end.isoformat(), tiers=tiers, meter=meter, flag=4
        )


@contextlib.asynccontextmanager
async def served(pile_id: str, port: int, *, wait_s_max: float = 5) -> AsyncIterator[GoodPile]:
    """A good pile that is served all along; fails when it was not, or waited too long."""
    pile = GoodPile(pile_id)
    await pile.log_in(port)
    beating = asyncio.create_task(pile.beat())
    try:
        yield pile
        enough = len(pile.waits_s) + 3
        async with asyncio.timeout(20):
            while len(pile.waits_s) < enough:
                assert not beating.done(), beating.exception()
                await asyncio.sleep(_PAUSE_S)
        assert max(pile.waits_s) < wait_s_max, max(pile.waits_s)
    finally:
        beating.cancel()
        await asyncio.wait({beating})
        await pile.close()

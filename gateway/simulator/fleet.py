"""Many simulated piles over real lines: TCP, or a broker."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.framelog import Kind
from gateway.simulator.aaf5 import Aaf5Pile
from gateway.simulator.charge import Story
from gateway.simulator.faults import FaultyWire
from gateway.simulator.lines import Dialler, Line, TcpLine
from gateway.simulator.pile import SimulatedPile
from gateway.simulator.plan import PilePlan
from gateway.simulator.scripts import Cast

_NAP_S_MAX = 0.25
_READ_BYTES = 4_096
_SLOW_PAUSE_MS = 200


class Tap(Protocol):
    """Somebody who keeps what passed: ``kind`` is open, up, down or close."""

    def __call__(self, at_ms: int, link: str, kind: Kind, data: bytes, /) -> None:
        """Keep one read or write."""


@dataclass(frozen=True, slots=True)
class FleetReport:
    """What happened, in numbers."""

    piles: int
    refused_piles: int
    sessions: int
    refused_starts: int
    records_sent: int
    records_acknowledged: int
    records_unacknowledged: int
    links_opened: int


class Fleet:
    """Simulated piles and their connections.

    Args:
        cast: who plays.
        seed: equal seeds break equal frames.
        now_ms: the clock the piles live by, Unix ms.
        speed: how many times as fast as the wall that clock runs.
        dial: how piles reach the gateway; TCP to ``host`` and ``port`` when not given.
        lingers: piles stay connected after their last car, until ``stop``.

    Attributes:
        links_opened: since the beginning.
        trouble: why the newest link that could not be opened could not.
    """

    def __init__(
        self,
        cast: Sequence[Cast],
        *,
        host: str = "",
        port: int = 0,
        seed: int,
        now_ms: Callable[[], int],
        speed: int = 1,
        tap: Tap | None = None,
        dial: Dialler | None = None,
        lingers: bool = False,
    ) -> None:
        self.host, self.port = host, port
        self.links_opened = 0
        self.trouble = ""
        self.now_ms = now_ms
        self._speed = speed
        self._tap = tap
        self._dial = dial or self._dial_tcp
        self._lingers = lingers
        self._stopping = asyncio.Event()
        self.piles = [_pile(each.plan, seed, now_ms()) for each in cast]
        self._wires = [FaultyWire(each.profile, random.Random(f"{seed}:wire:{each.plan.pile_id}")) for each in cast]

    # -- the whole ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Let all piles live until the last car left and the last record rests, or ``stop``."""
        async with asyncio.TaskGroup() as group:
            for pile, wire in zip(self.piles, self._wires, strict=True):
                group.create_task(self._live(pile, wire))

    def stop(self) -> None:
        """Cut all connections soon."""
        self._stopping.set()

    @property
    def is_finished(self) -> bool:
        """Every pile has nothing left to do."""
        return all(pile.is_finished for pile in self.piles)

    def oracle(self) -> list[Story]:
        """What truly happened in every session: what bills are compared with."""
        return [story for pile in self.piles for story in pile.stories]

    @property
    def registers(self) -> dict[tuple[str, int], int]:
        """Where the meters stand, 0.1 Wh by pile and connector."""
        return {(pile.plan.pile_id, each.no): each.register_e4kwh for pile in self.piles for each in pile.connectors}

    def report(self) -> FleetReport:
        """The numbers so far."""
        stories = self.oracle()
        return FleetReport(
            piles=len(self.piles),
            refused_piles=sum(pile.is_refused for pile in self.piles),
            sessions=len(stories),
            refused_starts=sum(pile.refused for pile in self.piles),
            records_sent=sum(story.records_sent for story in stories),
            records_acknowledged=sum(pile.acknowledged for pile in self.piles),
            records_unacknowledged=sum(len(pile.records) for pile in self.piles),
            links_opened=self.links_opened,
        )

    # -- one pile -------------------------------------------------------------------------------------

    async def _live(self, pile: SimulatedPile, wire: FaultyWire) -> None:
        while not self._stopping.is_set() and (self._lingers or not pile.is_finished):
            if not pile.wants_link(self.now_ms()):
                await self._nap(pile)
                pile.on_timer(self.now_ms())
                continue
            try:
                line = await self._dial(pile.plan.pile_id)
            except OSError as error:
                self.trouble = str(error) or type(error).__name__
                pile.on_link_closed(self.now_ms())
                continue
            self.links_opened += 1
            self.keep(line.name, "open", b"")
            pile.on_link_opened(self.now_ms())
            talk = _Talk(self, pile, wire, line)
            try:
                await talk.run()
            except OSError:
                pass  # the gateway broke the connection: as good as a close
            finally:
                self.keep(line.name, "close", b"")
                await line.close(is_cut=talk.is_cut)
                pile.wants_hang_up = False
                pile.on_link_closed(self.now_ms())

    async def _dial_tcp(self, pile_id: str) -> Line:
        return TcpLine(*await asyncio.open_connection(self.host, self.port))

    async def _nap(self, pile: SimulatedPile) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), self.wait_s(pile))

    def wait_s(self, pile: SimulatedPile) -> float:
        """How long a pile may sleep, seconds of the wall."""
        due_ms = pile.timer_at_ms
        if due_ms is None:
            return _NAP_S_MAX
        return min(_NAP_S_MAX, max(0.001, (due_ms - self.now_ms()) / 1_000 / self._speed))

    async def sleep_ms(self, pause_ms: int) -> None:
        """Sleep so many milliseconds of the piles' time."""
        await asyncio.sleep(pause_ms / 1_000 / self._speed)

    def keep(self, link: str, kind: Kind, data: bytes) -> None:
        """Tell the tap what passed."""
        if self._tap is not None:
            self._tap(self.now_ms(), link, kind, data)

    def is_over_for(self, pile: SimulatedPile) -> bool:
        """Whether this pile should hang up."""
        return self._stopping.is_set() or pile.wants_hang_up or (pile.is_finished and not self._lingers)


def _pile(plan: PilePlan, seed: int, now_ms: int) -> SimulatedPile:
    made = Aaf5Pile if plan.protocol.startswith("aaf5") else SimulatedPile
    return made(plan, seed, now_ms)


class _Talk:
    """One connection of one pile, from its opening to its end."""

    def __init__(
        self,
        fleet: Fleet,
        pile: SimulatedPile,
        wire: FaultyWire,
        line: Line,
    ) -> None:
        self.is_cut = False
        self._fleet = fleet
        self._pile = pile
        self._wire = wire
        self._line = line

    async def run(self) -> None:
        """Speak for one pile over one connection until it breaks or the day is over."""
        reading = asyncio.create_task(self._read())
        try:
            while await self._send_all() and not self._fleet.is_over_for(self._pile):
                done, _ = await asyncio.wait({reading}, timeout=self._fleet.wait_s(self._pile))
                now_ms = self._fleet.now_ms()
                if done:
                    data = reading.result()
                    if not data:
                        return
                    self._fleet.keep(self._line.name, "down", data)
                    self._pile.receive(data, now_ms)
                    reading = asyncio.create_task(self._read())
                self._pile.on_timer(now_ms)
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await reading

    async def _read(self) -> bytes:
        slow_bytes = self._wire.profile.read_bytes
        if slow_bytes:
            await self._fleet.sleep_ms(_SLOW_PAUSE_MS)
        return await self._line.read(slow_bytes or _READ_BYTES)

    async def _send_all(self) -> bool:
        """Send what the pile wants to say; False when the connection broke on the way."""
        if self._wire.profile.hold_ms and self._pile.has_outgoing:
            await self._fleet.sleep_ms(self._wire.profile.hold_ms)
        for chunk in self._wire.chunks(self._pile.take_outgoing()):
            if chunk.pause_ms:
                await self._fleet.sleep_ms(chunk.pause_ms)
            if chunk.data:
                self._fleet.keep(self._line.name, "up", chunk.data)
                await self._line.write(chunk.data)
            if chunk.is_cut:
                self.is_cut = True
                return False
        return True

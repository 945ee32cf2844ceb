"""Firmware sent to a pile chunk by chunk, where its protocol has no server that the pile could fetch it from.

One frame is under way at a time, and a repeat is the same bytes again: a pile counts what it writes. What a pile of
the AA F5 family is asked for in turn stands in docs/protocols/aaf5.md, "Updates".
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.orders import OrderEnded, OrderError, Orders
from gateway.outcome import OrderSaved
from gateway.switchboard import Switchboard
from gateway.tomlfile import bounded
from protocol.commands import SendFirmware, UpdateStep
from protocol.events import OrderAnswered, PileEvent

_ERASED_PERCENT = 100
_ERASE_TRIES = 120
_PATIENCE_MS = 120_000  # beside what the chunks may take
_PROGRESS_PERCENT = 5
_SEQUENCE = 0xFF

Progress = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True, slots=True)
class FirmwareConfig:
    """Firmware that piles are sent.

    Attributes:
        directory: where the files are; an order names one of them. Empty: none is sent.
        file_bytes_max: a larger file is taken for a mistake.
        answer_ms: a step that was not answered for this long is said again.
        tries: so often in all.
    """

    directory: str = ""
    file_bytes_max: int = bounded(16_777_216, 1)
    answer_ms: int = bounded(1_000, 1)
    tries: int = bounded(5, 1)


class Transfers:
    """Updates under way, one per pile.

    Args:
        speed: how many times as fast as the wall the daemon's clock runs.
    """

    def __init__(self, switchboard: Switchboard, orders: Orders, config: FirmwareConfig, *, speed: int = 1) -> None:
        self._switchboard = switchboard
        self._orders = orders
        self._config = config
        self._speed = speed
        self._under_way: dict[str, _Transfer] = {}

    async def send_file(self, pile_id: str, name: str, *, actor: str) -> OrderSaved:
        """Begin to send a file; returns once the order is durable. Its progress and its end are in the order.

        Raises ``OrderError``: firmware_missing for a file that is not there, not_supported for a pile that takes
        none this way, and what ``Orders.carry`` raises.
        """
        most = self._chunk_bytes_max(pile_id)
        data = await asyncio.to_thread(self._read, name)
        command = SendFirmware(pile_id, None, name, len(data), hashlib.sha256(data).hexdigest())
        transfer = _Transfer(self._switchboard, self._config, self._speed, pile_id)

        async def work(progress: Progress) -> Mapping[str, object]:
            self._under_way[pile_id] = transfer
            try:
                return await transfer.run(name, data, most, progress)
            finally:
                self._under_way.pop(pile_id, None)

        steps = -(-len(data) // most) + _ERASE_TRIES
        timeout_ms = _PATIENCE_MS + steps * self._config.answer_ms * self._config.tries
        return await self._orders.carry(command, work, actor=actor, timeout_ms=timeout_ms)

    def on_event(self, event: PileEvent) -> None:
        """See whether this fact answers a step."""
        if isinstance(event, OrderAnswered) and event.order == UpdateStep.__name__:
            transfer = self._under_way.get(event.pile_id)
            if transfer is not None:
                transfer.answers.put_nowait(event)

    def _chunk_bytes_max(self, pile_id: str) -> int:
        most = self._switchboard.engine.piles.traits(pile_id).chunk_bytes_max
        if not most and self._switchboard.engine.piles.is_listed(pile_id):
            raise OrderError("not_supported", f"pile {pile_id} takes no firmware in chunks")
        return most or 1

    def _read(self, name: str) -> bytes:
        """A file of the directory, and of no other place."""
        directory = self._config.directory
        if not directory:
            raise OrderError("firmware_missing", "no directory is configured: set [firmware] directory")
        path = Path(directory) / name
        if Path(name).name != name or not path.is_file():
            raise OrderError("firmware_missing", f"{name!r} is not a file in {directory}")
        size = path.stat().st_size
        if not 0 < size <= self._config.file_bytes_max:
            most = self._config.file_bytes_max
            raise OrderError("firmware_missing", f"{name!r} has {size} bytes, 1 to {most} are sent")
        return path.read_bytes()


class _Transfer:
    """One file on its way to one pile."""

    def __init__(self, switchboard: Switchboard, config: FirmwareConfig, speed: int, pile_id: str) -> None:
        self.answers: asyncio.Queue[OrderAnswered] = asyncio.Queue()
        self._switchboard = switchboard
        self._config = config
        self._wait_s = config.answer_ms / 1_000 / speed
        self._pile_id = pile_id

    async def run(self, name: str, data: bytes, most: int, progress: Progress) -> Mapping[str, object]:
        """All steps in turn; returns the result. Raises ``OrderEnded`` for an update that did not come about."""
        self._require(await self._step("size", len(data)))
        await self._erase()
        limit = (await self._step("name", data=name.encode("ascii", "replace"))).reason_code
        size = min(limit, most) if limit > 0 else most
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        told_percent = 0
        for number, chunk in enumerate(chunks):
            await self._chunk(number, chunk, len(chunks))
            percent = (number + 1) * 100 // len(chunks)
            if percent >= told_percent + _PROGRESS_PERCENT:
                told_percent = percent
                progress({"chunks": number + 1, "chunks_in_all": len(chunks), "percent": percent})
        self._require(await self._step("end"))
        self._require(await self._step("restart"))
        return {"reason_code": 0, "chunks": len(chunks), "bytes": len(data)}

    async def _erase(self) -> None:
        """The pile tells how far it is as often as it is asked."""
        for _ in range(_ERASE_TRIES):
            if (await self._step("erase")).reason_code >= _ERASED_PERCENT:
                return
            await asyncio.sleep(self._wait_s)
        raise OrderEnded("timed_out", {"detail": "the pile does not finish erasing its memory"})

    async def _chunk(self, number: int, chunk: bytes, count: int) -> None:
        """One chunk until the pile has it; a pile may say of a chunk that it came wrong."""
        what = f"chunk {number + 1} of {count}"
        answer = None
        for attempt in range(self._config.tries):
            answer = await self._ask("chunk", number, chunk)
            if answer is not None and answer.is_accepted:
                if attempt:
                    await self._settle()
                return
        if answer is None:
            raise OrderEnded("timed_out", {"detail": f"no answer to {what}"})
        raise OrderEnded("refused", {"reason_code": answer.reason_code, "detail": f"the pile refused {what}"})

    async def _settle(self) -> None:
        """After a repeat a second answer may be under way; where none is numbered it could pass for the next one."""
        while True:
            try:
                await asyncio.wait_for(self.answers.get(), self._wait_s)
            except TimeoutError:
                return

    async def _step(self, step: str, number: int = 0, data: bytes = b"") -> OrderAnswered:
        for _ in range(self._config.tries):
            answer = await self._ask(step, number, data)
            if answer is not None:
                return answer
        raise OrderEnded("timed_out", {"detail": f"no answer to the step {step!r}"})

    async def _ask(self, step: str, number: int, data: bytes) -> OrderAnswered | None:
        """Say one step once; its answer, or ``None`` when none comes in time."""
        if not self._switchboard.send(UpdateStep(self._pile_id, None, step, number, data)):
            raise OrderEnded("failed", {"detail": "the link closed on the way"})
        try:
            async with asyncio.timeout(self._wait_s):
                while True:
                    answer = await self.answers.get()
                    if answer.detail["step"] == step and _is_for(answer, step, number):
                        return answer
        except TimeoutError:
            return None

    def _require(self, answer: OrderAnswered) -> None:
        if not answer.is_accepted:
            step = answer.detail["step"]
            raise OrderEnded("refused", {"reason_code": answer.reason_code, "detail": f"the pile refused the {step}"})


def _is_for(answer: OrderAnswered, step: str, number: int) -> bool:
    """Whether an answer is for this chunk; firmware was seen that numbers none of them."""
    return step != "chunk" or answer.detail["seq"] in (0, number & _SEQUENCE)

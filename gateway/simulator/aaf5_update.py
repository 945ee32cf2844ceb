"""How a simulated pile of the AA F5 family takes an update chunk by chunk.

Source: docs/protocols/aaf5.md, "Updates".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.simulator.aaf5_editions import Body
from gateway.simulator.plan import UpdateFate
from protocol.dialects import aaf5_frames as f

SIZE, ERASE, NAME, CHUNK, END, RESTART = 1005, 1001, 1003, 1007, 1009, 1011
_NUMBERS = {each: Body(each + 1, f.NUMBER) for each in (SIZE, NAME, END, RESTART)}
_PERCENT = Body(ERASE + 1, f.PERCENT)
_LIMIT_BYTES = 512
_HIT = 3  # the chunk that something happens to
_OK, _REFUSED = 0, 1


class Flash:
    """The memory that an update is written into.

    Args:
        fate: what becomes of it.
        chunk: the answer to a chunk, in the order of fields that this edition has.
        is_numbered: it repeats the number of a chunk; some firmware answers 0 to each.

    Attributes:
        data: what was written.
        name: of the file.
        repeats: chunks that came again.
        is_applied: the new firmware runs after the next restart.
        wants_cut: the link breaks now.
    """

    def __init__(self, fate: UpdateFate, chunk: Body, *, is_numbered: bool) -> None:
        self.data = b""
        self.name = ""
        self.repeats = 0
        self.is_applied = False
        self.wants_cut = False
        self._fate = fate
        self._chunk = chunk
        self._is_numbered = is_numbered
        self._size = 0
        self._erased_percent = 0
        self._written: list[bytes] = []
        self._has_hit = False

    def hear(
        self, command: int, raw: Mapping[str, Any], sequence: int, *, is_idle: bool
    ) -> tuple[Body, dict[str, Any]] | None:
        """The answer to one step; ``None`` when it is no step, or gets none."""
        match command:
            case c if c == SIZE:
                return self._announce(raw["number"], is_idle=is_idle)
            case c if c == ERASE:
                self._erased_percent = min(self._erased_percent + 50, 100)
                return _PERCENT, {"percent": self._erased_percent}
            case c if c == NAME:
                self.name = bytes.fromhex(raw["data"]).decode("ascii")
                return _NUMBERS[NAME], {"number": _LIMIT_BYTES}
            case c if c == CHUNK:
                return self._take(bytes.fromhex(raw["data"]), sequence)
            case c if c == END:
                self.data = b"".join(self._written)
                return _NUMBERS[END], {"number": _OK if len(self.data) == self._size else _REFUSED}
            case c if c == RESTART:
                self.is_applied = True
                return _NUMBERS[RESTART], {"number": _OK}
        return None

    def _announce(self, size: int, *, is_idle: bool) -> tuple[Body, dict[str, Any]]:
        self._size, self._erased_percent = size, 0
        self._written.clear()
        is_refused = self._fate is UpdateFate.REFUSED or not is_idle
        return _NUMBERS[SIZE], {"number": _REFUSED if is_refused else _OK}

    def _take(self, chunk: bytes, sequence: int) -> tuple[Body, dict[str, Any]] | None:
        number = len(self._written)
        if number == _HIT and not self._has_hit:
            self._has_hit = True
            if self._fate is UpdateFate.LINK_CUT:
                self.wants_cut = True
            if self._fate in (UpdateFate.LINK_CUT, UpdateFate.CHUNK_LOST):
                return None
        is_again = number > 0 and sequence == (number - 1) & 0xFF and chunk == self._written[-1]
        result = _OK if is_again or sequence == number & 0xFF else _REFUSED
        self.repeats += is_again
        if result == _OK and not is_again:
            self._written.append(chunk)
        silent = self._fate is UpdateFate.ANSWER_LOST and number == _HIT and not is_again
        told = {"seq": sequence if self._is_numbered else 0, "result": result}
        return None if silent else (self._chunk, told)

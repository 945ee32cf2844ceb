from collections.abc import Callable

from protocol.events import FrameRefused, PileEvent
from protocol.facttable import Facts
from protocol.framer import Cut

SPEAKERS_MAX: int

class Ear:
    facts: Facts | None
    scale: int
    def __init__(self, facts: Facts | None = None) -> None: ...
    def know(self, frame: bytes, pile_id: str) -> None: ...
    def hear(
        self, cuts: list[Cut], at_ms: int, otherwise: Callable[[Cut, int], PileEvent | FrameRefused]
    ) -> list[PileEvent | FrameRefused]: ...

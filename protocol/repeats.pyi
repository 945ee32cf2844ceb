from collections.abc import Collection, Sequence

from protocol.envelope import Envelope
from protocol.layout import Layout

BEAT: int
SAMPLE: int
REPORT: int
SENT: int
KEPT_MAX: int

class Taker: ...

class Noted(Taker):
    taken: list[tuple[int, int, tuple[int, ...]]]
    def __init__(self, roles: Collection[int], values: int = 5) -> None: ...

class Shape:
    role: int
    mask: bytes
    def __init__(
        self, role: int, layout: Layout, envelope: Envelope, fixed: Collection[str], values: Sequence[str] = ()
    ) -> None: ...

class Repeat:
    def __init__(
        self, shape: Shape, frame: bytes, taker: Taker, scale: int = 1, answer: bytes | None = None
    ) -> None: ...

class Repeats:
    answers: bytearray
    taken: int
    def remember(self, repeat: Repeat) -> None: ...
    def __len__(self) -> int: ...
    def forget(self) -> None: ...
    def take_answers(self) -> bytes: ...

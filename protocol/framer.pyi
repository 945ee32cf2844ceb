from collections.abc import Iterable

from protocol.envelope import Envelope
from protocol.repeats import Repeats

class Known:
    envelope: Envelope

class KnownFrames(Known):
    def __init__(self, pairs: Iterable[tuple[int, int]], envelope: Envelope = ...) -> None: ...

class KnownSpans(Known):
    def __init__(self, spans: dict[int, tuple[int, int]], envelope: Envelope) -> None: ...

class Cut:
    data: bytes
    offset: int
    reason: str
    is_high_first: bool
    expected: str

def cut_of(data: bytes, offset: int, reason: str) -> Cut:
    """A cut that another framer than ``Framer`` made: of protocols that are not cut by length and checksum."""

class Framer:
    repeats: Repeats | None
    def __init__(self, known: Known, max_buffer_bytes: int = 4096) -> None: ...
    @property
    def buffered_bytes(self) -> int: ...
    def feed(self, data: bytes, at_ms: int = 0) -> list[Cut]: ...

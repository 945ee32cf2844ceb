from collections.abc import Iterable

class KnownFrames:
    def __init__(self, pairs: Iterable[tuple[int, int]]) -> None: ...

class Cut:
    data: bytes
    offset: int
    reason: str
    is_high_first: bool
    expected: str

class Framer:
    def __init__(self, known: KnownFrames, max_buffer_bytes: int = 4096) -> None: ...
    @property
    def buffered_bytes(self) -> int: ...
    def feed(self, data: bytes) -> list[Cut]: ...

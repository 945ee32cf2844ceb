from collections.abc import Iterable

CRC_MODBUS: int
SUM_8: int

class Envelope:
    most: int
    def __init__(
        self,
        start: bytes,
        *,
        length_at: int,
        length_width: int,
        around: int,
        least: int,
        most: int,
        check: int,
        check_from: int,
        type_at: int,
        type_width: int,
        flag_at: int,
        flag_most: int,
    ) -> None: ...

YKC_ENVELOPE: Envelope

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

class Framer:
    def __init__(self, known: Known, max_buffer_bytes: int = 4096) -> None: ...
    @property
    def buffered_bytes(self) -> int: ...
    def feed(self, data: bytes) -> list[Cut]: ...

from collections.abc import Iterable

from gateway.outcome import FrameKept, FramesKept

BLOCK_SPAN_MS: int

class FrameBlock:
    link: str
    from_ms: int
    def __init__(self, link: str, from_ms: int) -> None: ...
    def kept(self, pile_id: str) -> FramesKept: ...

def pack_frames(frames: Iterable[FrameKept]) -> list[FramesKept]: ...
def unpack_frames(block: FramesKept) -> list[FrameKept]: ...

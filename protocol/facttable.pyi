from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from protocol.envelope import Envelope

OTHERWISE: object

class Speaker: ...

class Rendering(Mapping[str, object]):
    def __init__(self, show: Callable[[bytes], dict[str, Any]], body: bytes) -> None: ...
    def __getitem__(self, name: str) -> object: ...
    def __iter__(self) -> Any: ...
    def __len__(self) -> int: ...

class FactTable:
    size: int
    sizes: frozenset[int] | None
    kind: type
    def __init__(
        self,
        kind: type,
        rows: Sequence[tuple[str | None, int, int, int, int, int | None, int, object]],
        size: int,
        *,
        sizes: frozenset[int] | None = None,
        speaker: tuple[int, int] = (0, 0),
        learnt: Sequence[tuple[int, int]] = (),
        same: Container[str] = (),
        only: tuple[int, int, int] = (0, 0, 0),
    ) -> None: ...

class Facts:
    def __init__(self, envelope: Envelope, tables: Mapping[int, Sequence[FactTable]]) -> None: ...
    def read(
        self,
        frame: bytes,
        at_ms: int,
        scale: int = 1,
        reference: int = 0,
        pile: str | None = None,
        link: object = None,
    ) -> Any: ...
    def speaker_of(self, frame: bytes) -> bytes: ...

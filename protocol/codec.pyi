from collections.abc import Mapping, Sequence
from typing import Any

def checksum(data: bytes) -> int:
    """CRC-16/MODBUS of ``data``, 0…65535."""

class OpTable:
    names: tuple[str, ...]
    count: int
    def __init__(self, rows: Sequence[tuple[str, int, int, OpTable | None]]) -> None: ...
    def read(self, body: bytes) -> dict[str, Any]: ...
    def write(self, raw: Mapping[str, Any]) -> bytes: ...

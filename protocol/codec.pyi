from collections.abc import Mapping, Sequence
from typing import Any

def checksum(data: bytes) -> int:
    """CRC-16/MODBUS of ``data``, 0…65535."""

def byte_sum(data: bytes) -> int:
    """The low eight bits of the sum of ``data``."""

class OpTable:
    names: tuple[str, ...]
    count: int
    def __init__(self, rows: Sequence[tuple[str, int, int, OpTable | None]]) -> None: ...
    def read(self, body: bytes, least: int = -1) -> dict[str, Any]: ...
    def write(self, raw: Mapping[str, Any], least: int = -1) -> bytes: ...

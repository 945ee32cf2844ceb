from collections.abc import Callable
from typing import Any

from gateway.alarms import Alarms
from gateway.lanes import Traffic
from gateway.story import Story
from protocol.framer import Framer

class Volume:
    received: int
    sent: int

class Carrier: ...

class ShortWay:
    opened_at_ms: int
    heard_at_ms: int
    address: str
    closed_because: str | None
    refused_in_a_row: int
    pace_ms: int
    has_news: bool
    _capture: Any
    _send: Callable[[bytes], None]
    def __init__(
        self,
        board: Any,
        alarms: Alarms,
        traffic: Traffic,
        volume: Volume,
        capture: Any,
        send: Callable[[bytes], None],
        *,
        link_no: int,
        address: str,
        at_ms: int,
        frames_max: int,
    ) -> None: ...
    def received(self, data: bytes, at_ms: int) -> None: ...
    def carried_by(self, carrier: Carrier | None) -> None: ...
    def follow(self, framer: Framer, story: Story, spoken: str) -> None: ...
    def count(self, at_ms: int, frames: int = 1) -> None: ...
    def take_repeats(self, data: bytes, at_ms: int) -> bytes: ...
    def take_beats(self, news: bytes, at_ms: int) -> bytes: ...
    def take_news(self, data: bytes, at_ms: int) -> None: ...
    def on_news(self, data: bytes, at_ms: int) -> None: ...
    def close(self, reason: str) -> None: ...

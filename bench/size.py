"""How much is measured: all of it, or just enough to see that it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Amounts of one run.

    Attributes:
        rounds: turns of each pair in one process.
        frames: realtime frames a turn, for the decoder and the codec.
        slow_frames: the same, for sides a hundred times slower.
        log_frames, log_piles: of the capture that is replayed.
        links: how many piles are connected, one run each.
        live_rounds, live_ms: turns of each pair of servers, and how long one is driven.
        open_links, open_rate: piles and frames a second of the open loop.
        storm: records sent at one moment.
        idle_links: piles that only send heartbeats.
        bills: durable bills a turn.
        stored: how many bills the database holds, one run each.
        stored_sessions: running sessions that a start takes up.
        stack_links, stack_ms: links and time of the comparison of whole stacks.
        mqtt_piles, mqtt_frames: piles behind a broker, and what they publish in one turn.
    """

    rounds: int
    frames: int
    slow_frames: int
    log_frames: int
    log_piles: int
    links: tuple[int, ...]
    live_rounds: int
    live_ms: int
    open_links: int
    open_rate: int
    storm: int
    idle_links: int
    bills: int
    stored: tuple[int, ...]
    stored_sessions: int
    stack_links: int
    stack_ms: int
    mqtt_piles: int
    mqtt_frames: int


FULL = Size(
    rounds=7,
    frames=50_000,
    slow_frames=1_000,
    log_frames=1_000_000,
    log_piles=200,
    links=(100, 1_000, 10_000),
    live_rounds=3,
    live_ms=1_500,
    open_links=10_000,
    open_rate=20_000,
    storm=1_000,
    idle_links=18_000,
    bills=3_000,
    stored=(10_000, 100_000, 1_000_000),
    stored_sessions=5_000,
    stack_links=200,
    stack_ms=2_000,
    mqtt_piles=200,
    mqtt_frames=40_000,
)
QUICK = Size(
    rounds=3,
    frames=5_000,
    slow_frames=200,
    log_frames=20_000,
    log_piles=20,
    links=(50, 200),
    live_rounds=2,
    live_ms=300,
    open_links=200,
    open_rate=2_000,
    storm=50,
    idle_links=400,
    bills=300,
    stored=(1_000, 4_000),
    stored_sessions=50,
    stack_links=10,
    stack_ms=500,
    mqtt_piles=50,
    mqtt_frames=5_000,
)
TINY = Size(
    rounds=1,
    frames=300,
    slow_frames=20,
    log_frames=2_000,
    log_piles=4,
    links=(5,),
    live_rounds=1,
    live_ms=60,
    open_links=10,
    open_rate=200,
    storm=4,
    idle_links=20,
    bills=20,
    stored=(100, 200),
    stored_sessions=5,
    stack_links=2,
    stack_ms=100,
    mqtt_piles=5,
    mqtt_frames=500,
)

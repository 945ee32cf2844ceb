"""P4, P5 and P6: the daemon on its socket, beside the plain server under the same load generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.daemon import Gateway
from bench.limit import Load, Server
from bench.measure import Measure, Usage, resident_bytes
from bench.piles import FIRST_PILE
from bench.size import Size


class Side:
    """A server and the load generator that drives it."""

    def __init__(self, server: Gateway | Server, links: int) -> None:
        self.server = server
        self.links = links
        self.load = Load(server.port, links, FIRST_PILE)

    def run(self, order: str) -> dict[str, Any]:
        """Drive it, and say what CPU time the server took."""
        before = Usage.of(self.server.pid)
        told = self.load.run(order)
        used = Usage.of(self.server.pid).since(before)
        assert told["lost_links"] == 0, told
        told["cpu_us"] = used.total_ns / 1e3 / told["frames"]
        told["user_us"] = used.user_ns / 1e3 / told["frames"]
        told["frames_per_s"] = told["frames"] / told["seconds"]
        return told


@contextmanager
def both(directory: Path, links: int) -> Iterator[tuple[Side, Side]]:
    """The daemon with capture and durable records, and the plain server; each with its links open."""
    directory.mkdir()
    gateway, server = Gateway(directory, links), Server()
    sides: list[Side] = []
    try:
        sides += [Side(gateway, links)]
        sides += [Side(server, links)]
        yield sides[0], sides[1]
    finally:
        for side in sides:
            side.load.close()
        gateway.close()
        server.close()


def measure_p4(size: Size, directory: Path) -> list[Measure]:
    """Closed loop: a heartbeat, a sample, one a write; then fifteen frames a write."""
    found = []
    for links in size.links:
        cpu = Measure("P4", f"closed loop, {links:,} links: CPU", "µs a frame", "plain C server", 1.5)
        user = Measure("P4", f"closed loop, {links:,} links: user CPU", "µs a frame", "a bound of 2 µs", 1)
        batch = Measure(
            "P4", f"fifteen frames a write, {links:,} links", "frames a second", "plain C server", 0.5, is_least=True
        )
        with both(directory / f"p4-{links}", links) as (ours, theirs):
            for _ in range(size.live_rounds):
                mine = ours.run(f"closed 1 1 {size.live_ms}")
                other = theirs.run(f"closed 1 1 {size.live_ms}")
                cpu.add(mine["cpu_us"], other["cpu_us"])
                user.add(mine["user_us"], 2.0)
                mine = ours.run(f"closed 14 15 {size.live_ms}")
                other = theirs.run(f"closed 14 15 {size.live_ms}")
                batch.add(mine["frames_per_s"], other["frames_per_s"])
                batch.noted["cpu_us"] = [mine["cpu_us"], other["cpu_us"]]
        found += [cpu, user, batch]
    return found


def measure_p5(size: Size, directory: Path) -> list[Measure]:
    """Open loop by the clock, with a storm of records in the middle of it."""
    p99 = Measure("P5", "open loop: p99 of heartbeat answers", "µs", "plain C server", 2)
    starved = Measure("P5", "open loop: the least answered link", "answers", "its fair share", 0.9, is_least=True)
    storm = Measure("P5", "storm of records: slowest heartbeat answer", "ms", "a bound of 100 ms", 1)
    span_ms = 4 * size.live_ms
    fair = size.open_rate * span_ms / 1000 / 2 / size.open_links
    with both(directory / "p5", size.open_links) as (ours, theirs):
        for side in (ours, theirs):
            side.run(f"closed 1 1 {span_ms}")  # every pile begins its charge
        for _ in range(size.live_rounds):
            mine = ours.run(f"open {size.open_rate} {span_ms} 0")
            other = theirs.run(f"open {size.open_rate} {span_ms} 0")
            p99.add(mine["heartbeats"]["p99_us"], other["heartbeats"]["p99_us"])
            p99.noted["p50_us"] = [mine["heartbeats"]["p50_us"], other["heartbeats"]["p50_us"]]
            p99.noted["unsent"] = mine["unsent"]
            starved.add(mine["least_answers"], max(1, int(fair)))
            mine = ours.run(f"open {size.open_rate} {span_ms} {size.storm}")
            storm.add(mine["heartbeats"]["max_us"] / 1e3, 100)
            storm.noted |= {"sent": size.storm, "acknowledged": mine["acknowledged"]}
            storm.noted["records_p99_ms"] = mine["records"]["p99_us"] / 1e3
    return [p99, starved, storm]


def measure_p6(size: Size, directory: Path) -> list[Measure]:
    """As many links as open files allow, each with a heartbeat every ten seconds; memory of each."""
    held = Measure("P6", "links held by one process, heartbeat every 10 s", "links", "wanted", 1, is_least=True)
    memory = Measure("P6", "memory per idle link, kernel apart", "bytes", "a bound of 2,500 bytes", 1)
    place = directory / "p6"
    place.mkdir()
    gateway = Gateway(place, size.idle_links)
    loads = []
    try:
        first = size.idle_links // 10
        loads.append(Load(gateway.port, first, FIRST_PILE))
        loads[0].run("wait 500")
        few = resident_bytes(gateway.pid)
        loads.append(Load(gateway.port, size.idle_links - first, FIRST_PILE + first))
        told = loads[1].run(f"beats {size.idle_links / 10} {2 * size.live_ms}")
        many = resident_bytes(gateway.pid)
        held.add(size.idle_links - told["lost_links"], size.idle_links)
        held.noted["heartbeat_p99_us"] = told["heartbeats"]["p99_us"]
        memory.add((many - few) / (size.idle_links - first), 2500)
        memory.noted["resident_mb"] = [few / 1e6, many / 1e6]
    finally:
        for load in loads:
            load.close()
        gateway.close()
    return [held, memory]

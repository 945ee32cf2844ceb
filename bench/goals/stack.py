"""P9: the same work by the stack that PyPI offers: ``ocpp`` on ``websockets``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.daemon import Gateway
from bench.limit import Load, Process
from bench.measure import Measure, Usage, resident_bytes
from bench.piles import FIRST_PILE
from bench.size import Size

_SAMPLES = 10
_TIMES = 4  # so many further links, beside those that are driven
_SETTLE_MS = 500
_HERE = Path(__file__).parents[1]


def _run(server_pid: int, load: Process, order: str) -> float:
    """Transactions per CPU second of the server."""
    before = Usage.of(server_pid)
    load.tell(order)
    told = json.loads(load.line())
    used = Usage.of(server_pid).since(before)
    assert told["acknowledged"], told
    return float(told["acknowledged"]) * 1e9 / used.total_ns


def _stack_load(port: int, links: int) -> Process:
    load = Process(sys.executable, str(_HERE / "stack_load.py"), str(port), str(links))
    assert json.loads(load.line())["links"] == links
    return load


def _memory(gateway: Gateway, stack: Process, port: int, few: int, loads: list[Process]) -> tuple[float, float]:
    """Bytes of a link on either side: what further links add to a process that holds a few already.

    What grows once, with the first of them, is no link's.
    """
    before = resident_bytes(gateway.pid), resident_bytes(stack.pid)
    many = _TIMES * few
    loads.append(load := Load(gateway.port, many, FIRST_PILE + few))
    load.run(f"wait {_SETTLE_MS}")
    loads.append(_stack_load(port, many))
    return (resident_bytes(gateway.pid) - before[0]) / many, (resident_bytes(stack.pid) - before[1]) / many


def measure_p9(size: Size, directory: Path) -> list[Measure]:
    """Login, heartbeat, samples, record, acknowledgement; ours with capture, bills and disk, theirs without."""
    words = f"a transaction of {_SAMPLES} samples, heartbeat, record"
    rate = Measure("P9", words, "transactions per CPU second", "ocpp + websockets", 12, is_least=True)
    memory = Measure("P9", "memory of a link", "bytes", "ocpp + websockets", 0.2)
    place = directory / "p9"
    place.mkdir()
    few = size.stack_links
    gateway = Gateway(place, few + _TIMES * few)
    stack = Process(sys.executable, str(_HERE / "stack_server.py"))
    loads: list[Process] = []
    try:
        port = int(stack.line())
        loads.append(first := Load(gateway.port, few, FIRST_PILE))
        first.run(f"wait {_SETTLE_MS}")
        loads.append(_stack_load(port, few))
        memory.add(*_memory(gateway, stack, port, few, loads))
        for _ in range(size.live_rounds):
            order = f"whole {_SAMPLES} {size.stack_ms}"
            rate.add(_run(gateway.pid, loads[0], order), _run(stack.pid, loads[1], order))
    finally:
        for load in loads:
            load.close()
        gateway.close()
        stack.close()
    return [rate, memory]

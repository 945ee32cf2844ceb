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
_HERE = Path(__file__).parents[1]


def _run(server_pid: int, load: Process, order: str) -> float:
    """Transactions per CPU second of the server."""
    before = Usage.of(server_pid)
    load.tell(order)
    told = json.loads(load.line())
    used = Usage.of(server_pid).since(before)
    assert told["acknowledged"], told
    return float(told["acknowledged"]) * 1e9 / used.total_ns


def _memory(pid: int, before: int, links: int) -> float:
    return (resident_bytes(pid) - before) / links


def measure_p9(size: Size, directory: Path) -> list[Measure]:
    """Login, heartbeat, samples, record, acknowledgement; ours with capture, bills and disk, theirs without."""
    words = f"a transaction of {_SAMPLES} samples, heartbeat, record"
    rate = Measure("P9", words, "transactions per CPU second", "ocpp + websockets", 12, is_least=True)
    memory = Measure("P9", "memory of a link", "bytes", "ocpp + websockets", 0.2)
    place = directory / "p9"
    place.mkdir()
    gateway = Gateway(place, size.stack_links)
    stack = Process(sys.executable, str(_HERE / "stack_server.py"))
    loads: list[Process] = []
    try:
        port = int(stack.line())
        empty = resident_bytes(gateway.pid), resident_bytes(stack.pid)
        loads.append(Load(gateway.port, size.stack_links, FIRST_PILE))
        loads.append(Process(sys.executable, str(_HERE / "stack_load.py"), str(port), str(size.stack_links)))
        assert json.loads(loads[1].line())["links"] == size.stack_links
        links = size.stack_links
        memory.add(_memory(gateway.pid, empty[0], links), _memory(stack.pid, empty[1], links))
        for _ in range(size.live_rounds):
            order = f"whole {_SAMPLES} {size.stack_ms}"
            rate.add(_run(gateway.pid, loads[0], order), _run(stack.pid, loads[1], order))
    finally:
        for load in loads:
            load.close()
        gateway.close()
        stack.close()
    return [rate, memory]

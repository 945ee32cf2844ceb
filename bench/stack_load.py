"""Charge points for the stack of P9: boot, then transaction after transaction, each awaiting its answers.

``stack_load.py PORT LINKS``; obeys ``whole SAMPLES MS`` like ``load.c``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

_BOOT = '[2,"b","BootNotification",{"chargePointModel":"bench","chargePointVendor":"pilegate"}]'
_HEARTBEAT = '[2,"h","Heartbeat",{}]'


def _sample(energy_wh: int) -> str:
    values: list[dict[str, Any]] = [
        {"value": str(energy_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": "380.0", "measurand": "Voltage", "unit": "V"},
        {"value": "19.0", "measurand": "Current.Import", "unit": "A"},
        {"value": "50", "measurand": "SoC", "unit": "Percent"},
    ]
    meter = [{"timestamp": "2026-03-03T03:40:16Z", "sampledValue": values}]
    return json.dumps([2, "s", "MeterValues", {"connectorId": 1, "transactionId": 1, "meterValue": meter}])


_SAMPLES = [_sample(10 * step) for step in range(64)]
_RECORD = json.dumps(
    [
        2,
        "r",
        "StopTransaction",
        {"transactionId": 1, "timestamp": "2026-03-03T03:40:16Z", "meterStop": 7000, "reason": "Local"},
    ]
)


async def _ask(connection: ClientConnection, text: str) -> None:
    await connection.send(text)
    answer = await connection.recv()
    assert answer[:2] == "[3", answer


async def _drive(connection: ClientConnection, samples: int, end_s: float, count: list[int]) -> None:
    while time.monotonic() < end_s:
        for step in range(samples):
            await _ask(connection, _SAMPLES[step % 64])
        await _ask(connection, _HEARTBEAT)
        await _ask(connection, _RECORD)
        count[0] += 1
        count[1] += samples + 2


async def _main() -> None:
    port, links = int(sys.argv[1]), int(sys.argv[2])
    connections = []
    for number in range(links):
        where = f"ws://127.0.0.1:{port}/{number:014d}"
        one = await connect(where, subprotocols=["ocpp1.6"], compression=None, proxy=None)  # type: ignore[list-item]
        await _ask(one, _BOOT)
        connections.append(one)
    print(json.dumps({"links": links}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        word, samples, span_ms = line.split()
        assert word == "whole", line
        count, began_s = [0, 0], time.monotonic()
        end_s = began_s + int(span_ms) / 1000
        await asyncio.gather(*(_drive(each, int(samples), end_s, count) for each in connections))
        told = {"acknowledged": count[0], "frames": count[1], "seconds": time.monotonic() - began_s}
        print(json.dumps(told), flush=True)
    for each in connections:
        await each.close()


asyncio.run(_main())

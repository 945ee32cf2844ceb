"""The stack from PyPI that P9 compares with: ``ocpp`` on ``websockets``, answering what a pile needs.

It keeps nothing and bills nothing. Prints its port, serves until stdin closes.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import AuthorizationStatus, RegistrationStatus
from websockets.asyncio.server import ServerConnection, serve


def _now() -> str:
    return datetime.now(UTC).isoformat()


class Pile(ChargePoint):  # type: ignore[misc]
    """One charge point, as the library's own example has it."""

    @on("BootNotification")  # type: ignore[misc]
    def on_boot(self, **_: Any) -> call_result.BootNotification:
        """Taken."""
        return call_result.BootNotification(current_time=_now(), interval=10, status=RegistrationStatus.accepted)

    @on("Heartbeat")  # type: ignore[misc]
    def on_heartbeat(self, **_: Any) -> call_result.Heartbeat:
        """Alive."""
        return call_result.Heartbeat(current_time=_now())

    @on("MeterValues")  # type: ignore[misc]
    def on_meter_values(self, **_: Any) -> call_result.MeterValues:
        """A sample."""
        return call_result.MeterValues()

    @on("StopTransaction")  # type: ignore[misc]
    def on_stop(self, **_: Any) -> call_result.StopTransaction:
        """A record."""
        return call_result.StopTransaction(id_tag_info={"status": AuthorizationStatus.accepted})


async def _link(connection: ServerConnection) -> None:
    assert connection.request is not None
    pile = Pile(connection.request.path.strip("/"), connection)
    try:
        await pile.start()
    except Exception as ended:  # the outermost loop of a link: a closed connection ends it
        if connection.state.name == "OPEN":
            raise ended


async def _main() -> None:
    async with serve(_link, "127.0.0.1", 0, subprotocols=["ocpp1.6"], compression=None) as server:  # type: ignore[list-item]
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(_main())

"""A receiver of events for the demo: real HTTP, signatures checked, and out of order for a while."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

_BODY_BYTES_MAX = 1 << 20
_ANSWERS = {204: "No Content", 401: "Unauthorized", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request and the answer it got."""

    status: int
    event: dict[str, Any]


class DemoUpstream:
    """Answers 503 while ``is_down``, 401 to a wrong signature, 204 otherwise.

    Args:
        secret: ``whsec_…``, as the gateway has it.
    """

    def __init__(self, secret: str) -> None:
        self.is_down = True
        self.deliveries: list[Delivery] = []
        self.port = 0
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self._server: asyncio.Server | None = None
        self._talking: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> None:
        """Listen on a free port of the loopback interface."""
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and end every conversation."""
        if self._server is not None:
            self._server.close()
        for writer in self._talking.values():
            writer.close()  # its conversation reads the end then
        if self._talking:
            await asyncio.wait(self._talking)

    @property
    def conversations(self) -> int:
        """How many clients are connected."""
        return len(self._talking)

    @property
    def taken(self) -> list[dict[str, Any]]:
        """Events that were answered with success, in order of arrival."""
        return [each.event for each in self.deliveries if each.status == 204]

    @property
    def refused(self) -> int:
        """How many requests were answered with 503."""
        return sum(each.status == 503 for each in self.deliveries)

    @property
    def forged(self) -> int:
        """How many requests had a wrong signature."""
        return sum(each.status == 401 for each in self.deliveries)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talking[task] = writer
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while True:
                    await self._answer(reader, writer)
        finally:
            del self._talking[task]
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers = _headers((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
        size = min(int(headers.get("content-length", "0")), _BODY_BYTES_MAX)
        status = self._judge(headers, await reader.readexactly(size))
        writer.write(f"HTTP/1.1 {status} {_ANSWERS[status]}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    def _judge(self, headers: dict[str, str], body: bytes) -> int:
        if not self._is_signed(headers, body):
            status = 401
        else:
            status = 503 if self.is_down else 204
        self.deliveries.append(Delivery(status, json.loads(body) if status != 401 else {}))
        return status

    def _is_signed(self, headers: dict[str, str], body: bytes) -> bool:
        signed = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
        digest = base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        given = headers.get("webhook-signature", "").split()
        return any(hmac.compare_digest(each, f"v1,{digest}") for each in given)


def _headers(head: str) -> dict[str, str]:
    lines = head.split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}

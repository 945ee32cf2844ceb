"""Idempotency-Key: the same request twice is done once, and answered alike, for 24 hours.

Keys belong to the caller that sent them. The answer is kept in the transaction of what the request did, where
that is a write of the database.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Callable
from types import TracebackType
from typing import Any

from fastapi import Request, Response

from gateway.api.context import ApiContext
from gateway.api.problems import Problem

_RUNNING: set[str] = set()
_KEY_CHARS_MAX = 255
_KEEP = "INSERT OR REPLACE INTO idempotency VALUES (?,?,?,?,?)"


class Remembered:
    """Within this context a request with a key runs once; without a key it just runs.

    Raises ``Problem`` 400 for an unusable key, 409 while the same key is at work, 422 for another request under it.
    """

    def __init__(self, ctx: ApiContext, request: Request, body: str) -> None:
        self.answer: tuple[int, str] | None = None
        self._ctx = ctx
        header = request.headers.get("idempotency-key")
        caller: str = request.state.caller
        self._key = None if header is None else f"{caller}\n{_unquoted(header)}"
        identity = "\n".join((request.method, request.url.path, body))
        self._hash = hashlib.sha256(identity.encode()).hexdigest()

    async def __aenter__(self) -> Remembered:
        if self._key is None:
            return self
        if self._key in _RUNNING:
            raise Problem(409, "request_running", "a request with this Idempotency-Key is still at work")
        _RUNNING.add(self._key)
        try:
            known = await asyncio.to_thread(self._ctx.store.reader.idempotent, self._key)
            if known is not None and known["request_hash"] != self._hash:
                raise Problem(422, "key_reused", "this Idempotency-Key was used for another request")
        except BaseException:
            _RUNNING.discard(self._key)
            raise
        if known is not None:
            self.answer = known["status"], known["body"]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._key is not None:
            _RUNNING.discard(self._key)

    def work(self, status: int, body: Any) -> Callable[[sqlite3.Connection], Any] | None:
        """Set the answer, and make the work that keeps it for whoever asks again; ``None`` without a key."""
        self.answer = status, json.dumps(body, ensure_ascii=False)
        if self._key is None:
            return None
        values = (self._key, self._hash, *self.answer, self._ctx.clock.now_ms())
        return lambda connection: connection.execute(_KEEP, values).rowcount

    async def keep(self, status: int, body: Any) -> None:
        """Set the answer and keep it, in a transaction of its own."""
        work = self.work(status, body)
        if work is not None:
            await asyncio.wrap_future(self._ctx.store.writer.call(work))

    def response(self) -> Response:
        """The answer, first or repeated."""
        assert self.answer is not None
        status, body = self.answer
        return Response(body, status, media_type=f"application/{'problem+json' if status >= 400 else 'json'}")


def _unquoted(header: str) -> str:
    """The key, quoted as a structured field or plain."""
    text = header.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if not text or len(text) > _KEY_CHARS_MAX:
        raise Problem(400, "key_invalid", f"an Idempotency-Key has 1 to {_KEY_CHARS_MAX} characters")
    return text

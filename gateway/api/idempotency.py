"""Idempotency-Key: the same request twice is done once, and answered alike, for 24 hours."""

from __future__ import annotations

import asyncio
import hashlib
import json
from types import TracebackType
from typing import Any

from fastapi import Request, Response

from gateway.api.context import ApiContext
from gateway.api.problems import Problem

_RUNNING: set[str] = set()
_KEY_CHARS_MAX = 255


class Remembered:
    """Within this context a request with a key runs once; without a key it just runs.

    Raises ``Problem`` 400 for an unusable key, 409 while the same key is at work, 422 for another request under it.
    """

    def __init__(self, ctx: ApiContext, request: Request, body: str) -> None:
        self.answer: tuple[int, str] | None = None
        self._ctx = ctx
        header = request.headers.get("idempotency-key")
        self._key = None if header is None else _unquoted(header)
        caller = request.headers.get("authorization", "")
        identity = "\n".join((request.method, request.url.path, body, caller))
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

    async def keep(self, status: int, body: Any) -> None:
        """Note the answer for whoever asks again."""
        self.answer = status, json.dumps(body, ensure_ascii=False)
        if self._key is None:
            return
        values = (self._key, self._hash, *self.answer, self._ctx.clock.now_ms())
        sql = "INSERT OR REPLACE INTO idempotency VALUES (?,?,?,?,?)"
        call = self._ctx.store.writer.call(lambda connection: connection.execute(sql, values).rowcount)
        await asyncio.wrap_future(call)

    def response(self) -> Response:
        """The answer, first or repeated."""
        assert self.answer is not None
        return Response(self.answer[1], self.answer[0], media_type="application/json")


def _unquoted(header: str) -> str:
    """The key, quoted as a structured field or plain."""
    text = header.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if not text or len(text) > _KEY_CHARS_MAX:
        raise Problem(400, "key_invalid", f"an Idempotency-Key has 1 to {_KEY_CHARS_MAX} characters")
    return text

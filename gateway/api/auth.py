"""Who may call: a bearer token, stored hashed. Every call but ``/healthz`` needs one, unknown paths included."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request

from gateway.api.context import ApiContext
from gateway.api.problems import Problem, answer
from gateway.cases import ATTACHMENT_BYTES_MAX
from gateway.manage import token_hash

OPEN_PATHS = ("/healthz", "/api/v1/healthz")
BODY_BYTES_MAX = 1_048_576
_FILE_PATH_END = "/attachments"


def context(request: Request) -> ApiContext:
    """The daemon behind the application."""
    found: ApiContext = request.app.state.context
    return found


async def caller(request: Request) -> str:
    """The name of the token that the request carries."""
    name: str = request.state.caller
    return name


class TokenGate:
    """In front of the application: no token, no answer but 401; no body above 1 MiB, or 20 for a file.

    Args:
        app: the application behind the gate.
    """

    def __init__(self, app: Any, context: ApiContext) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            request.state.caller = await self._caller(request)
            _check_size(request)
        except Problem as error:
            await answer(error.status, error.code, error.detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _caller(self, request: Request) -> str:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise Problem(401, "token_missing", "send a token: Authorization: Bearer …")
        # The lookup is by the hash of the token, so that its timing tells nothing about tokens.
        found = await asyncio.to_thread(self._context.store.reader.token_of, token_hash(token.strip()))
        if found is None:
            raise Problem(401, "token_refused", "the token is unknown or revoked")
        return str(found["name"])


def _check_size(request: Request) -> None:
    if "transfer-encoding" in request.headers:
        raise Problem(411, "length_required", "send the body with a Content-Length")
    length = request.headers.get("content-length", "0")
    limit = ATTACHMENT_BYTES_MAX if request.url.path.endswith(_FILE_PATH_END) else BODY_BYTES_MAX
    if not length.isdecimal() or int(length) > limit:
        raise Problem(413, "body_too_large", f"a body has at most {limit} bytes here")

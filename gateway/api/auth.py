"""Who may call: a bearer token, stored hashed."""

from __future__ import annotations

import asyncio

from fastapi import Request

from gateway.api.context import ApiContext
from gateway.api.problems import Problem
from gateway.manage import token_hash


def context(request: Request) -> ApiContext:
    """The daemon behind the application."""
    found: ApiContext = request.app.state.context
    return found


async def caller(request: Request) -> str:
    """The name of the token that the request carries. Raises ``Problem`` 401."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Problem(401, "token_missing", "send a token: Authorization: Bearer …")
    # The lookup is by the hash of the token, so that its timing tells nothing about tokens.
    found = await asyncio.to_thread(context(request).store.reader.token_of, token_hash(token.strip()))
    if found is None:
        raise Problem(401, "token_refused", "the token is unknown or revoked")
    return str(found["name"])

"""A small receiver of events, for people wiring things up: verifies signatures, prints what comes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response

from gateway.clock import Clock
from gateway.errors import ConfigError
from gateway.forwarders.webhook import decode_secret, sign
from gateway.show import say

TOLERANCE_S = 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request can be trusted, and why not."""

    is_good: bool
    reason: str


def verify(headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], now_s: int) -> Verdict:
    """Check the headers of Standard Webhooks over the raw bytes; any matching signature will do."""
    event_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not event_id or not (stamp.isascii() and stamp.isdigit()):
        return Verdict(False, "webhook-id or webhook-timestamp is missing")
    if abs(now_s - int(stamp[:12])) > TOLERANCE_S:
        return Verdict(False, f"the timestamp is {now_s - int(stamp[:12])} s away")
    given = [part for part in headers.get("webhook-signature", "").split(" ") if part.startswith("v1,")]
    wanted = sign(keys, event_id, int(stamp), body).split(" ")
    if any(hmac.compare_digest(mine, theirs) for mine in wanted for theirs in given):
        return Verdict(True, "")
    return Verdict(False, "no signature matches")


def _line(verdict: Verdict | None, event: Any, *, as_json: bool) -> str:
    mark = "unverified" if verdict is None else "verified" if verdict.is_good else f"REFUSED ({verdict.reason})"
    if as_json:
        return json.dumps({"signature": mark, "event": event}, ensure_ascii=False)
    if not isinstance(event, dict):
        return f"{mark}: not an event"
    lacking = [name for name in ("specversion", "id", "source", "type") if not isinstance(event.get(name), str)]
    if lacking:
        return f"{mark}: not a CloudEvent: {', '.join(lacking)} missing"
    data = event.get("data")
    money = f" {data.get('status')} {data['amount']} yuan" if isinstance(data, dict) and "amount" in data else ""
    return f"{mark}: {event['type']} {event['id']}{money}"


def make_receiver(keys: Sequence[bytes], *, as_json: bool) -> FastAPI:
    """The receiving application: 204 for what it takes, 401 for what it cannot trust."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/{path:path}")
    async def receive(request: Request) -> Response:
        body = await request.body()
        verdict = verify(request.headers, body, keys, Clock.wall_s()) if keys else None
        event: Any = None
        with contextlib.suppress(ValueError):
            event = json.loads(body)
        print(_line(verdict, event, as_json=as_json), flush=True)
        return Response(status_code=204 if verdict is None or verdict.is_good else 401)

    return app


async def run_listener(*, host: str, port: int, secret: str | None, as_json: bool) -> int:
    """Receive until interrupted. Raises ``ConfigError`` for an unusable secret."""
    try:
        keys = [decode_secret(secret)] if secret else []
    except ValueError as error:
        raise ConfigError("secret_unusable", str(error), path="--secret") from error
    app = make_receiver(keys, as_json=as_json)
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started and not task.done():
        await asyncio.sleep(0.01)
    if not task.done():
        bound = server.servers[0].sockets[0].getsockname()
        say(f"listening on http://{bound[0]}:{bound[1]}/ ({'verifying' if keys else 'not verifying'})", sys.stderr)
    await task
    return 0


def example_secret() -> str:
    """A fresh secret in the form that both sides take."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()

"""The application, and the server that runs it within the daemon's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from gateway.api import actions, cases, decisions, lists, lookups, problems, reports, stream
from gateway.api.answers import Health, shown
from gateway.api.auth import TokenGate
from gateway.api.config import ApiConfig
from gateway.api.context import ApiContext
from gateway.api.document import document_of
from gateway.api.stream import Feed
from gateway.errors import ListenerError

_STOP_WAIT_S = 3


def make_app(context: ApiContext, config: ApiConfig) -> FastAPI:
    """The HTTP interface of a running daemon."""
    app = FastAPI(
        title="Pilegate",
        version=context.version,
        description="Piles, sessions, bills and orders. Every call but /healthz needs a bearer token.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.context = context
    app.state.config = config
    app.state.deciding = asyncio.Lock()
    app.state.feed = Feed(context, config.events_kept)
    app.add_middleware(TokenGate, context=context)
    problems.install(app)
    for router in (
        lookups.router,
        actions.router,
        lists.router,
        cases.router,
        reports.router,
        decisions.router,
        stream.router,
    ):
        app.include_router(router, prefix="/api/v1")
    _add_health(app, context)
    return app


def _add_health(app: FastAPI, context: ApiContext) -> None:
    @app.get("/healthz", **shown(Health))
    @app.get("/api/v1/healthz", include_in_schema=False)
    async def healthz(response: Response) -> dict[str, Any]:
        """Liveness and readiness; the only call without a token."""
        store = context.store
        is_behind = store.writer.queued_rows > store.config.queue_rows_max
        checks = {
            "store": "behind" if is_behind or store.writer.is_failing else "ok",
            "clock": "ahead of the wall clock" if context.clock.ahead_ms() > 1000 else "ok",
        }
        is_ready = all(value == "ok" for value in checks.values())
        response.status_code = 200 if is_ready else 503
        return {"status": "ok" if is_ready else "degraded", "version": context.version, "checks": checks}

    @app.get("/openapi.json", include_in_schema=False)
    @app.get("/api/v1/openapi.json", include_in_schema=False)
    async def document() -> JSONResponse:
        """This document."""
        return JSONResponse(document_of(app))

    @app.get("/metrics", response_class=PlainTextResponse)
    @app.get("/api/v1/metrics", include_in_schema=False)
    async def metrics() -> Response:
        """Prometheus metrics."""
        context.metrics.outbox = await asyncio.to_thread(context.store.reader.outbox_summary)
        context.metrics.at_ms = context.clock.now_ms()
        return Response(context.metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


class ApiServer:
    """Serves the interface until stopped."""

    def __init__(self, context: ApiContext, config: ApiConfig) -> None:
        self._config = config
        self._context = context
        self._app = make_app(context, config)
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listen; returns the port. Raises ``ListenerError`` when the address cannot be had."""
        config = self._config
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((config.host, config.port))
        except OSError as error:
            listening.close()
            text = f"cannot serve HTTP on {config.host}:{config.port}: {error}"
            raise ListenerError("listen_failed", text) from error
        settings = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=_STOP_WAIT_S,
            ws="none",
        )
        self._context.switchboard.watchers.append(self._app.state.feed)
        self._server = _QuietServer(settings)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            await asyncio.sleep(0.005)
        return int(listening.getsockname()[1])

    @property
    def is_watched(self) -> bool:
        """Whether anybody follows what happens as it happens."""
        return bool(self._app.state.feed.watches)

    async def stop(self) -> None:
        """Finish what is under way, then stop."""
        for watch in list(self._app.state.feed.watches):
            watch.end()
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task


class _QuietServer(uvicorn.Server):
    """Signals belong to the daemon, not to the HTTP server."""

    def install_signal_handlers(self) -> None:
        """Leave the signals alone."""

    def capture_signals(self) -> Any:
        """Leave the signals alone."""
        return contextlib.nullcontext()

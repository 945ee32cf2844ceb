"""Live events as server-sent events: what goes upstream, and what only watchers care for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from gateway.api.auth import caller
from gateway.api.config import ApiConfig
from gateway.api.lookups import Context
from gateway.api.problems import Problem
from gateway.api.shapes import at
from gateway.outcome import EventRaised, Notice

router = APIRouter(dependencies=[Depends(caller)])

_KEEP_ALIVE_S = 15.0


class Watch:
    """One watcher: a bounded queue between the gateway and a connection that may be slow."""

    def __init__(self, size: int) -> None:
        self.queue: asyncio.Queue[EventRaised | Notice | None] = asyncio.Queue(size + 1)
        self.is_dropped = False
        self._size = size

    def __call__(self, item: EventRaised | Notice) -> None:
        """Take an item; a watcher that fell too far behind is dropped."""
        if self.is_dropped:
            return
        if self.queue.qsize() >= self._size:
            self.is_dropped = True
            self.queue.put_nowait(None)
        else:
            self.queue.put_nowait(item)


@router.get("/events")
async def live_events(ctx: Context, request: Request) -> StreamingResponse:
    """Live events. Nothing is repeated after a lost connection: the past is in ``/bills`` and ``/outbox``."""
    config: ApiConfig = request.app.state.config
    watchers: set[Watch] = request.app.state.watches
    if len(watchers) >= config.watchers_max:
        raise Problem(503, "too_many_watchers", f"{config.watchers_max} event streams are open already")
    watch = Watch(config.watcher_queue_max)
    watchers.add(watch)
    ctx.switchboard.watchers.append(watch)

    async def lines() -> AsyncIterator[str]:
        try:
            yield ": connected\n\n"
            while True:
                try:
                    item = await asyncio.wait_for(watch.queue.get(), _KEEP_ALIVE_S)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if item is None:
                    yield ": too slow, events were lost; connect again\n\n"
                    return
                yield _shown(ctx, item)
        finally:
            watchers.discard(watch)
            ctx.switchboard.watchers.remove(watch)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)


def _shown(ctx: Context, item: EventRaised | Notice) -> str:
    data = {
        "type": item.type,
        "subject": item.subject,
        "time": at(item.at_ms, ctx.site.zone),
        "data": dict(item.data),
    }
    head = f"id: {item.event_id}\n" if isinstance(item, EventRaised) else ""
    return f"{head}event: {item.type}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"

"""Live events as server-sent events: what goes upstream, and what only watchers care for.

What goes upstream carries an id and is kept for a while, so that a watcher who lost the connection goes on behind
the last one it saw. Notices (progress, connectors, orders) carry none and are told to whoever is there.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import StreamingResponse

from gateway.api import running
from gateway.api.auth import caller
from gateway.api.context import ApiContext
from gateway.api.lookups import Context
from gateway.api.problems import Problem
from gateway.api.shapes import at
from gateway.outcome import EventRaised, Notice

router = APIRouter(dependencies=[Depends(caller)])

_KEEP_ALIVE_S = 15.0
_PROGRESS = "pilegate.session.progress"
_GAP = "pilegate.stream.gap"


class Watch:
    """One watcher: a bounded queue between the gateway and a connection that may be slow."""

    def __init__(self, size: int) -> None:
        self.queue: asyncio.Queue[str | None] = asyncio.Queue(size + 1)
        self.is_dropped = False
        self._size = size

    def put(self, text: str) -> None:
        """Take an event; a watcher that fell too far behind is dropped."""
        if self.is_dropped:
            return
        if self.queue.qsize() >= self._size:
            self.end()
        else:
            self.queue.put_nowait(text)

    def end(self) -> None:
        """Nothing more comes."""
        if not self.is_dropped:
            self.is_dropped = True
            self.queue.put_nowait(None)


class Feed:
    """Numbers what passes, keeps the newest, and hands everything to every watcher.

    Args:
        kept: how many numbered events are kept for watchers who come back.
    """

    def __init__(self, ctx: ApiContext, kept: int) -> None:
        self.watches: set[Watch] = set()
        self._ctx = ctx
        self._run = f"{ctx.clock.now_ms():x}"
        self._number = 0
        self._kept: deque[tuple[int, EventRaised]] = deque(maxlen=kept)

    def __call__(self, item: EventRaised | Notice) -> None:
        """Something happened."""
        number = None
        if isinstance(item, EventRaised):
            self._number += 1
            number = self._number
            self._kept.append((number, item))
        if self.watches:
            text = self._shown(item, number)
            for watch in self.watches:
                watch.put(text)

    def missed(self, last_id: str) -> list[str]:
        """What came behind ``last_id``, or the word that it cannot be told any more."""
        run, _, text = last_id.partition("-")
        first = self._kept[0][0] if self._kept else self._number + 1
        is_known = run == self._run and text.isdecimal() and first - 1 <= int(text) <= self._number
        if not is_known:
            return [_block(_GAP, {"detail": "events behind this id are not kept; look into /bills and /sessions"})]
        return [self._shown(item, number) for number, item in self._kept if number > int(text)]

    def _shown(self, item: EventRaised | Notice, number: int | None) -> str:
        data = {
            "type": item.type,
            "subject": item.subject,
            "time": at(item.at_ms, self._ctx.site.zone),
            "data": self._data(item),
        }
        if isinstance(item, EventRaised):
            data = {"id": item.event_id, **data}
        return _block(item.type, data, None if number is None else f"{self._run}-{number}")

    def _data(self, item: EventRaised | Notice) -> dict[str, Any]:
        """The item's data; the progress of a session comes with its energy, time and fee."""
        found = self._ctx.switchboard.engine.sessions.find(item.subject) if item.type == _PROGRESS else None
        return {**item.data, **running.live(self._ctx, found)} if found is not None else dict(item.data)


def _block(kind: str, data: Mapping[str, Any], number: str | None = None) -> str:
    head = f"id: {number}\n" if number else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


@router.get("/events", response_class=StreamingResponse)
async def live_events(
    ctx: Context, request: Request, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """Live events; with ``Last-Event-ID`` those that were missed come first, as far as they are kept."""
    feed: Feed = request.app.state.feed
    config = request.app.state.config
    if len(feed.watches) >= config.watchers_max:
        raise Problem(503, "too_many_watchers", f"{config.watchers_max} event streams are open already")
    watch = Watch(config.watcher_queue_max)
    missed = feed.missed(last_event_id) if last_event_id else []
    feed.watches.add(watch)

    async def lines() -> AsyncIterator[str]:
        try:
            yield ": connected\n\n"
            for text in missed:
                yield text
            while True:
                try:
                    item = await asyncio.wait_for(watch.queue.get(), _KEEP_ALIVE_S)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if item is None:
                    yield ": the stream ends here; connect again\n\n"
                    return
                yield item
        finally:
            feed.watches.discard(watch)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)

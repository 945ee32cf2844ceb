"""Routes of after-sales cases; whoever changes one is named by the token."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response

from gateway import cases
from gateway.api import answers, shapes
from gateway.api.answers import shown
from gateway.api.auth import caller
from gateway.api.context import ApiContext
from gateway.api.lookups import Caller, Context, Cursor, Limit
from gateway.api.problems import Problem, not_found
from gateway.api.requests import CaseBody, CaseStateBody, LinkBody, NoteBody

router = APIRouter(dependencies=[Depends(caller)], prefix="/cases")
State = Literal["open", "in_progress", "on_hold", "solved"]
_FILE: dict[str, Any] = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
Name = Annotated[str, Query(min_length=1, max_length=255)]


@router.get("", **shown(answers.CasePage))
async def listed(
    ctx: Context, limit: Limit = 100, cursor: Cursor = None, state: State | None = None, bill: str | None = None
) -> dict[str, Any]:
    """Cases, newest first; of one state, or about one bill."""
    before = shapes.read_cursor(cursor)
    rows = await asyncio.to_thread(
        cases.find_cases, ctx.store.reader, state=state, bill=bill, before=before, limit=limit + 1
    )
    return shapes.page(
        rows, limit, lambda row: shapes.cursor_of(row["opened_at_ms"], row["case_no"]), lambda row: _summary(ctx, row)
    )


@router.post("", **shown(answers.Case, 201))
async def opened(ctx: Context, actor: Caller, body: CaseBody) -> dict[str, Any]:
    """Open a case."""
    row = await _done(
        lambda: cases.open_case(
            ctx.store.writer.call,
            body.problem,
            bills=body.bills,
            author=actor,
            at_ms=ctx.clock.now_ms(),
            zone=ctx.site.zone,
        )
    )
    return await one(ctx, row["case_no"])


@router.get("/{case_no}", **shown(answers.Case))
async def one(ctx: Context, case_no: str) -> dict[str, Any]:
    """One case with its story."""
    row = await asyncio.to_thread(cases.find_case, ctx.store.reader, case_no)
    if row is None:
        raise not_found(f"case {case_no}")
    return {
        **_summary(ctx, row),
        "entries": [
            {"at": _at(ctx, each), "author": each["author"], "kind": each["kind"], "text": each["text"]}
            for each in row["entries"]
        ],
        "attachments": [
            {
                "sha256": each["sha256"],
                "name": each["name"],
                "size_bytes": each["size_bytes"],
                "at": _at(ctx, each),
                "author": each["author"],
            }
            for each in row["attachments"]
        ],
    }


@router.post("/{case_no}/notes", **shown(answers.Case, 201))
async def noted(ctx: Context, actor: Caller, case_no: str, body: NoteBody) -> dict[str, Any]:
    """Add a note; notes are never edited."""
    now_ms = ctx.clock.now_ms()
    await _done(lambda: cases.add_note(ctx.store.writer.call, case_no, body.text, author=actor, at_ms=now_ms))
    return await one(ctx, case_no)


@router.post("/{case_no}/state", **shown(answers.Case))
async def moved(ctx: Context, actor: Caller, case_no: str, body: CaseStateBody) -> dict[str, Any]:
    """Say how far a case is."""
    call, now_ms = ctx.store.writer.call, ctx.clock.now_ms()
    await _done(lambda: cases.set_state(call, case_no, body.state, text=body.text, author=actor, at_ms=now_ms))
    return await one(ctx, case_no)


@router.post("/{case_no}/bills", **shown(answers.Case))
async def linked(ctx: Context, actor: Caller, case_no: str, body: LinkBody) -> dict[str, Any]:
    """Say that a case is about a bill too."""
    call, now_ms = ctx.store.writer.call, ctx.clock.now_ms()
    await _done(lambda: cases.link_bill(call, case_no, body.transaction_id, author=actor, at_ms=now_ms))
    return await one(ctx, case_no)


@router.post("/{case_no}/attachments", **shown(answers.Attached, 201))
async def attached(ctx: Context, actor: Caller, case_no: str, name: Name, request: Request) -> dict[str, Any]:
    """Attach the body of this request as a file; at most 20 MiB."""
    content = await request.body()
    call, now_ms = ctx.store.writer.call, ctx.clock.now_ms()
    sha256 = await _done(lambda: cases.attach(call, case_no, name, content, author=actor, at_ms=now_ms))
    return {"sha256": sha256}


@router.get("/{case_no}/attachments/{sha256}", response_class=Response, responses={200: _FILE})
async def attachment(ctx: Context, case_no: str, sha256: str) -> Response:
    """The content of an attachment, never shown in a browser."""
    found = await asyncio.to_thread(cases.find_attachment, ctx.store.reader, case_no, sha256)
    if found is None:
        raise not_found(f"attachment {sha256}")
    name, content = found
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


async def _done(work: Any) -> Any:
    """Wait for a change. Raises ``Problem`` 422 for what cannot be written down."""
    try:
        future: Future[Any] = work()
    except ValueError as error:
        raise Problem(422, "invalid_request", str(error)) from error
    return await asyncio.wrap_future(future)


def _summary(ctx: ApiContext, row: Mapping[str, Any]) -> dict[str, Any]:
    zone = ctx.site.zone
    return {
        "case_no": row["case_no"],
        "problem": row["problem"],
        "state": row["state"],
        "opened_at": shapes.at(row["opened_at_ms"], zone),
        "changed_at": shapes.at(row["changed_at_ms"], zone),
        "bills": row["bills"],
    }


def _at(ctx: ApiContext, row: Mapping[str, Any]) -> str | None:
    return shapes.at(row["at_ms"], ctx.site.zone)

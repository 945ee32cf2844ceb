"""Routes that hand on what people carry away: the report of abnormal bills, and the evidence of one bill."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from fastapi import APIRouter, Depends, Response

from gateway import cases
from gateway.api import answers, shapes
from gateway.api.answers import shown
from gateway.api.auth import caller
from gateway.api.context import ApiContext
from gateway.api.lookups import Context
from gateway.api.problems import Problem, not_found
from gateway.bundle.making import make_bundle
from gateway.errors import StoreError
from gateway.reports import abnormal_shown
from gateway.reports.abnormal import AbnormalReport, report_abnormal
from gateway.reports.workbook import local

router = APIRouter(dependencies=[Depends(caller)])
By = Literal["pile", "model", "firmware", "station", "code"]
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get("/reports/abnormal", **shown(answers.AbnormalReport))
async def abnormal(ctx: Context, since: str, until: str | None = None, by: By = "pile") -> dict[str, Any]:
    """Abnormal bills of the sessions opened in a period: counts, rates, money before and after, unbilled energy."""
    found = await _report(ctx, since, until, by)
    return await asyncio.to_thread(abnormal_shown.as_json, found, ctx.site.zone)


@router.get("/reports/abnormal.xlsx", response_class=Response, responses={200: {"content": {_XLSX: _BINARY}}})
async def abnormal_workbook(ctx: Context, since: str, until: str | None = None, by: By = "pile") -> Response:
    """The same as a workbook."""
    found = await _report(ctx, since, until, by)
    made_at = local(ctx.clock.now_ms(), ctx.site.zone)
    assert made_at is not None
    data = await asyncio.to_thread(abnormal_shown.as_workbook, found, ctx.site.zone, made_at=made_at)
    return _file(data, "abnormal.xlsx", _XLSX)


async def _report(ctx: ApiContext, since: str, until: str | None, by: str) -> AbnormalReport:
    since_ms = shapes.read_instant(since, "since")
    until_ms = shapes.read_instant(until, "until")
    assert since_ms is not None
    until_ms = ctx.clock.now_ms() if until_ms is None else until_ms
    if until_ms <= since_ms:
        raise Problem(422, "period_empty", "until is not after since")
    return await asyncio.to_thread(
        report_abnormal, ctx.store.reader, ctx.site, since_ms=since_ms, until_ms=until_ms, by=by
    )


@router.get(
    "/bills/{transaction_id}/evidence",
    response_class=Response,
    responses={200: {"content": {"application/zip": _BINARY}}},
)
async def evidence(ctx: Context, transaction_id: str) -> Response:
    """Everything a bill rests on, as one file for ``pilegate verify``."""
    reader = ctx.store.reader

    def make() -> bytes:
        numbers = cases.cases_of(reader, [transaction_id])[transaction_id]
        return make_bundle(
            reader,
            transaction_id,
            zone=ctx.site.zone,
            now_ms=ctx.clock.now_ms(),
            site_text="",
            cases=[cases.find_case(reader, number) for number in numbers],
        ).data

    try:
        data = await asyncio.to_thread(make)
    except StoreError as error:
        raise not_found(f"bill {transaction_id}") from error
    return _file(data, f"{transaction_id}.zip", "application/zip")


def _file(data: bytes, name: str, media_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type=media_type, headers=headers)

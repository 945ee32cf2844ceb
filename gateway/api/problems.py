"""Errors as RFC 9457 problem details, every one of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gateway.api.problem import Problem, body_of, not_found
from gateway.decisions import DecisionError
from gateway.errors import StoreError
from gateway.orders import OrderError
from protocol.errors import LocalProtocolError

__all__ = ["Problem", "answer", "body_of", "install", "not_found"]

log = structlog.get_logger()

_STATUS = {
    "pile_unknown": 404,
    "connector_unknown": 404,
    "pile_offline": 409,
    "connector_busy": 409,
    "record_pending": 409,
    "order_pending": 409,
    "firmware_missing": 404,
    "bill_unknown": 404,
    "kind_unknown": 422,
    "terms_wrong": 422,
    "reason_missing": 422,
    "explanation_missing": 422,
    "explanation_long": 422,
    "amount_high": 422,
    "not_supported": 422,
    "second_person_needed": 403,
}


def answer(
    status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any
) -> JSONResponse:
    """The response of a problem."""
    more = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    body = body_of(status, code, detail, **extra)
    return JSONResponse(body, status, headers={**(headers or {}), **more}, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Turn every error of the application into a problem."""

    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Problem) -> JSONResponse:
        return answer(error.status, error.code, error.detail, **error.extra)

    @app.exception_handler(OrderError)
    async def on_order(request: Request, error: OrderError) -> JSONResponse:
        return answer(_STATUS[error.code], error.code, str(error))

    @app.exception_handler(DecisionError)
    async def on_decision(request: Request, error: DecisionError) -> JSONResponse:
        return answer(_STATUS.get(error.code, 409), error.code, str(error))

    @app.exception_handler(LocalProtocolError)
    async def on_protocol(request: Request, error: LocalProtocolError) -> JSONResponse:
        return answer(422, error.code, str(error))

    @app.exception_handler(StoreError)
    async def on_store(request: Request, error: StoreError) -> JSONResponse:
        is_missing = "does not exist" in str(error)
        return answer(404, "not_found", str(error)) if is_missing else answer(409, error.code, str(error))

    @app.exception_handler(sqlite3.Error)
    async def on_database(request: Request, error: sqlite3.Error) -> JSONResponse:
        log.error("database_unreadable", reason=str(error))
        return answer(503, "store_unreadable", "the database cannot be read at present")

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "not_found", 405: "method_not_allowed"}
        code = codes.get(error.status_code, "http_error")
        return answer(error.status_code, code, str(error.detail), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        fields = [{"where": ".".join(map(str, each["loc"])), "what": each["msg"]} for each in error.errors()]
        told = "; ".join(f"{each['where']}: {each['what']}" for each in fields)
        return answer(422, "invalid_request", told, errors=fields)

    @app.exception_handler(Exception)
    async def on_defect(request: Request, error: Exception) -> JSONResponse:
        log.error("request_failed", path=request.url.path, reason=repr(error), exc_info=error)
        return answer(500, "defect", "a defect of the gateway; its log says more")

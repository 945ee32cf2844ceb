"""The OpenAPI document: what FastAPI gathers, with our problems, our token and the bill's own JSON Schema in it."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.api import answers
from gateway.api.auth import OPEN_PATHS
from gateway.billschema import BILL_SCHEMA_PATH

_PROBLEM = {"$ref": "#/components/schemas/Problem"}


def document_of(app: FastAPI) -> dict[str, Any]:
    """The document of an application; built once and kept with it."""
    if app.openapi_schema is None:
        app.openapi_schema = _completed(
            get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            )
        )
    return app.openapi_schema


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = answers.Problem.model_json_schema()
    schemas |= _bill_schemas()
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, item in document["paths"].items():
        for operation in item.values():
            is_open = path in OPEN_PATHS
            operation["security"] = [] if is_open else [{"token": []}]
            answered = operation["responses"]
            answered.pop("422", None)
            if not is_open:
                answered["default"] = {
                    "description": "a problem (RFC 9457)",
                    "content": {"application/problem+json": {"schema": _PROBLEM}},
                }
    return document


def _bill_schemas() -> dict[str, Any]:
    """The bill's schema and its definitions as components."""
    text = BILL_SCHEMA_PATH.read_text(encoding="utf-8").replace("#/definitions/", "#/components/schemas/Bill_")
    schema = json.loads(text)
    parts = {f"Bill_{name}": part for name, part in schema.pop("definitions").items()}
    for key in ("$schema", "$id"):
        schema.pop(key)
    return {"Bill": schema, **parts}

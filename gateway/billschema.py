"""The bill's JSON Schema: every bill that leaves the program is held against it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fastjsonschema

import billing_core

BILL_SCHEMA_PATH = Path(billing_core.__file__).with_name("bill.schema.json")


@functools.cache
def _compiled() -> Callable[[Any], Any]:
    compiled: Callable[[Any], Any] = fastjsonschema.compile(json.loads(BILL_SCHEMA_PATH.read_text(encoding="utf-8")))
    return compiled


def fault_of(bill: Mapping[str, Any]) -> str | None:
    """What in this bill does not fit the schema, ``None`` when all does."""
    try:
        _compiled()(dict(bill))
    except fastjsonschema.JsonSchemaValueException as error:
        return str(error.message)
    return None

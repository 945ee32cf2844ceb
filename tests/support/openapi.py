"""Answers held against the OpenAPI document."""

import json
import re
from typing import Any

from jsonschema import Draft202012Validator


class Contract:
    """Knows what the document promises of each call.

    Attributes:
        seen: (method, path template, status) of every answer that was checked.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.seen: set[tuple[str, str, int]] = set()
        self._paths = [
            (re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", path) + "$"), path)
            for path in sorted(document["paths"], key=lambda path: ("{" in path, path))
        ]

    def check(self, method: str, path: str, status: int, content_type: str, text: str) -> None:
        """Raises when an answer is none that the document allows."""
        template = next((template for pattern, template in self._paths if pattern.match(path)), None)
        if template is None:
            assert status in (401, 404), f"{path} is not in the document"
            return
        operation = self.document["paths"][template].get(method.lower())
        if operation is None:
            assert status in (401, 405), f"{method} {path} is not in the document"
            return
        self.seen.add((method, template, status))
        promised = operation["responses"].get(str(status)) or operation["responses"].get("default")
        assert promised is not None, f"{method} {template} promises no {status}"
        if status == 204:
            assert text == ""
            return
        kind = content_type.split(";")[0]
        assert kind in promised["content"], (method, template, status, kind)
        if kind.endswith("json"):
            schema = {**promised["content"][kind]["schema"], "components": self.document["components"]}
            Draft202012Validator(schema).validate(json.loads(text))

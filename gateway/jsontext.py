"""JSON as it is kept, digested and sent: compact, characters as they are, keys in the order they have.

Floats never come here, so that ``orjson`` and the standard library write the same bytes; a test holds them together.
"""

from __future__ import annotations

from typing import Any

import orjson


def json_bytes(value: Any) -> bytes:
    """A value of plain ones, dicts with ``str`` keys, lists and tuples. Raises ``TypeError`` for anything else."""
    return orjson.dumps(value)


def json_text(value: Any) -> str:
    """The same as text."""
    return orjson.dumps(value).decode()

"""The frames in ``fixtures/frames``, with the fields that were typed beside them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "fixtures" / "frames"


def fixtures(dialect: str) -> Iterator[dict[str, Any]]:
    """Every fixture of a dialect."""
    files = sorted((FOLDER / dialect).glob("*.jsonl"))
    assert files, f"no frames of {dialect}"
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def params(dialect: str) -> list[Any]:
    """The same as parameters of a test."""
    return [pytest.param(fixture, id=fixture["name"]) for fixture in fixtures(dialect)]


def good_frames(dialect: str, direction: str | None = None) -> list[bytes]:
    """The frames that a link takes."""
    return [
        bytes.fromhex(fixture["frame_hex"])
        for fixture in fixtures(dialect)
        if "error" not in fixture and direction in (None, fixture["direction"])
    ]

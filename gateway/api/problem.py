"""An answer that is an error, as a value; the command line reads shapes too, and must not load a web framework."""

from __future__ import annotations

from typing import Any


class Problem(Exception):
    """An answer that is an error.

    Attributes:
        code: stable, for programs; the last part of the problem's type.
    """

    def __init__(self, status: int, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.extra = extra


def not_found(what: str) -> Problem:
    """404 for something that does not exist."""
    return Problem(404, "not_found", f"{what} does not exist")


def body_of(status: int, code: str, detail: str, **extra: Any) -> dict[str, Any]:
    """A problem's members."""
    title = code.replace("_", " ")
    return {"type": f"urn:pilegate:problem:{code}", "title": title, "status": status, "detail": detail, **extra}

"""structlog, set up once: lines for people on a terminal, JSON for machines, secrets for nobody.

Card numbers and VINs are masked to their last four characters wherever they stand under their field's name.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, TextIO, cast

import structlog

_MASKED = ("card_uid", "card", "logic_card", "vin")
_HIDDEN = ("password", "secret", "token")


@dataclass(frozen=True, slots=True)
class LogConfig:
    """How much is logged, and how.

    Attributes:
        level: debug, info, warning or error.
        format: ``auto`` (console on a terminal, else JSON), ``console`` or ``json``.
    """

    level: str = "info"
    format: str = "auto"

    def __post_init__(self) -> None:
        if self.level not in ("debug", "info", "warning", "error"):
            raise ValueError("level is debug, info, warning or error")
        if self.format not in ("auto", "console", "json"):
            raise ValueError("format is auto, console or json")


def mask(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask card numbers and VINs, drop secrets."""
    for key in _MASKED:
        if isinstance(line.get(key), str):
            line[key] = masked(line[key])
    for key in _HIDDEN:
        if key in line:
            line[key] = "…"
    return line


def masked(text: str) -> str:
    """All but the last four characters replaced."""
    return "*" * max(0, len(text) - 4) + text[-4:]


class Tolerant:
    """A stream that loses lines rather than its writer: a full disk or a closed pipe must not stop the daemon.

    Attributes:
        lost_lines: writes that the stream refused.
    """

    def __init__(self, stream: TextIO) -> None:
        self.lost_lines = 0
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or count it as lost."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # a stream that was closed says ValueError
            self.lost_lines += 1
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def set_up(config: LogConfig) -> None:
    """Configure structlog for the whole process; logs go to stderr."""
    is_console = config.format == "console" or (config.format == "auto" and sys.stderr.isatty())
    renderer: Any
    if is_console:
        renderer = structlog.dev.ConsoleRenderer()
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            mask,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, config.level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=cast(TextIO, Tolerant(sys.stderr))),
        cache_logger_on_first_use=True,
    )

"""The errors of everything that touches the world.

::

    GatewayError
    ├── ConfigError     the configuration or a site file cannot be used: file, line, reason
    ├── ListenerError   a port cannot be served
    ├── StoreError      the database refused, is full, is locked, or is damaged
    ├── ForwardError    an upstream cannot be reached or refuses
    └── ReplayError     a process that replays a part of a log failed or died
"""

from __future__ import annotations


class GatewayError(Exception):
    """Root of the tree; ``code`` is stable and meant for programs, the text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class ConfigError(GatewayError):
    """A configuration or site file that cannot be used.

    Attributes:
        file: the file's name, or ``None`` for values that came from elsewhere.
        line: the line of the offending key, or ``None`` when it has no line of its own.
        path: the key's path, such as ``tariff[0].slot[3].to``.
    """

    def __init__(
        self, code: str, text: str, *, file: str | None = None, line: int | None = None, path: str = ""
    ) -> None:
        place = ":".join(str(part) for part in (file, line) if part is not None)
        super().__init__(code, f"{place + ': ' if place else ''}{path + ': ' if path else ''}{text}")
        self.file = file
        self.line = line
        self.path = path


class ListenerError(GatewayError):
    """A port cannot be served."""


class StoreError(GatewayError):
    """The database refused a write or a read."""


class ForwardError(GatewayError):
    """An upstream cannot be reached, or its configuration cannot be used."""


class ReplayError(GatewayError):
    """A process that replays a part of a log failed or died: there are no bills."""

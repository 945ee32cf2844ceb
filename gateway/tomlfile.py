"""TOML files whose mistakes can be told by file, line and key.

``tomllib`` keeps no positions, so ``TomlFile`` walks the text once more and notes the line of every
table header and key. ``build`` turns a table into a frozen dataclass and refuses whatever does not fit.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from gateway.errors import ConfigError

T = TypeVar("T")

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+)\s*=")


class TomlFile:
    """One parsed file.

    Attributes:
        name: the file's name as people typed it.
        tables: the parsed content.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._lines = _key_lines(text)
        try:
            self.tables: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+)", str(error))
            line = int(found.group(1)) if found else None
            raise ConfigError("toml_invalid", f"not valid TOML: {error}", file=name, line=line) from error

    @classmethod
    def read(cls, path: Path) -> TomlFile:
        """Parse ``path``; raises ``ConfigError`` when it cannot be read or is not TOML."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError("file_unreadable", error.strerror or str(error), file=str(path)) from error
        except UnicodeDecodeError as error:
            raise ConfigError("file_not_utf8", "the file is not UTF-8 text", file=str(path)) from error
        return cls(text, str(path))

    def line_of(self, path: str) -> int | None:
        """The line of a key such as ``tariff[0].slot[3].to``, else that of the table around it."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path.rpartition("[" if path.endswith("]") else ".")[0]
        return None

    def error(self, code: str, path: str, text: str) -> ConfigError:
        """A ``ConfigError`` that points at ``path``."""
        return ConfigError(code, text, file=self.name, line=self.line_of(path), path=path)


def _key_lines(text: str) -> dict[str, int]:
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    here = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            here = _enter(header.group(2), header.group(1) == "[[", counts)
            lines.setdefault(here, number)
        elif key := _KEY.match(line):
            name = key.group(1).replace('"', "").replace("'", "")
            lines.setdefault(f"{here}.{name}" if here else name, number)
    return lines


def _enter(header: str, is_array: bool, counts: dict[str, int]) -> str:
    """The indexed path of a table header; arrays of tables around it carry their newest index."""
    path = ""
    parts = [part.strip().strip("\"'") for part in header.split(".")]
    for depth, part in enumerate(parts):
        path = f"{path}.{part}" if path else part
        if is_array and depth == len(parts) - 1:
            counts[path] = counts.get(path, -1) + 1
            for inner in [name for name in counts if name.startswith(f"{path}[{counts[path]}].")]:
                del counts[inner]
        if path in counts:
            path = f"{path}[{counts[path]}]"
    return path


def bounded(default: int, low: int, high: int | None = None) -> Any:
    """A whole-number field of a configuration with its bounds; one without is 0 or more."""
    return dataclasses.field(default=default, metadata={"bounds": (low, high)})


def build(cls: type[T], table: Mapping[str, Any], path: str, source: TomlFile) -> T:
    """Make the dataclass ``cls`` from ``table``.

    Unknown keys, values of another type and numbers out of bounds are refused with file, line and key. Fields
    that are missing take the default of the dataclass; a field without a default is required. Raises
    ``ConfigError``.
    """
    assert dataclasses.is_dataclass(cls)
    if not isinstance(table, Mapping):
        raise source.error("type_wrong", path, f"{table!r} is not a table")
    fields, hints = _known(cls)
    values: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{path}.{key}" if path else key
        if key not in fields:
            raise source.error("key_unknown", where, f"unknown key{_meant(key, fields)}")
        values[key] = _convert(hints[key], value, where, source)
        _check_bounds(fields[key], values[key], where, source)
    for name, field in fields.items():
        is_required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if is_required and name not in values:
            raise source.error("key_missing", path, f"the key {name!r} is required")
    try:
        return cls(**values)
    except ValueError as error:
        named = next((key for key in table if re.search(rf"\b{re.escape(key)}\b", str(error))), "")
        raise source.error("value_invalid", f"{path}.{named}".strip("."), str(error)) from error


@functools.cache
def _known(cls: type) -> tuple[dict[str, dataclasses.Field[Any]], dict[str, Any]]:
    """Fields and types of a dataclass by name; a site may list thousands of one kind."""
    return {field.name: field for field in dataclasses.fields(cls)}, typing.get_type_hints(cls)


def _meant(key: str, fields: Mapping[str, Any]) -> str:
    """What may have been meant, else what is known."""
    close = difflib.get_close_matches(key, fields, n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(sorted(fields))}"


def _check_bounds(field: dataclasses.Field[Any], value: Any, path: str, source: TomlFile) -> None:
    low, high = field.metadata.get("bounds", (0, None))
    for number in value if isinstance(value, tuple) else (value,):
        if type(number) is int and (number < low or (high is not None and number > high)):
            span = f"{low} or more" if high is None else f"from {low} to {high}"
            raise source.error("out_of_bounds", path, f"{number} is not {span}")


def _convert(hint: Any, value: Any, path: str, source: TomlFile) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [option for option in typing.get_args(hint) if option is not type(None)]
        return _convert(inner[0], value, path, source)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return build(hint, value, path, source)  # type: ignore[arg-type]
    if origin is tuple and isinstance(value, list):
        item = typing.get_args(hint)[0]
        return tuple(_convert(item, each, f"{path}[{i}]", source) for i, each in enumerate(value))
    if hint in (int, bool, str) and type(value) is hint:
        return value
    if isinstance(value, float):
        raise source.error("float_refused", path, f"{value} is a binary float; write a whole number or a string")
    raise source.error("type_wrong", path, f"{value!r} is not {_describe(hint)}")


def _describe(hint: Any) -> str:
    names = {int: "a whole number", bool: "true or false", str: "a string"}
    if hint in names:
        return names[hint]
    return "a list" if typing.get_origin(hint) is tuple else "a table"

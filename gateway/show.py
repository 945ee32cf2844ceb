"""What commands print for people: tables on a terminal, plain columns elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import IO

from rich.console import Console
from rich.table import Table


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> None:
    """A table to stdout: framed on a terminal, columns apart by two spaces elsewhere."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(*headers, title=title or None)
        for row in cells:
            table.add_row(*row)
        Console().print(table)
        return
    if title:
        print(title)
    widths = [max(_width(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]
    for row in [list(headers), *cells]:
        print("  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip())


def _width(text: str) -> int:
    """Columns on a screen: East Asian characters take two."""
    return sum(2 if "\u1100" <= char <= "\uffdc" else 1 for char in text)


def say(text: str, stream: IO[str] | None = None) -> None:
    """One line for people, to stderr unless told otherwise."""
    print(text, file=stream or sys.stderr, flush=True)

"""Workbooks that people forward: headers in both languages, real numbers with formats, nothing that computes.

Amounts and energies go in as decimals and leave as decimals: no binary float stands in between.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from billing_core.civil import Zone

_EPOCH = datetime(1970, 1, 1)
_FORMATS = {
    "text": "@",
    "count": "#,##0",
    "money": "#,##0.00",
    "energy": "#,##0.0000",
    "rate": "#,##0.0",
    "percent": "0.0%",
    "time": "yyyy-mm-dd hh:mm:ss",
}
_BY_PLACES = {-1: "rate", -2: "money", -4: "energy"}
_WIDTHS = {"text": 22, "time": 20}
_HEAD = PatternFill("solid", fgColor="DDEBF7")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``kind`` is text, count, money, energy, rate, percent, time, or number: told by each value."""

    zh: str
    en: str
    kind: str = "text"
    width: int | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet; values are plain: text, whole numbers, decimals, datetimes, ``None``."""

    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Any]]
    note: str = ""


def yuan(fen: int | None) -> Decimal | None:
    """Fen as yuan."""
    return None if fen is None else Decimal(fen).scaleb(-2)


def kwh(e4kwh: int | None) -> Decimal | None:
    """0.1 Wh as kWh."""
    return None if e4kwh is None else Decimal(e4kwh).scaleb(-4)


def share(part: int, whole: int) -> Decimal | None:
    """A share, to four places; ``None`` of nothing."""
    return None if whole == 0 else Decimal((part * 20_000 + whole) // (2 * whole)).scaleb(-4)


def local(at_ms: int | None, zone: Zone) -> datetime | None:
    """The site's wall time, whole seconds: a workbook knows no zones."""
    return None if at_ms is None else _EPOCH + timedelta(seconds=zone.civil_ms(at_ms) // 1000)


def write_workbook(sheets: Iterable[Sheet], *, made_at: datetime) -> bytes:
    """The bytes of an .xlsx file.

    Args:
        made_at: stands in the file's properties.
    """
    book = Workbook(write_only=True)
    book.properties.creator = "pilegate"
    book.properties.created = book.properties.modified = made_at
    for each in sheets:
        _write(book, each)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _write(book: Workbook, each: Sheet) -> None:
    sheet = book.create_sheet(each.title)
    for number, column in enumerate(each.columns, start=1):
        width = column.width or _WIDTHS.get(column.kind, 14)
        sheet.column_dimensions[get_column_letter(number)].width = width
    start = 2 if each.note else 1
    sheet.freeze_panes = f"A{start + 1}"
    if each.note:
        sheet.append([_cell(sheet, each.note, "text")])
    sheet.append([_header(sheet, column) for column in each.columns])
    count = 0
    for row in each.rows:
        sheet.append([_cell(sheet, value, column.kind) for column, value in zip(each.columns, row, strict=True)])
        count += 1
    if each.columns:
        sheet.auto_filter.ref = f"A{start}:{get_column_letter(len(each.columns))}{start + count}"


def _header(sheet: Any, column: Column) -> Any:
    cell = WriteOnlyCell(sheet, value=f"{column.zh}\n{column.en}")
    cell.font = Font(bold=True)
    cell.fill = _HEAD
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell


def _cell(sheet: Any, value: Any, kind: str) -> Any:
    cell = WriteOnlyCell(sheet, value=value)
    if isinstance(value, str):
        cell.data_type = "s"  # a text that begins with = is a text, not a formula
        cell.number_format = _FORMATS["text"]
    else:
        cell.number_format = _FORMATS[_kind_of(value) if kind == "number" else kind]
    return cell


def _kind_of(value: Any) -> str:
    """The kind of a number by the places it has."""
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else 0
    return _BY_PLACES.get(int(exponent), "count")

"""A partner's list of charges: a CSV file or a workbook, with columns that are named in the configuration."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from gateway.errors import GatewayError
from gateway.tomlfile import bounded

_HEAD_ROWS_MAX = 20  # partners put titles above their headers
_KEYS = ("transaction_id", "order_no")
_DIGITS_OF_A_NUMBER = 15  # a spreadsheet's numbers are exact up to here


@dataclass(frozen=True, slots=True)
class ReconcileConfig:
    """How a partner's list is read.

    Attributes:
        key: which of our numbers the partner names: transaction_id or order_no.
        column_key, column_energy, column_amount: headers of its columns; energy in kWh, amount in yuan.
        column_started: header of the start time, empty when there is none.
        encoding: of CSV files: auto tries UTF-8, then GB 18030, which contains GBK.
        date_format: how start times are written, as in strptime; a time has the site's zone.
        sheet: of a workbook, by name; empty for the first.
        amount_tolerance_fen, energy_tolerance_e4kwh: what was agreed to count as equal.
    """

    key: str = "transaction_id"
    column_key: str = "流水号"
    column_energy: str = "充电电量"
    column_amount: str = "金额"
    column_started: str = ""
    encoding: str = "auto"
    date_format: str = "%Y-%m-%d %H:%M:%S"
    sheet: str = ""
    amount_tolerance_fen: int = bounded(0, 0)
    energy_tolerance_e4kwh: int = bounded(0, 0)

    def __post_init__(self) -> None:
        if self.key not in _KEYS:
            raise ValueError(f"key is {' or '.join(_KEYS)}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the list. ``trouble`` says why it cannot be used, empty when it can."""

    row: int
    key: str
    energy: Decimal | None = None
    amount: Decimal | None = None
    started: datetime | None = None
    trouble: str = ""


class ListError(GatewayError):
    """A partner's list that cannot be read: which file, which row, what to do."""

    def __init__(self, text: str) -> None:
        super().__init__("partner_list_unusable", text)


def read_list(path: Path, config: ReconcileConfig) -> list[Entry]:
    """Every row below the headers. Raises ``ListError``."""
    try:
        rows = list(_sheet_rows(path, config) if path.suffix.lower() == ".xlsx" else _csv_rows(path, config))
    except OSError as error:
        raise ListError(f"{path}: {error.strerror or error}") from error
    columns, head = _find_columns(path, rows, config)
    last = max(columns.values())
    return [
        _entry(number, [*row, *[None] * (last + 1 - len(row))], columns, config)
        for number, row in enumerate(rows[head + 1 :], start=head + 2)
        if any(_text(cell) for cell in row)
    ]


def _csv_rows(path: Path, config: ReconcileConfig) -> Iterator[Sequence[Any]]:
    data = path.read_bytes()
    names = ("utf-8-sig", "gb18030") if config.encoding == "auto" else (config.encoding,)
    for name in names:
        try:
            text = data.decode(name)
        except LookupError as error:
            raise ListError(f"encoding {name!r} is not known; write auto, utf-8-sig or gbk") from error
        except UnicodeDecodeError:
            continue
        text = text.removeprefix("\ufeff")
        head = text[:4096]
        delimiter = max(",;\t", key=head.count)
        try:
            yield from csv.reader(io.StringIO(text), delimiter=delimiter)
        except csv.Error as error:
            raise ListError(f"{path}: not a CSV file: {error}") from error
        return
    raise ListError(f"{path}: not text in {' or '.join(names)}; set [reconcile] encoding")


def _sheet_rows(path: Path, config: ReconcileConfig) -> Iterator[Sequence[Any]]:
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise ListError(f"{path}: not a workbook: {error}") from error
    try:
        if config.sheet and config.sheet not in book.sheetnames:
            raise ListError(f"{path}: no sheet {config.sheet!r}; it has {', '.join(book.sheetnames)}")
        sheet = book[config.sheet] if config.sheet else book.worksheets[0]
        yield from sheet.iter_rows(values_only=True)
    finally:
        book.close()


def _find_columns(path: Path, rows: Sequence[Sequence[Any]], config: ReconcileConfig) -> tuple[dict[str, int], int]:
    """(name → column, row of the headers)."""
    wanted = {"key": config.column_key, "energy": config.column_energy, "amount": config.column_amount}
    if config.column_started:
        wanted["started"] = config.column_started
    for number, row in enumerate(rows[:_HEAD_ROWS_MAX]):
        heads = [_text(cell) for cell in row]
        if config.column_key in heads:
            missing = [name for name in wanted.values() if name not in heads]
            if missing:
                told = ", ".join(filter(None, heads))
                raise ListError(f"{path}: no column {', '.join(missing)}; row {number + 1} has {told}")
            return {name: heads.index(head) for name, head in wanted.items()}, number
    raise ListError(
        f"{path}: no header {config.column_key!r} in its first {_HEAD_ROWS_MAX} rows; "
        "name the partner's columns in [reconcile]"
    )


def _entry(number: int, row: Sequence[Any], columns: dict[str, int], config: ReconcileConfig) -> Entry:
    cell = row[columns["key"]]
    key = _key(cell)
    if not key:
        return Entry(number, "", trouble="the row names no charge")
    if isinstance(cell, int | float) and len(key) > _DIGITS_OF_A_NUMBER:
        return Entry(number, key, trouble="the number was kept as a number and lost digits; send the column as text")
    try:
        energy = _decimal(row[columns["energy"]])
        amount = _decimal(row[columns["amount"]])
        started = _moment(row[columns["started"]], config.date_format) if "started" in columns else None
    except ValueError as error:
        return Entry(number, key, trouble=str(error))
    return Entry(number, key, energy, amount, started)


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _key(cell: Any) -> str:
    """A number that a spreadsheet guarded against itself: ``="0123"``, ``'0123``, a tab."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = _text(cell)
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    return text.strip("'\t ")


def _decimal(cell: Any) -> Decimal:
    """A decimal from text or from a cell: a spreadsheet's number comes as the shortest text that stands for it."""
    text = _key(repr(cell) if isinstance(cell, float) else cell)
    plain = text.replace(",", "").replace("，", "").removeprefix("¥").removeprefix("￥").removesuffix("元").strip()
    try:
        value = Decimal(plain)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a number") from error
    if not value.is_finite() or abs(value) >= 10**9:
        raise ValueError(f"{text!r} is not a plain number")
    return value


def _moment(cell: Any, date_format: str) -> datetime:
    if isinstance(cell, datetime):
        return cell
    try:
        return datetime.strptime(_text(cell), date_format)
    except ValueError as error:
        raise ValueError(f"{_text(cell)!r} is not a time as {date_format}") from error


def places(values: Iterable[Decimal | None]) -> int:
    """The decimals of a column: the most that any of its values shows."""
    return max((max(0, -int(value.as_tuple().exponent)) for value in values if value is not None), default=0)

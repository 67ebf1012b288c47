"""Tables as bytes: delimited text, workbooks, JSON lines and Parquet, as one dialect writes them."""

import io
import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

import openpyxl
import pyarrow as pa
from pyarrow import parquet

from benchmarks.exports.dialects import Dialect, amount_text, day_text, moment_text, number_text
from benchmarks.exports.truth import Column, Raw, Row, Table

ITEMS: Final = "items"
ITEM_KINDS: Final = {"whole", "number", "money", "id"}


def written(table: Table, dialect: Dialect) -> bytes:
    """The bytes of a file."""
    if table.is_empty:
        return b""
    if dialect.kind == "excel":
        return _workbook(table, dialect)
    if dialect.kind == "parquet":
        return _parquet(table, dialect)
    if dialect.kind == "jsonl":
        return _json_lines(table, dialect)
    return _text(table, dialect).encode(dialect.encoding)


def cell_text(value: Any, kind: str, dialect: Dialect) -> str:
    """A cell as text, before it is quoted."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return moment_text(value, dialect.moment)
    if isinstance(value, date):
        return day_text(value, dialect.day)
    if kind == "money":
        return amount_text(value, dialect)
    return number_text(Decimal(value), dialect)


def _text(table: Table, dialect: Dialect) -> str:
    headers = [table.headers.get(column.header, column.header) for column in table.columns]
    lines = [dialect.delimiter.join(_quoted(header, dialect) for header in headers)]
    lines += [_line(row, table.columns, dialect) for row in table.rows]
    if table.is_cut:
        last = lines.pop()
        kept = dialect.delimiter.join(last.split(dialect.delimiter)[:2])
        return dialect.newline.join([*lines, kept[:-1]])
    return dialect.newline.join([*lines, ""])


def _line(row: Row, columns: Sequence[Column], dialect: Dialect) -> str:
    cells = []
    for column in columns:
        value = row.cells.get(column.header)
        text = cell_text(value, column.kind, dialect)
        cells.append(text if isinstance(value, Raw) else _quoted(text, dialect))
    kept = cells[: len(cells) - row.missing_cells] if row.missing_cells > 0 else cells + ["x"] * -row.missing_cells
    return dialect.delimiter.join(kept)


def _quoted(text: str, dialect: Dialect) -> str:
    """Quote a cell where the dialect does; a quote within is doubled."""
    if dialect.quoting == "none":
        return text
    if dialect.quoting == "all" or any(mark in text for mark in (dialect.delimiter, '"', "\n", "\r")):
        return '"' + text.replace('"', '""') + '"'
    return text


def _workbook(table: Table, dialect: Dialect) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Export")
    sheet.append([table.headers.get(column.header, column.header) for column in table.columns])
    for row in table.rows:
        sheet.append([_excel_cell(row.cells.get(column.header), column.kind, dialect) for column in table.columns])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _excel_cell(value: Any, kind: str, dialect: Dialect) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        return int(value) if kind == "id" and dialect.is_typed and _is_plain_number(value) else str(value)
    if not dialect.is_typed:
        return cell_text(value, kind, dialect)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return value if isinstance(value, date) else float(value)


def _parquet(table: Table, dialect: Dialect) -> bytes:
    """Columns by their own types; ids that are whole numbers are doubles, as pandas makes them where one is missing."""
    arrays = [_array(column, table.rows, dialect) for column in table.columns]
    target = io.BytesIO()
    names = [table.headers.get(column.header, column.header) for column in table.columns]
    parquet.write_table(pa.Table.from_arrays(arrays, names=names), target)
    return target.getvalue()


def _array(column: Column, rows: Sequence[Row], dialect: Dialect) -> pa.Array:
    values = [row.cells.get(column.header) for row in rows]
    if column.kind == "id" and all(value is None or _is_plain_number(value) for value in values):
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if dialect.is_typed and column.kind in {"number", "money", "whole"}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if dialect.is_typed and column.kind == "moment":
        return pa.array([None if value is None else value.replace(tzinfo=None) for value in values], pa.timestamp("us"))
    if dialect.is_typed and column.kind == "day":
        return pa.array(values, pa.date32())
    texts = [None if value is None else cell_text(value, column.kind, dialect) for value in values]
    return pa.array(texts, pa.string())


def _is_plain_number(value: Any) -> bool:
    return isinstance(value, str) and value.isdigit() and not value.startswith("0")


def _json_lines(table: Table, dialect: Dialect) -> bytes:
    """One line an order, its rows as items of a list; what is no item's is the order's."""
    lines = []
    for _, group in groupby(table.rows, key=lambda row: row.order):
        rows = list(group)
        of_order = [column for column in table.columns if not column.header.startswith("item_")]
        of_items = [column for column in table.columns if column.header.startswith("item_")]
        document = {column.header: _json_value(rows[0], column, dialect) for column in of_order}
        document[ITEMS] = [
            {column.header.removeprefix("item_"): _json_value(row, column, dialect) for column in of_items}
            for row in rows
        ]
        lines.append(json.dumps(document, ensure_ascii=False))
    return ("\n".join(lines) + "\n").encode()


def _json_value(row: Row, column: Column, dialect: Dialect) -> Any:
    value = row.cells.get(column.header)
    if isinstance(value, Decimal) and dialect.is_typed:
        return int(value) if value == value.to_integral_value() else float(value)
    return None if value is None else cell_text(value, column.kind, dialect)

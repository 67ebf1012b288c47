"""Excel workbooks as rows of text."""

import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from storecast.ingestion.reading.rows import Row, malformed

LARGEST_EXACT = 2**53


class WorkbookError(ValueError):
    """The file is no workbook, or not the one the feed describes."""


def read_workbook(stored: Path, sheet: str | None) -> tuple[list[str], Iterator[Row], int]:
    """Return header, rows and the number of headers of one sheet, or of all that are not empty, one below the other.

    Rows without any cell are no rows. Numbers become their shortest text (12, not 12.0) but keep zeros that the sheet
    shows in front (00420); days and moments become ISO 8601. A row with cells right of the header is malformed. Raises
    `WorkbookError` where the file is no workbook, has no such sheet, or holds sheets of different headers.
    """
    try:
        with stored.open("rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            tables = {name: _table(book[name]) for name in _sheets(book, sheet)}
    except (zipfile.BadZipFile, InvalidFileException, KeyError) as error:
        message = f"it is no workbook ({error}); save it as .xlsx"
        raise WorkbookError(message) from error
    filled = {name: table for name, table in tables.items() if table}
    headers = {name: [cell or "" for cell in table[0]] for name, table in filled.items()}
    first = next(iter(headers), "")
    for name, header in headers.items():
        if header != headers[first]:
            message = f"sheet {name!r} has other columns than sheet {first!r}; name one sheet with `sheet`"
            raise WorkbookError(message)
    return headers.get(first, []), _rows(filled, len(headers.get(first, []))), len(headers)


def _sheets(book: Any, sheet: str | None) -> list[str]:
    if sheet is None:
        return list(book.sheetnames)
    if sheet not in book.sheetnames:
        message = f"it has no sheet {sheet!r}; its sheets are {', '.join(map(repr, book.sheetnames))}"
        raise WorkbookError(message)
    return [sheet]


def _table(sheet: Any) -> list[list[str | None]]:
    """Return the sheet's filled rows, each without its empty cells at the end."""
    sheet.reset_dimensions()
    rows = []
    for row in sheet.iter_rows():
        cells = [_text(cell.value) if not _is_padded(cell) else _padded_number(cell) for cell in row]
        while cells and cells[-1] is None:
            cells.pop()
        if cells:
            rows.append(cells)
    return rows


def _rows(tables: dict[str, list[list[str | None]]], width: int) -> Iterator[Row]:
    number = 0
    for table in tables.values():
        for cells in table[1:]:
            number += 1
            if len(cells) > width:
                yield number, malformed(f"{len(cells)} cells where the header has {width}", cells), (None,) * width
            else:
                yield number, None, _padded(cells, width)


def _padded(cells: Sequence[str | None], width: int) -> list[str | None]:
    return [*cells, *[None] * (width - len(cells))]


def _is_padded(cell: Any) -> bool:
    """Tell whether a cell shows a whole number with zeros in front, as sheets keep ids (420 as 00420)."""
    return type(cell.value) is int and cell.value >= 0 and set(cell.number_format) == {"0"}


def _padded_number(cell: Any) -> str:
    return str(cell.value).zfill(len(cell.number_format))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_EXACT:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)

"""How many rows a file holds, counted without the readers: by bytes, by its footer, by its markup."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import pyarrow.parquet as pq
from defusedxml.ElementTree import fromstring, iterparse

CHUNK_BYTES = 1 << 20
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_WIDE = re.compile(r"utf[-_]?(16|32)", re.IGNORECASE)
_BLANK_LINE = re.compile(rb"[^\r\n]+")


def count_lines(stored: Path, encoding: str) -> int:
    r"""Return the lines of a text file that hold anything; `\n`, `\r\n` and `\r` end a line."""
    if _WIDE.match(encoding):
        text = stored.read_text(encoding=encoding, errors="surrogateescape")
        return sum(1 for line in re.split(r"\r\n|\r|\n", text) if line)
    count, is_within = 0, False
    with stored.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            count += len(_BLANK_LINE.findall(chunk)) - (is_within and chunk[:1] not in b"\r\n")
            is_within = chunk[-1:] not in b"\r\n"
    return count


def count_parquet_rows(stored: Path) -> int:
    """Return the rows that a Parquet file's footer promises."""
    return int(pq.read_metadata(stored).num_rows)


def count_sheet_rows(stored: Path, sheet: str | None) -> int:
    """Return the rows of a workbook's sheet, or of all its sheets, that hold a value; headers are among them."""
    with zipfile.ZipFile(stored) as book:
        return sum(_filled_rows(book, path) for name, path in _sheet_files(book) if sheet in {None, name})


def _sheet_files(book: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    targets = {
        relation.get("Id"): relation.get("Target", "")
        for relation in fromstring(book.read("xl/_rels/workbook.xml.rels"))
    }
    for sheet in fromstring(book.read("xl/workbook.xml")).iter(f"{_SHEET}sheet"):
        target = targets[sheet.get(_RELATION)]
        if "worksheets" in target:
            yield sheet.get("name", ""), target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _filled_rows(book: zipfile.ZipFile, path: str) -> int:
    count = 0
    with book.open(path) as markup:
        for _, row in iterparse(markup):
            if row.tag == f"{_SHEET}row":
                count += any(_holds_value(cell) for cell in row)
                row.clear()
    return count


def _holds_value(cell: Element) -> bool:
    """A cell with a value `v`, or with text written in place."""
    return any(part.tag != f"{_SHEET}f" and "".join(part.itertext()) for part in cell)

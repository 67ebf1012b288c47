"""CSV and JSON lines as rows of text; nothing is dropped, nothing trimmed."""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

Row = tuple[int, str | None, Sequence[str | None]]
"""A row's number from 1, the mark of what is malformed or None, and its cells (all None where malformed)."""


def malformed(reason: str, content: object) -> str:
    """Return the mark of a row that cannot be told into columns: a JSON list, where a sound row is a JSON object.

    >>> malformed("2 cells where the header has 3", ["a", "b"])
    '["2 cells where the header has 3", ["a", "b"]]'
    """
    return json.dumps([reason, content], ensure_ascii=False)


def read_csv(stored: Path, delimiter: str, encoding: str) -> tuple[list[str], Iterator[Row]]:
    """Return a CSV file's header (empty for an empty file) and its rows.

    Blank lines are no rows. A row of more or fewer cells than the header is malformed, as is one with bytes that are
    no text in the encoding. Raises `UnicodeDecodeError` where the encoding cannot stand such bytes at all.
    """
    records = _records(stored, delimiter, encoding)
    header = next(records, [])
    return [_printable(name) for name in header], _csv_rows(records, len(header))


def read_json_lines(stored: Path) -> Iterator[tuple[int, str | None, str | None]]:
    """Return number, mark of what is malformed and text of each line that is not blank."""
    number = 0
    with stored.open("rb") as file:
        for line in file:
            if not line.strip():
                continue
            number += 1
            try:
                yield number, None, line.rstrip(b"\r\n").decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                content = line.rstrip(b"\r\n").decode(errors="backslashreplace")
                yield number, malformed(f"not UTF-8 at byte {error.start + 1} of the line", content), None


def _records(stored: Path, delimiter: str, encoding: str) -> Iterator[list[str]]:
    csv.field_size_limit(sys.maxsize)
    marked = "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding
    with stored.open(encoding=marked, errors="surrogateescape", newline="") as file:
        yield from filter(None, csv.reader(file, delimiter=delimiter))


def _csv_rows(records: Iterator[list[str]], width: int) -> Iterator[Row]:
    nothing = (None,) * width
    for number, record in enumerate(records, start=1):
        if len(record) != width:
            cells = list(map(_printable, record))
            yield number, malformed(f"{len(record)} cells where the header has {width}", cells), nothing
        elif not _is_text(record):
            yield (
                number,
                malformed("bytes that are no text in the file's encoding", list(map(_printable, record))),
                nothing,
            )
        else:
            yield number, None, record


def _is_text(record: list[str]) -> bool:
    """Tell whether all bytes of a record were text; the others are lone surrogates now."""
    joined = "".join(record)
    if joined.isascii():
        return True
    try:
        joined.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(cell: str) -> str:
    return cell.encode(errors="backslashreplace").decode()

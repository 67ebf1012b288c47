"""CSV as rows of text; nothing is dropped, nothing trimmed, and no quote swallows the rows behind it.

A record may go on over several lines within a quoted cell. Where the quotes of such a record do not fit, or its lines
are rows themselves, a stray quote has opened it: then its first line alone is malformed, and reading goes on behind it.
"""

import csv
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storecast.ingestion.reading.rows import Row, Tally, malformed

LONGEST_RECORD = 1_000
"""Lines of one record; beyond that its quote is not meant as one."""
FEWEST_CELLS = 3
"""With fewer cells a row any text with a comma looks like a row."""
STRAY_QUOTE = (
    "a quote opens a cell that swallows the lines behind it; where the file has no quoting, set quote = 'none'"
)
UNQUOTED = "read without quoting: so every line has as many cells as the header, with quoting not"


@dataclass(frozen=True)
class Dialect:
    """How the cells of a text file are told apart; `quote` None takes quotes as any other character."""

    delimiter: str = ","
    encoding: str = "utf-8"
    quote: str | None = '"'
    escape: str | None = None

    def reader(self, lines: Iterable[str], *, strict: bool = False) -> Any:
        """Return csv's reader of some lines, which gives their records."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            escapechar=self.escape,
            doublequote=self.escape is None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            strict=strict,
        )

    def unquoted(self) -> "Dialect":
        """Return the same without quoting."""
        return Dialect(self.delimiter, self.encoding, None, self.escape)


@dataclass(frozen=True)
class CsvFile:
    """A file's header (empty for an empty file), its rows, their tally, and what was odd about reading it, if anything.

    The tally is complete when all rows were taken.
    """

    header: list[str]
    rows: Iterator[Row]
    tally: Tally
    note: str | None


class _TooLongError(Exception):
    """A record does not end."""


class _Lines:
    """The lines of a file, and which of them the current record has taken."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._given_back: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.taken) >= LONGEST_RECORD:
            raise _TooLongError
        line = self._given_back.popleft() if self._given_back else next(self._lines)
        self.taken.append(line)
        return line

    def give_back(self, lines: Sequence[str]) -> None:
        """Let lines be read again."""
        self._given_back.extendleft(reversed(lines))


def read_csv(stored: Path, dialect: Dialect) -> CsvFile:
    """Return what a CSV file holds.

    Blank lines are no rows. A row of more or fewer cells than the header is malformed, as is one with bytes that are
    no text in the encoding. A file with stray quotes that reads cleanly without quoting is read so, and `note` says it.
    Raises `UnicodeDecodeError` where the encoding cannot stand such bytes at all.
    """
    csv.field_size_limit(sys.maxsize)
    note = None
    if dialect.quote and _has_stray_quotes(stored, dialect) and _is_clean_unquoted(stored, dialect):
        dialect, note = dialect.unquoted(), UNQUOTED
    records = _records(stored, dialect)
    header, lines = next(records, ([], []))
    tally = Tally(other_lines=_filled(lines))
    return CsvFile(
        [_printable(name) for name in header or []], _csv_rows(records, len(header or []), tally), tally, note
    )


def _records(stored: Path, dialect: Dialect) -> Iterator[tuple[list[str] | None, list[str]]]:
    """Give each record with its lines, blank lines aside; None for a line whose quote is astray."""
    with stored.open(encoding=_marked(dialect.encoding), errors="surrogateescape", newline="") as file:
        lines = _Lines(iter(file))
        reader = dialect.reader(lines)
        width = None
        while True:
            taken: list[str] = []
            lines.taken = taken
            try:
                record = next(reader, None)
            except (csv.Error, _TooLongError):
                record = None
            if not taken:
                return
            if len(taken) > 1 and (record is None or _swallows(taken, dialect, width)):
                lines.give_back(taken[1:])
                reader = dialect.reader(lines)
                yield None, taken[:1]
            elif record or record is None:
                width = width or len(record or [])
                yield record, taken


def _swallows(taken: Sequence[str], dialect: Dialect, width: int | None) -> bool:
    """Tell whether a record of several lines is in truth several records: its quotes do not fit, or its lines do."""
    try:
        list(dialect.reader(taken, strict=True))
    except csv.Error:
        return True
    if not width or width < FEWEST_CELLS:
        return False
    fits = [len(record) == width for record in dialect.unquoted().reader(taken)]
    return all(fits) or any(fits[1:-1])


def _csv_rows(records: Iterator[tuple[list[str] | None, list[str]]], width: int, tally: Tally) -> Iterator[Row]:
    nothing = (None,) * width
    for number, (record, lines) in enumerate(records, start=1):
        tally.rows = number
        if len(lines) > 1:
            tally.other_lines += _filled(lines) - 1
        if record is None:
            yield number, malformed(STRAY_QUOTE, _printable(lines[0].rstrip("\r\n"))), nothing
        elif len(record) != width:
            cells = list(map(_printable, record))
            yield number, malformed(f"{len(record)} cells where the header has {width}", cells), nothing
        elif not _is_text(record):
            reason = "bytes that are no text in the file's encoding"
            yield number, malformed(reason, list(map(_printable, record))), nothing
        else:
            yield number, None, record


def _has_stray_quotes(stored: Path, dialect: Dialect) -> bool:
    """Tell whether a quote swallows lines; a file with as many records as lines has none, and that is told fast."""
    with stored.open(encoding=_marked(dialect.encoding), errors="surrogateescape", newline="") as file:
        reader = dialect.reader(file)
        records = sum(1 for _ in reader)
    return reader.line_num > records and any(record is None for record, _ in _records(stored, dialect))


def _is_clean_unquoted(stored: Path, dialect: Dialect) -> bool:
    """Tell whether without quoting every line has the header's cells and none stands in quotes."""
    records = _records(stored, dialect.unquoted())
    width = len(next(records)[0] or [])
    quote = dialect.quote or ""
    return all(
        record is not None
        and len(record) == width
        and not any(len(cell) > 1 and cell.startswith(quote) and cell.endswith(quote) for cell in record)
        for record, _ in records
    )


def _filled(lines: Iterable[str]) -> int:
    return sum(1 for line in lines if line.strip("\r\n"))


def _marked(encoding: str) -> str:
    return "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding


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

"""Landed files as relations of text in DuckDB: every row of the file, in its order, malformed ones too.

A relation has the file's columns as VARCHAR, word for word, and before them `_row_number` (from 1; blank lines are no
rows), `_malformed` (null, or what is wrong and the row's text as a JSON list) and `_raw` (the row as a JSON object).
"""

import csv
import difflib
import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import batched, chain
from pathlib import Path
from xml.etree.ElementTree import ParseError

import duckdb
import pyarrow as pa
from defusedxml import DefusedXmlException

from storecast.ingestion.reading.counting import count_lines, count_parquet_rows, count_sheet_rows
from storecast.ingestion.reading.csv_files import Dialect, read_csv
from storecast.ingestion.reading.json_lines import read_json_lines
from storecast.ingestion.reading.rows import Row, Tally
from storecast.ingestion.reading.workbooks import WorkbookError, read_workbook
from storecast.ingestion.sources.base import (
    LINE,
    MALFORMED,
    RAW,
    RESERVED,
    ROW_NUMBER,
    Feed,
    MappingError,
    SourceFileError,
)
from storecast.warehouse.database import quote

BATCH_ROWS = 50_000


@dataclass(frozen=True)
class FileCount:
    """What a file holds, told by two that share nothing.

    - `lines`: lines (rows of a workbook, a Parquet file) that hold anything, counted by `counting`.
    - `rows`: rows that the reader took from them.
    - `note`: what was odd about reading it, None if nothing.
    """

    lines: int
    rows: int
    note: str | None = None


@dataclass(frozen=True)
class _Opened:
    columns: list[str]
    lines: int
    tally: Tally
    note: str | None = None


def open_rows(connection: duckdb.DuckDBPyConnection, relation: str, stored: Path, path: str, feed: Feed) -> FileCount:
    """Make a landed file's rows a temporary relation of a connection, and return what the file holds.

    `stored` is the file, `path` what its source calls it. Raises `SourceFileError` naming file and feed where the file
    cannot be read or the reader took other lines than the file has, and its `MappingError` where it lacks a column the
    feed reads.
    """
    kind = feed.format.kind_of(path)
    _require_landed_bytes(stored, path)
    try:
        if kind == "parquet":
            opened = _open_parquet(connection, relation, stored)
        elif kind == "jsonl":
            opened = _open_json_lines(connection, relation, stored)
        elif kind == "excel":
            opened = _open_workbook(connection, relation, stored, feed.format.sheet)
        else:
            opened = _open_csv(connection, relation, stored, feed.format.dialect)
    except (
        duckdb.Error,
        OSError,
        UnicodeError,
        csv.Error,
        WorkbookError,
        zipfile.BadZipFile,
        ParseError,
        DefusedXmlException,
        pa.ArrowException,
    ) as error:
        message = f"{path} (feed {feed.name}) cannot be read as {kind}: {error}"
        raise SourceFileError(message) from error
    _require(opened.columns, path, feed)
    taken = opened.tally.rows + opened.tally.other_lines
    if taken != opened.lines:
        message = (
            f"{path} (feed {feed.name}) has {opened.lines:,} lines, but {taken:,} were read of them "
            f"({opened.tally.rows:,} rows): its quoting or line ends are not what the feed says"
        )
        raise SourceFileError(message)
    return FileCount(opened.lines, opened.tally.rows, opened.note)


def _require_landed_bytes(stored: Path, path: str) -> None:
    """Refuse a landed copy that is no longer what landed; its name begins with its hash."""
    if not stored.exists():
        message = f"{path}: its landed copy {stored} is gone; put the file into the source's folder, and it lands again"
        raise SourceFileError(message)
    with stored.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != stored.name[: len(actual)]:
        message = (
            f"{path}: its landed copy {stored} was altered since it landed; delete it and put the file into the "
            "source's folder, and it lands again"
        )
        raise SourceFileError(message)


def unique_names(header: Sequence[str]) -> list[str]:
    """Give every column a name of its own, as SQL tells names apart.

    >>> unique_names(["SKU", "sku", "", "_raw"])
    ['SKU', 'sku (2)', 'column 3', '_raw (2)']
    """
    taken = set(RESERVED)
    names = []
    for position, written in enumerate(header, start=1):
        stem = written or f"column {position}"
        name, count = stem, 1
        while name.casefold() in taken:
            count += 1
            name = f"{stem} ({count})"
        taken.add(name.casefold())
        names.append(name)
    return names


def _open_parquet(connection: duckdb.DuckDBPyConnection, relation: str, stored: Path) -> _Opened:
    described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(stored)]).fetchall()
    written = [str(row[0]) for row in described]
    names = unique_names(written)
    cells = ", ".join(
        f"CAST({quote(theirs)} AS VARCHAR) AS {quote(ours)}" for theirs, ours in zip(written, names, strict=True)
    )
    file = str(stored).replace("'", "''")
    _create(
        connection,
        relation,
        f"SELECT file_row_number + 1 AS {ROW_NUMBER}, CAST(NULL AS VARCHAR) AS {MALFORMED}, {cells} "
        f"FROM read_parquet('{file}', file_row_number = true)",
        _row_as_json(names),
    )
    counted = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(stored)]).fetchone() or (0,)
    return _Opened(names, count_parquet_rows(stored), Tally(int(counted[0])))


def _open_json_lines(connection: duckdb.DuckDBPyConnection, relation: str, stored: Path) -> _Opened:
    tally = Tally()
    rows = ((number, mark, (line,)) for number, mark, line in read_json_lines(stored, tally))
    _insert(connection, relation, [LINE], rows)
    reason = (
        f"CASE WHEN {LINE} IS NULL THEN NULL WHEN NOT json_valid({LINE}) THEN 'not valid JSON' "
        f"WHEN json_type({LINE}) <> 'OBJECT' THEN 'not a JSON object' END"
    )
    _create(
        connection,
        relation,
        f"SELECT {ROW_NUMBER}, CASE WHEN reason IS NULL THEN {MALFORMED} "
        f"ELSE CAST(json_array(reason, {LINE}) AS VARCHAR) END AS {MALFORMED}, "
        f"CASE WHEN reason IS NULL THEN {LINE} END AS {LINE} "
        f"FROM (SELECT *, {reason} AS reason FROM {quote(relation + '_file')})",
        LINE,
    )
    return _Opened([LINE], count_lines(stored, "utf-8"), tally)


def _open_csv(connection: duckdb.DuckDBPyConnection, relation: str, stored: Path, dialect: Dialect) -> _Opened:
    file = read_csv(stored, dialect)
    names, _ = _open_table(connection, relation, file.header, file.rows)
    return _Opened(names, count_lines(stored, dialect.encoding), file.tally, file.note)


def _open_workbook(connection: duckdb.DuckDBPyConnection, relation: str, stored: Path, sheet: str | None) -> _Opened:
    header, rows, headers = read_workbook(stored, sheet)
    names, count = _open_table(connection, relation, header, rows)
    return _Opened(names, count_sheet_rows(stored, sheet), Tally(count, other_lines=headers))


def _open_table(
    connection: duckdb.DuckDBPyConnection, relation: str, header: Sequence[str], rows: Iterable[Row]
) -> tuple[list[str], int]:
    names = unique_names(header)
    count = _insert(connection, relation, names, rows)
    firsts = [name for name in names if f"{name} (2)" in names]
    doubled = "".join(f", {quote(name)} AS {quote(name + ' (1)')}" for name in firsts)
    _create(connection, relation, f"SELECT *{doubled} FROM {quote(relation + '_file')}", _row_as_json(names))
    return [*names, *(f"{name} (1)" for name in firsts)], count


def _insert(connection: duckdb.DuckDBPyConnection, relation: str, names: Sequence[str], rows: Iterable[Row]) -> int:
    """Store rows of text in the table that the relation will be a view of, and return their number.

    A small file's rows are only lent to DuckDB: making a table of them would cost more than all else of it.
    """
    columns = [MALFORMED, *names]
    schema = pa.schema([(ROW_NUMBER, pa.int64()), *((name, pa.string()) for name in columns)])
    batches = (_arrow(batch, schema) for batch in batched(rows, BATCH_ROWS))
    first = next(batches, schema.empty_table())
    table = relation + "_file"
    connection.execute(f"DROP TABLE IF EXISTS {quote(table + '_stored')}")
    if first.num_rows < BATCH_ROWS:
        connection.register(table, first)
        return int(first.num_rows)
    count = 0
    declared = ", ".join([f"{ROW_NUMBER} BIGINT", *(f"{quote(name)} VARCHAR" for name in columns)])
    connection.execute(f"CREATE TEMP TABLE {quote(table + '_stored')} ({declared})")
    for batch in chain([first], batches):
        connection.register("incoming", batch)
        connection.execute(f"INSERT INTO {quote(table + '_stored')} SELECT * FROM incoming")
        connection.unregister("incoming")
        count += batch.num_rows
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {quote(table)} AS SELECT * FROM {quote(table + '_stored')}")
    return count


def _arrow(batch: Sequence[Row], schema: pa.Schema) -> pa.Table:
    numbers, marks, cells = zip(*batch, strict=True)
    arrays = [numbers, marks, *zip(*cells, strict=True)]
    return pa.Table.from_arrays([pa.array(v, f.type) for v, f in zip(arrays, schema, strict=True)], schema=schema)


def _create(connection: duckdb.DuckDBPyConnection, relation: str, rows: str, raw: str) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {quote(relation)} AS SELECT *, {raw} AS {RAW} FROM ({rows})")


def _row_as_json(names: Sequence[str]) -> str:
    """Return the expression of a row as a JSON object; as a view's column it costs nothing until it is asked for."""
    if not names:
        return "'{}'"
    return f"CAST(to_json(struct_pack({', '.join(f'{quote(name)} := {quote(name)}' for name in names)})) AS VARCHAR)"


def _require(columns: Sequence[str], path: str, feed: Feed) -> None:
    for wanted in feed.reads:
        if wanted not in columns:
            close = difflib.get_close_matches(wanted, columns, n=1, cutoff=0.4)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            has = ", ".join(map(repr, columns)) or "none: the file is empty"
            message = f"{path} (feed {feed.name}) has no column {wanted!r}; it has {has}{hint}"
            raise MappingError(message)

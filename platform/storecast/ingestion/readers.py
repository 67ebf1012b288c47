"""Landed files as relations of text in DuckDB: every row of the file, in its order, malformed ones too.

A relation has the file's columns as VARCHAR, word for word, and before them `_row_number` (from 1; blank lines are no
rows), `_malformed` (null, or what is wrong and the row's text as a JSON list) and `_raw` (the row as a JSON object).
"""

import csv
import difflib
from collections.abc import Iterable, Sequence
from itertools import batched
from pathlib import Path

import duckdb
import pyarrow as pa

from storecast.ingestion.sources.base import LINE, MALFORMED, RAW, RESERVED, ROW_NUMBER, Feed, SourceFileError
from storecast.ingestion.text_files import Row, read_csv, read_json_lines
from storecast.ingestion.workbooks import WorkbookError, read_workbook
from storecast.warehouse.database import quote

BATCH_ROWS = 50_000


def open_rows(connection: duckdb.DuckDBPyConnection, relation: str, stored: Path, path: str, feed: Feed) -> None:
    """Make a landed file's rows a temporary relation of a connection.

    `stored` is the file, `path` what its source calls it. Raises `SourceFileError` naming file, feed and column where
    the file cannot be read, or lacks a column the feed reads.
    """
    kind = feed.format.kind_of(path)
    try:
        if kind == "parquet":
            columns = _open_parquet(connection, relation, stored)
        elif kind == "jsonl":
            columns = _open_json_lines(connection, relation, stored)
        elif kind == "excel":
            columns = _open_table(connection, relation, *read_workbook(stored, feed.format.sheet))
        else:
            columns = _open_table(connection, relation, *read_csv(stored, feed.format.delimiter, feed.format.encoding))
    except (duckdb.Error, OSError, UnicodeError, csv.Error, WorkbookError) as error:
        message = f"{path} (feed {feed.name}) cannot be read as {kind}: {error}"
        raise SourceFileError(message) from error
    _require(columns, path, feed)


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


def _open_parquet(connection: duckdb.DuckDBPyConnection, relation: str, stored: Path) -> list[str]:
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
    return names


def _open_json_lines(connection: duckdb.DuckDBPyConnection, relation: str, stored: Path) -> list[str]:
    rows = ((number, mark, (line,)) for number, mark, line in read_json_lines(stored))
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
    return [LINE]


def _open_table(
    connection: duckdb.DuckDBPyConnection, relation: str, header: Sequence[str], rows: Iterable[Row]
) -> list[str]:
    names = unique_names(header)
    _insert(connection, relation, names, rows)
    firsts = [name for name in names if f"{name} (2)" in names]
    doubled = "".join(f", {quote(name)} AS {quote(name + ' (1)')}" for name in firsts)
    _create(connection, relation, f"SELECT *{doubled} FROM {quote(relation + '_file')}", _row_as_json(names))
    return [*names, *(f"{name} (1)" for name in firsts)]


def _insert(connection: duckdb.DuckDBPyConnection, relation: str, names: Sequence[str], rows: Iterable[Row]) -> None:
    """Store rows of text in the table that the relation will be a view of."""
    columns = [MALFORMED, *names]
    schema = pa.schema([(ROW_NUMBER, pa.int64()), *((name, pa.string()) for name in columns)])
    table = quote(relation + "_file")
    declared = ", ".join([f"{ROW_NUMBER} BIGINT", *(f"{quote(name)} VARCHAR" for name in columns)])
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({declared})")
    for batch in batched(rows, BATCH_ROWS):
        numbers, marks, cells = zip(*batch, strict=True)
        arrays = [numbers, marks, *zip(*cells, strict=True)]
        incoming = pa.Table.from_arrays(
            [pa.array(v, f.type) for v, f in zip(arrays, schema, strict=True)], schema=schema
        )
        connection.register("incoming", incoming)
        connection.execute(f"INSERT INTO {table} SELECT * FROM incoming")
        connection.unregister("incoming")


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
            raise SourceFileError(message)

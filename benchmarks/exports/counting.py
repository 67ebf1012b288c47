"""How many rows a file holds, counted a second time: by DuckDB, pyarrow or by bytes, never by what wrote the file."""

import io
import json
import re
import tempfile
import zipfile
from pathlib import Path

import duckdb
from pyarrow import parquet

from benchmarks.exports.truth import File


def rows_in(file: File) -> int:
    """Count the rows below the header; items where a line holds several. Blank lines are no rows."""
    kind = file.dialect.kind
    if not file.content:
        return 0
    if kind == "parquet":
        return int(parquet.read_metadata(io.BytesIO(file.content)).num_rows)
    if kind == "jsonl":
        return sum(len(json.loads(line)["items"]) for line in file.content.splitlines() if line.strip())
    if kind == "excel":
        with zipfile.ZipFile(io.BytesIO(file.content)) as book:
            sheet = book.read(next(name for name in book.namelist() if "worksheets/sheet" in name))
        return len(re.findall(rb"<row[ >]", sheet)) - 1
    return _text_rows(file)


def _text_rows(file: File) -> int:
    text = file.content.decode(file.dialect.encoding)
    lines = [line for line in text.split(file.dialect.newline) if line.strip()]
    if not lines:
        return 0
    if file.dialect.quoting == "none" or "\n" not in text.replace(file.dialect.newline, ""):
        quotes = [line.count('"') % 2 for line in lines]
        if file.dialect.quoting == "none" or sum(quotes) <= 1:
            return len(lines) - 1
    return _duckdb_rows(text, file)


def _duckdb_rows(text: str, file: File) -> int:
    """DuckDB's count, ragged rows too: for files whose cells hold line ends."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder, "file.csv")
        path.write_bytes(text.lstrip("\ufeff").replace(file.dialect.newline, "\n").encode())
        found = connection.execute(
            "select count(*) from read_csv(?, delim = ?, header = true, all_varchar = true, quote = '\"', "
            "escape = '\"', null_padding = true, strict_mode = false, parallel = false)",
            [str(path), file.dialect.delimiter],
        ).fetchone()
    return int(found[0]) if found else 0

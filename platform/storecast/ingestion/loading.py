"""Loading: landed files to bronze, each once under its feed's mapping; bronze is what landing and mapping make it.

`ops.loads` says which file was loaded by which mapping. A file whose mapping changed is loaded anew, one whose feed is
gone is taken out again; the landed bytes stay.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from storecast.ingestion.contracts import ENTITIES, OPS_TABLES, LandedFiles, bronze_ddl, bronze_types, table_ddl
from storecast.ingestion.landing import LandedFile
from storecast.ingestion.readers import open_rows, staging
from storecast.ingestion.sources.base import MALFORMED, RAW, ROW_NUMBER, Feed, Source, SourceFileError
from storecast.warehouse import Warehouse
from storecast.warehouse.database import quote

BATCH_ROWS = 100_000


@dataclass(frozen=True)
class Load:
    """A landed file, the feed that maps it, the files it joins, and the mapping's fingerprint."""

    file: LandedFile
    feed: Feed
    entity: str
    joined: dict[str, tuple[Feed, LandedFile]]
    mapping_hash: str


def ensure_tables(warehouse: Warehouse) -> None:
    """Make every bronze table and this room's ops tables where they are not there yet.

    A bronze table whose columns are no longer the contract's is made anew; its loads are forgotten, so that the landed
    files fill it again.
    """
    with warehouse.writing() as connection:
        for table in OPS_TABLES:
            connection.execute(table_ddl(table))
        for entity in ENTITIES:
            stored = connection.execute(
                "SELECT column_name FROM information_schema.columns "
                "WHERE table_schema = 'bronze' AND table_name = ? ORDER BY ordinal_position",
                [entity],
            ).fetchall()
            if stored and [row[0] for row in stored] != list(bronze_types(entity)):
                connection.execute(f"DROP TABLE bronze.{entity}")
                connection.execute("DELETE FROM ops.loads WHERE entity = ?", [entity])
                connection.execute("DELETE FROM ops.quarantine WHERE entity = ?", [entity])
            connection.execute(bronze_ddl(entity))


def landed_table(warehouse: Warehouse, landed: Sequence[LandedFile]) -> pd.DataFrame:
    """Return the manifest as `ops.landed_files` holds it, with the rows of what is loaded already."""
    ensure_tables(warehouse)
    loads = warehouse.read("SELECT feed, file_sha256, rows FROM ops.loads")
    columns = list(LandedFiles.to_schema().columns)
    entries = pd.DataFrame([asdict(file) for file in landed]).merge(loads, on=["feed", "file_sha256"], how="left")
    return entries[columns].astype({"rows": "Int64"})


def load_entity(
    warehouse: Warehouse,
    source: Source,
    landed: Sequence[LandedFile],
    entity: str,
    landing_dir: Path,
    now: datetime,
    on_file: Callable[[str, int], None] = lambda _path, _rows: None,
) -> int:
    """Bring an entity's bronze table up to date, and return the number of rows loaded.

    Each file is one transaction: wholly there or not at all. `on_file` is told each file's path and rows. Files that
    cannot be read do not keep the others from being loaded; then `SourceFileError` names them all.
    """
    ensure_tables(warehouse)
    wanted = {(load.feed.name, load.file.file_sha256): load for load in _wanted(source, landed, entity)}
    done = warehouse.read("SELECT feed, file_sha256, mapping_hash FROM ops.loads WHERE entity = ?", [entity])
    stored = {(row.feed, row.file_sha256): row.mapping_hash for row in done.itertuples()}
    for feed, sha256 in stored.keys() - wanted.keys():
        with warehouse.writing() as connection:
            _unload(connection, entity, feed, sha256)
    rows, unreadable = 0, []
    for key, load in wanted.items():
        if stored.get(key) == load.mapping_hash:
            continue
        try:
            count = load_file(warehouse, load, landing_dir, now)
        except SourceFileError as error:
            unreadable.append(str(error))
            continue
        rows += count
        on_file(load.file.path, count)
    if unreadable:
        raise SourceFileError("\n".join(unreadable))
    return rows


def load_file(warehouse: Warehouse, load: Load, landing_dir: Path, now: datetime) -> int:
    """Replace a file's rows in bronze by what its mapping makes of it, and return their number.

    The file is read before the warehouse is asked for; `now` is noted as the time of loading. Raises `SourceFileError`
    where the file cannot be read as its feed says, or another feed loaded the same content.
    """
    file, entity = load.file, load.entity
    columns = ", ".join(quote(name) for name in bronze_types(entity))
    with mapped_rows(load, landing_dir) as incoming, warehouse.writing() as connection:
        _refuse_same_content(connection, load)
        _unload(connection, entity, load.feed.name, file.file_sha256)
        connection.register("incoming", incoming)
        connection.execute(f"INSERT INTO bronze.{entity} ({columns}) SELECT {columns} FROM incoming")
        rows, numbers = _one_row(
            connection,
            f"SELECT count(*), count(DISTINCT row_number) FROM bronze.{entity} WHERE file_sha256 = ? AND feed = ?",
            [file.file_sha256, load.feed.name],
        )
        if rows != numbers:
            message = f"feed {load.feed.name}: {rows} rows of {file.path} share {numbers} row numbers; mend its `rows`"
            raise ValueError(message)
        connection.execute(
            "INSERT INTO ops.loads VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
            [file.source, load.feed.name, entity, file.file_sha256, rows, load.mapping_hash, now],
        )
        connection.execute(
            "UPDATE ops.landed_files SET rows = ? WHERE feed = ? AND file_sha256 = ?",
            [rows, load.feed.name, file.file_sha256],
        )
    return int(rows)


@contextmanager
def mapped_rows(load: Load, landing_dir: Path) -> Iterator[pa.RecordBatchReader]:
    """Read a landed file and give its rows as bronze holds them, a batch at a time."""
    file, feed = load.file, load.feed
    with closing(staging(landing_dir / "spill")) as connection:
        open_rows(connection, "raw", file.stored(landing_dir), file.path, feed)
        for name, (joined_feed, joined) in load.joined.items():
            open_rows(connection, name, joined.stored(landing_dir), joined.path, joined_feed)
        try:
            mapped = connection.execute(
                _mapping_sql(load), [file.source, feed.name, file.file_sha256, file.landed_at]
            ).to_arrow_reader(BATCH_ROWS)
        except duckdb.Error as error:
            message = f"{file.path} (feed {feed.name}) does not fit its mapping: {error}"
            raise SourceFileError(message) from error
        yield mapped


def _wanted(source: Source, landed: Sequence[LandedFile], entity: str) -> list[Load]:
    return [
        _load(source, landed, feed, entity, file)
        for feed in source.feeds_of(entity)
        for file in landed
        if file.feed == feed.name
    ]


def _load(source: Source, landed: Sequence[LandedFile], feed: Feed, entity: str, file: LandedFile) -> Load:
    joined = {}
    for name, joined_feed in feed.alongside.items():
        files = [other for other in landed if other.feed == joined_feed]
        if not files:
            pattern = source.feed(joined_feed).pattern
            message = f"{file.path} (feed {feed.name}) needs {pattern} beside it: put the file into {source.folder}"
            raise SourceFileError(message)
        joined[name] = (source.feed(joined_feed), files[-1])
    joined_sha256 = {name: other.file_sha256 for name, (_, other) in joined.items()}
    return Load(file, feed, entity, joined, feed.mapping_hash(joined_sha256))


def _mapping_sql(load: Load) -> str:
    """Return the query from the file's rows to bronze's; an empty cell is null, a malformed row has its mark only."""
    feed = load.feed
    raw = f"CASE WHEN {MALFORMED} IS NULL THEN {RAW if feed.keeps_raw else 'NULL'} ELSE {MALFORMED} END"
    identity = ["?", "?", "?", ROW_NUMBER, "CAST(? AS TIMESTAMP)", f"CAST({raw} AS VARCHAR)"]
    cells = [
        f"CASE WHEN {MALFORMED} IS NULL THEN nullif(CAST({feed.columns.get(name, 'NULL')} AS VARCHAR), '') END"
        for name in ENTITIES[load.entity].columns
    ]
    selected = ", ".join(
        f"{expression} AS {quote(name)}"
        for expression, name in zip([*identity, *cells], bronze_types(load.entity), strict=True)
    )
    return f"SELECT {selected} FROM {feed.rows}"


def _refuse_same_content(connection: duckdb.DuckDBPyConnection, load: Load) -> None:
    other = connection.execute(
        f"SELECT feed FROM bronze.{load.entity} WHERE file_sha256 = ? AND feed <> ? LIMIT 1",
        [load.file.file_sha256, load.feed.name],
    ).fetchone()
    if other is not None:
        message = (
            f"{load.file.path} (feed {load.feed.name}) has the very content of a file of feed {other[0]}: "
            "its rows would count twice; let one feed take it"
        )
        raise SourceFileError(message)


def _unload(connection: duckdb.DuckDBPyConnection, entity: str, feed: str, sha256: str) -> None:
    """Take a file's rows out of bronze, with what was noted of them."""
    connection.execute(f"DELETE FROM bronze.{entity} WHERE feed = ? AND file_sha256 = ?", [feed, sha256])
    connection.execute("DELETE FROM ops.quarantine WHERE entity = ? AND file_sha256 = ?", [entity, sha256])
    connection.execute(
        "DELETE FROM ops.loads WHERE entity = ? AND feed = ? AND file_sha256 = ?", [entity, feed, sha256]
    )


def _one_row(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[str]) -> tuple[int, int]:
    row = connection.execute(sql, parameters).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)

"""Staging: landed files read and mapped in a database in memory, until their rows are written to bronze together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa

from storecast.ingestion.contracts import ENTITIES, bronze_ddl, bronze_types
from storecast.ingestion.landing import LandedFile
from storecast.ingestion.orders.completing import completed
from storecast.ingestion.reading.relations import FileCount, open_rows
from storecast.ingestion.sources.base import MALFORMED, RAW, ROW_NUMBER, Feed, MappingError
from storecast.ingestion.values.columns import read_values
from storecast.warehouse.database import quote

BATCH_ROWS = 100_000


@dataclass(frozen=True)
class Load:
    """A landed file, the feed that maps it, the files it joins, and the mapping's fingerprint."""

    file: LandedFile
    feed: Feed
    joined: Mapping[str, tuple[Feed, LandedFile]]
    mapping_hash: str


class Staging:
    """Rows of one entity on their way from landed files to bronze. Close it after use."""

    def __init__(self, entity: str, landing_dir: Path) -> None:
        self.entity = entity
        self.landing_dir = landing_dir
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET temp_directory = ?", [str(landing_dir / "spill")])
        self._connection.execute("CREATE SCHEMA bronze")
        self._connection.execute(bronze_ddl(entity))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the rows."""
        self._connection.close()

    def add(self, load: Load) -> tuple[int, FileCount]:
        """Read a file, map it, keep its rows, and return their number and what the file holds.

        Raises `SourceFileError` where the file cannot be read as its feed says, and its `MappingError` where it does
        not fit its mapping; then none of its rows is kept.
        """
        file, feed = load.file, load.feed
        count = open_rows(self._connection, "raw", file.stored(self.landing_dir), file.path, feed)
        for name, (joined_feed, joined) in load.joined.items():
            open_rows(self._connection, name, joined.stored(self.landing_dir), joined.path, joined_feed)
        columns = ", ".join(map(quote, bronze_types(self.entity)))
        try:
            feed = read_values(feed, file.path, lambda sql: self._connection.execute(sql).fetchall())
            self._connection.execute(
                f"INSERT INTO bronze.{self.entity} ({columns}) {mapping_sql(feed, self.entity)}",
                [file.source, feed.name, file.file_sha256, file.landed_at],
            )
        except duckdb.Error as error:
            message = f"{file.path} (feed {feed.name}) does not fit its mapping: {error}"
            raise MappingError(message) from error
        return self._count(load), count

    def discard(self, load: Load) -> None:
        """Drop a file's rows."""
        self._connection.execute(
            f"DELETE FROM bronze.{self.entity} WHERE file_sha256 = ? AND feed = ?",
            [load.file.file_sha256, load.feed.name],
        )

    def reader(self) -> pa.RecordBatchReader:
        """Return all rows kept, as bronze holds them, a batch at a time."""
        return self._connection.execute(f"SELECT * FROM bronze.{self.entity}").to_arrow_reader(BATCH_ROWS)

    def clear(self) -> None:
        """Drop all rows."""
        self._connection.execute(f"TRUNCATE bronze.{self.entity}")

    def _count(self, load: Load) -> int:
        counts = self._connection.execute(
            f"SELECT count(*), count(DISTINCT row_number) FROM bronze.{self.entity} WHERE file_sha256 = ? AND feed = ?",
            [load.file.file_sha256, load.feed.name],
        ).fetchone()
        rows, numbers = counts or (0, 0)
        if rows != numbers:
            message = f"feed {load.feed.name}: {rows} rows of {load.file.path} share {numbers} numbers; mend its `rows`"
            raise ValueError(message)
        return int(rows)


def mapping_sql(feed: Feed, entity: str) -> str:
    """Return the query from a file's rows to bronze's, with four parameters: source, feed, file_sha256, landed_at.

    An empty cell is null; a malformed row has its mark in `raw` and nothing else.
    """
    raw = f"CASE WHEN {MALFORMED} IS NULL THEN {RAW if feed.keeps_raw else 'NULL'} ELSE {MALFORMED} END"
    identity = ["?", "?", "?", ROW_NUMBER, "CAST(? AS TIMESTAMP)", f"CAST({raw} AS VARCHAR)", "NULL"]
    cells = [
        f"CASE WHEN {MALFORMED} IS NULL THEN nullif(CAST({feed.columns.get(name, 'NULL')} AS VARCHAR), '') END"
        for name in ENTITIES[entity].columns
    ]
    named = zip([*identity, *cells], bronze_types(entity), strict=True)
    mapped = f"SELECT {', '.join(f'{cell} AS {quote(name)}' for cell, name in named)} FROM {feed.rows}"
    return completed(mapped, feed, entity)

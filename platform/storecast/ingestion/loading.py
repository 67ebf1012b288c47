"""Loading: landed files to bronze, each once under its feed's mapping; bronze is what landing and mapping make it.

`ops.loads` says which file was loaded by which mapping. A file whose mapping changed is loaded anew, one whose feed is
gone is taken out again; the landed bytes stay.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd

from storecast.ingestion.contracts import (
    ENTITIES,
    OPS_TABLES,
    LandedFiles,
    bronze_ddl,
    bronze_types,
    table_ddl,
)
from storecast.ingestion.landing import LandedFile
from storecast.ingestion.sources.base import Feed, Source, SourceFileError
from storecast.ingestion.staging import Load, Staging
from storecast.warehouse import Warehouse
from storecast.warehouse.database import insert_rows, quote

GROUP_ROWS = 500_000
"""So many rows are read before the warehouse is asked for: opening it costs more than a small file's rows."""


@dataclass(frozen=True)
class Plan:
    """What makes an entity's bronze table what landing and mapping say.

    - `gone`: (feed, file_sha256) that no feed wants any more.
    - `pending`: loads to make, oldest landing first.
    - `owners`: which feed's rows of a content stay.
    """

    gone: list[tuple[str, str]]
    pending: list[Load]
    owners: dict[str, str]


def ensure_tables(warehouse: Warehouse) -> None:
    """Make every bronze table and this room's ops tables where they are not there yet.

    A bronze table whose columns are no longer the contract's is made anew; its loads are forgotten, so that the landed
    files fill it again.
    """
    wanted = {f"bronze.{entity}": list(bronze_types(entity)) for entity in ENTITIES}
    stored = _stored_columns(warehouse)
    outdated = [table for table, columns in wanted.items() if stored.get(table, columns) != columns]
    if not outdated and stored.keys() >= {*wanted, *OPS_TABLES}:
        return
    with warehouse.writing() as connection:
        for table in OPS_TABLES:
            connection.execute(table_ddl(table))
        for table in outdated:
            entity = table.removeprefix("bronze.")
            connection.execute(f"DROP TABLE {table}")
            connection.execute("DELETE FROM ops.loads WHERE entity = ?", [entity])
            connection.execute("DELETE FROM ops.quarantine WHERE entity = ?", [entity])
        for entity in ENTITIES:
            connection.execute(bronze_ddl(entity))


def _stored_columns(warehouse: Warehouse) -> dict[str, list[str]]:
    """Return the columns of this room's tables as they are, by table."""
    if not warehouse.path.exists():
        return {}
    stored = warehouse.read(
        "SELECT table_schema || '.' || table_name AS stored, list(column_name ORDER BY ordinal_position) AS names "
        "FROM information_schema.columns WHERE table_schema IN ('bronze', 'ops') GROUP BY stored"
    )
    return {row.stored: list(row.names) for row in stored.itertuples()}


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

    Files are written in groups, each one transaction: a file is wholly there or not at all. `now` (UTC) is noted as
    `loaded_at`; `on_file` is told each file's path and rows. Files that cannot be read do not keep the others from
    being loaded; then `SourceFileError` names them all.
    """
    ensure_tables(warehouse)
    plan = plan_loads(warehouse, source, landed, entity)
    if plan.gone:
        with warehouse.writing() as connection:
            _unload(connection, entity, plan.gone)
    total = 0
    unreadable: list[str] = []
    waiting: list[tuple[Load, int]] = []
    with Staging(entity, landing_dir) as staging:
        for load in plan.pending:
            try:
                rows = _stage(staging, load, plan.owners)
            except SourceFileError as error:
                unreadable.append(str(error))
                continue
            waiting.append((load, rows))
            on_file(load.file.path, rows)
            if sum(rows for _, rows in waiting) >= GROUP_ROWS:
                total += _write(warehouse, staging, waiting, now)
        total += _write(warehouse, staging, waiting, now)
    if unreadable:
        raise SourceFileError("\n".join(unreadable))
    return total


def plan_loads(warehouse: Warehouse, source: Source, landed: Sequence[LandedFile], entity: str) -> Plan:
    """Compare what is loaded with what has landed.

    Raises `SourceFileError` where a feed joins a file that never landed.
    """
    wanted = {
        (feed.name, file.file_sha256): _load(source, landed, feed, file)
        for feed in source.feeds_of(entity)
        for file in landed
        if file.feed == feed.name
    }
    loads = warehouse.read("SELECT feed, file_sha256, mapping_hash, rows FROM ops.loads WHERE entity = ?", [entity])
    stored = {(row.feed, row.file_sha256): row.mapping_hash for row in loads.itertuples()}
    return Plan(
        gone=[key for key in stored if key not in wanted],
        pending=[load for key, load in wanted.items() if stored.get(key) != load.mapping_hash],
        owners={row.file_sha256: row.feed for row in loads[loads["rows"] > 0].itertuples() if row[1:3] in wanted},
    )


def _load(source: Source, landed: Sequence[LandedFile], feed: Feed, file: LandedFile) -> Load:
    joined = {}
    for name, joined_feed in feed.alongside.items():
        files = [other for other in landed if other.feed == joined_feed]
        if not files:
            pattern = source.feed(joined_feed).pattern
            message = f"{file.path} (feed {feed.name}) needs {pattern} beside it: put that file into {source.folder}"
            raise SourceFileError(message)
        joined[name] = (source.feed(joined_feed), files[-1])
    joined_sha256 = {name: other.file_sha256 for name, (_, other) in joined.items()}
    return Load(file, feed, joined, feed.mapping_hash(joined_sha256))


def _stage(staging: Staging, load: Load, owners: dict[str, str]) -> int:
    """Read a file, and refuse it where another feed's rows have the very same identities."""
    rows = staging.add(load)
    owner = owners.setdefault(load.file.file_sha256, load.feed.name) if rows else load.feed.name
    if owner != load.feed.name:
        staging.discard(load)
        message = (
            f"{load.file.path} (feed {load.feed.name}) has the very content of a file of feed {owner}: "
            "its rows would count twice; let one feed take it"
        )
        raise SourceFileError(message)
    return rows


def _write(warehouse: Warehouse, staging: Staging, waiting: list[tuple[Load, int]], now: datetime) -> int:
    """Put the staged files into bronze in one transaction, forget them here, and return their rows."""
    if not waiting:
        return 0
    entity = staging.entity
    columns = ", ".join(map(quote, bronze_types(entity)))
    noted = pd.DataFrame(
        [
            {**asdict(load.file), "rows": rows, "mapping_hash": load.mapping_hash, "entity": entity, "loaded_at": now}
            for load, rows in waiting
        ]
    ).drop(columns=["path", "bytes", "landed_at", "delivered_by"])
    with warehouse.writing() as connection:
        _unload(connection, entity, [(load.feed.name, load.file.file_sha256) for load, _ in waiting])
        connection.register("staged", staging.reader())
        connection.execute(f"INSERT INTO bronze.{entity} ({columns}) SELECT {columns} FROM staged")
        insert_rows(connection, "ops.loads", noted)
        connection.register("noted", noted)
        connection.execute(
            "UPDATE ops.landed_files SET rows = noted.rows FROM noted "
            "WHERE landed_files.feed = noted.feed AND landed_files.file_sha256 = noted.file_sha256"
        )
    total = sum(rows for _, rows in waiting)
    waiting.clear()
    staging.clear()
    return total


def _unload(connection: duckdb.DuckDBPyConnection, entity: str, loads: Collection[tuple[str, str]]) -> None:
    """Take files' rows out of bronze, with what was noted of them."""
    connection.register("unloaded", pd.DataFrame(loads, columns=["feed", "file_sha256"]))
    connection.execute(
        f"DELETE FROM bronze.{entity} WHERE (feed, file_sha256) IN (SELECT feed, file_sha256 FROM unloaded)"
    )
    connection.execute(
        "DELETE FROM ops.quarantine WHERE entity = ? AND file_sha256 IN (SELECT file_sha256 FROM unloaded)", [entity]
    )
    connection.execute(
        "DELETE FROM ops.loads WHERE entity = ? AND (feed, file_sha256) IN (SELECT feed, file_sha256 FROM unloaded)",
        [entity],
    )
    connection.unregister("unloaded")

"""Loading: landed files to bronze, each once under its feed's mapping; bronze is what landing and mapping make it.

`ops.loads` says which file was loaded by which mapping. A file whose mapping changed is loaded again, one that was let
go is taken out; the landed bytes stay. A file that cannot be read is set aside with its reason, and tried again at the
next run as long as it lies in the source's folder.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from storecast.ingestion.account_contracts import OPS_TABLES, table_ddl
from storecast.ingestion.contracts import ENTITIES, bronze_ddl, bronze_types
from storecast.ingestion.landing import LandedFile
from storecast.ingestion.sources.base import Feed, MappingError, Source, SourceFileError
from storecast.ingestion.staging import Load, Staging
from storecast.warehouse import Warehouse
from storecast.warehouse.database import insert_rows, quote

GROUP_ROWS = 500_000
"""So many rows are read before the warehouse is asked for: opening it costs more than a small file's rows."""


TOLD_ONE_BY_ONE, TOLD_EVERY = 100, 1_000
"""Each line is an event that Dagster stores: a line a file would take longer than the file."""

NOTED_TYPES = {"lines": "Int64", "note": "string", "reason": "string"}
"""Columns that are often all null, whose type pandas would guess."""


@dataclass(frozen=True)
class Plan:
    """What makes an entity's bronze table what landing and mapping say.

    - `gone`: (feed, file_sha256) that no feed wants any more.
    - `pending`: loads to make, oldest delivery first.
    - `delivered`: files whose place in the order of deliveries is another one now.
    - `owners`: which feed's rows of a content stay.
    """

    gone: list[tuple[str, str]]
    pending: list[Load]
    delivered: list[LandedFile]
    owners: dict[str, str]


@dataclass
class Loaded:
    """What a loading did: rows put into bronze, why files were set aside, feeds whose mapping did not fit a file."""

    rows: int = 0
    set_aside: list[str] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Staged:
    """A file on its way to bronze: its rows, or the reason why it is set aside."""

    load: Load
    rows: int = 0
    lines: int | None = None
    note: str | None = None
    reason: str | None = None
    is_misfit: bool = False


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
            connection.execute("DELETE FROM ops.withdrawn_rows WHERE entity = ?", [entity])
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


def load_entity(
    warehouse: Warehouse,
    source: Source,
    landed: Sequence[LandedFile],
    entity: str,
    landing_dir: Path,
    now: datetime,
    report: Callable[[str], None] = lambda _line: None,
) -> Loaded:
    """Bring an entity's bronze table up to date, and return the rows loaded and the reasons of what was set aside.

    Files are written in groups, each one transaction: a file is wholly there or not at all. `now` (UTC) is noted as
    `loaded_at`; `report` is told each file, or of many files each thousand. Raises `MappingError` where the
    mapping fits none of the files that the entity ever had.
    """
    ensure_tables(warehouse)
    plan = plan_loads(warehouse, source, landed, entity)
    if plan.gone or plan.delivered:
        with warehouse.writing() as connection:
            _unload(connection, entity, plan.gone)
            _note_deliveries(connection, entity, plan.delivered, now)
    loaded = Loaded()
    waiting: list[_Staged] = []
    rows_waiting = 0
    with Staging(entity, landing_dir) as staging:
        for number, load in enumerate(plan.pending, start=1):
            staged = _stage(staging, load, plan.owners)
            if staged.reason is not None:
                if not load.file.is_present:
                    continue  # it never could be read, and is gone: nothing is lost by letting it go
                loaded.set_aside.append(staged.reason)
                loaded.misfits.extend([load.feed.name] if staged.is_misfit else [])
            waiting.append(staged)
            rows_waiting += staged.rows
            if len(plan.pending) <= TOLD_ONE_BY_ONE:
                report(f"{load.file.path}: {staged.rows:,} rows to bronze.{entity}")
            elif number % TOLD_EVERY == 0:
                report(f"{number:,} of {len(plan.pending):,} files read for bronze.{entity}")
            if rows_waiting >= GROUP_ROWS:
                loaded.rows += _write(warehouse, staging, waiting, now)
                rows_waiting = 0
        loaded.rows += _write(warehouse, staging, waiting, now)
    _refuse_misfits(warehouse, entity, loaded)
    return loaded


def _refuse_misfits(warehouse: Warehouse, entity: str, loaded: Loaded) -> None:
    """Raise where a mapping fits no file of the entity at all: it is the mapping that is wrong, not a file."""
    if not loaded.misfits:
        return
    fit = warehouse.read("SELECT 1 FROM ops.loads WHERE entity = ? AND reason IS NULL LIMIT 1", [entity])
    if fit.empty:
        raise MappingError("\n".join(loaded.set_aside))


def plan_loads(warehouse: Warehouse, source: Source, landed: Sequence[LandedFile], entity: str) -> Plan:
    """Compare what is loaded with what has landed.

    Raises `SourceFileError` where a feed joins a file that never landed.
    """
    wanted = {
        (feed.name, file.file_sha256): _load(source, landed, feed, file)
        for feed in source.feeds_of(entity)
        for file in landed
        if file.feed == feed.name and file.state == "kept"
    }
    loads = warehouse.read(
        "SELECT feed, file_sha256, mapping_hash, rows, delivered_at, reason FROM ops.loads WHERE entity = ?", [entity]
    )
    stored = {(row.feed, row.file_sha256): row for row in loads.itertuples()}
    lost = {key for key, row in stored.items() if not pd.isna(row.reason)}
    settled = {key for key, row in stored.items() if key in wanted and row.mapping_hash == wanted[key].mapping_hash}
    return Plan(
        gone=[key for key in stored if key not in wanted or (key in lost and not wanted[key].file.is_present)],
        pending=[load for key, load in wanted.items() if key not in settled or key in lost],
        delivered=[wanted[key].file for key in settled if stored[key].delivered_at != wanted[key].file.delivered_at],
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


def _stage(staging: Staging, load: Load, owners: dict[str, str]) -> _Staged:
    """Read a file; one that cannot be read, or whose rows another feed has already, comes with its reason."""
    try:
        rows, count = staging.add(load)
    except MappingError as error:
        return _Staged(load, reason=str(error), is_misfit=True)
    except SourceFileError as error:
        return _Staged(load, reason=str(error))
    owner = owners.setdefault(load.file.file_sha256, load.feed.name) if rows else load.feed.name
    if owner != load.feed.name:
        staging.discard(load)
        reason = (
            f"{load.file.path} (feed {load.feed.name}) has the very content of a file of feed {owner}: "
            "its rows would count twice; let one feed take it"
        )
        return _Staged(load, reason=reason)
    return _Staged(load, rows, count.lines, count.note)


def _write(warehouse: Warehouse, staging: Staging, waiting: list[_Staged], now: datetime) -> int:
    """Put the staged files into bronze in one transaction, forget them here, and return their rows."""
    if not waiting:
        return 0
    entity = staging.entity
    columns = ", ".join(map(quote, bronze_types(entity)))
    noted = pd.DataFrame([_noted(staged, entity, now) for staged in waiting]).astype(NOTED_TYPES)
    with warehouse.writing() as connection:
        _unload(connection, entity, [(staged.load.feed.name, staged.load.file.file_sha256) for staged in waiting])
        connection.register("staged", staging.reader())
        connection.execute(f"INSERT INTO bronze.{entity} ({columns}) SELECT {columns} FROM staged")
        insert_rows(connection, "ops.loads", noted)
    total = sum(staged.rows for staged in waiting)
    waiting.clear()
    staging.clear()
    return total


def _noted(staged: _Staged, entity: str, now: datetime) -> dict[str, Any]:
    """Return a file's row of `ops.loads`."""
    file = staged.load.file
    return {
        "source": file.source,
        "feed": file.feed,
        "entity": entity,
        "file_sha256": file.file_sha256,
        "lines": staged.lines,
        "rows": staged.rows,
        "mapping_hash": staged.load.mapping_hash,
        "delivered_at": file.delivered_at,
        "loaded_at": now,
        "note": staged.note,
        "reason": staged.reason,
    }


def _note_deliveries(
    connection: duckdb.DuckDBPyConnection, entity: str, files: Sequence[LandedFile], now: datetime
) -> None:
    """Note another order of deliveries; `loaded_at` moves with it, so that silver looks at the rows again."""
    if not files:
        return
    moved = [{"feed": file.feed, "file_sha256": file.file_sha256, "moment": file.delivered_at} for file in files]
    connection.register("moved", pd.DataFrame(moved))
    connection.execute(
        "UPDATE ops.loads SET delivered_at = moved.moment, loaded_at = ? FROM moved "
        "WHERE loads.entity = ? AND loads.feed = moved.feed AND loads.file_sha256 = moved.file_sha256",
        [now, entity],
    )
    connection.unregister("moved")


def _unload(connection: duckdb.DuckDBPyConnection, entity: str, loads: Collection[tuple[str, str]]) -> None:
    """Take files' rows out of bronze, with what was noted of them."""
    if not loads:
        return
    connection.register("unloaded", pd.DataFrame(loads, columns=["feed", "file_sha256"]))
    connection.execute(
        f"DELETE FROM bronze.{entity} WHERE (feed, file_sha256) IN (SELECT feed, file_sha256 FROM unloaded)"
    )
    for table in ("ops.quarantine", "ops.withdrawn_rows"):
        connection.execute(
            f"DELETE FROM {table} WHERE entity = ? AND file_sha256 IN (SELECT file_sha256 FROM unloaded)", [entity]
        )
    connection.execute(
        "DELETE FROM ops.loads WHERE entity = ? AND (feed, file_sha256) IN (SELECT feed, file_sha256 FROM unloaded)",
        [entity],
    )
    connection.unregister("unloaded")

"""Publishing: an immutable copy of the tables people read, and a pointer moved to it in one step.

Readers open the pointer, read-only; they are never refused, never block the pipeline, and never see half a publication.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from storecast.warehouse.database import Warehouse, content_hash, once_unlocked, quote
from storecast.warehouse.lease import Lease

PUBLISHED_SCHEMAS = ("silver", "gold", "ops")
KEPT_COPIES = 3


@dataclass(frozen=True)
class Publication:
    """One published copy: its file, the hash of its columns and rows, its tables' row counts, and whether it is new."""

    path: Path
    content: str
    rows: dict[str, int]
    is_new: bool


def publish(warehouse: Warehouse, pointer: Path) -> Publication:
    """Copy silver, gold and ops to an immutable file beside `pointer` and move the pointer to it.

    The file is named by its content, so publishing the same rows twice makes no second copy. Killed at any moment, the
    pointer leads to the former copy or to the new one. Publishers wait for each other.
    """
    with Lease(pointer, warehouse.lease.timeout_seconds).exclusive():  # or a slow publisher moves the pointer back
        building = pointer.with_name(f".building{pointer.suffix}")
        with warehouse.lease.shared():
            rows, content = _copy(warehouse, building)
        return _move_pointer(pointer, building, rows, content)


def _move_pointer(pointer: Path, building: Path, rows: dict[str, int], content: str) -> Publication:
    target = pointer.with_name(f"{pointer.stem}-{content}{pointer.suffix}")
    is_new = not target.exists()
    if is_new:
        _sync(building)
        building.replace(target)
    else:
        building.unlink()
    if not (pointer.is_symlink() and pointer.readlink() == Path(target.name)):
        _point(pointer, target)
    target.touch()
    _remove_old(pointer, target)
    return Publication(path=target, content=content, rows=rows, is_new=is_new)


def _copy(warehouse: Warehouse, target: Path) -> tuple[dict[str, int], str]:
    target.unlink(missing_ok=True)
    target.with_name(f"{target.name}.wal").unlink(missing_ok=True)  # of a publisher that was killed
    rows: dict[str, int] = {}
    hashes: list[str] = []
    with duckdb.connect() as connection:
        attach = f"attach {_literal(warehouse.path)} as source (read_only)"
        once_unlocked(lambda: connection.execute(attach), warehouse.lease.timeout_seconds)
        connection.execute(f"attach {_literal(target)} as target")
        for schema, table in _tables(connection, PUBLISHED_SCHEMAS):
            name = f"{quote(schema)}.{quote(table)}"
            connection.execute(f"create schema if not exists target.{quote(schema)}")
            connection.execute(f"create table target.{name} as from source.{name}")
            columns = connection.execute(f"describe target.{name}").fetchall()
            hashes.append(f"{name}:{columns}:{content_hash(connection, f'target.{name}')}")
            counted = connection.execute(f"select count(*) from target.{name}").fetchone()
            rows[f"{schema}.{table}"] = int(counted[0]) if counted else 0
        digest = connection.execute("select sha256(?)", ["\n".join(hashes)]).fetchone()
        connection.execute("checkpoint target")
    if digest is None:
        message = f"{warehouse.path} holds nothing to publish"
        raise RuntimeError(message)
    return rows, str(digest[0])[:16]


def _tables(connection: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> list[tuple[str, str]]:
    return connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'source' "
        "and schema_name in (select unnest(?)) order by all",
        [list(schemas)],
    ).fetchall()


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _point(pointer: Path, target: Path) -> None:
    link = pointer.with_name(".pointer")
    link.unlink(missing_ok=True)
    link.symlink_to(target.name)
    link.replace(pointer)


def _remove_old(pointer: Path, current: Path) -> None:
    copies = sorted(pointer.parent.glob(f"{pointer.stem}-*{pointer.suffix}"), key=lambda copy: copy.stat().st_mtime)
    for copy in copies[:-KEPT_COPIES]:
        if copy != current:
            copy.unlink(missing_ok=True)

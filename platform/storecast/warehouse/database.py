"""The warehouse file: every statement on it runs under a lease and on a connection of its own."""

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import duckdb
import pandas as pd
import pyarrow

from storecast.settings import Settings
from storecast.warehouse.lease import Lease, LeaseTimeoutError, Patience

POLL_SECONDS, LONGEST_POLL_SECONDS = 0.1, 1.0
BATCH_ROWS = 1_000_000
SCHEMAS = ("bronze", "silver", "gold", "ops")
UNREADABLE = (duckdb.IOException, duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException)
"""What DuckDB raises for a file that it cannot read."""
WAY_OUT = (
    "Restore it from a backup, or move it away: `storecast run` builds it anew from the files that have landed, "
    "without what was published and decided before"
)
_HOLDER = re.compile(r"lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")


class DamagedFileError(RuntimeError):
    """A database file cannot be opened: it is truncated, damaged, or not ours to read."""


class Warehouse:
    """The pipeline's DuckDB file.

    Tables are named ``schema.table``. Frames are pandas. Every method takes and gives back the lease; hold it no longer
    than a statement needs, and never while a model fits.
    """

    def __init__(self, path: Path, lease_timeout_seconds: float = 900.0) -> None:
        self.path = Path(path)
        self.lease = Lease(self.path, lease_timeout_seconds)

    @classmethod
    def of(cls, settings: Settings, patience_seconds: float | None = None) -> Self:
        """Return the data folder's warehouse; the settings say how long it is waited for, unless `patience_seconds`."""
        return cls(settings.warehouse_path, patience_seconds or settings.lease_timeout_seconds)

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file to read, together with other readers.

        Raises `FileNotFoundError` where no run has made the file yet.
        """
        if not self.path.exists():
            message = f"there is no warehouse at {self.path} yet: `storecast run` makes it"
            raise FileNotFoundError(message)
        with self.lease.shared(), self._connected(read_only=True) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file to write, alone, in one transaction: all of the block is kept, or nothing."""
        with self.lease.exclusive():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._connected(read_only=False) as connection:
                connection.begin()
                for schema in SCHEMAS:
                    connection.execute(f"create schema if not exists {schema}")
                yield connection
                connection.commit()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Leave the file to a program that opens it itself, such as dbt: alone, once nobody else has it open."""
        with self.lease.exclusive():
            if self.path.exists():
                self._connected(read_only=False).close()
            yield

    def _connected(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        return once_unlocked(
            lambda: open_file(self.path, read_only=read_only, way_out=WAY_OUT), self.lease.timeout_seconds
        )

    def read(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), memory_gb: float | None = None
    ) -> pd.DataFrame:
        """Return the rows of a query; what takes more than `memory_gb` lies on disk meanwhile."""
        with self.reading() as connection:
            if memory_gb is not None:
                connection.execute(f"set memory_limit = '{memory_gb:.3f}GB'")
            return connection.execute(sql, parameters).df()

    def read_encoded(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pd.DataFrame:
        """Return the rows of a query, text as categories: a name that millions of rows share is held once."""
        with self.reading() as connection:
            reader = connection.execute(sql, parameters).to_arrow_reader(BATCH_ROWS)
            batches = [_encoded(batch) for batch in reader] or [_encoded(reader.schema.empty_table())]
        table = pyarrow.concat_tables(batches).unify_dictionaries()
        del batches
        return table.to_pandas(date_as_object=False, split_blocks=True, self_destruct=True)

    def exists(self, table: str) -> bool:
        """Tell whether a table or view is there."""
        if not self.path.exists():
            return False
        schema, name = table.split(".")
        found = self.read(
            "select 1 from information_schema.tables where table_schema = ? and table_name = ?", [schema, name]
        )
        return not found.empty

    def count_rows(self, tables: Sequence[str]) -> dict[str, int]:
        """Return the number of rows of each table."""
        with self.reading() as connection:
            return {table: count_rows(connection, table) for table in tables}

    def content_hash(self, table: str) -> str:
        """Return a hash of a table's rows that does not depend on their order."""
        with self.reading() as connection:
            return content_hash(connection, _quoted(table))

    def replace_table(self, table: str, frame: pd.DataFrame, types: Mapping[str, str] | None = None) -> None:
        """Make the table hold the frame's rows and no others.

        `types` gives the SQL type of each column; without it DuckDB infers them, which goes wrong for a column that is
        all null.
        """
        with self.writing() as connection:
            create_table(connection, table, frame, types, replace=True)
            insert_rows(connection, table, frame)

    def replace_rows(
        self,
        table: str,
        frame: pd.DataFrame,
        where: Mapping[str, Sequence[Any]],
        types: Mapping[str, str] | None = None,
    ) -> None:
        """Delete the rows whose columns hold one of the given values each, and insert the frame's."""
        with self.writing() as connection:
            create_table(connection, table, frame, types)
            delete_rows(connection, table, where)
            insert_rows(connection, table, frame)


def _encoded(batch: pyarrow.RecordBatch | pyarrow.Table) -> pyarrow.Table:
    """A batch whose text columns are dictionaries."""
    columns = [
        column.dictionary_encode() if pyarrow.types.is_string(column.type) else column for column in batch.columns
    ]
    return pyarrow.table(columns, names=batch.schema.names)


def create_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    frame: pd.DataFrame,
    types: Mapping[str, str] | None = None,
    *,
    replace: bool = False,
) -> None:
    """Create a table for the frame's columns where there is none, or anew."""
    create = "create or replace table" if replace else "create table if not exists"
    if types is None:
        connection.register("incoming", frame)
        connection.execute(f"{create} {_quoted(table)} as select * from incoming limit 0")
        connection.unregister("incoming")
        return
    columns = ", ".join(f"{quote(column)} {kind}" for column, kind in types.items())
    connection.execute(f"{create} {_quoted(table)} ({columns})")


def delete_rows(connection: duckdb.DuckDBPyConnection, table: str, where: Mapping[str, Sequence[Any]]) -> None:
    """Delete the rows whose columns hold one of the given values each; values go as parameters, never as text."""
    condition = " and ".join(f"{quote(column)} in (select unnest(?))" for column in where)
    connection.execute(f"delete from {_quoted(table)} where {condition}", [list(values) for values in where.values()])


def insert_rows(connection: duckdb.DuckDBPyConnection, table: str, frame: pd.DataFrame) -> None:
    """Insert a frame, its columns matched by name."""
    connection.register("incoming", frame)
    connection.execute(f"insert into {_quoted(table)} by name select * from incoming")
    connection.unregister("incoming")


def count_rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Return the number of rows of a table."""
    row = connection.execute(f"select count(*) from {_quoted(table)}").fetchone()
    return int(row[0]) if row else 0


def content_hash(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """Return 16 hex digits that change with any row of a relation, whatever their order."""
    rows = connection.execute(
        f"select count(*), coalesce(sum(hash(t)), 0), coalesce(bit_xor(hash(t)), 0) from {relation} as t"
    ).fetchone()
    if rows is None:
        message = f"{relation} gave no count"
        raise RuntimeError(message)
    count, total, mixed = rows
    return f"{(int(total) * 31 + int(mixed) * 17 + int(count)) % (1 << 64):016x}"


def quote(identifier: str) -> str:
    """Quote a SQL identifier.

    >>> print(quote('a "b'))
    "a ""b"
    """
    return '"' + identifier.replace('"', '""') + '"'


def _quoted(table: str) -> str:
    schema, name = table.split(".")
    return f"{quote(schema)}.{quote(name)}"


def open_file(path: Path, *, read_only: bool, way_out: str) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file.

    Raises `DamagedFileError` with the way out where it cannot be read, and DuckDB's own error where it is locked.
    """
    try:
        return duckdb.connect(str(path), read_only=read_only)
    except UNREADABLE as error:
        if _is_locked(error):
            raise
        said = str(error).splitlines()[0]
        message = f"{path} cannot be opened: {said}. {way_out}"
        raise DamagedFileError(message) from error


def once_unlocked[Result](attempt: Callable[[], Result], timeout_seconds: float) -> Result:
    """Return an attempt's result; try again while another program, which knows no lease, has the file open.

    That is somebody's DuckDB client, or a dbt whose parent was killed. Who it is, is said every ten seconds. Raises
    `LeaseTimeoutError` that names the program once the time is over.
    """
    patience, wait = Patience(timeout_seconds), POLL_SECONDS
    while True:
        try:
            return attempt()
        except duckdb.IOException as error:
            if not _is_locked(error):
                raise
            told = str(error)
        if patience.is_over:
            message = (
                f"waited {timeout_seconds:g} s for {_locked_file(told)}: {_program(told)} has it open. Close it there; "
                "who only reads opens published/storecast.duckdb instead, which is never refused and blocks nobody"
            )
            raise LeaseTimeoutError(message)
        patience.say(f"{_locked_file(told)}, which {_program(told)} has open")
        time.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
        wait = min(2 * wait, LONGEST_POLL_SECONDS)


def _is_locked(error: duckdb.Error) -> bool:
    return "Could not set lock on file" in str(error)


def _locked_file(told: str) -> str:
    """Return the file that DuckDB names first in its message."""
    return told.partition('"')[2].partition('"')[0]


def _program(told: str) -> str:
    """Return who has the file open, as far as DuckDB could find out.

    >>> _program('Could not set lock on file "w": Conflicting lock is held in /usr/bin/duckdb (PID 7). See also …')
    'process 7 (/usr/bin/duckdb)'
    """
    found = _HOLDER.search(told)
    return f"process {found['pid']} ({found['program']})" if found else "another process"

"""What assets are given: the settings, the warehouse, and the IO manager that stores the frames they return."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pandera.pandas as pa
from dagster._core.storage.db_io_manager import DbIOManager, DbTypeHandler, TableSlice
from dagster_dbt import DbtCliResource
from dagster_duckdb import DuckDBIOManager
from dagster_duckdb.io_manager import DuckDbClient
from packaging.version import Version

from storecast.settings import Settings
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.database import Warehouse, count_rows, create_table, delete_rows, insert_rows
from storecast.warehouse.dbt import PROJECT_DIR, dbt_executable
from storecast.warehouse.memory import give_back_memory

COLUMN_SCHEMA = "dagster/column_schema"
REPLACE_ON = "replace_on"
OWNERS = ["team:storecast"]
PROGRESS = {"progress": True}
"""`context.log.info(message, extra=PROGRESS)` shows the message on the terminal of `storecast run` too."""


class SettingsResource(dg.ConfigurableResource[Settings]):
    """The settings of the run, as JSON so that Dagster can carry them to other processes."""

    settings_json: str

    @classmethod
    def of(cls, settings: Settings) -> "SettingsResource":
        """Wrap settings."""
        return cls(settings_json=settings.model_dump_json())

    def get(self) -> Settings:
        """Return the settings."""
        return Settings.model_validate_json(self.settings_json)


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """The warehouse, for assets that read a slice of a table or write by SQL."""

    path: str
    lease_timeout_seconds: float = 900.0

    @classmethod
    def of(cls, settings: Settings) -> "WarehouseResource":
        """Take path and patience from the settings."""
        return cls(path=str(settings.warehouse_path), lease_timeout_seconds=settings.lease_timeout_seconds)

    def open(self) -> Warehouse:
        """Return the warehouse; nothing is opened until it is asked something."""
        return Warehouse(Path(self.path), self.lease_timeout_seconds)

    def read(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), memory_gb: float | None = None
    ) -> pd.DataFrame:
        """Return the rows of a query; what takes more than `memory_gb` lies on disk meanwhile."""
        return self.open().read(sql, parameters, memory_gb)

    def read_encoded(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pd.DataFrame:
        """Return the rows of a query, text as categories."""
        return self.open().read_encoded(sql, parameters)


class LocalDbt(DbtCliResource):
    """dagster-dbt's dbt, told its version: `dbt --version`, which it would run, asks PyPI for the newest."""

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))


class LeasedClient(DuckDbClient):
    """dagster-duckdb's client, but under a lease and in one transaction."""

    @staticmethod
    @contextmanager
    def connect(context: Any, _: TableSlice) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the warehouse to write for an output, to read for an input."""
        config = context.resource_config
        warehouse = Warehouse(Path(config["database"]), config["lease_timeout_seconds"])
        opened = warehouse.writing() if isinstance(context, dg.OutputContext) else warehouse.reading()
        with opened as connection:
            yield connection

    @staticmethod
    def get_select_statement(table_slice: TableSlice) -> str:
        """Return the query that the metadata shows: the table, without the keys of a run that may have thousands."""
        return f"select * from {table_slice.schema}.{table_slice.table}"

    @staticmethod
    def delete_table_slice(context: dg.OutputContext, table_slice: TableSlice, connection: Any) -> None:
        """Leave deleting to the handler, which knows the rows that come instead."""


class FrameHandler(DbTypeHandler[pd.DataFrame]):
    """Stores a frame with the SQL types of its contract, columns matched by name, keys as parameters."""

    @property
    def supported_types(self) -> Sequence[type[object]]:
        """Pandas frames."""
        return [pd.DataFrame]

    def handle_output(
        self, context: dg.OutputContext, table_slice: TableSlice, obj: pd.DataFrame, connection: Any
    ) -> dict[str, Any]:
        """Replace the partition's rows, those that share a `replace_on` value, or the whole table."""
        table = f"{table_slice.schema}.{table_slice.table}"
        metadata = context.definition_metadata or {}
        schema = metadata.get(COLUMN_SCHEMA)
        types = {column.name: column.type for column in schema.columns} if schema is not None else None
        slices: dict[str, Sequence[Any]] = {
            dimension.partition_expr: dimension.partitions for dimension in table_slice.partition_dimensions or ()
        }
        _refuse_strangers(table, obj, slices)
        for column in metadata.get(REPLACE_ON, ()):
            slices[column] = obj[column].drop_duplicates().tolist()
        create_table(connection, table, obj, types, replace=not slices)
        if slices:
            delete_rows(connection, table, slices)
        insert_rows(connection, table, obj)
        give_back_memory()
        counted = {"dagster/row_count": count_rows(connection, table)}
        return {**counted, "dagster/partition_row_count": len(obj)} if context.has_partition_key else counted

    def load_input(self, context: dg.InputContext, table_slice: TableSlice, connection: Any) -> pd.DataFrame:
        """Return the whole table, or the partition's rows."""
        if table_slice.partition_dimensions and not context.asset_partition_keys:
            return pd.DataFrame()
        return connection.execute(DuckDbClient.get_select_statement(table_slice)).df()


def _refuse_strangers(table: str, frame: pd.DataFrame, partitions: Mapping[str, Sequence[Any]]) -> None:
    """Raise `ValueError` for a row outside the run's partitions: the next run would not replace it but double it."""
    for column, keys in partitions.items():
        strangers = frame.loc[~frame[column].isin(list(keys)), column]
        if len(strangers):
            message = (
                f"{table}: {len(strangers)} rows have a {column} that is no partition of this run, the first "
                f"{strangers.iloc[0]!r}: return only the rows of context.partition_keys"
            )
            raise ValueError(message)


class WarehouseIOManager(DuckDBIOManager):
    """Stores what an asset returns in the table its key names."""

    lease_timeout_seconds: float = 900.0

    @classmethod
    def of(cls, settings: Settings) -> "WarehouseIOManager":
        """Take path and patience from the settings."""
        return cls(database=str(settings.warehouse_path), lease_timeout_seconds=settings.lease_timeout_seconds)

    @staticmethod
    def type_handlers() -> Sequence[DbTypeHandler[Any]]:
        """Frames only."""
        return [FrameHandler()]

    def create_io_manager(self, context: Any) -> DbIOManager:  # noqa: ARG002 - Dagster's signature
        """Build dagster-duckdb's manager around the leased client."""
        return DbIOManager(
            db_client=LeasedClient(),
            database=self.database,
            type_handlers=self.type_handlers(),
            default_load_type=pd.DataFrame,
            io_manager_name="WarehouseIOManager",
        )


def resources_of(settings: Settings) -> dict[str, Any]:
    """Return what assets of one data folder are given, by the names under which they ask for it."""
    project = str(PROJECT_DIR)
    return {
        "dbt": LocalDbt(project_dir=project, profiles_dir=project, dbt_executable=dbt_executable()),
        "io_manager": WarehouseIOManager.of(settings),
        "settings": SettingsResource.of(settings),
        "warehouse": WarehouseResource.of(settings),
    }


def column_schema(contract: type[pa.DataFrameModel]) -> dg.TableSchema:
    """Return a contract's columns as Dagster shows them: name, SQL type, description, nullability."""
    columns = contract.to_schema().columns
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                type=kind,
                description=columns[name].description,
                constraints=dg.TableColumnConstraints(nullable=columns[name].nullable),
            )
            for name, kind in sql_types(contract).items()
        ]
    )


def table(name: str, contract: type[pa.DataFrameModel], *, room: str, **metadata: Any) -> dict[str, Any]:
    """Return the arguments that every table's `@asset` shares; its docstring is the description.

    `name` is ``schema.table``; `metadata` is added to the definition's, e.g. `replace_on=["origin_date"]`.
    """
    return {
        "key": dg.AssetKey(name.split(".")),
        "group_name": room,
        "owners": OWNERS,
        "kinds": {"duckdb", "python"},
        "metadata": {COLUMN_SCHEMA: column_schema(contract), **metadata},
    }

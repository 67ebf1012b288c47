"""A hand-made bronze and the real dbt over it, in a temporary folder."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from storecast.ingestion.account_contracts import OPS_TABLES, PublicHolidays, table_ddl
from storecast.ingestion.contracts import ENTITIES, bronze_ddl
from storecast.settings import QUIET
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.dbt import PROJECT_DIR, dbt_executable

VARIABLES = {
    "source_timezone": "Europe/Berlin",
    "shop_timezone": "Europe/Berlin",
    "currency": "EUR",
    "country": "DE",
    "horizon_days": 90,
}


@dataclass(frozen=True)
class Shop:
    """A warehouse whose bronze the test fills."""

    folder: Path

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse.duckdb"

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute(sql, parameters)

    def read(self, sql: str) -> pd.DataFrame:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.sql(sql).df()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def load(
        self,
        entity: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        file: str,
        day: int,
        source: str = "shop",
        loads: int = 1,
    ) -> None:
        """Land a file on a day of November 2026 and load it; `loads` counts how often that happened."""
        landed_at, loaded_at = datetime(2026, 11, day), datetime(2026, 11, day, loads)
        frame = pd.DataFrame(rows, dtype=object).map(lambda cell: None if pd.isna(cell) else str(cell))
        frame = frame.assign(source=source, feed="feed", file_sha256=file, landed_at=landed_at)
        frame["row_number"] = range(1, len(frame) + 1)
        with duckdb.connect(str(self.warehouse)) as connection:
            for table in (f"bronze.{entity}", "ops.loads"):
                connection.execute(
                    f"DELETE FROM {table} WHERE file_sha256 = $1" + (" AND entity = $2" if "ops" in table else ""),
                    [file, entity] if "ops" in table else [file],
                )
            connection.register("incoming", frame)
            connection.execute(f"INSERT INTO bronze.{entity} BY NAME SELECT * FROM incoming")
            connection.execute(
                "INSERT INTO ops.loads BY NAME SELECT ? AS source, 'feed' AS feed, ? AS entity, ? AS file_sha256, "
                "? AS rows, 'mapping' AS mapping_hash, ? AS delivered_at, ? AS loaded_at",
                [source, entity, file, len(frame), landed_at, loaded_at],
            )

    def quarantine(self, entity: str, file: str, *row_numbers: int) -> None:
        for number in row_numbers:
            self.execute(
                "INSERT INTO ops.quarantine BY NAME SELECT ? AS entity, ? AS file_sha256, ? AS row_number",
                [entity, file, number],
            )

    def dbt(self, *arguments: str, variables: Mapping[str, Any] = VARIABLES) -> None:
        """Run dbt as the pipeline does; fail with its own words."""
        environment = {
            **os.environ,
            **QUIET,
            "STORECAST_WAREHOUSE": str(self.warehouse),
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
        }
        places = ["--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)]
        command = [dbt_executable(), "--quiet", *arguments, *places, "--vars", json.dumps(dict(variables))]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def open_shop(folder: Path) -> Shop:
    """Make a warehouse with every bronze table, all empty."""
    folder.mkdir(parents=True, exist_ok=True)
    shop = Shop(folder)
    holidays = ", ".join(f"{name} {kind}" for name, kind in sql_types(PublicHolidays).items())
    with duckdb.connect(str(shop.warehouse)) as connection:
        for schema in ("bronze", "silver", "gold", "ops"):
            connection.execute(f"CREATE SCHEMA {schema}")
        for statement in [*map(bronze_ddl, ENTITIES), *map(table_ddl, OPS_TABLES)]:
            connection.execute(statement)
        connection.execute(f"CREATE TABLE bronze.public_holidays ({holidays})")
        connection.execute("CREATE TABLE bronze.non_product_codes (pattern VARCHAR, line_is VARCHAR)")
    return shop


@pytest.fixture(scope="session")
def new_shop(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Shop]:
    """Opens empty shops by name."""
    return lambda name: open_shop(tmp_path_factory.mktemp(name))

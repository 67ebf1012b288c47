"""What the warehouse holds of MLflow: ops.registered_models, and the tables of the versions that have an alias.

The alias in MLflow is the truth. Rows of a training without one go, for its run in MLflow keeps them as parquet.
"""

import tempfile
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from mlflow import MlflowClient

from storecast.registry import contracts as c
from storecast.registry.store import TRAINING_ID_TAG, version_rows
from storecast.registry.training_log import MODEL_FOLDER, TABLES_FOLDER
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.database import create_table, insert_rows

TABLES_WITH_TRAINING = (
    "select table_name from duckdb_columns() where schema_name = 'ops' and column_name = 'training_id'"
)
MIRRORED = f"select alias, model_version::varchar as version from {c.REGISTERED_MODELS} where alias is not null"
ARTIFACTS = {
    **{name: f"{MODEL_FOLDER}/artifacts/{name}.parquet" for name in c.MODEL_TABLES},
    c.LEVEL_BACKTESTS: f"{TABLES_FOLDER}/{c.LEVEL_BACKTESTS}.parquet",
}


def mirrored_aliases(warehouse: Warehouse) -> dict[str, str]:
    """Return the version of each alias as ops.registered_models has them."""
    if not warehouse.exists(c.REGISTERED_MODELS):
        return {}
    found = warehouse.read(MIRRORED)
    return dict(zip(found["alias"], found["version"], strict=True))


def mirror(connection: Any, client: MlflowClient) -> None:
    """Write ops.registered_models anew, and drop the rows of trainings without an alias that are not the newest.

    What is not registered yet stays: a training may be under way.
    """
    rows = version_rows(client)
    create_table(connection, c.REGISTERED_MODELS, rows, sql_types(c.RegisteredModels), replace=True)
    insert_rows(connection, c.REGISTERED_MODELS, rows)
    is_over = rows["alias"].isna() & (rows["model_version"] < rows["model_version"].max())
    for name in _kept_tables(connection):
        over = rows.loc[is_over, "training_id"].tolist()
        connection.execute(f"delete from ops.{name} where training_id in (select unnest(?))", [over])


def restore(warehouse: Warehouse, client: MlflowClient, versions: Iterable[str]) -> None:
    """Bring back the tables of versions that were pruned, from the parquet files of their runs.

    Raises `ValueError` for a version that MLflow does not know, or whose run lacks a table.
    """
    for version in versions:
        found = client.get_model_version(c.MODEL_NAME, version)
        training_id = found.tags[TRAINING_ID_TAG]
        if is_missing(warehouse, training_id):
            frames = stored_tables(client, version, str(found.run_id))
            with warehouse.writing() as connection:
                for name in _kept_tables(connection):
                    connection.execute(f"delete from ops.{name} where training_id = ?", [training_id])
                    insert_rows(connection, f"ops.{name}", frames[name])


def is_missing(warehouse: Warehouse, training_id: str) -> bool:
    """Tell whether the warehouse lacks a training's tables: each training has champions."""
    return warehouse.read("select 1 from ops.champions where training_id = ? limit 1", [training_id]).empty


def stored_tables(client: MlflowClient, version: str, run_id: str) -> dict[str, pd.DataFrame]:
    """Read a version's tables from its run's parquet files; nothing is unpickled."""
    there = {
        file.path
        for folder in (f"{MODEL_FOLDER}/artifacts", TABLES_FOLDER)
        for file in client.list_artifacts(run_id, folder)
    }
    missing = sorted(set(ARTIFACTS.values()) - there)
    if missing:
        raise ValueError(
            f"version {version} of {c.MODEL_NAME} cannot be brought back: its run {run_id} in MLflow lacks "
            f"{', '.join(missing)}; choose another version, or train anew with `storecast run`"
        )
    with tempfile.TemporaryDirectory() as folder:
        return {
            name: pd.read_parquet(client.download_artifacts(run_id, path, folder)) for name, path in ARTIFACTS.items()
        }


def _kept_tables(connection: Any) -> Sequence[str]:
    """The tables of several trainings that are there."""
    found = {name for (name,) in connection.execute(TABLES_WITH_TRAINING).fetchall()}
    return [name for name in c.KEPT_TABLES if name in found]

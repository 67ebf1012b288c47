"""What decides a training – data, settings, tuning, code – and the names that follow from it."""

import hashlib
from pathlib import Path
from typing import Any, Final

import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.backtest import BacktestPlan
from storecast.forecasting.forecast import training_id_of
from storecast.forecasting.panel import Panel
from storecast.forecasting.registry import ModelSpec, models_named
from storecast.forecasting.tuned_parameters import tuned_specs, tuned_table
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.database import content_hash

CATEGORIES_SQL: Final = "select product_id, category, seller_id from silver.products"
TUNED: Final = "ops.tuned_parameters"
LEVEL_COLUMNS: Final = (
    "select column_name from duckdb_columns() where schema_name = 'ops' and table_name = 'level_backtests'"
)
DECIDING: Final = frozenset({"horizon_days", "selection_origins", "evaluation_origins", "seed"})


def training_of(warehouse: Warehouse, shop: Settings) -> tuple[str, str]:
    """The training's id and the hash of the data it sees; the id changes with data, settings, tuning and code."""
    snapshot_hash = snapshot_hash_of(warehouse)
    return training_id_of(snapshot_hash, deciding(warehouse, shop)), snapshot_hash


def deciding(warehouse: Warehouse, shop: Settings) -> dict[str, Any]:
    """What decides a training besides its data: settings, code and tuned parameters."""
    tuned = read_tuned(warehouse)
    decides = {**shop.model_dump(include={*DECIDING, "models"}), "code": code_hash()}
    return decides | ({"tuned": dict(zip(tuned[c.MODEL], tuned[c.PARAMETERS], strict=True))} if len(tuned) else {})


def study_name_of(warehouse: Warehouse, shop: Settings, spec: ModelSpec) -> str:
    """What names a search for a model's parameters: all that decides a trial's loss, so that only its like goes on."""
    decides: dict[str, Any] = {**shop.model_dump(include=set(DECIDING)), "code": code_hash()}
    return f"{spec.name}-{training_id_of(snapshot_hash_of(warehouse), decides)}"


def snapshot_hash_of(warehouse: Warehouse) -> str:
    """A hash of the data that a training sees."""
    with warehouse.reading() as connection:
        hashes = [content_hash(connection, relation) for relation in ("gold.daily_demand", f"({CATEGORIES_SQL})")]
    return "-".join(hashes)


def code_hash() -> str:
    """A hash of this room's code."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def plan_of(shop: Settings) -> BacktestPlan:
    """The back-test's plan from the settings."""
    return BacktestPlan(shop.horizon_days, shop.selection_origins, shop.evaluation_origins)


def read_tuned(warehouse: Warehouse) -> pd.DataFrame:
    """The rows of `ops.tuned_parameters`; none before the first tuning."""
    return warehouse.read(f"select * from {TUNED} order by model") if warehouse.exists(TUNED) else tuned_table([])


def specs_of(warehouse: Warehouse, shop: Settings, panel: Panel) -> tuple[ModelSpec, ...]:
    """The models that compete, with the parameters that tuning found for them."""
    return tuned_specs(models_named(shop.models), read_tuned(warehouse), panel, plan_of(shop))


def name_training(warehouse: Warehouse) -> None:
    """Give `ops.level_backtests` the name of its training where it is from when there was but one, without a name."""
    columns = set(warehouse.read(LEVEL_COLUMNS)["column_name"])
    if columns and c.TRAINING_ID not in columns:
        with warehouse.writing() as connection:
            connection.execute("alter table ops.level_backtests add column training_id varchar")
            connection.execute(
                "update ops.level_backtests set training_id = (select min(training_id) from ops.champions)"
            )

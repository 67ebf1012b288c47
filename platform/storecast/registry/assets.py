"""The registered model as an asset: its table mirrors MLflow, its metadata leads there."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from storecast.registry import contracts as c
from storecast.registry.training import Training, level_metrics
from storecast.settings import Settings
from storecast.warehouse.resources import SettingsResource, WarehouseResource, table

if TYPE_CHECKING:
    from storecast.registry.registration import Registration

ROOM = "registry"
SOURCES = {
    c.CHAMPIONS: "ops.champions",
    c.INTERVAL_SCALES: "ops.interval_scales",
    c.FITTED_MODELS: "ops.fitted_models",
    c.MODEL_SCORES: "ops.model_scores",
    c.ACCURACY: "ops.backtest_accuracy",
}
DAILY_DEMAND = "gold.daily_demand"
TRAINING_SQL = f"""
    with trainings as (
        select training_id from ops.champions
        union select training_id from ops.interval_scales
        union select training_id from ops.fitted_models
    )
    select distinct
        training_id,
        coalesce(fitted.origin_date, (select max(date) from {DAILY_DEMAND})) as origin_date,
        fitted.snapshot_hash
    from trainings left join ops.fitted_models as fitted using (training_id)
"""
MLFLOW = {"kinds": {"duckdb", "mlflow"}}


@dg.asset(
    **(table("ops.registered_models", c.RegisteredModels, room=ROOM) | MLFLOW),
    deps=[dg.AssetKey(source.split(".")) for source in (*SOURCES.values(), DAILY_DEMAND)],
)
def registered_models(warehouse: WarehouseResource, settings: SettingsResource) -> dg.Output[pd.DataFrame]:
    """Versions of the model `storecast-demand` in MLflow: one row a version, one version a training.

    The newest training is logged as one run, registered, and takes the alias `champion` unless it had it before.
    """
    # MLflow takes seconds to import: only the step that registers pays for it, not every reader of the graph.
    from storecast.registry.registration import register_training  # noqa: PLC0415
    from storecast.registry.store import ModelStore  # noqa: PLC0415

    shop = settings.get()
    training = newest_training(warehouse, shop)
    found = register_training(ModelStore.of(shop), training)
    return dg.Output(found.rows, metadata=metadata_of(found, training, shop))


def newest_training(warehouse: WarehouseResource, shop: Settings) -> Training:
    """Read the one training that the forecasting room's tables hold.

    Where no global model competes, no fitted model tells what the training saw: then it is the demand as it is. Raises
    `ValueError` where they hold none, or parts of several.
    """
    found = warehouse.read(TRAINING_SQL)
    if len(found) != 1:
        message = (
            f"the tables {', '.join(SOURCES.values())} hold {len(found)} trainings, not 1: run the job `train` anew"
        )
        raise ValueError(message)
    tables = {name: warehouse.read(f"select * from {source}") for name, source in SOURCES.items()}
    [row] = found.to_dict("records")
    return Training(
        training_id=row["training_id"],
        origin_date=row["origin_date"].date(),
        snapshot_hash=row["snapshot_hash"] or warehouse.open().content_hash(DAILY_DEMAND),
        horizon_days=shop.horizon_days,
        seed=shop.seed,
        parameters=parameters_of(shop),
        tables=tables,
    )


def parameters_of(shop: Settings) -> dict[str, str]:
    """Return the settings that decide what a training gives, besides horizon and seed."""
    names = ("source", "selection_origins", "evaluation_origins", "timezone", "currency")
    return {name: str(getattr(shop, name)) for name in names} | {"models": ", ".join(shop.models) or "default"}


def run_address(shop: Settings, experiment_id: str, run_id: str) -> str:
    """Return where MLflow's own UI, started by `storecast up`, shows a run."""
    return f"http://127.0.0.1:{shop.mlflow_port}/#/experiments/{experiment_id}/runs/{run_id}"


def metadata_of(found: "Registration", training: Training, shop: Settings) -> dict[str, Any]:
    """Return where the training lies in MLflow, and its metrics per level."""
    return {
        "training_id": training.training_id,
        "model_uri": found.model_uri,
        "model_version": found.model_version,
        "took_the_alias_now": found.is_promoted_now,
        "mlflow_run": dg.MetadataValue.url(run_address(shop, found.experiment_id, found.run_id)),
        "artifacts": dg.MetadataValue.path(str(found.artifacts)),
        "snapshot_hash": training.snapshot_hash,
        "origin_date": str(training.origin_date),
        "metrics": dg.MetadataValue.md(metrics_table(level_metrics(training.tables[c.ACCURACY]))),
    }


def metrics_table(metrics: Mapping[str, float]) -> str:
    """Return the metrics as Markdown: a row a level, a column a measure.

    >>> print(metrics_table({"total.wape": 0.25, "total.bias": -0.1}))
    | level   |   bias |   wape |
    |:--------|-------:|-------:|
    | total   |   -0.1 |   0.25 |
    """
    names = pd.Series(metrics, dtype=float).rename_axis("name").reset_index(name="value")
    names[["level", "measure"]] = names["name"].str.split(".", n=1, expand=True)
    wide = names.pivot_table(index="level", columns="measure", values="value")
    return str(wide.round(4).to_markdown())

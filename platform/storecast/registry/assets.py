"""The registered model and what was decided on its versions, as assets: tables beside MLflow that lead there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from storecast.registry import contracts as c
from storecast.registry.decisions import Decision
from storecast.registry.rollout import Canary
from storecast.registry.training import Training, level_metrics, parameters_of
from storecast.settings import Settings
from storecast.warehouse.resources import SettingsResource, WarehouseResource, table

if TYPE_CHECKING:
    from storecast.registry.registration import Registration

ROOM = "registry"
SOURCES = {
    c.CHAMPIONS: "ops.champions",
    c.INTERVAL_SCALES: "ops.interval_scales",
    c.FITTED_MODELS: "ops.fitted_models",
    c.LEVEL_BACKTESTS: "ops.level_backtests",
    c.MODEL_SCORES: "ops.model_scores",
    c.ACCURACY: "ops.backtest_accuracy",
}
DAILY_DEMAND = "gold.daily_demand"
TRAINING_SQL = f"""
    with newest as (select training_id from ops.champions order by rowid desc limit 1)
    select distinct
        training_id,
        coalesce(fitted.origin_date, (select max(date) from {DAILY_DEMAND})) as origin_date,
        fitted.snapshot_hash,
        training_id in (select training_id from ops.interval_scales) as is_whole
    from newest left join ops.fitted_models as fitted using (training_id)
"""
"""The training whose rows came last: tables keep the order in which rows came."""
MLFLOW = {"kinds": {"duckdb", "mlflow"}}


@dg.asset(
    **(table("ops.registered_models", c.RegisteredModels, room=ROOM) | MLFLOW),
    deps=[dg.AssetKey(source.split(".")) for source in (*SOURCES.values(), DAILY_DEMAND)],
)
def registered_models(warehouse: WarehouseResource, settings: SettingsResource) -> dg.MaterializeResult[Any]:
    """Versions of the model `storecast-demand` in MLflow: one row a version, one version a training.

    The newest training is logged as one run, registered, and let in: as challenger, or as champion where nothing
    compares to it.
    """
    # MLflow takes seconds to import: only the step that registers pays for it, not every reader of the graph.
    from storecast.registry.registration import register_training  # noqa: PLC0415

    shop = settings.get()
    training = newest_training(warehouse, shop)
    found = register_training(shop, training, now())
    return dg.MaterializeResult(metadata=metadata_of(found, training, shop))


@dg.asset(
    **(table(c.PROMOTIONS, c.Promotions, room=ROOM) | MLFLOW),
    deps=[source.split(".") for source in (c.REGISTERED_MODELS, c.PAIRED_LOSSES, c.MODEL_COSTS, DAILY_DEMAND)],
)
def promotions(warehouse: WarehouseResource, settings: SettingsResource) -> dg.MaterializeResult[Any]:
    """What was decided on versions and why, by gate and people: one row a decision or look.

    The gate looks at most once each time. When it moves champion or canary, `moved_alias` has forecasts made anew.
    """
    from storecast.registry.promotion import Registry, run_gate  # noqa: PLC0415 - as above

    shop, moment = settings.get(), now()
    with Registry.held(shop, moment) as registry:
        decision = run_gate(registry, Canary(shop.canary_share, shop.canary_days), moment, seed=shop.seed)
        aliases = registry.aliases
    rows = warehouse.open().count_rows([c.PROMOTIONS])[c.PROMOTIONS]
    return dg.MaterializeResult(metadata={**told_of(decision), "aliases": aliases, "dagster/row_count": rows})


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def told_of(decision: Decision | None) -> dict[str, Any]:
    """Return a decision in a sentence, and its gains by class as a table."""
    if decision is None:
        return {"decision": "nothing was due"}
    told: dict[str, Any] = {"decision": decision.sentence}
    if by_class := decision.evidence.get("by_class"):
        gains = pd.DataFrame.from_dict(by_class, orient="index").rename_axis(c.DEMAND_CLASS)
        told["gain_by_class"] = dg.MetadataValue.md(str(gains.to_markdown(floatfmt=".4f")))
    return told


def newest_training(warehouse: WarehouseResource, shop: Settings) -> Training:
    """Read the training that the forecasting room's tables got last.

    Where no global model competes, no fitted model tells what the training saw: then it is the demand as it is. Raises
    `ValueError` where they hold none, or only a part of it.
    """
    found = warehouse.read(TRAINING_SQL)
    if len(found) != 1 or not found["is_whole"].item():
        names = ", ".join(found["training_id"]) or "no training"
        raise ValueError(f"ops.champions holds {names}, ops.interval_scales not the same: run the job `train` anew")
    [row] = found.to_dict("records")
    return Training(
        training_id=row["training_id"],
        origin_date=row["origin_date"].date(),
        snapshot_hash=row["snapshot_hash"] or warehouse.open().content_hash(DAILY_DEMAND),
        horizon_days=shop.horizon_days,
        seed=shop.seed,
        parameters=parameters_of(shop),
        tables={name: rows_of(warehouse, name, row["training_id"]) for name in SOURCES},
    )


def rows_of(warehouse: WarehouseResource, name: str, training_id: str) -> pd.DataFrame:
    """Return a training's rows of a table that holds several, the whole of one that holds the newest alone."""
    if name not in c.KEPT_TABLES:
        return warehouse.read(f"select * from {SOURCES[name]}")
    return warehouse.read(f"select * from {SOURCES[name]} where training_id = ?", [training_id])


def run_address(shop: Settings, experiment_id: str, run_id: str) -> str:
    """Return where MLflow's own UI, started by `storecast up`, shows a run."""
    return f"http://127.0.0.1:{shop.mlflow_port}/#/experiments/{experiment_id}/runs/{run_id}"


def metadata_of(found: "Registration", training: Training, shop: Settings) -> dict[str, Any]:
    """Return where the training lies in MLflow, and its metrics per level."""
    return {
        "training_id": training.training_id,
        "model_uri": found.model_uri,
        "model_version": found.model_version,
        "decision": "none: it came in before" if found.decision is None else found.decision.sentence,
        "mlflow_run": dg.MetadataValue.url(run_address(shop, found.experiment_id, found.run_id)),
        "artifacts": dg.MetadataValue.path(str(found.artifacts)),
        "snapshot_hash": training.snapshot_hash,
        "origin_date": str(training.origin_date),
        "dagster/row_count": len(found.rows),
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

"""Single products trained anew: what is asked for, and what came of it.

Here the loop is closed, which a graph cannot be: `retrained_series` reads what `retraining_requests` asks for, made of
the drift of forecasts that hang on it. So that edge is not in the graph; a sensor brings the partitions instead.

Which products drifted is scattered over the partitions, and Dagster's runs of assets take one range without a gap. So
the job `retrain` is an op: one run makes the partitions it is told, and records these and no others.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, cast

import dagster as dg
import pandas as pd
from dagster._core.storage.tags import PRIORITY_TAG
from pydantic import Field

from storecast.forecasting import checks
from storecast.forecasting import contracts as c
from storecast.forecasting import retraining_contracts as r
from storecast.forecasting.assets import (
    BY_PRODUCT,
    CATEGORIES,
    CHAMPIONS,
    DAILY_DEMAND,
    FITTED_MODELS,
    PLANNED_DRIVERS,
    PRODUCT_PARTITIONS,
    REGISTERED_MODELS,
    ROOM,
)
from storecast.forecasting.assets.forecasts import counts_of, forecasts_of, keep_partitions, revenue_of
from storecast.forecasting.forecast import champion_forecasts
from storecast.forecasting.panel_reading import open_panel
from storecast.forecasting.retraining import retrain as retrain_series
from storecast.forecasting.retraining_requests import ANSWERS, REQUESTS_SQL, TABLE
from storecast.forecasting.versions import champions_of_keys, versions_by_alias
from storecast.registry.contracts import CHAMPION_ALIAS
from storecast.settings import Settings
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.database import create_table
from storecast.warehouse.resources import SettingsResource, WarehouseResource, table

MADE_OF = [
    dg.AssetKey(["ops", name]) for name in ("product_drift", "product_partitions", "promotions", "tracking_signals")
]
RETRAIN_JOB = "retrain"
MADE = {
    ANSWERS: (r.RetrainedSeries, r.REPORT_DATE),
    "gold.demand_forecasts": (c.DemandForecasts, c.ORIGIN_DATE),
    "gold.forecast_explanations": (c.ForecastExplanations, c.ORIGIN_DATE),
    "gold.revenue_forecasts": (c.RevenueForecasts, c.ORIGIN_DATE),
}
"""What a retraining writes: the table's contract, and the column whose values it replaces within a partition."""
ASKED_SQL = f"""
    from {TABLE} where partition_key in (select unnest($keys))
    and report_date = (select max(report_date) from {TABLE} where partition_key in (select unnest($keys)))
"""


@dg.asset(
    **table(TABLE, r.RetrainingRequests, room=ROOM, replace_on=[r.REPORT_DATE]),
    deps=MADE_OF,
)
def retraining_requests(warehouse: WarehouseResource, settings: SettingsResource) -> dg.Output[pd.DataFrame]:
    """Which products are to be trained anew by themselves: one row a report date, product and channel.

    Those that drifted and rested since their last time, the worst first within the budget of a day of data.
    """
    shop = settings.get()
    with warehouse.open().writing() as connection:
        for name, contract in r.RETRAINING_TABLES.items():
            create_table(connection, name, pd.DataFrame(), sql_types(contract))
    limits = {"cooldown_days": shop.retrain_cooldown_days, "budget": shop.retrain_budget_partitions}
    rows = warehouse.read(REQUESTS_SQL, limits)
    return dg.Output(rows, metadata={"partitions": rows[c.PARTITION_KEY].nunique(), "series": len(rows)})


@dg.asset(
    **(
        table(ANSWERS, r.RetrainedSeries, room=ROOM, partition_expr=c.PARTITION_KEY, replace_on=[r.REPORT_DATE])
        | BY_PRODUCT
    ),
    deps=[DAILY_DEMAND, PLANNED_DRIVERS, CATEGORIES, PRODUCT_PARTITIONS, CHAMPIONS, FITTED_MODELS, REGISTERED_MODELS],
)
def retrained_series(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.Output[pd.DataFrame]:
    """At which level the history of a drifted series is read: one row a report date, product and channel."""
    keep_partitions(warehouse, ANSWERS)
    rows = answers_of(warehouse, settings.get(), list(context.partition_keys))
    moved = int((rows[r.LEVEL_FACTOR] != 1).sum())
    metadata: dict[str, Any] = {"series": len(rows), "series_at_a_new_level": moved}
    return dg.Output(rows, metadata=metadata)


def answers_of(warehouse: WarehouseResource, shop: Settings, keys: Sequence[str]) -> pd.DataFrame:
    """Return the rows of `ops.retrained_series` that answer the newest requests for some partitions."""
    asked = warehouse.read(ASKED_SQL, {"keys": list(keys)})
    version = versions_by_alias(warehouse.open(), [CHAMPION_ALIAS])[CHAMPION_ALIAS]
    with open_panel(warehouse.open(), shop, keys) as panel:
        ask = partial(
            champion_forecasts,
            champions=champions_of_keys(warehouse.open(), version.training_id, keys),
            fitted_models=version.fitted_models,
            horizon=shop.horizon_days,
            seed=shop.seed,
            n_jobs=shop.fit_processes,
        )
        return retrain_series(panel, asked, lambda known: ask(known).mean, shop.horizon_days)


class Asked(dg.Config):
    """The partition keys that are trained anew, side by side or not."""

    keys: list[str] = Field(min_length=1)


@dg.op(out=dg.Out(dg.Nothing), tags={"dagster/kind/duckdb": "", "dagster/kind/sktime": ""})
def retrain_products(
    config: Asked, warehouse: WarehouseResource, settings: SettingsResource
) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation | dg.Output[None]]:
    """Train the products of some partitions anew by themselves, and forecast them; each table tells of its partitions.

    Repeated, it makes the same rows. Raises `dg.Failure` where a table breaks its contract.
    """
    shop, keys = settings.get(), config.keys
    yield from kept(warehouse, ANSWERS, answers_of(warehouse, shop, keys), keys)
    forecasts, explanations = forecasts_of(warehouse, shop, keys)
    yield from kept(warehouse, "gold.demand_forecasts", forecasts, keys)
    yield from kept(warehouse, "gold.forecast_explanations", explanations, keys)
    yield from kept(warehouse, "gold.revenue_forecasts", revenue_of(warehouse, keys), keys)
    broken = []
    for evaluation in evaluations(warehouse):
        yield evaluation
        broken += [evaluation] if evaluation.blocking and not evaluation.passed else []
    if broken:
        tables = ", ".join(evaluation.asset_key.to_user_string() for evaluation in broken)
        raise dg.Failure(f"{tables} broke the contract: the check names the rows")
    yield dg.Output(None)


@dg.job(
    name=RETRAIN_JOB,
    description="Train the products of the given partition keys anew by themselves, and forecast them: one run.",
    tags={PRIORITY_TAG: "1"},
)
def retrain() -> None:
    """Train products anew."""
    retrain_products()


def kept(
    warehouse: WarehouseResource, name: str, rows: pd.DataFrame, keys: Sequence[str]
) -> Iterator[dg.AssetMaterialization]:
    """Store the rows of partitions in a table as its asset does, and tell of each partition that was made."""
    contract, replace_on = MADE[name]
    keep_partitions(warehouse, name)
    slices = {c.PARTITION_KEY: list(keys), replace_on: rows[replace_on].drop_duplicates().tolist()}
    warehouse.open().replace_rows(name, rows, slices, sql_types(contract))
    own = dict(iter(rows.groupby(c.PARTITION_KEY)))
    for key in keys:
        told: dict[str, Any] = {"dagster/partition_row_count": len(own.get(key, ()))}
        if key in own and c.FALLBACK_REASON in rows:
            told |= counts_of(own[key].drop_duplicates([c.PRODUCT_ID, c.CHANNEL]))
        yield dg.AssetMaterialization(asset_key=dg.AssetKey(name.split(".")), partition=key, metadata=told)


def evaluations(warehouse: WarehouseResource) -> Iterator[dg.AssetCheckEvaluation]:
    """Evaluate the checks of the tables that a retraining writes, as a run of their assets would."""
    tables = {dg.AssetKey(name.split(".")) for name in MADE}
    for definition in checks.CHECKS:
        [spec] = definition.check_specs
        if spec.asset_key in tables:
            found = cast("dg.AssetCheckResult", definition(warehouse))
            yield dg.AssetCheckEvaluation(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=bool(found.passed),
                metadata=found.metadata,
                severity=found.severity,
                description=found.description,
                blocking=spec.blocking,
            )

"""Forecasts as assets: back-tests and choices over all products, forecasts product by product.

What spans products is unpartitioned; `demand_forecasts` and `revenue_forecasts` are partitioned by product, so that one
product, or any selection, is forecast anew in seconds and its rows alone change.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from storecast.figures import as_markdown
from storecast.forecasting import contracts as c
from storecast.forecasting.accuracy import forecast_accuracy
from storecast.forecasting.backtest import READ_COLUMNS, backtest, backtests_from_table, backtests_table, model_scores
from storecast.forecasting.explanations import explain_forecasts, readers_of
from storecast.forecasting.forecast import champion_forecasts, published_forecasts, train_global_models
from storecast.forecasting.intervals import fit_interval_scales, scales_table
from storecast.forecasting.level_forecasts import backtest_levels, forecast_levels
from storecast.forecasting.lost_demand import lost_demand_of
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.panel_reading import OF_KEYS, key_chunks, open_panel
from storecast.forecasting.partitions import partition_keys
from storecast.forecasting.plots import forecast_plot
from storecast.forecasting.registry import models_named
from storecast.forecasting.revenue import forecast_revenue
from storecast.forecasting.selection import champion_backtests, champions_table, choose_champions
from storecast.forecasting.trainings import CATEGORIES_SQL, plan_of, read_tuned, specs_of, study_name_of, training_of
from storecast.forecasting.tuned_parameters import followed_by, tuned_table
from storecast.settings import Settings
from storecast.warehouse.resources import PROGRESS, SettingsResource, WarehouseResource, table

ROOM = "forecasting"
PRODUCTS = dg.DynamicPartitionsDefinition(name="product")
PICTURES = 10
"""So many partitions a run draws: each picture takes about 40 kB in Dagster's storage, and is stored twice."""

DAILY_DEMAND = dg.AssetKey(["gold", "daily_demand"])
PLANNED_DRIVERS = dg.AssetKey(["gold", "planned_drivers"])
CATEGORIES = dg.AssetKey(["silver", "products"])
PRODUCT_PARTITIONS = dg.AssetKey(["ops", "product_partitions"])
BACKTESTS = dg.AssetKey(["ops", "backtests"])
CHAMPIONS = dg.AssetKey(["ops", "champions"])
FITTED_MODELS = dg.AssetKey(["ops", "fitted_models"])
INTERVAL_SCALES = dg.AssetKey(["ops", "interval_scales"])
REGISTERED_MODELS = dg.AssetKey(["ops", "registered_models"])
DEMAND_FORECASTS = dg.AssetKey(["gold", "demand_forecasts"])
REVENUE_FORECASTS = dg.AssetKey(["gold", "revenue_forecasts"])
LEVEL_BACKTESTS = dg.AssetKey(["ops", "level_backtests"])
TUNED_PARAMETERS = dg.AssetKey(["ops", "tuned_parameters"])

BACKTESTS_SQL = f"select {', '.join(READ_COLUMNS)} from ops.backtests"
OF_NEWEST = "where origin_date = (select max(origin_date) from gold.demand_forecasts)"
EVER_SOLD_OUT = "product_id in (select product_id from gold.daily_demand where not is_in_stock)"
NEWEST_OF_KEYS_SQL = """
    with of_keys as (select * from gold.demand_forecasts where partition_key in (select unnest(?)))
    select * from of_keys where origin_date = (select max(origin_date) from of_keys)
"""
BY_PRODUCT: dict[str, Any] = {
    "partitions_def": PRODUCTS,
    "backfill_policy": dg.BackfillPolicy.single_run(),
}
PARTITIONED = {"partition_expr": c.PARTITION_KEY, "replace_on": [c.ORIGIN_DATE]}


@dg.asset(**table("ops.product_partitions", c.ProductPartitions, room=ROOM), deps=[DAILY_DEMAND])
def product_partitions(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> pd.DataFrame:
    """The partition key of each product that ever sold: one row a product."""
    products = warehouse.read("select distinct product_id from gold.daily_demand")["product_id"]
    shop = settings.get()
    keys = partition_keys(products.tolist(), shop.max_product_partitions, shop.product_groups)
    register_partitions(context.instance, keys[c.PARTITION_KEY].unique().tolist())
    return keys


@dg.asset(**table("gold.lost_demand", c.LostDemand, room=ROOM), deps=[DAILY_DEMAND])
def lost_demand(warehouse: WarehouseResource) -> pd.DataFrame:
    """What was lost for want of stock, as the forecasts take it: one row a product, channel and sold-out day."""
    return lost_demand_of(warehouse.read(f"select * from gold.daily_demand where {EVER_SOLD_OUT}"))


class TuningConfig(dg.Config):
    """Which model is tuned, and until when: so many minutes, or so many trials in all."""

    model: str = "lightgbm"
    minutes: float = 30.0
    trials: int | None = None


@dg.asset(
    **table("ops.tuned_parameters", c.TunedParameters, room=ROOM), deps=[DAILY_DEMAND, PLANNED_DRIVERS, CATEGORIES]
)
def tuned_parameters(
    context: dg.AssetExecutionContext, config: TuningConfig, warehouse: WarehouseResource, settings: SettingsResource
) -> pd.DataFrame:
    """Parameters of global models, tuned on the selection origins, with which trainings fit them: one row a model."""
    from storecast.forecasting.tuning import MINUTE, Budget, tune  # noqa: PLC0415 - Optuna takes seconds to import

    shop = settings.get()
    spec = next(spec for spec in models_named([config.model]) if spec.name == config.model)
    with open_panel(warehouse.open(), shop) as panel:
        found = tune(
            panel,
            spec,
            plan_of(shop),
            Budget(config.minutes * MINUTE, config.trials),
            storage=shop.tuning_path,
            study_name=study_name_of(warehouse.open(), shop, spec),
            seed=shop.seed,
            n_jobs=shop.fit_processes,
            ray_address=shop.ray_address,
            report=lambda line: context.log.info(line, extra=PROGRESS),
        )
    return followed_by(read_tuned(warehouse.open()), tuned_table([found]))


@dg.asset(
    **table("ops.backtests", c.Backtests, room=ROOM),
    deps=[DAILY_DEMAND, PLANNED_DRIVERS, CATEGORIES, TUNED_PARAMETERS],
)
def backtests(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> pd.DataFrame:
    """What each model would have forecast: one row a split, origin, product, channel, day ahead and model."""
    shop = settings.get()
    with open_panel(warehouse.open(), shop) as panel:
        results = backtest(
            panel,
            specs_of(warehouse.open(), shop, panel),
            plan_of(shop),
            seed=shop.seed,
            n_jobs=shop.fit_processes,
            ray_address=shop.ray_address,
            report=lambda line: context.log.info(line, extra=PROGRESS),
        )
        return backtests_table(results)


@dg.multi_asset(
    name="selection",
    outs={
        "model_scores": dg.AssetOut(
            **table("ops.model_scores", c.ModelScores, room=ROOM),
            description="Each model's errors: one row a split, origin, product, channel and model.",
        ),
        "champions": dg.AssetOut(
            **table("ops.champions", c.Champions, room=ROOM),
            description="The model that forecasts a series, and why it was chosen: one row a product and channel.",
        ),
        "interval_scales": dg.AssetOut(
            **table("ops.interval_scales", c.IntervalScales, room=ROOM),
            description="What makes quantiles of means: one row a quantile of a pool or a spread of a class or series.",
        ),
        "backtest_accuracy": dg.AssetOut(
            **table("ops.backtest_accuracy", c.BacktestAccuracy, room=ROOM),
            description="Accuracy on origins without part in any choice, days that ended sold out left out: "
            "one row an origin, level, class and model.",
        ),
        "level_backtests": dg.AssetOut(
            **table("ops.level_backtests", c.LevelBacktests, room=ROOM),
            description="The champions' back-tests in units and money: one row a split, origin, level, node and day.",
        ),
    },
    deps=[BACKTESTS, DAILY_DEMAND, CATEGORIES],
)
def selection(warehouse: WarehouseResource, settings: SettingsResource) -> Iterator[dg.Output[pd.DataFrame]]:
    """Scores, champions and intervals from the selection origins; accuracy from the evaluation origins alone."""
    training_id, _ = training_of(warehouse.open(), settings.get())
    with open_panel(warehouse.open(), settings.get()) as panel:
        results = backtests_from_table(warehouse.read_encoded(BACKTESTS_SQL), panel)
        chosen_on = results.of_split(c.SELECTION)
        policy = choose_champions(chosen_on)
        scales = fit_interval_scales(chosen_on.actual, champion_backtests(chosen_on, policy), chosen_on.classes)
        yield dg.Output(model_scores(results), "model_scores")
        yield dg.Output(champions_table(policy, results.panel, training_id), "champions")
        yield dg.Output(scales_table(scales, panel.keys, training_id), "interval_scales")
        yield dg.Output(forecast_accuracy(results, policy), "backtest_accuracy")
        champion, products = champion_backtests(results, policy), warehouse.read(CATEGORIES_SQL)
        yield dg.Output(backtest_levels(results, champion, read_revenue(warehouse, panel), products), "level_backtests")


@dg.asset(
    **table("ops.fitted_models", c.FittedModels, room=ROOM),
    deps=[DAILY_DEMAND, PLANNED_DRIVERS, CATEGORIES, TUNED_PARAMETERS],
)
def fitted_models(warehouse: WarehouseResource, settings: SettingsResource) -> pd.DataFrame:
    """Global models trained on all history, as text: one row a training and model."""
    shop = settings.get()
    training_id, snapshot_hash = training_of(warehouse.open(), shop)
    with open_panel(warehouse.open(), shop) as panel:
        return train_global_models(
            panel,
            specs_of(warehouse.open(), shop, panel),
            training_id=training_id,
            snapshot_hash=snapshot_hash,
            horizon=shop.horizon_days,
            seed=shop.seed,
            n_jobs=shop.fit_processes,
        )


@dg.multi_asset(
    name="gold__demand_forecasts",
    outs={
        "demand_forecasts": dg.AssetOut(
            **table("gold.demand_forecasts", c.DemandForecasts, room=ROOM, **PARTITIONED),
            description="Units a day with their quantiles: one row an origin, product, channel and day ahead.",
        ),
        "forecast_explanations": dg.AssetOut(
            **table("gold.forecast_explanations", c.ForecastExplanations, room=ROOM, **PARTITIONED),
            description="The same units as a sum of level, season, price, promotion, event and reconciliation: "
            "one row an origin, product, channel and day ahead.",
        ),
    },
    **BY_PRODUCT,
    deps=[
        DAILY_DEMAND,
        PLANNED_DRIVERS,
        CATEGORIES,
        PRODUCT_PARTITIONS,
        CHAMPIONS,
        FITTED_MODELS,
        INTERVAL_SCALES,
        REGISTERED_MODELS,
    ],
)
def demand_forecasts(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> Iterator[dg.Output[pd.DataFrame]]:
    """Units a day, and what they are made of: explained with the very models, plans and history that forecast them."""
    shop, keys = settings.get(), list(context.partition_keys)
    fitted = warehouse.read("select * from ops.fitted_models")
    parts = [forecast_keys(warehouse, shop, part, fitted) for part in key_chunks(warehouse.open(), shop, keys)]
    forecasts, explanations = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    tell_of_forecasts(context, warehouse, forecasts)
    for name, rows in (("demand_forecasts", forecasts), ("forecast_explanations", explanations)):
        keep_partitions(warehouse, f"gold.{name}")
        yield dg.Output(rows, name)


@dg.asset(
    **(table("gold.revenue_forecasts", c.RevenueForecasts, room=ROOM, **PARTITIONED) | BY_PRODUCT),
    deps=[DEMAND_FORECASTS, PLANNED_DRIVERS],
)
def revenue_forecasts(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> pd.DataFrame:
    """Revenue a day, units at the planned price: one row an origin, product, channel and day ahead."""
    keys = list(context.partition_keys)
    keep_partitions(warehouse, "gold.revenue_forecasts")
    forecasts = warehouse.read(NEWEST_OF_KEYS_SQL, [keys])
    return forecast_revenue(
        forecasts, warehouse.read(f"select * from gold.planned_drivers where {OF_KEYS}", {"keys": keys})
    )


@dg.asset(
    **table("gold.level_forecasts", c.LevelForecasts, room=ROOM, replace_on=[c.ORIGIN_DATE]),
    deps=[DEMAND_FORECASTS, REVENUE_FORECASTS, LEVEL_BACKTESTS, CATEGORIES],
)
def level_forecasts(warehouse: WarehouseResource) -> pd.DataFrame:
    """Units and revenue by product, category, seller, channel and total: one row an origin, level, node and day ahead.

    They are the sums of the newest origin's forecasts; `series` says how many a node has.
    """
    return forecast_levels(
        warehouse.read_encoded(f"select * from gold.demand_forecasts {OF_NEWEST}"),
        warehouse.read_encoded(f"select * from gold.revenue_forecasts {OF_NEWEST}"),
        warehouse.read_encoded("select * from ops.level_backtests"),
        warehouse.read(CATEGORIES_SQL),
    )


def register_partitions(instance: dg.DagsterInstance, keys: Sequence[str]) -> None:
    """Make Dagster know exactly these product partitions, keeping those it has in their order."""
    name = str(PRODUCTS.name)
    known = set(instance.get_dynamic_partitions(name))
    instance.add_dynamic_partitions(name, [key for key in keys if key not in known])
    for gone in known - set(keys):
        instance.delete_dynamic_partition(name, gone)


def forecast_keys(
    warehouse: WarehouseResource, shop: Settings, keys: Sequence[str], fitted: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the forecasts of all series in some partitions, and what they are made of."""
    of_keys = {"keys": list(keys)}
    with open_panel(warehouse.open(), shop, keys) as panel:
        said = champion_forecasts(
            panel,
            warehouse.read(f"select * from ops.champions where {OF_KEYS}", of_keys),
            fitted,
            horizon=shop.horizon_days,
            seed=shop.seed,
            n_jobs=shop.fit_processes,
            ray_address=shop.ray_address,
        )
        scales = warehouse.read(f"select * from ops.interval_scales where product_id is null or {OF_KEYS}", of_keys)
        owners, version = partition_key_of(warehouse, keys), model_version_of(warehouse)
        forecasts = published_forecasts(said, scales, owners, version)
        readers = readers_of(said, dict(zip(fitted[c.MODEL], fitted[c.PAYLOAD], strict=True)), seed=shop.seed)
        return forecasts, explain_forecasts(said, forecasts, readers)


def read_revenue(warehouse: WarehouseResource, panel: Panel) -> FloatArray:
    """Return what each series of a panel of all series took on each day, 0 before its first."""
    revenue = np.zeros(panel.units.shape)
    rows = warehouse.read("select revenue from gold.daily_demand order by product_id, channel, date")
    revenue[~np.isnan(panel.units)] = rows[c.REVENUE]
    return revenue


def model_version_of(warehouse: WarehouseResource) -> str:
    """Return the registered version of the training that the champions come from.

    Raises `ValueError` where it is not registered.
    """
    found = warehouse.read(
        "select model_version from ops.registered_models where training_id in (select training_id from ops.champions)"
    )
    if len(found) != 1:
        message = f"ops.registered_models has {len(found)} versions of the champions' training: run the job `train`"
        raise ValueError(message)
    return str(found["model_version"].iloc[0])


def keep_partitions(warehouse: WarehouseResource, name: str) -> None:
    """Bring a forecast table's partition keys up to date where the catalogue outgrew one key a product.

    Otherwise the rows under a product's former key would stand beside those under its new one.
    """
    stale = f"from ops.product_partitions as now where now.product_id = {name}.product_id"
    stale += f" and now.partition_key <> {name}.partition_key"
    if (
        warehouse.open().exists(name)
        and warehouse.read(f"select exists (select 1 {stale}) as found from {name}").found.any()
    ):
        with warehouse.open().writing() as connection:
            connection.execute(f"update {name} set partition_key = now.partition_key {stale}")


def partition_key_of(warehouse: WarehouseResource, keys: Sequence[str]) -> dict[str, str]:
    """Return the partition key of each product in some partitions."""
    found = warehouse.read(f"select * from ops.product_partitions where {OF_KEYS}", {"keys": list(keys)})
    return dict(zip(found[c.PRODUCT_ID], found[c.PARTITION_KEY], strict=True))


def tell_of_forecasts(context: dg.AssetExecutionContext, warehouse: WarehouseResource, forecasts: pd.DataFrame) -> None:
    """Tell of each partition its models and fallbacks, and draw those that are forecast to sell most.

    Dagster stores what is told of the whole run once a partition: so a picture goes to its own partition alone.
    """
    series = forecasts.drop_duplicates([c.PRODUCT_ID, c.CHANNEL])
    for key, own in series.groupby(c.PARTITION_KEY):
        context.add_asset_metadata(counts_of(own), DEMAND_FORECASTS, partition_key=str(key))
    totals = forecasts.groupby([c.PARTITION_KEY, c.PRODUCT_ID, c.CHANNEL], as_index=False)[c.MEAN_UNITS].sum()
    best = totals.sort_values(c.MEAN_UNITS, ascending=False).drop_duplicates(c.PARTITION_KEY).head(PICTURES)
    context.add_asset_metadata({"pictures_are_at": ", ".join(best[c.PARTITION_KEY])}, DEMAND_FORECASTS)
    for shown in best.itertuples():
        picture = picture_of(warehouse, forecasts, shown.product_id, shown.channel)
        context.add_asset_metadata(
            {"history_and_forecast": picture}, DEMAND_FORECASTS, partition_key=shown.partition_key
        )


def counts_of(series: pd.DataFrame) -> dict[str, Any]:
    """Return how many series there are, by model and with a fallback."""
    return {
        "series": len(series),
        "series_by_model": dg.MetadataValue.json(series[c.MODEL].value_counts().to_dict()),
        "series_with_fallback": int(series[c.FALLBACK_REASON].notna().sum()),
    }


def picture_of(
    warehouse: WarehouseResource, forecasts: pd.DataFrame, product_id: str, channel: str
) -> dg.MarkdownMetadataValue:
    """Draw a series' history and its forecast."""
    history = warehouse.read(
        "select date, units from gold.daily_demand where product_id = ? and channel = ?", [product_id, channel]
    )
    own = forecasts[(forecasts[c.PRODUCT_ID] == product_id) & (forecasts[c.CHANNEL] == channel)]
    figure = forecast_plot(history, own, f"{product_id} in {channel}")
    return dg.MetadataValue.md(as_markdown(figure, "units sold, and the forecast with its intervals"))

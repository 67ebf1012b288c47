"""What a training's models say of the days ahead, product by product, and its sums."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from storecast.figures import as_markdown
from storecast.forecasting import contracts as c
from storecast.forecasting.assets import (
    BY_PRODUCT,
    CATEGORIES,
    CHAMPIONS,
    DAILY_DEMAND,
    DEMAND_FORECASTS,
    FITTED_MODELS,
    INTERVAL_SCALES,
    LEVEL_BACKTESTS,
    PARTITIONED,
    PLANNED_DRIVERS,
    PRODUCT_PARTITIONS,
    PRODUCTS,
    REGISTERED_MODELS,
    RETRAINED_SERIES,
    REVENUE_FORECASTS,
    ROOM,
)
from storecast.forecasting.explanations import explain_forecasts, readers_of
from storecast.forecasting.level_forecasts import forecast_levels
from storecast.forecasting.panel_reading import OF_KEYS, key_chunks, open_panel
from storecast.forecasting.partitions import partition_keys
from storecast.forecasting.plots import forecast_plot
from storecast.forecasting.revenue import forecast_revenue
from storecast.forecasting.trainings import CATEGORIES_SQL, name_training
from storecast.forecasting.versions import Version, canary_products, forecasts_by, shared_out, versions_by_alias
from storecast.registry.contracts import CHAMPION_TRAINING_SQL, FORECASTING
from storecast.settings import Settings
from storecast.warehouse.resources import SettingsResource, WarehouseResource, table

PICTURES = 10
"""So many partitions a run draws: each picture takes about 40 kB in Dagster's storage, and is stored twice."""

OF_NEWEST = "where origin_date = (select max(origin_date) from gold.demand_forecasts)"
NEWEST_OF_KEYS_SQL = """
    with of_keys as (select * from gold.demand_forecasts where partition_key in (select unnest(?)))
    select * from of_keys where origin_date = (select max(origin_date) from of_keys)
"""


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
        RETRAINED_SERIES,
    ],
)
def demand_forecasts(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> Iterator[dg.Output[pd.DataFrame]]:
    """Units a day, and what they are made of: explained with the very models, plans and history that forecast them."""
    forecasts, explanations = forecasts_of(warehouse, settings.get(), list(context.partition_keys))
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
    keep_partitions(warehouse, "gold.revenue_forecasts")
    return revenue_of(warehouse, list(context.partition_keys))


@dg.asset(
    **table("gold.level_forecasts", c.LevelForecasts, room=ROOM, replace_on=[c.ORIGIN_DATE]),
    deps=[DEMAND_FORECASTS, REVENUE_FORECASTS, LEVEL_BACKTESTS, REGISTERED_MODELS, CATEGORIES],
)
def level_forecasts(warehouse: WarehouseResource) -> pd.DataFrame:
    """Units and revenue by product, category, seller, channel and total: one row an origin, level, node and day ahead.

    They are the sums of the newest origin's forecasts; `series` says how many a node has. Quantiles are made of the
    champion's back-tests.
    """
    name_training(warehouse.open())
    return forecast_levels(
        warehouse.read_encoded(f"select * from gold.demand_forecasts {OF_NEWEST}"),
        warehouse.read_encoded(f"select * from gold.revenue_forecasts {OF_NEWEST}"),
        warehouse.read_encoded(f"select * from ops.level_backtests where training_id = {CHAMPION_TRAINING_SQL}"),
        warehouse.read(CATEGORIES_SQL),
    )


def register_partitions(instance: dg.DagsterInstance, keys: Sequence[str]) -> None:
    """Make Dagster know exactly these product partitions, keeping those it has in their order."""
    name = str(PRODUCTS.name)
    known = set(instance.get_dynamic_partitions(name))
    instance.add_dynamic_partitions(name, [key for key in keys if key not in known])
    for gone in known - set(keys):
        instance.delete_dynamic_partition(name, gone)


def forecasts_of(
    warehouse: WarehouseResource, shop: Settings, keys: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the forecasts of partitions and what they are made of, a chunk of the partitions at a time."""
    versions = versions_by_alias(warehouse.open(), FORECASTING)
    parts = [forecast_keys(warehouse, shop, part, versions) for part in key_chunks(warehouse.open(), shop, keys)]
    forecasts, explanations = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    return forecasts, explanations


def revenue_of(warehouse: WarehouseResource, keys: Sequence[str]) -> pd.DataFrame:
    """Return the revenue of the newest forecasts of partitions, at planned prices."""
    planned = warehouse.read(f"select * from gold.planned_drivers where {OF_KEYS}", {"keys": list(keys)})
    return forecast_revenue(warehouse.read(NEWEST_OF_KEYS_SQL, [list(keys)]), planned)


def forecast_keys(
    warehouse: WarehouseResource, shop: Settings, keys: Sequence[str], versions: Mapping[str, Version]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the forecasts of all series in some partitions, each by its version, and what they are made of."""
    opened = warehouse.open()
    parts = []
    with open_panel(opened, shop, keys) as panel:
        for version, own in shared_out(panel, versions, canary_products(opened, keys, shop.canary_share)):
            said, forecasts = forecasts_by(version, own, opened, shop, keys)
            payloads = dict(zip(version.fitted_models[c.MODEL], version.fitted_models[c.PAYLOAD], strict=True))
            parts.append((forecasts, explain_forecasts(said, forecasts, readers_of(said, payloads, seed=shop.seed))))
    forecasts, explanations = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    return forecasts, explanations


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
        "select date, case when is_recorded then units end as units from gold.daily_demand "
        "where product_id = ? and channel = ?",
        [product_id, channel],
    )
    own = forecasts[(forecasts[c.PRODUCT_ID] == product_id) & (forecasts[c.CHANNEL] == channel)]
    figure = forecast_plot(history, own, f"{product_id} in {channel}")
    return dg.MetadataValue.md(as_markdown(figure, "units sold, and the forecast with its intervals"))

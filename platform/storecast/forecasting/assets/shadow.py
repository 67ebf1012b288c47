"""What the versions say that did not publish, so that they can be compared; and what each of them costs."""

import time
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting import shadow_contracts as s
from storecast.forecasting.assets import (
    CATEGORIES,
    CHAMPIONS,
    DAILY_DEMAND,
    DEMAND_FORECASTS,
    FITTED_MODELS,
    INTERVAL_SCALES,
    PLANNED_DRIVERS,
    PRODUCT_PARTITIONS,
    REGISTERED_MODELS,
    ROOM,
)
from storecast.forecasting.panel import BoolArray
from storecast.forecasting.panel_reading import OF_KEYS, key_chunks, open_panel
from storecast.forecasting.versions import Version, forecasts_by, versions_by_alias
from storecast.registry.contracts import WITH_ALIAS_SQL
from storecast.settings import Settings
from storecast.warehouse.resources import SettingsResource, WarehouseResource, table

SHADOWS = "ops.shadow_forecasts"
SHADOW_COLUMNS = list(s.ShadowForecasts.to_schema().columns)
COST_COLUMNS = list(s.ModelCosts.to_schema().columns)
FORGET_SQL = f"""
    delete from {SHADOWS}
    where date <= (select max(date) from gold.daily_demand)
        and model_version not in (select model_version from ({WITH_ALIAS_SQL}))
"""
"""Versions without an alias are compared with nothing more; what is not scored yet stays, should one come back."""
PUBLISHED_SQL = f"""
    select distinct product_id, channel from gold.demand_forecasts
    where model_version = $model_version and origin_date = $origin_date and {OF_KEYS}
"""
SIZES = " + ".join(
    f"(select coalesce(sum(strlen(concat(*columns(*)))), 0) from {name} where training_id = $training_id)"
    for name in ("ops.champions", "ops.interval_scales", "ops.fitted_models")
)
COST_SQL = f"select max(date) as origin_date, ({SIZES})::bigint as size_bytes from gold.daily_demand"


@dg.multi_asset(
    name="shadows",
    outs={
        "shadow_forecasts": dg.AssetOut(
            **table(SHADOWS, s.ShadowForecasts, room=ROOM, replace_on=[c.ORIGIN_DATE]),
            description="What versions with an alias say of the series that another one published: "
            "one row a version, origin, product, channel and day ahead.",
        ),
        "model_costs": dg.AssetOut(
            **table("ops.model_costs", s.ModelCosts, room=ROOM, replace_on=[c.ORIGIN_DATE]),
            description="What versions with an alias take of the warehouse and of time: one row a version and origin.",
        ),
    },
    deps=[
        CATEGORIES,
        CHAMPIONS,
        DAILY_DEMAND,
        DEMAND_FORECASTS,
        FITTED_MODELS,
        INTERVAL_SCALES,
        PLANNED_DRIVERS,
        PRODUCT_PARTITIONS,
        REGISTERED_MODELS,
    ],
)
def shadows(warehouse: WarehouseResource, settings: SettingsResource) -> Iterator[dg.Output[pd.DataFrame]]:
    """Have each version with an alias forecast all series; where that is the champion alone, nothing is to do."""
    shop, versions = settings.get(), versions_by_alias(warehouse.open())
    if warehouse.open().exists(SHADOWS):
        with warehouse.open().writing() as connection:
            connection.execute(FORGET_SQL)
    compared = versions if len(versions) > 1 else {}
    forecasts, costs = shadow(warehouse, shop, compared)
    yield dg.Output(forecasts, "shadow_forecasts", metadata={"versions": [*compared], "new_rows": len(forecasts)})
    yield dg.Output(costs, "model_costs")


def shadow(
    warehouse: WarehouseResource, shop: Settings, versions: Mapping[str, Version]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what versions say of the series that they did not publish themselves, and what they cost.

    All of them forecast all series, so that their seconds can be compared.
    """
    opened, seconds, forecasts = warehouse.open(), dict.fromkeys(versions, 0.0), []
    keys = warehouse.read("select distinct partition_key from ops.product_partitions order by 1")[c.PARTITION_KEY]
    for part in key_chunks(opened, shop, keys.tolist()) if versions else ():
        with open_panel(opened, shop, part) as panel:
            for alias, version in versions.items():
                begun = time.perf_counter()
                _, said = forecasts_by(version, panel, opened, shop, part)
                seconds[alias] += time.perf_counter() - begun
                forecasts.append(said.loc[~is_published(warehouse, said, part), SHADOW_COLUMNS])
    costs = [
        warehouse.read(COST_SQL, {"training_id": version.training_id}).assign(
            **{c.MODEL_VERSION: version.model_version, s.SECONDS: seconds[alias]}
        )
        for alias, version in versions.items()
    ]
    return _concat(forecasts, SHADOW_COLUMNS), _concat(costs, COST_COLUMNS)


def is_published(warehouse: WarehouseResource, said: pd.DataFrame, keys: Sequence[str]) -> BoolArray:
    """Tell of each row whether its series was published by the same version from the same origin."""
    [of_rows] = said[[c.MODEL_VERSION, c.ORIGIN_DATE]].drop_duplicates().to_dict("records")
    own = warehouse.read(PUBLISHED_SQL, {**of_rows, "keys": list(keys)})
    return pd.MultiIndex.from_frame(said[[c.PRODUCT_ID, c.CHANNEL]]).isin(pd.MultiIndex.from_frame(own))


def _concat(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)[list(columns)] if tables else pd.DataFrame(columns=list(columns))

"""Single products trained anew: what is asked for, and what came of it.

Here the loop is closed, which a graph cannot be: `retrained_series` reads what `retraining_requests` asks for, made of
the drift of forecasts that hang on it. So that edge is not in the graph; a sensor brings the partitions instead.
"""

from functools import partial
from typing import Any

import dagster as dg
import pandas as pd

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
from storecast.forecasting.assets.forecasts import keep_partitions
from storecast.forecasting.forecast import champion_forecasts
from storecast.forecasting.panel_reading import open_panel
from storecast.forecasting.retraining import retrain
from storecast.forecasting.retraining_requests import ANSWERS, REQUESTS_SQL, TABLE
from storecast.forecasting.versions import champions_of_keys, versions_by_alias
from storecast.registry.contracts import CHAMPION_ALIAS
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.database import create_table
from storecast.warehouse.resources import SettingsResource, WarehouseResource, table

MADE_OF = [
    dg.AssetKey(["ops", name]) for name in ("product_drift", "product_partitions", "promotions", "tracking_signals")
]
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
    shop, keys = settings.get(), list(context.partition_keys)
    asked = warehouse.read(ASKED_SQL, {"keys": keys})
    version = versions_by_alias(warehouse.open(), [CHAMPION_ALIAS])[CHAMPION_ALIAS]
    keep_partitions(warehouse, ANSWERS)
    with open_panel(warehouse.open(), shop, keys) as panel:
        ask = partial(
            champion_forecasts,
            champions=champions_of_keys(warehouse.open(), version.training_id, keys),
            fitted_models=version.fitted_models,
            horizon=shop.horizon_days,
            seed=shop.seed,
            n_jobs=shop.fit_processes,
        )
        rows = retrain(panel, asked, lambda known: ask(known).mean, shop.horizon_days)
    moved = int((rows[r.LEVEL_FACTOR] != 1).sum())
    metadata: dict[str, Any] = {"series": len(rows), "series_at_a_new_level": moved}
    return dg.Output(rows, metadata=metadata)

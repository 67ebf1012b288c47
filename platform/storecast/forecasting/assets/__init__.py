"""Forecasts as assets: back-tests and choices over all products, forecasts product by product.

What spans products is unpartitioned; `demand_forecasts` and `revenue_forecasts` are partitioned by product, so that one
product, or any selection, is forecast anew in seconds and its rows alone change.
"""

from typing import Any

import dagster as dg

from storecast.forecasting import contracts as c

ROOM = "forecasting"
PRODUCTS = dg.DynamicPartitionsDefinition(name="product")

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
RETRAINED_SERIES = dg.AssetKey(["ops", "retrained_series"])
LEVEL_BACKTESTS = dg.AssetKey(["ops", "level_backtests"])
TUNED_PARAMETERS = dg.AssetKey(["ops", "tuned_parameters"])

BY_PRODUCT: dict[str, Any] = {
    "partitions_def": PRODUCTS,
    "backfill_policy": dg.BackfillPolicy.single_run(),
}
PARTITIONED = {"partition_expr": c.PARTITION_KEY, "replace_on": [c.ORIGIN_DATE]}
SIDE_BY_SIDE = {"replace_on": [c.TRAINING_ID]}
"""Metadata of tables that hold several trainings: a training replaces its own rows."""

"""Checks of the tables this room publishes."""

import dagster as dg

from storecast.forecasting.contracts import TABLES
from storecast.warehouse.checks import contract_checks
from storecast.warehouse.resources import WarehouseResource

WITHOUT_FORECAST_SQL = """
    select partitions.product_id
    from ops.product_partitions as partitions
    anti join (
        select product_id from gold.demand_forecasts
        where origin_date = (select max(date) from gold.daily_demand)
    ) as forecasts using (product_id)
    order by 1
"""
WORSE_SQL = """
    select level, avg(skill_over_seasonal_naive) as skill
    from gold.forecast_accuracy
    where model = 'champion' and demand_class = 'all'
    group by level
    having avg(skill_over_seasonal_naive) <= 0
"""


@dg.asset_check(asset=["gold", "demand_forecasts"])
def every_product_has_a_forecast(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Every product that ever sold has a forecast from the last day loaded."""
    missing = warehouse.read(WITHOUT_FORECAST_SQL)["product_id"]
    return dg.AssetCheckResult(
        passed=missing.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"products_without": len(missing), "first": dg.MetadataValue.json(missing.head(20).tolist())},
    )


@dg.asset_check(asset=["gold", "forecast_accuracy"])
def champion_beats_seasonal_naive(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """The champion's WAPE is below seasonal naive's at every level, on origins that had no part in any choice."""
    worse = warehouse.read(WORSE_SQL)
    return dg.AssetCheckResult(
        passed=worse.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"levels_where_it_does_not": dg.MetadataValue.md(worse.to_markdown(index=False))},
    )


CHECKS = [*contract_checks(TABLES), every_product_has_a_forecast, champion_beats_seasonal_naive]

"""Checks of the tables this room publishes."""

import dagster as dg

from storecast.forecasting.contracts import TABLES
from storecast.forecasting.retraining_contracts import RETRAINING_TABLES
from storecast.forecasting.shadow_contracts import SHADOW_TABLES
from storecast.monitoring.contracts import WORSE_SQL
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
SHOWN = 20
LARGEST_GAP = 1e-6
"""Units, or money; rounding alone may make it as large where a sum has thirteen digits or more."""
INCOHERENT_SQL = """
    with origin as (select max(origin_date) as origin_date from gold.level_forecasts),
    series as (
        select demand.*, revenue.mean_revenue, coalesce(category, 'unknown') as category,
            coalesce(seller_id, 'unknown') as seller_id
        from gold.demand_forecasts as demand
        inner join origin using (origin_date)
        inner join gold.revenue_forecasts as revenue using (origin_date, product_id, channel, date)
        left join silver.products as products on products.product_id = demand.product_id
    ),
    sums as (
        select date, unnest([
            {'level': 'product', 'node': product_id}, {'level': 'category', 'node': category},
            {'level': 'seller', 'node': seller_id}, {'level': 'channel', 'node': channel},
            {'level': 'total', 'node': 'total'}
        ], recursive := true), mean_units, mean_revenue
        from series
    ),
    expected as (
        select level, node, date, sum(mean_units) as units, coalesce(sum(mean_revenue), 0) as revenue
        from sums group by all
    )
    select level, node, date, published.mean_units, expected.units, published.mean_revenue, expected.revenue
    from (select * from gold.level_forecasts inner join origin using (origin_date)) as published
    full join expected using (level, node, date)
    where not coalesce(
        abs(published.mean_units - expected.units) <= greatest(?, 1e-12 * expected.units)
        and abs(coalesce(published.mean_revenue, 0) - expected.revenue) <= greatest(?, 1e-12 * expected.revenue), false
    )
    order by all
"""


@dg.asset_check(asset=["gold", "level_forecasts"], blocking=True)
def levels_add_up(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Units and revenue of every node are the sums of its series' forecasts of the same origin, to 1e-6."""
    wrong = warehouse.read(INCOHERENT_SQL, [LARGEST_GAP, LARGEST_GAP])
    shown = wrong.head(SHOWN).to_markdown(index=False)
    return dg.AssetCheckResult(
        passed=wrong.empty, metadata={"wrong_rows": len(wrong), "first": dg.MetadataValue.md(shown)}
    )


@dg.asset_check(asset=["gold", "demand_forecasts"])
def every_product_has_a_forecast(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Every product that ever sold has a forecast from the last day loaded."""
    missing = warehouse.read(WITHOUT_FORECAST_SQL)["product_id"]
    return dg.AssetCheckResult(
        passed=missing.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"products_without": len(missing), "first": dg.MetadataValue.json(missing.head(20).tolist())},
    )


@dg.asset_check(asset=["ops", "backtest_accuracy"])
def champion_beats_seasonal_naive(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """At no level is the champion worse than seasonal naive beyond chance, on origins without part in any choice."""
    worse = warehouse.read(WORSE_SQL.format(table="ops.backtest_accuracy"))
    return dg.AssetCheckResult(
        passed=worse.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"levels_where_it_does_not": dg.MetadataValue.md(worse.to_markdown(index=False))},
    )


CHECKS = [
    *contract_checks(TABLES),
    *contract_checks(RETRAINING_TABLES),
    *contract_checks(SHADOW_TABLES),
    every_product_has_a_forecast,
    champion_beats_seasonal_naive,
    levels_add_up,
]

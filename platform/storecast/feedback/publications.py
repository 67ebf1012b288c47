"""What is kept of a publication: the forecasts of one origin, and all that was known when they were made.

With the forecast go the planned drivers, category and seller, the seasonal naive forecast and the scales of RMSSE and
MASE: so a plan can be read again, and scored, whatever becomes of price lists, catalogue and history since.
"""

from typing import Final

from storecast.feedback import contracts as f
from storecast.feedback.editions import exact_sum, new_editions_sql, newest_sql
from storecast.forecasting import contracts as c
from storecast.registry.contracts import WITH_ALIAS_SQL

SEASON: Final = 7
LONGEST_GAP_WEEKS: Final = 9
"""So far back a weekday that was recorded is looked for: after eight weeks of silence a channel has ended."""
UNKNOWN: Final = "unknown"
SERIES_KEYS: Final = (c.ORIGIN_DATE, c.PRODUCT_ID, c.CHANNEL)
LEVEL_KEYS: Final = (c.ORIGIN_DATE, c.LEVEL, c.NODE)
ORIGIN_SQL: Final = "(select max(origin_date) from gold.demand_forecasts)"
IS_CURRENT: Final = f"{ORIGIN_SQL} = (select max(date) from gold.daily_demand)"
"""Whether the newest forecasts are from the last day loaded; else the plans they were made with have made way."""

DEMAND: Final = f"""
    select daily.product_id, daily.channel, daily.date,
        case when daily.is_recorded then coalesce(lost.estimated_demand_units, daily.units) end as units
    from gold.daily_demand as daily
    left join gold.lost_demand as lost using (product_id, channel, date)
    where daily.date <= {ORIGIN_SQL}
"""
"""Demand as the forecasters learn it: sales, on days that ended sold out what would have been sold, null where nothing
was recorded."""

SERIES: Final = f"""
    select distinct forecasts.product_id, channel, coalesce(category, '{UNKNOWN}') as category,
        coalesce(seller_id, '{UNKNOWN}') as seller_id
    from gold.demand_forecasts as forecasts
    left join silver.products as products using (product_id)
    where origin_date = {ORIGIN_SQL}
"""


def scales_sql(history: str, keys: str) -> str:
    """SQL of the scales of RMSSE and MASE of each of the `keys`, null where there is nothing to scale by.

    `history` names a relation of `keys`, date and units without gaps. The same figures as
    `storecast.forecasting.metrics.naive_scales`: pairs of days count from the first sale on.
    """
    is_day = "day_step is not null and date > first_sale_date"
    is_week = f"week_step is not null and date >= first_sale_date + {SEASON}"
    return f"""
        select {keys},
            nullif(sqrt({exact_sum("day_step * day_step", is_day)} / count(*) filter ({is_day})), 0) as rmsse_scale,
            nullif({exact_sum("abs(week_step)", is_week)} / count(*) filter ({is_week}), 0) as mase_scale
        from (
            select {keys}, date, units - lag(units) over days as day_step, units - lag(units, {SEASON}) over days
                as week_step, min(date) filter (units > 0) over (partition by {keys}) as first_sale_date
            from {history}
            window days as (partition by {keys} order by date)
        )
        group by {keys}
    """


FORECASTS: Final = f"""
    with demand as materialized ({DEMAND}),
    series as ({SERIES}),
    classes as (
        select product_id, channel, model_version, demand_class
        from ops.champions inner join ({WITH_ALIAS_SQL}) using (training_id)
    ),
    scales as ({scales_sql("demand", "product_id, channel")}),
    last_week as (
        select product_id, channel, isodow(date) as weekday, arg_max(units, date) as units
        from demand where units is not null and date > {ORIGIN_SQL} - {SEASON * LONGEST_GAP_WEEKS}
        group by product_id, channel, weekday
    ),
    week_means as (
        select product_id, channel, {exact_sum("units")} / count(*) as units from last_week group by product_id, channel
    )
    select forecasts.* exclude (partition_key), series.category, series.seller_id,
        coalesce(classes.demand_class, 'new') as demand_class,
        coalesce(last_week.units, week_means.units, 0) as naive_units,
        scales.rmsse_scale, scales.mase_scale, plans.unit_price, plans.is_price_planned,
        plans.is_on_promotion, plans.discount_share, plans.has_event, plans.event_name
    from gold.demand_forecasts as forecasts
    inner join series using (product_id, channel)
    left join classes using (product_id, channel, model_version)
    left join gold.planned_drivers as plans using (product_id, channel, date)
    left join scales using (product_id, channel)
    left join week_means using (product_id, channel)
    left join last_week on forecasts.product_id = last_week.product_id and forecasts.channel = last_week.channel
        and last_week.weekday = isodow(forecasts.date)
    where origin_date = {ORIGIN_SQL} and {IS_CURRENT}
"""
"""The forecasts of the newest origin with what was known: the columns of `PublishedForecasts`, but its edition."""

LEVEL_FORECASTS: Final = f"""
    with demand as ({DEMAND}),
    series as ({SERIES}),
    history as materialized (
        select
            case grouping_id(product_id, category, seller_id, channel)
                when 7 then 'product' when 11 then 'category' when 13 then 'seller' when 14 then 'channel'
                else 'total'
            end as level,
            coalesce(product_id, category, seller_id, channel, 'total') as node,
            date, if(count(*) = count(units), {exact_sum("units")}, null) as units
        from demand
        inner join series using (product_id, channel)
        group by grouping sets (
            (date, product_id), (date, category), (date, seller_id), (date, channel), (date)
        )
    ),
    scales as ({scales_sql("history", "level, node")})
    select levels.origin_date, level, node, levels.date, horizon_day, series, mean_units,
        {", ".join(c.UNIT_QUANTILES)}, mean_revenue, rmsse_scale, mase_scale
    from gold.level_forecasts as levels
    left join scales using (level, node)
    where origin_date = {ORIGIN_SQL} and {IS_CURRENT}
"""
"""The same of the shop's levels: the columns of `PublishedLevelForecasts`, but its edition."""


def forecasts_to_keep_sql() -> str:
    """SQL of the series' forecasts that `ops.published_forecasts` does not hold yet; `$published_at` is now, in UTC."""
    return _to_keep_sql(FORECASTS, "ops.published_forecasts", SERIES_KEYS, f.PublishedForecasts)


def level_forecasts_to_keep_sql() -> str:
    """SQL of the levels' that `ops.published_level_forecasts` does not hold yet; `$published_at` is now, in UTC."""
    return _to_keep_sql(LEVEL_FORECASTS, "ops.published_level_forecasts", LEVEL_KEYS, f.PublishedLevelForecasts)


def _to_keep_sql(found: str, table: str, keys: tuple[str, ...], contract: type[f.Publication]) -> str:
    columns = list(contract.to_schema().columns)
    content = [column for column in columns if column not in {*keys, f.EDITION, f.PUBLISHED_AT}]
    kept = f"select * from {table} where origin_date = {ORIGIN_SQL}"
    rows = new_editions_sql(found, kept, keys, content)
    return f"select {', '.join(columns)} from (select *, $published_at::timestamp as {f.PUBLISHED_AT} from ({rows}))"


def plan_sql(relation: str = "ops.published_forecasts") -> str:
    """SQL of the plan of `$origin_date` as it stood at `$known_at` (UTC): exactly the rows that were published then."""
    keys = SERIES_KEYS if relation == "ops.published_forecasts" else LEVEL_KEYS
    return newest_sql(relation, keys, f"origin_date = $origin_date and {f.PUBLISHED_AT} <= $known_at")


def close_sql(table: str) -> str:
    """SQL that drops the quantiles of the forecasts of `table` whose last day lies more than `$correction_days` back.

    Those that were not scored over all their days yet keep them. What is dropped once stays dropped: a second call
    changes nothing.
    """
    dropped = ", ".join(f"{name} = null" for name in c.UNIT_QUANTILES)
    return f"""
        update {table} set {dropped}
        where p50_units is not null and origin_date in (
            select origin_date from {table} group by origin_date
            having max(date) + $correction_days::int < (select max(date) from gold.daily_demand)
        ) and origin_date in (
            select origin_date from gold.forecast_accuracy where split = '{f.LIVE}' and horizon = '{f.WHOLE}'
        )
    """

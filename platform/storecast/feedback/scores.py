"""Published forecasts against the sales that arrived since, at every level and horizon, in one statement.

The measures are those of `storecast.forecasting.accuracy`, which judges back-tests: a day on which a series ended sold
out is in no sum, neither its sales nor its forecast, and RMSSE and MASE are means over nodes. What differs: quantiles
are those that were published. Where some series of a node were sold out, its quantiles speak of more than is scored;
they are then drawn in around the forecast of what is left, by the root of both forecasts' ratio, as
`storecast.forecasting.intervals` makes the width of quantiles of a forecast.
"""

from typing import Final

import pandas as pd

from storecast.feedback import contracts as f
from storecast.feedback.editions import exact_sum, new_editions_sql, newest_sql
from storecast.feedback.publications import LEVEL_KEYS, SERIES_KEYS
from storecast.forecasting import contracts as c

LEAST_UNITS: Final = 0.02
"""As `storecast.forecasting.intervals` adds to a forecast under the root."""
SCORE_KEYS: Final = (c.ORIGIN_DATE, c.LEVEL, c.DEMAND_CLASS, f.HORIZON)
VERSIONED: Final = (f.EDITION, f.AS_OF_DATE, f.SCORED_AT)
IS_OPEN: Final = "origin_date in (select origin_date from horizons)"
PERCENTAGES: Final = ("category", "seller", "channel", "total")
"""Levels at which a MAPE says something."""
SHOWN_DAYS: Final = 28
MEASURED: Final = ", ".join(["units", c.MEAN_UNITS, f.NAIVE_UNITS])


def _quantiles(table: str) -> str:
    """Quantiles of a node's day: as published where all its series count, else drawn in around what is left."""
    ratio = f"sqrt((sums.mean_units + {LEAST_UNITS}) / ({table}.mean_units + {LEAST_UNITS}))"
    return ", ".join(
        f"case when sums.series = {table}.series then {table}.{name} "
        f"else greatest(sums.mean_units + ({table}.{name} - {table}.mean_units) * {ratio}, 0) end as {name}"
        for name in c.UNIT_QUANTILES
    )


def _pinball() -> str:
    """The mean pinball loss of a day's quantiles."""
    losses = [
        f"greatest({alpha} * (units - {name}), {alpha - 1} * (units - {name}))"
        for alpha, name in zip(c.QUANTILES, c.UNIT_QUANTILES, strict=True)
    ]
    return f"({' + '.join(losses)}) / {len(losses)}"


SERIES_DAYS: Final = f"""
    select plan.*, demand.units
    from ({newest_sql("ops.published_forecasts", SERIES_KEYS, IS_OPEN)}) as plan
    inner join gold.daily_demand as demand using (product_id, channel, date)
    where demand.is_in_stock and demand.is_recorded
"""
LEVEL_SUMS: Final = f"""
    select origin_date, horizon_day,
        case grouping_id(product_id, category, seller_id, channel)
            when 7 then 'product' when 11 then 'category' when 13 then 'seller' when 14 then 'channel' else 'total'
        end as level,
        coalesce(product_id, category, seller_id, channel, 'total') as node,
        count(*) as series,
        {", ".join(f"{exact_sum(name)} as {name}" for name in (c.UNITS, c.MEAN_UNITS, f.NAIVE_UNITS))}
    from series_days
    group by grouping sets (
        (origin_date, horizon_day, product_id), (origin_date, horizon_day, category),
        (origin_date, horizon_day, seller_id), (origin_date, horizon_day, channel), (origin_date, horizon_day)
    )
"""
NODE_DAYS: Final = f"""
    select origin_date, horizon_day, '{f.SERIES_LEVEL}' as level, product_id as node, channel, demand_class,
        {MEASURED}, {", ".join(c.UNIT_QUANTILES)}, rmsse_scale, mase_scale
    from series_days
    union all
    select sums.origin_date, sums.horizon_day, sums.level, sums.node, null, null,
        {", ".join(f"sums.{name}" for name in MEASURED.split(", "))},
        {_quantiles("plan")}, plan.rmsse_scale, plan.mase_scale
    from ({LEVEL_SUMS}) as sums
    left join ({
    newest_sql("ops.published_level_forecasts", LEVEL_KEYS, IS_OPEN)
}) as plan using (origin_date, level, node, horizon_day)
"""
HORIZONS: Final = f"""
    with origins as (
        select origin_date, max(horizon_day) as days from ops.published_forecasts group by origin_date
    ),
    cut as (
        select origin_date, '{f.WHOLE}' as horizon, 1 as from_day, days as to_day from origins
        union all
        select origin_date, '{f.DAY} ' || day, day, day from origins, unnest(range(1, days + 1)) as given(day)
        union all
        select origin_date, '{f.WEEK} ' || (1 + (day - 1) // 7), day, least(day + 6, days)
        from origins, unnest(range(1, days + 1, 7)) as given(day)
    ),
    scored as (
        select distinct origin_date, horizon, true as is_scored
        from gold.forecast_accuracy where split = '{f.LIVE}'
    ),
    loaded as (select max(date) as last_date from gold.daily_demand)
    select cut.*
    from cut
    cross join loaded
    left join scored using (origin_date, horizon)
    where origin_date + to_day::int <= last_date
        and (is_scored is null or origin_date + to_day::int + $correction_days::int >= last_date)
"""
"""The horizons whose last day has arrived: all that were never scored, and those whose scores are not final yet."""

NODE_SCORES: Final = f"""
    select origin_date, horizon, from_day, to_day, level, node, channel, demand_class,
        count(*) as days, {exact_sum("units")} as units,
        {exact_sum("abs(mean_units - units)")} as absolute_error, {exact_sum("mean_units - units")} as error,
        {exact_sum("(mean_units - units) * (mean_units - units)")} as squared_error,
        {exact_sum("abs(naive_units - units)")} as naive_error,
        coalesce({exact_sum("abs(mean_units - units) / units", "units > 0")}, 0) as percentages,
        count(*) filter (units > 0) as sold_days, {exact_sum(_pinball())} as loss,
        count(*) filter (units between p05_units and p95_units) as within_90,
        count(*) filter (units between p25_units and p75_units) as within_50,
        any_value(rmsse_scale) as rmsse_scale, any_value(mase_scale) as mase_scale
    from node_days
    inner join horizons using (origin_date)
    where horizon_day between from_day and to_day
    group by all
"""
LIVE_SCORES: Final = f"""
    with horizons as materialized ({HORIZONS}),
    series_days as materialized ({SERIES_DAYS}),
    node_days as ({NODE_DAYS}),
    node_scores as ({NODE_SCORES}),
    of_classes as (
        select * replace (unnest([demand_class, '{c.ALL_CLASSES}']) as demand_class)
        from node_scores where level = '{f.SERIES_LEVEL}'
        union all
        select * replace ('{c.ALL_CLASSES}' as demand_class) from node_scores where level <> '{f.SERIES_LEVEL}'
    ),
    pooled as (
        select origin_date, level, demand_class, horizon, from_day, to_day, count(*) as series, sum(days) as days,
            sum(sold_days) as sold_days, sum(within_90) as within_90, sum(within_50) as within_50,
            {
    ", ".join(
        f"{exact_sum(name)} as {name}"
        for name in ("units", "absolute_error", "error", "naive_error", "percentages", "loss")
    )
},
            {exact_sum("sqrt(squared_error / days) / rmsse_scale")} / count(rmsse_scale) as rmsse,
            {exact_sum("absolute_error / days / mase_scale")} / count(mase_scale) as mase
        from of_classes
        group by all
    )
    select origin_date, level, demand_class, '{c.CHAMPION}' as model, '{f.LIVE}' as split,
        origin_date + from_day::int as window_start_date, origin_date + to_day::int as window_end_date,
        to_day - from_day + 1 as horizon_days, series, absolute_error / nullif(units, 0) as wape,
        error / nullif(units, 0) as bias, rmsse, mase,
        case when level in {PERCENTAGES} then percentages / nullif(sold_days, 0) end as mape,
        loss / days as pinball, within_90 / days as coverage_90, within_50 / days as coverage_50,
        case when units > 0 then 1 - absolute_error / nullif(naive_error, 0) end as skill_over_seasonal_naive,
        horizon, from_day, units
    from pooled
"""
"""All scores that are not final, as of now: columns of `ForecastAccuracy` but `VERSIONED` and the error of skills."""


def new_scores_sql() -> str:
    """SQL of the live scores that `gold.forecast_accuracy` does not hold yet.

    `$correction_days` says how long after its last day a horizon is scored anew, `$scored_at` is now, in UTC.
    """
    columns = [column for column in f.ForecastAccuracy.to_schema().columns if column not in VERSIONED]
    content = [column for column in columns if column not in {*SCORE_KEYS, c.SKILL_ERROR}]
    kept = f"select * from gold.forecast_accuracy where split = '{f.LIVE}'"
    return f"""
        select *, (select max(date) from gold.daily_demand) as {f.AS_OF_DATE}, $scored_at::timestamp as {f.SCORED_AT}
        from ({new_editions_sql(LIVE_SCORES, kept, SCORE_KEYS, content)})
    """


def all_scores_sql() -> str:
    """SQL of all rows of `gold.forecast_accuracy`: back-tests, live scores as they were, and `new_scores_sql`'s.

    Live scores have no error of their skill, nor have back-tests of an older Storecast.
    """
    columns = ", ".join(f.ForecastAccuracy.to_schema().columns)
    return f"""
        select {columns} from (
            select null::double as {c.SKILL_ERROR} where false
            union all by name
            select *, '{f.WHOLE}' as {f.HORIZON}, 1 as {f.FROM_DAY}, 1 as {f.EDITION} from ops.backtest_accuracy
            union all by name
            select * from gold.forecast_accuracy where split = '{f.LIVE}'
            union all by name
            ({new_scores_sql()})
        )
    """


def by_day(scores: pd.DataFrame) -> pd.DataFrame:
    """WAPE and bias by level and day ahead of the live scores of the last four weeks, pooled by units.

    `scores` are rows of `gold.forecast_accuracy`; of each, the newest edition counts. Columns: level, from_day, wape,
    bias.
    """
    is_day = scores[f.HORIZON].str.startswith(f.DAY) & (scores[c.DEMAND_CLASS] == c.ALL_CLASSES)
    live = scores[(scores[c.SPLIT] == f.LIVE) & is_day].sort_values(f.EDITION)
    newest = live.drop_duplicates([*SCORE_KEYS], keep="last")
    recent = newest[newest[c.WINDOW_END_DATE] > newest[c.WINDOW_END_DATE].max() - pd.Timedelta(days=SHOWN_DAYS)]
    sums = recent.assign(
        **{name: recent[name] * recent[c.UNITS] for name in (c.WAPE, c.BIAS)}
    ).groupby([c.LEVEL, f.FROM_DAY])[[c.WAPE, c.BIAS, c.UNITS]].sum()  # fmt: skip
    return sums[[c.WAPE, c.BIAS]].div(sums[c.UNITS].where(sums[c.UNITS] > 0), axis=0).reset_index()

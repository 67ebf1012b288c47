"""Tracking signals tell whether a forecast is wrong on one side all the time.

Trigg (1964, Monitoring a forecasting system, Operational Research Quarterly 15, 271-274) divides the exponentially
smoothed error by the smoothed absolute error. Both smoothed alike, the signal of n errors e_1 .. e_n is

    T = sum w_i e_i / sum w_i |e_i|,  w_i = (1 - a)^(n - i),

from -1, always too little, to 1, always too much. Errors that are uncorrelated, of mean 0 and standard deviation s,
give the numerator the deviation s sqrt(sum w_i^2), which for many errors is Brown's (1959) s sqrt(a / (2 - a)) sum w_i.
Over their mean absolute value d that is the deviation of T, and the control limit three of it:

    L = 3 (s / d) sqrt(sum w_i^2) / sum w_i,

s / d as the node's own errors have it and at least sqrt(pi / 2), the normal's, which Trigg's limits assume: demand that
comes in rare lots has wider ones. With few errors L is above 1, and nothing is said.

Errors of one origin are not uncorrelated: one level missed is missed on each of its days. Errors of different origins
over days that do not overlap are, where the forecaster uses what it knows. So an error here is an origin's sum over the
days up to the next origin: each day counts once, in the newest forecast made before it.
"""

import math
from typing import Final

import pandas as pd

from storecast.feedback import contracts as f
from storecast.feedback.editions import exact_sum, newest_sql
from storecast.feedback.publications import SERIES_KEYS

SMOOTHING: Final = 0.05
"""a: half of the weight lies on the last 14 origins."""
DEVIATIONS: Final = 3.0
NORMAL_RATIO: Final = math.sqrt(math.pi / 2)
MOST_ORIGINS: Final = 200
"""All older ones together weigh less than a ten-thousandth of the whole."""
OF_ORIGINS: Final = "origin_date in (select origin_date from origins)"

TRACKING_SIGNALS: Final = f"""
    with loaded as (select max(date) as last_date from gold.daily_demand),
    origins as (
        select origin_date, coalesce(lead(origin_date) over (order by origin_date), last_date) as until_date
        from (select distinct origin_date from ops.published_forecasts) cross join loaded
        order by origin_date desc limit {MOST_ORIGINS}
    ),
    days as (
        select plan.*, demand.units
        from ({newest_sql("ops.published_forecasts", SERIES_KEYS, OF_ORIGINS)}) as plan
        inner join origins using (origin_date)
        inner join gold.daily_demand as demand using (product_id, channel, date)
        where date <= until_date and demand.is_in_stock and demand.is_recorded
    ),
    errors as (
        select origin_date,
            case grouping_id(product_id, category, seller_id, channel)
                when 6 then '{f.SERIES_LEVEL}' when 7 then 'product' when 11 then 'category' when 13 then 'seller'
                when 14 then 'channel' else 'total'
            end as level,
            coalesce(product_id, category, seller_id, channel, 'total') as node,
            case when grouping_id(product_id, channel) = 0 then channel end as channel,
            {exact_sum("mean_units - units")} as error
        from days
        group by grouping sets (
            (origin_date, product_id, channel), (origin_date, product_id), (origin_date, category),
            (origin_date, seller_id), (origin_date, channel), (origin_date)
        )
    ),
    weighed as (
        select *, pow({1 - SMOOTHING}, row_number() over (
            partition by level, node, channel order by origin_date desc
        ) - 1) as weight
        from errors
    ),
    smoothed as (
        select level, node, channel, count(*) as errors,
            {exact_sum("weight * error")} / {exact_sum("weight")} as smoothed_error_units,
            {exact_sum("weight * abs(error)")} / {exact_sum("weight")} as smoothed_absolute_error_units,
            sqrt({exact_sum("weight * error * error")} / {exact_sum("weight")}) as deviation_units,
            sqrt({exact_sum("weight * weight")}) / {exact_sum("weight")} as spread
        from weighed
        group by level, node, channel
    ),
    signals as (
        select *, smoothed_error_units / nullif(smoothed_absolute_error_units, 0) as tracking_signal,
            {DEVIATIONS} * spread
            * greatest(deviation_units / nullif(smoothed_absolute_error_units, 0), {NORMAL_RATIO}) as control_limit
        from smoothed
    )
    select last_date as as_of_date, level, node, channel, errors, smoothed_error_units, smoothed_absolute_error_units,
        tracking_signal, control_limit, coalesce(abs(tracking_signal) > control_limit, false) as is_biased
    from signals cross join loaded
    order by level, node, channel
"""
"""The rows of `ops.tracking_signals`, from what was published and what was sold since."""


def worst_signals(signals: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a signal, those furthest beyond their limit first, or nearest to it."""
    known = signals[signals[f.TRACKING_SIGNAL].notna()]
    share = known[f.TRACKING_SIGNAL].abs() / known[f.CONTROL_LIMIT]
    return known.loc[share.sort_values(ascending=False, kind="stable").index]

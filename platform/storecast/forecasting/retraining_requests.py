"""Which products are trained anew: those that drifted, the worst first, no more than a budget, none soon again.

What drift and tracking signals say is read from their tables. A stop of a feed asks for nothing, neither does want of
stock: there is nothing to learn from either. That forecasts are off or biased says nothing of products while the days
looked at are those of another champion. A champion that knows the report's last day has nothing to learn from it. What
was asked for on a day of data stays asked for on that day, however often it is looked at; what was not done by the next
is asked for again, and only what was done rests.
"""

from typing import Final

from storecast.forecasting import retraining_contracts as r
from storecast.monitoring import contracts as m
from storecast.registry import contracts as registry

TABLE: Final = "ops.retraining_requests"
ANSWERS: Final = "ops.retrained_series"
BIAS_DAYS: Final = 28
"""A tracking signal does not tell when a bias began: it is taken to be so old."""

REPLACING: Final = ", ".join(f"'{kind}'" for kind in registry.NEW_CHAMPION if kind != registry.FIRST)
IS_OF_CHAMPION: Final = "> coalesce((select day from replaced), '-infinity'::date)"
CHAMPION_KNOWS: Final = f"""(
    select coalesce(max(origin_date), '-infinity'::timestamp)
    from (select null::timestamp as origin_date where false union all by name from {registry.REGISTERED_MODELS})
    where alias = '{registry.CHAMPION_ALIAS}'
)"""
"""The last day that the champion's training saw; a table of an older Storecast does not tell it."""

REQUESTS_SQL: Final = f"""
    with newest as (select max(report_date)::date as report_date from ops.product_drift),
    drift as (select * from ops.product_drift semi join newest using (report_date) where is_drifted),
    signals as (
        select node as product_id, channel, as_of_date, smoothed_absolute_error_units, is_biased
        from ops.tracking_signals where level = 'product_channel'
    ),
    replaced as (select max(last_date)::date as day from {registry.PROMOTIONS} where kind in ({REPLACING})),
    moved as (
        select product_id, channel, kind, change_date from drift
        where scope = '{m.SERIES}' and kind not in ('{m.DATA_FAULT}', '{m.STOCK_OUT}')
            and (kind <> '{m.FORECAST}' or change_date {IS_OF_CHAMPION})
        union all
        select product_id, channel, '{r.BIAS}', as_of_date::date - {BIAS_DAYS - 1} from signals
        where is_biased and as_of_date::date - {BIAS_DAYS - 1} {IS_OF_CHAMPION}
    ),
    excused as (
        select product_id, channel, scope from drift
        where kind = '{m.DATA_FAULT}' or kind = '{m.STOCK_OUT}' and scope = '{m.SERIES}'
    ),
    drifted as (
        select partition_key, moved.product_id, moved.channel, max(change_date) as change_date,
            string_agg(distinct kind, ', ' order by kind) as kinds
        from moved inner join ops.product_partitions as partitions using (product_id)
        where not exists (
            select 1 from excused where scope = '{m.PORTFOLIO}'
            or excused.channel = moved.channel and (scope = '{m.CHANNEL}' or excused.product_id = moved.product_id)
        )
        group by all
    ),
    rested as (
        from drifted anti join (
            select partition_key from {ANSWERS} as former, newest
            where former.report_date < newest.report_date and former.report_date > newest.report_date - $cooldown_days
        ) using (partition_key)
    ),
    weighed as (
        select rested.*,
            sum(coalesce(smoothed_absolute_error_units, 0)) over (partition by partition_key) as error_units
        from rested left join signals using (product_id, channel)
    ),
    ranked as (select *, dense_rank() over (order by error_units desc, partition_key) as place from weighed),
    asked as (from {TABLE} semi join newest using (report_date))
    from asked
    union all by name
    select newest.report_date, ranked.* exclude (place) from ranked cross join newest
    where place <= $budget and not exists (from asked) and newest.report_date > {CHAMPION_KNOWS}
    order by all
"""
"""The newest report's rows of `ops.retraining_requests`: parameters `$cooldown_days` and `$budget`."""

WAITING_SQL: Final = f"""
    with newest as (from {TABLE} where report_date = (select max(report_date) from ops.product_drift))
    select partition_key, max(report_date) as report_date, max(change_date) as change_date
    from newest anti join {ANSWERS} using (report_date, product_id, channel)
    where report_date > {CHAMPION_KNOWS}
    group by partition_key order by partition_key
"""
"""The partitions that the newest report asked for and that were not retrained since, by themselves or with all."""

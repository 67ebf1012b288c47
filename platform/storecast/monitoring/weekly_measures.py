"""What is measured of a series a week, as SQL: days, weeks, what the peers sold, feeds, and forecasts against sales."""

from typing import Final

from storecast.monitoring import contracts as c

WINDOWS_WEEKS: Final = (2, 4)
REFERENCE_WEEKS: Final = 13
SCALE_WEEKS: Final = 52
FEWEST_SCALE_WEEKS: Final = 26
LAST_YEAR_WEEKS: Final = (51, 52, 53)
PEER_WEEKS: Final = REFERENCE_WEEKS
"""How long a series has sold before it is a peer of others, but for founders, who did in the first such time."""
HISTORY_WEEKS: Final = SCALE_WEEKS + max(LAST_YEAR_WEEKS) + REFERENCE_WEEKS + PEER_WEEKS + 2 * max(WINDOWS_WEEKS)
TIMING_WEEKS: Final = 4
FEWEST_PEERS: Final = 5
CHANGE_DAYS: Final = 42
USUAL_WEEKS: Final = 8
"""A day that was not recorded counts as the mean of its weekday in so many weeks before: it is no stop."""
FEED_PRIOR_DAYS: Final = 0.05
"""Days that the prior weighs by which a day without any sale follows on another: at the rate of such days in all."""

PRICE_FLOOR: Final = 0.015
STOCK_FLOOR: Final = 0.5
"""No history makes a price contrast more exact than 1.5 per cent, nor one of sold-out days than half of Poisson's."""

DAYS_SQL: Final = f"""
    days as materialized (
        select
            demand.product_id, demand.channel, coalesce(products.category, '') as category, demand.date,
            (cast($report_date as date) - demand.date) as days_ago,
            (cast($report_date as date) - demand.date) // 7 as age,
            case
                when demand.is_recorded then demand.units
                else coalesce(avg(if(demand.is_recorded, demand.units, null)) over usual, 0)
            end as units,
            if(demand.is_recorded, demand.units, 0) as sold_units,
            demand.unit_price, demand.is_in_stock, demand.is_recorded
        from gold.daily_demand as demand
        left join silver.products as products using (product_id)
        where demand.date <= $report_date
            and demand.date > cast($report_date as date) - 7 * (cast($reports as integer) + {HISTORY_WEEKS})
        window usual as (
            partition by demand.product_id, demand.channel, isodow(demand.date) order by demand.date
            rows between {USUAL_WEEKS} preceding and 1 preceding
        )
    ),
    weeks as materialized (
        select
            product_id, channel, category, age, sum(units) as units, sum((not is_in_stock)::int) as sold_out_days,
            avg(ln(unit_price)) filter (where unit_price > 0) as log_price
        from days group by product_id, channel, category, age having count(*) = 7
    ),
"""

SUMS: Final = {
    "all": "age", "channel": "age, channel", "category": "age, category", "group": "age, channel, category",
    "product": "age, product_id",
}  # fmt: skip
"""What a week's sales are summed over, and the columns that tell one sum from another."""

MEASURES: Final = ("sold", "quarter", "old_quarter")
"""What peers sold in a week, in the quarter to it, and those of them in that quarter that were peers a week before."""


def _sums() -> str:
    """Sums over peers for each of `SUMS`.

    They are windows: with grouped tables joined instead, DuckDB 1.5.5 hangs for ever (as in duckdb/duckdb#24961).
    """
    return ", ".join(
        f"sum({measure}) over (partition by {columns}) as {name}_{measure}"
        for name, columns in SUMS.items()
        for measure in MEASURES
    )


def _without_own(name: str, measure: str) -> str:
    return f"({name}_{measure} - {measure})"


def _others(measure: str) -> str:
    """What the peers of a series sold: of its category in its channel, or where these are few, of its channel, of all.

    Its own is left out.
    """
    return f"""
            case
                when products > {FEWEST_PEERS} then {_without_own("group", measure)}
                when channel_products > {FEWEST_PEERS} then {_without_own("channel", measure)}
                else {_without_own("all", measure)}
            end"""


def _elsewhere(measure: str) -> str:
    """What a series' category sold in other channels, the product itself left out."""
    return f"(category_{measure} - group_{measure} - product_{measure} + {measure})"


def _raised_by(quarter: str, old: str) -> str:
    """How many times more was sold with those who joined this week, over a quarter; null where nobody was before."""
    return f"case when {quarter} = {old} then 1.0 when {old} > 0 then {quarter} / {old} end"


def _spliced(value: str, joined: str) -> str:
    """Weekly values with the weeks before others joined brought to what they would have been with them.

    `joined` is by how much they raised the sum in the week they joined; all before the last week without any is null.
    """
    newer = "over (partition by product_id, channel order by age rows between unbounded preceding and 1 preceding)"
    return (
        f"if(count(*) filter (where {joined} is null) {newer} = 0, "
        f"{value} * exp(coalesce(sum(ln({joined})) {newer}, 0)), null)"
    )


PEERS_SQL: Final = f"""
    lived as materialized (
        select
            product_id, channel, category, age, units, weeks_lived, is_founder,
            is_founder or weeks_lived > {PEER_WEEKS} as is_peer, if(is_peer, units, 0) as sold,
            if(is_peer, of_quarter, 0) as quarter,
            if(is_founder or weeks_lived > {PEER_WEEKS} + 1, of_quarter, 0) as old_quarter
        from (
            select *, began > max(began) over () - {PEER_WEEKS} as is_founder
            from (
                select
                    *, row_number() over life as weeks_lived, max(age) over life as began,
                    sum(units) over (life rows between {REFERENCE_WEEKS - 1} preceding and current row) as of_quarter
                from weeks window life as (partition by product_id, channel order by age desc)
            )
        )
    ),
    group_sizes as materialized (
        select
            category, channel, count(distinct product_id) filter (where is_long_a_peer) as products,
            sum(count(distinct product_id) filter (where is_long_a_peer)) over (partition by channel)
                as channel_products
        from (select *, weeks_lived > {SCALE_WEEKS + PEER_WEEKS} or is_founder as is_long_a_peer from lived)
        group by category, channel
    ),
    summed as materialized (
        select lived.*, products, channel_products, {_sums()}
        from lived inner join group_sizes using (category, channel)
    ),
    compared as materialized (
        select
            product_id, channel, age, units, {_others("sold")} as others,
            {_raised_by(_others("quarter"), _others("old_quarter"))} as joined,
            {_without_own("product", "sold")}
            * coalesce({_without_own("group", "sold")} / nullif({_elsewhere("sold")}, 0), 0) as moved,
            {_raised_by(_without_own("product", "quarter"), _without_own("product", "old_quarter"))}
            * {_raised_by(_without_own("group", "quarter"), _without_own("group", "old_quarter"))}
            / {_raised_by(_elsewhere("quarter"), _elsewhere("old_quarter"))} as joined_elsewhere
        from summed
    ),
    channel_weeks as (
        select channel, age, sum(units) as units, sum(sum(units)) over (partition by age) as all_units
        from weeks group by channel, age
    ),
    measured as materialized (
        select
            '{c.SERIES}' as scope, product_id, channel, '{c.LEVEL}' as kind, '{c.UNITS}' as feature, age,
            units as own, {_spliced("others", "joined")} as peers
        from compared qualify peers is not null
        union all
        select
            '{c.SERIES}', product_id, channel, '{c.MIX}', '{c.CHANNEL_SHARE}', age, units,
            {_spliced("moved", "joined_elsewhere")} as peers
        from compared
        where product_id in (select product_id from weeks group by product_id having count(distinct channel) > 1)
        qualify peers is not null
        union all
        select '{c.SERIES}', product_id, channel, '{c.STOCK_OUT}', '{c.IS_IN_STOCK}', age, sold_out_days, 7.0 from weeks
        union all
        select
            '{c.CHANNEL}', '{c.ALL}', channel, '{c.LEVEL}', '{c.UNITS}', age, units, all_units - units
        from channel_weeks
        union all
        select '{c.PORTFOLIO}', '{c.ALL}', '{c.ALL}', '{c.LEVEL}', '{c.UNITS}', age, sum(units), 7.0
        from weeks group by age
    ),
"""


def windows(template: str) -> str:
    """A query for each window's length in weeks, as one."""
    return "\n        union all\n".join(
        template.format(
            weeks=weeks,
            before=weeks - 1,
            last=weeks + REFERENCE_WEEKS - 1,
            year=weeks + SCALE_WEEKS - 1,
            series="partition by scope, product_id, channel, kind, feature order by age desc",
            own_weeks=_each_week("own", weeks),
            peers_weeks=_each_week("peers", weeks),
        )
        for weeks in WINDOWS_WEEKS
    )


def _each_week(figure: str, weeks: int) -> str:
    """A figure of each week of a window, the newest first; null from the window's length on."""
    return ", ".join(
        f"lag({figure}, {week}) over recent_{weeks} as {figure}_{week}" if week < weeks else f"null as {figure}_{week}"
        for week in range(max(WINDOWS_WEEKS))
    )


FORECASTS_SQL: Final = (
    """
    forecast_weeks as materialized (
        select
            product_id, channel, age, sum(units) as own, sum(mean_units) as expected,
            sum(abs(units - mean_units)) as error, sum(deviation) as deviation, sum(deviation * deviation) as variance
        from (
            select
                product_id, channel, days.age, days.units, mean_units,
                greatest((p95_units - p05_units) / (2 * 1.6449), sqrt(mean_units), 0.1) as deviation
            from gold.demand_forecasts
            inner join days using (product_id, channel, date)
            where origin_date < date and is_in_stock and is_recorded
            qualify row_number() over (partition by product_id, channel, date order by origin_date desc) = 1
        )
        group by product_id, channel, age having count(*) = 7
    ),
    missed as ("""
    + windows("""
        select
            product_id, channel, age, {weeks} as window_weeks, count(*) over recent_{weeks} as weeks,
            sum(own) over recent_{weeks} as own, sum(expected) over recent_{weeks} as expected,
            sum(error) over recent_{weeks} as error,
            sum(deviation) over recent_{weeks} as deviation, sum(variance) over recent_{weeks} as variance
        from forecast_weeks
        window recent_{weeks} as (
            partition by product_id, channel order by age desc rows between {before} preceding and current row
        )""")
    + """
    ),
"""
)

FEEDS_SQL: Final = f"""
    feed_days as materialized (
        select
            scope, channel, date, units, last_day, dates,
            max(date) filter (where units > 0) over feed as last_sale,
            (0.5 + sum((units = 0)::int) over feed) / (1.0 + count(*) over feed) as zero_rate,
            sum((units = 0 and before = 0)::int) over feed as zeros_on,
            sum((before = 0)::int) over feed as after_zero,
            count(*) over feed as known
        from (
            select *, lag(units) over (partition by scope, channel order by date) as before
            from (
                select '{c.CHANNEL}' as scope, channel, date, coalesce(sum(sold_units), 0) as units
                from (select distinct date from days) cross join (select distinct channel from days)
                left join days using (channel, date)
                group by channel, date
                union all
                select '{c.PORTFOLIO}', '{c.ALL}', date, sum(sold_units) from days group by date
            )
        ) cross join (select cast($report_date as date) as last_day, count(distinct date) as dates from days)
        window feed as (partition by scope, channel order by date)
    ),
    feeds as (
        select
            now.scope, '{c.ALL}' as product_id, now.channel, '{c.DATA_FAULT}' as kind, '{c.FEED}' as feature,
            (now.last_day - now.date) // 7 as age, now.date - now.last_sale as window_days,
            -ln(sold.zero_rate)
            - lgamma({FEED_PRIOR_DAYS} + sold.zeros_on + (now.date - now.last_sale) - 1)
            + lgamma({FEED_PRIOR_DAYS} + sold.zeros_on)
            + lgamma({FEED_PRIOR_DAYS} / sold.zero_rate + sold.after_zero + (now.date - now.last_sale) - 1)
            - lgamma({FEED_PRIOR_DAYS} / sold.zero_rate + sold.after_zero)
                as statistic,
            -1.0 as effect, cast(null as double) as expected, sold.known as history
        from feed_days as now
        inner join feed_days as sold
            on now.scope = sold.scope and now.channel = sold.channel and now.last_sale = sold.date
        where now.date > now.last_sale and (now.last_day - now.date) % 7 = 0
            and (now.last_day - now.date) // 7 < $reports
    ),
"""

"""The one DuckDB statement that measures every series against its own past and against what its peers did.

Days are cut into weeks that end on the report's last day, so that a window holds each weekday as often as what it is
compared with. A measured week has an `own` figure and that of its `peers`; a window of 2 or 4 weeks is expected to
hold the peers' figure in it, times own over peers in the weeks before: what a category does as one – December, an
event, a closed day – is in both and cancels. A series becomes a peer when it has sold for a quarter, and the weeks
before are brought to the sum with it (the overlap method by which something new enters a price index, Consumer Price
Index Manual, IMF 2020): a launch is not a fall of all others. Best sellers that cease still raise the shares of those
that remain. There are two such expectations, from the last 13 weeks and from the last 52, and nothing moved that lies
between them: who falls back to the year's level after a high quarter, or returns from a stop, did not drift. Own figure
and the nearer expectation of a week make a contrast on the root scale,

    contrast = 2 √(own + 3/8) − 2 √(expected + 3/8)        (Anscombe, Biometrika 35, 1948),

whose variance is 1 for Poisson counts. A window's is that of its mildest week, times the root of its weeks, and nothing
where they disagree on the direction: one large order moves a week, a shift moves all. How much wider it is for this
series – over-dispersion, autocorrelation, the wander of its level – is learnt from the contrast of whole windows at
each of up to 52 weeks before this one, never inside it. What the same weeks of last year did in the same direction is
season and is taken off.

Parameters: `$report_date`, and `$reports`: how many reports, a week apart and the last on that day, are made at once.
"""

from typing import Final

from storecast.monitoring import contracts as c
from storecast.monitoring.weekly_measures import (
    CHANGE_DAYS,
    DAYS_SQL,
    FEEDS_SQL,
    FEWEST_PEERS,
    FEWEST_SCALE_WEEKS,
    FORECASTS_SQL,
    LAST_YEAR_WEEKS,
    PEERS_SQL,
    PRICE_FLOOR,
    REFERENCE_WEEKS,
    SCALE_WEEKS,
    STOCK_FLOOR,
    TIMING_WEEKS,
    WINDOWS_WEEKS,
    windows,
)


def _of_weeks() -> str:
    """The contrast of each week of a window, the newest first; null before the window begins."""
    return ", ".join(
        f"2 * sqrt(own_{week} + 0.375) - 2 * sqrt(0.375 + greatest(least(own_{week}, peers_{week} * "
        f"greatest(share, year_share)), peers_{week} * least(share, year_share))) as contrast_{week}"
        for week in range(max(WINDOWS_WEEKS))
    )


def _every(function: str) -> str:
    """The mildest or strongest of the contrasts of a window's weeks."""
    return f"{function}({', '.join(f'contrast_{week}' for week in range(max(WINDOWS_WEEKS)))})"


CONTRASTS_SQL: Final = (
    """
    windowed as materialized (
"""
    + windows("""
        select
            scope, product_id, channel, kind, feature, age, {weeks} as window_weeks,
            sum(own) over recent_{weeks} as own, sum(peers) over recent_{weeks} as peers_now,
            {own_weeks}, {peers_weeks},
            sum(own) over reference_{weeks} as own_before, sum(peers) over reference_{weeks} as peers_before,
            count(*) over reference_{weeks} as weeks_before,
            sum(own) over year_{weeks} / nullif(sum(peers) over year_{weeks}, 0) as year_share
        from measured
        window
            recent_{weeks} as ({series} rows between {before} preceding and current row),
            reference_{weeks} as ({series} rows between {last} preceding and {weeks} preceding),
            year_{weeks} as ({series} rows between {year} preceding and {weeks} preceding)""")
    + f"""
    ),
    expectations as materialized (
        select
            *, own_before / nullif(peers_before, 0) as share, peers_now * share as expected,
            {_of_weeks()}
        from windowed
        where weeks_before = {REFERENCE_WEEKS} and (own_before > 0 or kind = '{c.STOCK_OUT}') and expected is not null
    ),
    season_moves as (
        select
            *,
            sum(own) over past as own_4, sum(rate) over past as rate_4,
            sum(own * lead_log) over past as own_lead, sum(rate * lead_log) over past as rate_lead,
            sum(rate * lead_log * lead_log) over past as rate_lead_2
        from (
            select
                scope, product_id, channel, age, own, rate,
                ln(lag(rate) over (partition by product_id, channel order by age desc) / nullif(rate, 0)) as lead_log
            from (
                select
                    *,
                    peers * sum(own) over quarter / nullif(sum(peers) over quarter, 0) as rate
                from measured
                where scope = '{c.SERIES}' and kind = '{c.LEVEL}'
                window quarter as (
                    partition by product_id, channel order by age desc
                    rows between {REFERENCE_WEEKS} preceding and 1 preceding
                )
            )
            where rate > 0
        )
        window past as (
            partition by product_id, channel order by age desc rows between {TIMING_WEEKS - 1} preceding and current row
        )
    ),
    contrasts as materialized (
        select
            scope, product_id, channel, kind, feature, age, window_weeks, own, expected,
            sqrt(window_weeks) * (greatest({_every("least")}, 0) + least({_every("greatest")}, 0)) as contrast,
            2 * sqrt(own + 0.375)
            - 2 * sqrt(0.375 + greatest(
                least(own, peers_now * greatest(share, year_share)), peers_now * least(share, year_share)
            )) as whole,
            case kind when '{c.STOCK_OUT}' then {STOCK_FLOOR} else 1.0 end as floor
        from expectations
        union all
        select
            scope, product_id, channel, '{c.SEASON}', '{c.WEEK_TIMING}', age, {TIMING_WEEKS}, own_lead,
            rate_lead * own_4 / rate_4,
            (own_lead - rate_lead * own_4 / rate_4)
            / sqrt(nullif(greatest((rate_lead_2 - rate_lead * rate_lead / rate_4) * own_4 / rate_4, 0), 0)) as timing,
            timing, 1.0
        from season_moves
        union all
        select
            '{c.SERIES}', product_id, channel, '{c.PRICE}', '{c.UNIT_PRICE}', age, window_weeks, now, before,
            (now - before) - median(now - before) over (partition by category, channel, age, window_weeks) as moved,
            moved, {PRICE_FLOOR}
        from ("""
    + windows("""
            select
                product_id, channel, category, age, {weeks} as window_weeks,
                avg(log_price) over (
                    partition by product_id, channel order by age desc rows between {before} preceding and current row
                ) as now,
                avg(log_price) over (
                    partition by product_id, channel order by age desc
                    rows between {last} preceding and {weeks} preceding
                ) as before
            from weeks""")
    + f"""
        ) where now is not null and before is not null
        union all
        select
            '{c.SERIES}', product_id, channel, '{c.FORECAST}', '{c.FORECAST_BIAS}', age, window_weeks, own, expected,
            2 * sqrt(own + 0.375) - 2 * sqrt(expected + 0.375) as biased, biased,
            sqrt(variance / greatest(expected, 1e-9))
        from missed where weeks = window_weeks
        union all
        select
            '{c.SERIES}', product_id, channel, '{c.FORECAST}', '{c.FORECAST_ERROR}', age, window_weeks, error,
            sqrt(2 / pi()) * deviation,
            greatest(error - sqrt(2 / pi()) * deviation, 0) / sqrt(variance * (1 - 2 / pi())) as surplus, surplus, 1.0
        from missed where weeks = window_weeks
    ),
"""
)


def _last_year(weeks: int) -> str:
    """The contrasts of the same weeks of last year."""
    return ", ".join(f"lag(contrast, {lag}) over series_{weeks}" for lag in LAST_YEAR_WEEKS)


def _scales() -> str:
    """The own scale of each window's length: it looks back from before the window."""
    return "\n        union all\n".join(
        f"""
        select
            *, sqrt(avg(whole * whole) over past_{weeks}) as spread, count(whole) over past_{weeks} as scale_weeks,
            greatest({_last_year(weeks)}) as highest_last_year, least({_last_year(weeks)}) as lowest_last_year
        from contrasts where window_weeks = {weeks}
        window
            series_{weeks} as (partition by scope, product_id, channel, kind, feature order by age desc),
            past_{weeks} as (
                partition by scope, product_id, channel, kind, feature order by age desc
                rows between {weeks + SCALE_WEEKS - 1} preceding and {weeks} preceding
            )"""
        for weeks in WINDOWS_WEEKS
    )


MEASURES_SQL: Final = f"""
    scaled as materialized ({_scales()}
    ),
    deseasonalised as materialized (
        select
            *,
            case
                when contrast > 0 then greatest(contrast - greatest(coalesce(highest_last_year, 0), 0), 0)
                else least(contrast - least(coalesce(lowest_last_year, 0), 0), 0)
            end / greatest(spread, floor) as statistic
        from scaled
        where age < $reports and (scale_weeks >= {FEWEST_SCALE_WEEKS} or kind = '{c.FORECAST}')
            and (scope <> '{c.PORTFOLIO}' or highest_last_year is not null)
    ),
    shifts as (
        select
            scope, product_id, channel, kind, feature, age, 7 * window_weeks as window_days, statistic,
            case
                when kind = '{c.PRICE}' then exp(own - expected) - 1
                when kind = '{c.SEASON}' then 0
                when kind = '{c.STOCK_OUT}' then (own - expected) / (7 * window_weeks)
                else own / nullif(expected, 0) - 1
            end as effect,
            expected, scale_weeks as history
        from deseasonalised
        qualify row_number() over (
            partition by scope, product_id, channel, kind, feature, age order by abs(statistic) desc, window_weeks
        ) = 1
    ),
    stops as (
        select
            scope, product_id, channel, '{c.STOCK_OUT}' as kind, '{c.UNITS}' as feature, age,
            7 * window_weeks as window_days, size * ln(1 + expected / size) as statistic, -1.0 as effect, expected,
            scale_weeks as history
        from (
            select *, greatest(expected, 1e-9) / greatest(spread * spread - 1, 1e-6) as size
            from scaled
            where scope = '{c.SERIES}' and kind = '{c.LEVEL}' and own = 0 and age < $reports
                and scale_weeks >= {FEWEST_SCALE_WEEKS}
        )
        qualify row_number() over (partition by product_id, channel, age order by statistic desc, window_weeks) = 1
    ),
"""

CHANGES_SQL: Final = f"""
    suffixes as materialized (
        select
            product_id, channel, date, days_ago,
            round(sum(units - expected) over latest / sqrt(1 + sum(expected) over latest), 9) as units_moved,
            sum(log_price - before) over latest / sqrt(count(log_price) over latest) as price_moved
        from (
            select
                product_id, channel, date, days_ago, days.units,
                ln(case when unit_price > 0 then unit_price end) as log_price,
                own_before / nullif(peers_before, 0)
                * case
                    when products > {FEWEST_PEERS} then sum(peer_units) over (partition by channel, category, date)
                    when channel_products > {FEWEST_PEERS} then sum(peer_units) over (partition by channel, date)
                    else sum(peer_units) over (partition by date)
                end as group_expected,
                (group_expected - peer_units * own_before / nullif(peers_before, 0)) as expected,
                avg(log_price) filter (where days_ago >= {CHANGE_DAYS} / 2) over (partition by product_id, channel)
                    as before
            from (
                select days.*, if(is_peer, days.units, 0) as peer_units
                from days
                inner join (from lived where age = 0) as lived using (product_id, channel)
            ) as days
            inner join group_sizes using (category, channel)
            left join windowed using (product_id, channel)
            where days_ago < {CHANGE_DAYS} and windowed.scope = '{c.SERIES}' and windowed.kind = '{c.LEVEL}'
                and windowed.age = 0 and windowed.window_weeks = {max(WINDOWS_WEEKS)}
        )
        window latest as (partition by product_id, channel order by date desc)
    ),
    changes as (
        select
            product_id, channel,
            arg_max(date, (units_moved, date)) filter (where units_moved is not null) as units_rose,
            arg_min(date, (units_moved, days_ago)) filter (where units_moved is not null) as units_fell,
            arg_max(date, (price_moved, date)) filter (where price_moved is not null) as price_rose,
            arg_min(date, (price_moved, days_ago)) filter (where price_moved is not null) as price_fell
        from suffixes group by product_id, channel
    )
"""

STATEMENT: Final = f"""
    with {DAYS_SQL}{PEERS_SQL}{FORECASTS_SQL}{CONTRASTS_SQL}{MEASURES_SQL}{FEEDS_SQL}{CHANGES_SQL}
    select
        cast($report_date as date) - 7 * cast(age as integer) as report_date, scope, product_id, channel, kind, feature,
        window_days, statistic, effect, expected, history,
        case
            when age > 0 or scope <> '{c.SERIES}' then null
            when kind in ('{c.LEVEL}', '{c.MIX}') then if(effect > 0, units_rose, units_fell)
            when kind = '{c.PRICE}' then if(effect > 0, price_rose, price_fell)
        end as change_date
    from (
        from shifts
        union all by name from stops
        union all by name from feeds
    )
    left join changes using (product_id, channel)
"""

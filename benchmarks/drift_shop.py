"""500 series of M5 as a shop whose sales can be shifted, and the shifts."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Final

import duckdb
import pandas as pd

from benchmarks.m5_data import DAY_ONE, FOLDER, SALES, SAMPLE_SALES, require_data

SERIES: Final = 500
SEED: Final = 20_261_120
SHIFTED_DAYS: Final = 14
LAST_DAY: Final = date(2016, 5, 22)

SERIES_SQL: Final = """
    create table chosen as
    with full_history as (select distinct item_id, store_id from read_parquet($sample)),
    others as (
        select item_id, store_id, avg(sales) as pace from read_parquet($sales) group by item_id, store_id
    )
    select item_id, store_id, true as is_full from full_history
    union all
    select item_id, store_id, false
    from (
        from others anti join full_history using (item_id, store_id)
        order by pace * (hash(item_id, store_id, $seed) % 1000) desc limit $others
    )
"""
CLEAN_SQL: Final = """
    create table clean as
    with sales as (
        select item_id, store_id, d, sales from read_parquet($sample) semi join chosen using (item_id, store_id)
        union all
        select item_id, store_id, d, sales from read_parquet($sales)
        semi join (from chosen where not is_full) using (item_id, store_id)
    ),
    days as (select row_number() over (order by date) as d, wm_yr_wk from read_parquet($calendar)),
    live as (
        select *, min(d) filter (where sales > 0) over (partition by item_id, store_id) as first_d from sales
    )
    select
        live.item_id as product_id, live.store_id as channel,
        cast($day_one as date) + cast(live.d - 1 as integer) as date,
        cast(sales as double) as units, cast(sell_price as double) as unit_price
    from live
    inner join days on days.d = live.d
    left join read_parquet($prices) as prices
        on prices.item_id = live.item_id and prices.store_id = live.store_id and prices.wm_yr_wk = days.wm_yr_wk
    where live.d >= first_d
"""
TABLES_SQL: Final = """
    create schema gold; create schema silver;
    create table silver.products as
    select distinct item_id as product_id, cat_id as category from read_parquet($sales) where d = 1495;
"""
SHIFTED_SQL: Final = """
    create table shifts (product_id varchar, channel varchar, kind varchar, first_day date);
    create table gold.demand_forecasts (
        product_id varchar, channel varchar, origin_date date, date date,
        mean_units double, p05_units double, p95_units double
    );
    create view gold.daily_demand as
    with before as (
        select
            clean.*, kind,
            lag(units, 7) over (partition by clean.product_id, clean.channel order by date) as week_before,
            coalesce(date >= first_day, false) as is_shifted,
            hash(clean.product_id, clean.channel, date) % 1000 / 1000.0 as chance
        from clean left join shifts on clean.product_id = shifts.product_id and clean.channel = shifts.channel
    ),
    after as (
        select
            *,
            case
                when not is_shifted then units
                when kind = 'level +20 %' then floor(1.2 * units + chance)
                when kind = 'level -20 %' then floor(0.8 * units + chance)
                when kind = 'season a week late' then coalesce(week_before, units)
                when kind = 'mix' then floor(0.5 * units + chance)
                when kind in ('stock-out', 'feed stopped') then 0
                else units
            end as units_after
        from before
    ),
    moved as (
        select
            *,
            sum(if(kind = 'mix', units - units_after, 0)) over (partition by product_id, date) as moved_units,
            row_number() over (
                partition by product_id, date order by is_shifted, hash(product_id, channel)
            ) = 1 and not is_shifted as takes_them
        from after
    )
    select
        product_id, channel, date, units_after + if(takes_them, moved_units, 0) as units,
        unit_price * if(is_shifted and kind = 'price +15 %', 1.15, 1) as unit_price,
        not (is_shifted and kind = 'stock-out') as is_in_stock, true as is_recorded
    from moved
"""
KINDS: Final = ("level +20 %", "level -20 %", "season a week late", "price +15 %", "mix", "stock-out", "feed stopped")


@contextmanager
def shop(series: int = SERIES) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with `gold.daily_demand` as a view of clean sales and of the table `shifts`, empty at first.

    All 280 full histories are in it, and others with 447 days, drawn with more chance for what sells more. Counts stay
    whole: a share of them is rounded at random. A shift of the mix moves half of a series' units to another channel.
    """
    require_data()
    files = {"sales": str(FOLDER / SALES), "sample": str(FOLDER / SAMPLE_SALES)}
    with duckdb.connect() as connection:
        connection.execute(SERIES_SQL, {**files, "seed": SEED, "others": series - 280})
        places = {"calendar": str(FOLDER / "calendar.parquet"), "prices": str(FOLDER / "sell_prices.parquet")}
        connection.execute(CLEAN_SQL, {**files, **places, "day_one": DAY_ONE.date()})
        connection.execute(TABLES_SQL, {"sales": files["sales"]})
        connection.execute(SHIFTED_SQL)
        yield connection


def shift(connection: duckdb.DuckDBPyConnection, shifts: pd.DataFrame) -> None:
    """Make these shifts and no others: a row a product and channel, its kind, and the first day."""
    connection.execute("delete from shifts")
    connection.register("incoming", shifts)
    connection.execute("insert into shifts by name select product_id, channel, kind, first_day from incoming")
    connection.unregister("incoming")

"""`storecast what-if`: reads what the question needs from the warehouse, and puts the answer in words and rows."""

import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.panel import panel_from_tables
from storecast.forecasting.what_if import WHAT_IF_PRICE, WHAT_IF_REVENUE, WHAT_IF_UNITS, Change, what_if
from storecast.settings import Settings
from storecast.warehouse import Warehouse

NEWEST = """
    select * from gold.demand_forecasts
    where product_id = ? and origin_date = (select max(origin_date) from gold.demand_forecasts)
"""


def answer(warehouse: Warehouse, change: Change, settings: Settings) -> str:
    """Return the days of both plans as a table, and their sums in a sentence.

    Raises `ValueError` where there is no forecast yet, or the change does not fit it.
    """
    if not warehouse.exists("gold.demand_forecasts"):
        raise ValueError(f"{settings.data_dir} holds no forecast yet: run `storecast run` first")
    panel = panel_from_tables(
        warehouse.read("select * from gold.daily_demand"),
        warehouse.read("select * from gold.planned_drivers"),
        warehouse.read("select product_id, category from silver.products"),
    )
    forecasts = warehouse.read(NEWEST, [change.product_id])
    table = what_if(panel, forecasts, change, seed=settings.seed, n_jobs=settings.fit_processes)
    return f"{_rows(table)}\n\n{_sentence(table)}"


def _rows(table: pd.DataFrame) -> str:
    shown = table.assign(**{c.DATE: table[c.DATE].dt.strftime("%Y-%m-%d")})
    return shown.to_string(index=False, float_format=lambda value: f"{value:,.2f}")


def _sentence(table: pd.DataFrame) -> str:
    """What changes on the days that change, in units and money."""
    days = table[table[WHAT_IF_PRICE] != table[c.UNIT_PRICE]]
    if days.empty:
        return "Nothing changes: the price asked for is the planned one."
    units, asked_units = days[c.MEAN_UNITS].sum(), days[WHAT_IF_UNITS].sum()
    revenue, asked_revenue = days[c.MEAN_REVENUE].sum(), days[WHAT_IF_REVENUE].sum()
    return (
        f"On {days[c.DATE].nunique()} days: {units:,.1f} units become {asked_units:,.1f}, revenue {revenue:,.2f} "
        f"becomes {asked_revenue:,.2f} ({_per_cent(asked_revenue, revenue)})."
    )


def _per_cent(asked: float, planned: float) -> str:
    return f"{asked / planned - 1:+.1%}" if planned else "from nothing"

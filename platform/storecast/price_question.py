"""`storecast what-if`: reads what the question needs from the published copy, and puts the answer in words and rows."""

import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.panel import Panel, panel_from_tables
from storecast.forecasting.price_response import PriceResponse
from storecast.forecasting.what_if import WHAT_IF_PRICE, WHAT_IF_REVENUE, WHAT_IF_UNITS, Change, check_change, what_if
from storecast.settings import Settings
from storecast.warehouse import PublishedCopy, Tables

FORECASTS = "gold.demand_forecasts"
NEWEST = f"""
    select * from {FORECASTS}
    where product_id = ? and origin_date = (select max(origin_date) from {FORECASTS})
"""
RESPONSE = "select payload from ops.price_responses"


def answer(change: Change, settings: Settings) -> str:
    """Return the days that change in both plans as a table, and their sums in a sentence.

    Only the published copy is read: a run that is in progress is not waited for. Raises `ValueError` where it holds no
    forecast or no learned response, or the change does not fit it.
    """
    published = PublishedCopy.of(settings)
    if not published.exists(FORECASTS):
        raise ValueError(f"{settings.data_dir} holds no forecast yet: run `storecast run` first")
    forecasts = published.read(NEWEST, [change.product_id])
    check_change(forecasts, change)
    table = what_if(_response(published, settings), _panel(published, change.product_id), forecasts, change)
    days = table[table[WHAT_IF_PRICE] != table[c.UNIT_PRICE]]
    return _sentence(days) if days.empty else f"{_rows(days)}\n\n{_sentence(days)}"


def _response(published: Tables, settings: Settings) -> PriceResponse:
    payloads = published.read(RESPONSE)["payload"] if published.exists("ops.price_responses") else []
    if not len(payloads):
        raise ValueError(
            f"{settings.published_path} is older than this version and does not hold how units follow prices: "
            "run `storecast run`, which learns it"
        )
    return PriceResponse.from_payload(payloads[0])


def _panel(published: Tables, product_id: str) -> Panel:
    """The product's series, with their plans."""
    return panel_from_tables(
        published.read("select * from gold.daily_demand where product_id = ?", [product_id]),
        published.read("select * from gold.planned_drivers where product_id = ?", [product_id]),
        published.read("select product_id, category from silver.products where product_id = ?", [product_id]),
    )


def _rows(table: pd.DataFrame) -> str:
    shown = table.assign(**{c.DATE: table[c.DATE].dt.strftime("%Y-%m-%d")})
    return shown.to_string(index=False, float_format=lambda value: f"{value:,.2f}")


def _sentence(days: pd.DataFrame) -> str:
    """What changes on the days that change, in units and money."""
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

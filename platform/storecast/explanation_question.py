"""`storecast explain`: reads what the newest forecast of a product is made of, and puts it in rows and a sentence."""

from typing import Final

import pandas as pd

from storecast.forecasting import contracts as c
from storecast.settings import Settings
from storecast.warehouse import Warehouse

NEWEST: Final = """
    select * from gold.forecast_explanations
    where product_id = ? and origin_date = (select max(origin_date) from gold.forecast_explanations)
    order by channel, date
"""
SHOWN: Final = (c.CHANNEL, c.DATE, *c.PARTS, c.MEAN_UNITS)
DRIVERS: Final = {"price_units": "its price", "promotion_units": "promotion", "event_units": "events"}
LEAST_UNITS: Final = 0.05
"""A part that is shown as 0.0 is none."""


def explanations_of(warehouse: Warehouse, product_id: str, channel: str | None, settings: Settings) -> pd.DataFrame:
    """Return the newest rows of `gold.forecast_explanations` of a product, in one channel or in all that sell it.

    Raises `ValueError` where there is no forecast yet, or none of the product or channel.
    """
    if not warehouse.exists("gold.forecast_explanations"):
        raise ValueError(f"{settings.data_dir} holds no explained forecast yet: run `storecast run` first")
    rows = warehouse.read(NEWEST, [product_id])
    if rows.empty:
        raise ValueError(f"product {product_id!r} has no forecast: see product_id in gold.demand_forecasts")
    channels = sorted(rows[c.CHANNEL].unique())
    if channel is not None and channel not in channels:
        raise ValueError(f"channel {channel!r} does not sell {product_id!r}: choose {channels}")
    return rows if channel is None else rows[rows[c.CHANNEL] == channel]


def answer(explanations: pd.DataFrame) -> str:
    """Return the days ahead as a table of their parts, and their sums in a sentence."""
    return f"{_rows(explanations)}\n\n{sentence(explanations)}"


def _rows(table: pd.DataFrame) -> str:
    shown = table[list(SHOWN)].assign(**{c.DATE: pd.to_datetime(table[c.DATE]).dt.strftime("%Y-%m-%d")})
    return shown.to_string(index=False, float_format=lambda value: f"{value + 0.0:,.2f}")


def sentence(explanations: pd.DataFrame) -> str:
    """What the forecast of the days is made of, in units and as shares of what there would be without drivers.

    >>> days = pd.DataFrame({"date": ["2026-10-01", "2026-10-02"], "mean_units": [6.0, 11.0]})
    >>> parts = {"level_units": 6.0, "season_units": [0.0, 0.0], "price_units": 0.0, "promotion_units": [0.0, 5.0]}
    >>> sentence(days.assign(**parts, event_units=0.0, reconciliation_units=0.0))
    'In 2 days 17.0 units: 12.0 by level and season, +5.0 (+41.7%) by promotion on 1 day.'
    """
    sums = explanations[[*c.PARTS, c.MEAN_UNITS]].sum()
    usual = sums["level_units"] + sums["season_units"]
    words = [f"{usual:,.1f} by level and season"]
    for name, driver in DRIVERS.items():
        days = explanations.loc[explanations[name].abs() >= LEAST_UNITS / len(explanations), c.DATE].nunique()
        if abs(sums[name]) >= LEAST_UNITS:
            share = f" ({sums[name] / usual:+.1%})" if usual > LEAST_UNITS else ""
            words.append(f"{sums[name]:+,.1f}{share} by {driver} on {days} day{'s' if days > 1 else ''}")
    if abs(sums["reconciliation_units"]) >= LEAST_UNITS:
        words.append(f"{sums['reconciliation_units']:+,.1f} by reconciliation with other products")
    number = explanations[c.DATE].nunique()
    return f"In {number} day{'s' if number > 1 else ''} {sums[c.MEAN_UNITS]:,.1f} units: {', '.join(words)}."

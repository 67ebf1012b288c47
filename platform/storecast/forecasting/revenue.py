"""Revenue forecasts: forecast units at the price known for the day."""

import pandas as pd

from storecast.forecasting import contracts as c

KEYS = [c.PRODUCT_ID, c.CHANNEL, c.DATE]


def forecast_revenue(demand_forecasts: pd.DataFrame, planned_prices: pd.DataFrame) -> pd.DataFrame:
    """Multiply forecast units by planned prices: the rows of `gold.revenue_forecasts`, one for each forecast.

    `planned_prices` has product_id, channel, date and unit_price (`gold.planned_drivers`), one row a key. A price is
    taken as certain, so quantiles of revenue are quantiles of units times it. Where no price is known, revenue is
    missing. Raises `ValueError` where a product has two prices on a day.
    """
    prices = planned_prices[[*KEYS, c.UNIT_PRICE]].assign(**{c.DATE: pd.to_datetime(planned_prices[c.DATE])})
    if prices.duplicated(KEYS).any():
        twice = prices[prices.duplicated(KEYS)].iloc[0]
        raise ValueError(
            f"planned_prices has two rows for product {twice[c.PRODUCT_ID]!r} in {twice[c.CHANNEL]!r} on "
            f"{twice[c.DATE]:%Y-%m-%d}: pass one price a product, channel and day"
        )
    prices[c.DATE] = prices[c.DATE].astype(demand_forecasts[c.DATE].dtype)
    priced = demand_forecasts.merge(prices, on=KEYS, how="left", validate="many_to_one")
    units_of = dict(zip((c.MEAN_REVENUE, *c.REVENUE_QUANTILES), (c.MEAN_UNITS, *c.UNIT_QUANTILES), strict=True))
    revenue = {name: priced[units] * priced[c.UNIT_PRICE] for name, units in units_of.items()}
    return priced.assign(**revenue)[list(c.RevenueForecasts.to_schema().columns)]

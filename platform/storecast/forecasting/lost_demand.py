"""What sold-out days lost, for those who order: the estimates that the forecasters learn from, as a table."""

from typing import Final

import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.panel import panel_from_tables
from storecast.forecasting.unconstraining import unconstrained

KEYS: Final = [c.PRODUCT_ID, c.CHANNEL, c.DATE]


def lost_demand_of(daily_demand: pd.DataFrame) -> pd.DataFrame:
    """Estimate demand and what was lost of it on each day that ended sold out: the rows of `gold.lost_demand`.

    `daily_demand` holds all days of some products, all channels of each. A day's estimate is made of that day and those
    before it, so it stays when later days come. A product sold out for more than eight weeks counts as no longer on
    offer, and loses nothing from then on. Nothing is said of days that were not recorded. Lost revenue is lost units at
    the day's price, missing where none is known.
    """
    is_known = daily_demand.get(c.IS_RECORDED, default=True)
    sold_out = daily_demand[~daily_demand[c.IS_IN_STOCK] & is_known].sort_values(KEYS, ignore_index=True)
    if sold_out.empty:
        return _typed(sold_out.assign(**dict.fromkeys((c.ESTIMATED_UNITS, c.LOST_UNITS, c.LOST_REVENUE), np.nan)))
    panel = unconstrained(panel_from_tables(daily_demand))
    row = panel.keys.get_indexer(pd.MultiIndex.from_frame(sold_out[[c.PRODUCT_ID, c.CHANNEL]]))
    demand = panel.units[row, panel.times.get_indexer(pd.to_datetime(sold_out[c.DATE]))]
    lost = demand - sold_out[c.UNITS]
    estimates = {c.ESTIMATED_UNITS: demand, c.LOST_UNITS: lost, c.LOST_REVENUE: lost * sold_out[c.UNIT_PRICE]}
    return _typed(sold_out.assign(**estimates))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    columns = list(c.LostDemand.to_schema().columns)
    return table[columns].astype({c.DATE: "datetime64[ns]", c.UNIT_PRICE: np.float64})

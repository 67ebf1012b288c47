"""What a product would sell at another price or on promotion: the published forecast times a learned response."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.panel import BoolArray, FloatArray, Panel
from storecast.forecasting.price_response import PriceResponse
from storecast.forecasting.unconstraining import unconstrained

WHAT_IF_PRICE: Final = "what_if_price"
WHAT_IF_UNITS: Final = "what_if_units"
WHAT_IF_REVENUE: Final = "what_if_revenue"


@dataclass(frozen=True)
class Change:
    """What is changed for one product: its price, or a promotion with a discount on the planned price.

    `discount_share` 0.2 is 20 % off; without `channel` it is changed in all, without dates on all days ahead. Raises
    `ValueError` where neither or both are given, one is out of range, or the dates are in the wrong order.
    """

    product_id: str
    channel: str | None = None
    unit_price: float | None = None
    discount_share: float | None = None
    start: date | None = None
    end: date | None = None

    def __post_init__(self) -> None:
        if (self.unit_price is None) == (self.discount_share is None):
            raise ValueError("price and promotion are both given or both missing: ask for one of them")
        if self.unit_price is not None and not self.unit_price > 0:
            raise ValueError(f"price is {self.unit_price}: pass an amount above 0")
        if self.discount_share is not None and not 0 < self.discount_share < 1:
            raise ValueError(f"promotion is {self.discount_share}: pass a share between 0 and 1, 0.2 for 20 % off")
        if self.start is not None and self.end is not None and self.start > self.end:
            raise ValueError(
                f"from is {self.start:%Y-%m-%d}, after to, {self.end:%Y-%m-%d}: pass the earlier day first"
            )


def check_change(forecasts: pd.DataFrame, change: Change) -> None:
    """Raise `ValueError` where the product or channel has no forecast, or no day ahead lies between the dates.

    `forecasts` are the product's rows of the newest origin of `gold.demand_forecasts`.
    """
    if forecasts.empty:
        raise ValueError(f"product {change.product_id!r} has no forecast: see product_id in gold.demand_forecasts")
    channels = sorted(forecasts[c.CHANNEL].unique())
    if change.channel is not None and change.channel not in channels:
        raise ValueError(f"channel {change.channel!r} does not sell {change.product_id!r}: choose {channels}")
    days = pd.DatetimeIndex(forecasts[c.DATE])
    if not _between(days, change).any():
        first, last = days.min(), days.max()
        start, end = (f"{pd.Timestamp(day):%Y-%m-%d}" for day in (change.start or first, change.end or last))
        raise ValueError(
            f"no forecast day lies between {start} and {end}: choose dates between {first:%Y-%m-%d} and {last:%Y-%m-%d}"
        )


def what_if(response: PriceResponse, panel: Panel, forecasts: pd.DataFrame, change: Change) -> pd.DataFrame:
    """Units and revenue of a product on the days ahead, as planned and as changed: one row a channel and day.

    `panel` holds the product's series, others may be beside them; `forecasts` its rows of the newest origin of
    `gold.demand_forecasts`. The answer is the published forecast times the response, the ratio of what is learned of
    the changed plan to what is learned of the plan. Raises what `check_change` raises.
    """
    mine = forecasts[forecasts[c.PRODUCT_ID] == change.product_id]
    check_change(mine, change)
    horizon = int(mine[c.HORIZON_DAY].max())
    own = panel.take(panel.keys.get_level_values(0) == change.product_id)
    own = unconstrained(own).until(own.days, horizon)
    is_changed = _changed_days(own, change, horizon)
    changed = own.with_drivers(_changed_drivers(own, change, is_changed))
    ratio = response.ratio(own, changed, horizon)
    return _table(mine, own, changed, np.where(is_changed, ratio, 1.0), horizon)


def _between(days: pd.DatetimeIndex, change: Change) -> BoolArray:
    """Which days lie between the dates of a change, both of them included."""
    is_in = np.ones(len(days), np.bool_)
    if change.start is not None:
        is_in &= days >= pd.Timestamp(change.start)
    if change.end is not None:
        is_in &= days <= pd.Timestamp(change.end)
    return is_in


def _changed_days(own: Panel, change: Change, horizon: int) -> BoolArray:
    """Which days ahead of which of the product's series the change falls on, (series, horizon)."""
    ahead = pd.date_range(own.times[-1], periods=horizon + 1)[1:]
    channels = own.keys.get_level_values(1)
    in_channel = np.ones(len(channels), np.bool_) if change.channel is None else np.asarray(channels == change.channel)
    return np.outer(in_channel, _between(ahead, change))


def _changed_drivers(own: Panel, change: Change, is_changed: BoolArray) -> dict[str, FloatArray]:
    """The product's drivers with the change; what is changed is planned."""
    drivers = {name: driver.copy() for name, driver in own.drivers.items()}
    planned_price = drivers[c.UNIT_PRICE][:, own.days :]
    if change.unit_price is not None:
        values = {c.UNIT_PRICE: np.full_like(planned_price, change.unit_price)}
    else:
        share = float(change.discount_share or 0.0)
        values = {
            c.UNIT_PRICE: planned_price * (1 - share),
            c.IS_ON_PROMOTION: np.ones_like(planned_price),
            c.DISCOUNT_SHARE: np.full_like(planned_price, share),
        }
    values[c.IS_PRICE_PLANNED] = np.ones_like(planned_price)
    for name, value in values.items():
        drivers[name][:, own.days :] = np.where(is_changed, value, drivers[name][:, own.days :])
    return drivers


def _table(forecasts: pd.DataFrame, own: Panel, changed: Panel, ratio: FloatArray, horizon: int) -> pd.DataFrame:
    """The product's forecasts with the prices and, by the ratio, units and revenue of both plans."""
    ahead = slice(own.days, own.days + horizon)
    days = pd.date_range(own.times[-1], periods=horizon + 1)[1:]
    table = pd.DataFrame(
        {
            c.CHANNEL: np.repeat(own.keys.get_level_values(1).to_numpy(object), horizon),
            c.DATE: np.tile(days.to_numpy("datetime64[ns]"), len(own.keys)),
            c.UNIT_PRICE: own.drivers[c.UNIT_PRICE][:, ahead].ravel(),
            WHAT_IF_PRICE: changed.drivers[c.UNIT_PRICE][:, ahead].ravel(),
            "ratio": ratio.ravel(),
        }
    )
    published = forecasts[[c.CHANNEL, c.DATE, c.MEAN_UNITS]].assign(**{c.DATE: pd.to_datetime(forecasts[c.DATE])})
    published[c.DATE] = published[c.DATE].astype("datetime64[ns]")
    table = table.merge(published, on=[c.CHANNEL, c.DATE], validate="one_to_one")
    table[WHAT_IF_UNITS] = table[c.MEAN_UNITS] * table["ratio"]
    table[c.MEAN_REVENUE] = table[c.MEAN_UNITS] * table[c.UNIT_PRICE]
    table[WHAT_IF_REVENUE] = table[WHAT_IF_UNITS] * table[WHAT_IF_PRICE]
    return table.drop(columns="ratio")

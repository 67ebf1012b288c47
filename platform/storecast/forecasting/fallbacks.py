"""What is forecast where a model has too little to go on; each fallback carries the reason that is stored with it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from storecast.forecasting.baselines import seasonal_average
from storecast.forecasting.panel import FloatArray

NEW_PRODUCT: Final = "new_product_average"
NEW_PRODUCTS: Final = "new_products"
"""The model that needs no history: it speaks for series that are too young for any other."""
NOTHING: Final = "zero"
SEASONAL_NAIVE: Final = "seasonal_naive"
FALLBACK_MODELS: Final = (NEW_PRODUCT, NOTHING, SEASONAL_NAIVE)
SHORTEST_DAYS: Final = 14
DEAD_DAYS: Final = 182
SEASON: Final = 7

TextArray = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Fallbacks:
    """For each series the model that replaces the champion and why; both None where the champion stands."""

    models: TextArray
    reasons: TextArray
    forecasts: FloatArray


def fallbacks(history: FloatArray, horizon: int) -> Fallbacks:
    """Fallbacks by history alone, (series, days) up to the origin with NaN before the first day.

    - fewer than 14 days of history: units sold so far spread over 14 days, since a series begins with a sale and its
    mean
      would promise too much;
    - no sale for 182 days: zero;
    - all days equal: that day again.

    >>> found = fallbacks(np.array([[np.nan, np.nan, 7.0], [2.0, 2.0, 2.0]]), 1)
    >>> found.reasons[0], float(found.forecasts[0, 0])
    ('1 day(s) of history, fewer than 14', 0.5)
    """
    age = (~np.isnan(history)).sum(axis=1)
    units = np.nan_to_num(history)
    recent = history[:, -DEAD_DAYS:]
    low, high = np.where(np.isnan(history), np.inf, history).min(axis=1), units.max(axis=1)
    is_new = age < SHORTEST_DAYS
    is_dead = ~is_new & ~(recent > 0).any(axis=1) & ((age >= DEAD_DAYS) | (high == 0))
    is_constant = ~is_new & ~is_dead & (low == high)
    models, reasons = np.full(len(history), None, object), np.full(len(history), None, object)
    forecasts = np.full((len(history), horizon), np.nan)
    for row in np.flatnonzero(is_new):
        reasons[row] = f"{age[row]} day(s) of history, fewer than {SHORTEST_DAYS}"
    models[is_new], models[is_dead], models[is_constant] = NEW_PRODUCT, NOTHING, SEASONAL_NAIVE
    reasons[is_dead] = f"no sale in the last {DEAD_DAYS} days"
    reasons[is_constant] = "every day of history is equal"
    forecasts[is_new] = (units[is_new].sum(axis=1) / SHORTEST_DAYS)[:, None]
    forecasts[is_dead] = 0.0
    forecasts[is_constant] = high[is_constant, None]
    return Fallbacks(models, reasons, forecasts)


def with_fallbacks(
    forecast: FloatArray, models: TextArray, history: FloatArray
) -> tuple[FloatArray, TextArray, TextArray]:
    """Forecasts, model names and fallback reasons (None where none), with what the champions could not answer replaced.

    A champion's NaN or infinity is replaced by seasonal naive. A history that is too thin is not where the champion is
    the model of new products.
    """
    found = fallbacks(history, forecast.shape[1])
    found.reasons[(models == NEW_PRODUCTS) & (found.models == NEW_PRODUCT)] = None
    is_replaced = found.reasons != None  # noqa: E711  (element-wise)
    mean = np.where(is_replaced[:, None], found.forecasts, forecast)
    is_broken = ~np.isfinite(mean).all(axis=1)
    mean[is_broken] = seasonal_average(history[is_broken], SEASON, 1, forecast.shape[1])
    named, reasons = np.where(is_replaced, found.models, models), found.reasons.copy()
    for row in np.flatnonzero(is_broken):
        reasons[row] = f"{named[row]} gave no finite forecast"
    named[is_broken] = SEASONAL_NAIVE
    return np.maximum(mean, 0.0), named, reasons

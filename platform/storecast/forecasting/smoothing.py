"""Simple exponential smoothing of all series at once, with a given weight or each series' best."""

from typing import Any, ClassVar, Final

import numpy as np

from storecast.forecasting.compilation import compiled
from storecast.forecasting.panel import FloatArray
from storecast.forecasting.states import StateForecaster

LEAST_SMOOTHING: Final = 0.01
MOST_SMOOTHING: Final = 0.99
TOLERANCE: Final = 1e-12
GOLDEN_RATIO: Final = (5.0**0.5 + 1.0) / 2.0


class SimpleExponentialSmoothing(StateForecaster):
    """The exponentially weighted mean of all days, begun at the first one (Brown 1956).

    Parameters
    ----------
    smoothing : weight of the newest day, above 0 and at most 1; None chooses for each series the weight between 0.01
        and 0.99 that has the least squared error one day ahead.

    >>> import pandas as pd
    >>> from storecast.forecasting.smoothing import SimpleExponentialSmoothing
    >>> y = pd.Series([2.0, 4.0, 0.0, 8.0], index=pd.period_range("2025-01-01", periods=4))
    >>> SimpleExponentialSmoothing(smoothing=0.5).fit(y).predict(fh=[1, 2]).tolist()
    [4.75, 4.75]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"smoothing": None})

    def __init__(self, smoothing: float | None = 0.1) -> None:
        self.smoothing = smoothing
        super().__init__()

    def fit_states(self, units: FloatArray) -> FloatArray:
        """Weight and level of each series."""
        chosen = best_smoothing(units) if self.smoothing is None else np.full(len(units), self.smoothing)
        return np.stack([chosen, exponentially_smoothed(units, chosen)], axis=1)

    def update_states(self, states: FloatArray, units: FloatArray) -> FloatArray:
        """The level moves, the weight stays."""
        weights, levels = states.T
        return np.stack([weights, exponentially_smoothed(units, weights, levels)], axis=1)

    def forecast_states(self, states: FloatArray, horizon: int) -> FloatArray:
        """The level on each day."""
        return np.repeat(states[:, 1:], horizon, axis=1)


def exponentially_smoothed(
    values: FloatArray, smoothing: float | FloatArray, levels: FloatArray | None = None
) -> FloatArray:
    """The last level of each row by simple exponential smoothing, begun at the row's first value or at `levels`.

    `values` is (series, days) with NaN before a row's first value and nowhere else; `smoothing` is one weight or one a
    row. NaN for a row without values or level.

    >>> exponentially_smoothed(np.array([[np.nan, 2.0, 4.0, 0.0]]), 0.5)
    array([1.5])
    """
    weights = np.array(np.broadcast_to(np.asarray(smoothing, dtype=np.float64), len(values)))
    begun = np.full(len(values), np.nan) if levels is None else levels
    return _last_levels(np.ascontiguousarray(values), weights, begun)


def best_smoothing(values: FloatArray, least: float = LEAST_SMOOTHING, most: float = MOST_SMOOTHING) -> FloatArray:
    """The weight of each row between `least` and `most` with the least squared error one day ahead.

    `values` as for `exponentially_smoothed`; by golden-section search down to 1e-12 (Kiefer 1953), ended where two
    weights are equally good, and then between them: a row of equal values gets the middle.

    >>> best_smoothing(np.array([[1.0, 1.0, 1.0], [1.0, 5.0, 5.0]])).round(3)
    array([0.5 , 0.99])
    """
    return _golden_sections(np.ascontiguousarray(values), least, most)


@compiled
def _last_levels(values: FloatArray, smoothing: FloatArray, begun: FloatArray) -> FloatArray:
    levels = begun.copy()
    for row in range(len(values)):
        weight = smoothing[row]
        rest = 1.0 - weight
        level = begun[row]
        for value in values[row]:
            if np.isnan(level):
                level = value
            level = weight * value + rest * level
        levels[row] = level
    return levels


@compiled
def _squared_error(values: FloatArray, smoothing: float) -> float:
    """The sum of squared errors one day ahead of one series."""
    rest = 1.0 - smoothing
    level, total = values[0], 0.0
    for day in range(1, len(values)):
        level = smoothing * values[day - 1] + rest * level
        error = values[day] - level
        total += error * error
    return total


@compiled
def _golden_section(values: FloatArray, least: float, most: float) -> float:
    low, high = least, most
    left, right = high - (high - low) / GOLDEN_RATIO, low + (high - low) / GOLDEN_RATIO
    left_error, right_error = _squared_error(values, left), _squared_error(values, right)
    while high - low >= TOLERANCE and left_error != right_error:
        if left_error < right_error:
            high, right, right_error = right, left, left_error
            left = high - (high - low) / GOLDEN_RATIO
            left_error = _squared_error(values, left)
        else:
            low, left, left_error = left, right, right_error
            right = low + (high - low) / GOLDEN_RATIO
            right_error = _squared_error(values, right)
    return (high + low) / 2.0


@compiled
def _golden_sections(values: FloatArray, least: float, most: float) -> FloatArray:
    chosen = np.full(len(values), (least + most) / 2.0)
    for row in range(len(values)):
        first = 0
        while first < values.shape[1] and np.isnan(values[row, first]):
            first += 1
        if first < values.shape[1]:
            chosen[row] = _golden_section(values[row, first:], least, most)
    return chosen

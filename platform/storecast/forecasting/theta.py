"""The theta method in its four forms, all series at once: standard or dynamic, theta 2 or optimised, and their best.

As in Fiorucci et al. 2016, "Models for optimising the theta method and their relationship to state space models", after
statsforecast: the numbers are the same, found by the same search for the least squared error one day ahead.
"""

from typing import Any, ClassVar, Final, Literal

import numpy as np

from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.compilation import compiled
from storecast.forecasting.panel import FloatArray, IntArray, Panel
from storecast.forecasting.seasonality import seasonal_factors, with_season, without_season

Form = Literal["standard", "optimized", "dynamic", "dynamic_optimized", "auto"]
FORMS: Final[dict[str, tuple[tuple[bool, int], ...]]] = {
    "standard": ((False, 2),),
    "optimized": ((False, 3),),
    "dynamic": ((True, 2),),
    "dynamic_optimized": ((True, 3),),
    "auto": ((False, 2), (False, 3), (True, 2), (True, 3)),
}
"""Whether the line is estimated anew each day, and how many of first level, smoothing and theta are chosen."""
SHORTEST_DAYS: Final = 6

FIRST_STEP: Final = 0.05
FIRST_STEP_FROM_ZERO: Final = 1e-4
TOLERANCE: Final = 1e-4
MOST_STEPS: Final = 1000
TINY: Final = 1e-10
WARM_UP_DAYS: Final = 3
BOUNDS: Final = ((-1e10, 1e10), (0.1, 0.99), (1.0, 1e10))
"""Of first level, smoothing and theta."""


class Theta(PanelForecaster):
    """Theta method: a line and a smoothed line of double curvature, added (Assimakopoulos and Nikolopoulos 2000).

    A season of four days or more is taken out where the autocorrelation at its length is significant at 90 %:
    divided out where all days sold, else subtracted. A series of equal days goes on, one of fewer than six days gets
    its mean.

    Parameters
    ----------
    season_length : days in a season, 7 for the week; 1 for none.
    form : "standard", "optimized" (theta chosen too), "dynamic" (the line estimated anew each day),
        "dynamic_optimized", or "auto": for each series the one of the four with the least squared error one day ahead.
    last_days : only so many of the latest days are used; None for all.

    >>> import pandas as pd
    >>> from storecast.forecasting.theta import Theta
    >>> y = pd.Series([3.0, 5.0, 4.0, 6.0] * 4, index=pd.period_range("2025-01-01", periods=16))
    >>> Theta().fit(y).predict(fh=[1, 2]).round(2).tolist()
    [4.79, 4.82]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"season_length": 4, "form": "dynamic"})

    def __init__(self, season_length: int = 7, form: Form = "standard", last_days: int | None = None) -> None:
        self.season_length = season_length
        self.form = form
        self.last_days = last_days
        super().__init__()

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        if self.form not in FORMS:
            raise ValueError(f"form is {self.form!r}: choose one of {sorted(FORMS)}")
        units = panel.units if self.last_days is None else panel.units[:, -self.last_days :]
        factors, multiplies = seasonal_factors(units, self.season_length)
        forms = np.array(FORMS[self.form], dtype=np.int64)
        forecast = _forecasts(without_season(units, factors, multiplies), forms, horizon)
        return with_season(forecast, factors, multiplies, units.shape[1])


@compiled
def _line(units: FloatArray, is_dynamic: bool) -> tuple[float, float]:
    """Start and slope of the line: least squares over all days, or of the first day alone where it is dynamic."""
    if is_dynamic:
        return units[0], 0.0
    days = len(units)
    total, weighted = 0.0, 0.0
    for day in range(days):
        total += units[day]
        weighted += units[day] * (day + 1)
    mean = total / days
    slope = 6 * (2 * weighted / days - (days + 1) * mean) / (days * days - 1)
    return mean - (days + 1) * slope / 2, slope


@compiled
def _advanced(
    units: FloatArray, parameters: FloatArray, line: tuple[float, float], is_dynamic: bool, forecast: FloatArray
) -> float:
    """The scaled sum of squared errors one day ahead over the days of a series, which `forecast` then goes on.

    `parameters` are first level, smoothing and, where it is not 2, theta; equations 17-21 of Fiorucci et al. (2016).
    """
    days = len(units)
    smoothing, theta = parameters[1], parameters[2] if len(parameters) > 2 else 2.0
    rest, share = 1.0 - smoothing, 1.0 - 1.0 / theta
    level, mean, (start, slope) = smoothing * units[0] + rest * parameters[0], units[0], line
    decay, error, size = rest, 0.0, abs(units[0])
    for day in range(1, days + len(forecast)):
        expected = level + share * (start * decay + slope * (1.0 - decay * rest) / smoothing)
        decay *= rest
        if day < days:
            value = units[day]
            size += abs(value)
            error += (value - expected) ** 2 if day >= WARM_UP_DAYS else 0.0
        else:
            value = expected
            forecast[day - days] = expected
        level = smoothing * value + rest * level
        if is_dynamic:
            slope = ((day - 1) * slope + 6 * (value - mean) / (day + 1)) / (day + 2)
            mean = (day * mean + value) / (day + 1)
            start = mean - slope * (day + 2) / 2
    return error / max(size / days, TINY)


@compiled
def _error_of(point: FloatArray, units: FloatArray, line: tuple[float, float], is_dynamic: bool) -> float:
    return _advanced(units, point, line, is_dynamic, np.empty(0))


@compiled
def _least_squares(units: FloatArray, line: tuple[float, float], is_dynamic: bool, free: int) -> FloatArray:
    """The first so many parameters with the least error, by the adaptive simplex of Gao and Han (2012) within bounds.

    It starts at half the first day, 0.5 and 2, and ends where the errors at its corners differ by less than 1e-4.
    """
    corners, errors = np.zeros((free + 1, free)), np.zeros(free + 1)
    for corner in range(free + 1):
        corners[corner, 0], corners[corner, 1] = units[0] / 2, 0.5
        if free > 2:
            corners[corner, 2] = 2.0
        if corner < free:
            first = corners[corner, corner]
            corners[corner, corner] = first * (1 + FIRST_STEP) if first != 0 else FIRST_STEP_FROM_ZERO
        errors[corner] = _error_of(corners[corner], units, line, is_dynamic)
    for _ in range(MOST_STEPS):
        if _deviation(errors) < TOLERANCE:
            break
        best = int(errors.argmin())
        if not _moved(corners, errors, best, units, line, is_dynamic):
            for corner in range(1, free + 1):
                _place(corners[corner], corners[best], corners[corner], 1.0 - 1.0 / free)
                errors[corner] = _error_of(corners[corner], units, line, is_dynamic)
    return corners[errors.argmin()]


@compiled
def _deviation(values: FloatArray) -> float:
    mean, squares = values.mean(), 0.0
    for value in values:
        squares += (value - mean) ** 2
    return np.sqrt(squares / len(values))


@compiled
def _moved(
    corners: FloatArray, errors: FloatArray, best: int, units: FloatArray, line: tuple[float, float], is_dynamic: bool
) -> bool:
    """Move the worst corner of the simplex to a better place; False where there is none and it must shrink."""
    free = corners.shape[1]
    worst, second = _worst_two(errors)
    centre, reflected, tried = np.zeros(free), np.zeros(free), np.zeros(free)
    for axis in range(free):
        centre[axis] = (corners[:, axis].sum() - corners[worst, axis]) / free
    _place(reflected, centre, corners[worst], -1.0)
    error = _error_of(reflected, units, line, is_dynamic)
    is_outside = error < errors[worst]
    if error < errors[best]:
        _place(tried, centre, reflected, 1.0 + 2.0 / free)
        tried_error = _error_of(tried, units, line, is_dynamic)
        is_better = tried_error < error
    elif error < errors[second]:
        tried_error, is_better = error, False
    else:
        factor = 0.75 - 1.0 / (2 * free)
        _place(tried, centre, reflected, factor if is_outside else -factor)
        tried_error = _error_of(tried, units, line, is_dynamic)
        is_better = tried_error <= error if is_outside else tried_error < errors[worst]
        if not is_better:
            return False
    for axis in range(free):
        corners[worst, axis] = tried[axis] if is_better else reflected[axis]
    errors[worst] = tried_error if is_better else error
    return True


@compiled
def _worst_two(errors: FloatArray) -> tuple[int, int]:
    """The corner with the largest error, of equal ones the last, and the one with the next largest."""
    worst, second = 0, -1
    for corner in range(1, len(errors)):
        if errors[corner] >= errors[worst]:
            worst, second = corner, worst
        elif second < 0 or errors[corner] >= errors[second]:
            second = corner
    return worst, second


@compiled
def _place(place: FloatArray, origin: FloatArray, towards: FloatArray, factor: float) -> None:
    """Set a place at `factor` times the way from `origin` towards another, within the bounds."""
    for axis in range(len(place)):
        low, high = BOUNDS[axis]
        place[axis] = min(max(origin[axis] + factor * (towards[axis] - origin[axis]), low), high)


@compiled
def _forecasts(units: FloatArray, forms: IntArray, horizon: int) -> FloatArray:
    """The forecast of each series by the form with the least error."""
    forecasts, tried = np.zeros((len(units), horizon)), np.zeros(horizon)
    for row in range(len(units)):
        first = 0
        while first < units.shape[1] and np.isnan(units[row, first]):
            first += 1
        own, least = units[row, first:], np.inf
        if len(own) < SHORTEST_DAYS or own.min() == own.max():
            forecasts[row] = own.mean()
            continue
        for form in range(len(forms)):
            is_dynamic = forms[form, 0] == 1
            line = _line(own, is_dynamic)
            chosen = _least_squares(own, line, is_dynamic, forms[form, 1])
            error = _advanced(own, chosen, line, is_dynamic, tried)
            if error < least:
                least, forecasts[row] = error, tried
    return forecasts

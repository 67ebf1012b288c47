"""The theta method in its four forms, all series at once: standard or dynamic, theta 2 or optimised, and their best.

As in Fiorucci et al. 2016, "Models for optimising the theta method and their relationship to state space models", after
statsforecast: the numbers are the same, found by the same search for the least squared error one day ahead.
"""

from typing import Any, ClassVar, Final, Literal

import numpy as np

from storecast.forecasting.compilation import compiled
from storecast.forecasting.panel import FloatArray, IntArray
from storecast.forecasting.seasonality import seasonal_factors, with_season, without_season
from storecast.forecasting.states import StateForecaster

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

Motion = tuple[float, float, float, float, float]
"""Level, mean of all days, start and slope of the line, and what is left of the first day in the level."""
FIXED_LINE, MOVING_LINE = 1.0, 2.0
"""What goes on in a state; 0 where there is nothing but a level."""
KIND, SMOOTHING, THETA, DAYS, LEVEL, MEAN, START, SLOPE, DECAY, MULTIPLIES, FACTORS = range(11)
"""The numbers of a state; from `FACTORS` on the season's, the next day's first."""

FIRST_STEP: Final = 0.05
FIRST_STEP_FROM_ZERO: Final = 1e-4
TOLERANCE: Final = 1e-4
MOST_STEPS: Final = 1000
TINY: Final = 1e-10
WARM_UP_DAYS: Final = 3
BOUNDS: Final = ((-1e10, 1e10), (0.1, 0.99), (1.0, 1e10))
"""Of first level, smoothing and theta."""


class Theta(StateForecaster):
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

    def fit_states(self, units: FloatArray) -> FloatArray:
        """What was chosen, where the motion stands and the season of each series; see `KIND` and those after it."""
        if self.form not in FORMS:
            raise ValueError(f"form is {self.form!r}: choose one of {sorted(FORMS)}")
        recent = units if self.last_days is None else units[:, -self.last_days :]
        factors, multiplies = seasonal_factors(recent, self.season_length)
        forms = np.array(FORMS[self.form], dtype=np.int64)
        motions = _fitted(without_season(recent, factors, multiplies), forms)
        return np.column_stack([motions, multiplies, _turned(factors, recent.shape[1])])

    def update_states(self, states: FloatArray, units: FloatArray) -> FloatArray:
        """The level moves, and the line where it is dynamic; weights and season stay, and a mere level does."""
        factors, multiplies = states[:, FACTORS:], states[:, MULTIPLIES]
        motions = _moved_on(np.ascontiguousarray(states), without_season(units, factors, multiplies > 0))
        return np.column_stack([motions, multiplies, _turned(factors, units.shape[1])])

    def forecast_states(self, states: FloatArray, horizon: int) -> FloatArray:
        """The motion goes on, each day as it was expected, with the season put in."""
        forecast = _continued(np.ascontiguousarray(states), horizon)
        return with_season(forecast, states[:, FACTORS:], states[:, MULTIPLIES] > 0, 0)


def _turned(factors: FloatArray, days: int) -> FloatArray:
    """The factors of a season as they are so many days later, the next day's first."""
    return np.roll(factors, -days, axis=1)


@compiled
def line_of(units: FloatArray, is_dynamic: bool) -> tuple[float, float]:
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
def _begun(first: float, parameters: FloatArray, line: tuple[float, float]) -> Motion:
    """The motion after the first day; `parameters` are first level, smoothing and, where it is not 2, theta."""
    smoothing = parameters[1]
    rest = 1.0 - smoothing
    return smoothing * first + rest * parameters[0], first, line[0], line[1], rest


@compiled
def _expected(motion: Motion, smoothing: float, theta: float) -> float:
    """The next day; equation 17 of Fiorucci et al. (2016)."""
    level, _, start, slope, decay = motion
    rest, share = 1.0 - smoothing, 1.0 - 1.0 / theta
    return level + share * (start * decay + slope * (1.0 - decay * rest) / smoothing)


@compiled
def _next(motion: Motion, day: int, value: float, smoothing: float, is_dynamic: bool) -> Motion:
    """The motion after a day more, the first one being day 0; equations 18-21."""
    level, mean, start, slope, decay = motion
    rest = 1.0 - smoothing
    if is_dynamic:
        slope = ((day - 1) * slope + 6 * (value - mean) / (day + 1)) / (day + 2)
        mean = (day * mean + value) / (day + 1)
        start = mean - slope * (day + 2) / 2
    return smoothing * value + rest * level, mean, start, slope, decay * rest


@compiled
def error_of(parameters: FloatArray, units: FloatArray, line: tuple[float, float], is_dynamic: bool) -> float:
    """The scaled sum of squared errors one day ahead over the days of a series."""
    smoothing, theta = parameters[1], parameters[2] if len(parameters) > 2 else 2.0
    motion = _begun(units[0], parameters, line)
    error, size = 0.0, abs(units[0])
    for day in range(1, len(units)):
        value = units[day]
        size += abs(value)
        if day >= WARM_UP_DAYS:
            error += (value - _expected(motion, smoothing, theta)) ** 2
        motion = _next(motion, day, value, smoothing, is_dynamic)
    return error / max(size / len(units), TINY)


@compiled
def least_squares(units: FloatArray, line: tuple[float, float], is_dynamic: bool, free: int) -> FloatArray:
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
        errors[corner] = error_of(corners[corner], units, line, is_dynamic)
    for _ in range(MOST_STEPS):
        if _deviation(errors) < TOLERANCE:
            break
        best = int(errors.argmin())
        if not _moved(corners, errors, best, units, line, is_dynamic):
            for corner in range(1, free + 1):
                _place(corners[corner], corners[best], corners[corner], 1.0 - 1.0 / free)
                errors[corner] = error_of(corners[corner], units, line, is_dynamic)
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
    error = error_of(reflected, units, line, is_dynamic)
    is_outside = error < errors[worst]
    if error < errors[best]:
        _place(tried, centre, reflected, 1.0 + 2.0 / free)
        tried_error = error_of(tried, units, line, is_dynamic)
        is_better = tried_error < error
    elif error < errors[second]:
        tried_error, is_better = error, False
    else:
        factor = 0.75 - 1.0 / (2 * free)
        _place(tried, centre, reflected, factor if is_outside else -factor)
        tried_error = error_of(tried, units, line, is_dynamic)
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
def _fitted(units: FloatArray, forms: IntArray) -> FloatArray:
    """The state of each series by the form with the least error, all numbers before the season's."""
    states = np.zeros((len(units), MULTIPLIES))
    for row in range(len(units)):
        first = 0
        while first < units.shape[1] and np.isnan(units[row, first]):
            first += 1
        own, least = units[row, first:], np.inf
        if len(own) < SHORTEST_DAYS or own.min() == own.max():
            states[row, LEVEL] = own.mean()
            continue
        for form in range(len(forms)):
            is_dynamic = forms[form, 0] == 1
            line = line_of(own, is_dynamic)
            chosen = least_squares(own, line, is_dynamic, forms[form, 1])
            error = error_of(chosen, own, line, is_dynamic)
            if error < least:
                least = error
                states[row, KIND] = MOVING_LINE if is_dynamic else FIXED_LINE
                states[row, SMOOTHING], states[row, THETA] = chosen[1], chosen[2] if len(chosen) > 2 else 2.0
                states[row, DAYS] = 1.0
                _store(states[row], _begun(own[0], chosen, line))
        _advance(states[row], own[1:])
    return states


@compiled
def _store(state: FloatArray, motion: Motion) -> None:
    state[LEVEL], state[MEAN], state[START], state[SLOPE], state[DECAY] = motion


@compiled
def _advance(state: FloatArray, units: FloatArray) -> None:
    """Move a state over some days more; a mere level stays."""
    if state[KIND] == 0.0:
        return
    motion = (state[LEVEL], state[MEAN], state[START], state[SLOPE], state[DECAY])
    for value in units:
        motion = _next(motion, int(state[DAYS]), value, state[SMOOTHING], state[KIND] == MOVING_LINE)
        state[DAYS] += 1.0
    _store(state, motion)


@compiled
def _moved_on(states: FloatArray, units: FloatArray) -> FloatArray:
    moved = states[:, :MULTIPLIES].copy()
    for row in range(len(moved)):
        _advance(moved[row], units[row])
    return moved


@compiled
def _continued(states: FloatArray, horizon: int) -> FloatArray:
    """Each series goes on as expected, without a season."""
    forecasts = np.empty((len(states), horizon))
    for row in range(len(states)):
        state = states[row].copy()
        for step in range(horizon):
            if state[KIND] > 0.0:
                motion = (state[LEVEL], state[MEAN], state[START], state[SLOPE], state[DECAY])
                forecasts[row, step] = _expected(motion, state[SMOOTHING], state[THETA])
                _advance(state, forecasts[row, step : step + 1])
            else:
                forecasts[row, step] = state[LEVEL]
    return forecasts

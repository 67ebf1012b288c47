"""Exponential smoothing of any form as a state that a day moves on: level, slope and season of all series at once.

After Hyndman, Koehler, Ord and Snyder 2008, "Forecasting with exponential smoothing", chapter 3: in the form of
smoothing equations, additive and multiplicative errors move the state alike.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from storecast.forecasting.compilation import compiled
from storecast.forecasting.panel import FloatArray

NONE, ADDED, MULTIPLIED = 0.0, 1.0, 2.0
"""How a component enters."""
KINDS: Final = {"N": NONE, "A": ADDED, "M": MULTIPLIED}
TREND_KIND, SEASON_KIND, ALPHA, BETA, GAMMA, PHI, LEVEL, SLOPE, SEASON = range(9)
"""The numbers of a state; from `SEASON` on the season's, the next day's first."""


def constant_state(level: float, season_length: int) -> FloatArray:
    """The state of a series that goes on at one level, whatever comes."""
    state = np.zeros(SEASON + season_length)
    state[LEVEL] = level
    return state


def state_of(model: Mapping[str, Any], season_length: int) -> FloatArray:
    """The state of a model that statsforecast fitted.

    Raises `ValueError` for a multiplicative trend, which has none here.
    """
    _, trend, season, _ = model["components"]
    if trend == "M":
        raise ValueError("model has a multiplicative trend, which has no state here: choose one with trend N or A")
    last = model["states"][-1]
    own = season_length if season != "N" else 0
    state = constant_state(last[0], season_length)
    state[TREND_KIND], state[SEASON_KIND] = KINDS[trend], KINDS[season]
    weights = np.asarray(model["par"][:4], dtype=np.float64)
    state[[ALPHA, BETA, GAMMA, PHI]] = np.where(np.isnan(weights), [0.0, 0.0, 0.0, 1.0], weights)
    state[SLOPE] = last[1] if trend != "N" else 0.0
    state[SEASON : SEASON + own] = last[len(last) - own :][::-1]
    return state


def states_after(states: FloatArray, units: FloatArray) -> FloatArray:
    """The states after some days more, (series, days).

    >>> state = constant_state(10.0, 1)
    >>> state[ALPHA] = 0.5
    >>> states_after(state[None, :], np.array([[20.0, 15.0]]))[:, LEVEL]
    array([15.])
    """
    return _moved_on(np.ascontiguousarray(states), np.ascontiguousarray(units))


def forecasts_of_states(states: FloatArray, horizon: int) -> FloatArray:
    """Mean units a day, (series, horizon).

    >>> state = constant_state(10.0, 2)
    >>> state[SEASON_KIND], state[SEASON:] = ADDED, [1.0, -1.0]
    >>> forecasts_of_states(state[None, :], 3)
    array([[11.,  9., 11.]])
    """
    return _continued(np.ascontiguousarray(states), horizon)


@compiled
def _moved_on(states: FloatArray, units: FloatArray) -> FloatArray:
    after = states.copy()
    length = states.shape[1] - SEASON
    for row in range(len(after)):
        state = after[row]
        for day in range(units.shape[1]):
            value, place = units[row, day], SEASON + day % length
            step = state[PHI] * state[SLOPE] if state[TREND_KIND] != NONE else 0.0
            expected, own = state[LEVEL] + step, value
            if state[SEASON_KIND] == ADDED:
                own = value - state[place]
            elif state[SEASON_KIND] == MULTIPLIED:
                own = value / state[place]
            level = expected + state[ALPHA] * (own - expected)
            if state[TREND_KIND] != NONE and state[ALPHA] > 0.0:
                state[SLOPE] = step + state[BETA] / state[ALPHA] * (level - state[LEVEL] - step)
            if state[SEASON_KIND] == ADDED:
                state[place] += state[GAMMA] * (value - expected - state[place])
            elif state[SEASON_KIND] == MULTIPLIED:
                state[place] += state[GAMMA] * (value / expected - state[place])
            state[LEVEL] = level
        after[row, SEASON:] = np.roll(state[SEASON:], -units.shape[1])
    return after


@compiled
def _continued(states: FloatArray, horizon: int) -> FloatArray:
    forecasts = np.empty((len(states), horizon))
    length = states.shape[1] - SEASON
    for row in range(len(states)):
        state = states[row]
        steps, power = state[PHI], 1.0
        for step in range(horizon):
            expected = state[LEVEL] + (steps * state[SLOPE] if state[TREND_KIND] != NONE else 0.0)
            if state[SEASON_KIND] == ADDED:
                expected += state[SEASON + step % length]
            elif state[SEASON_KIND] == MULTIPLIED:
                expected *= state[SEASON + step % length]
            forecasts[row, step] = expected
            power *= state[PHI]
            steps += power  # the first one counts twice, as statsforecast and R have it
    return forecasts

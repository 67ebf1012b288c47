"""One boosted model over all series, recursive: each day ahead builds on the days before it, forecasts among them.

What recursion does badly – a small error of the level feeds itself for four weeks – is held by what a calendar
regression says of the sums.
"""

import json
from collections.abc import Callable
from typing import Any, ClassVar, Self

import lightgbm as lgb
import numpy as np

from storecast.forecasting.base import GlobalForecaster
from storecast.forecasting.calendar_regression import forecast_group_totals
from storecast.forecasting.day_features import DayFeatures, FeatureArray, encoders_of, feature_names
from storecast.forecasting.gradient_boosting import tweedie_parameters
from storecast.forecasting.level_corrections import Groups, LevelCorrections, corrections
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.sampled_rows import SampledRows

Correction = Callable[[FloatArray, int], FloatArray]
WARM_UP_DAYS = 28
LEAST_TOTAL = 1e-9


class RecursiveLightGBM(GlobalForecaster):
    """LightGBM over all series on lags and rolling means, Tweedie loss, its sums held by a calendar regression.

    At each day ahead the forecasts of a group (category and channel) are multiplied so that their sum becomes the
    weighted geometric mean of itself and of the group's calendar regression; the next day builds on that. The factors
    are learned over the whole panel when it is fitted and kept with the model, so one series alone is forecast as it is
    among all.

    Parameters
    ----------
    feature_set : `lags` (lags, rolling means, place in the year) or `levels` (means by weekday, how often it sells).
    n_trees, learning_rate, n_leaves, min_rows_a_leaf, tweedie_power : as in LightGBM.
    train_days : only so many of the latest days are learned from.
    max_rows : at most so many training rows, drawn at random.
    anchor_weight : the calendar regression's weight in the sum of a group, 0 for none, 1 for it alone.
    longest_step : days ahead for which factors are learned; the last week's mean goes on beyond.
    seed : seed of the draws.
    n_jobs : threads; the result does not depend on it. More threads than free cores slow LightGBM down by far.

    >>> import pandas as pd
    >>> from storecast.forecasting.recursive_boosting import RecursiveLightGBM
    >>> y = pd.Series([2.0] * 27 + [3.0], index=pd.period_range("2025-01-01", periods=28))
    >>> RecursiveLightGBM().fit(y).predict(fh=[1, 2]).round(2).tolist()  # too few days to learn: the recent level
    [2.04, 2.04]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = (
        {"n_trees": 5, "min_rows_a_leaf": 2},
        {"n_trees": 3, "min_rows_a_leaf": 5, "feature_set": "levels", "longest_step": 3},
    )
    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}

    def __init__(
        self,
        feature_set: str = "lags",
        n_trees: int = 200,
        learning_rate: float = 0.075,
        n_leaves: int = 127,
        min_rows_a_leaf: int = 100,
        tweedie_power: float = 1.1,
        train_days: int = 730,
        max_rows: int = 1_000_000,
        anchor_weight: float = 0.5,
        longest_step: int = 28,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.feature_set = feature_set
        self.n_trees = n_trees
        self.learning_rate = learning_rate
        self.n_leaves = n_leaves
        self.min_rows_a_leaf = min_rows_a_leaf
        self.tweedie_power = tweedie_power
        self.train_days = train_days
        self.max_rows = max_rows
        self.anchor_weight = anchor_weight
        self.longest_step = longest_step
        self.seed = seed
        self.n_jobs = n_jobs
        super().__init__()

    def to_payload(self) -> str:
        """The fitted model as text: JSON with parameters, encoders, factors and LightGBM's own text format."""
        model = {
            "parameters": self.get_params(),
            "encoders": self.encoders_,
            "corrections": self.corrections_.as_record(),
            "trees": self.trees_,
        }
        return json.dumps(model, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_payload(cls, payload: str) -> Self:
        """The forecaster that `to_payload` wrote; it predicts for the panel given to `with_panel`."""
        model = json.loads(payload)
        forecaster = cls(**model["parameters"])
        forecaster.encoders_, forecaster.trees_ = model["encoders"], model["trees"]
        forecaster.corrections_ = LevelCorrections.from_record(model["corrections"])
        return forecaster

    def _learn_panel(self, panel: Panel) -> None:
        self.encoders_ = encoders_of(panel)
        self.trees_ = self._trained(panel)
        groups = Groups.of(panel)
        totals = forecast_group_totals(panel, groups, self.longest_step) if self.anchor_weight > 0 else None
        codes = groups.codes(panel)
        factors: list[FloatArray] = []

        def corrected(units: FloatArray, step: int) -> FloatArray:
            if totals is None:
                return units
            own = np.maximum(groups.total(codes, units), LEAST_TOTAL)
            factors.append((np.maximum(totals[:, step], LEAST_TOTAL) / own) ** self.anchor_weight)
            return units * np.append(factors[-1], 1.0)[codes]

        self._recursion(panel, self.longest_step if totals is not None and len(totals) else 0, corrected)
        self.corrections_ = corrections(groups, panel, factors)

    def _trained(self, panel: Panel) -> str:
        names = feature_names(self.feature_set, self.encoders_)
        features, units = self._training_rows(panel, names)
        if len(units) < 2 * self.min_rows_a_leaf or not units.any():
            return ""
        parameters = tweedie_parameters(self)
        data = lgb.Dataset(features, units, feature_name=list(names), params=parameters)
        data.construct()
        del features
        return lgb.train(parameters, data, num_boost_round=self.n_trees).model_to_string()

    def _training_rows(self, panel: Panel, names: tuple[str, ...]) -> tuple[FeatureArray, FeatureArray]:
        """Features and units of a sample of (series, day), the first four weeks of the panel left out."""
        days = range(max(panel.days - self.train_days, WARM_UP_DAYS), panel.days)
        random = np.random.default_rng(self.seed)
        sampled = SampledRows.drawn(panel.first_day, [day + 1 for day in days], self.max_rows, random)
        features = np.empty((len(sampled), len(names)), dtype=np.float32)
        units = np.empty(len(sampled), dtype=np.float32)
        for chunk, part in panel.chunks():
            source = DayFeatures(part, 0, self.encoders_)
            for place, series, rows in sampled.among(chunk):
                features[rows] = source.on_day(days[place], names)[series]
                units[rows] = source.units_on(days[place])[series]
        return features, units

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        forecast = np.zeros((len(panel.keys), horizon))
        for rows, part in panel.chunks():
            said = self._recursion(part, horizon, _by(self.corrections_.of(part, horizon)))
            forecast[rows] = said * np.any(part.units > 0, axis=1, keepdims=True)
        return forecast

    def _recursion(self, panel: Panel, horizon: int, corrected: Correction) -> FloatArray:
        """Units of each day ahead, all series' corrected before the next day builds on them.

        Of a day's corrections every series has a part, so all are held at once: of each its last eight weeks.
        """
        forecast = np.zeros((len(panel.keys), horizon))
        if not horizon:
            return forecast
        sources = [
            (rows, DayFeatures(part, horizon, self.encoders_).without_history()) for rows, part in panel.chunks()
        ]
        booster = lgb.Booster(model_str=self.trees_) if self.trees_ else None
        names = feature_names(self.feature_set, self.encoders_)
        for step in range(horizon):
            day = panel.days + step
            for rows, source in sources:
                if booster:
                    forecast[rows, step] = booster.predict(source.on_day(day, names), num_threads=self.n_jobs)
                else:
                    forecast[rows, step] = source.on_day(panel.days, ("mean_28_lag_1",))[:, 0]
            forecast[:, step] = corrected(forecast[:, step], step)
            for rows, source in sources:
                source.add(day, forecast[rows, step])
        return forecast


def _by(factors: FloatArray) -> Correction:
    return lambda units, step: units * factors[:, step]

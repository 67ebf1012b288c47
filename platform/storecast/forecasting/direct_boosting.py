"""One boosted model over all series, direct: what GlobalLightGBM and GlobalXGBoost share, all but the trees."""

import json
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final, Self

import numpy as np

from storecast.forecasting import contracts as c
from storecast.forecasting.base import GlobalForecaster
from storecast.forecasting.direct_forecast import DirectReading, relative_to_level, without_outliers
from storecast.forecasting.features import FEATURES, FeatureArray, FeatureSource, encoders_of
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.sampled_rows import SampledRows
from storecast.forecasting.unconstraining import unconstrained

ORIGIN_STEP_DAYS = 14
RESPONSES: Final = {c.UNIT_PRICE: -1, "price_to_mean": -1, c.IS_ON_PROMOTION: 1, c.DISCOUNT_SHARE: 1}
"""Which way units may go with a driver: a dearer product never sells more, a promoted one never less."""

TrainingRows = tuple[FeatureArray, FloatArray, FloatArray]
"""Features, units and log levels."""
DrawnRows = dict[tuple[float, ...], TrainingRows]
"""The training rows made of one panel, by what decides them: how far back, how far ahead, outliers, how many, seed."""


def responses(is_monotone: bool) -> list[int]:
    """Which way units may go with each feature: down -1, up 1, any 0."""
    return [RESPONSES.get(name, 0) if is_monotone else 0 for name in FEATURES]


class DirectBoosting(GlobalForecaster):
    """Boosted trees over all series, direct: each day ahead is predicted from what is known at the origin.

    Units are learned relative to each series' recent level (Tweedie loss, the level as offset), so slow and fast
    movers share what they have in common; where there are too few rows to learn from, the level is the forecast.
    Prices, promotions and events of the day ahead enter where they are known in advance. A subclass trains the trees
    and reads them.
    """

    train_days: int
    longest_step: int
    outlier_factor: float
    max_rows: int
    min_rows_a_leaf: int
    is_monotone: bool
    seed: int
    n_jobs: int
    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}

    @abstractmethod
    def _trained(self, features: FeatureArray, units: FloatArray, offsets: FloatArray) -> str:
        """Trees as text, trained on rows of features, their units and the logarithm of their levels."""

    @abstractmethod
    def _reader(self) -> Callable[[FeatureArray], FloatArray]:
        """What gives the trees' raw score, log units relative to the level, of rows of features."""

    def to_payload(self) -> str:
        """The fitted model as text: JSON with the parameters, the encoders and the library's own text format."""
        model = {"parameters": self.get_params(), "encoders": self.encoders_, "trees": self.trees_}
        return json.dumps(model, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_payload(cls, payload: str) -> Self:
        """The forecaster that `to_payload` wrote; it predicts for the panel given to `with_panel`."""
        model = json.loads(payload)
        forecaster = cls(**model["parameters"])
        forecaster.encoders_, forecaster.trees_ = model["encoders"], model["trees"]
        return forecaster

    def _learn_panel(self, panel: Panel) -> None:
        self._learn_rows(panel, self._training_rows(panel))

    def fit_beside(self, panel: Panel, drawn: DrawnRows) -> Self:
        """Fit on a panel as `fit_panel` does, from the rows that a model of equal draws has made of it before."""
        self.panel_ = unconstrained(panel)
        draws = (self.train_days, self.longest_step, self.outlier_factor, self.max_rows, self.seed)
        if draws not in drawn:
            drawn[draws] = self._training_rows(self.panel_)
        self._learn_rows(self.panel_, drawn[draws])
        return self

    def _learn_rows(self, panel: Panel, rows: TrainingRows) -> None:
        self.encoders_ = encoders_of(panel)
        features, units, offsets = rows
        self.trees_ = ""
        if len(units) < 2 * self.min_rows_a_leaf or not units.any():
            return
        self.trees_ = self._trained(features, units, offsets)

    def _training_rows(self, panel: Panel) -> TrainingRows:
        """Features, units and log levels of a sample of (origin, series, day ahead)."""
        encoders, random = encoders_of(panel), np.random.default_rng(self.seed)
        tasks = self._tasks(panel.days, random)
        sampled = SampledRows.drawn(panel.first_day, [known for known, _ in tasks], self.max_rows, random)
        features = np.empty((len(sampled), len(FEATURES)), np.float32)
        units, offsets = np.empty(len(sampled)), np.empty(len(sampled))
        for chunk, part in panel.chunks():
            capped = without_outliers(part, self.outlier_factor)
            source = FeatureSource(capped, 0, encoders, self.longest_step)
            for place, series, rows in sampled.among(chunk):
                known, day = tasks[place]
                features[rows], offsets[rows] = relative_to_level(source.on_day(day, known, series))
                units[rows] = capped.units[series, day]
        return features, units, offsets

    def _tasks(self, days: int, random: np.random.Generator) -> list[tuple[int, int]]:
        """(days known, day to predict) of the training rows: origins two weeks apart, some days ahead of each."""
        tasks = []
        for known in range(days - 1, max(days - self.train_days, 1) - 1, -ORIGIN_STEP_DAYS):
            steps = np.arange(min(self.longest_step, days - known))
            chosen = random.choice(steps, size=min(ORIGIN_STEP_DAYS, len(steps)), replace=False)
            tasks += [(known, known + int(step)) for step in np.sort(chosen)]
        return tasks

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        reading = DirectReading(self.encoders_, self.longest_step, self.outlier_factor)
        return reading.forecast(panel, horizon, self._reader() if self.trees_ else None)

"""One boosted model over all series: LightGBM on recent levels, prices, promotions, events and the calendar."""

import json
from typing import Any, ClassVar, Final, Protocol, Self

import lightgbm as lgb
import numpy as np

from storecast.forecasting import contracts as c
from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.features import (
    CATEGORICAL_FEATURES,
    FEATURES,
    UNIT_FEATURES,
    FeatureArray,
    FeatureSource,
    encoders_of,
)
from storecast.forecasting.panel import FloatArray, Panel

LOWEST_LEVEL = 0.02
"""Units a day below which a series' level is not told from nothing; keeps ratios to the level finite."""
ORIGIN_STEP_DAYS = 14
SALES_SHARE = 0.9
RESPONSES: Final = {c.UNIT_PRICE: -1, "price_to_mean": -1, c.IS_ON_PROMOTION: 1, c.DISCOUNT_SHARE: 1}
"""Which way units may go with a driver: a dearer product never sells more, a promoted one never less."""


class GlobalLightGBM(PanelForecaster):
    """LightGBM over all series, direct: each day ahead is predicted from what is known at the origin.

    Units are learned relative to each series' recent level (Tweedie loss, the level as offset), so slow and fast
    movers share what they have in common; where there are too few rows to learn from, the level is the forecast.
    Prices, promotions and events of the day ahead enter where they are known in advance.

    Parameters
    ----------
    n_trees, learning_rate, n_leaves, min_rows_a_leaf, tweedie_power : as in LightGBM.
    train_days : only so many of the latest days are learned from.
    longest_step : farthest day ahead that is trained; days beyond are predicted as that one, on their own date.
    outlier_factor : units above this multiple of the 90 % quantile of a series' sales count as that: bulk orders
        do not come back on the same day.
    max_rows : at most so many training rows, drawn at random.
    is_monotone : a dearer product never sells more, a promoted one never less; costs a little accuracy, and is what an
        answer to "what if" needs.
    seed : seed of the draws.
    n_jobs : threads; the result does not depend on it. More threads than free cores slow LightGBM down by far.

    >>> import pandas as pd
    >>> from storecast.forecasting.gradient_boosting import GlobalLightGBM
    >>> y = pd.Series([2.0] * 27 + [3.0], index=pd.period_range("2025-01-01", periods=28))
    >>> GlobalLightGBM().fit(y).predict(fh=[1, 2]).round(2).tolist()  # too few days to learn: the recent level
    [2.04, 2.04]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = (
        {"n_trees": 5, "min_rows_a_leaf": 2},
        {"n_trees": 3, "min_rows_a_leaf": 5, "longest_step": 3},
    )

    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}

    def __init__(
        self,
        n_trees: int = 150,
        learning_rate: float = 0.07,
        n_leaves: int = 31,
        min_rows_a_leaf: int = 100,
        tweedie_power: float = 1.1,
        train_days: int = 730,
        longest_step: int = 28,
        outlier_factor: float = 3.0,
        max_rows: int = 300_000,
        is_monotone: bool = False,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.n_trees = n_trees
        self.learning_rate = learning_rate
        self.n_leaves = n_leaves
        self.min_rows_a_leaf = min_rows_a_leaf
        self.tweedie_power = tweedie_power
        self.train_days = train_days
        self.longest_step = longest_step
        self.outlier_factor = outlier_factor
        self.max_rows = max_rows
        self.is_monotone = is_monotone
        self.seed = seed
        self.n_jobs = n_jobs
        super().__init__()

    def to_payload(self) -> str:
        """The fitted model as text: JSON with the parameters, the encoders and LightGBM's own text format."""
        model = {"parameters": self.get_params(), "encoders": self.encoders_, "trees": self.trees_}
        return json.dumps(model, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_payload(cls, payload: str) -> Self:
        """The forecaster that `to_payload` wrote; it predicts for the panel given to `with_panel`."""
        model = json.loads(payload)
        forecaster = cls(**model["parameters"])
        forecaster.encoders_, forecaster.trees_ = model["encoders"], model["trees"]
        return forecaster

    def with_panel(self, panel: Panel) -> Self:
        """Let `predict_panel` speak of these series, learning nothing from them: one product or many, known or new."""
        self.panel_ = panel
        return self

    def _learn_panel(self, panel: Panel) -> None:
        self.encoders_ = encoders_of(panel)
        features, units, offsets = self._training_rows(self._without_outliers(panel))
        self.trees_ = ""
        if len(units) < 2 * self.min_rows_a_leaf or not units.any():
            return
        parameters = tweedie_parameters(self) | {
            "boost_from_average": False,
            "max_cat_to_onehot": 8,
            "monotone_constraints": [RESPONSES.get(name, 0) if self.is_monotone else 0 for name in FEATURES],
            "monotone_constraints_method": "basic",  # the finer ones let a dearer product sell more now and then
        }
        data = lgb.Dataset(
            features,
            units,
            init_score=offsets,
            feature_name=list(FEATURES),
            categorical_feature=list(CATEGORICAL_FEATURES),
        )
        self.trees_ = lgb.train(parameters, data, num_boost_round=self.n_trees).model_to_string()

    def _without_outliers(self, panel: Panel) -> Panel:
        sold = np.where(panel.units > 0, panel.units, np.nan)
        has_sold = (panel.units > 0).any(axis=1)
        caps = np.full(len(sold), np.inf)
        caps[has_sold] = self.outlier_factor * np.nanquantile(sold[has_sold], SALES_SHARE, axis=1)
        return panel.with_units(np.minimum(panel.units, caps[:, None]))

    def _training_rows(self, panel: Panel) -> tuple[FeatureArray, FloatArray, FloatArray]:
        """Features, units and log levels of a sample of (origin, series, day ahead)."""
        source = FeatureSource(panel, 0, self.encoders_, self.longest_step)
        random = np.random.default_rng(self.seed)
        tasks = self._tasks(panel.days, random)
        candidates = sum(int(source.has_begun(known).sum()) for known, _ in tasks)
        share = min(1.0, self.max_rows / max(candidates, 1))
        parts = []
        for known, day in tasks:
            rows = source.has_begun(known) & (random.random(len(panel.keys)) < share)
            features, offsets = _relative(source.on_day(day, known, rows))
            parts.append((features, panel.units[rows, day], offsets))
        columns = (
            zip(*parts, strict=True)
            if parts
            else ([np.empty((0, len(FEATURES)), np.float32)], [np.empty(0)], [np.empty(0)])
        )
        features, units, offsets = (np.concatenate(column) for column in columns)
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
        forecast = np.zeros((len(panel.keys), horizon))
        if not len(panel.keys):
            return forecast
        booster = lgb.Booster(model_str=self.trees_) if self.trees_ else None
        source = FeatureSource(self._without_outliers(panel), horizon, self.encoders_, self.longest_step)
        every_row = np.ones(len(panel.keys), dtype=np.bool_)
        for step in range(horizon):
            features, offsets = _relative(source.on_day(panel.days + step, panel.days, every_row))
            raw = np.asarray(booster.predict(features, raw_score=True, num_threads=self.n_jobs)) if booster else 0.0
            forecast[:, step] = np.exp(raw + offsets)
        has_sold = np.any(panel.units > 0, axis=1, keepdims=True)
        return forecast * has_sold


class Boosted(Protocol):
    """What a boosted forecaster is constructed with, under LightGBM's ideas and the field's names."""

    learning_rate: float
    n_leaves: int
    min_rows_a_leaf: int
    tweedie_power: float
    seed: int
    n_jobs: int


def tweedie_parameters(forecaster: Boosted) -> dict[str, Any]:
    """LightGBM's parameters of a boosted forecaster of this room: Tweedie loss, the same numbers at each run."""
    return {
        "objective": "tweedie",
        "tweedie_variance_power": forecaster.tweedie_power,
        "learning_rate": forecaster.learning_rate,
        "num_leaves": forecaster.n_leaves,
        "min_data_in_leaf": forecaster.min_rows_a_leaf,
        "bagging_fraction": 0.5,
        "bagging_freq": 1,
        "feature_fraction": 0.6,
        "lambda_l2": 0.1,
        "seed": forecaster.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": forecaster.n_jobs,
        "verbosity": -1,
    }


def _relative(features: FeatureArray) -> tuple[FeatureArray, FloatArray]:
    """Features with units as multiples of the series' level, and the logarithm of that level.

    The level is the middle of the last 28 and 91 days' means.
    """
    place = FEATURES.index
    level = np.maximum((features[:, place("mean_28")] + features[:, place("mean_91")]) / 2, LOWEST_LEVEL)
    relative = features.copy()
    relative[:, : len(UNIT_FEATURES)] /= level[:, None]
    return relative, np.log(level.astype(np.float64))

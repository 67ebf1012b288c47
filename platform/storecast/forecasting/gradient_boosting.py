"""LightGBM over all series: on recent levels, prices, promotions, events and the calendar."""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import lightgbm as lgb
import numpy as np

from storecast.forecasting.direct_boosting import DirectBoosting, responses
from storecast.forecasting.features import CATEGORICAL_FEATURES, FEATURES, FeatureArray
from storecast.forecasting.panel import FloatArray


class GlobalLightGBM(DirectBoosting):
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

    def _trained(self, features: FeatureArray, units: FloatArray, offsets: FloatArray) -> str:
        parameters = tweedie_parameters(self) | {
            "boost_from_average": False,
            "max_cat_to_onehot": 8,
            "monotone_constraints": responses(self.is_monotone),
            "monotone_constraints_method": "basic",  # the finer ones let a dearer product sell more now and then
        }
        data = lgb.Dataset(
            features,
            units,
            init_score=offsets,
            feature_name=list(FEATURES),
            categorical_feature=list(CATEGORICAL_FEATURES),
        )
        return lgb.train(parameters, data, num_boost_round=self.n_trees).model_to_string()

    def _reader(self) -> Callable[[FeatureArray], FloatArray]:
        booster = lgb.Booster(model_str=self.trees_)
        return lambda features: np.asarray(booster.predict(features, raw_score=True, num_threads=self.n_jobs))


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

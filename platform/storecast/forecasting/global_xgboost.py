"""XGBoost over all series: the same rows and features as LightGBM, other trees."""

from collections.abc import Callable
from typing import Any, ClassVar, Final

import numpy as np
import xgboost as xgb

from storecast.forecasting.direct_boosting import DirectBoosting, responses
from storecast.forecasting.features import CATEGORICAL_FEATURES, FEATURES, FeatureArray
from storecast.forecasting.panel import FloatArray

IS_CATEGORY: Final = np.array([name in CATEGORICAL_FEATURES for name in FEATURES])


class GlobalXGBoost(DirectBoosting):
    """XGBoost over all series, direct: each day ahead is predicted from what is known at the origin.

    Rows, features, loss (Tweedie, the recent level as offset) and monotone response are those of `GlobalLightGBM`; the
    trees are grown leaf by leaf, as LightGBM does.

    Parameters
    ----------
    n_trees, learning_rate, n_leaves, tweedie_power : as in XGBoost, where leaves are `max_leaves`.
    min_rows_a_leaf : fewer than twice as many rows teach nothing.
    min_weight_a_leaf : XGBoost's `min_child_weight`: about so many units in a leaf.
    train_days, longest_step, outlier_factor, max_rows, is_monotone, seed, n_jobs : as in `GlobalLightGBM`.

    >>> import pandas as pd
    >>> from storecast.forecasting.global_xgboost import GlobalXGBoost
    >>> y = pd.Series([2.0] * 27 + [3.0], index=pd.period_range("2025-01-01", periods=28))
    >>> GlobalXGBoost().fit(y).predict(fh=[1, 2]).round(2).tolist()  # too few days to learn: the recent level
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
        min_weight_a_leaf: float = 20.0,
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
        self.min_weight_a_leaf = min_weight_a_leaf
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
        parameters = {
            "objective": "reg:tweedie",
            "tweedie_variance_power": self.tweedie_power,
            "eta": self.learning_rate,
            "tree_method": "hist",
            "grow_policy": "lossguide",
            "max_depth": 0,
            "max_leaves": self.n_leaves,
            "min_child_weight": self.min_weight_a_leaf,
            "subsample": 0.5,
            "colsample_bynode": 0.6,
            "lambda": 0.1,
            "max_cat_to_onehot": 8,
            "monotone_constraints": tuple(responses(self.is_monotone)),
            "base_score": 1.0,  # the forecast is the level until a tree says otherwise
            "seed": self.seed,
            "nthread": self.n_jobs,
            "verbosity": 0,
        }
        data = self._matrix(features)
        data.set_info(label=units, base_margin=offsets)
        trained = xgb.train(parameters, data, num_boost_round=self.n_trees)
        return trained.save_raw("json").decode()

    def _reader(self) -> Callable[[FeatureArray], FloatArray]:
        booster = xgb.Booster({"nthread": self.n_jobs}, model_file=bytearray(self.trees_.encode()))

        def raw_scores(features: FeatureArray) -> FloatArray:
            return np.asarray(booster.predict(self._matrix(features), output_margin=True), dtype=np.float64)

        return raw_scores

    def _matrix(self, features: FeatureArray) -> xgb.DMatrix:
        """The features as XGBoost takes them: it knows no negative category, so no event is a missing one."""
        known = np.where(IS_CATEGORY & (features < 0), np.nan, features)
        return xgb.DMatrix(
            known,
            feature_names=list(FEATURES),
            feature_types=["c" if is_category else "q" for is_category in IS_CATEGORY],
            enable_categorical=True,
            nthread=self.n_jobs,
        )

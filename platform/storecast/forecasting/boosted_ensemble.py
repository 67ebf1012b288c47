"""Few boosted models that err differently, their mean: two recursive ones and a direct one."""

import json
from typing import Any, ClassVar, Self

import numpy as np

from storecast.forecasting.base import GlobalForecaster
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.level_corrections import Groups, LevelCorrections, corrections
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.recursive_boosting import LEAST_TOTAL, RecursiveLightGBM

FEATURE_SETS = ("lags", "levels")


class BoostedEnsemble(GlobalForecaster):
    """The mean of two recursive LightGBM models and a direct one, by series; by group the recursive ones' sum.

    The recursive models see the calendar and are held by a calendar regression (`RecursiveLightGBM`), the direct one
    knows best how much each series sells (`GlobalLightGBM`): so the mean of all three is shared out within a group
    (category and channel), while the group's sum on a day is the mean of the recursive ones.

    Parameters
    ----------
    n_trees, n_leaves : of each recursive model, as in LightGBM.
    max_rows : training rows of each recursive model, drawn at random.
    direct_rows : training rows of the direct model.
    train_days : only so many of the latest days are learned from.
    longest_step : farthest day ahead that is trained.
    seed : seed of the draws.
    n_jobs : threads; the result does not depend on it.

    >>> import pandas as pd
    >>> from storecast.forecasting.boosted_ensemble import BoostedEnsemble
    >>> y = pd.Series([2.0] * 27 + [3.0], index=pd.period_range("2025-01-01", periods=28))
    >>> BoostedEnsemble().fit(y).predict(fh=[1, 2]).round(2).tolist()  # too few days to learn: the recent level
    [2.04, 2.04]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({"n_trees": 3}, {"n_trees": 2, "longest_step": 3})
    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}

    def __init__(
        self,
        n_trees: int = 200,
        n_leaves: int = 127,
        max_rows: int = 1_000_000,
        direct_rows: int = 300_000,
        train_days: int = 730,
        longest_step: int = 28,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.n_trees = n_trees
        self.n_leaves = n_leaves
        self.max_rows = max_rows
        self.direct_rows = direct_rows
        self.train_days = train_days
        self.longest_step = longest_step
        self.seed = seed
        self.n_jobs = n_jobs
        super().__init__()

    def to_payload(self) -> str:
        """The fitted models as text: JSON of the members' own payloads and the factors by group."""
        model = {
            "parameters": self.get_params(),
            "recursive": [member.to_payload() for member in self.recursive_],
            "direct": self.direct_.to_payload(),
            "corrections": self.corrections_.as_record(),
        }
        return json.dumps(model, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_payload(cls, payload: str) -> Self:
        """The forecaster that `to_payload` wrote; it predicts for the panel given to `with_panel`."""
        model = json.loads(payload)
        forecaster = cls(**model["parameters"])
        forecaster.recursive_ = [RecursiveLightGBM.from_payload(member) for member in model["recursive"]]
        forecaster.direct_ = GlobalLightGBM.from_payload(model["direct"])
        forecaster.corrections_ = LevelCorrections.from_record(model["corrections"])
        return forecaster

    def _learn_panel(self, panel: Panel) -> None:
        common: dict[str, Any] = {
            "train_days": self.train_days,
            "longest_step": self.longest_step,
            "seed": self.seed,
            "n_jobs": self.n_jobs,
        }
        sizes = {"n_trees": self.n_trees, "n_leaves": self.n_leaves, "max_rows": self.max_rows}
        self.recursive_ = [
            RecursiveLightGBM(feature_set, **sizes, **common).fit_panel(panel) for feature_set in FEATURE_SETS
        ]
        self.direct_ = GlobalLightGBM(max_rows=self.direct_rows, **common).fit_panel(panel)
        recursive, mean = self._means(panel, self.longest_step)
        groups = Groups.of(panel)
        codes = groups.codes(panel)
        ratios = np.maximum(groups.total(codes, recursive), LEAST_TOTAL) / np.maximum(
            groups.total(codes, mean), LEAST_TOTAL
        )
        self.corrections_ = corrections(groups, panel, list(ratios.T))

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        if not len(panel.keys):
            return np.zeros((0, horizon))
        _, mean = self._means(panel, horizon)
        return mean * self.corrections_.of(panel, horizon)

    def _means(self, panel: Panel, horizon: int) -> tuple[FloatArray, FloatArray]:
        """The mean of the recursive models, and that of all three."""
        forecasts = [member.with_panel(panel).predict_panel(horizon) for member in self.recursive_]
        recursive = np.mean(forecasts, axis=0)
        direct = self.direct_.with_panel(panel).predict_panel(horizon)
        return recursive, (sum(forecasts) + direct) / (len(forecasts) + 1)

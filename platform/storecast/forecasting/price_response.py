"""How units follow price and promotion: learned at training, stored as text, read where a question is asked."""

import json
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from storecast.forecasting.direct_forecast import DirectReading, RawScores
from storecast.forecasting.features import FeatureArray
from storecast.forecasting.panel import FloatArray, Panel

LEAST_UNITS: Final = 1e-9


@dataclass(frozen=True, eq=False)
class PriceResponse:
    """A stored response: a dearer product never sells more, a promoted one never less.

    It reads what a monotone `GlobalLightGBM` wrote, without the seconds that sktime takes to import; `trees` is
    LightGBM's own text, empty where too few days were there to learn from.
    """

    reading: DirectReading
    trees: str

    @classmethod
    def from_payload(cls, payload: str) -> Self:
        """The response of `GlobalLightGBM.to_payload`."""
        model = json.loads(payload)
        parameters = model["parameters"]
        reading = DirectReading(model["encoders"], parameters["longest_step"], parameters["outlier_factor"])
        return cls(reading, model["trees"])

    def ratio(self, plan: Panel, changed: Panel, horizon: int) -> FloatArray:
        """Units with changed drivers over units with the planned ones, (series, horizon); 1 where nothing is sold.

        A promotion raises `is_on_promotion` and lowers the price.
        """
        scores = self._raw_scores()
        before = self.reading.forecast(plan, horizon, scores)
        after = self.reading.forecast(changed, horizon, scores)
        return np.where(before > LEAST_UNITS, after / np.maximum(before, LEAST_UNITS), 1.0)

    def _raw_scores(self) -> RawScores | None:
        if not self.trees:
            return None
        import lightgbm as lgb  # noqa: PLC0415 - takes a second to import: only a question that was checked pays for it

        booster = lgb.Booster(model_str=self.trees)

        def raw_scores(features: FeatureArray) -> FloatArray:
            return np.asarray(booster.predict(features, raw_score=True, num_threads=1))

        return raw_scores

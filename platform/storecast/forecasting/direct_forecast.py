"""What a direct boosted model says of a panel: apart from training and sktime, so that a question is soon answered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from storecast.forecasting.features import FEATURES, UNIT_FEATURES, Encoders, FeatureArray, FeatureSource
from storecast.forecasting.panel import FloatArray, Panel

LOWEST_LEVEL: Final = 0.02
"""Units a day below which a series' level is not told from nothing; keeps ratios to the level finite."""
SALES_SHARE: Final = 0.9

RawScores = Callable[[FeatureArray], FloatArray]
"""Trees: from rows of features to log units relative to the level."""


@dataclass(frozen=True)
class DirectReading:
    """How a direct model reads a panel: parameters as in `GlobalLightGBM`, `encoders` as `encoders_of` made them."""

    encoders: Encoders
    longest_step: int
    outlier_factor: float

    def forecast(self, panel: Panel, horizon: int, raw_scores: RawScores | None) -> FloatArray:
        """Mean units, (series, horizon); without trees the recent level, 0 for a series that never sold."""
        forecast = np.zeros((len(panel.keys), horizon))
        for rows, part in panel.chunks():
            capped = without_outliers(part, self.outlier_factor)
            source = FeatureSource(capped, horizon, self.encoders, self.longest_step)
            every_one = np.arange(len(part.keys))
            for step in range(horizon):
                features, offsets = relative_to_level(source.on_day(panel.days + step, panel.days, every_one))
                forecast[rows, step] = np.exp((raw_scores(features) if raw_scores else 0.0) + offsets)
            forecast[rows] *= np.any(part.units > 0, axis=1, keepdims=True)
        return forecast


def without_outliers(panel: Panel, factor: float) -> Panel:
    """The panel with no units above a multiple of the 90 % quantile of their series' sales."""
    sales = np.sort(np.where(panel.units > 0, panel.units, np.nan), axis=1)  # unknown ones last
    number = (panel.units > 0).sum(axis=1)
    caps = np.full(len(sales), np.inf)
    for sold in np.unique(number[number > 0]):  # NumPy's quantile without NaN takes many rows at once
        rows = np.flatnonzero(number == sold)
        caps[rows] = factor * np.quantile(sales[rows, :sold], SALES_SHARE, axis=1)
    return panel.with_units(np.minimum(panel.units, caps[:, None]))


def relative_to_level(features: FeatureArray) -> tuple[FeatureArray, FloatArray]:
    """Features with units as multiples of the series' level, and the logarithm of that level.

    The level is the middle of the last 28 and 91 days' means.
    """
    place = FEATURES.index
    level = np.maximum((features[:, place("mean_28")] + features[:, place("mean_91")]) / 2, LOWEST_LEVEL)
    relative = features.copy()
    relative[:, : len(UNIT_FEATURES)] /= level[:, None]
    return relative, np.log(level.astype(np.float64))

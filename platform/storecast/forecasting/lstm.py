"""One recurrent network over all series: an LSTM that reads the latest days and the plan, and says counts."""

import base64
import io
import json
import warnings
from typing import Any, ClassVar, Self

import numpy as np
from scipy import stats

from storecast.forecasting import lstm_network
from storecast.forecasting.base import GlobalForecaster
from storecast.forecasting.features import encoders_of
from storecast.forecasting.lstm_network import Examples, NetworkShape, Schedule, Weights
from storecast.forecasting.panel import EVENT_CODE, FloatArray, IntArray, Panel
from storecast.forecasting.sequences import STATIC_CODES, Sequences, sequences_at_end

SHORTEST_HISTORY = 14
MOST_ORIGINS = 60
MOST_HOLDOUT_ROWS = 4096
SERIES_AT_ONCE = 4096


class GlobalLSTM(GlobalForecaster):
    """An LSTM over all series: an encoder of the latest days, a decoder of the days ahead, a negative binomial a day.

    The decoder reads what is known in advance – price relative to its mean, promotion, event, weekday – and
    gives every day's mean and dispersion at once, without feeding its own forecasts back. Units are learned relative to
    each series' recent level; category, channel and event enter as embeddings (encoder-decoder after Sutskever, Vinyals
    and Le 2014; likelihood and scaling after Salinas et al. 2020). Learning ends where the loss on the last
    `longest_step` days, held out, stops falling; those days are read as context but not learned from.

    Where there is too little to learn from, each series' level is the forecast: `fallback_reason_` says why, with a
    warning. **When it does not pay**: on a few hundred series `GlobalLightGBM` is as good or better in a fraction of
    the time, and `benchmarks/lstm.py` prints by how much; it is therefore not in the default set.

    The same seed gives the same bits on one machine, in one process or many, for one product alone or all of them.

    Parameters
    ----------
    context_days : latest days the encoder reads.
    cells : size of both LSTM layers.
    learning_rate, epochs, patience : Adam's rate; most passes; passes without a gain on the hold-out before the end.
    longest_step : days ahead that are trained; the decoder runs on beyond.
    max_windows : at most so many (series, origin) pairs are learned from, drawn at random.
    min_windows : with fewer, nothing is learned.
    seed : seed of weights, draws and order.

    Raises `ModuleNotFoundError` on fitting where the extra `deep` is not installed.

    >>> import pandas as pd
    >>> from storecast.forecasting.lstm import GlobalLSTM
    >>> y = pd.Series([2.0] * 27 + [3.0], index=pd.period_range("2025-01-01", periods=28))
    >>> forecaster = GlobalLSTM().fit(y)
    >>> forecaster.predict(fh=[1, 2]).round(2).tolist(), forecaster.fallback_reason_
    ([2.04, 2.04], '0 windows to learn from, fewer than 200')
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = (
        {"context_days": 7, "cells": 2, "epochs": 1, "longest_step": 3, "min_windows": 2},
        {"context_days": 7, "cells": 2, "epochs": 2, "longest_step": 3, "min_windows": 4, "max_windows": 50},
    )
    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}

    def __init__(
        self,
        context_days: int = 56,
        cells: int = 32,
        learning_rate: float = 0.002,
        epochs: int = 30,
        patience: int = 4,
        longest_step: int = 28,
        max_windows: int = 20_000,
        min_windows: int = 200,
        seed: int = 0,
    ) -> None:
        self.context_days = context_days
        self.cells = cells
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.patience = patience
        self.longest_step = longest_step
        self.max_windows = max_windows
        self.min_windows = min_windows
        self.seed = seed
        super().__init__()

    def to_payload(self) -> str:
        """The fitted model as text: JSON with the parameters, the encoders and the weights (npz in base64)."""
        file = io.BytesIO()
        np.savez(file, *self.weights_)
        model = {
            "parameters": self.get_params(),
            "encoders": self.encoders_,
            "fallback_reason": self.fallback_reason_,
            "weights": base64.b64encode(file.getvalue()).decode("ascii"),
        }
        return json.dumps(model, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_payload(cls, payload: str) -> Self:
        """The forecaster that `to_payload` wrote; it predicts for the panel given to `with_panel`."""
        model = json.loads(payload)
        forecaster = cls(**model["parameters"])
        with np.load(io.BytesIO(base64.b64decode(model["weights"])), allow_pickle=False) as stored:
            forecaster.weights_ = tuple(stored[f"arr_{place}"] for place in range(len(stored.files)))
        forecaster.encoders_, forecaster.fallback_reason_ = model["encoders"], model["fallback_reason"]
        return forecaster

    def _learn_panel(self, panel: Panel) -> None:
        self.encoders_ = encoders_of(panel)
        self.weights_: Weights = ()
        self.losses_: tuple[float, ...] = ()
        self.fallback_reason_ = self._learn(panel)
        if self.fallback_reason_:
            warnings.warn(f"GlobalLSTM forecasts each series' level: {self.fallback_reason_}", stacklevel=2)

    def _learn(self, panel: Panel) -> str | None:
        """Learn weights; what comes back is the reason why there are none."""
        random = np.random.default_rng(self.seed)
        held_out = panel.days - self.longest_step
        origins = np.arange(SHORTEST_HISTORY, held_out)
        if len(origins) > MOST_ORIGINS:
            origins = np.sort(random.choice(origins, MOST_ORIGINS, replace=False))
        number = sum(int((panel.first_day < origin).sum()) for origin in origins)
        if number < self.min_windows:
            return f"{number} windows to learn from, fewer than {self.min_windows}"
        training = self._examples(panel, origins, held_out, self.max_windows / number, random)
        share = MOST_HOLDOUT_ROWS / max(int((panel.first_day < held_out).sum()), 1)
        holdout = self._examples(panel, np.array([held_out]), panel.days, share, random)
        if not np.nansum(training.units):
            return "nothing was sold"
        schedule = Schedule(self.learning_rate, self.epochs, self.patience)
        weights, self.losses_ = lstm_network.learn(self._shape(), training, holdout, schedule, self.seed)
        if not np.nanmin(self.losses_) < self.losses_[0]:
            return f"no epoch was better on the hold-out than none: its loss was {self.losses_[0]:.4g} before"
        self.weights_ = weights
        return None

    def _examples(
        self, panel: Panel, origins: IntArray, last_day: int, share: float, random: np.random.Generator
    ) -> Examples:
        """A share of the series at each origin, with the units that followed up to day `last_day`."""
        inputs, followed = [], []
        for origin in origins:
            is_drawn = (panel.first_day < origin) & (random.random(len(panel.keys)) < share)
            if not is_drawn.any():
                continue
            part = panel.take(is_drawn)
            inputs.append(self._sequences(part.until(int(origin), self.longest_step), self.longest_step))
            seen = part.units[:, origin : min(origin + self.longest_step, last_day)]
            unknown = self.longest_step - seen.shape[1]
            followed.append(np.pad(seen, ((0, 0), (0, unknown)), constant_values=np.nan))
        return Examples(Sequences.joined(inputs), np.concatenate(followed))

    def _sequences(self, panel: Panel, steps: int) -> Sequences:
        return sequences_at_end(panel, steps, self.context_days, self.encoders_)

    def _shape(self) -> NetworkShape:
        statics = tuple(len(self.encoders_[name]) + 1 for name in STATIC_CODES)
        return NetworkShape(self.context_days, self.cells, statics, len(self.encoders_[EVENT_CODE]) + 1)

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        mean, _ = self._distribution(panel, horizon)
        return mean

    def _forecast_panel_quantiles(self, panel: Panel, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        """Quantiles of the negative binomial; where only levels are forecast, from their errors within the history."""
        if not self.weights_:
            return super()._forecast_panel_quantiles(panel, horizon, alphas)
        mean, dispersion = self._distribution(panel, horizon)
        size, chance = (1 / dispersion)[..., None], (1 / (1 + dispersion * mean))[..., None]
        return np.asarray(stats.nbinom.ppf(np.array(alphas), size, chance))

    def _distribution(self, panel: Panel, horizon: int) -> tuple[FloatArray, FloatArray]:
        """Means and dispersions, each (series, horizon); a series that never sold is forecast to sell nothing."""
        mean, dispersion = np.zeros((2, len(panel.keys), horizon))
        for start in range(0, len(panel.keys), SERIES_AT_ONCE):
            rows = np.arange(start, min(start + SERIES_AT_ONCE, len(panel.keys)))
            inputs = self._sequences(panel.take(rows), horizon)
            mean[rows] = inputs.levels[:, None]
            if self.weights_:
                mean[rows], dispersion[rows] = lstm_network.predict(self._shape(), self.weights_, inputs)
        return mean * (panel.units > 0).any(axis=1, keepdims=True), dispersion

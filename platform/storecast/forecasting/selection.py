"""Which model speaks for which series: chosen on the selection origins alone, ensembles among the candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.backtest import Backtests
from storecast.forecasting.demand_classes import demand_classes
from storecast.forecasting.fallbacks import with_fallbacks
from storecast.forecasting.levels import levels_of
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.registry import SEASONAL_NAIVE

TextArray = npt.NDArray[np.object_]
JOIN: Final = "+"
LARGEST_ENSEMBLE: Final = 3
MOST_ENSEMBLE_MEMBERS: Final = 5
LEAST_GAIN: Final = 0.002
LEAST_SERIES_GAIN: Final = 0.1
MOST_ROUNDS: Final = 4
PENALTY: Final = 5.0
CLASS_WEIGHT: Final = 0.25
TINY: Final = 1e-9


def members(model: str) -> tuple[str, ...]:
    """The models whose mean an ensemble is; a single model is its own only member.

    >>> members("lightgbm+theta")
    ('lightgbm', 'theta')
    """
    return tuple(model.split(JOIN))


def blended(model: str, forecasts: Mapping[str, FloatArray]) -> FloatArray:
    """The forecast of a model or ensemble from those of its members: their mean, NaN where one has none.

    Raises `ValueError` naming the member that is not in `forecasts`.
    """
    missing = [member for member in members(model) if member not in forecasts]
    if missing:
        raise ValueError(f"model {model!r} needs {missing}, which was not forecast: add it to the setting `models`")
    total = sum(forecasts[member] for member in members(model)[1:])
    return (forecasts[members(model)[0]] + total) / len(members(model))


@dataclass(frozen=True)
class Policy:
    """The champion of each demand class, why, and of single series where they have their own."""

    by_class: Mapping[str, str]
    reasons: Mapping[str, str]
    by_series: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def models_for(self, keys: pd.MultiIndex, classes: TextArray) -> TextArray:
        """The champion of each series, given its class at the origin; an unknown class gets seasonal naive."""
        chosen = np.array([self.by_class.get(name, SEASONAL_NAIVE) for name in classes], dtype=object)
        if self.by_series:
            own = [self.by_series.get(key, model) for key, model in zip(keys, chosen, strict=True)]
            chosen = np.array(own, dtype=object)
        return chosen


def choose_champions(backtests: Backtests, by: Literal["class", "series"] = "class") -> Policy:
    """Choose a champion for each demand class so that the whole forecast is good at every level.

    The loss of a whole forecast is its WAPE over seasonal naive's, averaged over the five levels, with a penalty
    where it is worse than seasonal naive at one of them; a quarter of the WAPE of the class's own series over
    seasonal naive's is added, and no class gets a model that is worse there. From the best single model for all,
    classes are changed one at a time to the candidate – model or mean of two or three of the class's best – that
    lowers the loss most, until none gains 0.2 %. With `by="series"` a series whose own best model has 10 % less
    absolute error than its class's champion gets that.

    Raises `ValueError` where `backtests` holds an origin that is not for selection.
    """
    if any(split != c.SELECTION for _, split in backtests.origins):
        raise ValueError("backtests holds evaluation origins: pass backtests.of_split('selection')")
    search = _Search(backtests)
    chosen = dict.fromkeys(search.class_names, search.best_single())
    reasons = dict.fromkeys(search.class_names, "")
    for _ in range(MOST_ROUNDS):
        before = dict(chosen)
        for name in search.class_names:
            chosen[name], reasons[name] = search.improved(chosen, name)
        if chosen == before:
            break
    by_series = search.series_champions(chosen) if by == "series" else {}
    return Policy(chosen, reasons, by_series)


class _Search:
    """The losses of choices of champions over the selection origins."""

    def __init__(self, backtests: Backtests) -> None:
        self.backtests = backtests
        self.levels = levels_of(backtests.panel)
        self.class_names = [str(name) for name in np.unique(backtests.classes.astype(str)) if name]
        self.actual = np.where(backtests.is_sold_out, 0.0, backtests.actual)
        self.forecasts = {model: _answered(backtests, values) for model, values in backtests.forecasts.items()}
        self.actuals = [level.total(self.actual) for level in self.levels]
        naive = self.forecasts[SEASONAL_NAIVE]
        self.naive_errors = [
            max(float(np.abs(actual - level.total(naive)).sum()), TINY)
            for level, actual in zip(self.levels, self.actuals, strict=True)
        ]
        self.candidates = {name: self._candidates(name) for name in self.class_names}

    def best_single(self) -> str:
        """The single model that answers for all classes and has the least loss for all of them."""
        whole = [model for model in self.forecasts if all(self._covers(model, name) for name in self.class_names)]
        return min(whole, key=lambda model: self._loss([level.total(self.forecasts[model]) for level in self.levels]))

    def improved(self, chosen: Mapping[str, str], name: str) -> tuple[str, str]:
        """The best champion of one class while the others stay, and the reason in words."""
        others = {other: model for other, model in chosen.items() if other != name}
        rest = [np.zeros_like(actual) for actual in self.actuals]
        for other, model in others.items():
            rest = [sums + part for sums, part in zip(rest, self._parts(other, model), strict=True)]
        losses = {
            model: self._loss([sums + part for sums, part in zip(rest, self._parts(name, model), strict=True)])
            + CLASS_WEIGHT * own_ratio
            for model, own_ratio in self.candidates[name].items()
        }
        best = min(losses, key=lambda model: (losses[model], model))
        if chosen[name] in losses and losses[best] > losses[chosen[name]] * (1 - LEAST_GAIN):
            best = chosen[name]
        origins = len(self.backtests.origins)
        own, whole = self.candidates[name][best], losses[best] - CLASS_WEIGHT * self.candidates[name][best]
        reason = (
            f"on {origins} selection origins its WAPE is {own:.3f} of seasonal naive's for {name} series, "
            f"and the whole forecast's {whole:.3f} over {len(self.levels)} levels; best of {len(losses)} candidates"
        )
        return best, reason

    def series_champions(self, chosen: Mapping[str, str]) -> dict[tuple[str, str], str]:
        """Single series whose own best model is much better than their class's champion over all their origins."""
        policy = Policy(chosen, {})
        keys, classes = self.backtests.panel.keys, self.backtests.classes
        champion = np.stack([self._of_policy(policy, place) for place in range(len(classes))])
        least = self._series_errors(champion) * (1 - LEAST_SERIES_GAIN)
        best: dict[tuple[str, str], str] = {}
        for model, forecast in self.forecasts.items():
            errors = self._series_errors(forecast)
            for row in np.flatnonzero(errors < least):
                best[keys[row]], least[row] = model, errors[row]
        return best

    def _of_policy(self, policy: Policy, place: int) -> FloatArray:
        models = policy.models_for(self.backtests.panel.keys, self.backtests.classes[place])
        return picked({model: values[place] for model, values in self.forecasts.items()}, models)

    def _series_errors(self, forecast: FloatArray) -> FloatArray:
        """Absolute error of each series over all its origins; NaN where the model did not always answer."""
        begun = ~np.isnan(self.actual)
        return np.where(begun, np.abs(forecast - np.nan_to_num(self.actual)), 0.0).sum(axis=(0, 2))

    def _covers(self, model: str, name: str) -> bool:
        return not bool(np.isnan(self.forecasts[model][self.backtests.classes == name]).any())

    def _candidates(self, name: str) -> dict[str, float]:
        """Models and means of the best few that answer for a class, with their error over seasonal naive's; up to 1."""
        mask = self.backtests.classes == name
        actual = self.actual[mask]
        of_class = {model: values[mask] for model, values in self.forecasts.items() if self._covers(model, name)}

        def error(model: str) -> float:
            return float(np.abs(blended(model, of_class) - actual).sum())

        best = sorted(of_class, key=lambda model: (error(model), model))[:MOST_ENSEMBLE_MEMBERS]
        sizes = range(2, LARGEST_ENSEMBLE + 1)
        blends = [JOIN.join(sorted(group)) for size in sizes for group in combinations(best, size)]
        naive = max(error(SEASONAL_NAIVE), TINY)
        return {model: error(model) / naive for model in [*of_class, *blends] if error(model) <= naive}

    def _parts(self, name: str, model: str) -> list[FloatArray]:
        """What a class adds to the sums of each level when a model speaks for it."""
        is_of_class = self.backtests.classes == name
        rows = np.flatnonzero(is_of_class.any(axis=0))
        forecasts = {member: self.forecasts[member][:, rows] for member in members(model)}
        forecast = np.where(is_of_class[:, rows, None], blended(model, forecasts), 0.0)
        return [level.of(rows).total(forecast) for level in self.levels]

    def _loss(self, sums: Sequence[FloatArray]) -> float:
        ratios = [
            float(np.abs(actual - forecast).sum()) / naive
            for actual, forecast, naive in zip(self.actuals, sums, self.naive_errors, strict=True)
        ]
        return float(np.mean(ratios)) + PENALTY * max(max(ratios) - 1.0, 0.0)


def _answered(backtests: Backtests, forecast: FloatArray) -> FloatArray:
    """A model's back-tests with the fallbacks that stand whatever the champion; NaN where it was not run.

    Where a day ended sold out, forecast and actual units both count 0.
    """
    answered = forecast.copy()
    for place, (origin, _) in enumerate(backtests.origins):
        rows = np.flatnonzero(~np.isnan(forecast[place]).all(axis=1))
        models = np.full(len(rows), "", dtype=object)
        history = backtests.panel.units[rows, :origin]
        answered[place, rows], _, _ = with_fallbacks(forecast[place, rows], models, history)
    return np.where(backtests.is_sold_out & ~np.isnan(answered), 0.0, answered)


def picked(forecasts: Mapping[str, FloatArray], models: TextArray) -> FloatArray:
    """For each series the forecast of its model or ensemble; `forecasts` are (series, horizon), NaN where none."""
    result = np.full(next(iter(forecasts.values())).shape, np.nan)
    for model in np.unique(models.astype(str)):
        rows = np.flatnonzero(models == model)
        result[rows] = blended(model, {member: forecasts[member][rows] for member in members(model)})
    return result


def champion_backtests(backtests: Backtests, policy: Policy) -> FloatArray:
    """What the champions would have said at each origin, fallbacks included: (origins, series, horizon).

    The class that decides is the one the series had at that origin. NaN where a series had not begun.
    """
    result = np.full(backtests.actual.shape, np.nan)
    for place, (origin, _) in enumerate(backtests.origins):
        rows = np.flatnonzero(backtests.classes[place] != "")
        models = policy.models_for(backtests.panel.keys[rows], backtests.classes[place, rows])
        forecast = picked({model: values[place, rows] for model, values in backtests.forecasts.items()}, models)
        result[place, rows], _, _ = with_fallbacks(forecast, models, backtests.panel.units[rows, :origin])
    return result


def champions_table(policy: Policy, panel: Panel, training_id: str) -> pd.DataFrame:
    """The champion of each series by its class on the last day of the panel: the rows of `ops.champions`."""
    classes = demand_classes(panel.units)
    models = policy.models_for(panel.keys, classes)
    default = "no series of this class was back-tested"
    own = "its own back-test error is far below that of its class's champion"
    reasons = [
        own if key in policy.by_series else policy.reasons.get(name, default)
        for key, name in zip(panel.keys, classes, strict=True)
    ]
    return pd.DataFrame(
        {
            c.TRAINING_ID: training_id,
            c.PRODUCT_ID: panel.keys.get_level_values(0),
            c.CHANNEL: panel.keys.get_level_values(1),
            c.DEMAND_CLASS: classes,
            c.MODEL: models,
            c.REASON: reasons,
        }
    )

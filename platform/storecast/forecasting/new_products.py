"""Products of zero to few days: attributes and earlier launches say what to expect, their own units ever more."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np

from storecast.forecasting import contracts as c
from storecast.forecasting.attribute_levels import AttributeLevels
from storecast.forecasting.base import GlobalForecaster
from storecast.forecasting.launch_calendar import (
    NEW_DAYS,
    YOUNG_DAYS,
    DayFactors,
    ages_of,
    launch_curve,
    on_curve,
)
from storecast.forecasting.launches import (
    Counts,
    attributes_of,
    by_age,
    elsewhere,
    first_price,
    launch_counts,
    launches_in,
    price_references,
    settled_counts,
    thinned,
)
from storecast.forecasting.panel import BoolArray, FloatArray, IntArray, Panel
from storecast.forecasting.shrinkage import count_places, count_quantiles, count_surprise, fitted_shape, posterior

FOLDS: Final = 5
FEWEST_LAUNCHES: Final = 20
"""With fewer launches to learn from, the settled series say how much products of equal attributes differ."""
STAGES: Final = (3, 7, 14)
DRIFTS: Final = np.array([0.0, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6])
"""Variances of a launch's later level over its first, relative to the mean's square, that are tried."""
SHARES: Final = np.linspace(0.0, 1.0, 11)
CALIBRATED: Final = (0.0, 0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995, 1.0)
"""Shares at which it is kept where totals of launches lay."""
CREDIBLE_LAUNCHES: Final = 200.0
"""So many launches weigh as much as the distribution that was assumed, in where totals lie."""
STORED: Final = ("references", "shapes", "settled_shape", "spread", "drift", "elsewhere_share", "places", "has_sold")


@dataclass(frozen=True, eq=False)
class Level:
    """Units a plain day of each series, its variance over the square, how much of it is not yet its own; its age."""

    per_day: FloatArray
    doubt: FloatArray
    prior_share: FloatArray
    is_young: BoolArray


class NewProductForecaster(GlobalForecaster):
    """Forecasts of products that are new: empirical Bayes over attributes, launches before and own units.

    Units on a day are level × weekday, event and promotion of the category × the curve of launches at that age. Before
    any unit is seen the level is a gamma, with the mean that attributes and price over the category's say
    (`attribute_levels`), and a gamma after (`shrinkage.posterior`): own units count the more, the more they are. A
    product that sells in other channels is expected to do as well as there, as far as launches before did. How much
    products of equal attributes differ is learned from launches whose product the regression had left out, so that
    intervals are as wide as the error.

    A series without any unit is forecast as if launched the day after the panel's last.

    Parameters
    ----------
    attributes : columns of the panel's statics that say what a product is; those it lacks are not used.
    settle_days : series that begin within so many days of the panel's first are not taken for launches.
    own_days : so many of the latest days of a series count as its own; more would tell of a level that has gone.
    deviation, launch_deviation : how far, in logs, attributes move the level, and launches differ in it.

    >>> import pandas as pd
    >>> from storecast.forecasting.new_products import NewProductForecaster
    >>> y = pd.Series([2.0, 4.0] * 14, index=pd.period_range("2025-01-01", periods=28))
    >>> NewProductForecaster().fit(y).predict(fh=[1, 2]).round(1).tolist()
    [3.0, 3.0]
    """

    test_params: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"settle_days": 5, "own_days": 14})

    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}

    def __init__(
        self,
        attributes: Sequence[str] = (c.CATEGORY, c.CHANNEL, c.SELLER_ID),
        settle_days: int = 28,
        own_days: int = 28,
        deviation: float = 1.0,
        launch_deviation: float = 0.3,
    ) -> None:
        self.attributes = attributes
        self.settle_days = settle_days
        self.own_days = own_days
        self.deviation = deviation
        self.launch_deviation = launch_deviation
        super().__init__()

    # ------------------------------------------------------------------ learning
    def _learn_panel(self, panel: Panel) -> None:
        self.factors_ = DayFactors.of(panel)
        self.references_ = price_references(panel)
        factors = self.factors_.on_days(panel, 0, panel.days)
        rows = launches_in(panel, self.settle_days)
        first = panel.first_day[rows]
        units, days = by_age(panel.units[rows], first, YOUNG_DAYS), by_age(factors[rows], first, YOUNG_DAYS)
        self.curve_ = launch_curve(units, days)
        self.shapes_, self.spread_, self.drift_, self.elsewhere_share_ = (1.0, 1.0), 1.0, 0.0, 0.0
        self.places_, self.has_sold_ = list(CALIBRATED), bool(np.nansum(panel.units) > 0)
        launches = launch_counts(panel, rows, factors, self.curve_, self.attributes, self.references_)
        settled = settled_counts(panel, rows, factors, self.attributes, self.references_)
        ages = np.tile(np.arange(NEW_DAYS), (len(rows), 1))
        units, shaped = units[:, :NEW_DAYS], days[:, :NEW_DAYS] * on_curve(self.curve_, ages, ages[:, 0] == 0)
        is_whole = ~np.isnan(units).any(axis=1) & (launches.units > 0)
        knows_launches = is_whole.sum() >= FEWEST_LAUNCHES
        if knows_launches:
            self.spread_ = spread_of(units[is_whole], shaped[is_whole])
        expected = self._learn_levels(panel, launches, settled)
        if knows_launches:
            said, prior = expected[is_whole], (expected / np.maximum(launches.exposure, 1.0))[is_whole]
            variance = self.spread_ * said + said**2 / self.shapes_[0]
            places = np.quantile(count_places(launches.units[is_whole], said, variance), CALIBRATED)
            credible = is_whole.sum() / (is_whole.sum() + CREDIBLE_LAUNCHES)
            moved = np.array(CALIBRATED) + credible * (places - np.array(CALIBRATED))
            self.places_ = [0.0, *moved[1:-1].tolist(), 1.0]
            self._learn_drift(prior, units[is_whole], shaped[is_whole])

    def _learn_levels(self, panel: Panel, launches: Counts, settled: Counts) -> FloatArray:
        """The regression, and how far launches are from it; what it says without their product."""
        some = thinned(settled)
        self.levels_ = self._levels(some.followed_by(launches), 1.0)
        basis = launches if len(launches.rows) >= FEWEST_LAUNCHES else some.followed_by(launches)
        shape = self._shape(basis.units, self.levels_.per_day(basis.attributes) * basis.exposure)
        self.levels_ = self._levels(some.followed_by(launches), shape)
        self.settled_shape_ = self._shape(some.units, self.levels_.per_day(some.attributes) * some.exposure)
        fold = fold_of(panel, basis.rows)
        outside = np.zeros(len(basis.rows))
        for number in range(FOLDS):
            own = fold == number
            if own.any():
                rest = some.take(fold_of(panel, some.rows) != number).followed_by(
                    launches.take(fold_of(panel, launches.rows) != number)
                )
                outside[own] = self._levels(rest, shape).per_day(basis.attributes.take(own)) * basis.exposure[own]
        return self._learn_elsewhere(panel, basis, outside, settled)

    def _learn_elsewhere(self, panel: Panel, basis: Counts, outside: FloatArray, settled: Counts) -> FloatArray:
        """How much of what a product does elsewhere it does in a new channel too, and the shapes without and with.

        Returns the units expected, `outside` moved by that.
        """
        expected = self.levels_.per_day(settled.attributes) * settled.exposure
        ids = panel.keys.get_level_values(0)
        ratio = elsewhere(ids[basis.rows], ids[settled.rows], settled.units, expected, self.settled_shape_)
        known = ~np.isnan(ratio) & basis.attributes.is_launch
        alone = self._shape(basis.units, outside)
        self.shapes_ = (alone, alone)
        if known.sum() < FEWEST_LAUNCHES:
            return outside
        tries = [outside[known] * ratio[known] ** share for share in SHARES]
        best = int(np.argmin([np.abs(said - basis.units[known]).sum() for said in tries]))
        self.elsewhere_share_ = float(SHARES[best])
        self.shapes_ = (alone, self._shape(basis.units[known], tries[best]))
        return outside * np.where(known, np.nan_to_num(ratio, nan=1.0), 1.0) ** self.elsewhere_share_

    def _learn_drift(self, prior: FloatArray, units: FloatArray, shaped: FloatArray) -> None:
        """How far a launch's level drifts from that of its first days; arrays are (launches, first days)."""
        losses = np.zeros(len(DRIFTS))
        for seen in STAGES:
            before = np.full(len(prior), self.shapes_[0])
            rate, shape = self._updated(prior, before, units[:, :seen], shaped[:, :seen])
            rest, total = units[:, seen:].sum(axis=1), rate * shaped[:, seen:].sum(axis=1)
            for place, drift in enumerate(DRIFTS):
                losses[place] += count_surprise(
                    rest, total, self.spread_ * total + total**2 * _doubt(before, shape, drift)
                )
        self.drift_ = float(DRIFTS[int(np.argmin(losses))])

    def _shape(self, units: FloatArray, expected: FloatArray) -> float:
        """The gamma's shape behind units that come in clumps of the spread."""
        return fitted_shape(units / self.spread_, expected / self.spread_)

    def _levels(self, counts: Counts, shape: float) -> AttributeLevels:
        return AttributeLevels.fit(
            counts.attributes,
            counts.units,
            counts.exposure,
            shape=shape,
            deviation=self.deviation,
            launch_deviation=self.launch_deviation,
        )

    # ------------------------------------------------------------------ forecasting
    def _updated(
        self, prior: FloatArray, shape: FloatArray, units: FloatArray, exposure: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Level and shape after own days, (series, days) each; clumped units are that much less evidence."""
        seen = ~np.isnan(units)
        counted = np.where(seen, units, 0.0).sum(axis=1) / self.spread_
        return posterior(prior, shape, counted, np.where(seen, exposure, 0.0).sum(axis=1) / self.spread_)

    def level_of(self, panel: Panel) -> Level:
        """The level of each series after its own units."""
        age = (~np.isnan(panel.units)).sum(axis=1)
        is_young = age < YOUNG_DAYS
        first = panel.days - age
        known = attributes_of(panel, self.attributes, self.references_, first_price(panel, first), is_young)
        prior = self.levels_.per_day(known)
        start = max(panel.days - self.own_days, 0)
        exposure = self._exposure(panel, start, panel.days - start, is_young)
        ratio = self._elsewhere(panel, is_young)
        has_others = ~np.isnan(ratio)
        prior = prior * np.where(has_others, np.nan_to_num(ratio, nan=1.0), 1.0) ** self.elsewhere_share_
        shape = np.where(is_young, np.where(has_others, self.shapes_[1], self.shapes_[0]), self.settled_shape_)
        level, after = self._updated(prior, shape, panel.units[:, start:], exposure)
        level *= self.has_sold_  # where nothing ever sold, nothing will
        return Level(level, _doubt(shape, after, self.drift_), shape / after, is_young)

    def _elsewhere(self, panel: Panel, is_young: BoolArray) -> FloatArray:
        """What each young series' product does in its settled channels, over what attributes say."""
        rows = np.flatnonzero(~is_young)
        ratio = np.full(len(is_young), np.nan)
        if len(rows) and self.elsewhere_share_:
            own = panel.take(rows)
            none = np.zeros(0, np.int64)
            factors = self.factors_.on_days(own, 0, own.days)
            settled = settled_counts(own, none, factors, self.attributes, self.references_)
            expected = self.levels_.per_day(settled.attributes) * settled.exposure
            ids = panel.keys.get_level_values(0)
            found = elsewhere(ids, ids[rows], settled.units, expected, self.settled_shape_)
            ratio[is_young] = found[is_young]
        return ratio

    def _exposure(self, panel: Panel, start: int, days: int, is_young: BoolArray) -> FloatArray:
        ages = ages_of(panel, start, days)
        return self.factors_.on_days(panel, start, days) * on_curve(self.curve_, ages, is_young)

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        return self._days(panel, self.level_of(panel), horizon)

    def _forecast_panel_quantiles(self, panel: Panel, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        level = self.level_of(panel)
        mean = self._days(panel, level, horizon)
        return count_quantiles(mean, self.spread_ * mean + mean**2 * level.doubt[:, None], alphas)

    def predict_total_quantiles(self, horizon: int, alphas: tuple[float, ...]) -> FloatArray:
        """Quantiles of each series' units over the horizon, (series, alphas): what a first order has to cover.

        Before own units they lie where those of launches lay that were left out; the more own units, the less so.
        """
        level = self.level_of(self.panel_)
        mean = self._days(self.panel_, level, horizon).sum(axis=1)
        shift = np.interp(alphas, CALIBRATED, self.places_) - np.array(alphas)
        moved = np.array(alphas) + np.where(level.is_young, level.prior_share, 0.0)[:, None] * shift
        return count_quantiles(mean, self.spread_ * mean + mean**2 * level.doubt, moved)

    def _days(self, panel: Panel, level: Level, horizon: int) -> FloatArray:
        return level.per_day[:, None] * self._exposure(panel, panel.days, horizon, level.is_young)

    # ------------------------------------------------------------------ storing
    def to_payload(self) -> str:
        """The fitted model as JSON: effects by name, factors, the curve and the shapes."""
        model = {
            "parameters": {**self.get_params(), "attributes": list(self.attributes)},
            "weekdays": dict(self.factors_.weekdays),
            "events": dict(self.factors_.events),
            "promotions": dict(self.factors_.promotions),
            "effects": list(self.levels_.effects),
            "values": dict(self.levels_.values),
            "curve": self.curve_.tolist(),
            **{name: getattr(self, f"{name}_") for name in STORED},
        }
        return json.dumps(model, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_payload(cls, payload: str) -> Self:
        """The forecaster that `to_payload` wrote; it predicts for the panel given to `with_panel`."""
        model = json.loads(payload)
        forecaster = cls(**{**model["parameters"], "attributes": tuple(model["parameters"]["attributes"])})
        forecaster.factors_ = DayFactors(model["weekdays"], model["events"], model["promotions"])
        forecaster.levels_ = AttributeLevels(tuple(model["effects"]), model["values"])
        forecaster.curve_ = np.array(model["curve"])
        for name in STORED:
            setattr(forecaster, f"{name}_", model[name])
        return forecaster


def fold_of(panel: Panel, rows: IntArray) -> IntArray:
    """The fold of each of some series; all series of a product are in one."""
    return np.asarray(panel.keys.codes[0])[rows].astype(np.int64) % FOLDS


def spread_of(units: FloatArray, shaped: FloatArray) -> float:
    """Variance of daily units over their mean, around each series' own level; at least a Poisson's 1.

    >>> spread_of(np.array([[0.0, 4.0, 0.0, 4.0]]), np.ones((1, 4)))
    2.6666666666666665
    """
    level = units.sum(axis=1) / shaped.sum(axis=1)
    mean = level[:, None] * shaped
    freedom = units.shape[1] / (units.shape[1] - 1)
    return max(1.0, float((freedom * (units - mean) ** 2).sum() / mean.sum()))


def _doubt(before: FloatArray, after: FloatArray, drift: float) -> FloatArray:
    """A level's variance over its square: the gamma's, and of what own units say its drift since.

    Before any unit the shape holds the drift already: it was fitted on whole first weeks.
    """
    return 1 / after + drift * (1 - before / after)

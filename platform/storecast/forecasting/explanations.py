"""Each forecast as a sum: level, season, price, promotion, event and reconciliation, equal to the published number.

The part of a driver is what the same fitted champion says more with it than without it on the days ahead: without means
no event, no promotion (nor its discount), the usual price. Where several of them differ from that, what they do
together is shared out by Shapley's value (1953, "A value for n-person games"; for forecasts Lundberg and Lee 2017): the
mean over all orders in which they may be taken away, so none goes first and the parts add up. Only series on which a
driver differs are asked again, and only models that read drivers. A recursive model carries what a driver did into
later days: that is the driver's too.

What stays is the forecast without drivers: its level, the mean over the whole weeks ahead, and its season, the rest.
What replaced a champion, a fallback, is explained as what it is: a level and a season. Reconciliation is what was
published less that. Not told apart, since no plan for the days ahead changes it: what the drivers of the past left in
a model's lags, and the factors a boosted model keeps for a group's calendar.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from typing import Final, Self

import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.fallbacks import with_fallbacks
from storecast.forecasting.forecast import ChampionForecasts, members_of, rows_with
from storecast.forecasting.panel import EVENT_CODE, BoolArray, FloatArray, IntArray, Panel
from storecast.forecasting.registry import REGISTRY
from storecast.forecasting.selection import members

LEVEL, SEASON, PRICE, PROMOTION, EVENT, RECONCILIATION = c.PARTS
DRIVER_PARTS: Final = (PRICE, PROMOTION, EVENT)
WEEK: Final = 7
PRICE_DAYS: Final = 91
"""A usual price is looked for in so many of the latest days."""
ROUNDING: Final = 0.005
"""Share of the usual price below which a price is it: a discount rounded to cents and taken off again misses it so."""

Ask = Callable[[Panel, int], FloatArray]
"""A fitted model: from a panel with drivers and a horizon to mean units, (series, horizon)."""


def readers_of(
    said: ChampionForecasts, payloads: Mapping[str, str], *, seed: int = 0, n_jobs: int = 1
) -> dict[str, Ask]:
    """The models that read drivers among the champions' members, by name; `payloads` has the global ones as text."""
    names = [name for name in members_of(said.models) if REGISTRY[name].reads_drivers]
    return {name: _ask(name, payloads, seed, n_jobs) for name in names}


def _ask(name: str, payloads: Mapping[str, str], seed: int, n_jobs: int) -> Ask:
    spec = REGISTRY[name]
    if spec.load is not None:
        forecaster = spec.load(payloads[name])
        return lambda panel, horizon: forecaster.with_panel(panel).predict_panel(horizon)
    return lambda panel, horizon: spec.forecaster(seed, n_jobs, horizon).fit_panel(panel).predict_panel(horizon)


def explain(said: ChampionForecasts, published: FloatArray, readers: Mapping[str, Ask]) -> dict[str, FloatArray]:
    """The parts of published means, (series, horizon), by the names in `contracts.PARTS`: they add up to them.

    `readers` are the models that read drivers, among the members of the champions; a driver's part is 0 for all others.
    """
    own, _, reasons = with_fallbacks(said.mean, said.models, said.panel.units)
    asked = np.where(reasons == None, said.models, "")  # noqa: E711  (element-wise)
    weights = np.array([1 / len(members(model)) for model in asked])[:, None]
    parts = {driver: np.zeros_like(own) for driver in DRIVER_PARTS}
    for name, ask in readers.items():
        rows = rows_with(name, asked)
        effects = driver_effects(ask, said.panel.take(rows), said.of_members[name][rows])
        for driver, effect in effects.items():
            parts[driver][rows] += weights[rows] * effect
    neutral = own - sum(parts.values())
    level = whole_week_means(neutral)
    return {LEVEL: level, SEASON: neutral - level, **parts, RECONCILIATION: published - own}


def explain_forecasts(said: ChampionForecasts, forecasts: pd.DataFrame, readers: Mapping[str, Ask]) -> pd.DataFrame:
    """Explain the rows of `gold.demand_forecasts` made of what champions said: rows of `gold.forecast_explanations`.

    Raises `ValueError` where the forecasts are not those of the panel's series, in its order.
    """
    horizon = said.mean.shape[1]
    of_series = forecasts.iloc[::horizon] if len(forecasts) else forecasts
    keys = pd.MultiIndex.from_frame(of_series[[c.PRODUCT_ID, c.CHANNEL]])
    if len(forecasts) != said.mean.size or not keys.equals(said.panel.keys):
        raise ValueError(
            f"forecasts has {len(forecasts)} rows that are not the {horizon} days of the {len(said.panel.keys)} series "
            "that the champions spoke of: pass what `published_forecasts` made of them"
        )
    published = forecasts[c.MEAN_UNITS].to_numpy(np.float64).reshape(said.mean.shape)
    parts = {name: part.ravel() for name, part in explain(said, published, readers).items()}
    return forecasts.assign(**parts)[list(c.ForecastExplanations.to_schema().columns)]


def driver_effects(ask: Ask, panel: Panel, said: FloatArray) -> dict[str, FloatArray]:
    """What each driver adds to what a model said of a panel, (series, horizon); exactly 0 where none differs."""
    plan = Plan.of(panel)
    differs = {driver: plan.differs(driver).any(axis=1) for driver in DRIVER_PARTS}
    without: dict[frozenset[str], FloatArray] = {frozenset(): said}
    for number in range(1, len(DRIVER_PARTS) + 1):
        for removed in map(frozenset, combinations(DRIVER_PARTS, number)):
            values = said.copy()
            for driver in removed:  # where one of them is neutral anyway, the others alone are taken away
                is_neutral = ~differs[driver]
                values[is_neutral] = without[removed - {driver}][is_neutral]
            rows = np.flatnonzero(np.all([differs[driver] for driver in removed], axis=0))
            if len(rows):
                values[rows] = ask(plan.without(removed, rows), said.shape[1])
            without[removed] = values
    return shapley_values(without)


def shapley_values(without: Mapping[frozenset[str], FloatArray]) -> dict[str, FloatArray]:
    """Each driver's mean change over all orders in which they are taken away, by what is left without any set of them.

    >>> from storecast.forecasting.explanations import shapley_values
    >>> without = {frozenset(): 4.0, frozenset("a"): 2.0, frozenset("b"): 2.0, frozenset("ab"): 1.0}  # each doubles
    >>> shapley_values({removed: np.array(value) for removed, value in without.items()})
    {'a': np.float64(1.5), 'b': np.float64(1.5)}
    """
    drivers = sorted(frozenset().union(*without))
    effects = {}
    for driver in drivers:
        changes = [
            (without[removed] - without[removed | {driver}]) / (len(drivers) * comb(len(drivers) - 1, len(removed)))
            for removed in without
            if driver not in removed
        ]
        effects[driver] = np.sum(changes, axis=0)
    return effects


def whole_week_means(values: FloatArray) -> FloatArray:
    """Each row's mean over its whole weeks, or over all days where they are fewer than one, on every day.

    >>> whole_week_means(np.array([[1.0, 2, 3, 4, 5, 6, 7, 99]]))[0, :2]
    array([4., 4.])
    """
    days = values.shape[1] // WEEK * WEEK or values.shape[1]
    return np.repeat(values[:, :days].mean(axis=1, keepdims=True), values.shape[1], axis=1)


def usual_prices(panel: Panel) -> FloatArray:
    """Each series' usual price, (series,): the lower median of its latest 91 days' prices; NaN where none is known.

    Days without promotion decide; where there are none, those with one, their discount taken off.
    """
    latest = slice(max(panel.days - PRICE_DAYS, 0), panel.days)
    price, share, is_promoted = (values[:, latest] for values in _prices_of(panel))
    undiscounted = np.where(is_promoted, np.nan, price)
    is_always = np.isnan(undiscounted).all(axis=1)
    undiscounted[is_always] = (price / (1 - share))[is_always]
    ordered = np.sort(undiscounted, axis=1)  # unknown ones last
    middle = np.maximum((~np.isnan(ordered)).sum(axis=1) - 1, 0) // 2
    return np.asarray(np.take_along_axis(ordered, middle[:, None], axis=1)[:, 0])


def _prices_of(panel: Panel) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Prices, discounts (below 1) and whether there is a promotion, of days known and ahead, (series, days)."""
    nothing = np.zeros((len(panel.keys), panel.days + panel.future_days))
    share = np.nan_to_num(panel.drivers.get(c.DISCOUNT_SHARE, nothing))
    flag = np.nan_to_num(panel.drivers.get(c.IS_ON_PROMOTION, nothing))
    price = panel.drivers.get(c.UNIT_PRICE, np.full_like(nothing, np.nan))
    return price, np.where(share < 1, share, 0.0), (flag > 0) | (share > 0)


@dataclass(frozen=True, eq=False)
class Plan:
    """The days ahead of a panel as planned, and what each driver would be if it were neutral, (series, horizon).

    `share` is the discount, `regular` the price without it: exactly the usual one where rounding alone is between.
    """

    panel: Panel
    usual: FloatArray
    regular: FloatArray
    share: FloatArray
    is_promoted: BoolArray

    @classmethod
    def of(cls, panel: Panel) -> Self:
        """The plan of a panel whose drivers end with the days ahead."""
        prices, shares, promotions = _prices_of(panel)
        price, share = prices[:, panel.days :], shares[:, panel.days :]
        usual = usual_prices(panel)[:, None]
        regular = price / (1 - share)
        regular = np.where(np.abs(regular - usual) <= ROUNDING * usual, usual, regular)
        return cls(panel, usual, regular, share, promotions[:, panel.days :])

    @property
    def _has_other_price(self) -> BoolArray:
        return np.isfinite(self.regular) & np.isfinite(self.usual) & (self.regular != self.usual)

    def differs(self, driver: str) -> BoolArray:
        """On which days ahead a driver is not neutral, (series, horizon)."""
        if driver == PRICE:
            return self._has_other_price
        if driver == PROMOTION:
            return self.is_promoted
        return np.asarray(_ahead(self.panel, c.HAS_EVENT, 0.0) > 0) | (_ahead(self.panel, EVENT_CODE, -1.0) >= 0)

    def without(self, removed: frozenset[str], rows: IntArray) -> Panel:
        """The panel of some series with those drivers neutral on the days ahead."""
        own = self.panel.take(rows)
        changes = self._price_changes(removed, rows)
        if EVENT in removed:
            blank = np.zeros((len(rows), self.is_promoted.shape[1]))
            changes |= {c.HAS_EVENT: blank, EVENT_CODE: blank - 1.0}
        history = slice(0, own.days)
        changed = {
            name: np.hstack([driver[:, history], changes[name]])
            for name, driver in own.drivers.items()
            if name in changes
        }
        return replace(own, drivers={**own.drivers, **changed})

    def _price_changes(self, removed: frozenset[str], rows: IntArray) -> dict[str, FloatArray]:
        """Price, discount and promotion ahead without those drivers; a price that is set is a planned one."""
        if not removed & {PRICE, PROMOTION}:
            return {}
        price, flag, planned = (
            _ahead(self.panel, name, 0.0)[rows] for name in (c.UNIT_PRICE, c.IS_ON_PROMOTION, c.IS_PRICE_PLANNED)
        )
        share = self.share[rows]
        is_set = np.zeros(price.shape, np.bool_)
        if PROMOTION in removed:
            is_set |= self.is_promoted[rows]
            price, share, flag = np.where(is_set, self.regular[rows], price), np.zeros_like(share), np.zeros_like(flag)
        if PRICE in removed:
            is_other = self._has_other_price[rows]
            price = np.where(is_other, self.usual[rows] * (1 - share), price)
            is_set |= is_other
        planned = np.where(is_set, 1.0, planned)
        return {c.UNIT_PRICE: price, c.DISCOUNT_SHARE: share, c.IS_ON_PROMOTION: flag, c.IS_PRICE_PLANNED: planned}


def _ahead(panel: Panel, name: str, blank: float) -> FloatArray:
    """A driver on the days ahead, (series, horizon); `blank` where the panel has no such driver."""
    shape = (len(panel.keys), panel.future_days)
    return panel.drivers[name][:, panel.days :] if name in panel.drivers else np.full(shape, blank)

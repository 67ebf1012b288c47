"""Demand behind sales that ran out of stock, or were not recorded: estimated day by day, from the days before alone.

On a day that ended without stock, sales s say no more than that demand was at least s. Such a day is replaced by its
conditional mean E[D | D >= s] (Conrad 1976; Nahmias 1994), D negative binomial with the mean expected of that day: the
series' recent level × its product's weekday × the price's effect. A day without any sale is E[D]: it says nothing, but
a day that sold out says that demand was high, and the level learns from its conditional mean as from a count. A day of
which nothing was recorded is E[D] too, however long that lasts.

- Level: the discounted gamma–Poisson filter of Harvey and Fernandes (1989), for several memories at once, weighed by
  how well each foresaw the days so far (dynamic model averaging, Raftery, Kárný and Ettler 2010).
- Weekday, price elasticity and dispersion are the product's, over all its channels, and begin at a prior.

A day's estimate reads nothing of later days: one pass serves all origins of a back-test, and what was published stays.
It reads nothing of other products either: a product alone gets the same numbers.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from scipy.special import betainc, betaln

from storecast.forecasting import contracts as c
from storecast.forecasting.panel import BoolArray, FloatArray, IntArray, Panel

WEEK: Final = 7
LONGEST_STOCK_OUT_DAYS: Final = 56
"""A series sold out for longer is taken as no longer on offer: from then on no sale is no demand."""
HALF_LIVES_DAYS: Final = (3.5, 7.0, 14.0, 28.0, 56.0)
FORGETTING: Final = 0.99
"""The weight of a day's evidence for a memory falls by this factor a day, as Raftery, Kárný and Ettler chose it."""
PRIOR_UNITS: Final = 10.0
"""What the prior of a product's weekdays and dispersion is worth, in units sold: a spread of 1 / √10, a third."""
PRIOR_DISPERSION: Final = 0.2
LEAST_DISPERSION: Final = 1e-3
PRIOR_ELASTICITY: Final = -2.62
PRIOR_ELASTICITY_SPREAD: Final = 2.21
"""Mean and standard deviation of 1,851 price elasticities (Bijmolt, van Heerde and Pieters 2005)."""
LOWEST_ELASTICITY: Final = -8.0
LARGEST_LOG_EFFECT: Final = 3.0
PRICE_HALF_LIFE_DAYS: Final = 56.0
TINY: Final = 1e-9


def unconstrained(panel: Panel) -> Panel:
    """The panel with demand in place of the sales of sold-out and unrecorded days; the same panel where there are none.

    No day is below its sales, and other days are as they were. The channels of a product share one stock as long as
    they are always sold out together: then the day's total is what demand was at least, and what was lost is shared out
    as the channels' means are. Otherwise each series has a stock of its own.
    """
    if panel.is_unconstrained or panel.is_in_stock is None:
        return panel
    return panel.mapped(_unconstrained)


def _unconstrained(panel: Panel) -> Panel:
    is_sold_out = panel.is_sold_out
    if not is_sold_out.any():
        return panel
    product = _products(panel)
    is_affected = np.bincount(product, is_sold_out.any(axis=1)) > 0
    rows = np.flatnonzero(is_affected[product])
    units = panel.units.copy()
    units[rows] = _demand(panel, rows, product[rows], is_sold_out[rows])
    return replace(panel, units=units, is_unconstrained=True)


def truncated_mean(mean: FloatArray, dispersion: FloatArray, least: FloatArray) -> FloatArray:
    """E[D | D >= least] of a negative binomial D with variance mean + dispersion × mean².

    From (d + 1) p(d + 1) = (1 - q)(1 / dispersion + d) p(d), summed over d >= least: mean + least × p(least) / (q ×
    P(D >= least)) with q = 1 / (1 + dispersion × mean). Where that probability is too small for a float, the tail is
    taken as geometric from there. Arguments are arrays of one shape, mean and dispersion positive.

    >>> truncated_mean(np.array([1.0]), np.array([1e-6]), np.array([1.0])).round(4)  # Poisson: 1 / (1 - exp(-1))
    array([1.582])
    """
    size = 1 / dispersion
    stop = size / (size + mean)
    positive = np.maximum(least, TINY)
    log_failures = np.log(mean / (size + mean))
    beyond = betainc(positive, size, 1 - stop)
    at_least = np.exp(size * np.log(stop) + positive * log_failures - betaln(positive, size))
    ratio = (least + size) / (least + 1) * (1 - stop)
    tail = least + ratio / np.maximum(1 - ratio, TINY)
    usual = mean + at_least / (stop * np.maximum(beyond, np.finfo(np.float64).tiny))
    result = np.where(least <= 0, mean, np.where(beyond > np.sqrt(np.finfo(np.float64).tiny), usual, tail))
    return np.maximum(result, least)


def _products(panel: Panel) -> IntArray:
    """The number of each series' product; without product ids each series is its own."""
    if c.PRODUCT_ID not in panel.statics:
        return np.arange(len(panel.keys))
    return pd.factorize(panel.statics[c.PRODUCT_ID])[0].astype(np.int64)


def _demand(panel: Panel, rows: IntArray, product: IntArray, is_sold_out: BoolArray) -> FloatArray:
    """The units of some rows of a panel with sold-out days replaced."""
    units = panel.units[rows]
    price = panel.drivers.get(c.UNIT_PRICE)
    log_price = np.full(units.shape, np.nan) if price is None else _log(price[rows, : panel.days])
    expectation = _Expectation(np.unique(product, return_inverse=True)[1])
    run = np.zeros(len(rows))
    for day in range(panel.days):
        is_live = ~np.isnan(units[:, day])
        is_unrecorded = is_sold_out[:, day] & ~is_live
        run = np.where(is_unrecorded, run, np.where(is_sold_out[:, day], run + 1, 0))
        mean = expectation.of_day(day, log_price[:, day])
        units[is_unrecorded, day] = mean[is_unrecorded]
        mean = mean * is_live
        is_censored = is_live & is_sold_out[:, day] & (run <= LONGEST_STOCK_OUT_DAYS)
        expectation.note_stocks(is_live, is_live & is_sold_out[:, day])
        demand, is_missing = expectation.given_sales(mean, np.nan_to_num(units[:, day]), is_censored)
        units[is_live, day] = demand[is_live]
        expectation.learn(day, mean, demand, is_live & ~is_missing, is_live & ~is_censored)
    return units


def _log(price: FloatArray) -> FloatArray:
    return np.log(np.where(price > 0, price, np.nan))


class _Expectation:
    """What is expected of each series' next day, learned day by day; `product` numbers the products of the series."""

    def __init__(self, product: IntArray) -> None:
        series, products, memories = len(product), int(product.max(initial=-1)) + 1, len(HALF_LIVES_DAYS)
        self._product, self._products = product, products
        self._discount = 0.5 ** (1 / np.array(HALF_LIVES_DAYS))[:, None]
        self._sold, self._exposed = np.zeros((memories, series)), np.ones((memories, series))
        self._score = np.zeros((memories, series))
        self._weekday_units = np.full((products, WEEK), PRIOR_UNITS)
        self._weekday_expected = np.full((products, WEEK), PRIOR_UNITS)
        self._elasticity = np.full(products, PRIOR_ELASTICITY)
        self._precision = np.full(products, PRIOR_ELASTICITY_SPREAD**-2)
        self._excess = np.full(products, PRIOR_DISPERSION * PRIOR_UNITS)
        self._squares = np.full(products, PRIOR_UNITS)
        self._usual_log_price = np.full(series, np.nan)
        self._owner = product

    def of_day(self, day: int, log_price: FloatArray) -> FloatArray:
        """The mean demand of each series, (series,), 0 where nothing is known yet."""
        self._weekday = (self._weekday_units / self._weekday_expected)[:, day % WEEK]
        usual = np.where(np.isnan(self._usual_log_price), log_price, self._usual_log_price)
        self._log_ratio = np.nan_to_num(log_price - usual)
        fade = 0.5 ** (1 / PRICE_HALF_LIFE_DAYS)
        self._usual_log_price = np.where(np.isnan(log_price), usual, fade * usual + (1 - fade) * log_price)
        effect = self._elasticity[self._product] * self._log_ratio
        self._factor = self._weekday[self._product] * np.exp(np.clip(effect, -LARGEST_LOG_EFFECT, LARGEST_LOG_EFFECT))
        self._levels = self._sold / self._exposed
        weights = np.exp(self._score - self._score.max(axis=0))
        return (weights * self._levels).sum(axis=0) / weights.sum(axis=0) * self._factor

    def note_stocks(self, is_live: BoolArray, is_sold_out: BoolArray) -> None:
        """Part the series of a product for good once some are sold out and others are not."""
        out, live = (np.bincount(self._owner, flags) for flags in (is_sold_out, is_live))
        is_parted = ((out > 0) & (out < live))[self._owner]
        own = self._products + np.arange(len(self._product))
        self._owner = np.where(is_parted, own, self._owner)

    def given_sales(self, mean: FloatArray, units: FloatArray, is_censored: BoolArray) -> tuple[FloatArray, BoolArray]:
        """Demand of each series given its sales, and where the sales say nothing of it."""
        if not is_censored.any():
            return units, is_censored
        dispersion = self._dispersion()
        owner, owners = self._owner[is_censored], self._products + len(units)
        sold, expected, excess = (
            np.bincount(owner, values[is_censored], minlength=owners).astype(np.float64)
            for values in (units, mean, dispersion * mean**2)
        )
        known = np.flatnonzero(expected > TINY)
        total = sold.copy()
        total[known] = truncated_mean(expected[known], excess[known] / expected[known] ** 2, sold[known])
        share = mean / np.maximum(expected[self._owner], TINY)
        demand = np.where(is_censored, units + (total - sold)[self._owner] * share, units)
        return demand, is_censored & (sold[self._owner] == 0)

    def learn(self, day: int, mean: FloatArray, demand: FloatArray, is_told: BoolArray, is_counted: BoolArray) -> None:
        """Take in a day: `is_told` where `demand` says something of the level, `is_counted` where it is a count."""
        dispersion = self._dispersion()
        weight = np.where(is_told & (mean > 0), 1 / (1 + dispersion * mean), 0.0)
        self._weekday_units[:, day % WEEK] += self._sum(weight * demand)
        self._weekday_expected[:, day % WEEK] += self._sum(weight * mean) / self._weekday
        self._precision += self._sum(weight * mean * self._log_ratio**2)
        step = self._sum(weight * (demand - mean) * self._log_ratio) / self._precision
        self._elasticity = np.clip(self._elasticity + step, LOWEST_ELASTICITY, 0.0)
        over = is_counted / np.maximum(mean, 1.0)
        self._excess += self._sum(over * ((demand - mean) ** 2 - mean) * (mean > 0))
        self._squares += self._sum(over * mean**2)
        means = np.maximum(self._levels * self._factor, TINY)
        odds = dispersion * means
        likelihood = demand * np.log(odds / (1 + odds)) - np.log1p(odds) / dispersion
        self._score = np.where(is_told, FORGETTING * self._score + likelihood, self._score)
        has_begun = is_told | (self._sold > 0).any(axis=0)
        discount = np.where(has_begun, self._discount, 1.0)
        self._sold = discount * self._sold + np.where(is_told, demand, 0.0)
        self._exposed = discount * self._exposed + np.where(is_told, self._factor, 0.0)

    def _dispersion(self) -> FloatArray:
        return np.maximum(self._excess / self._squares, LEAST_DISPERSION)[self._product]

    def _sum(self, values: FloatArray) -> FloatArray:
        """Sums over the series of each product."""
        return np.bincount(self._product, values, minlength=self._products).astype(np.float64)

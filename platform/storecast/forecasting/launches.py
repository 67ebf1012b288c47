"""The launches within a panel, and what is known of any series beforehand: attributes, price, the product elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.attribute_levels import LARGEST_PRICE_LOG, Attributes
from storecast.forecasting.launch_calendar import NEW_DAYS, YOUNG_DAYS, categories_of, on_curve
from storecast.forecasting.panel import BoolArray, FloatArray, IntArray, Panel, last_known
from storecast.forecasting.shrinkage import credible_ratio

LOG_PRICE: Final = "log_price"
ALL: Final = "all"
SETTLED_DAYS: Final = 56
MOST_SETTLED: Final = 5000


@dataclass(frozen=True, eq=False)
class Counts:
    """Units and exposure of some series, in plain days, with what is known of the series beforehand."""

    rows: IntArray
    units: FloatArray
    exposure: FloatArray
    attributes: Attributes

    def take(self, places: IntArray | BoolArray) -> "Counts":
        """Those of some of the series."""
        return Counts(self.rows[places], self.units[places], self.exposure[places], self.attributes.take(places))

    def followed_by(self, other: "Counts") -> "Counts":
        """Both, one after the other."""
        mine, theirs = self.attributes, other.attributes
        attributes = Attributes(
            {name: np.concatenate([values, theirs.texts[name]]) for name, values in mine.texts.items()},
            {name: np.concatenate([values, theirs.numbers[name]]) for name, values in mine.numbers.items()},
            np.concatenate([mine.is_launch, theirs.is_launch]),
        )
        return Counts(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.units, other.units]),
            np.concatenate([self.exposure, other.exposure]),
            attributes,
        )


def launches_in(panel: Panel, settle_days: int) -> IntArray:
    """Rows of the series that were launched within the panel.

    Their first day is not among the first `settle_days`, in which a slow seller's first sale is no launch, and no price
    was known on the panel's first day nor four weeks before theirs.
    """
    first = panel.first_day
    is_launch = (first >= settle_days) & ~np.isnan(panel.units).all(axis=1)
    if c.UNIT_PRICE in panel.drivers:
        before = np.arange(panel.days)[None, :] < np.maximum(first - NEW_DAYS, 1)[:, None]
        is_launch &= ~(before & ~np.isnan(panel.drivers[c.UNIT_PRICE][:, : panel.days])).any(axis=1)
    return np.flatnonzero(is_launch).astype(np.int64)


def by_age(values: FloatArray, first: IntArray, ages: int) -> FloatArray:
    """Values from each row's first day on, (rows, ages), NaN after the last day.

    >>> by_age(np.array([[np.nan, 1.0, 2.0]]), np.array([1]), 3)
    array([[ 1.,  2., nan]])
    """
    column = first[:, None] + np.arange(ages)[None, :]
    found = np.take_along_axis(values, np.minimum(column, values.shape[1] - 1), axis=1)
    return np.where(column < values.shape[1], found, np.nan)


def price_references(panel: Panel) -> dict[str, float]:
    """The mean logarithm of price by category, over the latest known price of each series; `all` for every category."""
    latest = _latest_price(panel)
    price = np.log(np.maximum(latest, np.finfo(float).tiny))
    is_known = latest > 0
    categories = categories_of(panel)
    found = {ALL: float(price[is_known].mean()) if is_known.any() else 0.0}
    for name in np.unique(categories[is_known]):
        found[str(name)] = float(price[is_known & (categories == name)].mean())
    return found


def attributes_of(
    panel: Panel, names: Sequence[str], references: Mapping[str, float], price: FloatArray, is_launch: BoolArray
) -> Attributes:
    """What is known of each series beforehand; `price` is that of a piece, NaN where none is known."""
    texts = {name: panel.statics[name].to_numpy(str) for name in names if name in panel.statics}
    categories = categories_of(panel)
    values, place = np.unique(categories, return_inverse=True)
    reference = np.array([references.get(str(name), references[ALL]) for name in values])[place]
    is_known = price > 0
    log_price = np.where(is_known, np.log(np.where(is_known, price, 1.0)) - reference, 0.0)
    return Attributes(texts, {LOG_PRICE: np.clip(log_price, -LARGEST_PRICE_LOG, LARGEST_PRICE_LOG)}, is_launch)


def first_price(panel: Panel, first: IntArray) -> FloatArray:
    """The first price known from each series' first day on; the last one before where there is none."""
    if c.UNIT_PRICE not in panel.drivers:
        return np.full(len(panel.keys), np.nan)
    driver = panel.drivers[c.UNIT_PRICE]
    is_known = (np.arange(driver.shape[1])[None, :] >= first[:, None]) & ~np.isnan(driver)
    found = driver[np.arange(len(driver)), np.argmax(is_known, axis=1)]
    return np.where(is_known.any(axis=1), found, _latest_price(panel))


def launch_counts(
    panel: Panel, rows: IntArray, factors: FloatArray, curve: FloatArray, names: Sequence[str],
    references: Mapping[str, float],
) -> Counts:  # fmt: skip
    """Launches' units over their first four weeks, or the part of them that they have lived."""
    own, first = panel.take(rows), panel.first_day[rows]
    units, days = by_age(own.units, first, NEW_DAYS), by_age(factors[rows], first, NEW_DAYS)
    every = np.ones(len(rows), np.bool_)
    shaped = days * on_curve(curve, np.tile(np.arange(NEW_DAYS), (len(rows), 1)), every)
    attributes = attributes_of(own, names, references, first_price(own, first), every)
    return Counts(rows, np.nansum(units, axis=1), np.where(np.isnan(units), 0.0, shaped).sum(axis=1), attributes)


def settled_counts(
    panel: Panel, launches: IntArray, factors: FloatArray, names: Sequence[str], references: Mapping[str, float]
) -> Counts:
    """The latest eight weeks of series that are no launches, or are past their first weeks; every so many of them."""
    is_settled = np.asarray(~np.isnan(panel.units).all(axis=1))
    is_settled[launches] = panel.days - panel.first_day[launches] >= YOUNG_DAYS + SETTLED_DAYS
    rows = np.flatnonzero(is_settled).astype(np.int64)
    own = panel.take(rows)
    units, days = own.units[:, -SETTLED_DAYS:], factors[rows][:, -SETTLED_DAYS:]
    exposure = np.where(np.isnan(units), 0.0, days).sum(axis=1)
    attributes = attributes_of(own, names, references, _latest_price(own), np.zeros(len(rows), np.bool_))
    return Counts(rows, np.nansum(units, axis=1), exposure, attributes)


def thinned(counts: Counts) -> Counts:
    """Every so many of the counts, so that at most `MOST_SETTLED` are left."""
    return counts.take(np.arange(0, len(counts.rows), -(-len(counts.rows) // MOST_SETTLED) or 1))


def elsewhere(
    products: pd.Index, settled_products: pd.Index, units: FloatArray, expected: FloatArray, shape: float
) -> FloatArray:
    """How each product's settled series sell over what their attributes say; NaN for a product without any.

    >>> elsewhere(pd.Index(["a", "b"]), pd.Index(["a", "a"]), np.array([9.0, 7.0]), np.array([2.0, 2.0]), 2.0)
    array([ 3., nan])
    """
    codes, names = pd.factorize(settled_products)
    sold, said = (np.bincount(codes, values, len(names)).astype(np.float64) for values in (units, expected))
    ratio = credible_ratio(sold, said, shape)
    place = pd.Index(names).get_indexer(products)
    return np.where(place >= 0, ratio[place] if len(names) else np.nan, np.nan)


def _latest_price(panel: Panel) -> FloatArray:
    if c.UNIT_PRICE not in panel.drivers:
        return np.full(len(panel.keys), np.nan)
    return last_known(panel.drivers[c.UNIT_PRICE][:, : panel.days])

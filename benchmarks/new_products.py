"""New products: the first 28 days of launches on M5, before any day was seen and after 3, 7 and 14 of them.

A launch is a series whose price and sales begin within the data. Launches from d_1579 on are scored. The forecaster is
trained each eight weeks on what was sold until then, without the items that are scored until the next training, in any
store; a scored series is forecast without the item's other stores. Settings were chosen on the launches before d_1579
alone. The peer is the mean units a day of the category in the store over the 28 days before, the same for each launch;
most of its error is that launches sell less than what is settled, so the mean of earlier launches stands beside it. A
chain's launch in one more store, which may learn from the others, is a row of its own.
"""

from dataclasses import dataclass, replace
from typing import Final

import click
import numpy as np
import pandas as pd

from benchmarks.m5_data import FIRST_DAY, HORIZON, m5_panel
from benchmarks.measuring import measure
from benchmarks.rows import Row
from storecast.forecasting import contracts as c
from storecast.forecasting.attribute_levels import AttributeLevels
from storecast.forecasting.baselines import SeasonalWindowAverage
from storecast.forecasting.fallbacks import with_fallbacks
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.launches import attributes_of, by_age, first_price, launches_in, price_references
from storecast.forecasting.levels import level_by
from storecast.forecasting.new_products import NewProductForecaster
from storecast.forecasting.panel import FloatArray, IntArray, Panel
from storecast.forecasting.rolling_panel import latest

SCORED_FROM: Final = 1579
STEP_DAYS: Final = 56
SETTLE_DAYS: Final = 1
"""Prices tell launches from slow sellers here."""
STAGES: Final = (0, 3, 7, 14)
ATTRIBUTES: Final = (c.CATEGORY, c.CHANNEL, "department")
KNOWN_DAYS: Final = 112
EVERY_ITEM, SHORT_EVERY_ITEM = 4, 20
"""Beside launches, training sees every so manieth item."""
ALPHAS: Final = (0.025, 0.1, 0.9, 0.975)
MOST_RATIO: Final = 0.8
MOST_MISSED: Final = 5.0
"""Points that the share of totals within an interval may be from what it says."""
OURS, ELSEWHERE, FALLBACK = "ours", "item known in other stores", "units so far over two weeks"
CATEGORY, LAUNCHES, BOOSTED = "category mean", "mean of earlier launches", "global LightGBM"
ORACLE, OWN = "regression on the scored launches", "own mean"
LAUNCH_DEVIATIONS: Final = (0.1, 0.3, 1.0)
FOLDS: Final = 3
"""So many times the launches before the scored ones are parted to choose among the deviations."""


@dataclass(frozen=True, eq=False)
class Scored:
    """What was sold in the first 28 days of the scored launches, and what was said: units a day, (launches, 28)."""

    units: FloatArray
    forecasts: dict[tuple[str, int], FloatArray]
    totals: dict[int, FloatArray]
    days: dict[int, FloatArray]
    launch_deviation: float


def run(*, is_short: bool) -> list[Row]:
    """All launches, or in the short form every second eight weeks, beside fewer other items and without LightGBM."""
    measured = measure(score, SHORT_EVERY_ITEM if is_short else EVERY_ITEM, 2 if is_short else 1, not is_short)
    scored: Scored = measured.result
    click.echo(summary(scored).to_string())
    rows = [row for seen in STAGES for row in stage_rows(scored, seen)]
    rows += [Row("deviation of launches, chosen on those before", "-", scored.launch_deviation)]
    rows += [Row("training and forecasting of all contenders, wall time", "s", measured.wall_seconds)]
    return [replace(row, bound=None) for row in rows] if is_short else rows


def score(every: int, stride: int, with_boosted: bool) -> Scored:
    """Forecast each scored launch from each stage by each contender."""
    panel = m5_panel()
    rows = scored_launches(panel)
    parts, deviation = [], chosen_launch_deviation(panel, every)
    for origin in range(SCORED_FROM - FIRST_DAY, panel.days, STEP_DAYS * stride):
        first = panel.first_day[rows]
        own = rows[(first >= origin) & (first < origin + STEP_DAYS)]
        if len(own):
            parts.append(scored_from(panel, own, origin, every, deviation, with_boosted))
    keys = parts[0].forecasts
    units = np.concatenate([part.units for part in parts])
    forecasts = {key: np.concatenate([part.forecasts[key] for part in parts]) for key in keys}
    forecasts[OWN, 0] = np.repeat(units.mean(axis=1, keepdims=True), HORIZON, axis=1)
    totals = {seen: np.concatenate([part.totals[seen] for part in parts]) for seen in STAGES}
    days = {seen: np.concatenate([part.days[seen] for part in parts]) for seen in STAGES}
    return Scored(units, forecasts, totals, days, deviation)


def scored_launches(panel: Panel) -> IntArray:
    """Rows of the launches that are scored: their first 28 days lie within the panel and after the settings' choice."""
    rows = launches_in(panel, SETTLE_DAYS)
    first = panel.first_day[rows]
    return rows[(first >= SCORED_FROM - FIRST_DAY) & (first + HORIZON <= panel.days)]


def training_panel(panel: Panel, origin: int, left_out: pd.Index, every: int) -> Panel:
    """What a training at an origin sees: launches and every so manieth other item, without the items left out."""
    items = panel.keys.get_level_values(0)
    kept = np.zeros(len(items), np.bool_)
    kept[launches_in(panel, SETTLE_DAYS)] = True
    kept |= items.isin(items.unique()[::every])
    return panel.take(kept & ~items.isin(left_out)).until(origin, HORIZON)


def forecaster(launch_deviation: float) -> NewProductForecaster:
    """The platform's forecaster with the departments of M5 as one more attribute, its defaults else."""
    return NewProductForecaster(attributes=ATTRIBUTES, settle_days=SETTLE_DAYS, launch_deviation=launch_deviation)


def chosen_launch_deviation(panel: Panel, every: int) -> float:
    """The deviation with the least WAPE of totals on the launches before the scored ones, items left out by turns."""
    origin = SCORED_FROM - FIRST_DAY
    rows = launches_in(panel, SETTLE_DAYS)
    rows = rows[panel.first_day[rows] + HORIZON <= origin]
    items = panel.keys.get_level_values(0)
    fold = pd.factorize(items[rows])[0] % FOLDS
    missed = dict.fromkeys(LAUNCH_DEVIATIONS, 0.0)
    for number in range(FOLDS):
        own = rows[fold == number]
        known = training_panel(panel, origin, items[own].unique(), every)
        sold = by_age(panel.units[own], panel.first_day[own], HORIZON).sum(axis=1)
        for deviation in missed:
            fitted = forecaster(deviation).fit_panel(known)
            for start in np.unique(panel.first_day[own]):
                of_day = panel.first_day[own] == start
                alone = named_apart(known_on(panel, own[of_day], int(start)))
                said = fitted.with_panel(alone).predict_panel(HORIZON).sum(axis=1)
                missed[deviation] += float(np.abs(said - sold[of_day]).sum())
    return min(missed, key=lambda deviation: missed[deviation])


def scored_from(panel: Panel, own: IntArray, origin: int, every: int, deviation: float, with_boosted: bool) -> Scored:
    """What is said of the launches of eight weeks by contenders trained on the day before them."""
    items = panel.keys.get_level_values(0)
    left_out = items[own].unique()
    known = training_panel(panel, origin, left_out, every)
    ours = forecaster(deviation).fit_panel(known)
    contenders = {OURS: ours, **({BOOSTED: GlobalLightGBM().fit_panel(known)} if with_boosted else {})}
    chain = forecaster(deviation).fit_panel(training_panel(panel, origin, pd.Index([]), every))
    first = panel.first_day[own]
    units = by_age(panel.units[own], first, HORIZON)
    forecasts = {
        (name, seen): np.full(units.shape, np.nan) for name in (*contenders, ELSEWHERE, FALLBACK) for seen in STAGES
    }
    totals = {seen: np.zeros((len(own), len(ALPHAS))) for seen in STAGES}
    days = {seen: np.full((*units.shape, len(ALPHAS)), np.nan) for seen in STAGES}
    for start in np.unique(first):
        rows = np.flatnonzero(first == start)
        for seen in STAGES:
            left = HORIZON - seen
            alone = named_apart(known_on(panel, own[rows], int(start) + seen))
            for name, contender in contenders.items():
                forecasts[name, seen][rows, seen:] = contender.with_panel(alone).predict_panel(left)
            forecasts[FALLBACK, seen][rows, seen:] = fallback(alone, left)
            ours.with_panel(alone)
            totals[seen][rows] = ours.predict_total_quantiles(left, ALPHAS)
            days[seen][rows, seen:] = ours.predict_quantiles_panel(left, ALPHAS)
            begun = np.flatnonzero(items.isin(items[own[rows]]) & (panel.first_day < start + seen))
            both = np.union1d(own[rows], begun)
            whole = chain.with_panel(known_on(panel, both, int(start) + seen)).predict_panel(left)
            forecasts[ELSEWHERE, seen][rows, seen:] = whole[np.searchsorted(both, own[rows])]
    forecasts |= same_for_all(panel, own, left_out, origin)
    return Scored(units, forecasts, totals, days, deviation)


def known_on(panel: Panel, rows: IntArray, day: int) -> Panel:
    """The latest days of some series before a day, and the drivers of the days ahead; prices were planned."""
    own = panel.take(rows)
    cut = replace(
        own,
        times=own.times[:day],
        units=own.units[:, :day],
        drivers={name: driver[:, : day + HORIZON] for name, driver in own.drivers.items()},
    )
    return latest(cut, KNOWN_DAYS)


def fallback(panel: Panel, horizon: int) -> FloatArray:
    """What was forecast of young series without this model; from two weeks on their window average."""
    nothing = np.full(len(panel.keys), "", dtype=object)
    average = SeasonalWindowAverage().fit_panel(panel).predict_panel(horizon)
    return with_fallbacks(average, nothing, panel.units)[0]


def named_apart(panel: Panel) -> Panel:
    """The same series as items of their own, so that none is known from another store."""
    names = [c.PRODUCT_ID, c.CHANNEL]
    product_ids = [f"{item} in {store}" for item, store in panel.keys]
    keys = pd.MultiIndex.from_arrays([product_ids, panel.keys.get_level_values(1)], names=names)
    return replace(panel, keys=keys, statics=panel.statics.assign(**{c.PRODUCT_ID: product_ids}))


def same_for_all(panel: Panel, own: IntArray, left_out: pd.Index, origin: int) -> dict[tuple[str, int], FloatArray]:
    """The peers that say the same of each launch of a category in a store, and what knowing the launches would say."""
    group, first = level_by(panel.statics, [c.CATEGORY, c.CHANNEL]).node, panel.first_day
    is_out = panel.keys.get_level_values(0).isin(left_out)
    category = np.empty(len(own))
    for place, row in enumerate(own):
        mates = (group == group[row]) & ~is_out & (first < first[row])
        category[place] = np.nanmean(panel.units[mates, max(first[row] - HORIZON, 0) : first[row]])
    before = launches_in(panel, SETTLE_DAYS)
    before = before[(first[before] + HORIZON <= origin) & ~is_out[before]]
    earlier = float(by_age(panel.units[before], first[before], HORIZON).mean())
    levels = {CATEGORY: category, LAUNCHES: np.full(len(own), earlier), ORACLE: oracle_levels(panel, own)}
    return {(name, 0): np.repeat(values[:, None], HORIZON, axis=1) for name, values in levels.items()}


def oracle_levels(panel: Panel, own: IntArray) -> FloatArray:
    """What the attributes could say at best: the regression on the scored launches themselves, of all days."""
    scored = scored_launches(panel)
    launches = panel.take(scored)
    first = launches.first_day
    known = attributes_of(
        launches, ATTRIBUTES, price_references(panel), first_price(launches, first), np.zeros(len(scored), np.bool_)
    )
    units = by_age(launches.units, first, HORIZON).sum(axis=1)
    levels = AttributeLevels.fit(
        known, units, np.full(len(scored), float(HORIZON)), shape=2.0, deviation=1.0, launch_deviation=1.0
    )
    return levels.per_day(known)[np.searchsorted(scored, own)]


def wapes(units: FloatArray, forecast: FloatArray, seen: int) -> tuple[float, float, float]:
    """WAPE by launch and day, WAPE of the launches' totals, and bias, over the days after those seen."""
    actual, said = units[:, seen:], forecast[:, seen:]
    sold = actual.sum()
    by_day, by_launch = np.abs(actual - said).sum(), np.abs(actual.sum(axis=1) - said.sum(axis=1)).sum()
    return float(by_day / sold), float(by_launch / sold), float(said.sum() / sold - 1)


def summary(scored: Scored) -> pd.DataFrame:
    """Each contender's errors at each stage."""
    found = {}
    for (name, stage), forecast in scored.forecasts.items():
        for seen in STAGES if (name, STAGES[-1]) not in scored.forecasts else (stage,):
            found[name, seen] = wapes(scored.units, forecast, seen)
    names = ["contender", "days seen"]
    index = pd.MultiIndex.from_tuples(found, names=names)
    return pd.DataFrame(list(found.values()), index, ["WAPE by day", "WAPE of totals", "bias"]).sort_index(level=1)


def coverage_rows(scored: Scored, seen: int, where: str) -> list[Row]:
    """How often the intervals hold; those of days are whole numbers, which hold more often than they say."""
    total, units, rows = scored.units[:, seen:].sum(axis=1), scored.units[:, seen:], []
    for nominal, low, high in ((80, 1, 2), (95, 0, 3)):
        of_totals, of_days = scored.totals[seen], scored.days[seen][:, seen:]
        totals = 100 * float(((total >= of_totals[:, low]) & (total <= of_totals[:, high])).mean())
        days = 100 * float(((units >= of_days[..., low]) & (units <= of_days[..., high])).mean())
        rows += [
            Row(f"totals within the {nominal} % interval, {where}", "%", totals),
            Row(f"the same, from {nominal}", "points", abs(totals - nominal), bound=MOST_MISSED),
            Row(f"days within the {nominal} % interval, {where}", "%", days),
        ]
    return rows


def stage_rows(scored: Scored, seen: int) -> list[Row]:
    """Ours against each peer after so many days seen, and how often the intervals hold."""
    found = summary(scored)
    ours, category = found.loc[OURS, seen], found.loc[CATEGORY, seen]
    where, rows = f"{len(scored.units)} launches, {seen} days seen", []
    for what in ("WAPE by day", "WAPE of totals"):
        rows.append(Row(f"{what}, {where} (peer: {CATEGORY})", "-", ours[what], category[what], MOST_RATIO, "ratio"))
        others = [LAUNCHES, BOOSTED, FALLBACK, ELSEWHERE, ORACLE, *([OWN] if what == "WAPE by day" else [])]
        known = [name for name in others if (name, seen) in found.index and np.isfinite(found.loc[name, seen][what])]
        rows += [Row(f"{what}, {where} (peer: {name})", "-", ours[what], found.loc[name, seen][what]) for name in known]
    rows.append(Row(f"bias, {where} (peer: {CATEGORY})", "-", ours["bias"], category["bias"]))
    return rows + coverage_rows(scored, seen, where)

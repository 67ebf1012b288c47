"""How often the gate promotes challengers that are no better than the champion, and those that are 2 % better.

The champion is the mean of four weeks by weekday, back-tested on M5. A challenger is its blend with another model,
scaled up or down item by item; its losses are then multiplied by one number so that over all items and days of the pool
its gain is exactly 0, or 2 %. What the gate sees of it is a shop of 100 of the items and 56 days in a row, in four
looks: whole items and whole stretches of days are drawn, so noise is clustered as it is in reality. The gate's settings
were chosen on the even items and the older days; the odd items and the newer days are scored. Two peers take the same
looks: lower mean error wins, and a paired t-test over all rows at 5 %.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from benchmarks.m5_data import HORIZON, m5_panel
from benchmarks.rows import Row
from storecast.forecasting.backtest import BacktestPlan, Backtests, backtest
from storecast.forecasting.contracts import SELECTION
from storecast.forecasting.intervals import fit_interval_scales
from storecast.forecasting.panel import FloatArray
from storecast.forecasting.registry import REGISTRY
from storecast.registry import contracts as c
from storecast.registry.gate import PROMOTION, Costs, Looks, Patience, judge

CHAMPION: Final = "window_average"
OTHERS: Final = ("long_window_average", "ses", "tsb")
PLAN: Final = BacktestPlan(HORIZON, selection_origins=4, evaluation_origins=9)
ITEMS_A_DEPARTMENT: Final = 60
SHORT_ITEMS: Final = 12
CHALLENGERS: Final = 200
SHORT_CHALLENGERS: Final = 20
SHOP_ITEMS: Final = 100
WEIGHTS: Final = (0.2, 0.6)
ITEM_DEVIATION: Final = 0.05
BETTER: Final = 0.02
T_TEST: Final = 0.05
MOST_FALSE: Final = 5.0
LEAST_FOUND: Final = 80.0
EDGES: Final = (0.05, 0.95)
COSTS: Final = {side: Costs(1e6, 1.0) for side in c.SIDES}


@dataclass(frozen=True, eq=False)
class Pool:
    """Items and days that challengers are drawn from: units, forecasts and edges of intervals, (series, days) each.

    `items` and `classes` name each series' item and demand class; `low` and `high` hold the 90 % interval's edges.
    """

    items: npt.NDArray[np.int64]
    classes: npt.NDArray[np.object_]
    units: FloatArray
    mean: dict[str, FloatArray]
    low: dict[str, FloatArray]
    high: dict[str, FloatArray]

    def of(self, series: npt.NDArray[np.int64], days: slice) -> "Pool":
        """A part of it."""
        parts = ({name: own[series, days] for name, own in each.items()} for each in (self.mean, self.low, self.high))
        return Pool(self.items[series], self.classes[series], self.units[series, days], *parts)


def run(*, is_short: bool) -> list[Row]:
    """Promotions of both kinds of challengers by the gate and by both peers, on the scored part."""
    older, newer = pools(SHORT_ITEMS if is_short else ITEMS_A_DEPARTMENT)
    challengers = SHORT_CHALLENGERS if is_short else CHALLENGERS
    kinds = {"no better": (0.0, MOST_FALSE, False), f"truly {BETTER:.0%} better": (BETTER, LEAST_FOUND, True)}
    rows = []
    for kind, (gain, bound, is_floor) in kinds.items():
        found = promoted(newer, gain, challengers, seed=1)
        chosen = promoted(older, gain, challengers, seed=2)
        held = None if is_short else bound
        what = f"of {challengers} challengers {kind}, four looks at each: promoted"
        rows += [
            Row(f"{what}; peer: lower mean error wins", "%", found["gate"], found["mean"], held, is_floor=is_floor),
            Row(f"{what}; peer: paired t-test over all rows at 5 %", "%", found["gate"], found["t_test"]),
            Row(f"{what}; peer: lower mean error, last look alone", "%", found["gate"], found["last_mean"]),
            Row(f"{what}, on the items and days that settings were chosen on", "%", chosen["gate"], chosen["mean"]),
        ]
    return rows


def pools(items: int) -> tuple[Pool, Pool]:
    """Even items with the older half of the evaluated days, and odd items with the newer half."""
    panel = m5_panel(items=items)
    found = backtest(panel, [REGISTRY[name] for name in (CHAMPION, *OTHERS)], PLAN)
    chosen, later = (
        found.of_split(SELECTION),
        [place for place, (_, split) in enumerate(found.origins) if split != SELECTION],
    )
    mean, low, high = {}, {}, {}
    for name in (CHAMPION, *OTHERS):
        edges = intervals(found, chosen, name, later)
        mean[name], low[name], high[name] = (in_days(own) for own in (found.forecasts[name][later], *edges))
    codes = pd.factorize(panel.keys.get_level_values(0))[0].astype(np.int64)
    whole = Pool(codes, found.classes[later[0]], in_days(found.actual[later]), mean, low, high)
    days = whole.units.shape[1] // 2
    begun = ~np.isnan(whole.units).any(axis=1) & ~np.isnan(sum(mean.values())).any(axis=1)
    return (
        whole.of(np.flatnonzero(begun & (codes % 2 == 0)), slice(None, days)),
        whole.of(np.flatnonzero(begun & (codes % 2 == 1)), slice(days, None)),
    )


def intervals(found: Backtests, chosen: Backtests, name: str, later: list[int]) -> tuple[FloatArray, FloatArray]:
    """The 90 % interval's edges of a model at later origins, from its errors at the selection origins."""
    scales = fit_interval_scales(chosen.actual, chosen.forecasts[name], chosen.classes, EDGES)
    both = np.stack(
        [
            scales.quantiles(np.nan_to_num(found.forecasts[name][place]), found.classes[place], scales.series_spreads)
            for place in later
        ]
    )
    return both[..., 0], both[..., 1]


def in_days(values: FloatArray) -> FloatArray:
    """(origins, series, horizon) as (series, days): the windows follow each other."""
    return values.transpose(1, 0, 2).reshape(values.shape[1], -1)


def promoted(
    pool: Pool, gain: float, challengers: int, *, seed: int, patience: Patience = PROMOTION
) -> dict[str, float]:
    """The share of challengers of this true gain that each rule promotes at one of its looks, in per cent."""
    counts = dict.fromkeys(("gate", "mean", "t_test", "last_mean"), 0)
    for number in range(challengers):
        losses, units, inside = challenger(pool, gain, np.random.default_rng([seed, number]))
        shop = seen(pool, losses, units, inside, patience.most_days, np.random.default_rng([seed, number, 1]))
        cuts = range(patience.look_days, patience.most_days + 1, patience.look_days)
        looks = [shop[shop[c.DATE] < shop[c.DATE].min() + pd.Timedelta(days=days)] for days in cuts]
        counts["gate"] += passes_the_gate(looks, patience, number)
        counts["mean"] += any(wins_by_mean(look) for look in looks)
        counts["t_test"] += any(wins_by_t_test(look) for look in looks)
        counts["last_mean"] += wins_by_mean(looks[-1])
    return {rule: 100 * count / challengers for rule, count in counts.items()}


def challenger(pool: Pool, gain: float, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Losses, forecasts and hits of the interval of one challenger, (series, days), its gain over the pool exact."""
    other, weight = rng.choice(OTHERS), rng.uniform(*WEIGHTS)
    factor = np.exp(rng.normal(0.0, ITEM_DEVIATION, pool.items.max() + 1))[pool.items][:, None]

    def blended(values: dict[str, FloatArray]) -> FloatArray:
        return factor * ((1 - weight) * values[CHAMPION] + weight * values[other])

    losses = np.abs(pool.units - blended(pool.mean))
    theirs = np.abs(pool.units - pool.mean[CHAMPION])
    inside = (blended(pool.low) <= pool.units) & (pool.units <= blended(pool.high))
    return losses * (1 - gain) * theirs.sum() / losses.sum(), blended(pool.mean), inside.astype(np.float64)


def seen(
    pool: Pool, losses: FloatArray, units: FloatArray, inside: FloatArray, days: int, rng: np.random.Generator
) -> pd.DataFrame:
    """What a shop of some of the items sees of a challenger in some days in a row: a row a series and day."""
    items = rng.choice(np.unique(pool.items), min(SHOP_ITEMS, len(np.unique(pool.items)) // 2), replace=False)
    rows = np.flatnonzero(np.isin(pool.items, items))
    start = int(rng.integers(pool.units.shape[1] - days + 1))
    part = pool.of(rows, slice(start, start + days))
    mine = (rows, slice(start, start + days))
    hits = (part.low[CHAMPION] <= part.units) & (part.units <= part.high[CHAMPION])
    return pd.DataFrame(
        {
            c.DATE: np.tile(pd.date_range("2026-01-01", periods=days), len(rows)),
            c.CLUSTER: np.repeat(part.items, days),
            c.DEMAND_CLASS: np.repeat(part.classes, days),
            c.CHAMPION_LOSS: np.abs(part.units - part.mean[CHAMPION]).ravel(),
            c.CHALLENGER_LOSS: losses[mine].ravel(),
            c.UNITS: part.units.ravel(),
            c.FORECASTS: 1.0,
            "champion_units": part.mean[CHAMPION].ravel(),
            "challenger_units": units[mine].ravel(),
            "champion_inside": hits.ravel().astype(np.float64),
            "challenger_inside": inside[mine].ravel(),
        }
    )


def passes_the_gate(looks: list[pd.DataFrame], patience: Patience, seed: int) -> bool:
    """Whether one of the looks ends in a promotion, each spending its own part of the chance of a false one."""
    used = Looks()
    for look in looks:
        verdict = judge(look, COSTS, used, patience, seed=seed)
        if verdict.answer == "promote":
            return True
        used = Looks(verdict.window[1], verdict.alpha_spent)
    return False


def wins_by_mean(pairs: pd.DataFrame) -> bool:
    """The naive rule: the lower mean error wins."""
    return bool(pairs[c.CHALLENGER_LOSS].mean() < pairs[c.CHAMPION_LOSS].mean())


def wins_by_t_test(pairs: pd.DataFrame) -> bool:
    """A one-sided paired t-test at 5 % that takes every series and day for independent of the others."""
    found = stats.ttest_rel(pairs[c.CHAMPION_LOSS], pairs[c.CHALLENGER_LOSS], alternative="greater")
    return bool(found.pvalue < T_TEST)

"""Whether to reconcile at all, and how: chosen on back-tests, bottom-up unless something was better at every origin."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from storecast.forecasting import metrics
from storecast.forecasting.hierarchy import Hierarchy
from storecast.forecasting.panel import FloatArray
from storecast.forecasting.reconciliation import Sign, error_variances, minimum_trace, structural_variances

Method = Literal["bottom_up", "ols", "wls_struct", "wls_var"]
METHODS: Final[tuple[Method, ...]] = ("wls_var",)
"""Those that compete with bottom-up unasked."""
SHARES: Final = (0.25, 0.5, 0.75, 1.0)
INSURED: Final = 0.5
"""What is taken of the best share. The loss is convex in the share: half of it keeps most of a gain and avoids most of
a loss. In 66 windows of M5 before d_1830, each over 1,500 item-stores, half of it was 1.9 % better than bottom-up on
average and more than 0.5 % worse in one, all of it 2.7 % better and more than 0.5 % worse in ten."""
FEWEST_ORIGINS: Final = 2


@dataclass(frozen=True)
class Reconciliation:
    """A way to coherent forecasts: `share` of a method's answer and the rest of bottom-up's, both coherent."""

    method: Method = "bottom_up"
    share: float = 0.0
    sign: Sign = "optimal"

    def series(self, hierarchy: Hierarchy, base: FloatArray, variances: FloatArray) -> FloatArray:
        """The series' coherent forecasts, (series, horizon), from base forecasts of all nodes, (nodes, horizon).

        `variances` (nodes,) are those of the base forecasts' errors; only `wls_var` looks at them. A series whose base
        forecast is NaN stays 0, an aggregate without one is taken to be the sum of its series.
        """
        complete = completed(hierarchy, base)
        bottom_up = np.maximum(complete[hierarchy.aggregates :], 0.0)
        if self.method == "bottom_up" or not self.share:
            return bottom_up
        is_missing = np.flatnonzero(np.isnan(base[hierarchy.aggregates :]).any(axis=1))
        weights = self.weights(hierarchy, variances).copy()
        weights[hierarchy.aggregates + is_missing] = 0.0
        answer = minimum_trace(hierarchy, complete, weights, self.sign)
        answer[is_missing] = 0.0
        return self.share * answer + (1.0 - self.share) * bottom_up

    def weights(self, hierarchy: Hierarchy, variances: FloatArray) -> FloatArray:
        """The variances that the method takes the base forecasts to have, (nodes,)."""
        if self.method == "wls_var":
            return variances
        return np.ones(hierarchy.nodes) if self.method == "ols" else structural_variances(hierarchy)


@dataclass(frozen=True, eq=False)
class BaseBacktests:
    """Back-tests of base forecasts: `actual` and `base` are (origins, nodes, horizon).

    NaN where a node had not begun at an origin.
    """

    hierarchy: Hierarchy
    actual: FloatArray
    base: FloatArray

    def variances(self, left_out: int) -> FloatArray:
        """Error variances of the nodes at an origin from all origins but that one; from it where it is the only one."""
        others = np.arange(len(self.base)) != left_out
        kept = others if others.any() else ~others
        forecast = completed(self.hierarchy, self.base[left_out])
        return error_variances(self.hierarchy, self.actual[kept], self.base[kept], forecast)

    def coherent(self, reconciliation: Reconciliation) -> FloatArray:
        """What a reconciliation would have said at each origin, (origins, nodes, horizon); NaN as in `base`."""
        series = np.zeros((len(self.base), self.hierarchy.series, self.base.shape[2]))
        for place, base in enumerate(self.base):
            series[place] = reconciliation.series(self.hierarchy, base, self.variances(place))
        return np.where(np.isnan(self.base), np.nan, self.hierarchy.totals(series))


def completed(hierarchy: Hierarchy, base: FloatArray) -> FloatArray:
    """Base forecasts (…, nodes, horizon) without NaN: a series that has none is 0, an aggregate the sum of its series.

    >>> from storecast.forecasting.levels import Level
    >>> two = Hierarchy((Level("total", np.array([0, 0]), 1),), 2)
    >>> completed(two, np.array([[np.nan], [3.0], [np.nan]])).tolist()
    [[3.0], [3.0], [0.0]]
    """
    return np.where(np.isnan(base), hierarchy.totals(base[..., hierarchy.aggregates :, :]), base)


@dataclass(frozen=True, eq=False)
class Loss:
    """A weighted root mean squared scaled error (WRMSSE, Makridakis, Spiliotis and Assimakopoulos 2022).

    `weights` (nodes,) add up to 1 within a level, `scales` (nodes,) are those of the RMSSE; levels count alike.
    """

    hierarchy: Hierarchy
    weights: FloatArray
    scales: FloatArray

    @classmethod
    def of(cls, hierarchy: Hierarchy, history: FloatArray, value: FloatArray) -> "Loss":
        """The loss on series with a history (series, days), each weighed by its value (series,), such as its revenue.

        A node whose history never changes has no scale and does not count.
        """
        scales = metrics.naive_scales(hierarchy.totals(history), 1, power=2)
        weights = np.where(np.isnan(scales), 0.0, hierarchy.totals(value[:, None])[:, 0])
        for rows in _level_rows(hierarchy):
            weights[rows] /= max(weights[rows].sum(), np.finfo(np.float64).tiny)
        return cls(hierarchy, weights, np.where(np.isnan(scales), 1.0, scales))

    def __call__(self, actual: FloatArray, forecast: FloatArray) -> FloatArray:
        """The loss at each origin; arrays are (origins, nodes, horizon), NaN where there is nothing to count."""
        missed = np.nan_to_num(actual - forecast)
        errors = np.sqrt((missed**2).mean(axis=2)) / self.scales * self.weights
        return np.stack([errors[:, rows].sum(axis=1) for rows in _level_rows(self.hierarchy)]).mean(axis=0)


def choose_reconciliation(
    backtests: BaseBacktests, loss: Loss, methods: Sequence[Method] = METHODS, sign: Sign = "optimal"
) -> tuple[Reconciliation, Mapping[Reconciliation, FloatArray]]:
    """A reconciliation that was never worse than bottom-up, and each candidate's loss over bottom-up's at each origin.

    Candidates are shares of each method's answer. One counts only where it was worse at no origin; of these the best on
    average is chosen, and `INSURED` of its share taken. Where none is left, or there are fewer than two origins, it is
    bottom-up. Variances at an origin come from the errors at the others: no error judges what was made of it.
    """
    bottom_up = backtests.coherent(Reconciliation())
    reference = np.maximum(loss(backtests.actual, bottom_up), np.finfo(np.float64).tiny)
    ratios = {Reconciliation(): np.ones(len(reference))}
    for method in methods:
        answer = backtests.coherent(Reconciliation(method, 1.0, sign))
        for share in SHARES:
            mixed = share * answer + (1.0 - share) * bottom_up
            ratios[Reconciliation(method, share, sign)] = loss(backtests.actual, mixed) / reference
    if len(reference) < FEWEST_ORIGINS:
        return Reconciliation(), ratios
    safe = [candidate for candidate, ratio in ratios.items() if ratio.max() <= 1.0]
    best = min(safe, key=lambda candidate: ratios[candidate].mean())
    return replace(best, share=INSURED * best.share), ratios


def _level_rows(hierarchy: Hierarchy) -> Iterator[slice]:
    yield from hierarchy.rows.values()
    yield slice(hierarchy.aggregates, None)

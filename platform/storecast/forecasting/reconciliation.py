"""Forecasts that add up: from base forecasts of all nodes of a hierarchy to coherent ones, never negative.

Base forecasts ŷ of the nodes, made each on its own, do not add up. Minimum trace reconciliation (Wickramasuriya,
Athanasopoulos and Hyndman 2019) looks for the series' forecasts b whose sums S b are nearest to them, errors weighed by
their variances W, here diagonal:

    min (ŷ - S b)' W⁻¹ (ŷ - S b)    over b, or over b ≥ 0 (Wickramasuriya, Turlach and Hyndman 2020).

Written with one multiplier x an aggregate (Â and b̂ the base forecasts of aggregates and series, A the sums):

    W_a x + A b = Â,    b = b̂ + W_b A'x,    or with b ≥ 0    b = max(b̂ + W_b A'x, 0),

which is the same as the normal equations but has 12,350 unknowns on M5 instead of 30,490, no inverse of a variance
that may be 0, and a sparse matrix W_a + A W_b A'. All days ahead are solved at once by conjugate gradients. The maximum
is found by Newton's method: solve with the series that are positive free, look again which are, until none changes – a
primal-dual active set (Hintermüller, Ito and Kunisch 2002).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from storecast.forecasting.hierarchy import Hierarchy
from storecast.forecasting.panel import BoolArray, FloatArray

Sign = Literal["any", "clipped", "optimal"]
TOLERANCE: Final = 1e-11
"""Of conjugate gradients: the residual over the right-hand side."""
CHANGED: Final = 1e-9
"""Units below which a series that changes between free and 0 counts as unchanged."""
MOST_ROUNDS: Final = 100
MOST_STEPS: Final = 5_000
MOST_HALVINGS: Final = 30
PRIOR_DAYS: Final = 14.0
LEAST_VARIANCE: Final = 1e-9
"""Over the mean variance."""
SMALLEST_VARIANCE: Final = 1e-12
MOST_CROSSING_NODES: Final = 5_000
"""Nodes outside the largest level, up to which W_a + A W_b A' is factorised: fill-in is at most their square."""
TINY: Final = 1e-300


def minimum_trace(hierarchy: Hierarchy, base: FloatArray, variances: FloatArray, sign: Sign = "optimal") -> FloatArray:
    """The series' forecasts whose sums are nearest to the base forecasts, (series, horizon).

    `base` is (nodes, horizon), finite; `variances` (nodes,) weigh its rows: ones are ordinary least squares,
    `structural_variances` and `error_variances` the weighted ones. `sign` says what becomes of series below 0:
    `any` leaves them, `clipped` sets them to 0 (Di Fonzo and Girolimetto 2023), `optimal` is the best answer without
    any. The sums of the answer are coherent by construction, however precisely the equations were solved. Raises
    `ValueError` where an array has not one row a node, `RuntimeError` where no answer is found.

    >>> from storecast.forecasting.levels import Level
    >>> two = Hierarchy((Level("total", np.array([0, 0]), 1),), 2)
    >>> minimum_trace(two, np.array([[13.0], [4.0], [6.0]]), np.ones(3))
    array([[5.],
           [7.]])
    """
    _check_rows(hierarchy, base=base, variances=variances)
    least = max(LEAST_VARIANCE * float(variances.mean()), SMALLEST_VARIANCE)
    equations = _Equations(hierarchy, np.maximum(variances, least))
    aggregates, series = base[: hierarchy.aggregates], base[hierarchy.aggregates :]
    multipliers = equations.solved(aggregates, series, np.ones(series.shape, bool), np.zeros(aggregates.shape))
    answer = equations.answer(series, multipliers)
    if sign == "optimal":
        return equations.positive(aggregates, series, multipliers)
    return answer if sign == "any" else np.maximum(answer, 0.0)


def top_down(hierarchy: Hierarchy, base: FloatArray, path: tuple[str, ...]) -> FloatArray:
    """The series' forecasts scaled to those of the first level of `path`, by the proportions of the forecasts below.

    `path` names nested levels, coarsest first: each node's forecast is shared out to its children of the next level, at
    last the series, in proportion to their own (Athanasopoulos, Ahmed and Hyndman 2009, "forecasted proportions");
    equally where those are 0. Raises `ValueError` where a level of `path` is not nested in the one before.

    >>> from storecast.forecasting.levels import Level
    >>> two = Hierarchy((Level("total", np.array([0, 0]), 1),), 2)
    >>> top_down(two, np.array([[15.0], [4.0], [6.0]]), ("total",))
    array([[6.],
           [9.]])
    """
    _check_rows(hierarchy, base=base)
    level_of = {level.name: level for level in hierarchy.levels}
    codes = [level_of[name].node for name in path] + [np.arange(hierarchy.series)]
    forecasts = [base[hierarchy.rows[name]] for name in path] + [base[hierarchy.aggregates :]]
    answer = np.maximum(forecasts[0], 0.0)
    for coarse, fine, below in zip(codes[:-1], codes[1:], forecasts[1:], strict=True):
        parent = np.zeros(len(below), dtype=np.int64)
        parent[fine] = coarse
        if (parent[fine] != coarse).any():
            raise ValueError(f"path is {path}: name levels of which each is nested in the one before")
        own = np.maximum(below, 0.0)
        total, children = np.zeros_like(answer), np.bincount(parent, minlength=len(answer))
        np.add.at(total, parent, own)
        share = np.where(total[parent] > 0, own / np.maximum(total[parent], TINY), 1.0 / children[parent, None])
        answer = share * answer[parent]
    return answer


def structural_variances(hierarchy: Hierarchy) -> FloatArray:
    """How many series each node sums: the variances of independent errors of one size (Athanasopoulos et al. 2017).

    >>> from storecast.forecasting.levels import Level
    >>> structural_variances(Hierarchy((Level("total", np.array([0, 0]), 1),), 2))
    array([2., 1., 1.])
    """
    return hierarchy.totals(np.ones((hierarchy.series, 1)))[:, 0]


def error_variances(hierarchy: Hierarchy, actual: FloatArray, base: FloatArray, forecast: FloatArray) -> FloatArray:
    """Mean squared back-test error of each node, drawn to what its level lets expect: (nodes,).

    `actual` and `base` are (origins, nodes, horizon), NaN where there is no error to count; `forecast` (nodes, horizon)
    is what is to be reconciled. The expected variance is φ times the mean forecast, as for counts, φ that of the whole
    level; it weighs as `PRIOR_DAYS` errors, and stands alone where a node has none.

    >>> alone = Hierarchy((), 2)
    >>> actual = np.array([[[2.0] * 14, [np.nan] * 14]])
    >>> error_variances(alone, actual, actual / 2, np.array([[1.0], [3.0]]))
    array([1., 3.])
    """
    known = ~(np.isnan(actual) | np.isnan(base))
    squares = np.where(known, (actual - base) ** 2, 0.0).sum(axis=(0, 2))
    volume = np.where(known, np.abs(base), 0.0).sum(axis=(0, 2))
    expected = np.abs(forecast).mean(axis=1)
    for rows in (*hierarchy.rows.values(), slice(hierarchy.aggregates, None)):
        expected[rows] *= squares[rows].sum() / max(volume[rows].sum(), TINY)
    return (squares + PRIOR_DAYS * expected) / (known.sum(axis=(0, 2)) + PRIOR_DAYS)


def _check_rows(hierarchy: Hierarchy, **arrays: FloatArray) -> None:
    for name, values in arrays.items():
        if len(values) != hierarchy.nodes or not np.isfinite(values).all():
            raise ValueError(
                f"{name} has shape {values.shape}: pass finite values with one row for each of {hierarchy.nodes} nodes"
            )


@dataclass(frozen=True, eq=False)
class _Equations:
    """The equations of the multipliers, for all days ahead at once."""

    hierarchy: Hierarchy
    variances: FloatArray

    @property
    def of_aggregates(self) -> FloatArray:
        return self.variances[: self.hierarchy.aggregates, None]

    @property
    def of_series(self) -> FloatArray:
        return self.variances[self.hierarchy.aggregates :, None]

    @cached_property
    def factorised(self) -> linalg.SuperLU | None:
        """W_a + A W_b A' with all series free, factorised; None where levels cross so much that it may be dense."""
        sizes = [level.nodes for level in self.hierarchy.levels]
        if not sizes or sum(sizes) - max(sizes) > MOST_CROSSING_NODES:
            return None
        weighted = sparse.csr_array(self.hierarchy.summing * self.of_series[:, 0])
        matrix = sparse.diags_array(self.of_aggregates[:, 0]) + weighted @ self.hierarchy.spreading
        return linalg.splu(
            matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )

    def answer(self, series: FloatArray, multipliers: FloatArray) -> FloatArray:
        """What the multipliers make of the series: b̂ + W_b A'x."""
        return series + self.of_series * (self.hierarchy.spreading @ multipliers)

    def solved(
        self, aggregates: FloatArray, series: FloatArray, is_free: BoolArray, multipliers: FloatArray
    ) -> FloatArray:
        """The multipliers where the series that are not free are 0, by conjugate gradients from a first guess."""
        summing, spreading = self.hierarchy.summing, self.hierarchy.spreading
        weights = np.where(is_free, self.of_series, 0.0)
        diagonal = self.of_aggregates + summing @ weights
        wanted = aggregates - summing @ np.where(is_free, series, 0.0)
        enough = TOLERANCE * np.maximum(_norm(wanted, diagonal), TINY)

        def applied(values: FloatArray) -> FloatArray:
            return self.of_aggregates * values + summing @ (weights * (spreading @ values))

        def preconditioned(values: FloatArray) -> FloatArray:
            return values / diagonal if self.factorised is None else self.factorised.solve(values)

        residual = wanted - applied(multipliers)
        direction = steepest = preconditioned(residual)
        size = (residual * steepest).sum(axis=0)
        for _ in range(MOST_STEPS):
            if (_norm(residual, diagonal) <= enough).all():
                return multipliers
            curved = applied(direction)
            length = size / np.maximum((direction * curved).sum(axis=0), TINY)
            multipliers = multipliers + length * direction
            residual = residual - length * curved
            steepest = preconditioned(residual)
            former, size = size, (residual * steepest).sum(axis=0)
            direction = steepest + size / np.maximum(former, TINY) * direction
        raise RuntimeError(f"no answer after {MOST_STEPS} steps: pass variances of less different sizes")

    def positive(self, aggregates: FloatArray, series: FloatArray, multipliers: FloatArray) -> FloatArray:
        """The best series that are nowhere negative, from the multipliers of those that may be."""
        for _ in range(MOST_ROUNDS):
            is_free = self.answer(series, multipliers) > 0
            aim = self.solved(aggregates, series, is_free, multipliers)
            multipliers = self._descended(aggregates, series, multipliers, aim)
            answer = self.answer(series, multipliers)
            if not (((answer > 0) != is_free) & (np.abs(answer) > CHANGED)).any():
                return np.maximum(answer, 0.0)
        raise RuntimeError(f"no non-negative answer after {MOST_ROUNDS} rounds: use sign='clipped'")

    def _descended(
        self, aggregates: FloatArray, series: FloatArray, multipliers: FloatArray, aim: FloatArray
    ) -> FloatArray:
        """On the way to `aim`, day by day, the farthest of 1, 1/2, 1/4 … of it that raises the dual nowhere."""
        before, step = self._dual(aggregates, series, multipliers), aim - multipliers
        share = np.ones(step.shape[1])
        for _ in range(MOST_HALVINGS):
            reached = multipliers + share * step
            is_higher = self._dual(aggregates, series, reached) > before + 1e-12 * np.abs(before)
            if not is_higher.any():
                break
            share[is_higher] /= 2
        return reached

    def _dual(self, aggregates: FloatArray, series: FloatArray, multipliers: FloatArray) -> FloatArray:
        """The convex function of the multipliers whose slope is W_a x + A max(b̂ + W_b A'x, 0) - Â, for each day."""
        positive = np.maximum(self.answer(series, multipliers), 0.0)
        own = 0.5 * self.of_aggregates * multipliers**2 - aggregates * multipliers
        return own.sum(axis=0) + (0.5 * positive**2 / self.of_series).sum(axis=0)


def _norm(values: FloatArray, diagonal: FloatArray) -> FloatArray:
    return np.sqrt((values**2 / diagonal).sum(axis=0))

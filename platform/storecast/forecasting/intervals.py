"""Quantiles from stored back-test errors: scaled by series, pooled by class, days ahead and size of the forecast.

The error of a forecast of `mean` units is taken to grow like its root, as for counts: z = (units - mean) / (spread ×
√mean), where a series' spread is its mean absolute error over its mean √forecast, drawn to its class's where it has few
sales. Quantiles of z are read from all series of a class at like horizon and like forecast, so they follow the data's
shape – skew, many zeros – and no distribution is assumed. They are read for an origin that is not among the back-tested
ones, which are few and miss each as a whole (`origin_shifts`). No model is refitted.

Where all units are whole, quantiles are whole too, as those of counts are: units are spread evenly over [y - ½, y + ½)
before z is taken, and a quantile of what is then continuous is rounded (Machado and Santos Silva 2005, Quantiles for
counts: there over [y, y + 1)). Without it the 50 % quantile of a product that sells nothing on four of five days would
be a tenth of a piece, and that of one a little faster a tenth more, instead of 0 for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.origin_shifts import widening

FloatArray = npt.NDArray[np.float64]
TextArray = npt.NDArray[np.object_]

EVERY_CLASS: Final = "all"
HORIZON_EDGES: Final = (7, 14, 28)
"""Last day of each horizon bucket but the last, which has no end."""
PRIOR_ROOTS: Final = 20.0
"""How much of the class goes into a series' spread, in sums of √mean: weighs as twenty days of one unit each."""
LEAST_UNITS: Final = 0.02
"""Added to each mean under the root: a forecast of nothing may be wrong too."""
ROWS_A_BIN: Final = 400
MOST_BINS: Final = 6
GOLDEN: Final = (5**0.5 - 1) / 2
STEP: Final = "step"


@dataclass(frozen=True, eq=False)
class Pool:
    """Quantiles of z for forecasts of at least `from_units`: `z` has one row a lower edge and one column an alpha."""

    from_units: FloatArray
    z: FloatArray


@dataclass(frozen=True, eq=False)
class IntervalScales:
    """What turns means into quantiles: pools by (class, first day of the bucket), spreads by class and series.

    `step` is 1 where units are whole numbers, and so are quantiles; else 0.
    """

    alphas: tuple[float, ...]
    pools: dict[tuple[str, int], Pool]
    class_spreads: dict[str, float]
    series_spreads: FloatArray
    step: float = 0.0

    def quantiles(self, mean: FloatArray, classes: TextArray, spreads: FloatArray) -> FloatArray:
        """Quantiles of each series' units, (series, horizon, alphas), from means (series, horizon).

        `spreads` are the series' own, NaN where there is none: then the class's counts. Never negative, rising in
        alpha.
        """
        own = np.array([self.class_spreads.get(name, self.class_spreads[EVERY_CLASS]) for name in classes], np.float64)
        width = np.where(np.isnan(spreads), own, spreads)[:, None] * np.sqrt(mean + LEAST_UNITS)
        z = np.empty((*mean.shape, len(self.alphas)))
        buckets = horizon_buckets(np.arange(1, mean.shape[1] + 1))
        for name in np.unique(classes.astype(str)):
            rows = np.flatnonzero(classes == name)
            for bucket in np.unique(buckets):
                columns = np.flatnonzero(buckets == bucket)
                pool = self._pool(name, int(bucket))
                block = mean[np.ix_(rows, columns)]
                bins = np.maximum(np.searchsorted(pool.from_units, block, side="right") - 1, 0)
                z[np.ix_(rows, columns)] = pool.z[bins]
        quantiles = mean[:, :, None] + z * width[:, :, None]
        if self.step:
            quantiles = np.ceil(quantiles - self.step / 2)
        return np.maximum.accumulate(np.maximum(quantiles, 0.0), axis=2)

    def _pool(self, name: str, bucket: int) -> Pool:
        """The pool of a class at a horizon; where there is none, of the nearest earlier one, then of all classes."""
        for candidate in (name, EVERY_CLASS):
            starts = [start for its_class, start in self.pools if its_class == candidate and start <= bucket]
            if starts:
                return self.pools[candidate, max(starts)]
        raise ValueError(f"no back-test errors for a horizon that begins at day {bucket}: back-test that horizon")


def horizon_buckets(steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The first day of the bucket that each day ahead is in.

    >>> horizon_buckets(np.array([1, 7, 8, 28, 29, 90]))
    array([ 1,  1,  8, 15, 29, 29])
    """
    firsts = np.array([1, *(edge + 1 for edge in HORIZON_EDGES)])
    return firsts[np.searchsorted(np.array(HORIZON_EDGES), steps, side="left")]


def fit_interval_scales(
    actual: FloatArray, mean: FloatArray, classes: TextArray, alphas: Sequence[float] = c.QUANTILES
) -> IntervalScales:
    """Learn spreads and pools from back-tests.

    `actual` and `mean` are (origins, series, horizon), `classes` is (origins, series).
    Days where either is NaN do not count. Raises `ValueError` where none counts.
    """
    known = ~(np.isnan(actual) | np.isnan(mean))
    if not known.any():
        raise ValueError("actual and mean have no day in common that is not NaN: back-test at least one origin")
    error, root = (
        np.where(known, np.abs(actual - mean), 0.0),
        np.where(known, np.sqrt(np.nan_to_num(mean) + LEAST_UNITS), 0.0),
    )
    names = [name for name in np.unique(classes.astype(str)) if name]
    spreads = {name: _spread(error[classes == name].sum(), root[classes == name].sum()) for name in names}
    spreads[EVERY_CLASS] = _spread(error.sum(), root.sum())
    class_of_series = np.array([spreads.get(name, spreads[EVERY_CLASS]) for name in classes[-1]])
    own_root = root.sum(axis=(0, 2))
    series_spreads = (error.sum(axis=(0, 2)) + PRIOR_ROOTS * class_of_series) / (own_root + PRIOR_ROOTS)
    width = series_spreads[None, :, None] * root
    counted = known & (width > 0)
    units = actual[counted]
    step = float((units == np.round(units)).all())
    z = (units + step * evenly_spread(len(units)) - mean[counted]) / width[counted]
    return IntervalScales(
        alphas=tuple(alphas),
        pools=_pools(z, mean[counted], counted, classes, names, tuple(alphas)),
        class_spreads=spreads,
        series_spreads=series_spreads,
        step=step,
    )


def evenly_spread(number: int) -> FloatArray:
    """So many numbers in [-½, ½), any run of them spread evenly: multiples of the golden ratio, the same at each call.

    >>> np.sort(evenly_spread(5)).round(2)
    array([-0.5 , -0.26, -0.03,  0.12,  0.35])
    """
    return np.mod(np.arange(number, dtype=np.float64) * GOLDEN, 1.0) - 0.5


def _spread(error: float, root: float) -> float:
    return float(error / root) if root > 0 else 0.0


def _pools(
    z: FloatArray, mean: FloatArray, counted: npt.NDArray[np.bool_], classes: TextArray, names: list[str],
    alphas: tuple[float, ...],
) -> dict[tuple[str, int], Pool]:  # fmt: skip
    origin, series, step = np.nonzero(counted)
    bucket, its_class = horizon_buckets(step + 1), classes[origin, series]
    pools = {}
    for start in np.unique(bucket):
        of_bucket = bucket == start
        for name in (*names, EVERY_CLASS):
            rows = of_bucket if name == EVERY_CLASS else of_bucket & (its_class == name)
            if rows.any():
                wider = widening(z[rows], origin[rows], alphas)
                pools[name, int(start)] = _pool(z[rows], mean[rows], alphas, wider)
    if not pools:
        pools[EVERY_CLASS, 1] = Pool(np.zeros(1), np.zeros((1, len(alphas))))
    return pools


def _pool(z: FloatArray, mean: FloatArray, alphas: tuple[float, ...], wider: FloatArray) -> Pool:
    """Quantiles of z in bins of equal number by size of the forecast, so many times farther from the median."""
    bins = int(np.clip(len(z) // ROWS_A_BIN, 1, MOST_BINS))
    edges = np.unique(np.quantile(mean, np.arange(bins) / bins))
    place = np.maximum(np.searchsorted(edges, mean, side="right") - 1, 0)
    found = np.stack([np.quantile(z[place == number], (*alphas, 0.5)) for number in range(len(edges))])
    median = found[:, -1:]
    return Pool(edges, median + wider * (found[:, :-1] - median))


def residual_quantiles(
    mean: FloatArray, actuals: FloatArray, forecasts: FloatArray, alphas: Sequence[float]
) -> FloatArray:
    """Quantiles around `mean` (series, horizon) from errors (origins, series, horizon), all series one class."""
    classes = np.full(actuals.shape[:2], EVERY_CLASS, dtype=object)
    if not actuals.size or np.isnan(forecasts).all():
        return np.repeat(mean[:, :, None], len(alphas), axis=2)
    scales = fit_interval_scales(actuals, forecasts, classes, alphas)
    return scales.quantiles(np.maximum(mean, 0.0), classes[-1], scales.series_spreads)


def scales_table(scales: IntervalScales, keys: pd.MultiIndex, training_id: str) -> pd.DataFrame:
    """Interval scales as the rows of `ops.interval_scales`; `keys` names the series of the spreads."""
    pools = [
        {
            c.SCOPE: "pool",
            c.DEMAND_CLASS: name,
            c.FROM_DAY: start,
            c.FROM_UNITS: edge,
            c.QUANTILE: alpha,
            c.VALUE: value,
        }
        for (name, start), pool in scales.pools.items()
        for edge, values in zip(pool.from_units, pool.z, strict=True)
        for alpha, value in zip(scales.alphas, values, strict=True)
    ]
    classes = [
        {c.SCOPE: "class", c.DEMAND_CLASS: name, c.VALUE: spread} for name, spread in scales.class_spreads.items()
    ]
    step = {c.SCOPE: STEP, c.VALUE: scales.step}
    series = pd.DataFrame({c.SCOPE: "series", c.VALUE: scales.series_spreads}).assign(
        **{c.PRODUCT_ID: keys.get_level_values(0), c.CHANNEL: keys.get_level_values(1)}
    )
    table = pd.concat([pd.DataFrame(pools), pd.DataFrame([*classes, step]), series], ignore_index=True)
    columns = c.IntervalScales.to_schema().columns
    table = table.reindex(columns=list(columns)).assign(**{c.TRAINING_ID: training_id})
    texts = [name for name, column in columns.items() if str(column.dtype) == "str"]
    numbers = [name for name in columns if name not in texts]
    table[texts] = table[texts].astype(object).where(table[texts].notna(), None)
    return table.astype(dict.fromkeys(numbers, np.float64))


def scales_from_table(table: pd.DataFrame, keys: pd.MultiIndex) -> tuple[IntervalScales, FloatArray]:
    """The scales that `scales_table` wrote, and the spreads of the series of `keys`, NaN for those it lacks.

    Raises `ValueError` where the table holds no pool.
    """
    pools, classes, series = (table[table[c.SCOPE] == scope] for scope in ("pool", "class", "series"))
    if pools.empty:
        raise ValueError("interval_scales has no row with scope 'pool': pass the scales of the champions' training")
    alphas = tuple(sorted(pools[c.QUANTILE].unique()))
    spread_of = series.set_index([c.PRODUCT_ID, c.CHANNEL])[c.VALUE]
    spreads = spread_of.reindex(keys).to_numpy(np.float64)
    scales = IntervalScales(
        alphas=alphas,
        pools={
            (str(name), int(start)): _pool_from_rows(rows)
            for (name, start), rows in pools.groupby([c.DEMAND_CLASS, c.FROM_DAY])
        },
        class_spreads=dict(zip(classes[c.DEMAND_CLASS], classes[c.VALUE].astype(float), strict=True)),
        series_spreads=spreads,
        step=float(table.loc[table[c.SCOPE] == STEP, c.VALUE].sum()),
    )
    return scales, spreads


def _pool_from_rows(rows: pd.DataFrame) -> Pool:
    z = rows.pivot_table(index=c.FROM_UNITS, columns=c.QUANTILE, values=c.VALUE).sort_index().sort_index(axis=1)
    return Pool(z.index.to_numpy(np.float64), z.to_numpy(np.float64))

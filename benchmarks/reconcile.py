"""M5's 42,840 nodes made to add up: means and nine quantiles, never negative; against hierarchicalforecast.

Base forecasts, made beforehand: window averages of the item-stores, the theta method for every sum of them. Errors come
of three origins before the one that is forecast, and choose between bottom-up and reconciliation. The peer gets the
same base forecasts and variances and makes means alone, of the first day, since it takes minutes for all: its time is
multiplied up to them; its imports are not counted.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from scipy import sparse

from benchmarks.m5 import EARLIER_ORIGINS
from benchmarks.m5_data import FIRST_DAY, HORIZON, OFFICIAL_ORIGIN, OfficialScore, m5_panel
from benchmarks.measuring import Measured, measure
from benchmarks.rows import Row
from storecast.forecasting import contracts as c
from storecast.forecasting.baselines import SeasonalWindowAverage
from storecast.forecasting.hierarchy import Hierarchy, aggregate_panel, hierarchy_of
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.reconciled_forecaster import CoherentForecast, coherent_forecast
from storecast.forecasting.reconciliation import (
    LEAST_VARIANCE,
    Sign,
    error_variances,
    minimum_trace,
    structural_variances,
)
from storecast.forecasting.reconciliation_choice import BaseBacktests, Loss, completed
from storecast.forecasting.theta import Theta

SHORT_ITEMS: Final = 20
ORIGINS_BEFORE: Final = 3
ALPHAS: Final = (0.005, 0.025, 0.165, 0.25, 0.5, 0.75, 0.835, 0.975, 0.995)
LEVELS: Final[tuple[tuple[str, ...], ...]] = (
    (),
    ("state",),
    (c.CHANNEL,),
    (c.CATEGORY,),
    ("department",),
    ("state", c.CATEGORY),
    ("state", "department"),
    (c.CHANNEL, c.CATEGORY),
    (c.CHANNEL, "department"),
    (c.PRODUCT_ID,),
    (c.PRODUCT_ID, "state"),
)
"""The official levels above the item-stores, in their order."""
MOST_SECONDS: Final = 20.0
MOST_GIGABYTES: Final = 3.0
MOST_INCOHERENCE: Final = 1e-6
MOST_RATIO: Final = 1.005
PEER_CASES: Final[tuple[tuple[str, Sign], ...]] = (
    ("ols", "any"), ("wls_struct", "any"), ("wls_struct", "optimal"),
    ("wls_var", "any"), ("wls_var", "clipped"), ("wls_var", "optimal"),
)  # fmt: skip
PEERS_DAYS: Final = 1
"""How many days the peer is asked for."""
OFFICIAL_NODES: Final = 42_840
PEERS_LEAST_VARIANCE: Final = 1e-6
"""Theirs refuses variances below 1e-8."""


def run(*, is_short: bool) -> list[Row]:
    """Cost at the official origin, accuracy there and at three before it, and the peer's methods beside ours."""
    panel = m5_panel(OFFICIAL_ORIGIN + HORIZON, SHORT_ITEMS if is_short else None)
    panel = replace(panel, drivers={c.UNIT_PRICE: panel.drivers[c.UNIT_PRICE]}, event_names=())
    hierarchy = hierarchy_of(panel.statics, LEVELS)
    scored = (OFFICIAL_ORIGIN,) if is_short else (*EARLIER_ORIGINS, OFFICIAL_ORIGIN)
    origins = sorted({origin - step * HORIZON for origin in scored for step in range(ORIGINS_BEFORE + 1)})
    forecasting = measure(base_forecasts, panel, origins)
    base: dict[int, FloatArray] = forecasting.result
    rows: list[Row] = []
    for origin in scored:
        known, backtests = known_at(panel, hierarchy, base, origin)
        ours = measure(reconciled, known, backtests, base[origin])
        rows.append(accuracy_row(panel, base[origin], ours.result[0], origin))
    rows += cost_rows(ours, forecasting, len(origins))
    rows += property_rows(panel, *ours.result)
    cases = PEER_CASES[-1:] if is_short else PEER_CASES
    return rows + peer_rows(backtests, base[OFFICIAL_ORIGIN], cases)


def known_at(
    panel: Panel, hierarchy: Hierarchy, base: dict[int, FloatArray], origin: int
) -> tuple[Panel, BaseBacktests]:
    """The panel as known at an origin, and the back-tests of the origins before it."""
    before = [origin - step * HORIZON for step in range(ORIGINS_BEFORE, 0, -1)]
    forecasts = np.stack([base[earlier] for earlier in before])
    actual = np.stack([hierarchy.totals(days_after(panel, earlier)) for earlier in before])
    known = days_until(panel, origin)
    return known, BaseBacktests(hierarchy, np.where(np.isnan(forecasts), np.nan, actual), forecasts)


def days_until(panel: Panel, origin: int) -> Panel:
    """All series up to a day: those that had not begun are NaN throughout."""
    days = origin - FIRST_DAY + 1
    drivers = {name: driver[:, :days] for name, driver in panel.drivers.items()}
    return replace(panel, times=panel.times[:days], units=panel.units[:, :days], drivers=drivers)


def days_after(panel: Panel, origin: int) -> FloatArray:
    """What was sold in the days after an origin, NaN for series that had not begun at it."""
    days = origin - FIRST_DAY + 1
    return np.where((panel.first_day < days)[:, None], panel.units[:, days : days + HORIZON], np.nan)


def base_forecasts(panel: Panel, origins: list[int]) -> dict[int, FloatArray]:
    """Base forecasts of all nodes from each origin, (nodes, horizon); NaN where a node had not begun."""
    sums = aggregate_panel(panel, hierarchy_of(panel.statics, LEVELS))
    return {
        origin: np.concatenate(
            [
                forecast_begun(Theta(form="dynamic_optimized"), days_until(sums, origin)),
                forecast_begun(SeasonalWindowAverage(), days_until(replace(panel, drivers={}), origin)),
            ]
        )
        for origin in origins
    }


def forecast_begun(forecaster: Any, panel: Panel) -> FloatArray:
    """Forecasts of the series that had begun, NaN of the others."""
    forecast = np.full((len(panel.keys), HORIZON), np.nan)
    rows = np.flatnonzero(~np.isnan(panel.units[:, -1]))
    forecast[rows] = forecaster.fit_panel(panel.take(rows)).predict_panel(HORIZON)
    return forecast


def reconciled(panel: Panel, backtests: BaseBacktests, base: FloatArray) -> tuple[CoherentForecast, FloatArray]:
    """What is measured: the choice, coherent means of all nodes, and their quantiles."""
    coherent = coherent_forecast(panel, backtests, base)
    return coherent, coherent.quantiles(ALPHAS)


def score(panel: Panel, hierarchy: Hierarchy, origin: int, forecast: FloatArray) -> float:
    """The official WRMSSE of forecasts of the series; on a part of the items, the same by their own weights."""
    actual = np.nan_to_num(panel.units[:, origin - FIRST_DAY + 1 :][:, :HORIZON])
    if hierarchy.nodes == OFFICIAL_NODES:
        return OfficialScore.load(panel.keys).total(actual, forecast)
    known = days_until(panel, origin)
    loss = Loss.of(hierarchy, known.units, np.nansum(known.units[:, -HORIZON:], axis=1))
    return float(loss(hierarchy.totals(actual)[None], hierarchy.totals(forecast)[None])[0])


def accuracy_row(panel: Panel, base: FloatArray, coherent: CoherentForecast, origin: int) -> Row:
    """WRMSSE of what was chosen, bottom-up's beside it."""
    hierarchy, chosen = coherent.hierarchy, coherent.reconciliation
    bottom_up = np.nan_to_num(base[hierarchy.aggregates :])
    ours = score(panel, hierarchy, origin, coherent.mean[hierarchy.aggregates :])
    what = f"WRMSSE d_{origin + 1}-{origin + HORIZON}, chosen {chosen.share:g} of {chosen.method}; peer: bottom-up"
    return Row(what, "-", ours, score(panel, hierarchy, origin, bottom_up), bound=MOST_RATIO, of="ratio")


def cost_rows(ours: Measured, forecasting: Measured, origins: int) -> list[Row]:
    """Time and memory of choice, means and quantiles from base forecasts; and what the base forecasts cost."""
    return [
        Row("choice, means and nine quantiles of all nodes: wall", "s", ours.wall_seconds, bound=MOST_SECONDS),
        Row("the same: CPU", "s", ours.cpu_seconds),
        Row("the same: peak memory", "GB", ours.peak_gb, bound=MOST_GIGABYTES),
        Row(f"base forecasts of all nodes, one of {origins} origins: wall", "s", forecasting.wall_seconds / origins),
    ]


def property_rows(panel: Panel, coherent: CoherentForecast, quantiles: FloatArray) -> list[Row]:
    """Sums, signs and order; and how far from its share each quantile is, over the days of all nodes of a level."""
    hierarchy, mean = coherent.hierarchy, coherent.mean
    gap = np.abs(mean - hierarchy.totals(mean[hierarchy.aggregates :])).max()
    matrix = np.abs(mean[: hierarchy.aggregates] - hierarchy.summing @ mean[hierarchy.aggregates :]).max()
    actual = hierarchy.totals(days_after(panel, OFFICIAL_ORIGIN))
    rows = [
        Row("largest gap between a node and the sum of its series", "units", max(gap, matrix), bound=MOST_INCOHERENCE),
        Row("least mean", "units", float(mean.min()), bound=0.0, is_floor=True),
        Row("least quantile", "units", float(quantiles.min()), bound=0.0, is_floor=True),
        Row("least step from a quantile to the next", "units", float(np.diff(quantiles, axis=2).min()), bound=0.0,
            is_floor=True),
    ]  # fmt: skip
    levels = {**hierarchy.rows, "item-store": slice(hierarchy.aggregates, None)}
    for name in ("total", "channel × department", "item-store"):
        farthest = max(misses(actual[levels[name]], quantiles[levels[name]]))
        rows.append(Row(f"a quantile's coverage misses its share by, worst of nine: {name}", "points", 100 * farthest))
    return rows


def misses(actual: FloatArray, quantiles: FloatArray) -> list[float]:
    """How far the share of days below each quantile is from what it should be, in parts of 1.

    Units are whole: a quantile of 0 is right where at most its share of days is below and at least its share is not
    above it.
    """
    found = []
    for place, alpha in enumerate(ALPHAS):
        below, not_above = (actual < quantiles[..., place]).mean(), (actual <= quantiles[..., place]).mean()
        found.append(float(max(below - alpha, alpha - not_above, 0.0)))
    return found


def peer_rows(backtests: BaseBacktests, base: FloatArray, cases: Sequence[tuple[str, Sign]]) -> list[Row]:
    """Each method of both, any sign and none negative, on the same base forecasts and variances."""
    hierarchy = backtests.hierarchy
    complete = np.maximum(completed(hierarchy, base), 0.0)  # theirs clips base forecasts first where none is negative
    variances = error_variances(hierarchy, backtests.actual, backtests.base, complete)
    least = max(PEERS_LEAST_VARIANCE, LEAST_VARIANCE * float(variances.mean()))
    weights = {
        "ols": np.ones(hierarchy.nodes),
        "wls_struct": structural_variances(hierarchy),
        "wls_var": np.maximum(variances, least),
    }
    rows: list[Row] = []
    for method, sign in cases:
        its_weights, days = weights[method], PEERS_DAYS
        ours = measure(our_minimum_trace, hierarchy, complete, its_weights, sign)
        theirs = measure(their_minimum_trace, hierarchy, complete[:, :days], its_weights, method, sign)
        both = ours.result[:, :days], theirs.result
        least_squares = [squares(hierarchy, complete[:, :days], its_weights, series) for series in both]
        what = f"{method}, sign {sign}, means alone"
        of_days = f", day {days} of {HORIZON}"
        rows += [
            Row(f"{what}: wall", "s", ours.wall_seconds, theirs.wall_seconds * HORIZON / days),
            Row(f"{what}: peak memory", "GB", ours.peak_gb, theirs.peak_gb),
            Row(f"{what}: largest difference to the peer's{of_days}", "units", float(np.abs(both[0] - both[1]).max())),
            Row(f"{what}: weighted squares to be least{of_days}", "-", least_squares[0], least_squares[1]),
        ]
    return rows


def squares(hierarchy: Hierarchy, base: FloatArray, variances: FloatArray, series: FloatArray) -> float:
    """What the methods make least: squared changes of the base forecasts over their variances."""
    return float(((base - hierarchy.totals(series)) ** 2 / variances[:, None]).sum())


def our_minimum_trace(hierarchy: Hierarchy, base: FloatArray, variances: FloatArray, sign: Sign) -> FloatArray:
    """Ours: the series' forecasts."""
    return minimum_trace(hierarchy, base, variances, sign)


def their_minimum_trace(
    hierarchy: Hierarchy, base: FloatArray, variances: FloatArray, method: str, sign: Sign
) -> FloatArray:
    """hierarchicalforecast's: variances reach it as two residuals a node whose variance they are."""
    from hierarchicalforecast.methods import MinTraceSparse  # noqa: PLC0415  (the peer's import is not ours)

    residual = 1.0 + np.sqrt(variances / 2)[:, None] * [1.0, -1.0]  # a mean of 0 would be refused
    summing = sparse.csr_matrix(sparse.vstack([hierarchy.summing, sparse.eye_array(hierarchy.series)]))
    peer = MinTraceSparse(method, nonnegative=sign != "any", qp=sign == "optimal", num_threads=2)
    answer = peer.fit_predict(S=summing, y_hat=base, y_insample=residual, y_hat_insample=np.zeros_like(residual))
    return np.asarray(answer["mean"])[hierarchy.aggregates :]

"""A back-test of 6 origins by 8 cheap models on every series of M5, with all metrics, stored and read back.

The peer is statsforecast's cross-validation with utilsforecast's metrics, on a sample of series with full history and
as many processes as there are cores; its times are multiplied up to all series. It stores nothing and scores no level.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsforecast import StatsForecast, models
from utilsforecast.evaluation import evaluate
from utilsforecast.losses import bias, mae, mase, rmsse

from benchmarks.cheap import long_frame
from benchmarks.m5_data import HORIZON, OFFICIAL_ORIGIN, m5_panel
from benchmarks.measuring import measure, timed
from benchmarks.rows import Row
from storecast.forecasting import contracts as c
from storecast.forecasting.accuracy import forecast_accuracy
from storecast.forecasting.backtest import (
    READ_COLUMNS,
    SEASON,
    BacktestPlan,
    Backtests,
    backtest,
    backtests_from_table,
    backtests_table,
    model_scores,
)
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.registry import EVERY_CLASS, REGISTRY
from storecast.forecasting.selection import choose_champions
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.database import Warehouse

PLAN: Final = BacktestPlan(HORIZON, selection_origins=4, evaluation_origins=2)
ORIGINS: Final = PLAN.selection_origins + PLAN.evaluation_origins
MODELS: Final[dict[str, Any]] = {
    "seasonal_naive": models.SeasonalNaive(SEASON),
    "historic_average": models.HistoricAverage(),
    "ses": models.SimpleExponentialSmoothing(0.1),
    "croston": models.CrostonClassic(),
    "sba": models.CrostonSBA(),
    "tsb": models.TSB(0.1, 0.05),
    "adida": models.ADIDA(),
    "standard_theta": models.Theta(SEASON),
}
SPECS: Final = tuple(replace(REGISTRY[name], classes=EVERY_CLASS) for name in MODELS)
SHORT_ITEMS: Final = 5
SAMPLE: Final = 1000
SHORT_SAMPLE: Final = 50
MOST_MINUTES: Final = 20.0
MOST_DIFFERENCE: Final = 1e-9
STEPS: Final = (
    "forecasts",
    "metrics of each series",
    "choice of champions",
    "metrics of all levels",
    "storing",
    "reading",
)


def run(*, is_short: bool) -> list[Row]:
    """Ours on all series and the peer on a sample, the numbers of both compared."""
    panel = m5_panel(OFFICIAL_ORIGIN, SHORT_ITEMS if is_short else None)
    sample = full_sample(panel, SHORT_SAMPLE if is_short else SAMPLE)
    back_test(panel.take(sample[:20]))  # compiles what is not compiled
    ours = measure(back_test, panel, sample)
    theirs = measure(cross_validate, long_frame(panel.take(sample)))
    scale = len(panel.keys) / len(sample)
    seconds, forecasts = ours.result
    their_seconds, their_forecasts = theirs.result
    missed = max(float(np.abs(forecasts[name] - np.maximum(their_forecasts[name], 0.0)).max()) for name in MODELS)
    what = f"{ORIGINS} origins × {len(MODELS)} models × {len(panel.keys)} series"
    by_peer = f"statsforecast on {len(sample)} series, times {scale:.4g}"
    total = Row(
        f"{what}: wall time; {by_peer}", "min", ours.wall_seconds / 60, theirs.wall_seconds * scale / 60, MOST_MINUTES
    )
    return [
        total,
        Row(f"{what}: CPU time; {by_peer}", "min", ours.cpu_seconds / 60, theirs.cpu_seconds * scale / 60),
        Row(f"peak memory; statsforecast's is that of its {len(sample)} series", "GB", ours.peak_gb, theirs.peak_gb),
        Row(f"largest difference to statsforecast on {len(sample)} series", "units", missed, bound=MOST_DIFFERENCE),
        *(Row(f"wall time of {step}", "s", seconds[step], _scaled(their_seconds.get(step), scale)) for step in STEPS),
    ]


def _scaled(seconds: float | None, scale: float) -> float | None:
    return None if seconds is None else seconds * scale


def full_sample(panel: Panel, series: int) -> npt.NDArray[np.int64]:
    """Rows of series that began on the panel's first day, spread over all."""
    rows = np.flatnonzero(panel.first_day == 0)
    return rows[np.linspace(0, len(rows) - 1, series).astype(np.int64)]


def back_test(
    panel: Panel, sample: npt.NDArray[np.int64] | None = None
) -> tuple[dict[str, float], dict[str, FloatArray]]:
    """Seconds of each step of ours, and the forecasts of a sample of series: (origins, series, horizon)."""
    seconds: dict[str, float] = {}
    results: Backtests = _timed(seconds, STEPS[0], lambda: backtest(panel, SPECS, PLAN))
    _timed(seconds, STEPS[1], lambda: model_scores(results))
    policy = _timed(seconds, STEPS[2], lambda: choose_champions(results.of_split(c.SELECTION)))
    _timed(seconds, STEPS[3], lambda: forecast_accuracy(results, policy))
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder, "warehouse.duckdb"))
        _timed(seconds, STEPS[4], lambda: store(warehouse, results))
        _timed(seconds, STEPS[5], lambda: read(warehouse, panel))
    rows = slice(0) if sample is None else sample
    return seconds, {name: values[:, rows] for name, values in results.forecasts.items()}


def store(warehouse: Warehouse, results: Backtests) -> None:
    """Write the back-tests as `ops.backtests` is written."""
    warehouse.replace_table("ops.backtests", backtests_table(results), sql_types(c.Backtests))


def read(warehouse: Warehouse, panel: Panel) -> Backtests:
    """Read the back-tests as the selection reads them."""
    return backtests_from_table(warehouse.read_encoded(f"select {', '.join(READ_COLUMNS)} from ops.backtests"), panel)


def cross_validate(frame: pd.DataFrame) -> tuple[dict[str, float], dict[str, FloatArray]]:
    """Seconds of each step of the peer, and its forecasts: (origins, series, horizon)."""
    seconds: dict[str, float] = {}
    forecaster = StatsForecast(models=list(MODELS.values()), freq="D", n_jobs=os.cpu_count() or 1)
    found = _timed(
        seconds,
        STEPS[0],
        lambda: forecaster.cross_validation(df=frame, h=HORIZON, n_windows=ORIGINS, step_size=HORIZON),
    )
    _timed(seconds, STEPS[1], lambda: _their_metrics(found, frame))
    found = found.sort_values(["cutoff", "unique_id", "ds"])
    shape = (ORIGINS, -1, HORIZON)
    return seconds, {name: found[repr(model)].to_numpy().reshape(shape) for name, model in MODELS.items()}


def _their_metrics(found: pd.DataFrame, frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Four metrics of each series, origin and model."""
    measures: list[Callable[..., Any]] = [mae, bias, partial(mase, seasonality=SEASON), partial(rmsse, seasonality=1)]
    names = [repr(model) for model in MODELS.values()]
    return [
        evaluate(
            of_origin.drop(columns="cutoff"), metrics=measures, models=names, train_df=frame[frame["ds"] <= cutoff]
        )
        for cutoff, of_origin in found.groupby("cutoff")
    ]


def _timed[Result](seconds: dict[str, float], step: str, work: Callable[[], Result]) -> Result:
    result, seconds[step], _ = timed(work)
    return result

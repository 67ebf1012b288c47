"""What the cheap forecasters and their back-test cost from 1,000 to 100,000 series of M5: real ones, then replicated.

One process of one thread, kernels compiled and loaded before; the exponent is the slope of log seconds on log series.
"""

import time
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
import psutil

from benchmarks.backtest import SPECS
from benchmarks.m5_data import HORIZON, OFFICIAL_ORIGIN, m5_panel
from benchmarks.measuring import Measured, measure
from benchmarks.rows import GIGABYTE, Row
from storecast.forecasting import contracts as c
from storecast.forecasting.backtest import BacktestPlan, backtest, model_scores
from storecast.forecasting.panel import Panel

SIZES: Final = (1_000, 10_000, 30_490, 100_000)
SHORT_SIZES: Final = (250, 1_000, 4_000)
SHORT_ITEMS: Final = 20
WARM_UP_SERIES: Final = 20
MOST_EXPONENT: Final = 1.05
PLAN: Final = BacktestPlan(HORIZON, selection_origins=1, evaluation_origins=1)


def run(*, is_short: bool) -> list[Row]:
    """Each size in a process of its own, from the smallest on."""
    panel = replace(m5_panel(OFFICIAL_ORIGIN, SHORT_ITEMS if is_short else None), drivers={}, event_names=())
    sizes = SHORT_SIZES if is_short else SIZES
    swapped = psutil.swap_memory().sout
    measured = [measure(seconds_of, resized(panel, size)) for size in sizes]
    rows = [row for size, one in zip(sizes, measured, strict=True) for row in _rows(size, one)]
    for place, what in enumerate(("forecasts of 8 models", "back-test of 2 origins by 8 models")):
        slope = exponent(sizes, [one.result[place] for one in measured])
        rows.append(Row(f"{what}: exponent of CPU time over series", "-", slope, bound=MOST_EXPONENT))
    memory = psutil.virtual_memory().total / GIGABYTE
    return [
        *rows,
        Row(f"peak memory of {sizes[-1]} series, within the machine's", "GB", measured[-1].peak_gb, bound=memory),
        Row("swapped out meanwhile", "GB", (psutil.swap_memory().sout - swapped) / GIGABYTE, bound=0.0),
    ]


def _rows(series: int, measured: Measured) -> list[Row]:
    forecasts, back_tests = measured.result
    return [
        Row(f"{series} series: forecasts of 8 models, CPU time", "s", forecasts),
        Row(
            f"{series} series: back-test of 2 origins by 8 models with scores of each series, CPU time", "s", back_tests
        ),
        Row(f"{series} series: peak memory", "GB", measured.peak_gb),
    ]


def exponent(sizes: tuple[int, ...], seconds: list[float]) -> float:
    """The slope of log seconds on log size by least squares.

    >>> round(exponent((10, 100, 1000), [1.0, 10.0, 100.0]), 3)
    1.0
    """
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def resized(panel: Panel, series: int) -> Panel:
    """So many series of a panel, spread over all; where it has fewer, they come again under another name."""
    count = len(panel.keys)
    rows = np.arange(series) % count if series > count else np.linspace(0, count - 1, series).astype(np.int64)
    taken, copy = panel.take(rows), np.arange(series) // count
    products = [f"{name} {number}" for name, number in zip(taken.keys.get_level_values(0), copy, strict=True)]
    keys = pd.MultiIndex.from_arrays([products, taken.keys.get_level_values(1)], names=panel.keys.names)
    return replace(taken, keys=keys, statics=taken.statics.assign(**{c.PRODUCT_ID: products}))


def seconds_of(panel: Panel) -> tuple[float, float]:
    """CPU seconds of all forecasts and of the back-test."""
    _forecast_and_back_test(panel.take(np.arange(WARM_UP_SERIES)))
    return _forecast_and_back_test(panel)


def _forecast_and_back_test(panel: Panel) -> tuple[float, float]:
    start = time.process_time()
    for spec in SPECS:
        spec.make(0, 1, HORIZON).fit_panel(panel).predict_panel(HORIZON)
    between = time.process_time()
    model_scores(backtest(panel, SPECS, PLAN))
    return between - start, time.process_time() - between

"""The cheap forecasters on every series of M5, 419 days, 28 ahead, against statsforecast and sktime's loop over series.

Ours is one process of one thread on the panel as a matrix; its kernels were compiled before, loading them is counted.
statsforecast gets the same matrix series by series in one process, and a long frame with as many processes as there are
cores: the faster of the two is the peer. It gets no series of fewer than 7 days, of which it forecasts nothing by some
of its models. Forecasts below zero count as zero on both sides.
"""

import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster
from sktime.forecasting.croston import Croston as SktimeCroston
from sktime.forecasting.naive import NaiveForecaster
from statsforecast import StatsForecast, models

from benchmarks.m5_data import HORIZON, OFFICIAL_ORIGIN, m5_panel
from benchmarks.measuring import measure, timed
from benchmarks.rows import Row
from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.baselines import HistoricAverage, SeasonalNaive
from storecast.forecasting.intermittent import ADIDA, TSB, Croston
from storecast.forecasting.panel import BoolArray, FloatArray, Panel
from storecast.forecasting.seasonality import seasonal_factors, without_season
from storecast.forecasting.smoothing import SimpleExponentialSmoothing
from storecast.forecasting.theta import Theta, error_of, least_squares, line_of

SHORT_ITEMS: Final = 5
SKTIME_SERIES: Final = 200
SHORT_SKTIME_SERIES: Final = 50
FEWEST_DAYS: Final = 7
MOST_SECONDS: Final = 2.0
MOST_RATIO: Final = 1.1
MOST_DIFFERENCE: Final = 1e-9
SEASON: Final = 7

Answer = tuple[FloatArray, float, float]
Pair = tuple[Callable[[], PanelForecaster], Callable[[], Any]]
CLOSED_FORM: Final[dict[str, Pair]] = {
    "seasonal naive": (SeasonalNaive, lambda: models.SeasonalNaive(SEASON)),
    "mean": (HistoricAverage, models.HistoricAverage),
    "SES": (SimpleExponentialSmoothing, lambda: models.SimpleExponentialSmoothing(0.1)),
    "Croston": (Croston, models.CrostonClassic),
    "SBA": (lambda: Croston(is_debiased=True), models.CrostonSBA),
    "TSB": (TSB, lambda: models.TSB(0.1, 0.05)),
}
SEARCHING: Final[dict[str, Pair]] = {
    "ADIDA": (ADIDA, models.ADIDA),
    "theta": (Theta, lambda: models.Theta(SEASON)),
    "SES, weight chosen": (lambda: SimpleExponentialSmoothing(None), models.SimpleExponentialSmoothingOptimized),
}
CONTENDERS: Final = CLOSED_FORM | SEARCHING
BY_SKTIME: Final[dict[str, Callable[[], BaseForecaster]]] = {
    "seasonal naive": lambda: NaiveForecaster(strategy="last", sp=SEASON),
    "Croston": lambda: SktimeCroston(smoothing=0.1),
}


def run(*, is_short: bool) -> list[Row]:
    """Each forecaster against statsforecast's, and two of them by sktime's own `fit` and `predict` against sktime's."""
    panel = replace(m5_panel(OFFICIAL_ORIGIN, SHORT_ITEMS if is_short else None), drivers={}, event_names=())
    compilation = _compilation(panel)
    ours = measure(each_of_ours, panel)
    taken = panel.days - panel.first_day >= FEWEST_DAYS
    one_by_one = measure(each_of_statsforecast, panel.units[taken])
    in_a_frame = measure(each_of_statsforecast, long_frame(panel.take(taken)))
    what = f"{len(panel.keys)} series, {taken.sum()} of them the peer's"
    rows = []
    for name in CONTENDERS:
        theirs = min(one_by_one.result[name], in_a_frame.result[name], key=lambda timed_: timed_[1])
        wall = _wall_row(f"{name}, {what}: wall time", name, ours.result[name], theirs)
        rows += [wall, *_other_rows(name, ours.result[name], theirs, taken, panel.units)]
    memory = Row("peak memory of all; statsforecast's one by one", "GB", ours.peak_gb, one_by_one.peak_gb)
    frame_memory = Row("peak memory of all; statsforecast's with a long frame", "GB", ours.peak_gb, in_a_frame.peak_gb)
    return [
        compilation,
        *rows,
        memory,
        frame_memory,
        *_against_sktime(panel, SHORT_SKTIME_SERIES if is_short else SKTIME_SERIES),
    ]


def _wall_row(what: str, name: str, ours: Answer, theirs: Answer) -> Row:
    if name in CLOSED_FORM:
        return Row(what, "s", ours[1], theirs[1], bound=MOST_SECONDS)
    return Row(what, "s", ours[1], theirs[1], bound=MOST_RATIO, of="ratio")


def _other_rows(name: str, ours: Answer, theirs: Answer, taken: BoolArray, units: FloatArray) -> list[Row]:
    missed = np.abs(ours[0][taken] - np.maximum(theirs[0], 0.0)).max(axis=1)
    differing = np.flatnonzero(missed > MOST_DIFFERENCE)
    rows = [
        Row(f"{name}: CPU time", "s", ours[2], theirs[2]),
        Row(f"{name}: largest difference to statsforecast", "units", float(missed.max()), bound=MOST_DIFFERENCE),
        Row(f"{name}: series that differ by more than {MOST_DIFFERENCE:g}", "series", float(len(differing))),
    ]
    return rows + _loss_rows(units[taken][differing]) if name == "theta" and len(differing) else rows


def _loss_rows(units: FloatArray) -> list[Row]:
    """On series whose forecasts by theta differ: whose search found the smaller error one day ahead."""
    losses, theirs = np.array([_theta_losses(row[~np.isnan(row)]) for row in units]).T
    least = np.minimum(losses, theirs)
    return [
        Row("theta: of them ours has the smaller squared error in sample", "series", float((losses < theirs).sum()),
            float((theirs < losses).sum())),
        Row("theta: of them at worst larger than the smaller one by, relative", "-", float((losses / least - 1).max()),
            float((theirs / least - 1).max())),
    ]  # fmt: skip


def _theta_losses(units: FloatArray) -> tuple[float, float]:
    """The scaled squared error one day ahead of a series, at our first level and smoothing and at statsforecast's."""
    factors, multiplies = seasonal_factors(units[None, :], SEASON)
    plain = without_season(units[None, :], factors, multiplies)[0]
    line = line_of(plain, False)
    found = models.Theta(SEASON).fit(units).model_["par"]
    theirs = np.array([found["initial_smoothed"], found["alpha"]])
    ours = least_squares(plain, line, False, len(theirs))
    return error_of(ours, plain, line, False), error_of(theirs, plain, line, False)


def _against_sktime(panel: Panel, series: int) -> list[Row]:
    """Both by sktime's `fit` and `predict`, its checks of the data included."""
    sample = np.linspace(0, len(panel.keys) - 1, series).astype(np.int64)
    ours = measure(each_by_sktime, {name: CONTENDERS[name][0]() for name in BY_SKTIME}, sktime_frame(panel)).result
    theirs = {name: make() for name, make in BY_SKTIME.items()}
    looped = measure(each_by_sktime, theirs, sktime_frame(panel.take(sample))).result
    scale = len(panel.keys) / series
    what = f"by sktime's fit and predict; sktime's own on {series} series, times {scale:g}"
    return [Row(f"{name} {what}: wall time", "s", ours[name], looped[name] * scale) for name in BY_SKTIME]


def _compilation(panel: Panel) -> Row:
    """What the first run after an installation pays once: all kernels compiled into an empty cache."""
    few = panel.take(np.arange(3))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder
        first = measure(each_of_ours, few)
        del os.environ["NUMBA_CACHE_DIR"]
    each_of_ours(few)  # where they are kept for the measurements
    return Row("compilation of all kernels, once an installation: CPU time", "s", first.cpu_seconds)


def each_of_ours(panel: Panel) -> dict[str, Answer]:
    """Our forecasts of a panel, (series, horizon), with seconds of the clock and of all cores."""
    return {
        name: timed(lambda make=ours: make().fit_panel(panel).predict_panel(HORIZON))
        for name, (ours, _) in CONTENDERS.items()
    }


def each_of_statsforecast(data: FloatArray | pd.DataFrame) -> dict[str, Answer]:
    """The same by statsforecast: series by series, or of a long frame over processes."""
    forecast = forecast_frame if isinstance(data, pd.DataFrame) else forecast_series
    return {name: timed(forecast, theirs(), data) for name, (_, theirs) in CONTENDERS.items()}


def forecast_series(model: Any, units: FloatArray) -> FloatArray:
    """What a model of statsforecast says of each row."""
    return np.stack([model.forecast(y=row[~np.isnan(row)], h=HORIZON)["mean"] for row in units])


def forecast_frame(model: Any, frame: pd.DataFrame) -> FloatArray:
    """What a model of statsforecast says of each series of a long frame, with a process a core."""
    forecast = StatsForecast(models=[model], freq="D", n_jobs=os.cpu_count() or 1).forecast(df=frame, h=HORIZON)
    return forecast[repr(model)].to_numpy(np.float64).reshape(-1, HORIZON)


def each_by_sktime(forecasters: Mapping[str, BaseForecaster], y: pd.DataFrame) -> dict[str, float]:
    """Seconds of each forecaster by sktime's public interface."""
    horizon = range(1, HORIZON + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a line for each series would be timed too
        return {name: timed(lambda own=one: own.fit(y, fh=horizon).predict())[1] for name, one in forecasters.items()}


def long_frame(panel: Panel) -> pd.DataFrame:
    """The panel as Nixtla's libraries take it, series in its order."""
    series, day = np.nonzero(~np.isnan(panel.units))
    return pd.DataFrame({"unique_id": series, "ds": panel.times.to_numpy()[day], "y": panel.units[series, day]})


def sktime_frame(panel: Panel) -> pd.DataFrame:
    """The panel as sktime takes it."""
    series, day = np.nonzero(~np.isnan(panel.units))
    index = pd.MultiIndex(
        levels=[np.arange(len(panel.keys)), panel.times], codes=[series, day], names=["series", panel.times.name]
    )
    return pd.DataFrame({"units": panel.units[series, day]}, index=index)

"""Back-tests over rolling origins: what each model would have said, knowing only what was known."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import Parallel, delayed

from storecast.forecasting import contracts as c
from storecast.forecasting import metrics
from storecast.forecasting.demand_classes import demand_classes
from storecast.forecasting.panel import FloatArray, IntArray, Panel
from storecast.forecasting.registry import REGISTRY, ModelSpec

SEASON = 7
Progress = Callable[[str], None]


@dataclass(frozen=True)
class BacktestPlan:
    """Origins one horizon apart; the newest are for evaluation alone, those before them choose the champions."""

    horizon: int = 28
    selection_origins: int = 3
    evaluation_origins: int = 2

    def origins(self, days: int) -> tuple[tuple[int, str], ...]:
        """(days of history, split) of each origin, oldest first; origins before two seasons of history are left out.

        Raises `ValueError` where not one origin of each split is left.

        >>> BacktestPlan(28, 1, 1).origins(100)
        ((44, 'selection'), (72, 'evaluation'))
        """
        number = self.selection_origins + self.evaluation_origins
        splits = [c.SELECTION] * self.selection_origins + [c.EVALUATION] * self.evaluation_origins
        all_origins = [(days - self.horizon * (number - place), split) for place, split in enumerate(splits)]
        kept = tuple((origin, split) for origin, split in all_origins if origin >= 2 * SEASON)
        if {split for _, split in kept} != {c.SELECTION, c.EVALUATION}:
            raise ValueError(
                f"{days} days of history are too few for a back-test with a horizon of {self.horizon} days: "
                f"load at least {self.horizon * (self.evaluation_origins + 1) + 2 * SEASON} days or shorten the horizon"
            )
        return kept


@dataclass(frozen=True, eq=False)
class Backtests:
    """Back-test results as arrays over (origin, series, day ahead); NaN where a series had not begun or no model ran.

    `classes` is (origin, series), "" where a series had not begun. `panel` is the whole panel the origins were cut
    from.
    """

    panel: Panel
    origins: tuple[tuple[int, str], ...]
    horizon: int
    actual: FloatArray
    classes: npt.NDArray[np.object_]
    forecasts: Mapping[str, FloatArray] = field(default_factory=dict)

    def of_split(self, split: str) -> "Backtests":
        """The back-tests of one split alone: nothing of the others can be reached from it but the panel's history."""
        places = [place for place, (_, its_split) in enumerate(self.origins) if its_split == split]
        return Backtests(
            panel=self.panel,
            origins=tuple(self.origins[place] for place in places),
            horizon=self.horizon,
            actual=self.actual[places],
            classes=self.classes[places],
            forecasts={model: values[places] for model, values in self.forecasts.items()},
        )


def backtest(
    panel: Panel,
    specs: Sequence[ModelSpec],
    plan: BacktestPlan,
    *,
    seed: int = 0,
    n_jobs: int = 1,
    report: Progress | None = None,
) -> Backtests:
    """Forecast from each origin with each model that suits a series' demand class there.

    A model sees `panel.until(origin)` and nothing else; a series that had not begun is not in that origin. Origins
    and models are shared out over `n_jobs` processes of one thread each; the numbers do not depend on how many.
    `report` gets a line for each model and origin done.
    """
    origins = plan.origins(panel.days)
    actual, classes = _outcomes(panel, origins, plan.horizon)
    forecasts = {spec.name: np.full(actual.shape, np.nan) for spec in specs}
    tasks = [
        _Task(spec, place, rows)
        for spec in specs
        for place in range(len(origins))
        if len(rows := np.flatnonzero(np.isin(classes[place].astype(str), sorted(spec.classes))))
    ]
    for task, forecast in _forecasts(tasks, panel, origins, plan.horizon, seed, n_jobs):
        forecasts[task.spec.name][task.place, task.rows] = forecast
        if report:
            origin, split = origins[task.place]
            day = f"{panel.times[origin - 1]:%Y-%m-%d}"
            report(f"back-test {task.spec.name} from {day} ({split}): {len(task.rows)} series")
    return Backtests(panel, origins, plan.horizon, actual, classes, forecasts)


@dataclass(frozen=True, eq=False)
class _Task:
    """A model, the place of an origin among the origins, and the series it suits there."""

    spec: ModelSpec
    place: int
    rows: IntArray


def _forecasts(
    tasks: Sequence[_Task], panel: Panel, origins: Sequence[tuple[int, str]], horizon: int, seed: int, n_jobs: int
) -> Iterator[tuple[_Task, FloatArray]]:
    """Each task with its forecast: costly ones shared out over processes, the cheap ones here."""
    costly = sorted((task for task in tasks if task.spec.milliseconds >= 1), key=lambda task: -task.spec.milliseconds)
    cheap = [task for task in tasks if task.spec.milliseconds < 1]
    arguments = {id(task): (panel, origins[task.place][0], task.rows, task.spec.name, horizon, seed) for task in tasks}
    shared_out = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_forecast_from)(*arguments[id(task)]) for task in costly
    )
    yield from zip(costly, shared_out, strict=True)
    for task in cheap:
        yield task, _forecast_from(*arguments[id(task)])


def _forecast_from(panel: Panel, origin: int, rows: IntArray, model: str, horizon: int, seed: int) -> FloatArray:
    """What a model says at an origin for some series, in one process."""
    known = panel.take(rows).until(origin, horizon)
    return REGISTRY[model].make(seed, 1, horizon).fit_panel(known).predict_panel(horizon)


def _outcomes(
    panel: Panel, origins: Sequence[tuple[int, str]], horizon: int
) -> tuple[FloatArray, npt.NDArray[np.object_]]:
    """Actual units (origins, series, horizon) and classes (origins, series) of what had begun at each origin."""
    actual = np.full((len(origins), len(panel.keys), horizon), np.nan)
    classes = np.full(actual.shape[:2], "", dtype=object)
    for place, (origin, _) in enumerate(origins):
        rows = np.flatnonzero(panel.first_day < origin)
        actual[place, rows] = panel.units[rows, origin : origin + horizon]
        classes[place, rows] = demand_classes(panel.units[rows, :origin])
    return actual, classes


def backtests_table(backtests: Backtests) -> pd.DataFrame:
    """Back-tests as the rows of `ops.backtests`: one a split, origin, series, day ahead and model."""
    return pd.concat([_rows_of(backtests, model) for model in backtests.forecasts], ignore_index=True)


def _rows_of(backtests: Backtests, model: str) -> pd.DataFrame:
    forecast = backtests.forecasts[model]
    place, series, step = np.nonzero(~np.isnan(forecast))
    days = np.array([origin for origin, _ in backtests.origins])[place]
    last_day = backtests.panel.times.to_numpy()
    return pd.DataFrame(
        {
            c.SPLIT: np.array([split for _, split in backtests.origins], dtype=object)[place],
            c.ORIGIN_DATE: last_day[days - 1],
            c.PRODUCT_ID: backtests.panel.keys.get_level_values(0).to_numpy()[series],
            c.CHANNEL: backtests.panel.keys.get_level_values(1).to_numpy()[series],
            c.DATE: last_day[days + step],
            c.HORIZON_DAY: step + 1,
            c.MODEL: np.full(len(step), model, dtype=object),
            c.MEAN_UNITS: forecast[place, series, step],
            c.UNITS: backtests.actual[place, series, step],
        }
    )


def backtests_from_table(table: pd.DataFrame, panel: Panel) -> Backtests:
    """The inverse of `backtests_table`, given the panel the back-tests were run on.

    Raises `ValueError` where the table's origins are not days of the panel.
    """
    day_of = pd.Series(np.arange(1, panel.days + 1), index=panel.times)
    found = table[[c.ORIGIN_DATE, c.SPLIT]].drop_duplicates().sort_values(c.ORIGIN_DATE)
    days = day_of.reindex(pd.to_datetime(found[c.ORIGIN_DATE])).to_numpy()
    if np.isnan(days.astype(np.float64)).any():
        raise ValueError("the table has an origin_date that the panel lacks: pass the demand it was back-tested on")
    origins = tuple(zip(days.astype(int).tolist(), found[c.SPLIT], strict=True))
    horizon = int(table[c.HORIZON_DAY].max())
    shape = (len(origins), len(panel.keys), horizon)
    actual, classes = _outcomes(panel, origins, horizon)
    forecasts = {}
    place_of = pd.Index(pd.to_datetime(found[c.ORIGIN_DATE]))
    for model, rows_of_model in table.groupby(c.MODEL, sort=False):
        values = np.full(shape, np.nan)
        place = place_of.get_indexer(pd.to_datetime(rows_of_model[c.ORIGIN_DATE]))
        series = panel.keys.get_indexer(pd.MultiIndex.from_frame(rows_of_model[[c.PRODUCT_ID, c.CHANNEL]]))
        values[place, series, rows_of_model[c.HORIZON_DAY].to_numpy() - 1] = rows_of_model[c.MEAN_UNITS].to_numpy()
        forecasts[str(model)] = values
    return Backtests(panel, origins, horizon, actual, classes, forecasts)


def model_scores(backtests: Backtests) -> pd.DataFrame:
    """WAPE, bias, RMSSE and MASE of each series, origin and model: the rows of `ops.model_scores`."""
    tables = []
    for place, (origin, split) in enumerate(backtests.origins):
        history = backtests.panel.units[:, :origin]
        rmsse_scales = metrics.naive_scales(history, 1, power=2)
        mase_scales = metrics.naive_scales(history, SEASON)
        for model, forecasts in backtests.forecasts.items():
            rows = np.flatnonzero(~np.isnan(forecasts[place]).any(axis=1))
            actual, forecast = backtests.actual[place, rows], forecasts[place, rows]
            total = actual.sum(axis=1)
            over_total = np.where(total > 0, total, np.nan)
            tables.append(
                pd.DataFrame(
                    {
                        c.SPLIT: split,
                        c.ORIGIN_DATE: backtests.panel.times[origin - 1],
                        c.PRODUCT_ID: backtests.panel.keys.get_level_values(0)[rows],
                        c.CHANNEL: backtests.panel.keys.get_level_values(1)[rows],
                        c.DEMAND_CLASS: backtests.classes[place, rows],
                        c.MODEL: model,
                        c.WAPE: np.abs(actual - forecast).sum(axis=1) / over_total,
                        c.BIAS: (forecast - actual).sum(axis=1) / over_total,
                        c.RMSSE: metrics.rmsse(actual, forecast, rmsse_scales[rows]),
                        c.MASE: metrics.mase(actual, forecast, mase_scales[rows]),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)

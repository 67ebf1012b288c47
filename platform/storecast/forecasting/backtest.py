"""Back-tests over rolling origins: what each model would have said, knowing only what was known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting import metrics
from storecast.forecasting.chunks import Part, forecasts_of
from storecast.forecasting.demand_classes import demand_classes
from storecast.forecasting.panel import BoolArray, FloatArray, IntArray, Panel
from storecast.forecasting.registry import ModelSpec
from storecast.forecasting.unconstraining import unconstrained

SEASON = 7
SPLITS = [c.SELECTION, c.EVALUATION]
READ_COLUMNS = (c.SPLIT, c.ORIGIN_DATE, c.PRODUCT_ID, c.CHANNEL, c.HORIZON_DAY, c.MODEL, c.MEAN_UNITS)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class BacktestPlan:
    """Origins one horizon apart; the newest are for evaluation alone, those before them choose the champions."""

    horizon: int = 28
    selection_origins: int = 3
    evaluation_origins: int = 2

    def origins(self, days: int) -> tuple[tuple[int, str], ...]:
        """(days of history, split) of each origin, oldest first; origins before two seasons of history are left out.

        Raises `ValueError` where not one origin of a split is left.

        >>> BacktestPlan(28, 1, 1).origins(100)
        ((44, 'selection'), (72, 'evaluation'))
        """
        number = self.selection_origins + self.evaluation_origins
        splits = [c.SELECTION] * self.selection_origins + [c.EVALUATION] * self.evaluation_origins
        all_origins = [(days - self.horizon * (number - place), split) for place, split in enumerate(splits)]
        kept = tuple((origin, split) for origin, split in all_origins if origin >= 2 * SEASON)
        if {split for _, split in kept} != set(splits):
            raise ValueError(
                f"{days} days of history are too few for a back-test with a horizon of {self.horizon} days: "
                f"load at least {self.horizon * (self.evaluation_origins + 1) + 2 * SEASON} days or shorten the horizon"
            )
        return kept


@dataclass(frozen=True, eq=False)
class Backtests:
    """Back-test results as arrays over (origin, series, day ahead); NaN where a series had not begun or no model ran.

    `actual` is NaN on sold-out days too: what demand was is not known there, so nothing is scored. `classes` is
    (origin, series), "" where a series had not begun. `panel` is the whole panel the origins were cut from, with
    demand in place of the sales of sold-out days, each estimated from the days before it.
    """

    panel: Panel
    origins: tuple[tuple[int, str], ...]
    horizon: int
    actual: FloatArray
    classes: npt.NDArray[np.object_]
    forecasts: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def is_sold_out(self) -> BoolArray:
        """Where a series that had begun was sold out, (origin, series, day ahead): neither side counts there."""
        return np.isnan(self.actual) & (self.classes != "")[:, :, None]

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
    ray_address: str | None = None,
    report: Progress | None = None,
) -> Backtests:
    """Forecast from each origin with each model that suits a series' demand class there.

    A model sees `unconstrained(panel).until(origin)` and nothing else, in which no day depends on a later one; a series
    that had not begun is not in that origin. Origins,
    models and chunks of series are shared out over `n_jobs` processes of one thread each, or over the Ray cluster at
    `ray_address`; the numbers do not depend on where. `report` gets a line for each model and origin done.
    """
    origins, panel = plan.origins(panel.days), unconstrained(panel)
    actual, classes = _outcomes(panel, origins, plan.horizon)
    forecasts = {spec.name: np.full(actual.shape, np.nan) for spec in specs}
    parts = [
        Part(spec, origin, rows)
        for spec in specs
        for place, (origin, _) in enumerate(origins)
        if len(rows := np.flatnonzero(np.isin(classes[place].astype(str), sorted(spec.classes))))
    ]
    splits = dict(origins)
    places = {origin: place for place, (origin, _) in enumerate(origins)}
    for part, forecast in forecasts_of(
        parts, panel, horizon=plan.horizon, seed=seed, n_jobs=n_jobs, ray_address=ray_address
    ):
        forecasts[part.spec.name][places[part.days], part.rows] = forecast
        if report:
            day = f"{panel.times[part.days - 1]:%Y-%m-%d}"
            report(f"back-test {part.spec.name} from {day} ({splits[part.days]}): {len(part.rows)} series")
    return Backtests(panel, origins, plan.horizon, actual, classes, forecasts)


def _outcomes(
    panel: Panel, origins: Sequence[tuple[int, str]], horizon: int
) -> tuple[FloatArray, npt.NDArray[np.object_]]:
    """Counted units (origins, series, horizon) and classes (origins, series) of what had begun at each origin."""
    actual = np.full((len(origins), len(panel.keys), horizon), np.nan)
    classes = np.full(actual.shape[:2], "", dtype=object)
    for chunk, part in panel.without_drivers().chunks():
        counted, first_day = part.counted_units, part.first_day
        for place, (origin, _) in enumerate(origins):
            own = np.flatnonzero(first_day < origin)
            actual[place, chunk.start + own] = counted[own, origin : origin + horizon]
            classes[place, chunk.start + own] = demand_classes(part.units[own, :origin])
    return actual, classes


def backtests_table(backtests: Backtests) -> pd.DataFrame:
    """Back-tests as the rows of `ops.backtests`: one a split, origin, series, day ahead and model.

    Text is held as categories: a catalogue has tens of millions of rows and few names.
    """
    keys = backtests.panel.keys
    categories = {
        c.SPLIT: SPLITS,
        c.PRODUCT_ID: keys.levels[0],
        c.CHANNEL: keys.levels[1],
        c.MODEL: list(backtests.forecasts),
    }
    parts = [_columns_of(backtests, model) for model in backtests.forecasts]
    columns: dict[str, Any] = {}
    for name in tuple(parts[0]):  # column by column, each part's gone before the next: never twice in memory
        values = np.concatenate([part.pop(name) for part in parts])
        names = categories.get(name)
        columns[name] = values if names is None else pd.Categorical.from_codes(values, names)
    return pd.DataFrame(columns, copy=False)


def _columns_of(backtests: Backtests, model: str) -> dict[str, npt.NDArray[Any]]:
    """The columns of one model's rows, text as codes."""
    forecast, keys = backtests.forecasts[model], backtests.panel.keys
    place, series, step = np.nonzero(~np.isnan(forecast))
    days = np.array([origin for origin, _ in backtests.origins])[place]
    splits = np.array([SPLITS.index(split) for _, split in backtests.origins], dtype=np.int8)
    number = list(backtests.forecasts).index(model)
    last_day = backtests.panel.times.to_numpy()
    return {
        c.SPLIT: splits[place],
        c.ORIGIN_DATE: last_day[days - 1],
        c.PRODUCT_ID: np.asarray(keys.codes[0])[series],
        c.CHANNEL: np.asarray(keys.codes[1])[series],
        c.DATE: last_day[days + step],
        c.HORIZON_DAY: step + 1,
        c.MODEL: np.full(len(step), number, dtype=np.int16),
        c.MEAN_UNITS: forecast[place, series, step],
        c.UNITS: backtests.actual[place, series, step],
    }


def backtests_from_table(table: pd.DataFrame, panel: Panel) -> Backtests:
    """The inverse of `backtests_table`, given the panel the back-tests were run on; it needs `READ_COLUMNS` alone.

    Text may be categories or not.

    Raises `ValueError` where the table's origins are not days of the panel, or its series none of the panel's.
    """
    panel, found = unconstrained(panel), table[[c.ORIGIN_DATE, c.SPLIT]].drop_duplicates().sort_values(c.ORIGIN_DATE)
    origins = tuple(zip(_days_until(found[c.ORIGIN_DATE], panel).tolist(), found[c.SPLIT], strict=True))
    horizon = int(table[c.HORIZON_DAY].max())
    actual, classes = _outcomes(panel, origins, horizon)
    places = pd.Index([origin for origin, _ in origins])
    model_of = table[c.MODEL].astype("category").cat
    forecasts = {}
    for code, model in enumerate(model_of.categories):
        of_model = table.iloc[np.flatnonzero(model_of.codes == code)]
        place = places.get_indexer(_days_until(of_model[c.ORIGIN_DATE], panel))
        values = np.full(actual.shape, np.nan)
        series = _series_of(of_model, panel)
        values[place, series, of_model[c.HORIZON_DAY].to_numpy() - 1] = of_model[c.MEAN_UNITS].to_numpy()
        forecasts[str(model)] = values
    return Backtests(panel, origins, horizon, actual, classes, forecasts)


def _days_until(dates: pd.Series, panel: Panel) -> IntArray:
    """The number of days of the panel up to each date."""
    days = panel.times.get_indexer(pd.to_datetime(dates)) + 1
    if (days == 0).any():
        raise ValueError("the table has an origin_date that the panel lacks: pass the demand it was back-tested on")
    return days.astype(np.int64)


def _series_of(table: pd.DataFrame, panel: Panel) -> IntArray:
    """The panel's row of each row of the table."""
    products, channels = (table[name].astype("category").cat for name in (c.PRODUCT_ID, c.CHANNEL))
    pairs = pd.MultiIndex.from_product([products.categories, channels.categories])
    code = products.codes.to_numpy(np.int64) * len(channels.categories) + channels.codes.to_numpy(np.int64)
    rows = panel.keys.get_indexer(pairs)[code]
    if (rows < 0).any():
        missing = pairs[code[np.argmin(rows)]]
        raise ValueError(
            f"the table has series {missing!r}, which the panel lacks: pass the demand it was back-tested on"
        )
    return rows.astype(np.int64)


def model_scores(backtests: Backtests) -> pd.DataFrame:
    """WAPE, bias, RMSSE and MASE of each series, origin and model: the rows of `ops.model_scores`.

    Sold-out days do not count; a series without any other day has no score.
    """
    tables = []
    for place, (origin, split) in enumerate(backtests.origins):
        history = backtests.panel.units[:, :origin]
        rmsse_scales = metrics.naive_scales(history, 1, power=2)
        mase_scales = metrics.naive_scales(history, SEASON)
        for model, forecasts in backtests.forecasts.items():
            rows = np.flatnonzero(~np.isnan(forecasts[place]).any(axis=1))
            actual, forecast = backtests.actual[place, rows], forecasts[place, rows]
            missed, total = forecast - actual, np.nansum(actual, axis=1)
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
                        c.WAPE: np.nansum(np.abs(missed), axis=1) / over_total,
                        c.BIAS: np.nansum(missed, axis=1) / over_total,
                        c.RMSSE: metrics.rmsse(actual, forecast, rmsse_scales[rows]),
                        c.MASE: metrics.mase(actual, forecast, mase_scales[rows]),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)

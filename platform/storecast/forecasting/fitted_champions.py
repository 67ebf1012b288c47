"""The champions as they are stored: what each keeps of its series, from which it forecasts without the history.

A series keeps a state (`states.StateForecaster`) of each model of its champion that has one, and the latest days of
units and drivers for those that read days: closed forms, global models, and the few local models that are estimated
anew at each forecast (ADIDA, IMAPA, AutoARIMA, Prophet). A day more moves the states and the days on; no parameter is
chosen anew before the next training.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.chunks import Part
from storecast.forecasting.demand_classes import demand_classes
from storecast.forecasting.fallbacks import DEAD_DAYS
from storecast.forecasting.fan_out import fan_out
from storecast.forecasting.forecast import (
    ChampionForecasts,
    champions_of,
    mean_of_members,
    members_of,
    own_quantiles,
    payload_of,
    published_forecasts,
    rows_with,
    with_newcomers,
)
from storecast.forecasting.packing import Layout, packed, unpacked
from storecast.forecasting.panel import FloatArray, IntArray, Panel
from storecast.forecasting.registry import REGISTRY
from storecast.forecasting.rolling_panel import continued, latest
from storecast.forecasting.selection import members
from storecast.forecasting.states import StateForecaster
from storecast.forecasting.unconstraining import unconstrained

GLOBAL_MEMORY_DAYS: Final = 420
"""What a global model sees of a series: a year, and the eight weeks before that its lags reach back from there."""
KEYS: Final = (c.PRODUCT_ID, c.CHANNEL)
STATICS: Final = (*KEYS, c.CATEGORY)
UNITS: Final = "units"
TextArray = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class FittedChampions:
    """The champion of each series of `recent`, the panel of the latest days, ready to forecast.

    `models` names it, "" where a series has none; `states` holds an array (series, numbers) for each model that has
    states, NaN where it has no part in a series' champion; `payloads` the text of each global model. Days that ended
    sold out count with their estimated demand.
    """

    training_id: str
    recent: Panel
    classes: TextArray
    models: TextArray
    states: Mapping[str, FloatArray]
    payloads: Mapping[str, str]

    @property
    def origin(self) -> pd.Timestamp:
        """The last day known."""
        return self.recent.times[-1]

    def updated(self, later: Panel) -> Self:
        """The champions after the days of `later` that come after their last one, none of them fitted anew.

        `later` brings the drivers of the days after it too. Series that it alone has join without a champion. Raises
        `ValueError` where it lacks a series, or a day between.
        """
        recent = _settled(continued(self.recent, later))
        new = recent.days - self.recent.days
        joined = len(recent.keys) - len(self.recent.keys)
        states = {}
        for name, forecaster in keepers_of(self.states).items():
            own, rows = self.states[name], rows_with(name, self.models)
            states[name] = np.vstack([own, np.full((joined, own.shape[1]), np.nan)])
            states[name][rows] = forecaster.update_states(own[rows], recent.units[rows, recent.days - new :])
        joining = demand_classes(recent.units[len(self.recent.keys) :])
        return replace(
            self,
            recent=latest(recent, self.recent.days),
            classes=np.concatenate([self.classes, joining]),
            models=np.concatenate([self.models, np.full(joined, "", dtype=object)]),
            states=states,
        )

    def mean_units(self, horizon: int, *, seed: int = 0, n_jobs: int = 1) -> FloatArray:
        """What the champions say of the days after the last one, (series, horizon); NaN where a series has none."""
        return self.forecasts(horizon, seed=seed, n_jobs=n_jobs).mean

    def forecasts(self, horizon: int, *, seed: int = 0, n_jobs: int = 1) -> ChampionForecasts:
        """The same with what was known and what each single model says, as explanations ask for."""
        known = self.recent.until(self.recent.days, horizon)
        forecasts = {name: np.full((len(known.keys), horizon), np.nan) for name in members_of(self.models)}
        for name, values in forecasts.items():
            rows = rows_with(name, self.models)
            values[rows] = self._forecast_by(name, known, rows, horizon, seed, n_jobs)
        mean = mean_of_members(forecasts, self.models, horizon)
        quantiles = own_quantiles(known, self.models, self.payloads.__getitem__, horizon)
        return ChampionForecasts(known, self.classes, self.models, mean, forecasts, quantiles)

    def _forecast_by(self, name: str, known: Panel, rows: IntArray, horizon: int, seed: int, n_jobs: int) -> FloatArray:
        spec = REGISTRY[name]
        if spec.load is not None:
            return spec.load(self.payloads[name]).with_panel(known.take(rows)).predict_panel(horizon)
        forecaster = spec.forecaster(seed, n_jobs, horizon)
        if isinstance(forecaster, StateForecaster):
            return np.maximum(forecaster.forecast_states(self.states[name][rows], horizon), 0.0)
        return forecaster.fit_panel(known.take(rows)).predict_panel(horizon)


def fit_champions(
    panel: Panel,
    champions: pd.DataFrame,
    fitted_models: pd.DataFrame,
    *,
    training_id: str,
    n_jobs: int = 1,
    ray_address: str | None = None,
) -> FittedChampions:
    """Fit the champion of each series on all its history, for good until the next training.

    `champions` and `fitted_models` are the tables of that name. Raises `ValueError` where a champion needs a global
    model that `fitted_models` lacks; and what `fan_out` raises.
    """
    known = _settled(panel)
    classes, models = champions_of(known, champions)
    models = with_newcomers(known, classes, models, fitted_models)
    names = members_of(models)
    parts = [Part(REGISTRY[name], known.days, rows_with(name, models)) for name in keepers_of(names)]
    states = {}
    for part, own in zip(parts, _fitted_states(parts, known.units, n_jobs, ray_address), strict=True):
        states[part.spec.name] = np.full((len(known.keys), own.shape[1]), np.nan)
        states[part.spec.name][part.rows] = own
    used = known if any(REGISTRY[name].reads_drivers for name in names) else known.without_drivers()
    return FittedChampions(
        training_id=training_id,
        recent=latest(used, max([DEAD_DAYS, *(_memory_days(name, known.days) for name in names)])),
        classes=classes,
        models=models,
        states=states,
        payloads={name: payload_of(fitted_models, name) for name in names if REGISTRY[name].is_global},
    )


def forecast_champions(
    fitted: FittedChampions,
    interval_scales: pd.DataFrame,
    *,
    horizon: int,
    partition_keys: Mapping[str, str],
    model_version: str,
    seed: int = 0,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Forecast every series from what its champion keeps: the rows of `gold.demand_forecasts`."""
    said = fitted.forecasts(horizon, seed=seed, n_jobs=n_jobs)
    return published_forecasts(said, interval_scales, partition_keys, model_version)


def keepers_of(names: Iterable[str]) -> dict[str, StateForecaster]:
    """The forecasters of those models that keep states."""
    forecasters = {name: REGISTRY[name].forecaster(0, 1, 1) for name in names}
    return {name: own for name, own in forecasters.items() if isinstance(own, StateForecaster)}


def _fitted_states(
    parts: Sequence[Part], units: FloatArray, n_jobs: int, ray_address: str | None
) -> Iterator[FloatArray]:
    """The states of each part's rows: the costly parts chunk by chunk, shared out, the cheap ones here."""
    calls = [(part.spec.name, units[rows]) for part in parts if part.is_costly for rows in part.chunks()]
    chunks = iter(list(fan_out(_fit_states, calls, n_jobs=n_jobs, ray_address=ray_address)))
    for part in parts:
        if part.is_costly:
            yield np.concatenate([next(chunks) for _ in part.chunks()])
        else:
            yield _fit_states(part.spec.name, units[part.rows])


def _fit_states(name: str, units: FloatArray) -> FloatArray:
    """The states of some series, in one process."""
    return keepers_of([name])[name].fit_states(units)


def _memory_days(name: str, days: int) -> int:
    """So many of the latest days a model reads at a forecast, of `days` there are."""
    if REGISTRY[name].is_global:
        return GLOBAL_MEMORY_DAYS
    forecaster = REGISTRY[name].forecaster(0, 1, 1)
    return 0 if isinstance(forecaster, StateForecaster) else forecaster.memory_days or days


def _settled(panel: Panel) -> Panel:
    """The panel with estimated demand on days that ended sold out, and no more said of stocks."""
    return replace(unconstrained(panel), is_in_stock=None, is_unconstrained=True)


def champions_to_table(fitted: FittedChampions) -> pd.DataFrame:
    """Fitted champions as the rows of `ops.fitted_champions`, one a series; global models lie in `ops.fitted_models`.

    A series' states are its floats, model by model as its champion names them; its days are packed (`packing`).
    """
    recent = fitted.recent
    matrices = {UNITS: recent.units, **{name: driver[:, : recent.days] for name, driver in recent.drivers.items()}}
    layout = Layout.of(matrices)
    record = {
        "days": layout.as_record(),
        "events": list(recent.event_names),
        "states": {name: states.shape[1] for name, states in fitted.states.items()},
    }
    states = [
        b"".join(fitted.states[name][row].tobytes() for name in members(model) if name in fitted.states)
        for row, model in enumerate(fitted.models)
    ]
    table = {
        c.TRAINING_ID: fitted.training_id,
        c.ORIGIN_DATE: fitted.origin,
        **{name: recent.statics[name].to_numpy(object) for name in STATICS},
        c.DEMAND_CLASS: fitted.classes,
        c.MODEL: fitted.models,
        c.LAYOUT: json.dumps(record, sort_keys=True),
        c.STATES_BLOB: pd.Series(states, dtype=object),
        c.DAYS_BLOB: pd.Series(packed(layout, matrices), dtype=object),
    }
    return pd.DataFrame(table)


def champions_from_table(
    table: pd.DataFrame | Mapping[str, npt.NDArray[Any]], fitted_models: pd.DataFrame
) -> FittedChampions:
    """The fitted champions that `champions_to_table` wrote, of all series or some: they say the same, bit for bit.

    Of a single product a frame costs as much as all the rest: the columns as DuckDB's `fetchnumpy` has them will do.
    Raises `ValueError` where the rows are not of one training and day, or a global model is missing.
    """
    columns = {name: np.asarray(table[name]) for name in c.FittedChampions.to_schema().columns}
    training_ids, origins, layouts = (set(columns[name]) for name in (c.TRAINING_ID, c.ORIGIN_DATE, c.LAYOUT))
    if not len(training_ids) == len(origins) == len(layouts) == 1:
        raise ValueError("the table has rows of more than one training, origin_date or layout, or none: pass one set")
    record = json.loads(layouts.pop())
    days = unpacked(Layout.from_record(record["days"]), columns[c.DAYS_BLOB].tolist())
    units, models = days.pop(UNITS), columns[c.MODEL]
    return FittedChampions(
        training_id=str(training_ids.pop()),
        recent=Panel(
            keys=pd.MultiIndex.from_arrays([columns[name] for name in KEYS], names=KEYS),
            times=pd.date_range(end=pd.Timestamp(origins.pop()), periods=units.shape[1], name=c.DATE),
            units=units,
            drivers=days,
            statics=pd.DataFrame({name: columns[name] for name in STATICS}),
            event_names=tuple(record["events"]),
            is_unconstrained=True,
        ),
        classes=columns[c.DEMAND_CLASS],
        models=models,
        states=_states_of(columns[c.STATES_BLOB].tolist(), models, record["states"]),
        payloads={name: payload_of(fitted_models, name) for name in members_of(models) if REGISTRY[name].is_global},
    )


def _states_of(blobs: Sequence[bytes], models: TextArray, widths: Mapping[str, int]) -> dict[str, FloatArray]:
    """An array (series, numbers) for each model, NaN where a series has none."""
    states = {name: np.full((len(blobs), width), np.nan) for name, width in widths.items()}
    for model in np.unique(models.astype(str)):
        rows = np.flatnonzero(models == model)
        names = [name for name in members(model) if name in widths]
        ends = np.cumsum([widths[name] for name in names])
        own = np.frombuffer(b"".join(blobs[row] for row in rows.tolist())).reshape(len(rows), -1)
        for name, part in zip(names, np.split(own, ends[:-1], axis=1), strict=False):  # no name, one empty part
            states[name][rows] = part
    return states

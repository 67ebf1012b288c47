"""The forecasts that are published: each series by its champion, with quantiles and recorded fallbacks."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.chunks import Part, forecasts_of
from storecast.forecasting.demand_classes import NEW, demand_classes
from storecast.forecasting.direct_boosting import DirectBoosting, DrawnRows
from storecast.forecasting.fallbacks import NEW_PRODUCTS, SEASONAL_NAIVE, SHORTEST_DAYS, with_fallbacks
from storecast.forecasting.intervals import scales_from_table
from storecast.forecasting.panel import FloatArray, IntArray, Panel
from storecast.forecasting.registry import REGISTRY, ModelSpec
from storecast.forecasting.selection import members, picked
from storecast.forecasting.unconstraining import unconstrained

HASH_LENGTH: Final = 12
JOIN: Final = "-"
TextArray = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class ChampionForecasts:
    """What the champions say of the days ahead, before any fallback.

    `panel` is what was known, drivers of the days ahead with it; `mean` (series, horizon) is NaN where a series has no
    champion and `models` is empty; `of_members` holds what each single model said, NaN where it had no part.
    `quantiles` (series, horizon, alphas) are those that the model of new products gives itself, NaN for other series.
    """

    panel: Panel
    classes: TextArray
    models: TextArray
    mean: FloatArray
    of_members: Mapping[str, FloatArray]
    quantiles: FloatArray


def training_id_of(snapshot_hash: str, parameters: Mapping[str, Any]) -> str:
    """What names a training: a hash of all parameters and one of its data's, so the same training has the same name.

    >>> training_id_of("abc", {"seed": 1}) == training_id_of("abc", {"seed": 1}) != training_id_of("abc", {"seed": 2})
    True
    """
    return JOIN.join(_short_hash(part) for part in (parameters, snapshot_hash))


def is_decided_by(training_id: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a training was decided by these parameters, whatever its data.

    >>> is_decided_by(training_id_of("abc", {"seed": 1}), {"seed": 1})
    True
    """
    return training_id.startswith(_short_hash(parameters) + JOIN)


def _short_hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def train_global_models(
    panel: Panel,
    specs: Sequence[ModelSpec],
    *,
    training_id: str,
    snapshot_hash: str,
    horizon: int,
    seed: int = 0,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Train the global ones among the models on all history: the rows of `ops.fitted_models`, their payload text."""
    known = unconstrained(panel).until(panel.days, horizon)
    drawn: DrawnRows = {}
    rows = []
    for spec in specs:
        if spec.is_global:
            forecaster = spec.forecaster(seed, n_jobs, horizon)
            is_direct = isinstance(forecaster, DirectBoosting)
            forecaster = forecaster.fit_beside(known, drawn) if is_direct else forecaster.fit_panel(known)
            parameters = {"model": spec.name, "horizon": horizon, **forecaster.get_params()}
            rows.append(
                {
                    c.TRAINING_ID: training_id,
                    c.ORIGIN_DATE: panel.times[-1],
                    c.MODEL: spec.name,
                    c.PAYLOAD: forecaster.to_payload(),
                    c.PARAMETERS: json.dumps(parameters, sort_keys=True),
                    c.SNAPSHOT_HASH: snapshot_hash,
                }
            )
    return pd.DataFrame(rows, columns=list(c.FittedModels.to_schema().columns))


def forecast_demand(
    panel: Panel,
    champions: pd.DataFrame,
    fitted_models: pd.DataFrame,
    interval_scales: pd.DataFrame,
    *,
    horizon: int,
    partition_keys: Mapping[str, str],
    model_version: str,
    seed: int = 0,
    n_jobs: int = 1,
    ray_address: str | None = None,
) -> pd.DataFrame:
    """Forecast every series of a panel by its champion: the rows of `gold.demand_forecasts`.

    The panel may hold all products or one: the numbers of a series do not depend on which others are beside it. A
    series that `champions` lacks, or whose history is too thin, gets a fallback and the reason. Days that ended sold
    out count with their estimated demand: forecast is what will be wanted, in stock or not. `partition_keys` maps
    product to key. Local models are shared out as `fan_out` says. Raises `ValueError` where a champion needs a global
    model that `fitted_models` lacks.
    """
    said = champion_forecasts(
        panel, champions, fitted_models, horizon=horizon, seed=seed, n_jobs=n_jobs, ray_address=ray_address
    )
    return published_forecasts(said, interval_scales, partition_keys, model_version)


def champion_forecasts(
    panel: Panel,
    champions: pd.DataFrame,
    fitted_models: pd.DataFrame,
    *,
    horizon: int,
    seed: int = 0,
    n_jobs: int = 1,
    ray_address: str | None = None,
) -> ChampionForecasts:
    """Ask every series' champion, as `forecast_demand` does; a base model runs for just the series that need it."""
    known = unconstrained(panel).until(panel.days, horizon)
    classes, models = champions_of(known, champions)
    models = with_newcomers(known, classes, models, fitted_models)
    forecasts = {name: np.full((len(known.keys), horizon), np.nan) for name in members_of(models)}
    local = []
    for name, values in forecasts.items():
        rows = rows_with(name, models)
        spec = REGISTRY[name]
        if spec.load is not None:
            asked = spec.load(payload_of(fitted_models, name)).with_panel(known.take(rows))
            values[rows] = asked.predict_panel(horizon)
        else:
            local.append(Part(spec, known.days, rows))
    for part, values in forecasts_of(local, known, horizon=horizon, seed=seed, n_jobs=n_jobs, ray_address=ray_address):
        forecasts[part.spec.name][part.rows] = values
    mean = mean_of_members(forecasts, models, horizon)
    quantiles = own_quantiles(known, models, partial(payload_of, fitted_models), horizon)
    return ChampionForecasts(known, classes, models, mean, forecasts, quantiles)


def own_quantiles(panel: Panel, models: TextArray, payload_named: Callable[[str], str], horizon: int) -> FloatArray:
    """Quantiles (series, horizon, alphas) of the series that the model of new products forecasts, NaN for the others.

    A product's first weeks are unlike what back-tests saw of any class: how far launches lie from what is expected of
    them the model has learned itself, from launches it had left out.
    """
    quantiles = np.full((len(models), horizon, len(c.QUANTILES)), np.nan)
    rows = np.flatnonzero(models == NEW_PRODUCTS)
    load = REGISTRY[NEW_PRODUCTS].load
    if len(rows) and load is not None:
        asked = load(payload_named(NEW_PRODUCTS)).with_panel(panel.take(rows))
        quantiles[rows] = asked.predict_quantiles_panel(horizon, c.QUANTILES)
    return quantiles


def mean_of_members(forecasts: Mapping[str, FloatArray], models: TextArray, horizon: int) -> FloatArray:
    """What champions say, the mean of their members: (series, horizon), NaN where a series has none."""
    mean = np.full((len(models), horizon), np.nan)
    rows = np.flatnonzero(models != "")
    if len(rows):
        mean[rows] = picked({name: values[rows] for name, values in forecasts.items()}, models[rows])
    return mean


def members_of(models: TextArray) -> list[str]:
    """The single models that champions are made of, by name."""
    return sorted({member for model in np.unique(models.astype(str)) if model for member in members(model)})


def rows_with(name: str, models: TextArray) -> IntArray:
    """The series in whose champion a single model has a part."""
    with_it = [model for model in np.unique(models.astype(str)) if name in members(model)]
    return np.flatnonzero(np.isin(models.astype(str), with_it))


def published_forecasts(
    said: ChampionForecasts,
    interval_scales: pd.DataFrame,
    partition_keys: Mapping[str, str],
    model_version: str,
    retrained: Sequence[str | None] = (),
) -> pd.DataFrame:
    """What champions said, with fallbacks and quantiles: the rows of `gold.demand_forecasts`.

    Quantiles come of back-test errors, but for series that the model of new products forecasts, which gives its own.
    `retrained` says of each series how it was trained anew by itself, None where it was not.
    """
    panel, models = said.panel, said.models
    mean, named, reasons = with_fallbacks(said.mean, models, panel.units)
    for row in np.flatnonzero((models == "") & (named == SEASONAL_NAIVE)):
        reasons[row] = "no champion: the series began after the last training"
    is_young = (models == NEW_PRODUCTS) & (named == NEW_PRODUCTS)
    reasons[is_young] = "too young for a champion"
    for place, reason in enumerate(retrained):
        reasons[place] = reasons[place] or reason
    scales, spreads = scales_from_table(interval_scales, panel.keys)
    quantiles = scales.quantiles(mean, said.classes, spreads)
    quantiles[is_young] = said.quantiles[is_young]
    return forecast_table(panel, mean, quantiles, named, reasons, partition_keys, model_version)


def champions_of(panel: Panel, champions: pd.DataFrame) -> tuple[TextArray, TextArray]:
    """Demand class and champion of each series; where `champions` lacks it, today's class and an empty name."""
    row = pd.MultiIndex.from_frame(champions[[c.PRODUCT_ID, c.CHANNEL]]).get_indexer(panel.keys)
    is_missing = row < 0
    classes = champions[c.DEMAND_CLASS].to_numpy(object)[row] if len(champions) else np.empty(len(row), object)
    models = champions[c.MODEL].to_numpy(object)[row] if len(champions) else np.empty(len(row), object)
    return (
        np.where(is_missing, demand_classes(panel.units), classes).astype(object),
        np.where(is_missing, "", models).astype(object),
    )


def with_newcomers(panel: Panel, classes: TextArray, models: TextArray, fitted_models: pd.DataFrame) -> TextArray:
    """The champions, with the model of new products, where it was trained, for what is too young for one.

    That is a series of less than two weeks, or a new one that the last training did not see.
    """
    is_young = ((~np.isnan(panel.units)).sum(axis=1) < SHORTEST_DAYS) | (models == "") & (classes == NEW)
    is_trained = NEW_PRODUCTS in set(fitted_models.get(c.MODEL, ()))
    return np.where(is_young & is_trained, NEW_PRODUCTS, models).astype(object)


def payload_of(fitted_models: pd.DataFrame, name: str) -> str:
    """The text of a global model; raises `ValueError` where `fitted_models` has not exactly one of that name."""
    found = np.flatnonzero(fitted_models[c.MODEL].to_numpy() == name)
    if len(found) != 1:
        raise ValueError(
            f"fitted_models has {len(found)} rows of model {name!r}: pass the one of the champions' training"
        )
    return str(fitted_models[c.PAYLOAD].iloc[found[0]])


def forecast_table(
    panel: Panel,
    mean: FloatArray,
    quantiles: FloatArray,
    models: TextArray,
    reasons: TextArray,
    partition_keys: Mapping[str, str],
    model_version: str,
) -> pd.DataFrame:
    """Means (series, horizon) and quantiles (series, horizon, quantiles) as the rows of `gold.demand_forecasts`.

    Raises `ValueError` where `partition_keys` lacks a product.
    """
    series, horizon = mean.shape
    origin = panel.times[-1]
    product_ids = panel.keys.get_level_values(0).to_numpy(object)
    missing = [product_id for product_id in product_ids if product_id not in partition_keys]
    if missing:
        raise ValueError(f"partition_keys lacks product {missing[0]!r}: pass a key for each product of the panel")

    def for_each_day(values: TextArray) -> TextArray:
        return np.repeat(values, horizon)

    table = {
        c.ORIGIN_DATE: np.repeat(np.array([origin], "datetime64[ns]"), series * horizon),
        c.PRODUCT_ID: for_each_day(product_ids),
        c.CHANNEL: for_each_day(panel.keys.get_level_values(1).to_numpy(object)),
        c.DATE: np.tile(pd.date_range(origin, periods=horizon + 1)[1:].to_numpy("datetime64[ns]"), series),
        c.HORIZON_DAY: np.tile(np.arange(1, horizon + 1), series),
        c.MEAN_UNITS: mean.ravel(),
        **{name: quantiles[:, :, place].ravel() for place, name in enumerate(c.UNIT_QUANTILES)},
        c.MODEL: for_each_day(models),
        c.MODEL_VERSION: model_version,
        c.FALLBACK_REASON: for_each_day(reasons),
        c.PARTITION_KEY: for_each_day(np.array([partition_keys[key] for key in product_ids], dtype=object)),
    }
    return pd.DataFrame(table)

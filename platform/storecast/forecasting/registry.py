"""The forecasters by name: what they cost, which demand they suit, and whether they compete unasked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.baselines import HistoricAverage, SeasonalNaive, SeasonalWindowAverage
from storecast.forecasting.boosted_ensemble import BoostedEnsemble
from storecast.forecasting.demand_classes import CLASSES, ERRATIC, INTERMITTENT, LUMPY, SMOOTH
from storecast.forecasting.fallbacks import NEW_PRODUCTS
from storecast.forecasting.global_xgboost import GlobalXGBoost
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.intermittent import ADIDA, IMAPA, TSB, Croston
from storecast.forecasting.lstm import GlobalLSTM
from storecast.forecasting.new_products import NewProductForecaster
from storecast.forecasting.prophet_panel import Prophet
from storecast.forecasting.smoothing import SimpleExponentialSmoothing
from storecast.forecasting.statistical import AutoARIMA, AutoETS
from storecast.forecasting.theta import Theta

SEASONAL_NAIVE: Final = "seasonal_naive"
REGULAR: Final = frozenset({SMOOTH, ERRATIC})
SETTLED: Final = frozenset({SMOOTH, ERRATIC, INTERMITTENT, LUMPY})
EVERY_CLASS: Final = frozenset(CLASSES)
NO_CLASS: Final = frozenset[str]()
"""Of a model that does not compete: it speaks where there is no champion."""
THETA_DAYS: Final = 392
"""Its line is drawn through so many of the latest days: one through years would miss where demand is heading."""


@dataclass(frozen=True)
class Range:
    """Values that tuning may give a parameter: whole numbers where both ends are, evenly by size where `is_log`."""

    low: float
    high: float
    is_log: bool = False


@dataclass(frozen=True)
class ModelSpec:
    """A forecaster in the registry.

    `make(seed, n_jobs, horizon)` constructs it; it competes for series of the `classes`; `milliseconds` is what a
    series of 400 days costs on one core. Of one that `is_thread_safe` several may be fitted in one process at a time. A
    global model is trained once over all series and stored as text, which `load` reads; of a global one what
    `search_space` names can be tuned, and what tuning found is in `parameters`.
    """

    name: str
    make: Callable[[int, int, int], PanelForecaster]
    classes: frozenset[str] = EVERY_CLASS
    milliseconds: float = 0.01
    is_default: bool = True
    load: Callable[[str], PanelForecaster] | None = None
    is_thread_safe: bool = False
    search_space: Mapping[str, Range] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_global(self) -> bool:
        """Whether it is trained once over all series."""
        return self.load is not None

    @property
    def reads_drivers(self) -> bool:
        """Whether prices, promotions or events move its forecasts."""
        return bool(self.forecaster(0, 1, 1).get_tag("capability:exogenous"))

    def forecaster(self, seed: int, n_jobs: int, horizon: int) -> PanelForecaster:
        """The forecaster with its tuned parameters, where there are some."""
        return self.make(seed, n_jobs, horizon).set_params(**self.parameters)


TREES: Final = {
    "n_trees": Range(50, 600, is_log=True),
    "learning_rate": Range(0.02, 0.2, is_log=True),
    "n_leaves": Range(7, 127, is_log=True),
    "tweedie_power": Range(1.05, 1.6),
}
"""What tuning may change in any boosted model."""
_SPECS: Final = (
    ModelSpec(SEASONAL_NAIVE, lambda *_: SeasonalNaive()),
    ModelSpec("window_average", lambda *_: SeasonalWindowAverage()),
    ModelSpec("long_window_average", lambda *_: SeasonalWindowAverage(seasons=8)),
    ModelSpec("historic_average", lambda *_: HistoricAverage(), is_default=False),
    ModelSpec("ses", lambda *_: SimpleExponentialSmoothing(), is_default=False),
    ModelSpec("optimized_ses", lambda *_: SimpleExponentialSmoothing(None), milliseconds=0.1, is_default=False),
    ModelSpec("croston", lambda *_: Croston(), SETTLED, is_default=False),
    ModelSpec("sba", lambda *_: Croston(is_debiased=True), SETTLED, is_default=False),
    ModelSpec("tsb", lambda *_: TSB()),
    ModelSpec("adida", lambda *_: ADIDA(), SETTLED, 0.05, is_default=False),
    ModelSpec("imapa", lambda *_: IMAPA(), SETTLED, 0.2, is_default=False),
    ModelSpec("standard_theta", lambda *_: Theta(last_days=THETA_DAYS), REGULAR, 0.1, is_default=False),
    ModelSpec("auto_ets", lambda _seed, n_jobs, _horizon: AutoETS(n_jobs=n_jobs), REGULAR, 9.0, is_thread_safe=True),
    ModelSpec(
        "theta", lambda *_: Theta(form="dynamic_optimized", last_days=THETA_DAYS), REGULAR, 1.0, is_thread_safe=True
    ),
    ModelSpec("auto_theta", lambda *_: Theta(form="auto", last_days=THETA_DAYS), REGULAR, 1.5, is_default=False),
    ModelSpec("auto_arima", lambda _seed, n_jobs, _horizon: AutoARIMA(n_jobs=n_jobs), REGULAR, 400.0, is_default=False),
    ModelSpec(
        "prophet", lambda seed, n_jobs, _horizon: Prophet(seed=seed, n_jobs=n_jobs), REGULAR, 500.0, is_default=False
    ),
    ModelSpec(
        "lightgbm",
        lambda seed, _n_jobs, horizon: GlobalLightGBM(longest_step=horizon, seed=seed),
        EVERY_CLASS,
        5.0,
        load=GlobalLightGBM.from_payload,
        is_thread_safe=True,
        search_space={**TREES, "min_rows_a_leaf": Range(20, 500, is_log=True)},
    ),
    ModelSpec(
        "xgboost",
        lambda seed, _n_jobs, horizon: GlobalXGBoost(longest_step=horizon, seed=seed),
        EVERY_CLASS,
        5.0,
        is_default=False,
        load=GlobalXGBoost.from_payload,
        is_thread_safe=True,
        search_space={**TREES, "min_weight_a_leaf": Range(1.0, 200.0, is_log=True)},
    ),
    ModelSpec(
        "boosted_ensemble",
        lambda seed, _n_jobs, horizon: BoostedEnsemble(longest_step=horizon, seed=seed),
        EVERY_CLASS,
        60.0,
        is_default=False,
        load=BoostedEnsemble.from_payload,
    ),
    ModelSpec(
        NEW_PRODUCTS,
        lambda *_: NewProductForecaster(),
        NO_CLASS,
        load=NewProductForecaster.from_payload,
    ),
    ModelSpec(
        "lstm",
        lambda seed, _n_jobs, horizon: GlobalLSTM(longest_step=horizon, seed=seed),
        EVERY_CLASS,
        200.0,
        is_default=False,
        load=GlobalLSTM.from_payload,
        search_space={
            "cells": Range(8, 64, is_log=True),
            "learning_rate": Range(0.0005, 0.01, is_log=True),
            "context_days": Range(28, 112),
        },
    ),
)
PRICE_RESPONSE: Final = ModelSpec(
    "price_response",
    lambda seed, _n_jobs, horizon: GlobalLightGBM(longest_step=horizon, is_monotone=True, seed=seed),
    NO_CLASS,
    load=GlobalLightGBM.from_payload,
)
"""What `storecast what-if` asks how units follow prices and promotions; it is nobody's champion."""
REGISTRY: Final = {spec.name: spec for spec in _SPECS}
DEFAULT_MODELS: Final = tuple(spec.name for spec in _SPECS if spec.is_default)


def models_named(names: Iterable[str] = ()) -> tuple[ModelSpec, ...]:
    """The models of these names, or the default set, in the registry's order; seasonal naive is always among them.

    Raises `ValueError` with the known names where one is not in the registry.
    """
    wanted = {*(names or DEFAULT_MODELS)} | {SEASONAL_NAIVE}
    unknown = sorted(wanted - REGISTRY.keys())
    if unknown:
        raise ValueError(f"models names {unknown}, which are not in the registry: choose from {sorted(REGISTRY)}")
    return tuple(spec for spec in _SPECS if spec.name in wanted)

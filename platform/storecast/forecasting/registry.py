"""The forecasters by name: what they cost, which demand they suit, and whether they compete unasked."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.baselines import SeasonalNaive, SeasonalWindowAverage
from storecast.forecasting.demand_classes import CLASSES, ERRATIC, INTERMITTENT, LUMPY, SMOOTH
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.intermittent import TSB, Croston
from storecast.forecasting.prophet_panel import Prophet
from storecast.forecasting.statistical import AutoARIMA, AutoETS, AutoTheta, Theta

SEASONAL_NAIVE: Final = "seasonal_naive"
REGULAR: Final = frozenset({SMOOTH, ERRATIC})
SETTLED: Final = frozenset({SMOOTH, ERRATIC, INTERMITTENT, LUMPY})
EVERY_CLASS: Final = frozenset(CLASSES)


@dataclass(frozen=True)
class ModelSpec:
    """A forecaster in the registry.

    `make(seed, n_jobs, horizon)` constructs it; it competes for series of the `classes`; `milliseconds` is what a
    series of 400 days costs on one core; a global model is trained once over all series and stored as text.
    """

    name: str
    make: Callable[[int, int, int], PanelForecaster]
    classes: frozenset[str] = EVERY_CLASS
    milliseconds: float = 0.01
    is_default: bool = True
    is_global: bool = field(default=False)


_SPECS: Final = (
    ModelSpec(SEASONAL_NAIVE, lambda *_: SeasonalNaive()),
    ModelSpec("window_average", lambda *_: SeasonalWindowAverage()),
    ModelSpec("long_window_average", lambda *_: SeasonalWindowAverage(seasons=8)),
    ModelSpec("croston", lambda *_: Croston(), SETTLED, 0.1, is_default=False),
    ModelSpec("sba", lambda *_: Croston(is_debiased=True), SETTLED, 0.1, is_default=False),
    ModelSpec("tsb", lambda *_: TSB(), EVERY_CLASS, 0.1),
    ModelSpec("auto_ets", lambda _seed, n_jobs, _horizon: AutoETS(n_jobs=n_jobs), REGULAR, 9.0),
    ModelSpec("theta", lambda _seed, n_jobs, _horizon: Theta(n_jobs=n_jobs), REGULAR, 15.0),
    ModelSpec("auto_theta", lambda _seed, n_jobs, _horizon: AutoTheta(n_jobs=n_jobs), REGULAR, 44.0, is_default=False),
    ModelSpec("auto_arima", lambda _seed, n_jobs, _horizon: AutoARIMA(n_jobs=n_jobs), REGULAR, 400.0, is_default=False),
    ModelSpec(
        "prophet", lambda seed, n_jobs, _horizon: Prophet(seed=seed, n_jobs=n_jobs), REGULAR, 500.0, is_default=False
    ),
    ModelSpec(
        "lightgbm",
        lambda seed, _n_jobs, horizon: GlobalLightGBM(longest_step=horizon, seed=seed),
        EVERY_CLASS,
        5.0,
        is_global=True,
    ),
)
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

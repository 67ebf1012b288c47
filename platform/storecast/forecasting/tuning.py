"""Parameters of a global model, chosen by Optuna on the selection origins, within a budget of minutes.

sktime's own `ForecastingOptunaSearchCV` keeps its study in memory and counts trials only, so a search that is killed
begins anew; and it evaluates on frames, in which a panel's events and categories have no place. So the study is
Optuna's, stored after each trial, and a trial is the room's own back-test of the sktime forecaster with other
parameters. Trials are drawn from the number of those done: killed and resumed, a search draws what it would have drawn.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import optuna

from storecast.forecasting.backtest import BacktestPlan, Progress, backtest
from storecast.forecasting.levels import levels_of
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.registry import REGISTRY, SEASONAL_NAIVE, ModelSpec, Range
from storecast.forecasting.tuned_parameters import Tuning, first_evaluation_origin
from storecast.forecasting.unconstraining import unconstrained

Space = dict[str, optuna.distributions.BaseDistribution]
MINUTE: Final = 60.0
TINY: Final = 1e-9


@dataclass(frozen=True)
class Budget:
    """When a search ends: before a trial that would take it past `seconds`, or with that many `trials` in the study.

    The first trial, the defaults, is always made. `clock` tells seconds.
    """

    seconds: float
    trials: int | None = None
    clock: Callable[[], float] = time.monotonic

    def is_over(self, trials: int, seconds: float) -> bool:
        """Whether to end with so many trials done, when the next one would end after so many seconds.

        >>> Budget(60.0).is_over(3, 61.0), Budget(60.0).is_over(0, 61.0), Budget(60.0, trials=3).is_over(3, 10.0)
        (True, False, True)
        """
        return trials > 0 and (seconds > self.seconds or (self.trials is not None and trials >= self.trials))


class Objective:
    """The loss of a model's parameters: error over seasonal naive's, the mean over levels, on the selection origins.

    What the evaluation origins forecast is cut off before anything is read.
    """

    def __init__(
        self, panel: Panel, spec: ModelSpec, plan: BacktestPlan, *, seed: int, n_jobs: int, ray_address: str | None
    ) -> None:
        self.panel = unconstrained(panel.until(first_evaluation_origin(panel, plan), 0))
        self.plan, self.spec = replace(plan, evaluation_origins=0), spec
        self._how: dict[str, Any] = {"seed": seed, "n_jobs": n_jobs, "ray_address": ray_address}
        self._levels = levels_of(self.panel)
        self._naive_errors = np.maximum(self._errors(REGISTRY[SEASONAL_NAIVE]), TINY)

    def __call__(self, parameters: Mapping[str, Any]) -> float:
        """The loss of parameters that take the place of the defaults."""
        return float(np.mean(self._errors(replace(self.spec, parameters=parameters)) / self._naive_errors))

    def _errors(self, spec: ModelSpec) -> FloatArray:
        """Absolute error at each level; days that do not count are NaN in the back-test, and add nothing."""
        results = backtest(self.panel, [spec], self.plan, **self._how)
        missed = results.actual - results.forecasts[spec.name]
        return np.array([np.abs(level.total(missed)).sum() for level in self._levels])


def tune(
    panel: Panel,
    spec: ModelSpec,
    plan: BacktestPlan,
    budget: Budget,
    *,
    storage: Path,
    study_name: str,
    seed: int = 0,
    n_jobs: int = 1,
    ray_address: str | None = None,
    report: Progress | None = None,
) -> Tuning:
    """Search a model's space for the parameters of least loss, from the defaults on.

    Each trial done is in the SQLite file `storage`, under a `study_name` that must name all that decides a loss: the
    same name takes the search up where it ended, however it ended. The same seed and number of trials give the same
    parameters. `report` gets a line a trial. Raises `ValueError` where the model has no search space.
    """
    if not spec.search_space:
        raise ValueError(f"model {spec.name!r} has no search space: tune one whose ModelSpec names a search_space")
    objective = Objective(panel, spec, plan, seed=seed, n_jobs=n_jobs, ray_address=ray_address)
    defaults = spec.make(seed, 1, plan.horizon).get_params()
    space = {name: _distribution(values) for name, values in spec.search_space.items()}
    began, longest = budget.clock(), 0.0
    with _stored_study(storage, study_name) as study:
        while not budget.is_over(len(study.trials), budget.clock() - began + longest):
            trial_began = budget.clock()
            parameters = _next_parameters(study.trials, space, seed) or {name: defaults[name] for name in space}
            loss = objective(parameters)
            study.add_trial(optuna.trial.create_trial(params=parameters, distributions=space, value=loss))
            longest = max(longest, budget.clock() - trial_began)
            if report:
                report(_line(spec.name, study, budget.clock() - began))
        best, first = study.best_trial, study.trials[0]
        return Tuning(
            model=spec.name,
            parameters=best.params,
            loss=float(best.value or 0.0),
            default_loss=float(first.value or 0.0),
            trials=len(study.trials),
            first_day=objective.panel.times[objective.plan.origins(objective.panel.days)[0][0]],
            last_day=objective.panel.times[-1],
        )


@contextmanager
def _stored_study(path: Path, name: str) -> Iterator[optuna.Study]:
    """A study in a SQLite file: it holds whole trials only, each written in one transaction."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
    try:
        yield optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _next_parameters(done: list[optuna.trial.FrozenTrial], space: Space, seed: int) -> dict[str, Any]:
    """What to try after the trials done, and nothing before the first; it depends on them and the seed alone."""
    if not done:
        return {}
    draft = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed + len(done)))
    draft.add_trials(done)
    return draft.ask(space).params


def _distribution(values: Range) -> optuna.distributions.BaseDistribution:
    if isinstance(values.low, int) and isinstance(values.high, int):
        return optuna.distributions.IntDistribution(values.low, values.high, log=values.is_log)
    return optuna.distributions.FloatDistribution(values.low, values.high, log=values.is_log)


def _line(model: str, study: optuna.Study, seconds: float) -> str:
    newest, best = study.trials[-1], study.best_trial
    return (
        f"tune {model}: trial {newest.number + 1} has loss {newest.value:.4f}; "
        f"best {best.value:.4f} in trial {best.number + 1}; {seconds / MINUTE:.1f} minutes"
    )

"""Tuned parameters as a table, and the models that have them."""

import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.backtest import BacktestPlan
from storecast.forecasting.panel import Panel
from storecast.forecasting.registry import ModelSpec


@dataclass(frozen=True)
class Tuning:
    """What a search found: the best parameters, their loss and that of the defaults, and how many trials there were.

    `first_day` and `last_day` are the days whose sales decided.
    """

    model: str
    parameters: Mapping[str, Any]
    loss: float
    default_loss: float
    trials: int
    first_day: pd.Timestamp
    last_day: pd.Timestamp


def tuned_table(tunings: Iterable[Tuning]) -> pd.DataFrame:
    """Tunings as the rows of `ops.tuned_parameters`."""
    rows = [
        {
            c.MODEL: tuning.model,
            c.PARAMETERS: json.dumps(tuning.parameters, sort_keys=True),
            c.LOSS: tuning.loss,
            c.DEFAULT_LOSS: tuning.default_loss,
            c.TRIALS: tuning.trials,
            c.WINDOW_START_DATE: tuning.first_day,
            c.WINDOW_END_DATE: tuning.last_day,
        }
        for tuning in tunings
    ]
    return pd.DataFrame(rows, columns=list(c.TunedParameters.to_schema().columns))


def followed_by(tuned: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """The rows of `tuned` with those of `later` in place of the same models'."""
    others = tuned[~tuned[c.MODEL].isin(later[c.MODEL])]
    return pd.concat([others, later], ignore_index=True) if len(others) else later


def tuned_specs(
    specs: Iterable[ModelSpec], tuned: pd.DataFrame, panel: Panel, plan: BacktestPlan
) -> tuple[ModelSpec, ...]:
    """The models with the parameters that `ops.tuned_parameters` holds for them.

    Raises `ValueError` where they were chosen on days that the evaluation origins of this back-test forecast, or name
    what the model's search space lacks.
    """
    if tuned.empty:
        return tuple(specs)
    found = {row[c.MODEL]: row for row in tuned.to_dict("records")}
    first_evaluated = panel.times[first_evaluation_origin(panel, plan)]
    return tuple(_tuned(spec, found[spec.name], first_evaluated) if spec.name in found else spec for spec in specs)


def _tuned(spec: ModelSpec, row: Mapping[Hashable, Any], first_evaluated: pd.Timestamp) -> ModelSpec:
    last_day, parameters = row[c.WINDOW_END_DATE], json.loads(row[c.PARAMETERS])
    if last_day >= first_evaluated:
        raise ValueError(
            f"ops.tuned_parameters of {spec.name!r} were chosen on days up to {last_day:%Y-%m-%d}, but days from "
            f"{first_evaluated:%Y-%m-%d} on are for evaluation: tune again, or have fewer evaluation_origins"
        )
    unknown = sorted(parameters.keys() - spec.search_space.keys())
    if unknown:
        raise ValueError(f"ops.tuned_parameters gives {spec.name!r} {unknown}, which it no longer has: tune again")
    return replace(spec, parameters=parameters)


def first_evaluation_origin(panel: Panel, plan: BacktestPlan) -> int:
    """The days of history at the oldest evaluation origin: nothing after them may decide anything."""
    return min(origin for origin, split in plan.origins(panel.days) if split == c.EVALUATION)

"""A finished training as the registry takes it in: tables, parameters, and the metrics they hold."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from storecast.registry import contracts as c
from storecast.settings import Settings

TRAINING_ID = re.compile(r"[\w.:-]{1,128}")
ALL_CLASSES = "all"
EVALUATION = "evaluation"


@dataclass(frozen=True, eq=False)
class Training:
    """One training job's results.

    `tables` maps the names in `registry.contracts` (champions, interval_scales, …) to frames; product ids occur in
    them and nowhere else, so that MLflow never sees one. `snapshot_hash` names the data the training saw, up to
    `origin_date`; `parameters` are the other settings that decide what it gives. Raises `ValueError` for a
    `training_id` that MLflow could not search for, or a missing table.
    """

    training_id: str
    origin_date: date
    snapshot_hash: str
    horizon_days: int
    seed: int
    parameters: Mapping[str, str]
    tables: Mapping[str, pd.DataFrame]

    def __post_init__(self) -> None:
        if not TRAINING_ID.fullmatch(self.training_id):
            raise ValueError(
                f"training_id is {self.training_id!r}: use 1 to 128 letters, digits, dots, colons, hyphens, underscores"
            )
        missing = [name for name in (*c.KEPT_TABLES, c.MODEL_SCORES, c.ACCURACY) if name not in self.tables]
        if missing:
            raise ValueError(f"tables lacks {', '.join(missing)}: a training is registered with all of its tables")


def parameters_of(shop: Settings) -> dict[str, str]:
    """Return the settings that decide what a training gives, besides horizon and seed."""
    names = ("source", "selection_origins", "evaluation_origins", "timezone", "currency")
    return {name: str(getattr(shop, name)) for name in names} | {"models": ", ".join(shop.models) or "default"}


def level_metrics(accuracy: pd.DataFrame) -> dict[str, float]:
    """Return `<level>.<measure>` of the champions, the mean over the evaluation origins.

    `accuracy` has ops.backtest_accuracy's columns. Measures that do not exist at a level (MAPE of a product) are left
    out. Each origin's own value is in the run's table of accuracy.

    >>> rows = {"level": "total", "demand_class": "all", "model": "champion", "split": "evaluation"}
    >>> accuracy = pd.DataFrame([rows | {"wape": 0.2}, rows | {"wape": 0.3}])
    >>> level_metrics(accuracy)
    {'total.wape': 0.25}
    """
    chosen = accuracy[
        (accuracy["model"] == c.CHAMPION_MODEL)
        & (accuracy["demand_class"] == ALL_CLASSES)
        & (accuracy["split"] == EVALUATION)
    ]
    measures = [measure for measure in c.MEASURES if measure in chosen.columns]
    means = chosen.groupby("level")[measures].mean()
    return {
        f"{level}.{measure}": float(means.loc[level, measure])
        for level in means.index
        for measure in measures
        if pd.notna(means.loc[level, measure])
    }

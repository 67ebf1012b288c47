"""When a whole training is due: told by data and by what decides one, so it needs no clock and no schedule."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from storecast.forecasting.forecast import is_decided_by
from storecast.forecasting.trainings import deciding
from storecast.settings import Settings
from storecast.warehouse import Warehouse

REGISTERED: Final = "ops.registered_models"
NEWEST_SQL: Final = f"""
    select training_id, origin_date
    from (select null::timestamp as origin_date where false union all by name from {REGISTERED})
    where origin_date is not null
    order by model_version desc limit 1
"""
"""The newest training that was finished, that is registered; a table of an older Storecast does not tell its day."""


@dataclass(frozen=True)
class Training:
    """A finished training: its id, and the last day it knew."""

    training_id: str
    origin_date: date


@dataclass(frozen=True)
class Due:
    """Whether a training is due, and why or why not, in words."""

    is_due: bool
    reason: str


def due_training(newest: Training | None, last_day: date, decides: Mapping[str, Any], retrain_days: int) -> Due:
    """Whether to train, given the newest training, the last day of data, what decides a training, and its longest age.

    >>> from storecast.forecasting.forecast import training_id_of
    >>> newest = Training(training_id_of("abc", {"seed": 1}), date(2026, 3, 1))
    >>> due_training(newest, date(2026, 3, 28), {"seed": 1}, 28).is_due
    False
    >>> due_training(newest, date(2026, 3, 29), {"seed": 1}, 28).reason
    'the newest training is 28 days of data old'
    >>> due_training(newest, date(2026, 3, 1), {"seed": 2}, 28).reason
    'settings, tuned parameters or code changed since the newest training'
    """
    if newest is None:
        return Due(is_due=True, reason="no training was finished yet")
    if not is_decided_by(newest.training_id, decides):
        return Due(is_due=True, reason="settings, tuned parameters or code changed since the newest training")
    age_days = (last_day - newest.origin_date).days
    if age_days >= retrain_days:
        return Due(is_due=True, reason=f"the newest training is {age_days} days of data old")
    return Due(is_due=False, reason=f"the newest training is {age_days} days of data old, fewer than {retrain_days}")


def due_now(warehouse: Warehouse, shop: Settings) -> Due:
    """Whether a training is due, by what the warehouse holds."""
    last_day = warehouse.read("select max(date) as last_day from gold.daily_demand")["last_day"].iloc[0].date()
    return due_training(newest_training(warehouse), last_day, deciding(warehouse, shop), shop.retrain_days)


def newest_training(warehouse: Warehouse) -> Training | None:
    """The newest training that is registered; None before the first."""
    found = warehouse.read(NEWEST_SQL) if warehouse.exists(REGISTERED) else None
    if found is None or found.empty:
        return None
    [row] = found.to_dict("records")
    return Training(row["training_id"], row["origin_date"].date())

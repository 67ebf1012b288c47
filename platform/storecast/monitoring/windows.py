"""Which days are compared with which, and a sample of each that two runs agree on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from storecast.monitoring import contracts as c

RECENT_DAYS = 28
TRAINING_DAYS = 365
SAMPLE_ROWS = 20_000

DAYS_SQL = "select min(date) as first_date, max(date) as last_date from gold.daily_demand"

_GIVEN = ", ".join(column for column in c.COMPARED if column != c.WEEKDAY)
SAMPLE_SQL = f"""
    select {_GIVEN}, isodow(date) as {c.WEEKDAY}
    from gold.daily_demand
    where is_recorded and date between $start_date and $end_date
    order by hash(product_id, channel, date, $seed)
    limit $rows
"""
"""A hash of the row's key decides who is drawn: neither threads nor the order of the file change the sample."""

Query = Callable[[str, dict[str, Any]], pd.DataFrame]


class ShortHistoryError(ValueError):
    """There is no day before the recent window to compare it with."""


@dataclass(frozen=True)
class Window:
    """Days from `start_date` to `end_date`, both included."""

    start_date: date
    end_date: date

    def __str__(self) -> str:
        """Return both days."""
        return f"{self.start_date} to {self.end_date}"


@dataclass(frozen=True)
class DriftWindows:
    """The training window (`reference`) and the recent one (`current`), which follows on it."""

    reference: Window
    current: Window


def drift_windows(
    first_date: date, as_of_date: date, *, recent_days: int = RECENT_DAYS, training_days: int = TRAINING_DAYS
) -> DriftWindows:
    """Return the last `recent_days` up to `as_of_date`, and up to `training_days` before them since `first_date`.

    Raises `ShortHistoryError` where the history begins within the recent window.

    >>> windows = drift_windows(date(2025, 1, 1), date(2026, 6, 30))
    >>> print(windows.reference, "|", windows.current)
    2025-06-03 to 2026-06-02 | 2026-06-03 to 2026-06-30
    """
    current = Window(as_of_date - timedelta(days=recent_days - 1), as_of_date)
    if first_date >= current.start_date:
        message = (
            f"the history begins on {first_date}, within the recent window {current}: "
            f"drift can be told after {recent_days} days and one more"
        )
        raise ShortHistoryError(message)
    before = current.start_date - timedelta(days=1)
    earliest = current.start_date - timedelta(days=training_days)
    return DriftWindows(reference=Window(max(first_date, earliest), before), current=current)


def sample_window(query: Query, window: Window, *, seed: int, rows: int = SAMPLE_ROWS) -> pd.DataFrame:
    """Return at most `rows` rows (product x channel x day) of a window of gold.daily_demand, columns as in `COMPARED`.

    `query` runs SQL with named parameters. Raises `ValueError` naming the days where the window holds no row.
    """
    given = {"start_date": window.start_date, "end_date": window.end_date, "seed": seed, "rows": rows}
    sample = query(SAMPLE_SQL, given)
    if sample.empty:
        message = f"gold.daily_demand has no row from {window}: load sales of these days, or choose another day"
        raise ValueError(message)
    return sample.astype(dict.fromkeys(c.NUMERICAL, float) | dict.fromkeys(c.CATEGORICAL, str))


def columns_without_values(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    """Return the compared columns that hold nothing in one of the samples: a source without prices, say."""
    return [column for column in c.COMPARED if reference[column].isna().all() or current[column].isna().all()]

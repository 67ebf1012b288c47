"""Which days are compared with which, and a sample of each that two runs agree on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from storecast.monitoring import contracts as c

RECENT_DAYS = 28
TRAINING_DAYS = 365
SAMPLE_ROWS = 5_000
"""Enough to see skewed demand rise by a fifth, and too few for a trifle to be beyond chance."""

DAYS_SQL = "select min(date) as first_date, max(date) as last_date from gold.daily_demand"

SAMPLE_SQL = f"""
    select {", ".join(c.OF_ROWS)}
    from gold.daily_demand
    where is_recorded and date between $start_date and $end_date
    order by hash(product_id, channel, date, $seed)
    limit $rows
"""
"""A hash of the row's key decides who is drawn: neither threads nor the order of the file change the sample."""

DAYS_OF_WINDOW_SQL = f"""
    select bool_or({c.HAS_EVENT}) as {c.HAS_EVENT}, isodow(date) as {c.WEEKDAY}
    from gold.daily_demand
    where date between $start_date and $end_date
    group by date
    order by date
"""
FATES_SQL = f"""
    with sold as (
        select distinct product_id, date_diff('day', date::date, $end_date::date) // $days as age
        from gold.daily_demand where units > 0 and date <= $end_date
    ),
    born as (
        select product_id, date_diff('day', min(date)::date, $end_date::date) // $days as first_age
        from gold.daily_demand group by all
    ),
    pairs as (
        select
            coalesce(now.product_id, before.product_id) as product_id, coalesce(now.age, before.age - 1) as age,
            now.product_id is not null as sells, before.product_id is not null as has_sold
        from sold as now full join sold as before on now.product_id = before.product_id and now.age = before.age - 1
    )
    select
        age = 0 as is_recent,
        case
            when sells and has_sold then '{c.STAYED}'
            when has_sold then '{c.LOST}'
            when first_age = age then '{c.NEW}'
            else '{c.BACK}'
        end as fate,
        count(*) as products
    from pairs inner join born using (product_id)
    where age between 0 and $pairs
    group by all
"""
"""Products by what became of them from one window of `$days` to the next: the last pair, and `$pairs` before it."""

Query = Callable[[str, dict[str, Any]], pd.DataFrame]
Sample = Mapping[str, pd.Series]
"""The values of each column; how many they are is the column's own."""


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


@dataclass(frozen=True, eq=False)
class Samples:
    """What is compared of the training window and of the recent one, and how many products came, stayed and went."""

    reference: Sample
    current: Sample
    products: Mapping[str, int]


def samples(query: Query, windows: DriftWindows, first_date: date, *, seed: int) -> Samples:
    """Draw the columns `COMPARED` of both windows; `first_date` is the first day of all history.

    `query` runs SQL with named parameters. Raises `ValueError` naming the days where a window holds no row.
    """
    counts = product_fates(query, windows.current, first_date)
    both: list[Sample] = []
    for window, is_recent in ((windows.reference, False), (windows.current, True)):
        rows, days = sample_window(query, window, seed=seed), query(DAYS_OF_WINDOW_SQL, _ends(window))
        columns = {str(name): values for part in (rows, days) for name, values in part.items()}
        both.append(columns | {c.PRODUCT_ID: drawn(counts[counts["is_recent"] == is_recent])})
    recent = counts[counts["is_recent"]].set_index("fate")["products"]
    return Samples(both[0], both[1], {fate: int(recent.get(fate, 0)) for fate in c.FATES})


def sample_window(query: Query, window: Window, *, seed: int, rows: int = SAMPLE_ROWS) -> pd.DataFrame:
    """Return at most `rows` rows (product x channel x day) of a window of gold.daily_demand, columns as in `OF_ROWS`.

    Raises `ValueError` naming the days where the window holds no row.
    """
    sample = query(SAMPLE_SQL, {**_ends(window), "seed": seed, "rows": rows})
    if sample.empty:
        message = f"gold.daily_demand has no row from {window}: load sales of these days, or choose another day"
        raise ValueError(message)
    return sample


def product_fates(query: Query, recent: Window, first_date: date) -> pd.DataFrame:
    """Count products by what became of them from one window to the next: columns is_recent, fate, products.

    `is_recent` are those of the recent window and the one before it; others are of earlier pairs, of which there are
    none where history has fewer than three windows.
    """
    days = (recent.end_date - recent.start_date).days + 1
    whole = ((recent.end_date - first_date).days + 1) // days
    pairs = max(min(whole - 2, TRAINING_DAYS // days - 1), 0)
    counts = query(FATES_SQL, {"end_date": recent.end_date, "days": days, "pairs": pairs})
    return counts.astype({"is_recent": bool})


def drawn(counts: pd.DataFrame, rows: int = SAMPLE_ROWS) -> pd.Series:
    """Return one value of `FATES` a product of counts, `rows` at most in the same shares.

    >>> drawn(pd.DataFrame({"fate": ["stayed", "lost"], "products": [30, 10]}), rows=4).tolist()
    ['lost', 'stayed', 'stayed', 'stayed']
    """
    ordered = counts.sort_values("fate")
    share = min(1.0, rows / max(ordered["products"].sum(), 1))
    return ordered["fate"].repeat((ordered["products"] * share).round().astype(int)).reset_index(drop=True)


def prepared(reference: Sample, current: Sample) -> tuple[Sample, Sample]:
    """Return both samples as Evidently takes them: numbers as floats, categories as text, null where there is no value.

    It says nothing of columns of nullable and decimal types. Where a column lacks values in one of the samples, whether
    it does is a column of its own; without any value in one of them it is left out itself. Raises `ValueError` for a
    column that is missing in a sample.
    """
    for name, sample in {"reference": reference, "current": current}.items():
        if lacking := [column for column in c.COMPARED if column not in sample]:
            raise ValueError(f"the {name} sample lacks {', '.join(lacking)}: give all columns of COMPARED")
    both: tuple[dict[str, pd.Series], dict[str, pd.Series]] = ({}, {})
    without = columns_without_values(reference, current)
    for column in c.COMPARED:
        values = [_typed(sample[column], column) for sample in (reference, current)]
        if any(own.isna().any() for own in values):
            for columns, own in zip(both, values, strict=True):
                columns[column + c.IS_MISSING] = own.isna().astype(str)
        if column not in without:
            for columns, own in zip(both, values, strict=True):
                columns[column] = own
    return both


def columns_without_values(reference: Sample, current: Sample) -> list[str]:
    """Return the compared columns that hold nothing in one of the samples: a source without prices, say."""
    return [
        column
        for column in c.COMPARED
        if any(_typed(sample[column], column).isna().all() for sample in (reference, current))
    ]


def _typed(values: pd.Series, column: str) -> pd.Series:
    """A column as floats or as text; what is not finite is null. A number that a null made a float is none as text."""
    every = values.reset_index(drop=True)
    known = every[every.notna()]
    if column in c.NUMERICAL:
        numbers = known.astype(float)
        return numbers[np.isfinite(numbers)].reindex(every.index)
    return known.astype(object).convert_dtypes().astype(str).astype(object).reindex(every.index)


def _ends(window: Window) -> dict[str, Any]:
    return {"start_date": window.start_date, "end_date": window.end_date}

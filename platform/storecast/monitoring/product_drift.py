"""Which series drifted, and how: the measures of one statement, judged together and told apart by kind."""

from collections.abc import Callable
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from storecast.monitoring import contracts as c
from storecast.monitoring import shift_statistics
from storecast.monitoring.drift_statement import STATEMENT
from storecast.monitoring.weekly_measures import WINDOWS_WEEKS

Query = Callable[[str, dict[str, Any]], pd.DataFrame]

DAYS_A_GIGABYTE: Final = 3_000_000
FORECAST_WEIGHT: Final = 4.0
"""How much more the error and bias of forecasts weigh than what goes into them."""

DEGREES: Final = {
    c.LEVEL: 10.0, c.MIX: 15.0, c.SEASON: 8.0, c.PRICE: 30.0, c.STOCK_OUT: 30.0, c.FORECAST: 10.0,
}  # fmt: skip
"""Student's degrees of freedom of each kind: how heavy the tails of calm series are.

Those of level, mix and season were chosen on half of the series of M5 before mid-2014 (`benchmarks/drift.py`);
forecasts have the level's. Prices and stocks are records and not samples: the tails of a mean square of 30 weeks.
"""

BY_LOGARITHM: Final = {(c.STOCK_OUT, c.UNITS), (c.DATA_FAULT, c.FEED)}
"""Measures whose statistic is the negative logarithm of a probability."""

MEASURED_TO: Final = {"statistic": 9, "effect": 9}
"""Decimals: DuckDB's threads add up in any order, and the same sales must give the same row to the last bit."""

RECORDED: Final = (c.PRICE, c.STOCK_OUT, c.DATA_FAULT)
"""Kinds of which the records say nearly all. They are judged apart from what is only told from how much was sold, each
with its part of the budget: a hundred prices that did change make no level likelier to have moved."""

FAMILIES: Final = 2
"""What is recorded, and what is told from sales."""

HIDDEN_BY_STOCK_OUT: Final = (c.LEVEL, c.MIX, c.SEASON, c.FORECAST)
KEY: Final = ["report_date", "product_id", "channel"]


def product_drift(query: Query, report_date: date, *, reports: int = 1) -> pd.DataFrame:
    """Return the rows of ops.product_drift: one a report, scope, product, channel, kind and feature.

    `query` runs SQL with named parameters. With `reports` above 1 it makes so many, a week apart, the last on
    `report_date`. A series too young to be compared has no row.
    """
    measures = query(STATEMENT, {"report_date": report_date, "reports": reports})
    return judged(measures.round(MEASURED_TO))


def memory_gb(days: int) -> float:
    """The memory that the statement may take for so many series' days: half of what it would like, the rest on disk."""
    return max(1.0, days / DAYS_A_GIGABYTE)


def judged(measures: pd.DataFrame) -> pd.DataFrame:
    """Return measures with their p and q values, the day's level, and which of them are drift."""
    rows = measures[measures["statistic"].notna()].reset_index(drop=True)
    rows["p_value"] = p_values(rows)
    rows["q_value"] = np.nan
    rows["threshold"] = np.nan
    series = rows[rows["scope"] == c.SERIES].drop_duplicates(KEY).groupby("report_date").size()
    for (day, _), family in rows.groupby(["report_date", rows["kind"].isin(RECORDED)]):
        weights = np.where(family["kind"] == c.FORECAST, FORECAST_WEIGHT, 1.0)
        rows.loc[family.index, "q_value"] = shift_statistics.weighted_q_values(family["p_value"], weights)
        budget = shift_statistics.false_discovery_level(max(series.get(day, 0), 1))
        rows.loc[family.index, "threshold"] = budget / FAMILIES
    is_beyond = rows["q_value"] <= rows["threshold"]
    rows["explained_by"] = explanations(rows, is_beyond)
    rows["is_drifted"] = is_beyond & rows["explained_by"].isna()
    rows["change_date"] = rows["change_date"].fillna(
        rows["report_date"] - pd.to_timedelta(rows["window_days"] - 1, unit="D")
    )
    ordered = rows.sort_values(["report_date", "scope", "product_id", "channel", "kind", "feature"], ignore_index=True)
    days = {"report_date": "datetime64[ns]", "change_date": "datetime64[ns]"}
    return ordered[list(c.ProductDrift.to_schema().columns)].astype({**days, "window_days": "int64"})


def p_values(measures: pd.DataFrame) -> pd.Series:
    """Return the probability of each statistic on a calm day."""
    found = pd.Series(np.nan, index=measures.index)
    looks = len(WINDOWS_WEEKS)
    for (kind, feature), rows in measures.groupby(["kind", "feature"]):
        if (kind, feature) in BY_LOGARITHM:
            found[rows.index] = shift_statistics.from_log(rows["statistic"], looks)
        else:
            found[rows.index] = shift_statistics.two_sided(rows["statistic"], DEGREES[kind], looks)
    return found


def explanations(rows: pd.DataFrame, is_beyond: pd.Series) -> pd.Series:
    """Return for each row the kind that accounts for it instead, None where it stands for itself.

    A feed that stopped accounts for all that its channel shows; a stock-out for sales that fell meanwhile; and where a
    product's share moved, it is the mix if its levels moved both ways, and the level if they moved one way.
    """
    found = pd.Series(None, index=rows.index, dtype=object)
    beyond = rows[is_beyond]
    rose, fell = _is_level_moved(rows, beyond, 1), _is_level_moved(rows, beyond, -1)
    found[(rows["kind"] == c.LEVEL) & rose & fell & _is_of(rows, beyond, c.MIX)] = c.MIX
    found[(rows["kind"] == c.MIX) & (rose ^ fell)] = c.LEVEL
    sold_out = _is_of(rows, beyond, c.STOCK_OUT) & rows["kind"].isin(HIDDEN_BY_STOCK_OUT)
    found[sold_out & ((rows["effect"] < 0) | rows["kind"].isin([c.SEASON, c.FORECAST]))] = c.STOCK_OUT
    faults = beyond.loc[beyond["kind"] == c.DATA_FAULT, ["report_date", "scope", "channel"]]
    stopped = pd.MultiIndex.from_frame(faults.loc[faults["scope"] == c.CHANNEL, ["report_date", "channel"]])
    all_stopped = faults.loc[faults["scope"] == c.PORTFOLIO, "report_date"]
    is_stopped = pd.MultiIndex.from_frame(rows[["report_date", "channel"]]).isin(stopped)
    found[(rows["kind"] != c.DATA_FAULT) & (is_stopped | rows["report_date"].isin(all_stopped))] = c.DATA_FAULT
    return found


def _is_of(rows: pd.DataFrame, beyond: pd.DataFrame, kind: str) -> pd.Series:
    """Whether each row's series is beyond the threshold by a kind."""
    known = pd.MultiIndex.from_frame(beyond.loc[(beyond["kind"] == kind) & (beyond["scope"] == c.SERIES), KEY])
    return pd.Series(pd.MultiIndex.from_frame(rows[KEY]).isin(known), index=rows.index)


def _is_level_moved(rows: pd.DataFrame, beyond: pd.DataFrame, sign: int) -> pd.Series:
    """Whether the level of each row's product moved this way in any of its channels."""
    moved = beyond[(beyond["kind"] == c.LEVEL) & (beyond["scope"] == c.SERIES) & (sign * beyond["statistic"] > 0)]
    known = pd.MultiIndex.from_frame(moved[KEY[:2]])
    of_series = rows["scope"] == c.SERIES
    return of_series & pd.Series(pd.MultiIndex.from_frame(rows[KEY[:2]]).isin(known), index=rows.index)

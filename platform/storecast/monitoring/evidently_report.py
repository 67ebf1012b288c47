"""Evidently's data-drift report: its figures as rows, its page as HTML that needs no network.

The tests are ours: of its own, the distance between numbers is measured by a standard deviation that one outlier
stretches, and the chi-square takes the reference's shares for the truth, however few rows it has.
"""

import html
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests import StatTest, register_stattest
from evidently.legacy.core import ColumnType
from evidently.presets import DataDriftPreset

from storecast.monitoring import contracts as c
from storecast.monitoring.shift_statistics import categories_p_value, common_threshold, numbers_p_value
from storecast.monitoring.windows import DriftWindows, Sample, prepared

FAIL = "FAIL"
SCORE_DIGITS = 9  # beyond them a score hangs on the order in which Evidently adds up
BODY = "<body>"
NUMBERS = "Mann-Whitney and Kolmogorov-Smirnov p-value"
CATEGORIES = "chi-square or exact p-value"


def _stat_test(name: str, column_type: ColumnType, p_value: Callable[[pd.Series, pd.Series], float]) -> StatTest:
    """Make a test known to Evidently by its name, under which the page shows it."""
    test = StatTest(name=name, display_name=name, allowed_feature_types=[column_type])

    def judged(reference: pd.Series, current: pd.Series, _: ColumnType, threshold: float) -> tuple[float, bool]:
        found = p_value(reference, current)
        return found, found <= threshold

    register_stattest(test, default_impl=judged)
    return test


OF_NUMBERS = _stat_test(NUMBERS, ColumnType.Numerical, numbers_p_value)
OF_CATEGORIES = _stat_test(CATEGORIES, ColumnType.Categorical, categories_p_value)


def compare(reference: Sample, current: Sample) -> Any:
    """Return Evidently's finished run over all columns `COMPARED` that hold values in both samples.

    A column drifted where its p-value is at most the threshold, which is lower the more columns there are: of reports
    in which nothing moved, 5 % at most name any. Where values are missing, their share is a column of its own. Raises
    `ValueError` for a column that is missing in a sample, or of which Evidently says nothing.
    """
    before, now = prepared(reference, current)
    definition = DataDefinition(
        numerical_columns=[column for column in before if column in c.NUMERICAL],
        categorical_columns=[column for column in before if column not in c.NUMERICAL],
    )
    preset = DataDriftPreset(
        columns=list(before),
        drift_share=c.DRIFT_SHARE,
        num_method=OF_NUMBERS,
        cat_method=OF_CATEGORIES,
        threshold=common_threshold(list(p_values(before, now).values())),
    )
    report = Report([preset], include_tests=True)
    with np.errstate(invalid="ignore"):  # a constant column has no correlation: Evidently leaves it blank
        run = report.run(
            current_data=Dataset.from_pandas(side_by_side(now), data_definition=definition),
            reference_data=Dataset.from_pandas(side_by_side(before), data_definition=definition),
        )
    reported = {metric["config"].get("column") for metric in run.dict()["metrics"]} - {None}
    if reported != set(before):
        lacking = ", ".join(sorted(set(before) - reported))
        raise ValueError(f"Evidently says nothing of {lacking}: see how this version takes their types")
    return run


def p_values(reference: Sample, current: Sample) -> dict[str, float]:
    """Return each column's p-value, of samples that are prepared."""
    tests = {column: numbers_p_value if column in c.NUMERICAL else categories_p_value for column in reference}
    return {column: test(reference[column], current[column]) for column, test in tests.items()}


def side_by_side(sample: Sample) -> pd.DataFrame:
    """Return columns of different lengths as one frame: nulls follow on the shorter ones, which no test looks at."""
    return pd.DataFrame({name: values.reset_index(drop=True) for name, values in sample.items()})


def drift_rows(figures: dict[str, Any], windows: DriftWindows) -> pd.DataFrame:
    """Return the rows of ops.drift, one a compared column, from the dict of Evidently's run.

    Whether a column drifted is the verdict of Evidently's page.
    """
    verdicts = {
        test["metric_config"]["params"]["column"]: test["status"] == FAIL
        for test in figures["tests"]
        if "column" in test["metric_config"]["params"]
    }
    measured = [metric for metric in figures["metrics"] if "column" in metric["config"]]
    days = {
        "reference_start_date": windows.reference.start_date,
        "reference_end_date": windows.reference.end_date,
        "current_start_date": windows.current.start_date,
        "current_end_date": windows.current.end_date,
    }
    rows = [
        {
            "report_date": windows.current.end_date,
            "scope": c.PORTFOLIO,
            "column_name": metric["config"]["column"],
            "method": metric["config"]["method"],
            "score": float(f"{metric['value']:.{SCORE_DIGITS}g}"),
            "threshold": float(metric["config"]["threshold"]),
            "is_drifted": verdicts[metric["config"]["column"]],
            **days,
        }
        for metric in measured
    ]
    frame = pd.DataFrame(rows, columns=list(c.Drift.to_schema().columns))
    return frame.astype(dict.fromkeys(["report_date", *days], "datetime64[ns]"))


def report_html(run: Any, windows: DriftWindows, note: str) -> str:
    """Return the whole page: Evidently's, headed by the windows and a note on the sample.

    Raises `ValueError` where Evidently's page has no body to head: its template changed.
    """
    page = str(run.get_html_str(as_iframe=False))
    if BODY not in page:
        message = f"Evidently's page has no {BODY}: its template changed, see where the heading goes now"
        raise ValueError(message)
    heading = (
        '<header style="font-family: sans-serif; margin: 1.5rem"><h1>Data drift of the portfolio</h1>'
        f"<p>Recent window {windows.current}, compared with the training window {windows.reference}.</p>"
        f"<p>{html.escape(note)}</p></header>"
    )
    return page.replace(BODY, BODY + heading, 1)


def save_report(page: str, folder: Path, windows: DriftWindows) -> Path:
    """Write the page as `data_drift_<last day>.html`, whole or not at all, and return its absolute path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = (folder / f"data_drift_{windows.current.end_date}.html").resolve()
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    unfinished.write_text(page, encoding="utf-8")
    unfinished.replace(path)
    return path

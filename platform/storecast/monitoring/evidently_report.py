"""Evidently's data-drift report: its figures as rows, its page as HTML that needs no network."""

import html
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from storecast.monitoring import contracts as c
from storecast.monitoring.windows import DriftWindows, columns_without_values

FAIL = "FAIL"
SCORE_DIGITS = 9  # beyond them a score hangs on the order in which Evidently adds up
BODY = "<body>"


def compare(reference: pd.DataFrame, current: pd.DataFrame) -> Any:
    """Return Evidently's finished run over the columns that hold values in both samples.

    Evidently chooses the statistic by type and size: above 1,000 rows a normed Wasserstein distance for numbers and a
    Jensen-Shannon distance for few values, each with its threshold of 0.1; below, tests with p-values.
    """
    missing = columns_without_values(reference, current)
    definition = DataDefinition(
        numerical_columns=[column for column in c.NUMERICAL if column not in missing],
        categorical_columns=[column for column in c.CATEGORICAL if column not in missing],
    )
    compared = [column for column in c.COMPARED if column not in missing]
    report = Report(
        [DataDriftPreset(columns=compared, drift_share=c.DRIFT_SHARE)],
        metadata={"reference_rows": len(reference), "current_rows": len(current)},
        include_tests=True,
    )
    with np.errstate(invalid="ignore"):  # a constant column has no correlation: Evidently leaves it blank
        return report.run(
            current_data=Dataset.from_pandas(current[compared], data_definition=definition),
            reference_data=Dataset.from_pandas(reference[compared], data_definition=definition),
        )


def drift_rows(figures: dict[str, Any], windows: DriftWindows) -> pd.DataFrame:
    """Return the rows of ops.drift, one a compared column, from the dict of Evidently's run.

    Whether a column drifted is Evidently's own verdict: a high distance drifts, but a low p-value does.
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

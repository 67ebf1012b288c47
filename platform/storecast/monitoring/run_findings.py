"""What is wrong with Dagster's runs and checks: tables of what it has stored in, findings out."""

from typing import Any

import pandas as pd

from storecast.monitoring import contracts as c
from storecast.monitoring.findings import Judgement, findings_of

JOB = "job"
PARTITION = "partition"
RUN_ID = "run_id"
HAS_FAILED = "has_failed"
FINISHED_AT = "finished_at"
RUNS = (JOB, PARTITION, RUN_ID, HAS_FAILED, FINISHED_AT)
"""Columns of finished runs; `partition` is empty for a run of all of them."""

CHECK = "check"
STATUS = "status"
DESCRIPTION = "description"
CHECKS = (CHECK, STATUS, c.SEVERITY, DESCRIPTION)
PASSED, FAILED, RUNNING = "passed", "failed", "running"
"""Status of a check's newest execution."""

TOLD_ELSEWHERE = ("champion_beats_seasonal_naive", "every_product_has_a_forecast")
"""Checks that say what an incident of another kind says."""


def judge_runs(runs: pd.DataFrame) -> Judgement:
    """Return each streak of failed runs of the same job and partition, with when it began and, if it has, ended.

    `runs` has the columns `RUNS`. A streak ends with a success of the same partition or of the whole job. Streaks that
    are over are found too: a failure is not lost for having been mended before anybody looked.
    """
    rows: list[dict[str, Any]] = []
    for job, own in runs.sort_values(FINISHED_AT).groupby(JOB, sort=True):
        for partition in sorted(own[PARTITION].unique()):
            concerned = own[own[PARTITION].eq(partition) | (own[PARTITION].eq("") & ~own[HAS_FAILED])]
            rows += _streaks(f"{job} {partition}".strip(), concerned)
    return Judgement(findings_of(rows), frozenset({c.RUN_FAILURE}))


def _streaks(subject: str, runs: pd.DataFrame) -> list[dict[str, Any]]:
    streaks: list[dict[str, Any]] = []
    is_open = False
    for run in runs.to_dict("records"):
        if run[HAS_FAILED] and not is_open:
            streaks.append(
                {c.KIND: c.RUN_FAILURE, c.SUBJECT: subject, c.SEVERITY: c.ERROR, c.OPENED_AT: run[FINISHED_AT]}
            )
        if run[HAS_FAILED]:
            streaks[-1][c.MESSAGE] = f"run {run[RUN_ID]} failed"
            streaks[-1][c.NEXT_STEP] = f"`storecast up`, then open run {run[RUN_ID]}: its log says why"
        elif is_open:
            streaks[-1][c.ENDED_AT] = run[FINISHED_AT]
        is_open = bool(run[HAS_FAILED])
    return streaks


def judge_checks(checks: pd.DataFrame, now: pd.Timestamp) -> Judgement:
    """Return the checks whose newest execution failed; of one that still runs nothing is known.

    `checks` has the columns `CHECKS`.
    """
    own = checks[~checks[CHECK].str.split(" ").str[-1].isin(TOLD_ELSEWHERE)]
    rows = [
        {
            c.KIND: c.CHECK_FAILURE,
            c.SUBJECT: check[CHECK],
            c.SEVERITY: check[c.SEVERITY],
            c.MESSAGE: f"did not pass{f': {check[DESCRIPTION]}' if check[DESCRIPTION] else ''}",
            c.NEXT_STEP: "open the asset's checks in Dagster's UI: the newest evaluation names what broke it",
            c.OPENED_AT: now,
        }
        for check in own[own[STATUS].eq(FAILED)].to_dict("records")
    ]
    running = frozenset((c.CHECK_FAILURE, check) for check in own.loc[own[STATUS].eq(RUNNING), CHECK])
    return Judgement(findings_of(rows), frozenset({c.CHECK_FAILURE}), running)

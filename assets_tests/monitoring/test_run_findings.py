from datetime import datetime, timedelta

import pandas as pd
import pytest

from storecast.monitoring import contracts as c
from storecast.monitoring import run_findings as f

NOON = pd.Timestamp("2026-11-20 12:00")


def runs(*story: tuple[str, str, bool]) -> pd.DataFrame:
    """Make finished runs, a minute apart, of (job, partition, has failed)."""
    rows = [
        (job, partition, f"run{number}", has_failed, NOON + timedelta(minutes=number))
        for number, (job, partition, has_failed) in enumerate(story)
    ]
    return pd.DataFrame(rows, columns=list(f.RUNS))


def streaks(*story: tuple[str, str, bool]) -> list[tuple[str, int, int | None]]:
    """Return subject, first and last minute of each streak."""
    found = f.judge_runs(runs(*story)).findings
    return [
        (
            row[c.SUBJECT],
            int((row[c.OPENED_AT] - NOON).total_seconds() // 60),
            None if pd.isna(row[c.ENDED_AT]) else int((row[c.ENDED_AT] - NOON).total_seconds() // 60),
        )
        for row in found.to_dict("records")
    ]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ("", []),
        ("sss", []),
        ("f", [("train", 0, None)]),
        ("sff", [("train", 1, None)]),
        ("ffs", [("train", 0, 2)]),
        ("fsfs", [("train", 0, 1), ("train", 2, 3)]),
        ("fsf", [("train", 0, 1), ("train", 2, None)]),
    ],
)
def test_failures_in_a_row_are_one_streak_which_a_success_ends(outcomes, expected):
    assert streaks(*(("train", "", outcome == "f") for outcome in outcomes)) == expected


def test_jobs_and_partitions_fail_for_themselves():
    assert streaks(("train", "", True), ("publish", "", False)) == [("train", 0, None)]
    assert streaks(("forecast", "P1", True), ("forecast", "P2", False)) == [("forecast P1", 0, None)]


def test_a_run_of_the_whole_job_mends_its_partitions_and_not_the_other_way_round():
    assert streaks(("forecast", "P1", True), ("forecast", "", False)) == [("forecast P1", 0, 1)]
    assert streaks(("forecast", "", True), ("forecast", "P1", False)) == [("forecast", 0, None)]


def test_a_streak_names_its_newest_run():
    found = f.judge_runs(runs(("train", "", True), ("train", "", True))).findings
    assert found[c.MESSAGE].tolist() == ["run run1 failed"]
    assert "open run run1" in found[c.NEXT_STEP].item()


def checks(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame([(*row, "2 of 3") for row in rows], columns=list(f.CHECKS))


def test_a_failed_check_is_found_with_its_own_severity_and_one_that_runs_is_undecided():
    judged = f.judge_checks(
        checks(
            ("gold/a contract", f.FAILED, c.ERROR),
            ("gold/b drift", f.FAILED, c.WARNING),
            ("gold/c contract", f.PASSED, c.ERROR),
            ("gold/d contract", f.RUNNING, c.ERROR),
        ),
        NOON,
    )
    assert judged.findings[[c.SUBJECT, c.SEVERITY, c.MESSAGE]].to_numpy().tolist() == [
        ["gold/a contract", c.ERROR, "did not pass: 2 of 3"],
        ["gold/b drift", c.WARNING, "did not pass: 2 of 3"],
    ]
    assert judged.undecided == {(c.CHECK_FAILURE, "gold/d contract")}
    assert judged.kinds == {c.CHECK_FAILURE}


def test_before_any_run_or_check_there_is_nothing_to_find():
    for judged in (f.judge_runs(runs()), f.judge_checks(checks(), NOON)):
        assert judged.findings.empty


def test_a_check_that_says_what_another_kind_says_is_not_told_twice():
    told_elsewhere = [(f"gold/x {name}", f.FAILED, c.WARNING) for name in f.TOLD_ELSEWHERE]
    assert f.judge_checks(checks(*told_elsewhere), datetime(2026, 11, 20)).findings.empty

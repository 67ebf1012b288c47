"""Which of Dagster's runs are at work, read from its storage as a file: Dagster itself takes seconds to import."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from storecast.settings import Settings

AT_WORK_SQL = """
select run_id, pipeline_name, coalesce(start_time, unixepoch(create_timestamp)), status = 'CANCELING',
       exists (select 1 from run_tags where run_tags.run_id = runs.run_id and key = '.dagster/grpc_info')
from runs where status in ('STARTING', 'STARTED', 'CANCELING') order by 3, 1
"""
"""Only a run that the daemon has started names a server; one of `storecast run` works in that process."""


@dataclass(frozen=True)
class RunAtWork:
    """A run of a job, since when it works (UTC), whether it is being cancelled, and whether the daemon started it."""

    run_id: str
    job: str
    since: datetime
    is_stopping: bool
    is_daemons: bool


def runs_at_work(settings: Settings) -> list[RunAtWork]:
    """Return the runs that have begun and not ended, oldest first; those whose process was killed are among them."""
    return [
        RunAtWork(run_id, job, datetime.fromtimestamp(since, UTC), bool(is_stopping), bool(is_daemons))
        for run_id, job, since, is_stopping, is_daemons in _rows(settings, AT_WORK_SQL)
    ]


def was_cancelled(settings: Settings, run_id: str) -> bool:
    """Tell whether a run has ended as cancelled."""
    return bool(_rows(settings, "select 1 from runs where run_id = ? and status = 'CANCELED'", run_id))


def _rows(settings: Settings, sql: str, *parameters: str) -> list[Any]:
    database = settings.dagster_home / "history" / "runs.db"
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, parameters).fetchall()

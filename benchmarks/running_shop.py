"""A data folder at work: Dagster's real webserver and daemon on free ports, watched through Dagster's own instance.

Nothing here sleeps for a fixed time. A chain of runs has ended when no run is queued or under way and every sensor that
looks often has looked since the last one ended.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unittest import mock

import dagster as dg
import duckdb
import pandas as pd
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import SensorInstigatorData
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from storecast.services import running_services, start_services, stop_services
from storecast.settings import Settings, process_environment
from storecast.warehouse import Warehouse

STORECAST: Final = Path(sys.executable).with_name("storecast")
REPOSITORY: Final = Path(__file__).parents[1]
POLL_SECONDS: Final = 0.5
STORED_SECONDS: Final = 1.0
"""Within which the end of a run is stored after it is dated."""
CHAIN_SECONDS: Final = 1_800.0
TAIL_LINES: Final = 30
FILES_SENSOR: Final = "new_source_files"
OFTEN_SECONDS: Final = 10
"""Sensors that look more rarely are not waited for: they look after what failed."""
MADE_WITH: Final = """
    select distinct model_version from gold.demand_forecasts
    where origin_date = (select max(origin_date) from gold.demand_forecasts)
"""
"""The versions that the newest origin's forecasts were made with."""


@dataclass(frozen=True)
class Run:
    """A Dagster run: what, by which sensor, for which partitions, how it ended, when (seconds since 1970)."""

    run_id: str
    job: str
    status: str
    tags: Mapping[str, str]
    created: float
    started: float
    ended: float

    @property
    def sensor(self) -> str:
        """The sensor that asked for it, empty where none did."""
        return self.tags.get("dagster/sensor_name", "")


class ChainError(RuntimeError):
    """A chain of runs did not end, or a run in it failed; the message tells all there is to know."""


@dataclass(frozen=True)
class RunningShop:
    """A data folder whose services run."""

    settings: Settings
    instance: dg.DagsterInstance

    @property
    def warehouse(self) -> Warehouse:
        """The pipeline's own database."""
        return Warehouse(self.settings.warehouse_path)

    def published(self, sql: str) -> pd.DataFrame:
        """Read the published file as an analyst does."""
        with duckdb.connect(str(self.settings.published_path), read_only=True) as connection:
            return connection.execute(sql).df()

    def runs(self) -> list[Run]:
        """All runs, in the order in which they were asked for."""
        records = self.instance.get_run_records(ascending=True)
        return [
            Run(
                record.dagster_run.run_id,
                record.dagster_run.job_name,
                record.dagster_run.status.value,
                record.dagster_run.tags,
                record.create_timestamp.timestamp(),
                record.start_time or 0.0,
                record.end_time or 0.0,
            )
            for record in records
        ]

    def follow(self, asked: Callable[[list[Run]], bool]) -> list[Run]:
        """Wait until `asked` holds of the runs so far and what came of it has ended; return all runs.

        Raises `ChainError` where that takes longer than `CHAIN_SECONDS`.
        """
        deadline = time.monotonic() + CHAIN_SECONDS
        while not (asked(runs := self.runs()) and self.is_calm(runs)):
            if time.monotonic() > deadline:
                raise ChainError(f"{CHAIN_SECONDS:g} s are over, and not all has ended:\n{self.story()}")
            time.sleep(POLL_SECONDS)
        return runs

    def is_calm(self, runs: list[Run]) -> bool:
        """Whether no run waits or works, and each sensor of the loop has looked since the last one ended."""
        if any(run.status in {status.value for status in NOT_FINISHED_STATUSES} for run in runs):
            return False
        last_end = max((run.ended for run in runs), default=0.0)
        looks = self.looks()
        return bool(looks) and min(looks.values()) > last_end + STORED_SECONDS and len(self.runs()) == len(runs)

    def looks(self) -> dict[str, float]:
        """When each sensor that looks often looked last, in seconds since 1970."""
        states = self.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
        return {
            state.instigator_name: data.last_tick_timestamp or 0.0
            for state in states
            if isinstance(data := state.instigator_data, SensorInstigatorData)
            and (data.min_interval or 0) <= OFTEN_SECONDS
        }

    def story(self) -> str:
        """What happened: the runs, and the ends of the servers' and the runs' logs."""
        logs = [Path(service.log) for service in running_services(self.settings)]
        logs += sorted(self.settings.dagster_home.glob("storage/*/compute_logs/*.err"))[-2:]
        tails = [f"--- {log}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:]) for log in logs]
        return "\n".join([*(f"{run.job}: {run.status} {run.tags}" for run in self.runs()), *tails])


@contextmanager
def running_shop(settings: Settings, variables: Mapping[str, str]) -> Iterator[RunningShop]:
    """Start webserver and daemon on a data folder with more variables; end them, and take the variables back, after."""
    environment = {**process_environment(settings), **variables}
    with (
        mock.patch.dict(os.environ, environment),
        dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance,
    ):
        start_services(settings, REPOSITORY, report=print)
        try:
            yield RunningShop(settings, instance)
        finally:
            stop_services(settings, report=print)


def storecast(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call `storecast …` for a data folder as a process of its own."""
    command = [str(STORECAST), *arguments, "--data-dir", str(settings.data_dir)]
    environment = {**os.environ, **process_environment(settings)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

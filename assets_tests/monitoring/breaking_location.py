"""A code location whose assets break, each in its own way; a file a try tells how often each was tried.

Its sensor requests a run of each once.
"""

import os
import signal
import sqlite3
import time
from contextlib import closing

import dagster as dg

from storecast.monitoring.automation import SENSORS, retried
from storecast.settings import load_settings
from storecast.warehouse import transient
from storecast.warehouse.assets import watched_for_freshness
from storecast.warehouse.resources import SettingsResource

FOREVER = 3600
SETTINGS = load_settings()
ATTEMPTS = SETTINGS.data_dir.parent / "attempts"


def attempt(name: str) -> int:
    """Count this try of an asset, and return its number from 1."""
    number = len(list(ATTEMPTS.glob(f"{name}-*"))) + 1
    (ATTEMPTS / f"{name}-{number}").touch()
    return number


@dg.asset
def hangs() -> None:
    attempt("hangs")
    time.sleep(FOREVER)


@dg.asset
def finds_its_database_locked_once() -> None:
    path = ATTEMPTS.parent / "locked.db"
    with closing(sqlite3.connect(path, timeout=0)) as writer, closing(sqlite3.connect(path, timeout=0)) as other:
        if attempt("finds_its_database_locked_once") == 1:
            writer.execute("begin exclusive")
        other.execute("create table t (x)")


@dg.asset
def is_given_what_is_wrong() -> None:
    attempt("is_given_what_is_wrong")
    raise ValueError("units: -3 is below 0")


@dg.asset
def is_always_killed() -> None:
    attempt("is_always_killed")
    os.kill(os.getpid(), signal.SIGKILL)


@dg.asset(key=["gold", "goes_down_with_the_daemon_once"])
def goes_down_with_the_daemon_once() -> None:
    if attempt("goes_down_with_the_daemon_once") == 1:
        time.sleep(FOREVER)


ASSETS = [
    hangs,
    finds_its_database_locked_once,
    is_given_what_is_wrong,
    is_always_killed,
    goes_down_with_the_daemon_once,
]
JOBS = [dg.define_asset_job(f"{asset.key.path[-1]}_job", [asset]) for asset in ASSETS]
LIMITS = {"hangs_job": {"dagster/max_runtime": "70", "dagster/max_retries": "0"}}


@dg.sensor(jobs=JOBS, minimum_interval_seconds=5, default_status=dg.DefaultSensorStatus.RUNNING)
def each_once() -> list[dg.RunRequest]:
    return [dg.RunRequest(run_key=job.name, job_name=job.name, tags=LIMITS.get(job.name, {})) for job in JOBS]


@dg.definitions
def location() -> dg.Definitions:
    transient.FIRST_WAIT_SECONDS = 0.2  # not before: pytest looks for doctests in this file too
    return dg.Definitions(
        assets=retried(watched_for_freshness(ASSETS, SETTINGS)),
        jobs=JOBS,
        sensors=[each_once, *SENSORS],
        resources={"settings": SettingsResource.of(SETTINGS)},
        executor=dg.in_process_executor,
    )

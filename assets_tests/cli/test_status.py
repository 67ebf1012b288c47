"""`storecast status` answers at once, whoever holds the warehouse, and says what is in progress and since when."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pandas as pd
import pytest
from click.testing import CliRunner

from storecast.cli import main
from storecast.services import write_instance_config
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.publishing import publish
from storecast.work_in_progress import runs_at_work

HOLDER = """
import sys
from pathlib import Path
sys.argv = ["/somewhere/storecast", "run", *sys.argv[1:]]
from storecast.warehouse import Lease
import time
with Lease(Path(sys.argv[2])).exclusive():
    print("held", flush=True)
    time.sleep(600)
"""


@dg.job
def refresh():
    """No step: what matters is that it has begun."""


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path)


def status(settings: Settings) -> str:
    return CliRunner().invoke(main, ["status", "--data-dir", str(settings.data_dir)], catch_exceptions=False).output


@contextmanager
def started_run(settings: Settings, **tags: str) -> Iterator[dg.DagsterRun]:
    """A run of `refresh` that has begun and not ended."""
    write_instance_config(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        run = instance.create_run_for_job(refresh, tags={key.replace("__", "/"): value for key, value in tags.items()})
        instance.report_dagster_event(
            dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, "refresh", message="begun"), run.run_id
        )
        yield run


def test_a_run_that_holds_both_leases_is_told_with_its_process_and_its_beginning(settings, start_python):
    for name in ("main_job", "warehouse.duckdb"):
        assert start_python(HOLDER, settings.data_dir / name).stdout.readline() == "held\n"
    told = status(settings)
    assert re.search(r"in progress: storecast run \(process \d+, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)", told)
    assert "holds no forecast yet" in told


def test_where_nothing_is_at_work_nothing_is_said_even_of_a_run_whose_process_was_killed(settings):
    with started_run(settings):
        assert [run.job for run in runs_at_work(settings)] == ["refresh"]
        assert "in progress" not in status(settings)


def test_the_stage_of_a_run_is_told_with_its_beginning(settings, start_python):
    assert start_python(HOLDER, settings.data_dir / "main_job").stdout.readline() == "held\n"
    with started_run(settings) as run, started_run(settings, **{".dagster__grpc_info": "{}"}) as daemons:
        told = status(settings)
    assert re.search(rf"in progress: `refresh` since [\d: -]+ UTC \(Dagster run {run.run_id}\)", told)
    assert daemons.run_id not in told, "its daemon does not run"
    assert {one.run_id: one.is_daemons for one in runs_at_work(settings)} == {run.run_id: False, daemons.run_id: True}


def test_a_sensor_that_looks_is_no_work(settings, start_python):
    looking = HOLDER.replace("/somewhere/storecast", "/somewhere/__main__.py")
    assert start_python(looking, settings.data_dir / "main_job").stdout.readline() == "held\n"
    assert "in progress" not in status(settings)


def test_what_is_published_is_summed_up_and_not_what_a_run_is_changing(settings):
    forecasts = pd.DataFrame({"product_id": ["a"], "channel": ["shop"], "origin_date": [pd.Timestamp("2026-01-01")]})
    Warehouse.of(settings).replace_table("gold.unrelated", forecasts)
    publish(Warehouse.of(settings), settings.published_path)
    Warehouse.of(settings).replace_table("gold.demand_forecasts", forecasts)
    assert "holds no forecast yet" in status(settings)

"""What becomes of runs that break, with the real daemon: its queue, its monitoring, its sensors, and its death."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState

from storecast.monitoring import contracts as c
from storecast.monitoring.watch import stored_alerts
from storecast.services import running_services, start_services, write_instance_config
from storecast.settings import Settings
from storecast.warehouse import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WORKSPACE = f"load_from: [{{python_file: {Path(__file__).with_name('breaking_location.py')}}}]"
HANGS, LOCKED, WRONG = "hangs", "finds_its_database_locked_once", "is_given_what_is_wrong"
KILLED, WITH_DAEMON = "is_always_killed", "goes_down_with_the_daemon_once"
TABLE = dg.AssetKey(["gold", WITH_DAEMON])
FAILURE, SUCCESS = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS


class Place:
    """A data folder whose servers run the breaking location."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        (folder / "workspace.yaml").write_text(WORKSPACE)
        (folder / "attempts").mkdir()
        write_instance_config(settings)
        self.start()
        self.instance = dg.DagsterInstance.from_config(str(settings.dagster_home))

    def start(self) -> None:
        start_services(self.settings, self.folder, report=lambda _: None)

    def kill_the_daemon(self) -> None:
        """Kill the daemon, its code server and the run's process at once, as a machine that loses power does."""
        [daemon] = [service for service in running_services(self.settings) if service.name == "dagster-daemon"]
        os.killpg(daemon.pid, signal.SIGKILL)
        self.wait("the daemon's death", lambda: daemon not in running_services(self.settings))

    def attempts(self, job: str) -> int:
        return len(list((self.folder / "attempts").glob(f"{job}-*")))

    def statuses(self, job: str) -> list[dg.DagsterRunStatus]:
        """Status of a job's runs, oldest first."""
        runs = self.instance.get_run_records(dg.RunsFilter(job_name=f"{job}_job"), ascending=True)
        return [record.dagster_run.status for record in runs]

    def spans(self) -> list[tuple[float, float, str]]:
        """Return when each run started and ended, and of which job it is, in order."""
        records = self.instance.get_run_records()
        return sorted((run.start_time or 0.0, run.end_time or 0.0, run.dagster_run.job_name) for run in records)

    def is_fresh(self) -> bool:
        """Whether the daemon holds `TABLE` for fresh: it looks every half minute, and at first saw no table."""
        record = self.instance.get_freshness_state_records([TABLE]).get(TABLE)
        return record is not None and record.freshness_state is FreshnessState.PASS

    def looked(self) -> float:
        """Return when the sensor `watch` looked last."""
        states = [state for state in self.instance.all_instigator_state() if state.instigator_name == "watch"]
        return max((state.instigator_data.last_tick_timestamp or 0.0 for state in states), default=0.0)

    def wait(self, what: str, is_done: Callable[[], bool], seconds: float = 400.0) -> None:
        deadline = time.monotonic() + seconds
        while not is_done():
            if time.monotonic() > deadline:
                told = [(run.job_name, run.status, dict(run.tags)) for run in self.instance.get_runs()]
                pytest.fail(f"waited {seconds:g} s for {what}: {told}")
            time.sleep(0.5)


@pytest.fixture
def place(server_settings, tmp_path) -> Iterator[Place]:
    made = Place(server_settings, tmp_path)
    yield made
    made.instance.dispose()


def test_runs_that_break_are_started_again_where_that_may_help_and_never_for_ever(place, record_property):
    began = time.monotonic()
    place.wait("the run that hangs", lambda: place.attempts(HANGS) == 1)
    started = time.time()
    place.wait("a look at the shop meanwhile", lambda: place.looked() > started)
    assert place.statuses(HANGS) == [dg.DagsterRunStatus.STARTED]

    place.wait("the run that goes down with the daemon", lambda: place.attempts(WITH_DAEMON) == 1)
    place.kill_the_daemon()
    place.start()
    place.wait("its second try", lambda: place.statuses(WITH_DAEMON) == [FAILURE, SUCCESS])
    place.wait("the last try of what is always killed", lambda: place.statuses(KILLED) == [FAILURE] * 3)
    place.wait("its table's freshness", place.is_fresh)

    spans = place.spans()
    assert all(end <= start for (_, end, _), (start, _, _) in pairwise(spans)), "two runs at once"
    assert all(70 <= end - start <= 150 for start, end, job in spans if job == f"{HANGS}_job")
    assert place.statuses(HANGS) in ([FAILURE], [dg.DagsterRunStatus.CANCELED]), "whoever of worker and daemon is first"
    assert place.statuses(LOCKED) == [FAILURE, SUCCESS]
    assert place.statuses(WRONG) == [FAILURE]
    told = stored_alerts(Warehouse(place.settings.warehouse_path))
    assert {f"{job}_job" for job in (HANGS, WRONG, KILLED)} <= set(told[c.SUBJECT])
    tries = {job: place.attempts(job) for job in (HANGS, LOCKED, WRONG, KILLED, WITH_DAEMON)}
    assert tries == {HANGS: 1, LOCKED: 2, WRONG: 1, KILLED: 3, WITH_DAEMON: 2}
    record_property("five runs that break, s", round(time.monotonic() - began))

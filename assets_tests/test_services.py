"""The real servers, on free ports and a data folder of their own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
import requests
import yaml

from storecast.services import (
    ServiceError,
    running_services,
    start_services,
    stop_services,
    write_instance_config,
)
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.work_in_progress import runs_at_work

REPOSITORY = Path(__file__).parents[1]
NAMES = ["dagster-daemon", "dagster-webserver", "mlflow", "reports"]


@pytest.fixture
def settings(server_settings) -> Settings:
    return server_settings


def processes_of(settings: Settings) -> set[int]:
    """Return every process of this data folder, found by its environment: an eye of its own on what is left behind."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # gone meanwhile, or another user's
            continue
        if state != "Z" and f"STORECAST_DATA_DIR={settings.data_dir}".encode() in environment.split(b"\0"):
            found.add(int(folder.name))
    return found - {os.getpid()}


def test_the_instance_keeps_quiet_and_starts_few_runs_at_once(settings):
    path = write_instance_config(settings)
    assert path == settings.data_dir / "dagster" / "dagster.yaml"
    config = yaml.safe_load(path.read_text())
    assert config["telemetry"] == {"enabled": False}
    assert config["run_coordinator"]["config"]["max_concurrent_runs"] == 1
    assert config["run_monitoring"]["enabled"]
    assert config["run_monitoring"]["max_runtime_seconds"] == settings.run_timeout_hours * 3600
    assert config["run_retries"] == {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}
    written = path.stat().st_mtime_ns
    assert write_instance_config(settings) == path
    assert path.stat().st_mtime_ns == written


def test_dagster_takes_the_instance_s_configuration(settings, monkeypatch):
    write_instance_config(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        assert not instance.telemetry_enabled
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1
        assert instance.run_coordinator.dequeue_interval_seconds == 1
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds == settings.run_timeout_hours * 3600
        assert instance.run_retries_max_retries == 2
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.freshness_enabled
        assert instance.storage_directory().startswith(str(settings.data_dir))


def test_nothing_runs_in_a_new_folder_and_down_says_so(settings):
    told: list[str] = []
    assert running_services(settings) == []
    assert stop_services(settings, report=told.append) == []
    assert told == ["nothing runs"]
    assert not settings.data_dir.exists()


def test_a_taken_port_is_an_error_that_names_the_port_and_the_setting(settings):
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", settings.mlflow_port))
        stranger.listen()
        expected = rf"port {settings.mlflow_port} for mlflow is taken .* choose another port with STORECAST_MLFLOW_PORT"
        with pytest.raises(ServiceError, match=expected):
            start_services(settings, REPOSITORY, report=lambda _: None)
    assert running_services(settings) == []


def test_a_service_that_does_not_start_shows_its_log_and_leaves_nothing_behind(settings, tmp_path):
    (tmp_path / "workspace.yaml").write_text("load_from: nonsense")
    with pytest.raises(ServiceError, match=r"(?s)dagster-\w+ ended while .* says:.*load_from must be list"):
        start_services(settings, tmp_path, report=lambda _: None)
    assert running_services(settings) == []
    assert processes_of(settings) == set()


@pytest.mark.slow
def test_a_graph_that_does_not_load_is_told_with_python_s_words(settings, tmp_path):
    (tmp_path / "workspace.yaml").write_text("load_from: [{python_file: graph.py}]")
    (tmp_path / "graph.py").write_text("raise RuntimeError('the shop is closed')")
    with pytest.raises(ServiceError, match=r"(?s)the asset graph does not load: .*the shop is closed"):
        start_services(settings, tmp_path, report=lambda _: None)
    assert processes_of(settings) == set()


def test_down_never_ends_a_process_that_has_got_the_id_of_a_dead_service(settings):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        folder = settings.dagster_home / "services"
        folder.mkdir(parents=True)
        dead = {"name": "mlflow", "pid": stranger.pid, "url": None, "log": "mlflow.log"}
        (folder / "mlflow.json").write_text(json.dumps(dead))
        assert running_services(settings) == []
        assert stop_services(settings, report=lambda _: None) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.slow
def test_up_starts_what_does_not_run_once_and_down_ends_every_process(settings, wait_for):
    told: list[str] = []
    started = start_services(settings, REPOSITORY, report=told.append)
    assert [service.name for service in started] == NAMES
    dagster = requests.post(
        f"http://127.0.0.1:{settings.dagster_port}/graphql",
        json={
            "query": "{ version repositoriesOrError { ... on RepositoryConnection { nodes { location { name } } } } }"
        },
        timeout=30,
    ).json()["data"]
    assert dagster["version"]
    assert dagster["repositoriesOrError"] == {"nodes": [{"location": {"name": "storecast"}}]}
    assert requests.get(f"http://127.0.0.1:{settings.mlflow_port}/health", timeout=30).text == "OK"
    (settings.reports_dir / "drift.html").write_text("<p>drift</p>")
    assert requests.get(f"http://127.0.0.1:{settings.reports_port}/drift.html", timeout=30).text == "<p>drift</p>"
    for service in started:
        assert f"starting {service.name} (process {service.pid}" in "\n".join(told)

    assert start_services(settings, REPOSITORY, report=told.append) == started
    assert f"mlflow runs already (process {started[2].pid})" in told
    assert len(processes_of(settings)) >= 5, "the servers and Dagster's code servers"

    os.killpg(started[2].pid, signal.SIGKILL)
    wait_for(lambda: len(running_services(settings)) == 3)
    daemon, webserver, mlflow, reports = start_services(settings, REPOSITORY, report=told.append)
    assert (daemon, webserver, reports) == (started[0], started[1], started[3])
    assert mlflow.pid != started[2].pid

    assert stop_services(settings, report=lambda _: None) == [daemon, webserver, mlflow, reports]
    assert processes_of(settings) == set()
    assert running_services(settings) == []
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{settings.mlflow_port}/health", timeout=5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_down_in_the_middle_of_a_run_cancels_it_without_an_incident_and_up_goes_on_with_it(
    small_shop, tmp_path, free_ports, monkeypatch
):
    shop = small_shop.copy(tmp_path / "shop")
    monkeypatch.setenv("STORECAST_FIT_PROCESSES", "1")
    for name, port in free_ports.items():
        monkeypatch.setenv(f"STORECAST_{name}".upper(), str(port))
    settings = shop.settings()
    told: list[str] = []

    def statuses() -> dict[str, str]:
        """The refreshes of the daemon, by the run that each goes on with or its own id."""
        with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
            runs = instance.get_runs(
                dg.RunsFilter(job_name="refresh", tags={"dagster/sensor_name": "new_source_files"})
            )
            return {run.parent_run_id or run.run_id: run.status.value for run in reversed(runs)}

    try:
        start_services(settings, REPOSITORY, report=lambda _: None)
        shop.write(days=217)
        wait_until(lambda: any(run.is_daemons for run in runs_at_work(settings)))
        [stopped] = [run.run_id for run in runs_at_work(settings)]
        stop_services(settings, report=told.append)
        assert any("stopped `refresh`" in line for line in told)
        assert statuses() == {stopped: "CANCELED"}
        assert processes_of(settings) == set()

        start_services(settings, REPOSITORY, report=told.append)
        assert f"going on with run {stopped}" in told
        wait_until(lambda: statuses() == {stopped: "SUCCESS"})
    finally:
        stop_services(settings, report=lambda _: None)
    failures = Warehouse.of(settings).read("select * from ops.alerts where kind = 'run_failure'")
    assert failures.empty, failures.to_string()


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600
    while not is_true():
        assert time.monotonic() < deadline, "waited ten minutes in vain"
        time.sleep(0.2)

"""The servers behind `storecast up` and `down`: Dagster's UI and daemon, MLflow's UI, and the HTML reports.

Each is a process group of its own with a file in `data/dagster/services`, which tells its process id and which the
process itself keeps locked while it lives. A process id that another program has got since is thus never ended.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from storecast.settings import Settings, process_environment
from storecast.sqlite_files import require_whole
from storecast.warehouse import Lease
from storecast.webserver import (
    HOST,
    ServiceError,
    answers,
    cancel_runs,
    daemons_beat_since,
    go_on,
    graph_is_loaded,
)
from storecast.work_in_progress import RunAtWork, runs_at_work, was_cancelled

START_SECONDS = 300.0
STOP_SECONDS = 20.0
DAEMON = "dagster-daemon"
POLL_SECONDS = 0.2
REPORT_EVERY_SECONDS = 10.0
LOG_TAIL_LINES = 25
MAIN_JOB = "main_job"
"""The lease, below the data folder, of the command that runs the main job or decides on a version."""
RUN_STOP_SECONDS = 120.0
"""How long `storecast down` waits for the step that is at work."""
STOPPED_RUNS = "stopped_runs.json"
"""The runs that `storecast down` has stopped: `storecast up` goes on with them."""
SECONDS_AN_HOUR = 3600.0

INSTANCE_CONFIG = """\
# Written by Storecast. The storage is SQLite in this folder. A run whose process was killed is started again, twice at
# most; one whose step failed is not, unless the error may pass (`try_again` of storecast/automation.py).
telemetry: {enabled: false}
nux: {enabled: false}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config: {max_concurrent_runs: 1, dequeue_interval_seconds: 1}
run_retries: {enabled: true, max_retries: 2, retry_on_asset_or_op_failure: false}
freshness: {enabled: true}
run_monitoring:
  enabled: true
  max_runtime_seconds: %(run_timeout_seconds)d
  start_timeout_seconds: 600
  cancel_timeout_seconds: 180
  poll_interval_seconds: 30
code_servers: {local_startup_timeout: 600}
sensors: {use_threads: true, num_workers: 4}
schedules: {use_threads: true, num_workers: 1}
retention:
  schedule: {purge_after_days: 90}
  sensor:
    purge_after_days: {skipped: 7, failure: 30, success: 90}
"""


@dataclass(frozen=True)
class Service:
    """A running server: its process id is its process group's too; the daemon has no address."""

    name: str
    pid: int
    url: str | None
    log: str


@dataclass(frozen=True)
class _Launch:
    """What starts a service and tells that it answers, given the moment it was started."""

    name: str
    command: list[str]
    port: int | None
    answers: Callable[[float], bool]


def write_instance_config(settings: Settings) -> Path:
    """Write the configuration of the data folder's Dagster instance and return its path."""
    path = settings.dagster_home / "dagster.yaml"
    config = INSTANCE_CONFIG % {"run_timeout_seconds": round(settings.run_timeout_hours * SECONDS_AN_HOUR)}
    if not path.exists() or path.read_text(encoding="utf-8") != config:
        path.parent.mkdir(parents=True, exist_ok=True)
        building = path.with_suffix(".tmp")
        building.write_text(config, encoding="utf-8")
        building.replace(path)
    return path


def start_services(settings: Settings, repo_root: Path, report: Callable[[str], None] = print) -> list[Service]:
    """Start what does not run yet, wait until all of it answers, and return all services.

    `repo_root` holds workspace.yaml; `report` is given lines of progress. Raises `ServiceError` where a port is taken
    or a service does not answer in time; what this call has started is ended then.
    """
    write_instance_config(settings)
    require_whole(settings)
    with Lease(_folder(settings) / "up", START_SECONDS).exclusive():
        for service in running_services(settings):
            report(f"{service.name} runs already (process {service.pid})")
        running = {service.name for service in running_services(settings)}
        missing = [launch for launch in _launches(settings, repo_root) if launch.name not in running]
        for launch in missing:
            was_killed = (_folder(settings) / f"{launch.name}.json").exists()
            _require_free_port(launch, patience=STOP_SECONDS if was_killed else 0.0)
        try:
            moment = time.time()
            if missing:
                _prepare_storage(settings)
            started = [_start(settings, launch, report) for launch in missing]
            for launch, service in zip(missing, started, strict=True):
                _wait_until_it_answers(settings, launch, service, moment, report)
        except BaseException:  # KeyboardInterrupt too: nothing is left half started
            _stop([service for service in running_services(settings) if service.name not in running], settings, report)
            raise
        _go_on_with_stopped_runs(settings, report)
    return running_services(settings)


def stop_services(settings: Settings, report: Callable[[str], None] = print) -> list[Service]:
    """End what `start_services` started, with every process it has brought forth, and return it.

    A run that is at work ends as cancelled first, which is no incident; `start_services` goes on with it.
    """
    services = running_services(settings)
    if not services:
        report("nothing runs")
    if any(service.name == DAEMON for service in services):
        _stop_runs(settings, report)
    _stop(services, settings, report)
    return services


def running_services(settings: Settings) -> list[Service]:
    """Return the services of this data folder that run.

    Raises `ServiceError` for one whose starter was killed before it could write the process id down.
    """
    return [_read(file) for file in sorted(_folder(settings).glob("*.json")) if _is_locked(file)]


def _launches(settings: Settings, repo_root: Path) -> list[_Launch]:
    from storecast.registry.store import ModelStore  # noqa: PLC0415 - brings MLflow, which `storecast run` needs not yet

    dagster, mlflow, reports = settings.dagster_port, settings.mlflow_port, settings.reports_port
    workspace = ["--workspace", str(repo_root / "workspace.yaml")]
    models = ModelStore.of(settings)
    models.follow_its_folder()
    store = ["--backend-store-uri", models.uri, "--default-artifact-root", models.artifacts_uri]
    store += ["--no-serve-artifacts"]  # they lie in the data folder, where the UI reads them itself
    return [
        _Launch(
            "dagster-webserver",
            ["-m", "dagster_webserver", "--host", HOST, "--port", str(dagster), *workspace],
            dagster,
            lambda _: graph_is_loaded(dagster),
        ),
        _Launch(
            DAEMON,
            ["-m", "dagster._daemon", "run", *workspace],
            None,
            lambda started: daemons_beat_since(dagster, started),
        ),
        _Launch(
            "mlflow",
            ["-m", "mlflow", "server", "--host", HOST, "--port", str(mlflow), "--workers", "1", *store],
            mlflow,
            lambda _: answers(mlflow, "/health"),
        ),
        _Launch(
            "reports",
            ["-m", "http.server", str(reports), "--bind", HOST, "--directory", str(settings.reports_dir)],
            reports,
            lambda _: answers(reports, "/"),
        ),
    ]


def _prepare_storage(settings: Settings) -> None:
    """Make Dagster's databases, or bring them up to date, before webserver and daemon both try to at once.

    They break the new databases' version tables if they do: "more than one head present".
    """
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "instance", "migrate"],
        env={**os.environ, **process_environment(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        message = f"Dagster's storage in {settings.dagster_home} could not be prepared:\n{done.stdout}{done.stderr}"
        raise ServiceError(message)


def _start(settings: Settings, launch: _Launch, report: Callable[[str], None]) -> Service:
    log = settings.dagster_home / "logs" / f"{launch.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    settings.mlflow_dir.mkdir(parents=True, exist_ok=True)
    settings.reports_dir.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **process_environment(settings), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    file = os.open(_folder(settings) / f"{launch.name}.json", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)  # inherited: held while the process lives
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *launch.command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[file],
            )
        process.returncode = 0  # it is meant to outlive us: Python shall not warn of it
        url = f"http://{HOST}:{launch.port}" if launch.port is not None else None
        service = Service(name=launch.name, pid=process.pid, url=url, log=str(log))
        os.write(file, json.dumps(asdict(service)).encode())
    finally:
        os.close(file)
    report(f"starting {service.name} (process {service.pid}, log {service.log})")
    return service


def _wait_until_it_answers(
    settings: Settings, launch: _Launch, service: Service, moment: float, report: Callable[[str], None]
) -> None:
    reported = time.time()
    while not launch.answers(moment):
        if not _is_locked(_folder(settings) / f"{service.name}.json"):
            message = f"{service.name} ended while it started. Its log {service.log} says:\n{_tail(service)}"
            raise ServiceError(message)
        if time.time() - moment > START_SECONDS:
            message = f"{service.name} gave no answer in {START_SECONDS:g} s. Its log says:\n{_tail(service)}"
            raise ServiceError(message)
        if time.time() - reported > REPORT_EVERY_SECONDS:
            reported = time.time()
            report(f"waiting for {service.name} … {reported - moment:.0f} s")
        time.sleep(POLL_SECONDS)
    report(f"{service.name} answers{f' at {service.url}' if service.url else ''}")


def _stop(services: list[Service], settings: Settings, report: Callable[[str], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for service in services:
            _signal(service, number)
        deadline = time.monotonic() + STOP_SECONDS
        while any(_lives(service, settings) for service in services) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    for service in services:
        (_folder(settings) / f"{service.name}.json").unlink(missing_ok=True)
        report(f"{service.name} ended (process {service.pid})")


def _stop_runs(settings: Settings, report: Callable[[str], None]) -> None:
    """Have the daemon's runs end as cancelled, wait for the step that is at work, and write down which they were."""
    runs = _daemons_runs(settings)
    if not runs:
        return
    for run in runs:
        report(f"stopping `{run.job}`, at work since {run.since:%H:%M:%S} UTC: its step may end first")
    file = settings.dagster_home / STOPPED_RUNS
    file.write_text(json.dumps([run.run_id for run in runs]), encoding="utf-8")
    began = reported = time.monotonic()
    while (left := _daemons_runs(settings)) and time.monotonic() - began < RUN_STOP_SECONDS:
        unasked = [run.run_id for run in left if not run.is_stopping]  # one that is only starting takes no notice yet
        if unasked and not cancel_runs(settings.dagster_port, unasked, at_once=False):
            report(f"Dagster's webserver does not answer: {len(unasked)} run(s) end with their process")
            return
        if time.monotonic() - reported > REPORT_EVERY_SECONDS:
            reported = time.monotonic()
            jobs = ", ".join(f"`{run.job}`" for run in left)
            report(f"waiting for {jobs} … {reported - began:.0f} s of at most {RUN_STOP_SECONDS:.0f} s")
        time.sleep(5 * POLL_SECONDS)
    if left:
        cancel_runs(settings.dagster_port, [run.run_id for run in left], at_once=True)
    for run in runs:
        if was_cancelled(settings, run.run_id):
            report(f"stopped `{run.job}`: `storecast up` goes on with it")


def _daemons_runs(settings: Settings) -> list[RunAtWork]:
    return [run for run in runs_at_work(settings) if run.is_daemons]


def _go_on_with_stopped_runs(settings: Settings, report: Callable[[str], None]) -> None:
    file = settings.dagster_home / STOPPED_RUNS
    if not file.exists():
        return
    for run_id in filter(partial(was_cancelled, settings), json.loads(file.read_text(encoding="utf-8"))):
        is_taken = go_on(settings.dagster_port, run_id)
        report(
            f"going on with run {run_id}" if is_taken else f"run {run_id} was not taken up again: look at it in the UI"
        )
    file.unlink()


def _lives(service: Service, settings: Settings) -> bool:
    """Tell whether the service or one of the processes it has brought forth is there."""
    with suppress(ChildProcessError):  # started by another process, which reaps it
        os.waitpid(service.pid, os.WNOHANG)
    return _is_locked(_folder(settings) / f"{service.name}.json") or _signal(service, 0)


def _signal(service: Service, number: int) -> bool:
    try:
        os.killpg(service.pid, number)
    except ProcessLookupError:
        return False
    return True


def _folder(settings: Settings) -> Path:
    return settings.dagster_home / "services"


def _is_locked(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _read(file: Path) -> Service:
    text = file.read_text(encoding="utf-8")
    if not text:
        message = f"a process holds {file} without its id in it: find it with `lsof {file}` and end it"
        raise ServiceError(message)
    return Service(**json.loads(text))


def _require_free_port(launch: _Launch, patience: float) -> None:
    """Raise `ServiceError` where the port is still taken after `patience` seconds.

    What a kill has left of a server listens on until the kernel has taken its memory back.
    """
    deadline = time.monotonic() + patience
    while (error := _refusal(launch.port)) is not None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if error is not None:
        variable = f"STORECAST_{launch.name.removesuffix('-webserver').upper()}_PORT"
        message = (
            f"port {launch.port} for {launch.name} is taken ({error.strerror}): end the program that "
            f"listens there, or choose another port with {variable}"
        )
        raise ServiceError(message) from error


def _refusal(port: int | None) -> OSError | None:
    if port is None:
        return None
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None


def _tail(service: Service) -> str:
    lines = Path(service.log).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:])

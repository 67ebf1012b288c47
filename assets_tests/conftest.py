"""Fixtures that more than one room's tests use."""

import datetime as dt
import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import hypothesis
import pandas as pd
import psutil
import pytest

from benchmarks import ports
from storecast.services import stop_services
from storecast.settings import SHOP_FILE, Settings, load_settings, process_environment
from storecast.simulation.shop import write_demo_shop
from storecast.warehouse import Lease

# a loaded machine is no failure, and CI tries the same examples each time
hypothesis.settings.register_profile("storecast", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("storecast")

STORECAST = Path(sys.executable).with_name("storecast")


@dataclass(frozen=True)
class DemoShop:
    """A demo shop in a folder of its own: its files and truth, and the data folder that `storecast run` fills."""

    folder: Path

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def truth(self) -> Path:
        return self.folder / "truth"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def elsewhere(self) -> Path:
        """Home, temporary and working folder of a run: where it must leave nothing."""
        return self.folder / "elsewhere"

    @property
    def log(self) -> str:
        """What the first run printed."""
        return (self.folder / "first_run.log").read_text(encoding="utf-8")

    def settings(self) -> Settings:
        return load_settings(data_dir=self.data_dir)

    def write(self, days: int) -> None:
        """Write the files of a shop of 16 products, 13 with hostile ids, that opened 210 days before 31 March 2026."""
        write_demo_shop(
            self.source,
            self.truth,
            products=16,
            days=days,
            end_date=dt.date(2025, 9, 1) + dt.timedelta(days),
            seed=7,
            hostile_ids=True,
        )

    def environment(self) -> dict[str, str]:
        """Return what a process that works on this shop gets; one process fits, for starting more costs more here."""
        places = dict.fromkeys(("HOME", "TMPDIR"), str(self.elsewhere))
        return {**os.environ, **process_environment(self.settings()), **places, "STORECAST_FIT_PROCESSES": "1"}

    def command(self) -> list[str]:
        return [str(STORECAST), "run", "--source", "demo", "--path", str(self.source)]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call `storecast run` for this shop, or `storecast` with the arguments given, as a process of its own."""
        self.elsewhere.mkdir(exist_ok=True)
        command = [str(STORECAST), *arguments] if arguments else self.command()
        return subprocess.run(
            command, cwd=self.elsewhere, env=self.environment(), capture_output=True, text=True, check=False
        )

    def published(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pd.DataFrame:
        """Read the published file as an analyst does."""
        with duckdb.connect(str(self.settings().published_path), read_only=True) as connection:
            return connection.execute(sql, parameters).df()

    def copy(self, folder: Path) -> "DemoShop":
        """Copy everything; the copy's data folder reads the copy's files."""
        shutil.copytree(self.folder, folder, symlinks=True)
        copied = DemoShop(folder)
        bound = json.loads((copied.data_dir / SHOP_FILE).read_text(encoding="utf-8"))
        (copied.data_dir / SHOP_FILE).write_text(json.dumps({**bound, "source_path": str(copied.source)}))
        return copied


@pytest.fixture(scope="session", autouse=True)
def no_stray_settings() -> None:
    """Take out of the environment what would decide tests from outside."""
    for name in [name for name in os.environ if name.startswith("STORECAST_") and "_TEST_" not in name]:
        del os.environ[name]
    os.environ.pop("DAGSTER_HOME", None)


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give every test a working folder of its own, where the default data folder lies too.

    What a test, or the code it calls, writes into the environment is gone after it.
    """
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    """A small demo shop on which `storecast run` was run once: to be read only; take a `copy` to change it.

    With pytest-xdist its first user makes it for all.
    """
    base = tmp_path_factory.getbasetemp()
    shop = DemoShop((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "small_shop")
    with Lease(shop.folder).exclusive():
        if not (shop.folder / "first_run.log").exists():
            shop.write(days=210)
            done = shop.run()
            assert done.returncode == 0, f"`storecast run` failed:\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}"
            (shop.folder / "first_run.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    return shop


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; a test that asks for it is skipped where it is missing."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("STORECAST_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"real data not here: set STORECAST_TEST_DATA (looked in {folder})")
    return folder


@pytest.fixture(autouse=True)
def _no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"STORECAST_{name.upper()}", raising=False)


@pytest.fixture
def wait_for() -> Callable[[Callable[[], object]], None]:
    """Wait until something is true; fail after a minute."""

    def wait(is_true: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not is_true():
            assert time.monotonic() < deadline, "waited a minute in vain"
            time.sleep(0.01)

    return wait


@dataclass(frozen=True)
class RayCluster:
    """A running Ray cluster: its address, its variables, which a driver needs too, and its head's process."""

    address: str
    environment: dict[str, str]
    pid: int


@contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """Start a Ray cluster of two worker processes that this machine alone can reach, with a token; end it after."""
    environment = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # there Ray stays on the loopback, and with this here too
        "RAY_USAGE_STATS_ENABLED": "0",
        # even so a head tells Ray's makers that it tells them nothing, and asks the cloud's metadata server: closed
        **dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9"),
        "no_proxy": "127.0.0.1,localhost",
    }
    with tempfile.TemporaryDirectory(prefix="ray") as folder, socket.create_server(("127.0.0.1", 0)) as probe:
        client_port = probe.getsockname()[1]
        probe.close()
        command = [str(STORECAST.with_name("ray")), "start", "--head", "--block", "--num-cpus=2", "--port=0"]
        command += ["--node-ip-address=127.0.0.1", f"--ray-client-server-port={client_port}", f"--temp-dir={folder}"]
        command += ["--include-dashboard=false", "--disable-usage-stats", f"--object-store-memory={100 * 1024**2}"]
        log = Path(folder, "head.log")
        with log.open("w", encoding="utf-8") as output:
            head = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + 120
            while "Ray runtime started" not in log.read_text(encoding="utf-8"):
                in_time = head.poll() is None and time.monotonic() < deadline
                assert in_time, log.read_text(encoding="utf-8")
                time.sleep(0.1)
            yield RayCluster(Path(folder, "ray_current_cluster").read_text(encoding="utf-8"), environment, head.pid)
        finally:
            family = [psutil.Process(head.pid), *psutil.Process(head.pid).children(recursive=True)]
            head.terminate()
            for process in psutil.wait_procs(family, timeout=30)[1]:
                process.kill()
            head.wait()


@pytest.fixture(scope="session")
def start_ray_cluster() -> Callable[[], AbstractContextManager[RayCluster]]:
    """What starts a Ray cluster; a test that asks for it is skipped where the extra `ray` is not installed."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the extra `ray` is not installed")
    return ray_cluster


@pytest.fixture
def free_ports() -> dict[str, int]:
    """A free port for each server, by the name of its setting."""
    return ports.free_ports()


@pytest.fixture
def server_settings(tmp_path: Path, free_ports: dict[str, int]) -> Iterator[Settings]:
    """Settings for real servers: free ports and a data folder of their own; what runs there is ended after the test."""
    settings = Settings(data_dir=tmp_path / "data", **free_ports)
    yield settings
    stop_services(settings, report=lambda _: None)


def pytest_configure() -> None:
    """Keep absl's log handler, which Keras brings, off the streams of a capture.

    It closes them when Dagster sets logging up anew, and pytest cannot go on without them.
    """
    if importlib.util.find_spec("absl") is not None:
        from absl import logging

        logging.get_absl_handler().python_handler.setStream(sys.__stderr__)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is fast first: who breaks something knows it soon."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded with `record_property`, wherever they ran."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")

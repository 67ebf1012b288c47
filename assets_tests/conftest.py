"""Fixtures that more than one room's tests use."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from storecast.services import stop_services
from storecast.settings import Settings

# a loaded machine is no failure, and CI tries the same examples each time
hypothesis.settings.register_profile("storecast", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("storecast")

PORTS = ("dagster_port", "mlflow_port", "reports_port")


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


@pytest.fixture
def server_settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings for real servers: free ports and a data folder of their own; what runs there is ended after the test."""
    with ExitStack() as open_at_once:
        probes = [open_at_once.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
        ports = {name: probe.getsockname()[1] for name, probe in zip(PORTS, probes, strict=True)}
    settings = Settings(data_dir=tmp_path / "data", **ports)
    yield settings
    stop_services(settings, report=lambda _: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is fast first: who breaks something knows it soon."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded with `record_property`, wherever they ran."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")

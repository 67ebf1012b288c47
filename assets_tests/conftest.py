"""Fixtures that more than one room's tests use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# a loaded machine is no failure, and CI tries the same examples each time
settings.register_profile("storecast", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("storecast")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; a test that asks for it is skipped where it is missing."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("STORECAST_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"real data not here: set STORECAST_TEST_DATA (looked in {folder})")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is fast first: who breaks something knows it soon."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded with `record_property`, wherever they ran."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
